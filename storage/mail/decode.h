/* decode.h - content transfer encodings undone (RFC 2045, 6), and base64 both ways for whoever needs it.
 * A decoder takes encoded bytes in any pieces and adds what they mean to a buffer, never more bytes than came in and
 * were held back. It is generous: what the encoding does not allow is passed over (base64) or stays as it is
 * (quoted-printable), for mail is full of it and a reader wants what can be had. */
#ifndef STORAGE_MAIL_DECODE_H
#define STORAGE_MAIL_DECODE_H

#include "core/buf.h"
#include "core/str.h"

enum encoding {
	ENCODING_NONE, /* 7bit, 8bit, binary: the bytes are the content */
	ENCODING_QUOTED,
	ENCODING_BASE64,
	ENCODING_UNKNOWN, /* its bytes are passed on as they are */
};

/* Of a Content-Transfer-Encoding's name, in any case. */
enum encoding encoding_of(struct str name);

#define QUOTED_HELD_MAX 80 /* white space that may turn out to end a line; more of it is text */

struct decoder { /* zeroed but for `encoding` is a new one; it holds no memory */
	enum encoding encoding;
	uint32_t bits; /* base64: of the characters of a group so far */
	unsigned chars;
	bool ended;                 /* base64: the padding is past, what follows means nothing */
	char held[QUOTED_HELD_MAX]; /* quoted-printable: what cannot be judged yet */
	size_t held_len;
};

void decoder_feed(struct decoder *d, struct str bytes, struct buf *out);
void decoder_end(struct decoder *d, struct buf *out);

/* Adds text with CRLF for each LF, those that have their CR already apart. *cr starts false and is carried between
 * pieces. */
void decode_lines(struct str text, bool *cr, struct buf *out);

/* Strict base64 (RFC 4648, 4), as SASL wants it: whole groups, padded, nothing else. False: it is not; nothing added. */
bool base64_decode(struct str text, struct buf *out);

/* 0 to 15; -1: it is no hexadecimal digit. */
int decode_hex(char c);

/* On one line, padded. */
void base64_encode(struct str bytes, struct buf *out);

#endif
