/* mailbox_uids.c - the UIDs of messages read from an mbox, when not each bears one above the one before it.
 * The longest rising run of X-UIDs keeps them: one that is damaged, or came with a message copied from elsewhere, costs
 * its own message its UID and no other. Messages between two that keep theirs get what lies between if they fill it,
 * for then these were theirs. All others are new here: they get the next ones free, in their order. */
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include <stdlib.h>

struct numbering {
	struct mailbox_scan *scan;
	struct message *m; /* those to be looked at */
	const struct mbox_bare *bare;
	size_t count;
	uint32_t floor; /* UIDs up to this are those of messages before them */
	uint32_t next;  /* the next one free */
	bool *keeps;
};

/* The shortest of the runs found so far are kept by their length: last[n] ends the one of n + 1 whose end is lowest. */
static void longest_run(struct numbering *n)
{
	size_t *last = mem_alloc(n->count * sizeof(*last)), *before = mem_alloc(n->count * sizeof(*before)), runs = 0;

	for (size_t i = 0; i < n->count; i++) {
		uint32_t uid = n->m[i].uid;
		size_t low = 0, high = runs;

		if (uid <= n->floor || uid == UINT32_MAX)
			continue;
		while (low < high) {
			size_t middle = (low + high) / 2;

			if (n->m[last[middle]].uid < uid)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < runs && n->m[last[low]].uid == uid) /* of two that bear the same the first keeps it */
			continue;
		before[i] = low ? last[low - 1] : 0;
		last[low] = i;
		runs += low == runs;
	}
	for (size_t i = runs ? last[runs - 1] : 0; runs; runs--) {
		n->keeps[i] = true;
		i = before[i];
	}
	free(last);
	free(before);
}

/* Gives UIDs to those from `from` to before `to`; the message at `to` keeps its own. True: they are out of order now. */
static bool number(struct numbering *n, size_t from, size_t to)
{
	uint32_t before = from ? n->m[from - 1].uid : n->floor;
	bool fits = to < n->count && n->m[to].uid - before - 1 == to - from;

	for (size_t i = from; i < to; i++) {
		mbox_message_bare(&n->m[i], &n->bare[i]);
		n->m[i].uid = fits ? ++before : n->next < UINT32_MAX ? n->next++ : UINT32_MAX;
		if (n->scan->has_base) /* in others' mboxes it is nothing to tell of */
			mailbox_scan_amiss(n->scan, SCAN_UID, n->m[i].uid, n->m[i].offset);
	}
	return from < to && to < n->count && !fits;
}

static int by_uid(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* When they are out of UIDs the last ones are left out. */
static size_t in_order(struct numbering *n)
{
	size_t count = n->count;

	qsort(n->m, count, sizeof(*n->m), by_uid);
	while (count && n->m[count - 1].uid == UINT32_MAX)
		count--;
	return count;
}

void mailbox_uids_settle(struct mailbox_scan *s, size_t first)
{
	struct numbering n = {
		.scan = s,
		.m = s->messages + first,
		.bare = s->bare,
		.count = s->count - first,
		.floor = first ? s->messages[first - 1].uid : 0,
		.next = s->r.head.uidnext,
	};
	bool moved = false;
	size_t done = 0, given = 0;

	n.keeps = mem_alloc(n.count * sizeof(*n.keeps));
	longest_run(&n);
	for (size_t i = 0; i < n.count; i++) {
		given += !n.keeps[i];
		if (n.keeps[i] && n.next <= n.m[i].uid)
			n.next = n.m[i].uid + 1;
	}
	if (n.next <= n.floor)
		n.next = n.floor + 1;
	for (size_t i = 0; given && i <= n.count; i++) {
		if (i < n.count && !n.keeps[i])
			continue;
		moved |= number(&n, done, i);
		done = i + 1;
	}
	if (given)
		s->count = first + in_order(&n);
	s->untidy |= moved;
	s->r.head.uidnext = n.next;
	free(n.keeps);
}
