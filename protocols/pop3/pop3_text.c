/* pop3_text.c - see pop3_text.h. */
#include "protocols/pop3/pop3_text.h"

/* A line's end has passed: does it end the header, or is it one of TOP's lines? */
static void line_ended(struct pop3_text *t)
{
	if (t->in_body && t->lines)
		t->lines--;
	if (t->line_bytes == 2) /* CRLF alone */
		t->in_body = true;
	t->cut = t->top && t->in_body && !t->lines;
	t->within = false;
	t->line_bytes = 0;
}

void pop3_text_add(struct pop3_text *t, struct str piece, struct buf *out)
{
	while (piece.len && !t->cut) {
		const char *lf = memchr(piece.p, '\n', piece.len);
		size_t len = lf ? (size_t)(lf - piece.p) + 1 : piece.len;

		if (!t->within && piece.p[0] == '.')
			buf_add_char(out, '.');
		buf_add(out, piece.p, len);
		t->within = true;
		t->line_bytes += len;
		if (lf)
			line_ended(t);
		piece = str_cut(piece, len, piece.len);
	}
}

void pop3_text_end(const struct pop3_text *t, struct buf *out)
{
	buf_add_str(out, t->within ? STR("\r\n.\r\n") : STR(".\r\n"));
}
