/* decode.c - see decode.h. */
#include "storage/mail/decode.h"
#include <assert.h>

enum encoding encoding_of(struct str name)
{
	static const struct {
		const char *name;
		enum encoding encoding;
	} names[] = {
		{ "7bit", ENCODING_NONE },
		{ "8bit", ENCODING_NONE },
		{ "binary", ENCODING_NONE },
		{ "quoted-printable", ENCODING_QUOTED },
		{ "base64", ENCODING_BASE64 },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (str_eq_nocase(name, str_of(names[i].name)))
			return names[i].encoding;
	return ENCODING_UNKNOWN;
}

/* ---- base64 ---- */

static const char base64_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int base64_value(char c) /* -1: it is no base64 character */
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* What a group of fewer than four characters means; one alone means nothing. */
static void base64_end_group(struct decoder *d, struct buf *out)
{
	if (d->chars >= 2)
		buf_add_char(out, (char)(d->bits >> (d->chars == 2 ? 4 : 10)));
	if (d->chars == 3)
		buf_add_char(out, (char)(d->bits >> 2));
	d->chars = 0;
	d->bits = 0;
}

static void base64_feed(struct decoder *d, struct str bytes, struct buf *out)
{
	for (size_t i = 0; i < bytes.len && !d->ended; i++) {
		int value = base64_value(bytes.p[i]);

		if (value < 0) {
			d->ended = bytes.p[i] == '=' && d->chars >= 2;
			continue;
		}
		d->bits = d->bits << 6 | (uint32_t)value;
		if (++d->chars == 4) {
			char *to = buf_room(out, 3);

			to[0] = (char)(d->bits >> 16);
			to[1] = (char)(d->bits >> 8);
			to[2] = (char)d->bits;
			buf_added(out, 3);
			d->chars = 0;
			d->bits = 0;
		}
	}
}

bool base64_decode(struct str text, struct buf *out)
{
	struct decoder d = { .encoding = ENCODING_BASE64 };
	size_t before = buf_len(out), len = text.len;

	if (len % 4)
		return false;
	for (int pad = 0; pad < 2 && len && text.p[len - 1] == '='; pad++)
		len--;
	for (size_t i = 0; i < len; i++)
		if (base64_value(text.p[i]) < 0)
			return false;
	base64_feed(&d, str_cut(text, 0, len), out);
	if (d.bits & (d.chars == 2 ? 0xf : d.chars == 3 ? 0x3 : 0)) { /* bits that mean nothing must be 0 */
		buf_cut(out, before);
		return false;
	}
	base64_end_group(&d, out);
	return true;
}

void base64_encode(struct str bytes, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)bytes.p;

	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i;
		uint32_t bits = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
		                (left > 2 ? p[i + 2] : 0);
		char *to = buf_room(out, 4);

		to[0] = base64_chars[bits >> 18];
		to[1] = base64_chars[bits >> 12 & 63];
		to[2] = left > 1 ? base64_chars[bits >> 6 & 63] : '=';
		to[3] = left > 2 ? base64_chars[bits & 63] : '=';
		buf_added(out, 4);
	}
}

/* ---- quoted-printable ----
 * Held back: white space that may end a line, where it means nothing; a CR whose LF may follow; and "=" with what
 * came behind it, until it is a byte, a soft line break, or neither. */

int decode_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; /* small ones are wrong, and common */
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void release(struct decoder *d, struct buf *out)
{
	buf_add(out, d->held, d->held_len);
	d->held_len = 0;
}

static void hold(struct decoder *d, char c, struct buf *out)
{
	if (d->held_len == QUOTED_HELD_MAX)
		release(d, out);
	d->held[d->held_len++] = c;
}

/* A line end: the white space held is dropped, and after "=" the line end too (RFC 2045, 6.7, rules 3 and 5). */
static void quoted_line_end(struct decoder *d, struct buf *out)
{
	bool soft, crlf;

	if (d->held_len > 1 && d->held[0] == '=' && decode_hex(d->held[1]) >= 0)
		release(d, out); /* half a byte: no soft break either */
	soft = d->held_len && d->held[0] == '=';
	crlf = d->held_len && d->held[d->held_len - 1] == '\r';
	if (!soft && crlf)
		buf_add_char(out, '\r');
	if (!soft)
		buf_add_char(out, '\n');
	d->held_len = 0;
}

/* A character behind a held "="; false if it shows that the "=" was not meant so. */
static bool quoted_behind_equals(struct decoder *d, char c, struct buf *out)
{
	if (d->held_len == 2 && decode_hex(d->held[1]) >= 0) {
		if (decode_hex(c) < 0)
			return false;
		buf_add_char(out, (char)(decode_hex(d->held[1]) << 4 | decode_hex(c)));
		d->held_len = 0;
		return true;
	}
	if (!is_blank(c) && (d->held_len > 1 || decode_hex(c) < 0))
		return false;
	hold(d, c, out);
	return true;
}

static void quoted_feed(struct decoder *d, struct str bytes, struct buf *out)
{
	for (size_t i = 0; i < bytes.len; i++) {
		char c = bytes.p[i];
		size_t from = i;

		while (!d->held_len && i < bytes.len && !is_blank(bytes.p[i]) && bytes.p[i] != '\n' &&
			bytes.p[i] != '=')
			i++;
		if (i > from) { /* text that means itself, as far as it goes */
			buf_add(out, bytes.p + from, i - from);
			i--;
		} else if (c == '\n') {
			quoted_line_end(d, out);
		} else if (d->held_len && d->held[0] == '=' && quoted_behind_equals(d, c, out)) {
			continue;
		} else if (is_blank(c) && !(d->held_len && d->held[0] == '=')) {
			hold(d, c, out);
		} else {
			release(d, out);
			if (c == '=' || is_blank(c))
				hold(d, c, out);
			else
				buf_add_char(out, c);
		}
	}
}

/* At the end a line ends too, though nothing says so. */
static void quoted_end(struct decoder *d, struct buf *out)
{
	if (d->held_len > 1 && d->held[0] == '=' && decode_hex(d->held[1]) >= 0)
		release(d, out);
	d->held_len = 0;
}

/* ---- any of them ---- */

void decoder_feed(struct decoder *d, struct str bytes, struct buf *out)
{
	assert(d->held_len <= QUOTED_HELD_MAX && d->chars < 4);
	if (d->encoding == ENCODING_BASE64)
		base64_feed(d, bytes, out);
	else if (d->encoding == ENCODING_QUOTED)
		quoted_feed(d, bytes, out);
	else
		buf_add_str(out, bytes);
}

void decoder_end(struct decoder *d, struct buf *out)
{
	if (d->encoding == ENCODING_BASE64)
		base64_end_group(d, out);
	else if (d->encoding == ENCODING_QUOTED)
		quoted_end(d, out);
}

void decode_lines(struct str text, bool *cr, struct buf *out)
{
	while (text.len) {
		ptrdiff_t lf = str_find(text, '\n');
		size_t len = lf < 0 ? text.len : (size_t)lf;

		if (len)
			*cr = text.p[len - 1] == '\r';
		buf_add(out, text.p, len);
		if (lf >= 0) {
			buf_add_str(out, *cr ? STR("\n") : STR("\r\n"));
			*cr = false;
			len++;
		}
		text = str_cut(text, len, text.len);
	}
}
