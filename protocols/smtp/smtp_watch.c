/* smtp_watch.c - see smtp_watch.h. */
#include "protocols/smtp/smtp_watch.h"

/* A field's value, if the line begins one of that name. */
static bool field(struct str line, struct str name, struct str *value)
{
	if (!str_starts_nocase(line, name))
		return false;
	*value = str_trim(str_cut(line, name.len, line.len));
	if (!value->len || value->p[0] != ':')
		return false;
	*value = str_trim(str_cut(*value, 1, value->len));
	return true;
}

/* True: the header is over. */
static bool end_header_line(struct smtp_watch *w)
{
	struct str line = { w->head, w->len < sizeof(w->head) ? w->len : sizeof(w->head) }, value;

	if (!line.len) {
		w->in_body = true;
	} else if (field(line, STR("Received"), &value)) {
		w->received++;
	} else if (field(line, STR("Delivered-To"), &value) && w->delivered_count < SMTP_WATCH_DELIVERED) {
		w->delivered_count++;
		buf_add_str(&w->delivered, value);
		buf_add_char(&w->delivered, '\0');
	} else if (!buf_len(&w->message_id) && field(line, STR("Message-ID"), &value)) {
		if (value.len > 2 && value.p[0] == '<' && value.p[value.len - 1] == '>')
			buf_add_str(&w->message_id, str_cut(value, 1, value.len - 1));
	}
	return w->in_body;
}

/* Bytes before the next line end of the piece. *lf is its next LF, or its end: kept, so that many bare CRs do not each
 * look for it. */
static size_t text_size(struct str piece, const char **lf)
{
	const char *cr;

	if (*lf < piece.p) {
		*lf = memchr(piece.p, '\n', piece.len);
		if (!*lf)
			*lf = piece.p + piece.len;
	}
	cr = memchr(piece.p, '\r', (size_t)(*lf - piece.p));
	return (size_t)((cr ? cr : *lf) - piece.p);
}

/* Eight bytes at a time: it is every message's every byte. */
static bool beyond_ascii(struct str text)
{
	uint64_t all = 0, eight;
	size_t i = 0;

	for (; text.len - i >= sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, text.p + i, sizeof(eight));
		all |= eight;
	}
	for (; i < text.len; i++)
		all |= (unsigned char)text.p[i];
	return all & 0x8080808080808080u;
}

void smtp_watch_feed(struct smtp_watch *w, struct str piece)
{
	const char *lf = NULL;

	if (w->in_body && !w->beyond_ascii)
		w->beyond_ascii = beyond_ascii(piece);
	while (piece.len) {
		size_t len = text_size(piece, &lf), room;

		if (w->cr && !len && piece.p[0] == '\n') { /* the end of a CRLF */
			w->cr = false;
			piece = str_cut(piece, 1, piece.len);
			continue;
		}
		room = w->in_body || w->len >= sizeof(w->head) ? 0 : sizeof(w->head) - w->len;
		if (room)
			memcpy(w->head + w->len, piece.p, len < room ? len : room);
		if (!w->in_body && beyond_ascii(str_cut(piece, 0, len)))
			w->header_beyond_ascii = w->beyond_ascii = true;
		w->len += len;
		w->longest = w->len > w->longest ? w->len : w->longest;
		w->cr = len < piece.len && piece.p[len] == '\r';
		if (len < piece.len) {
			if (!w->in_body && end_header_line(w) && !w->beyond_ascii)
				w->beyond_ascii = beyond_ascii(str_cut(piece, len, piece.len));
			w->len = 0;
			len++;
		}
		piece = str_cut(piece, len, piece.len);
	}
}

bool smtp_watch_delivered(const struct smtp_watch *w, struct str address)
{
	struct str left = buf_str(&w->delivered);

	while (left.len) {
		struct str one = str_of(left.p);

		if (str_eq_nocase(one, address))
			return true;
		left = str_cut(left, one.len + 1, left.len);
	}
	return false;
}

void smtp_watch_free(struct smtp_watch *w)
{
	buf_free(&w->delivered);
	buf_free(&w->message_id);
	*w = (struct smtp_watch){ 0 };
}
