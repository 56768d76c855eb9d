/* Parts of any bytes become base64, however the message is cut, and everything else stays. */
#include "storage/mail/recode.h"
#include "storage/mail/decode.h"
#include "storage/mail/mime.h"
#include "t/tap.h"

#define BINARY "Content-Transfer-Encoding: binary\r\n"
#define BASE64 "Content-Transfer-Encoding: base64\r\n"
#define EIGHT  "Content-Transfer-Encoding: 8bit\r\n"
#define MIXED  "Content-Type: multipart/mixed; boundary=b\r\n"
#define NESTED "Content-Type: message/rfc822\r\n"

#define TEXT(literal)                                                                                                  \
	{                                                                                                              \
		literal, sizeof(literal) - 1                                                                           \
	}

static const struct {
	const char *what;
	struct str in, out;
} rows[] = {
	{ "a message of lines stays", TEXT("Subject: a\r\n\r\ntext\r\n"), TEXT("Subject: a\r\n\r\ntext\r\n") },
	{ "a binary one is encoded", TEXT("A: b\r\n" BINARY "C: d\r\n\r\n\0\r\n\xff"),
		TEXT("A: b\r\n" BASE64 "C: d\r\n\r\nAA0K/w==") },
	{ "a comment before the colon makes it no field",
		TEXT("content-transfer-encoding (x) :\r\n\tBinary (all of it)\r\n\r\n\0"),
		TEXT("content-transfer-encoding (x) :\r\n\tBinary (all of it)\r\n\r\n\0") },
	{ "in any case of letters, with a comment and folded",
		TEXT("content-transfer-encoding :\r\n\tBinary (all of it)\r\n\r\n\0"), TEXT(BASE64 "\r\nAA==") },
	{ "an empty one too", TEXT(BINARY "\r\n"), TEXT(BASE64 "\r\n") },
	{ "a header alone stays", TEXT(BINARY "A: b"), TEXT(BINARY "A: b") },
	{ "57 bytes are a line, and no line end is added to it",
		TEXT(BINARY "\r\n012345678901234567890123456789012345678901234567890123456"),
		TEXT(BASE64 "\r\nMDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2") },
	{ "the next goes into another", TEXT(BINARY "\r\n0123456789012345678901234567890123456789012345678901234567"),
		TEXT(BASE64
			"\r\nMDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\r\nNw==") },
	{ "a part alone is encoded, and the CRLF before a delimiter is not of it",
		TEXT(MIXED BINARY "\r\n--b\r\n\r\ntext\r\n--b\r\n" BINARY "\r\n\r\n\r\r\n--b--\r\nend\r\n"),
		TEXT(MIXED EIGHT "\r\n--b\r\n\r\ntext\r\n--b\r\n" BASE64 "\r\nDQoN\r\n--b--\r\nend\r\n") },
	{ "an LF alone ends no line of content", TEXT(MIXED "\r\n--b\r\n" BINARY "\r\na\n--b\r\n--b--"),
		TEXT(MIXED "\r\n--b\r\n" BASE64 "\r\nYQotLWI=\r\n--b--") },
	{ "nor does a CR", TEXT(MIXED "\r\n--b\r\n" BINARY "\r\na\r--b\r\r\n--b--"),
		TEXT(MIXED "\r\n--b\r\n" BASE64 "\r\nYQ0tLWIN\r\n--b--") },
	{ "what only begins like a delimiter is content", TEXT(MIXED "\r\n--b\r\n" BINARY "\r\n--a\r\n-\r\n--b--"),
		TEXT(MIXED "\r\n--b\r\n" BASE64 "\r\nLS1hDQot\r\n--b--") },
	{ "the outer delimiter ends what is within",
		TEXT(MIXED "\r\n--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n--c\r\n" BINARY
			   "\r\n\0\r\n--b\r\n\r\n.\r\n--c\r\n"),
		TEXT(MIXED "\r\n--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n--c\r\n" BASE64
			   "\r\nAA==\r\n--b\r\n\r\n.\r\n--c\r\n") },
	{ "a message within has its parts encoded",
		TEXT(MIXED "\r\n--b\r\n" NESTED BINARY "\r\nA: b\r\n" BINARY "\r\n\0\r\n--b--"),
		TEXT(MIXED "\r\n--b\r\n" NESTED EIGHT "\r\nA: b\r\n" BASE64 "\r\nAA==\r\n--b--") },
	{ "in a digest parts are messages",
		TEXT("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n" BINARY "\r\n\0\r\n--b--"),
		TEXT("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n" BASE64 "\r\nAA==\r\n--b--") },
	{ "a part cut short in its header stays", TEXT(MIXED "\r\n--b\r\n" BINARY "--b\r\n" BINARY "\r\nx"),
		TEXT(MIXED "\r\n--b\r\n" BINARY "--b\r\n" BASE64 "\r\neA==") },
	{ "a multipart without a boundary stays", TEXT("Content-Type: multipart/mixed\r\n" BINARY "\r\n\0"),
		TEXT("Content-Type: multipart/mixed\r\n" BINARY "\r\n\0") },
};

