/* Content transfer encodings: every row is decoded whole and byte by byte, and the answer may not differ. */
#include "storage/mail/decode.h"
#include "t/tap.h"

#define X10 "          "
#define X80 X10 X10 X10 X10 X10 X10 X10 X10

static const struct {
	enum encoding encoding;
	const char *what, *encoded, *content;
} rows[] = {
	{ ENCODING_BASE64, "three bytes are four characters", "AQID", "\x01\x02\x03" },
	{ ENCODING_BASE64, "two bytes", "YWI=", "ab" },
	{ ENCODING_BASE64, "one byte", "YQ==", "a" },
	{ ENCODING_BASE64, "nothing", "", "" },
	{ ENCODING_BASE64, "padding may be missing", "YWI", "ab" },
	{ ENCODING_BASE64, "one character alone means nothing", "YWJjZ", "abc" },
	{ ENCODING_BASE64, "line ends mean nothing", "YW\r\nJj\r\nZGVm\r\n", "abcdef" },
	{ ENCODING_BASE64, "nor does what is no base64", "Y!W\xc3J-j", "abc" },
	{ ENCODING_BASE64, "the padding is the end", "YQ==\r\nYWI=", "a" },
	{ ENCODING_BASE64, "... but only where it can stand", "=Y=WI=", "ab" },
	{ ENCODING_QUOTED, "text means itself", "plain text\r\n", "plain text\r\n" },
	{ ENCODING_QUOTED, "a byte in hexadecimal", "=C3=A9=3D", "\xc3\xa9=" },
	{ ENCODING_QUOTED, "in small letters too", "=c3=a9", "\xc3\xa9" },
	{ ENCODING_QUOTED, "a soft line break is none", "one=\r\ntwo", "onetwo" },
	{ ENCODING_QUOTED, "white space may stand before it", "one= \t\r\ntwo", "onetwo" },
	{ ENCODING_QUOTED, "... but not inside it", "one= two", "one= two" },
	{ ENCODING_QUOTED, "a bare line feed breaks too", "one=\ntwo \nthree", "onetwo\nthree" },
	{ ENCODING_QUOTED, "white space at a line's end is dropped", "one \t \r\ntwo", "one\r\ntwo" },
	{ ENCODING_QUOTED, "... and at the text's", "one  ", "one" },
	{ ENCODING_QUOTED, "... but kept within", " one \t two", " one \t two" },
	{ ENCODING_QUOTED, "encoded white space stays", "one=20\r\n", "one \r\n" },
	{ ENCODING_QUOTED, "what is no byte stays", "=ZZ =4 =4G ==41", "=ZZ =4 =4G =A" },
	{ ENCODING_QUOTED, "... at a line's end too", "=4\r\nx", "=4\r\nx" },
	{ ENCODING_QUOTED, "... and at the text's", "=4", "=4" },
	{ ENCODING_QUOTED, "an equals sign at the very end breaks nothing", "one=", "one" },
	{ ENCODING_QUOTED, "a CR alone stays", "a\rb=\rc", "a\rb=\rc" },
	{ ENCODING_QUOTED, "80 characters of white space can be dropped", "a" X80 "\n", "a\n" },
	{ ENCODING_QUOTED, "more of them are text", "a" X80 " \n", "a" X80 "\n" },
	{ ENCODING_NONE, "without an encoding the bytes are the content", "=41 \r\n", "=41 \r\n" },
	{ ENCODING_UNKNOWN, "with an unknown one too", "=41 \r\n", "=41 \r\n" },
};

