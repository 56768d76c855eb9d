/* wire.h - content as it goes to another host: lines that end in CRLF and nothing else, dots stuffed for DATA.
 * Takes bytes in any pieces; the result does not depend on how they were cut. Whatever is fed, no CR and no LF leaves but as
 * CRLF: a bare one of either becomes a line end, so nobody who takes one for an end of line or of content sees another
 * message than we do (RFC 5321, 2.3.8). */
#ifndef PROTOCOLS_SMTP_CLIENT_WIRE_H
#define PROTOCOLS_SMTP_CLIENT_WIRE_H

#include "core/buf.h"

struct wire {       /* zeroed but for stuff: at the first byte */
	bool stuff; /* a dot before each line that begins with one (RFC 5321, 4.5.2) */
	bool in_line, cr;
};

void wire_feed(struct wire *w, struct str text, struct buf *out);
/* Ends the last line if it is not; with dots adds the line that ends DATA. */
void wire_end(struct wire *w, struct buf *out);

#endif
