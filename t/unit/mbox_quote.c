/* Quoting what another program wrote: lines that begin with "From ", in whatever pieces they come. */
#include "storage/mailbox/mbox_quote.h"
#include "t/tap.h"
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *what, *in, *out;
} rows[] = {
	{ "nothing stays nothing", "", "" },
	{ "text stays as it is", "a\nb\n\nc", "a\nb\n\nc" },
	{ "the first line", "From a\n", ">From a\n" },
	{ "any line", "a\nFrom b\nFrom c\n\nFrom ", "a\n>From b\n>From c\n\n>From " },
	{ "not what stands within a line", "a From b\n From c\n", "a From b\n From c\n" },
	{ "nor what is quoted already", ">From a\n>>From b\n", ">From a\n>>From b\n" },
	{ "nor what is like it", "from a\nFrom\nFro\nFFrom b\nFromage\nF", "from a\nFrom\nFro\nFFrom b\nFromage\nF" },
	{ "CRLF is a line end, too", "a\r\nFrom b\r\n", "a\r\n>From b\r\n" },
};

static bool is_quoted(const char *in, const char *out, size_t piece)
{
	struct mbox_quoting q = { 0 };
	struct buf got = { 0 };
	size_t len = strlen(in);
	bool same;

	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		char *copy = memcpy(malloc(n), in + at, n);

		mbox_quote(&q, (struct str){ copy, n }, &got);
		free(copy);
	}
	mbox_quote_end(&q, &got);
	same = str_eq(buf_str(&got), str_of(out)) && q.added == strlen(out) - len;
	buf_free(&got);
	return same;
}

int main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool good = true;

		for (size_t piece = 1; piece < 16; piece++)
			good &= is_quoted(rows[i].in, rows[i].out, piece);
		ok(good, "%s", rows[i].what);
	}
	ok(mbox_prefix_is_ours(STR("From a\nX-UID: 1\nX-Postern: clock=a\n")), "a prefix of ours");
	ok(!mbox_prefix_is_ours(STR("From a\nX-UID: 1\n")) && !mbox_prefix_is_ours(STR("From a\n")), "others'");
	return done();
}
