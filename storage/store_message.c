/* store_message.c - flags and expunges of messages in a mailbox that is selected.
 * A change is computed on top of those under way, so a second STORE sees the first; what is as it should be already is
 * not changed, and one that changes nothing is answered when what it saw is seen by all. What concerns many messages is
 * done in parts, an entry of the journal for each, and others have their turns between: of one that fails, or that a
 * crash ends, some may be done. */
#include "core/chore.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include "storage/shared.h"
#include <stdlib.h>

#define WORDS_MAX  1000
#define BYTES_EACH 64   /* of the journal, roughly, for a range of messages */
#define PART       1000 /* messages changed at a time */
#define LOOKS      8192 /* at messages, or for ranges of them, in a turn */

/* --- packing --------------------------------------------------------------------------------------------------------- */

void words_pack(struct buf *out, const struct flag_words *words)
{
	pack_u32(out, words->flags);
	pack_u32(out, (uint32_t)words->count);
	for (size_t i = 0; i < words->count; i++)
		pack_str(out, words->keywords[i]);
}

void words_unpack(struct task *t, struct flag_words *words)
{
	struct str *keywords;
	uint32_t count;

	words->flags = unpack_u32(&t->args) & FLAG_SYSTEM;
	count = unpack_u32(&t->args);
	if (t->args.bad || count > WORDS_MAX) {
		t->args.bad = true;
		return;
	}
	keywords = arena_alloc(&t->memory, (count + 1) * sizeof(*keywords));
	for (uint32_t i = 0; i < count; i++)
		keywords[i] = unpack_str(&t->args);
	words->keywords = keywords;
	words->count = count;
}

enum err words_resolve(struct mailbox *m, const struct flag_words *words, bool make, uint64_t *bits)
{
	unsigned before = m->seen.keywords.count;

	*bits = 0;
	for (size_t i = 0; i < words->count; i++) {
		int bit = make ? keywords_bit(&m->seen.keywords, words->keywords[i])
		               : keywords_find(&m->seen.keywords, words->keywords[i]);

		if (bit >= 0) {
			*bits |= UINT64_C(1) << bit;
		} else if (make) {
			enum err e = m->seen.keywords.count == KEYWORDS_MAX ? ERR_TOO_BIG : ERR_MISTAKE;

			m->seen.keywords.count = before; /* a change that is refused takes no places */
			return e;
		}
	}
	return OK;
}

void ranges_pack(struct buf *out, const struct uid_range *uids, size_t count)
{
	pack_u32(out, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		pack_u32(out, uids[i].first);
		pack_u32(out, uids[i].last);
	}
}

