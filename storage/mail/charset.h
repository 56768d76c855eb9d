/* charset.h - text of any charset to UTF-8, for searching and showing; and the encoded words of header fields.
 * What a charset does not allow becomes U+FFFD, so the result is always UTF-8. Only charsets that mail is known to
 * use are opened (charset.c has the list): a stranger's word must not choose among all that libc's iconv can load.
 * Some names stand for more than they say, as they do for everybody else: iso-8859-1 is windows-1252, and so on. */
#ifndef STORAGE_MAIL_CHARSET_H
#define STORAGE_MAIL_CHARSET_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/str.h"

struct charset;

/* NULL: nobody knows that name. An empty name is us-ascii. */
struct charset *charset_open(struct str name);

/* Adds bytes, in any pieces, as UTF-8; at most 12 bytes for each that came. */
void charset_feed(struct charset *c, struct str bytes, struct buf *out);

/* Ends the text: half a character is U+FFFD. The next feed begins a new one. */
void charset_end(struct charset *c, struct buf *out);
void charset_free(struct charset *c); /* NULL is fine */

/* The names that charset_open knows, one after the other from 0; NULL behind the last. */
const char *charset_name(size_t i);

/* A whole text; false if nobody knows the charset, and nothing is added. */
bool charset_convert(struct str name, struct str bytes, struct buf *out);

/* The raw value of an unstructured header field, unfolded and with its encoded words decoded (RFC 2047), also where
 * they are not apart from other text. What is no encoded word, or of an unknown charset, stays. Line ends and NULs
 * never come out. Adds to `out`. */
void charset_words(struct str value, struct buf *out);

#endif
