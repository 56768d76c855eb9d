/* seven_bit.h - a message made one of 7 bits, for the unit test and the fuzz target: in any pieces, and what must be so of the
 * outcome. */
#ifndef T_SEVEN_BIT_H
#define T_SEVEN_BIT_H

#include "storage/mail/decode.h"
#include "storage/mail/mime.h"
#include "storage/mail/recode.h"
#include <stdio.h>

__attribute__((unused)) static void feed_in_pieces(struct recode *r, struct str in, size_t step, struct buf *out)
{
	for (size_t at = 0; at < in.len; at += step)
		recode_feed(r, str_cut(in, at, in.len - at < step ? in.len : at + step), out);
	recode_end(r, out);
}

/* False: it cannot be. */
__attribute__((unused)) static bool seven_bit(struct str in, size_t step, struct buf *out)
{
	struct recode *r = recode_new_seven_bit();
	bool can;

	feed_in_pieces(r, in, step, out);
	can = !buf_len(out) && recode_again(r);
	if (can)
		feed_in_pieces(r, in, step, out);
	recode_free(r);
	return can;
}

__attribute__((unused)) static bool is_seven_bit(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] & 0x80)
			return false;
	return true;
}

static const struct mime_part *parse(struct arena *a, struct str message)
{
	struct mime *m = mime_new(a, &mime_limits);

	mime_feed(m, message.p, message.len);
	return mime_end(m);
}

static void decode(const struct mime_part *p, struct str message, struct buf *out)
{
	struct decoder d = { .encoding = encoding_of(p->content.encoding) };

	decoder_feed(&d, str_cut(message, p->body_start, p->body_end), out);
	decoder_end(&d, out);
}

/* Whether the same parts stand in both, and each means in the one what it means in the other. */
__attribute__((unused)) static bool means_the_same(struct str before, struct str after)
{
	struct arena a = { 0 };
	const struct mime_part *root = parse(&a, before), *other = parse(&a, after);
	const struct mime_part *p = root, *q = other;
	bool same = true;

	for (; p && q && same; p = mime_next(root, p), q = mime_next(other, q)) {
		struct buf meant = { 0 }, means = { 0 };

		same = p->kind == q->kind && p->depth == q->depth && p->number == q->number &&
		       str_eq(p->content.type, q->content.type) && str_eq(p->content.subtype, q->content.subtype);
		if (same && p->kind == MIME_LEAF) {
			decode(p, before, &meant);
			decode(q, after, &means);
			same = str_eq(buf_str(&meant), buf_str(&means));
		}
		if (!same)
			printf("# part %u at depth %u\n", p->number, p->depth);
		buf_free(&meant);
		buf_free(&means);
	}
	same = same && !p && !q;
	arena_free(&a);
	return same;
}

#endif