static int by_first(const void *a, const void *b)
{
	const struct uid_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Ascending and apart, however they were given: nothing is done twice. */
static size_t ranges_tidy(struct uid_range *r, size_t count)
{
	size_t kept = 0;

	qsort(r, count, sizeof(*r), by_first);
	for (size_t i = 0; i < count; i++)
		if (r[i].first > r[i].last)
			continue;
		else if (kept && r[i].first <= r[kept - 1].last)
			r[kept - 1].last = r[i].last > r[kept - 1].last ? r[i].last : r[kept - 1].last;
		else
			r[kept++] = r[i];
	return kept;
}

struct uid_range *ranges_unpack(struct unpack *u, struct arena *a, size_t *count)
{
	uint32_t n = unpack_u32(u);
	struct uid_range *r;

	*count = 0;
	if (u->bad || n > u->left.len / 8) {
		u->bad = true;
		return NULL;
	}
	r = arena_alloc(a, ((size_t)n + 1) * sizeof(*r));
	for (uint32_t i = 0; i < n; i++) {
		r[i].first = unpack_u32(u);
		r[i].last = unpack_u32(u);
	}
	*count = ranges_tidy(r, n);
	return r;
}

/* --- one change ------------------------------------------------------------------------------------------------------ */

struct changing { /* STORE and EXPUNGE alike */
	struct hold hold;
	struct str mailbox;
	uint64_t id;
	struct uid_range *uids;
	size_t count;

	bool expunge, force;
	enum flags_how how;
	struct flag_words words;
	uint64_t keywords;

	size_t range; /* what is still to be looked at begins there, with ... */
	uint32_t from;
	struct chore chore;
	struct message *messages; /* of this part, as they shall be */
	uint32_t *places;
	size_t changed, cap;
};

static void changing_end(struct task *t, enum err e)
{
	struct changing *c = t->op;
	struct buf answer = { 0 };

	pack_u64(&answer, c->id);
	free(c->messages);
	free(c->places);
	task_end(t, e, e ? STR_NONE : buf_str(&answer));
	buf_free(&answer);
}

/* Makes of a message what it shall be; false: it is so already, or not concerned. */
static bool message_change(const struct changing *c, struct message *m)
{
	struct message old = *m;

	if (m->flags & FLAG_EXPUNGED)
		return false;
	if (c->expunge) {
		if (!c->force && !(m->flags & FLAG_DELETED))
			return false;
		m->flags |= FLAG_EXPUNGED;
		return true;
	}
	switch (c->how) {
	case FLAGS_REPLACE:
		m->flags = c->words.flags;
		m->keywords = c->keywords;
		break;
	case FLAGS_ADD:
		m->flags |= c->words.flags;
		m->keywords |= c->keywords;
		break;
	case FLAGS_REMOVE:
		m->flags &= ~c->words.flags;
		m->keywords &= ~c->keywords;
		break;
	}
	return m->flags != old.flags || m->keywords != old.keywords;
}

static void message_look(struct changing *c, uint32_t place)
{
	struct message m;

	mailbox_message(c->hold.m, place, &m);
	if (!message_change(c, &m))
		return;
	if (c->changed == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 16;
		c->messages = mem_resize(c->messages, c->cap * sizeof(*c->messages));
		c->places = mem_resize(c->places, c->cap * sizeof(*c->places));
	}
	c->messages[c->changed] = m;
	c->places[c->changed++] = place;
}

/* The next place at which there may be something to do. */
static uint32_t place_next(const struct changing *c, uint32_t place)
{
	const struct mailbox *m = c->hold.m;

	return c->expunge && !c->force && !m->latest_count ? view_next_deleted(m->view, place) : place;
}

/* One part; true: it was the last. */
static bool messages_look(struct changing *c)
{
	const struct view *view = c->hold.m->view;
	struct view_head h;
	unsigned looks = 0;

	view_read_head(view, &h);
	for (c->changed = 0; c->range < c->count; c->range++, c->from = 0) {
		const struct uid_range *r = &c->uids[c->range];
		uint32_t place = view_place(view, c->from ? c->from : r->first);
		uint32_t end = r->last == UINT32_MAX ? h.count : view_place(view, r->last + 1);

		for (; (place = place_next(c, place)) < end && place < h.count; place++) {
			struct message m;

			if (looks++ < LOOKS && c->changed < PART) {
				message_look(c, place);
				continue;
			}
			view_message(view, place, &m);
			c->from = m.uid;
			return false;
		}
		looks++;
	}
	return true;
}

static void changing_view(struct task *t, enum err e);

static void changing_part(void *user)
{
	struct task *t = user;
	struct changing *c = t->op;

	mailbox_view(t, c->hold.m, changing_view);
}

static void changing_on(struct task *t, enum err e)
{
	struct changing *c = t->op;

	if (e)
		changing_end(t, e);
	else
		chore_start(t->st->w->chores, &c->chore, changing_part, t);
}

static void changing_view(struct task *t, enum err e)
{
	struct changing *c = t->op;
	struct mailbox *m = c->hold.m;
	bool last = false;
	struct commit *k;

	if (!e && m->state != MAILBOX_READY)
		e = ERR_AGAIN;
	if (!e && !c->expunge)
		e = words_resolve(m, &c->words, c->how != FLAGS_REMOVE, &c->keywords);
	if (!e)
		last = messages_look(c);
	if (!e)
		e = journal_room(t->st->journal, ENTRY_SMALL, c->changed * BYTES_EACH);
	if (e || !c->changed) {
		if (e || !last)
			changing_on(t, e);
		else
			mailbox_settled(t, m, changing_end);
		return;
	}
	k = commit_new(t->st, t);
	change_messages(commit_change(k, m), c->messages, c->places, c->changed);
	commit_go(k, ENTRY_SMALL, NULL, last ? changing_end : changing_on);
	if (last)
		mailbox_release(&c->hold);
}

static void changing_held(struct task *t, enum err e)
{
	struct changing *c = t->op;

	if (!e && c->hold.m->seen.head.id != c->id)
		e = ERR_ABSENT;
	if (e)
		changing_end(t, e);
	else
		mailbox_view(t, c->hold.m, changing_view);
}

static void changing_account(struct task *t, enum err e)
{
	struct changing *c = t->op;

	if (e)
		changing_end(t, e);
	else
		mailbox_hold_id(t, &c->hold, c->id, c->mailbox, false, changing_held);
}

static struct changing *changing_new(struct task *t)
{
	struct changing *c = task_op(t, struct changing);

	t->writes = true;

	c->id = unpack_u64(&t->args);
	c->mailbox = unpack_str(&t->args);
	c->uids = ranges_unpack(&t->args, &t->memory, &c->count);
	return c;
}

static struct asked *ask_changing(struct worker *w, const struct account *a, const struct selected *s,
	const struct uid_range *uids, size_t count, store_done *done)
{
	struct asked *k = ask_as(w, a);

	k->done.store = done;
	k->fresh = true;
	ask_patiently(k);
	pack_u64(&k->args, s->sh->id);
	pack_str(&k->args, str_of(s->sh->name));
	ranges_pack(&k->args, uids, count);
	return k;
}

/* --- STORE ------------------------------------------------------------------------------------------------------------ */

void flags_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_ACCOUNT);
	struct changing *c;
	uint8_t how;

	if (!t)
		return;
	c = changing_new(t);
	how = unpack_u8(&t->args);
	c->how = how;
	words_unpack(t, &c->words);
	if (how > FLAGS_REMOVE)
		t->args.bad = true;
	if (task_args_end(t))
		task_account(t, changing_account);
}

