/* Texts looked for in messages (storage/mail/search.h): folding, headers, bodies; whole and byte by byte. */
#include "storage/mail/search.h"
#include "t/tap.h"

static const struct {
	const char *what, *one, *other;
	bool same;
} folds[] = {
	{ "nothing", "", "", true },
	{ "letters in any case", "Hello, World!", "hELLO, wORLD!", true },
	{ "other letters do not", "a", "b", false },
	{ "an umlaut in any case", "\xc3\xbc", "\xc3\x9c", true },
	{ "one letter or letter and accent", "\xc3\xa9", "e\xcc\x81", true },
	{ "an accent is not nothing", "\xc3\xa9", "e", false },
	{ "Cyrillic", "\xd0\xbf\xd1\x80\xd0\xb8", "\xd0\x9f\xd0\xa0\xd0\x98", true },
	{ "Greek, whichever sigma", "\xcf\x83", "\xcf\x82", true },
	{ "a digraph has a title case of its own", "\xc7\x84", "\xc7\x86", true },
	{ "wide letters", "\xef\xbc\xa1", "a", true },
	{ "a ligature", "\xef\xac\x81x", "FIX", true },
	{ "a space that does not break", "a\xc2\xa0z", "a z", true },
	{ "Hangul, whole or in pieces", "\xea\xb0\x81", "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", true },
	{ "beyond the first plane", "\xf0\x90\x90\xa8", "\xf0\x90\x90\x80", true },
	{ "an ideograph is itself", "\xe4\xb8\xad", "\xe4\xb8\xad", true },
};

static void test_folds(void)
{
	for (size_t i = 0; i < sizeof(folds) / sizeof(*folds); i++) {
		struct buf one = { 0 }, other = { 0 };

		search_fold(str_of(folds[i].one), &one);
		search_fold(str_of(folds[i].other), &other);
		ok(str_eq(buf_str(&one), buf_str(&other)) == folds[i].same, "folding: %s", folds[i].what);
		buf_free(&one);
		buf_free(&other);
	}
}

/* A message with all that a body may have, in CRLF lines. */
static const char message[] =
	"Subject: =?utf-8?Q?Gr=C3=BC?=\r\n\t=?utf-8?Q?=C3=9Fe?= from Oslo\r\n"
	"From: \"Doe\\, Jane\" (her) <jane@example.test>\r\n"
	"To: crowd: a@b.test, =?iso-8859-1?Q?J=FCrgen?= <j@c.test>;\r\n"
	"X-Empty:\r\n"
	"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	"preamble\r\n"
	"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
	"First li=\r\nne, =C3=\r\n=89t=C3=A9\r\n"
	"--b\r\nContent-Type: text/plain; charset=utf-16be\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	"AHMAZQBjAG8A\r\nbgBkACAEPwRABDg=\r\n"
	"--b\r\nContent-Type: application/pdf; name=secret.pdf\r\n\r\nunseen\r\n"
	"--b\r\nContent-Type: message/rfc822\r\nContent-Description: carrier\r\n\r\n"
	"Subject: =?us-ascii?Q?inner?=\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
	"--c\r\n\r\nthird line\r\n--c\r\nContent-Type: text/html\r\nX-Part: deep\r\n\r\n<b>fourth</b> line\r\n--c--\r\n"
	"--b\r\nContent-Type: text/plain; charset=x-nobody-knows\r\n\r\nfifth \xc3\x96l\r\n"
	"--b\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n"
	"--b--\r\nepilogue\r\n";

