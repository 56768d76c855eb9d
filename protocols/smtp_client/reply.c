/* reply.c - see reply.h. */
#include "protocols/smtp_client/reply.h"

#define CODE_DIGITS      3
#define STATUS_DIGITS    3 /* of subject and of detail (RFC 3463, 2) */
#define STATUS_BYTES_MAX 9

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "550-text" or "250 text", or the code alone. Answers the code, 0: it is none. */
static unsigned read_code(struct str line, bool *last)
{
	unsigned code = 0;

	if (line.len < CODE_DIGITS || line.p[0] < '2' || line.p[0] > '5')
		return 0;
	for (size_t i = 0; i < CODE_DIGITS; i++) {
		if (!is_digit(line.p[i]))
			return 0;
		code = code * 10 + (unsigned)(line.p[i] - '0');
	}
	*last = line.len == CODE_DIGITS || line.p[CODE_DIGITS] == ' ';
	return *last || line.p[CODE_DIGITS] == '-' ? code : 0;
}

static struct str digits(struct str *left)
{
	size_t len = 0;
	struct str text;

	while (len < left->len && len < STATUS_DIGITS && is_digit(left->p[len]))
		len++;
	text = str_cut(*left, 0, len);
	*left = str_cut(*left, len, left->len);
	return text;
}

/* class "." subject "." detail, then a space or the end (RFC 2034, 4). */
static struct str read_status(struct str text, unsigned code)
{
	struct str left = text;
	size_t len;

	if (left.len < 2 || left.p[0] != (char)('0' + code / 100) || left.p[1] != '.')
		return STR_NONE;
	left = str_cut(left, 2, left.len);
	if (!digits(&left).len || !left.len || left.p[0] != '.')
		return STR_NONE;
	left = str_cut(left, 1, left.len);
	if (!digits(&left).len || (left.len && left.p[0] != ' '))
		return STR_NONE;
	len = text.len - left.len;
	return len <= STATUS_BYTES_MAX ? str_cut(text, 0, len) : STR_NONE;
}

/* Takes a line with its end off the front of *left; false: it is not whole. */
static bool take_line(struct str *left, struct str *line)
{
	ptrdiff_t lf = str_find(*left, '\n');

	if (lf < 0)
		return false;
	*line = str_cut(*left, 0, (size_t)lf);
	if (line->len && line->p[line->len - 1] == '\r')
		line->len--;
	*left = str_cut(*left, (size_t)lf + 1, left->len);
	return true;
}

ptrdiff_t reply_parse(struct str bytes, struct reply *r)
{
	struct str left = bytes, line;
	bool last = false;

	*r = (struct reply){ 0 };
	for (unsigned count = 0; !last; count++) {
		struct str before = left;
		unsigned code;

		if (count == REPLY_LINES_MAX)
			return -1;
		if (!take_line(&left, &line))
			return left.len >= REPLY_LINE_MAX || bytes.len >= REPLY_MAX ? -1 : 0;
		if (before.len - left.len > REPLY_LINE_MAX || bytes.len - left.len > REPLY_MAX)
			return -1;
		code = read_code(line, &last);
		if (!code || (count && code != r->code))
			return -1;
		r->code = code;
		if (!count && line.len > CODE_DIGITS)
			r->status = read_status(str_cut(line, CODE_DIGITS + 1, line.len), code);
	}
	r->lines = str_cut(bytes, 0, bytes.len - left.len);
	return (ptrdiff_t)r->lines.len;
}

bool reply_line(struct str *left, struct str *text)
{
	if (!take_line(left, text))
		return false;
	*text = text->len > CODE_DIGITS ? str_cut(*text, CODE_DIGITS + 1, text->len) : STR_NONE;
	return true;
}

void reply_clean(struct str bytes, struct buf *out)
{
	struct str left = bytes;
	size_t before = buf_len(out);

	left = str_trim(left);
	for (size_t i = 0; i < left.len && buf_len(out) - before < REPLY_WORDS_MAX; i++) {
		unsigned char c = (unsigned char)left.p[i];

		if (c == '\r' && i + 1 < left.len && left.p[i + 1] == '\n')
			continue;
		buf_add_char(out, c == '\n' || (c >= ' ' && c != 0x7f) ? (char)c : '?');
	}
}

void reply_words(const struct reply *r, struct buf *out)
{
	reply_clean(r->lines, out);
}
