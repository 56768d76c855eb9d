/* The text of a message as POP3 sends it: dots stuffed, tops cut (RFC 1939, 3 and 7), for whom its header is (RFC 6856);
 * and our own words in other languages. */
#include "protocols/pop3/pop3_text.h"
#include "protocols/pop3/pop3_words.h"
#include "t/tap.h"
#include <stdlib.h>

#define ALL UINT64_MAX /* RETR, else TOP with so many lines */

static const struct {
	const char *what, *text;
	uint64_t lines;
	const char *sent;
} rows[] = {
	{ "a message and the line that ends it", "A: b\r\n\r\nc\r\n", ALL, "A: b\r\n\r\nc\r\n.\r\n" },
	{ "a message of no bytes", "", ALL, ".\r\n" },
	{ "one without a line end gets it", "a", ALL, "a\r\n.\r\n" },
	{ "a dot at the start of a line gets another", ".\r\n..\r\na.b\r\n.c", ALL,
		"..\r\n...\r\na.b\r\n..c\r\n.\r\n" },
	{ "a top of no lines is the header and the empty line", "A: b\r\n\r\nc\r\nd\r\n", 0, "A: b\r\n\r\n.\r\n" },
	{ "a top of one", "A: b\r\n\r\nc\r\nd\r\n", 1, "A: b\r\n\r\nc\r\n.\r\n" },
	{ "empty lines of the body count", "A: b\r\n\r\n\r\nc\r\n", 1, "A: b\r\n\r\n\r\n.\r\n" },
	{ "more lines than there are", "A: b\r\n\r\nc\r\n", 9, "A: b\r\n\r\nc\r\n.\r\n" },
	{ "a last line without its end is one", "A: b\r\n\r\nc", 1, "A: b\r\n\r\nc\r\n.\r\n" },
	{ "all is header", "A: b\r\nC: d\r\n", 0, "A: b\r\nC: d\r\n.\r\n" },
	{ "nothing is header", "\r\na\r\nb\r\n", 1, "\r\na\r\n.\r\n" },
	{ "a top is stuffed too", ".A: b\r\n\r\n.c\r\n.d\r\n", 1, "..A: b\r\n\r\n..c\r\n.\r\n" },
};

/* In pieces of `step` bytes. */
static bool sends(const char *text, uint64_t lines, size_t step, const char *sent)
{
	struct pop3_text t = { .top = lines != ALL, .lines = lines == ALL ? 0 : lines };
	struct str left = str_of(text);
	struct buf out = { 0 };
	bool same;

	while (left.len) {
		size_t len = step < left.len ? step : left.len;

		pop3_text_add(&t, str_cut(left, 0, len), &out);
		left = str_cut(left, len, left.len);
	}
	pop3_text_end(&t, &out);
	same = str_eq(buf_str(&out), str_of(sent));
	buf_free(&out);
	return same;
}

static const struct {
	const char *what, *header;
	bool needs;
} headers[] = {
	{ "no header", "", false },
	{ "ASCII, whatever it came by", "Received: from a by b with UTF8SMTPS id 1\r\nA: b\r\n", false },
	{ "UTF-8 that came with SMTPUTF8", "Received: from a by b with UTF8SMTP id 1\r\nA: \xc3\xbc\r\n", true },
	{ "with TLS and AUTH", "Received: from a by b with UTF8SMTPSA id 1\r\nA: \xc3\xbc\r\n", true },
	{ "or by LMTP, folded", "A: \xc3\xbc\r\nreceived: from a\r\n\tby b with utf8lmtp\r\n", true },
	{ "on a folded line", "Received: from a\r\n\tby b\r\n with UTF8SMTP\r\nA: \xc3\xbc", true },
	{ "undeclared bytes", "Received: from a by b with ESMTP id 1\r\nA: \xfc\r\n", false },
	{ "without a trace", "A: \xc3\xbc with UTF8SMTP\r\n", false },
	{ "an older trace counts for nothing",
		"Received: by b with ESMTP\r\nReceived: by c with UTF8SMTP\r\nA: \xc3\xbc\r\n", false },
	{ "a field behind the trace is none of it", "Received: by b\r\nA: \xc3\xbc with UTF8SMTP\r\n", false },
	{ "a trace that breaks off", "A: \xc3\xbc\r\nReceived: by b with", false },
	{ "a name that only begins so", "Received: by with UTF8SMT\r\nA: \xc3\xbc\r\n", false },
};

static void test_needs_utf8(void)
{
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		size_t len = strlen(headers[i].header);
		char *exact = malloc(len + !len); /* so that a sanitizer sees a byte too far */

		memcpy(exact, headers[i].header, len);
		ok(pop3_needs_utf8((struct str){ exact, len }) == headers[i].needs,
			"a header that is for UTF8 alone: %s", headers[i].what);
		free(exact);
	}
}

/* The conversions of a format, in order. */
static void conversions(const char *format, struct buf *out)
{
	for (const char *c = strchr(format, '%'); c; c = strchr(c, '%')) {
		size_t len = strcspn(c + 1, "diouxXcsp%") + 2;

		buf_add(out, c, len);
		c += len;
	}
}

static void test_languages(void)
{
	static const struct {
		const char *tag, *found;
	} tags[] = {
		{ "en", "en" },
		{ "DE", "de" },
		{ "de-AT-1996", "de" },
		{ "*", "en" },
		{ "i-default", "en" },
		{ "d", NULL },
		{ "deu", NULL },
		{ "-de", NULL },
		{ "-", NULL },
		{ "", NULL },
		{ "x-de", NULL },
	};

	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++) {
		const struct pop3_language *l = pop3_language(str_of(tags[i].tag));

		ok(tags[i].found ? l && !strcmp(l->tag, tags[i].found) : !l, "the language '%s' is %s", tags[i].tag,
			tags[i].found ? tags[i].found : "not spoken");
	}
	for (const struct pop3_language *l = pop3_languages; l->tag; l++) {
		bool same = true;

		for (const struct pop3_words *w = l->words; w && w->english; w++) {
			struct buf english = { 0 }, other = { 0 };

			conversions(w->english, &english);
			conversions(w->other, &other);
			same &= str_eq(buf_str(&english), buf_str(&other)) && !strcmp(pop3_in(l, w->english), w->other);
			same &= (w->english[0] == '[') == (w->other[0] == '[');
			if (w->english[0] == '[')
				same &= !strncmp(w->english, w->other, strcspn(w->english, "]") + 1);
			buf_free(&english);
			buf_free(&other);
		}
		ok(same, "%s takes the same arguments and has the same response codes", l->name);
	}
	ok(!strcmp(pop3_in(pop3_language(STR("de")), "no such words"), "no such words"),
		"what has no other words stays");
}

int main(void)
{
	test_needs_utf8();
	test_languages();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool same = true;

		for (size_t step = 1; step <= strlen(rows[i].text) + 1; step++)
			same &= sends(rows[i].text, rows[i].lines, step, rows[i].sent);
		ok(same, "%s, however it is cut", rows[i].what);
	}
	return done();
}
