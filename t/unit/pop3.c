/* The text of a message as POP3 sends it: dots stuffed, tops cut (RFC 1939, 3 and 7). */
#include "protocols/pop3/pop3_text.h"
#include "t/tap.h"

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

int main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool same = true;

		for (size_t step = 1; step <= strlen(rows[i].text) + 1; step++)
			same &= sends(rows[i].text, rows[i].lines, step, rows[i].sent);
		ok(same, "%s, however it is cut", rows[i].what);
	}
	return done();
}
