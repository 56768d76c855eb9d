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

/* Of a whole message only dots matter: what lies between them is copied in one piece. */
static void add_whole(struct pop3_text *t, struct str piece, struct buf *out)
{
	const char *from = piece.p, *line = piece.p, *end = piece.p + piece.len;

	if (t->within)
		line = memchr(line, '\n', piece.len);
	for (; line; line = memchr(line, '\n', (size_t)(end - line))) {
		line += *line == '\n';
		if (line == end)
			break;
		if (*line != '.')
			continue;
		buf_add(out, from, (size_t)(line - from));
		buf_add_char(out, '.');
		from = line++;
	}
	buf_add(out, from, (size_t)(end - from));
	t->within = end[-1] != '\n';
}

void pop3_text_add(struct pop3_text *t, struct str piece, struct buf *out)
{
	if (piece.len)
		buf_room(out, piece.len + piece.len / 64); /* once, not by doubling; the few dots more do not matter */
	if (piece.len && !t->top) {
		add_whole(t, piece, out);
		return;
	}
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

static bool has_protocol(struct str field)
{
	struct str word;
	bool with = false;

	while ((word = str_word(&field)).len) {
		if (with && (str_starts_nocase(word, STR("UTF8SMTP")) || str_starts_nocase(word, STR("UTF8LMTP"))))
			return true;
		with = str_eq_nocase(word, STR("with"));
	}
	return false;
}

/* The first Received field, with its folded lines. */
static struct str received(struct str header)
{
	struct str left = header, line = STR_NONE;
	size_t start = 0;
	bool within = false;

	while (left.len) {
		ptrdiff_t lf = str_find(left, '\n');
		size_t len = lf < 0 ? left.len : (size_t)lf + 1;

		line = str_cut(left, 0, len);
		if (within && line.p[0] != ' ' && line.p[0] != '\t')
			break;
		if (!within && str_starts_nocase(line, STR("Received:"))) {
			within = true;
			start = header.len - left.len;
		}
		left = str_cut(left, len, left.len);
	}
	return within ? str_cut(header, start, header.len - left.len) : STR_NONE;
}

bool pop3_needs_utf8(struct str header)
{
	for (size_t i = 0; i < header.len; i++)
		if ((unsigned char)header.p[i] >= 0x80)
			return has_protocol(received(header));
	return false;
}