static const struct {
	const char *what;
	enum search_in in;
	const char *name, *text;
	bool found;
} rows[] = {
	{ "a field", SEARCH_FIELD, "subject", "from oslo", true },
	{ "over encoded words and a fold", SEARCH_FIELD, "Subject",
		"GR\xc3\x9c\xc3\x9f"
		"E FROM",
		true },
	{ "not as it is encoded", SEARCH_FIELD, "Subject", "utf-8", false },
	{ "nor the field's name", SEARCH_FIELD, "Subject", "subject", false },
	{ "nor of another field", SEARCH_FIELD, "From", "oslo", false },
	{ "nor of a message within", SEARCH_FIELD, "Subject", "inner", false },
	{ "any text in a field that is there", SEARCH_FIELD, "x-empty", "", true },
	{ "a text in one that has none", SEARCH_FIELD, "x-empty", "a", false },
	{ "any text in a field that is not there", SEARCH_FIELD, "x-none", "", false },
	{ "an address as it is written", SEARCH_ADDRESSES, "From", "\"doe\\, jane\" (her", true },
	{ "and as it is meant", SEARCH_ADDRESSES, "From", "doe, jane <jane@example.test>", true },
	{ "one in a group", SEARCH_ADDRESSES, "To", "j\xc3\xbcrgen <j@c", true },
	{ "and the group", SEARCH_ADDRESSES, "To", "crowd", true },
	{ "addresses side by side", SEARCH_ADDRESSES, "To", "<a@b.test>, j\xc3\xbcrgen", true },
	{ "no field of the kind", SEARCH_ADDRESSES, "Cc", "a", false },
	{ "a body over soft line breaks", SEARCH_BODY, "", "first line, \xc3\xa9t\xc3\xa9", true },
	{ "over lines of base64 in UTF-16", SEARCH_BODY, "", "second \xd0\x9f\xd0\xa0\xd0\x98", true },
	{ "not over the end of a part", SEARCH_BODY, "", "\xc3\xa9t\xc3\xa9second", false },
	{ "what is no text", SEARCH_BODY, "", "unseen", false },
	{ "before the first part", SEARCH_BODY, "", "preamble", false },
	{ "behind the last", SEARCH_BODY, "", "epilogue", false },
	{ "a message within", SEARCH_BODY, "", "third line", true },
	{ "its HTML", SEARCH_BODY, "", "<b>fourth</b> l", true },
	{ "its header", SEARCH_BODY, "", "subject: inner", true },
	{ "a charset that nobody knows", SEARCH_BODY, "", "fifth \xc3\xb6l", true },
	{ "a report", SEARCH_BODY, "", "action: failed", true },
	{ "the header is not the body", SEARCH_BODY, "", "oslo", false },
	{ "nor is a part's", SEARCH_BODY, "", "carrier", false },
	{ "nothing is in every body", SEARCH_BODY, "", "", true },
	{ "the text has the header", SEARCH_TEXT, "", "subject: gr\xc3\xbc", true },
	{ "the parts' headers", SEARCH_TEXT, "", "carrier", true },
	{ "those within a message within", SEARCH_TEXT, "", "x-part: deep", true },
	{ "a file's name", SEARCH_TEXT, "", "secret.pdf", true },
	{ "and the body", SEARCH_TEXT, "", "fifth", true },
	{ "but not what is nowhere", SEARCH_TEXT, "", "sixth", false },
	{ "not over the end of a field", SEARCH_TEXT, "", "x-empty: content-type", false },
};
#define ROWS (sizeof(rows) / sizeof(*rows))

static void search(struct str bytes, struct search_text *texts, size_t count, size_t step)
{
	struct arena a = { 0 };
	struct mime *m = mime_new(&a, &mime_limits);
	struct search *g;

	mime_feed(m, bytes.p, bytes.len);
	g = search_new(texts, count, mime_end(m));
	search_header(texts, count, bytes);
	for (size_t at = 0; at < bytes.len; at += step)
		search_feed(g, str_cut(bytes, at, at + step < bytes.len ? at + step : bytes.len));
	search_free(g);
	arena_free(&a);
}

static void test_rows(size_t step)
{
	struct search_text texts[ROWS];
	struct buf folded[ROWS] = { 0 };

	for (size_t i = 0; i < ROWS; i++) {
		search_fold(str_of(rows[i].text), &folded[i]);
		texts[i] = (struct search_text){
			.in = rows[i].in, .name = str_of(rows[i].name), .text = buf_str(&folded[i])
		};
	}
	search(STR(message), texts, ROWS, step);
	for (size_t i = 0; i < ROWS; i++) {
		ok(texts[i].found == rows[i].found, "%zu bytes at a time: %s", step, rows[i].what);
		buf_free(&folded[i]);
	}
}

/* A text found anywhere in a long body, wherever it is cut. */
static void test_long(void)
{
	static char body[100000];
	bool all = true, none = false;

	memset(body, 'x', sizeof(body));
	memcpy(body, "A: b\r\n\r\n", 8);
	for (size_t at = 8; at + 6 <= sizeof(body); at += 997) {
		struct search_text texts[] = { { .in = SEARCH_BODY, .text = STR("NEEDLE") },
			{ .in = SEARCH_BODY, .text = STR("NEEDLES") } };

		memcpy(body + at, "needle", 6);
		search((struct str){ body, sizeof(body) }, texts, 2, 4099);
		all &= texts[0].found;
		none |= texts[1].found;
		memset(body + at, 'x', 6);
	}
	ok(all, "a text is found wherever it is in a long body");
	ok(!none, "and one that is not there is not");
}

int main(void)
{
	test_folds();
	test_rows(sizeof(message));
	test_rows(1);
	test_rows(7);
	test_long();
	return done();
}
