/* Encoded words (RFC 2047) of any bytes: what comes out is UTF-8 on one line and not much longer; and any text that is
 * put into encoded words, in pieces of the first byte's size, folded, comes out as it was. */
#include "storage/mail/charset.h"
#include "storage/mail/decode.h"
#include "storage/mail/utf8.h"
#include <assert.h>

static void check_any(struct str value)
{
	struct buf text = { 0 };

	charset_words(value, &text);
	assert(utf8_valid(buf_str(&text)) && buf_len(&text) <= 12 * value.len);
	assert(str_find(buf_str(&text), '\r') < 0 && str_find(buf_str(&text), '\n') < 0 &&
		str_find(buf_str(&text), '\0') < 0);
	buf_free(&text);
}

static void add_quoted(struct str bytes, struct buf *out)
{
	for (size_t i = 0; i < bytes.len; i++)
		buf_printf(out, "=%02X", (unsigned char)bytes.p[i]);
}

/* What charset_words should make of bytes that were UTF-8. */
static void expect(struct str bytes, struct buf *out)
{
	struct buf mended = { 0 };

	charset_convert(STR("utf-8"), bytes, &mended);
	for (size_t i = 0; i < buf_len(&mended); i++)
		if (!strchr("\r\n", buf_data(&mended)[i])) /* and its NUL */
			buf_add_char(out, buf_data(&mended)[i]);
	buf_free(&mended);
}

static void check_round(struct str bytes, size_t piece, bool base64)
{
	struct buf words = { 0 }, text = { 0 }, want = { 0 };

	for (size_t at = 0; at < bytes.len; at += piece) {
		struct str part = str_cut(bytes, at, at + piece < bytes.len ? at + piece : bytes.len);

		buf_add_str(&words, base64 ? STR("=?utf-8?b?") : STR("=?UTF-8*en?Q?"));
		if (base64)
			base64_encode(part, &words);
		else
			add_quoted(part, &words);
		buf_add_str(&words, STR("?=\r\n\t"));
	}
	charset_words(buf_str(&words), &text);
	expect(bytes, &want);
	assert(str_eq(buf_str(&text), buf_str(&want)));
	buf_free(&words);
	buf_free(&text);
	buf_free(&want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = { (const char *)data + 1, size ? size - 1 : 0 };

	if (!size)
		return 0;
	check_any(bytes);
	check_round(bytes, data[0] ? data[0] : 1, true);
	check_round(bytes, data[0] ? data[0] : 1, false);
	return 0;
}
