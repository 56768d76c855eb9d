/* percent.h - bytes that may not stand as they are, written %XX: in names of files, in words of state files. */
#ifndef STORAGE_MAIL_PERCENT_H
#define STORAGE_MAIL_PERCENT_H

#include "core/buf.h"

void percent_add(struct buf *out, char c); /* "%2E" */

/* Appends s with each %XX (capitals) as the byte it stands for; any other '%' stays. */
void percent_decode(struct buf *out, struct str s);

#endif