static void recode(struct str in, size_t step, struct buf *out)
{
	struct recode *r = recode_new();

	for (size_t at = 0; at < in.len; at += step)
		recode_feed(r, str_cut(in, at, in.len - at < step ? in.len : at + step), out);
	recode_end(r, out);
	recode_free(r);
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool same = true;

		for (size_t step = 1; step <= rows[i].in.len; step++) {
			struct buf out = { 0 };

			recode(rows[i].in, step, &out);
			same &= str_eq(buf_str(&out), rows[i].out);
			buf_free(&out);
		}
		ok(same, "%s, however it is cut", rows[i].what);
	}
}

/* So many multiparts one in the other, and in the innermost a binary part. */
static void nest(struct buf *in, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		buf_printf(in, "Content-Type: multipart/mixed; boundary=\"%03u.\"\r\n\r\n--%03u.\r\n", i, i);
	buf_printf(in, BINARY "\r\n\r\r");
}

static void test_limits(void)
{
	struct buf in = { 0 }, out = { 0 };
	struct str long_header;

	nest(&in, 49);
	recode(buf_str(&in), buf_len(&in), &out);
	ok(memmem(buf_data(&out), buf_len(&out), BASE64 "\r\nDQ0=", 40), "parts of 50 levels are looked at");
	buf_clear(&in);
	buf_clear(&out);
	nest(&in, 60);
	recode(buf_str(&in), buf_len(&in), &out);
	ok(str_eq(buf_str(&in), buf_str(&out)), "what is deeper stays as it is");
	buf_clear(&in);
	buf_clear(&out);
	buf_printf(&in, BINARY "X: ");
	memset(buf_room(&in, 200000), 'x', 200000);
	buf_added(&in, 200000);
	buf_printf(&in, "\r\n\r\n\r");
	long_header = buf_str(&in);
	recode(long_header, 4096, &out);
	ok(str_eq(long_header, buf_str(&out)), "so does what has a header that is too long");
	buf_clear(&in);
	buf_clear(&out);
	buf_printf(&in, MIXED "\r\n");
	for (unsigned i = 0; i < 1200; i++)
		buf_printf(&in, "--b\r\n" BINARY "\r\n%u\r\n", i);
	recode(buf_str(&in), 1000, &out);
	ok(memmem(buf_data(&out), buf_len(&out), "\r\nOTk3\r\n--b\r\n", 13) &&
			!memmem(buf_data(&out), buf_len(&out), "\r\nOTk5\r\n--b\r\n", 13),
		"beyond a thousand parts all is the last one's");
	recode_free(NULL);
	buf_free(&in);
	buf_free(&out);
}

/* All byte values many times over, with line ends in every place, come back from the encoded part. */
static void test_round_trip(void)
{
	struct buf in = { 0 }, content = { 0 }, out = { 0 }, back = { 0 };
	struct decoder d = { .encoding = ENCODING_BASE64 };
	struct arena a = { 0 };
	struct mime *m = mime_new(&a, &mime_limits);
	const struct mime_part *root;

	for (unsigned i = 0; i < 300000; i++)
		buf_add_char(&content, i % 7 == 0 ? '\r' : i % 11 == 0 ? '\n' : (char)(i * 2654435761u >> 13));
	buf_printf(&in, MIXED "\r\n--b\r\n" BINARY "\r\n");
	buf_add_str(&in, buf_str(&content));
	buf_printf(&in, "\r\n--b--\r\n");
	recode(buf_str(&in), 1000, &out);
	mime_feed(m, buf_data(&out), buf_len(&out));
	root = mime_end(m);
	decoder_feed(&d, str_cut(buf_str(&out), root->first->body_start, root->first->body_end), &back);
	decoder_end(&d, &back);
	ok(str_eq(buf_str(&content), buf_str(&back)), "any bytes come back from what they were encoded to");
	arena_free(&a);
	buf_free(&in);
	buf_free(&content);
	buf_free(&out);
	buf_free(&back);
}

int main(void)
{
	test_rows();
	test_limits();
	test_round_trip();
	return done();
}
