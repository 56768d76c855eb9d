/* utf8.h - UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, nothing above U+10FFFF. */
#ifndef STORAGE_MAIL_UTF8_H
#define STORAGE_MAIL_UTF8_H

#include "core/buf.h"
#include "core/str.h"

/* Bytes of the character at the front of s; 0 if there is none or it is no UTF-8. */
size_t utf8_size(struct str s);

size_t utf8_ascii(struct str s); /* bytes of ASCII at the front of s */

bool utf8_valid(struct str s);

/* Adds s, with U+FFFD for each byte of it that is no UTF-8. */
void utf8_add_mended(struct buf *out, struct str s);

/* Adds a character: any up to U+10FFFF but the surrogates. */
void utf8_add(struct buf *out, uint32_t c);

#endif
