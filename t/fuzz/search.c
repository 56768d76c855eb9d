/* SEARCH over any message: the first byte is the size of the pieces, the first line what is looked for, the rest the
 * message. Pieces make no difference, in the end everything is decided, and what was decided before stays so. */
#include "protocols/imap/imap_search_key.h"
#include "storage/mail/header.h"
#include <assert.h>

static uint64_t bits_of(const void *user, struct str word)
{
	(void)user;
	return word.len & 7;
}

static enum truth run(struct search_program *p, const struct mime_part *root, struct str text, size_t piece)
{
	static const struct message m = {
		.uid = 7, .flags = FLAG_SEEN, .keywords = 2, .date = 800000000, .wire = 5000
	};
	struct search_subject subject = { .seq = 3, .recent = true, .message = &m };
	enum truth first, second, last;
	struct search *g;

	search_begin(p, &subject);
	first = search_fits(p, &subject);
	search_see_header(p, &subject, str_cut(text, 0, header_size(text)));
	second = search_fits(p, &subject);
	assert(first == MAYBE || second == first);
	g = search_new(p->texts, p->text_count, root);
	for (size_t at = 0; at < text.len; at += piece) {
		enum truth now;

		search_feed(g, str_cut(text, at, at + piece < text.len ? at + piece : text.len));
		now = search_fits(p, &subject);
		assert(second == MAYBE || now == second);
		second = now;
	}
	search_free(g);
	subject.read = ALL_READ;
	last = search_fits(p, &subject);
	assert(last != MAYBE && (second == MAYBE || last == second));
	return last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data + 1, size ? size - 1 : 0 }, text;
	ptrdiff_t lf = str_find(in, '\n');
	struct arena arena = { 0 };
	struct search_program p;
	struct args a;

	if (lf < 0)
		return 0;
	text = str_cut(in, (size_t)lf + 1, in.len);
	a = (struct args){ str_cut(in, 0, (size_t)lf), &arena, false };
	if (search_compile(&a, STR("utf-8"), &p)) {
		struct mime *m = mime_new(&arena, &mime_limits);
		const struct mime_part *root;

		mime_feed(m, text.p, text.len);
		root = mime_end(m);
		search_bind(&p, 5, 9, bits_of, NULL);
		assert(run(&p, root, text, text.len + 1) == run(&p, root, text, data[0] ? data[0] : 1));
	}
	arena_free(&arena);
	return 0;
}
