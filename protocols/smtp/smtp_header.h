/* smtp_header.h - the header of a message while it comes in, held back until it is whole. Bytes in any pieces; where line
 * ends are mended (form.h) they are so here, too, or a field could hide behind a bare CR from whoever reads the header. */
#ifndef PROTOCOLS_SMTP_HEADER_H
#define PROTOCOLS_SMTP_HEADER_H

#include "core/buf.h"

struct smtp_header {      /* zeroed but for mend: at the first byte of the message */
	bool mend;        /* each bare CR or LF is a line end, and becomes CRLF */
	struct buf bytes; /* ours: the caller frees it */
	bool whole;       /* the blank line is in it */
	size_t line;      /* bytes of the line under way */
	bool cr;          /* the last byte was one */
};

/* How many bytes of `in` it used: all of them, or fewer when it is whole: what follows is the body. At most `max` bytes are
 * held, and one more to tell that they are too many. */
size_t smtp_header_feed(struct smtp_header *h, struct str in, size_t max);

#endif
