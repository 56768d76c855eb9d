/* What another host says: a reply, what it offers, how it is told on; whole and in pieces. */
#include "protocols/smtp_client/extensions.h"
#include <assert.h>

static void look(const struct reply *r)
{
	struct str left = r->lines, text;
	struct buf words = { 0 };
	struct extensions e;
	unsigned lines = 0;

	assert(r->code >= 200 && r->code <= 599 && r->lines.len <= REPLY_MAX);
	while (reply_line(&left, &text))
		lines++;
	assert(lines && lines <= REPLY_LINES_MAX && !left.len);
	assert(!r->status.len || r->status.p[0] == (char)('0' + reply_class(r)));
	extensions_read(r, &e);
	reply_words(r, &words);
	assert(buf_len(&words) <= REPLY_WORDS_MAX);
	for (size_t i = 0; i < buf_len(&words); i++)
		assert((unsigned char)buf_data(&words)[i] >= ' ' || buf_data(&words)[i] == '\n');
	buf_free(&words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data, size };
	struct buf clean = { 0 };
	struct reply r, part;
	ptrdiff_t used;

	reply_clean(in, &clean);
	assert(buf_len(&clean) <= REPLY_WORDS_MAX);
	buf_free(&clean);
	while ((used = reply_parse(in, &r)) > 0) {
		for (size_t len = 0; len < (size_t)used && len < 300; len++)
			assert(!reply_parse(str_cut(in, 0, len), &part));
		look(&r);
		in = str_cut(in, (size_t)used, in.len);
	}
	return 0;
}
