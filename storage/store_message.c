/* store_message.c - flags and expunges of messages in a mailbox that is selected.
 * A change is computed on top of those under way, so a second STORE sees the first; what is as it should be already is
 * not changed, and one that changes nothing is answered when what it saw is seen by all. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include "storage/shared.h"
#include <stdlib.h>

#define WORDS_MAX  1000
#define BYTES_EACH 64 /* of the journal, roughly, for a range of messages */

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
	bool all; /* EXPUNGE: every message with \Deleted */

	bool expunge, force;
	enum flags_how how;
	struct flag_words words;
	uint64_t keywords;

	struct message *messages; /* as they shall be */
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

static void messages_look(struct changing *c)
{
	const struct view *view = c->hold.m->view;
	struct view_head h;

	view_read_head(view, &h);
	if (c->all)
		for (uint32_t place = 0; place < h.count; place++)
			message_look(c, place);
	for (size_t i = 0; i < c->count; i++) {
		uint32_t end = c->uids[i].last == UINT32_MAX ? h.count : view_place(view, c->uids[i].last + 1);

		for (uint32_t place = view_place(view, c->uids[i].first); place < end && place < h.count; place++)
			message_look(c, place);
	}
}

static void changing_view(struct task *t, enum err e)
{
	struct changing *c = t->op;
	struct mailbox *m = c->hold.m;
	struct commit *k;

	if (!e && m->state != MAILBOX_READY)
		e = ERR_AGAIN;
	if (!e && !c->expunge)
		e = words_resolve(m, &c->words, c->how != FLAGS_REMOVE, &c->keywords);
	if (!e)
		messages_look(c);
	if (!e)
		e = journal_room(t->st->journal, ENTRY_SMALL, c->changed * BYTES_EACH);
	if (e || !c->changed) {
		if (e)
			changing_end(t, e);
		else
			mailbox_settled(t, m, changing_end);
		return;
	}
	k = commit_new(t->st, t);
	change_messages(commit_change(k, m), c->messages, c->places, c->changed);
	commit_go(k, ENTRY_SMALL, NULL, changing_end);
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

static void nobody(void *user, enum err e)
{
	(void)user;
	(void)e;
}

void store_seen(
	struct worker *w, const struct account *a, struct selected *s, const struct uid_range *uids, size_t count)
{
	struct flag_words seen = { .flags = FLAG_SEEN };

	store_flags(w, a, s, uids, count, FLAGS_ADD, &seen, nobody, NULL);
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
	c->all = unpack_u8(&t->args);
	c->force = unpack_u8(&t->args);
	if (c->all)
		c->count = 0;
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
