/* pop3_text.h - the text of a message as RETR and TOP send it: dots stuffed, no more lines than asked for (RFC 1939, 3
 * and 7). It comes in any pieces, its lines ending in CRLF. */
#ifndef PROTOCOLS_POP3_TEXT_H
#define PROTOCOLS_POP3_TEXT_H

#include "core/buf.h"

struct pop3_text {
	bool top;          /* header, empty line, and of the body so many lines: */
	uint64_t lines;    /* ... still to come */
	bool in_body;      /* the empty line has passed */
	bool within;       /* a line has begun and not ended */
	size_t line_bytes; /* of the line so far */
	bool cut;          /* what was asked for is through, the rest is not wanted */
};

void pop3_text_add(struct pop3_text *t, struct str piece, struct buf *out);
/* The line with a dot alone; a message that does not end in a line end gets one. */
void pop3_text_end(const struct pop3_text *t, struct buf *out);

/* Whether a header, or the beginning of one, may go only to a client that said UTF8 (RFC 6856, 5): it is not ASCII, and its
 * sender declared it so, as our own Received field tells (RFC 6531, 4.3). Undeclared bytes beyond ASCII were never right;
 * they go as they came, or an old client could never have the message. */
bool pop3_needs_utf8(struct str header);

#endif