static void test_decoder(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct decoder d = { .encoding = rows[i].encoding }, piecewise = d;
		struct str encoded = str_of(rows[i].encoded), content = str_of(rows[i].content);
		struct buf whole = { 0 }, pieces = { 0 };

		decoder_feed(&d, encoded, &whole);
		decoder_end(&d, &whole);
		for (size_t k = 0; k < encoded.len; k++)
			decoder_feed(&piecewise, str_cut(encoded, k, k + 1), &pieces);
		decoder_end(&piecewise, &pieces);
		if (!ok(str_eq(buf_str(&whole), content) && str_eq(buf_str(&pieces), content), "%s", rows[i].what))
			printf("# got %.*s, in pieces %.*s\n", STR_ARG(buf_str(&whole)), STR_ARG(buf_str(&pieces)));
		buf_free(&whole);
		buf_free(&pieces);
	}
}

static void test_strict(void)
{
	static const char *const wrong[] = { "YQ", "YQ=", "YQ===", "Y===", "=", "====", "YQ==YQ==", "YW I", "YWI\n",
		"YR==", "YWJ=", "Y\xc3Q=" };
	struct buf out = { 0 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		ok(!base64_decode(str_of(wrong[i]), &out) && !buf_len(&out), "strictly, %s is no base64", wrong[i]);
	ok(base64_decode(STR("AGFsaWNlAHNlY3JldA=="), &out) && buf_len(&out) == 13 &&
			!memcmp(buf_data(&out), "\0alice\0secret", 13),
		"what SASL PLAIN sends is read, NULs and all");
	buf_clear(&out);
	ok(base64_decode(STR(""), &out) && !buf_len(&out), "nothing is nothing");
	buf_free(&out);
}

/* The vectors of RFC 4648, 10, and every length of every byte. */
static void test_base64_both_ways(void)
{
	static const char *const vectors[] = { "", "", "f", "Zg==", "fo", "Zm8=", "foo", "Zm9v", "foob",
		"Zm9vYg==", "fooba", "Zm9vYmE=", "foobar", "Zm9vYmFy" };
	struct buf text = { 0 }, back = { 0 };
	char bytes[256];
	bool same = true;

	for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i += 2) {
		buf_clear(&text);
		base64_encode(str_of(vectors[i]), &text);
		ok(str_eq(buf_str(&text), str_of(vectors[i + 1])), "base64 of \"%s\"", vectors[i]);
	}
	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		buf_clear(&text);
		buf_clear(&back);
		base64_encode((struct str){ bytes, len }, &text);
		same &= base64_decode(buf_str(&text), &back) && str_eq(buf_str(&back), (struct str){ bytes, len });
	}
	ok(same, "what is encoded is decoded to the same");
	buf_free(&text);
	buf_free(&back);
}

static void test_lines(void)
{
	static const char *const texts[] = { "", "", "a", "a", "a\nb\n", "a\r\nb\r\n", "a\r\nb\n\n", "a\r\nb\r\n\r\n",
		"\n", "\r\n", "\r\r\n", "\r\r\n", "a\rb\r", "a\rb\r", "\r\n\r\n", "\r\n\r\n" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i += 2) {
		struct str text = str_of(texts[i]), want = str_of(texts[i + 1]);
		struct buf whole = { 0 }, pieces = { 0 };
		bool cr = false;

		decode_lines(text, &cr, &whole);
		cr = false;
		for (size_t at = 0; at < text.len; at++)
			decode_lines(str_cut(text, at, at + 1), &cr, &pieces);
		ok(str_eq(buf_str(&whole), want) && str_eq(buf_str(&pieces), want), "line ends of text %zu", i / 2);
		buf_free(&whole);
		buf_free(&pieces);
	}
}

static void test_names(void)
{
	ok(encoding_of(STR("BASE64")) == ENCODING_BASE64, "an encoding's name is known in any case");
	ok(encoding_of(STR("8bit")) == ENCODING_NONE, "8bit is no encoding");
	ok(encoding_of(STR("x-uuencode")) == ENCODING_UNKNOWN, "some are unknown");
}

int main(void)
{
	test_decoder();
	test_strict();
	test_base64_both_ways();
	test_lines();
	test_names();
	return done();
}
