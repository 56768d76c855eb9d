/* setting_value.h - one value of the configuration: from the text of the file, and back to text.
 * The only place that knows how numbers, sizes, durations, choices and texts are written; settings.c keeps them. */
#ifndef CORE_SETTING_VALUE_H
#define CORE_SETTING_VALUE_H

#include "core/settings.h"

#define SETTING_TEXT_MAX 4096 /* bytes of one text or one item of a list */

/* Reads `text` as the row wants it; for every type but texts and lists. False: why says what is wrong with the
 * value and what would be right, without naming the setting. */
bool setting_read(const struct setting *row, const char *text, int64_t *value, struct buf *why);

/* Whether `text` may be a text or an item of a list: not too long, no control characters. False: why says why. */
bool setting_text_fits(const char *text, struct buf *why);

/* The row's value in a section's struct, as it would be written in the file. */
void setting_print(const struct setting *row, const void *values, enum conf_dump how, struct buf *out);
void setting_print_quoted(const char *text, struct buf *out);
/* The row's default, as it would be written in the file. */
void setting_print_default(const struct setting *row, struct buf *out);

/* What may be written: "a duration, from 30m to 24h"; with examples, for errors, "a duration such as 500ms, 30s ...". */
void setting_print_kind(const struct setting *row, bool examples, struct buf *out);

#endif