struct call *store_flags(struct worker *w, const struct account *a, struct selected *s, const struct uid_range *uids,
	size_t count, enum flags_how how, const struct flag_words *words, store_done *done, void *user)
{
	struct asked *k = ask_changing(w, a, s, uids, count, done);

	pack_u8(&k->args, (uint8_t)how);
	words_pack(&k->args, words);
	return ask_send(k, CALL_FLAGS, asked_store, user);
}

struct seeing { /* nobody waits for it but the store, which gives it up when it stops */
	struct call *call;
	struct seeing *next, **link;
};

static void seeing_free(struct seeing *g)
{
	*g->link = g->next;
	if (g->next)
		g->next->link = g->link;
	free(g);
}

static void seen(void *user, enum err e)
{
	(void)e;
	seeing_free(user);
}

void store_seen(
	struct worker *w, const struct account *a, struct selected *s, const struct uid_range *uids, size_t count)
{
	struct flag_words words = { .flags = FLAG_SEEN };
	struct seeing *g = mem_new(struct seeing);

	*g = (struct seeing){ .next = w->store->seeings, .link = &w->store->seeings };
	if (g->next)
		g->next->link = &g->next;
	w->store->seeings = g;
	g->call = store_flags(w, a, s, uids, count, FLAGS_ADD, &words, seen, g);
}

void seeings_drop(struct store *st)
{
	while (st->seeings) {
		call_cancel(st->seeings->call);
		seeing_free(st->seeings);
	}
}

/* --- EXPUNGE ---------------------------------------------------------------------------------------------------------- */

void expunge_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_ACCOUNT);
	struct changing *c;

	if (!t)
		return;
	c = changing_new(t);
	c->expunge = true;
	if (unpack_u8(&t->args)) { /* every message with \Deleted */
		c->uids[0] = (struct uid_range){ 1, UINT32_MAX };
		c->count = 1;
	}
	c->force = unpack_u8(&t->args);
	if (task_args_end(t))
		task_account(t, changing_account);
}

struct call *store_expunge(struct worker *w, const struct account *a, struct selected *s, const struct uid_range *uids,
	size_t count, bool force, store_done *done, void *user)
{
	struct asked *k = ask_changing(w, a, s, uids, uids ? count : 0, done);

	pack_u8(&k->args, !uids);
	pack_u8(&k->args, force);
	return ask_send(k, CALL_EXPUNGE, asked_store, user);
}
