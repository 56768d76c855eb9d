/* Transfer encodings of any bytes, as BINARY undoes them: whole and in pieces, with line ends made CRLF, and counted
 * before they are sent; and base64 there and back. The first byte is the size of the pieces. */
#include "storage/mail/decode.h"
#include <assert.h>

static void decode(enum encoding encoding, struct str bytes, size_t piece, struct buf *raw, struct buf *lines)
{
	struct decoder d = { .encoding = encoding };
	struct buf part = { 0 };
	bool cr = false;

	for (size_t at = 0; at <= bytes.len; at += piece) {
		buf_clear(&part);
		if (at + piece <= bytes.len) {
			decoder_feed(&d, str_cut(bytes, at, at + piece), &part);
		} else {
			decoder_feed(&d, str_cut(bytes, at, bytes.len), &part);
			decoder_end(&d, &part);
		}
		buf_add_str(raw, buf_str(&part));
		decode_lines(buf_str(&part), &cr, lines);
	}
	buf_free(&part);
}

static void check_lines(struct str raw, struct str lines)
{
	struct buf again = { 0 };
	size_t at = 0;
	bool cr = false;

	for (size_t i = 0; i < lines.len; i++) {
		assert(lines.p[i] != '\n' || (i && lines.p[i - 1] == '\r'));
		if (at < raw.len && lines.p[i] == raw.p[at])
			at++;
		else
			assert(lines.p[i] == '\r' && at < raw.len && raw.p[at] == '\n');
	}
	assert(at == raw.len);
	decode_lines(lines, &cr, &again);
	assert(str_eq(buf_str(&again), lines));
	buf_free(&again);
}

static void check_base64(struct str bytes)
{
	struct buf text = { 0 }, strict = { 0 }, raw = { 0 }, lines = { 0 };

	base64_encode(bytes, &text);
	assert(base64_decode(buf_str(&text), &strict) && str_eq(buf_str(&strict), bytes));
	buf_clear(&strict);
	if (base64_decode(bytes, &strict)) { /* then who reads generously reads the same */
		decode(ENCODING_BASE64, bytes, bytes.len + 1, &raw, &lines);
		assert(str_eq(buf_str(&raw), buf_str(&strict)));
	}
	buf_free(&text);
	buf_free(&strict);
	buf_free(&raw);
	buf_free(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = { (const char *)data + 1, size ? size - 1 : 0 };

	if (!size)
		return 0;
	for (enum encoding e = ENCODING_NONE; e <= ENCODING_UNKNOWN; e++) {
		struct buf whole = { 0 }, whole_lines = { 0 }, pieces = { 0 }, pieces_lines = { 0 };

		decode(e, bytes, bytes.len + 1, &whole, &whole_lines);
		decode(e, bytes, data[0] ? data[0] : 1, &pieces, &pieces_lines);
		assert(str_eq(buf_str(&whole), buf_str(&pieces)) && buf_len(&whole) <= bytes.len);
		assert(str_eq(buf_str(&whole_lines), buf_str(&pieces_lines)));
		check_lines(buf_str(&whole), buf_str(&whole_lines));
		buf_free(&whole);
		buf_free(&whole_lines);
		buf_free(&pieces);
		buf_free(&pieces_lines);
	}
	check_base64(bytes);
	return 0;
}
