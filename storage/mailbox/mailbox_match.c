/* mailbox_match.c - which messages of an mbox that another program wrote are the ones that were known before.
 *   by its X-UID, if that one was known and no other message bears it with a header that fits better
 *   else by its header and the length of its body; equal ones in their order
 *   else it was expunged, if its text was, which may stand in the mbox until that is written anew: it stays gone
 *   else it is new, and gets a UID that was never given
 * What was known and is in no file any more is gone. An X-UID that is not known may be of a message that was expunged but
 * still stands in the mbox: then the state file says so, and it stays gone; else it comes back, as a new
 * one. If the mbox is an older one that was put back, all that is in it comes back.
 *
 * Flags are as the state file has them. Those that the prefix of a message says otherwise than we wrote it there were
 * changed by the other program, and are as it says. */
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include <assert.h>
#include <stdlib.h>

#define BLIND_MAX 1000 /* messages looked for without knowing their header */

struct matching {
	struct mailbox_scan *s;
	struct message *m;
	size_t count;
	const struct message *old;
	size_t old_count;
	bool *used; /* of the old ones */
	bool *gone; /* the same of those known to be expunged */
	bool *kept; /* of the others: they have their UIDs */
	uint32_t next;
};

static size_t old_place(const struct message *old, size_t count, uint32_t uid)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (old[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct message *mailbox_known_message(const struct mailbox_known *known, uint32_t uid)
{
	size_t at = old_place(known->messages, known->count, uid);

	return at < known->count && known->messages[at].uid == uid ? &known->messages[at] : NULL;
}

static uint64_t body(const struct message *m)
{
	return m->stored - (uint64_t)m->header;
}

static bool same_content(const struct message *a, const struct message *b)
{
	if (body(a) != body(b))
		return false;
	return a->print && b->print ? a->print == b->print : a->header == b->header && a->date == b->date;
}

static void keep(struct matching *g, size_t i, size_t place)
{
	uint32_t uid = g->old[place].uid;

	g->used[place] = g->kept[i] = true;
	if (g->m[i].uid == uid)
		return;
	mbox_message_bare(&g->m[i], &g->s->bare[i]);
	g->m[i].uid = uid;
	g->s->renew = true;
}

/* fits: only with the content that the old one has. */
static void by_header(struct matching *g, bool fits)
{
	for (size_t i = 0; i < g->count; i++) {
		const struct message *m = &g->m[i];
		size_t place = m->uid && !g->kept[i] ? old_place(g->old, g->old_count, m->uid) : g->old_count;

		if (place < g->old_count && g->old[place].uid == m->uid && !g->used[place] &&
			(!fits || same_content(m, &g->old[place])))
			keep(g, i, place);
	}
}

static int compare_content(const struct message *a, const struct message *b)
{
	if (a->print != b->print)
		return a->print < b->print ? -1 : 1;
	return (body(a) > body(b)) - (body(a) < body(b));
}

static int by_print(const void *a, const void *b, void *user)
{
	const struct message *old = user, *x = &old[*(const size_t *)a], *y = &old[*(const size_t *)b];
	int order = compare_content(x, y);

	return order ? order : (x->uid > y->uid) - (x->uid < y->uid);
}

static void by_content(struct matching *g)
{
	size_t *order = mem_alloc((g->old_count + 1) * sizeof(*order)), left = 0;

	for (size_t place = 0; place < g->old_count; place++)
		if (!g->used[place] && g->old[place].print)
			order[left++] = place;
	qsort_r(order, left, sizeof(*order), by_print, (void *)g->old);
	for (size_t i = 0; i < g->count; i++) {
		size_t low = 0, high = left;

		if (g->kept[i])
			continue;
		while (low < high) {
			size_t middle = (low + high) / 2;
			const struct message *old = &g->old[order[middle]];
			int c = compare_content(old, &g->m[i]);

			if (c < 0 || (!c && g->used[order[middle]])) /* of equal ones the first are used first */
				low = middle + 1;
			else
				high = middle;
		}
		if (low < left && !compare_content(&g->old[order[low]], &g->m[i]))
			keep(g, i, order[low]);
	}
	free(order);
}

/* Those whose header is not known (it was never in memory): by all else. */
static void by_sizes(struct matching *g)
{
	size_t places[BLIND_MAX], count = 0;

	for (size_t place = 0; place < g->old_count && count < BLIND_MAX; place++)
		if (!g->used[place] && !g->old[place].print)
			places[count++] = place;
	for (size_t i = 0; count && i < g->count; i++)
		for (size_t n = 0; !g->kept[i] && n < count; n++)
			if (!g->used[places[n]] && same_content(&g->m[i], &g->old[places[n]]))
				keep(g, i, places[n]);
}

static const struct message *expunged_message(const struct mailbox_known *known, uint32_t uid, size_t *place)
{
	*place = old_place(known->expunged, known->expunged_count, uid);
	return *place < known->expunged_count && known->expunged[*place].uid == uid ? &known->expunged[*place] : NULL;
}

/* What was expunged has its UID still, by its X-UID and its text, or by its text alone: so it stays gone. */
static void expunged(struct matching *g)
{
	const struct mailbox_known *known = g->s->known;
	struct matching e = *g;

	e.old = known->expunged;
	e.old_count = known->expunged_count;
	e.used = g->gone;
	by_header(&e, true);
	by_content(&e);
}

/* Whether a message that was found to be expunged has that UID. */
static bool is_taken(const struct matching *g, uint32_t uid)
{
	size_t place;

	return expunged_message(g->s->known, uid, &place) && g->gone[place];
}

static void give(struct matching *g, struct message *m)
{
	m->uid = g->next < UINT32_MAX ? g->next++ : UINT32_MAX;
	g->s->renew = true;
}

/* X-UIDs that are not known. Those that are too high for that were given by us before a crash, or by nobody; others are
 * kept until the state file has said whether they were expunged. */
static void unknown(struct matching *g)
{
	const struct mailbox_known *known = g->s->known;
	uint32_t last = 0;

	for (size_t i = 0; i < g->count; i++) {
		struct message *m = &g->m[i];
		bool ours = m->uid && m->uid != UINT32_MAX && m->clock && m->uid > last &&
		            !mailbox_known_message(known, m->uid) && !is_taken(g, m->uid) &&
		            (m->uid < known->uidnext || known->behind);

		if (g->kept[i])
			last = m->uid > last ? m->uid : last;
		if (g->kept[i] || !ours)
			continue;
		last = m->uid;
		g->kept[i] = true;
		if (g->next <= m->uid)
			g->next = m->uid + 1;
		if (last < known->uidnext) { /* if it comes back, then with another */
			mbox_message_bare(m, &g->s->bare[i]);
			m->uid = last;
		}
	}
	for (size_t i = 0; i < g->count; i++)
		if (!g->kept[i]) {
			mbox_message_bare(&g->m[i], &g->s->bare[i]);
			give(g, &g->m[i]);
		}
}

static int by_uid(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

static void in_order(struct mailbox_scan *s)
{
	if (s->count)
		qsort(s->messages, s->count, sizeof(*s->messages), by_uid);
	while (s->count && s->messages[s->count - 1].uid == UINT32_MAX)
		s->count--;
}

void mailbox_match_uids(struct mailbox_scan *s)
{
	const struct mailbox_known *known = s->known;
	struct matching g = { .s = s,
		.m = s->messages,
		.count = s->count,
		.old = known->messages,
		.old_count = known->count,
		.next = known->uidnext > s->r.head.uidnext ? known->uidnext : s->r.head.uidnext };

	assert(!s->first);
	g.used = mem_alloc((g.old_count + 1) * sizeof(*g.used));
	g.kept = mem_alloc((g.count + 1) * sizeof(*g.kept));
	by_header(&g, true);
	by_header(&g, false);
	by_content(&g);
	by_sizes(&g);
	g.gone = mem_alloc((known->expunged_count + 1) * sizeof(*g.gone));
	if (known->expunged_count)
		expunged(&g);
	unknown(&g);
	for (size_t i = 1; i < s->count; i++)
		s->renew |= s->messages[i].uid < s->messages[i - 1].uid;
	for (size_t i = 0; i < s->count; i++)
		s->renew |= s->bare[i].strays;
	in_order(s);
	s->r.head.uidnext = g.next;
	free(g.used);
	free(g.gone);
	free(g.kept);
}

/* The flags that another program changed in the prefix of a message. */
static void merge(const struct mailbox_scan *s, struct message *m, const struct message *old)
{
	uint32_t changed = m->written ^ old->written;

	if (s->known->stateless) { /* the state file is gone: what it said is remembered */
		m->flags = (m->flags & FLAG_EXPUNGED) | (old->flags & FLAG_SYSTEM);
		m->keywords |= old->keywords;
	}
	if (s->r.head.generation == s->known->generation && !s->known->restored)
		m->flags = (m->flags & ~changed) | (m->written & changed);
}

void mailbox_match_flags(struct mailbox_scan *s)
{
	struct matching g = { .s = s, .next = s->r.head.uidnext };
	uint64_t clock = s->known->clock > s->r.head.clock ? s->known->clock : s->r.head.clock;
	size_t gone = s->known->count, place;

	clock++;
	for (size_t i = 0; i < s->count; i++) {
		struct message *m = &s->messages[i];
		const struct message *old = mailbox_known_message(s->known, m->uid);
		const struct message *was = old ? NULL : expunged_message(s->known, m->uid, &place);
		uint32_t before = m->flags;

		if (s->known->put_back && (m->flags & FLAG_EXPUNGED))
			m->flags &= ~(uint32_t)(FLAG_EXPUNGED | FLAG_DELETED);
		if (was && !(m->flags & FLAG_EXPUNGED) && same_content(m, was)) { /* the state file does not say so */
			m->flags |= FLAG_EXPUNGED;
			s->renew = true;
		}
		if (old && !(m->flags & FLAG_EXPUNGED)) {
			gone--;
			merge(s, m, old);
			s->renew |= m->flags != before;
			if (m->flags != old->flags || m->keywords != old->keywords)
				m->clock = clock;
			else if (!s->known->behind)
				m->clock = old->clock;
		} else if (!old && !(m->flags & FLAG_EXPUNGED)) {
			s->news++;
			m->clock = clock;
			if (m->uid < s->known->uidnext)
				give(&g, m);
		}
	}
	s->gone = (uint32_t)gone;
	s->renew |= gone > 0 && !s->known->behind;
	if (s->renew || s->news)
		s->r.head.clock = clock;
	s->r.head.uidnext = g.next;
	in_order(s);
}
