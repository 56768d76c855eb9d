/* pages.h - what people read about settings, made from the rows that the parser has: never out of date. */
#ifndef CONF_PAGES_H
#define CONF_PAGES_H

#include "core/buf.h"

/* For the terminal: of one section ("" is what stands outside any), or with NULL of all. False: no such section. */
bool pages_settings(const char *section, struct buf *out);
/* A whole postern.conf, every setting at its default and explained: conf/postern.conf is this. */
void pages_sample(struct buf *out);
/* The page of postern.conf(5), in roff: conf/postern.conf.5 is this. */
void pages_manual(struct buf *out);

#endif
