/* Messages with parts of any bytes, whole and in pieces: the outcome is the same, and in it each part means what it
 * meant. The first byte is the size of the pieces. */
#include "t/seven_bit.h"
#include <assert.h>

static struct str recoded(struct str in, size_t step, struct buf *out)
{
	struct recode *r = recode_new();

	feed_in_pieces(r, in, step, out);
	recode_free(r);
	return buf_str(out);
}

static bool is_binary(const struct mime_part *p)
{
	return str_eq_nocase(p->content.encoding, STR("binary"));
}

static void compare(struct str before, struct str after)
{
	struct arena a = { 0 };
	const struct mime_part *root = parse(&a, before), *other = parse(&a, after);
	const struct mime_part *p = root, *q = other;

	for (; p && q; p = mime_next(root, p), q = mime_next(other, q)) {
		struct buf meant = { 0 }, means = { 0 };

		assert(p->kind == q->kind && p->depth == q->depth && p->number == q->number);
		assert(str_eq(p->content.type, q->content.type) && str_eq(p->content.subtype, q->content.subtype));
		assert(is_binary(p) || str_eq(p->content.encoding, q->content.encoding));
		if (p->kind == MIME_LEAF) {
			decode(p, before, &meant);
			decode(q, after, &means);
			assert(str_eq(buf_str(&meant), buf_str(&means)));
		}
		buf_free(&meant);
		buf_free(&means);
	}
	assert(!p && !q);
	arena_free(&a);
}

static bool has_bare_lf(struct str in)
{
	for (size_t i = 0; i < in.len; i++)
		if (in.p[i] == '\n' && (!i || in.p[i - 1] != '\r'))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data + 1, size ? size - 1 : 0 };
	struct buf whole = { 0 }, pieces = { 0 };

	if (!in.len || in.len > 4096) /* no limit of mime.h is reached */
		return 0;
	recoded(in, in.len, &whole);
	recoded(in, data[0] ? data[0] : 1, &pieces);
	assert(str_eq(buf_str(&whole), buf_str(&pieces)));
	if (!has_bare_lf(in)) /* to mime.h it would end a line also where content is meant */
		compare(in, buf_str(&whole));
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
