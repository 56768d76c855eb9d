/* smtp_header.c - see smtp_header.h. */
#include "protocols/smtp/smtp_header.h"

static void add_byte(struct smtp_header *h, char c)
{
	bool after_cr = h->cr, end = c == '\n' || (h->mend && c == '\r');
	bool blank = !h->line || (h->line == 1 && after_cr && !h->mend);

	h->cr = c == '\r';
	if (h->mend && after_cr && c == '\n')
		return; /* the CR was a line end already */
	if (end && h->mend)
		buf_add(&h->bytes, "\r\n", 2);
	else
		buf_add_char(&h->bytes, c);
	h->line = end ? 0 : h->line + 1;
	h->whole = end && blank;
}

size_t smtp_header_feed(struct smtp_header *h, struct str in, size_t max)
{
	size_t at = 0;

	while (at < in.len && !h->whole && buf_len(&h->bytes) <= max)
		add_byte(h, in.p[at++]);
	/* The LF of the CRLF that ended it is no line of the body; it may be the next piece's first byte. */
	if (h->whole && h->mend && h->cr && at < in.len) {
		at += in.p[at] == '\n';
		h->cr = false;
	}
	return at;
}
