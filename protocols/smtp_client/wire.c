/* wire.c - see wire.h. */
#include "protocols/smtp_client/wire.h"

static void line_end(struct wire *w, struct buf *out)
{
	buf_add(out, "\r\n", 2);
	w->in_line = false;
}

void wire_feed(struct wire *w, struct str text, struct buf *out)
{
	const char *p = text.p, *end = text.p + text.len, *lf = NULL;

	if (text.len)
		buf_room(out, text.len + text.len / 32);
	while (p < end) {
		const char *cr, *stop;

		if (!lf || lf < p) { /* kept, so that many bare CRs do not each look for it */
			lf = memchr(p, '\n', (size_t)(end - p));
			lf = lf ? lf : end;
		}
		if (w->cr) { /* the one before, at the end of its piece or bare */
			line_end(w, out);
			w->cr = false;
			if (p == lf) {
				p++;
				continue;
			}
		}
		cr = memchr(p, '\r', (size_t)(lf - p));
		stop = cr ? cr : lf;
		if (stop > p) {
			if (!w->in_line && w->stuff && *p == '.')
				buf_add_char(out, '.');
			buf_add(out, p, (size_t)(stop - p));
			w->in_line = true;
		}
		if (stop == end)
			return;
		w->cr = cr != NULL;
		if (!cr)
			line_end(w, out);
		p = stop + 1;
	}
}

void wire_end(struct wire *w, struct buf *out)
{
	if (w->in_line || w->cr)
		line_end(w, out);
	w->cr = false;
	if (w->stuff)
		buf_add(out, ".\r\n", 3);
}
