/* report_words.h - other people's words in a report: made harmless, and broken into lines (report*.c alone).
 * Whatever comes in, what goes out has no control characters, is UTF-8 or ASCII, and has lines of less than 998 bytes
 * (RFC 5322, 2.1.1), none of them beginning with what came in. */
#ifndef PROTOCOLS_REPORT_WORDS_H
#define PROTOCOLS_REPORT_WORDS_H

#include "core/buf.h"

/* Adds text as one line, without its end: line ends and tabs become spaces, other control characters and what is no
 * UTF-8 question marks; with ascii every character beyond it, too. At most max bytes of text are looked at. */
void report_clean(struct str text, bool ascii, size_t max, struct buf *out);

/* A field of a message's or a part's header: "Name: value" with its line end. _words breaks it where it has blanks,
 * which then are one each; _whole leaves it as it is, which must be short. Both clean it. */
void report_field_words(const char *name, struct str value, bool ascii, struct buf *out);
void report_field_whole(const char *name, struct str value, bool ascii, struct buf *out);

/* A paragraph in lines of which each begins with so many spaces; line ends in it stay. Cleaned. */
void report_paragraph(unsigned indent, struct str text, struct buf *out);

#endif
