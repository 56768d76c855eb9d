/* recode.h - a message whose parts may hold any bytes (BINARYMIME, RFC 3030) becomes one of lines, or one with 8-bit text
 * one of 7 bits (RFC 6152, 3).
 * A part with the encoding "binary" is written in base64, and its header says so; what holds such parts, a multipart or
 * a message, says 8bit instead. All else comes out as it came in. What the parts mean is what they meant: decoded as
 * mime.h finds them, each has the bytes it had. Parts that mime.h would not open, too deep or too many, are not opened
 * here either: they are left as they are, for whoever takes lines alone to refuse.
 * Bytes come in any pieces, and the result does not depend on how they were cut. In a binary part only a CRLF ends a
 * line before a delimiter (RFC 2046, 5.1.1). Memory is one header and the open boundaries, bounded both. */
#ifndef STORAGE_MAIL_RECODE_H
#define STORAGE_MAIL_RECODE_H

#include "core/buf.h"

struct recode;

struct recode *recode_new(void);

/* To 7 bits, in two passes, since a part's header says how it is encoded. All of it is fed and ended, nothing comes out;
 * then recode_again says whether it can be, and fed again it comes out. Parts that hold bytes beyond ASCII are written in
 * quoted-printable if they are text, else in base64; nothing says 8bit or binary any more; a message that is not MIME's
 * becomes so, its character set unknown-8bit (RFC 1428). Such bytes before the first and behind the last part of a
 * multipart, which nobody is to read, become '?'. It cannot be if they are in a header, in a part that is encoded already,
 * or in one of type message whose encoding may not change (RFC 2046, 5.2). */
struct recode *recode_new_seven_bit(void);
bool recode_again(struct recode *r);
/* After the first of these passes: whether a header, of the message or of a part, holds such bytes (RFC 6532, 3.7). */
bool recode_header_beyond_ascii(const struct recode *r);

void recode_feed(struct recode *r, struct str bytes, struct buf *out);
void recode_end(struct recode *r, struct buf *out); /* nothing follows: what was held back comes out */
void recode_free(struct recode *r);                 /* NULL is fine */

#endif
