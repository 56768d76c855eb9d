/* row_text.h - a row in words, the same wherever settings are explained; pages.c and manual.c alone use it. */
#ifndef CONF_ROW_TEXT_H
#define CONF_ROW_TEXT_H

#include "core/settings.h"

/* What the setting is for, what it may be, and when a change takes effect: "Silence before we part (a duration, from
 * 30m to 24h)." */
void row_text(const struct setting *row, struct buf *out);
/* How a section begins: `imap {`, `domain "example.test" {`. */
void row_header(const struct settings *table, struct buf *out);

#endif
