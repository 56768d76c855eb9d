/* mailbox_lines.c - what the state file is told of messages that change, in as few and short lines as will do: one for
 * all that get the same flags and keywords, with ranges that run over what is expunged. 'Mark all read' is one line. */
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include <stdlib.h>

#define LINE_RANGES 2000 /* in one line */

struct lines {
	const struct mailbox *m;
	const struct message *messages;
	const uint32_t *places;
	uint64_t clock;
	struct buf *out;
};

static bool same_line(const struct message *a, const struct message *b)
{
	return (a->flags & FLAG_EXPUNGED && b->flags & FLAG_EXPUNGED) ||
	       (a->flags == b->flags && a->keywords == b->keywords);
}

/* Whether one range may run from place a to b: nothing that stays as it is lies between. */
static bool touch(const struct mailbox *m, uint32_t a, uint32_t b)
{
	for (uint32_t place = a + 1; place < b; place++) {
		struct message between;

		mailbox_message(m, place, &between);
		if (!(between.flags & FLAG_EXPUNGED))
			return false;
	}
	return true;
}

/* The messages from..to of `order`, which are all alike. */
static void print(const struct lines *l, const size_t *order, size_t from, size_t to)
{
	struct uid_range *ranges = mem_alloc(LINE_RANGES * sizeof(*ranges));
	const struct message *like = &l->messages[order[from]];

	while (from < to) {
		size_t count = 0;

		for (; from < to; from++) {
			uint32_t uid = l->messages[order[from]].uid;

			if (count && touch(l->m, l->places[order[from - 1]], l->places[order[from]]))
				ranges[count - 1].last = uid;
			else if (count == LINE_RANGES)
				break;
			else
				ranges[count++] = (struct uid_range){ uid, uid };
		}
		if (like->flags & FLAG_EXPUNGED)
			state_print_expunge(l->out, ranges, count, l->clock);
		else
			state_print_flags(
				l->out, ranges, count, like->flags, like->keywords, &l->m->seen.keywords, l->clock);
	}
	free(ranges);
}

static int by_line(const void *a, const void *b, void *user)
{
	const struct message *messages = user;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	const struct message *x = &messages[i], *y = &messages[j];

	if (!same_line(x, y)) {
		if (x->flags != y->flags)
			return x->flags < y->flags ? -1 : 1;
		return x->keywords < y->keywords ? -1 : 1;
	}
	return i < j ? -1 : i > j;
}

void mailbox_lines(const struct mailbox *m, const struct message *messages, const uint32_t *places, size_t count,
	uint64_t clock, struct buf *out)
{
	struct lines l = { m, messages, places, clock, out };
	size_t *order = mem_alloc(count * sizeof(*order)), from = 0;

	for (size_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), by_line, (void *)messages);
	for (size_t to = 1; to <= count; to++)
		if (to == count || !same_line(&messages[order[from]], &messages[order[to]])) {
			print(&l, order, from, to);
			from = to;
		}
	free(order);
}
