/* store_select.c - SELECT and EXAMINE: a session gets the mailbox's view, and its worker hears of changes from then on.
 * The owner counts, for each worker, how many sessions have the mailbox selected. A worker that asks only for the latest
 * view (shared.c) is counted anew if it is not known: its owner died and lives again. */
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include "storage/shared.h"
#include <stdlib.h>

struct select {
	struct hold hold;
	struct str mailbox;
	uint64_t id;       /* 0: whatever bears the name */
	bool again, claim; /* again: by a worker that watches */
	uint32_t sessions, claims;
};

/* Those of \Recent are told to this session and, if it claims them, to no other (RFC 3501, 2.3.2). */
static uint32_t recent_take(struct mailbox *m, bool claim)
{
	uint32_t recent = m->seen.recent;

	if (claim && m->seen.recent != m->seen.head.uidnext) {
		m->seen.recent = m->seen.head.uidnext;
		m->seen.recents = 0;
		mailbox_put(m, NULL, 0);
	}
	return recent;
}

static void select_answer(struct task *t, enum err e)
{
	struct select *s = t->op;
	struct mailbox *m = s->hold.m;
	struct buf answer = { 0 };

	if (!e && !m->view)
		e = ERR_AGAIN;
	if (e) {
		task_end(t, e, STR_NONE);
		return;
	}
	pack_u64(&answer, m->seen.head.id);
	pack_u64(&answer, m->lineage);
	pack_str(&answer, str_of(m->view_path));
	pack_str(&answer, str_of(m->name));
	pack_u32(&answer, s->again ? 0 : recent_take(m, s->claim));
	if (!s->again)
		mailbox_watch(m, t->from, 1, s->claim);
	else if (!mailbox_watcher(m, t->from))
		mailbox_watch(m, t->from, (int)s->sessions, (int)s->claims);
	task_end(t, OK, buf_str(&answer));
	buf_free(&answer);
}

/* Nothing that was answered before may be missing from the view. */
static void select_view(struct task *t, enum err e)
{
	struct select *s = t->op;

	if (e)
		task_end(t, e, STR_NONE);
	else
		mailbox_view(t, s->hold.m, select_answer);
}

static void select_held(struct task *t, enum err e);

/* It was renamed since the asker heard of it last: which of the account's mailboxes has its id? */
static void select_led(struct task *t, enum err e)
{
	struct select *s = t->op;
	const struct tree *tree = &t->h->tree;
	size_t i = 0;

	while (!e && i < tree->count && tree->leaves[i].id != s->id)
		i++;
	if (!e && i == tree->count)
		e = ERR_ABSENT;
	if (e) {
		task_end(t, e, STR_NONE);
		return;
	}
	s->mailbox = arena_str(&t->memory, str_of(tree->leaves[i].name));
	mailbox_hold_id(t, &s->hold, s->id, s->mailbox, false, select_held);
}

static void select_held(struct task *t, enum err e)
{
	struct select *s = t->op;

	if (!e && s->id && s->hold.m->seen.head.id != s->id) {
		mailbox_release(&s->hold);
		e = ERR_ABSENT;
	}
	if (e == ERR_ABSENT && s->id && !t->leads)
		holding_lead(t, select_led);
	else if (e)
		task_end(t, e, STR_NONE);
	else
		mailbox_settled_or_parked(t, s->hold.m, select_view);
}

static void select_looked(struct task *t, enum err e)
{
	struct select *s = t->op;

	(void)e;
	if (s->id)
		mailbox_hold_id(t, &s->hold, s->id, s->mailbox, false, select_held);
	else
		mailbox_hold_made(t, &s->hold, s->mailbox, select_held);
}

static void select_account(struct task *t, enum err e)
{
	struct select *s = t->op;

	if (e)
		task_end(t, e, STR_NONE);
	else
		mailbox_look(t,
			s->id ? mailbox_by_id(t->st, s->id) : mailbox_known(t->h, mailbox_canonical(s->mailbox)),
			select_looked);
}

void select_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_ACCOUNT);
	struct select *s;

	if (!t)
		return;
	s = task_op(t, struct select);
	s->mailbox = unpack_str(&t->args);
	s->id = unpack_u64(&t->args);
	s->again = unpack_u8(&t->args);
	s->claim = unpack_u8(&t->args);
	s->sessions = unpack_u32(&t->args);
	s->claims = unpack_u32(&t->args);
	if (task_args_end(t))
		task_account(t, select_account);
}

bool view_answer_read(struct str answer, struct view_answer *a)
{
	struct unpack u = unpack_of(answer);

	a->id = unpack_u64(&u);
	a->lineage = unpack_u64(&u);
	a->path = unpack_str(&u);
	a->name = unpack_str(&u);
	a->recent = unpack_u32(&u);
	return unpack_end(&u);
}

static struct asked *ask_view(struct worker *w, struct str address, struct str mailbox, uint64_t id, bool again,
	bool claim, uint32_t sessions, uint32_t claims)
{
	struct asked *k = ask_new(w, ASKER_ACCOUNT, address, address);

	pack_str(&k->args, mailbox);
	pack_u64(&k->args, id);
	pack_u8(&k->args, again);
	pack_u8(&k->args, claim);
	pack_u32(&k->args, sessions);
	pack_u32(&k->args, claims);
	k->claim = claim;
	return k;
}

struct call *shared_ask(struct shared *sh, asked_tell *tell)
{
	struct asked *k = ask_view(
		sh->w, str_of(sh->address), str_of(sh->name), sh->id, true, false, sh->session_count, sh->claims);

	return ask_send(k, CALL_SELECT, tell, sh);
}

/* The session is gone, but its owner counts it. */
static void select_orphaned(struct asked *k, enum err e, struct str answer)
{
	struct view_answer a;

	if (k->w->store)
		k->w->store->selecting--;
	if (!e && view_answer_read(answer, &a))
		shared_unwatch(k->w, k->to, a.id, k->claim ? UNWATCH_CLAIM : UNWATCH_ONE);
}

static void select_tell(struct asked *k, enum err e, struct str answer)
{
	struct selected *s = NULL;
	struct view_answer a;

	k->w->store->selecting--;
	if (!e && !view_answer_read(answer, &a))
		e = ERR_AGAIN;
	if (!e && (e = shared_select(&s, k->w, str_of(k->address), &a, k->claim)))
		shared_unwatch(k->w, k->to, a.id, k->claim ? UNWATCH_CLAIM : UNWATCH_ONE);
	k->done.select(k->user, e, s);
}

struct call *store_select(
	struct worker *w, const struct account *a, struct str mailbox, bool claim, select_done *done, void *user)
{
	struct asked *k = ask_view(w, str_of(a->address), mailbox, 0, false, claim, 0, 0);

	k->done.select = done;
	k->address = str_dup(str_of(a->address));
	k->orphaned = select_orphaned;
	w->store->selecting++;
	return ask_send(k, CALL_SELECT, select_tell, user);
}

static void wake_tell(struct asked *k, enum err e, struct str answer)
{
	struct dormant *d = k->dormant;
	struct selected *s = NULL;
	struct view_answer a;

	k->w->store->selecting--;
	if (!e && (!view_answer_read(answer, &a) || a.id != d->id))
		e = ERR_AGAIN;
	if (!e && (e = shared_resume(&s, d, &a)))
		shared_unwatch(k->w, k->to, a.id, k->claim ? UNWATCH_CLAIM : UNWATCH_ONE);
	else if (e == ERR_ABSENT)
		e = shared_resume(&s, d, NULL);
	if (e)
		d->again = true;
	else
		dormant_free(d);
	k->done.select(k->user, e, s);
}

struct call *store_wake(struct dormant *d, select_done *done, void *user)
{
	struct str address = str_of(d->account->address);
	struct str name = { d->bytes, d->name_len };
	struct asked *k = ask_view(d->w, address, name, d->id, false, d->claim, 0, 0);

	k->done.select = done;
	k->dormant = d;
	k->orphaned = select_orphaned;
	d->w->store->selecting++;
	return ask_send(k, CALL_SELECT, wake_tell, user);
}

void unwatch_handle(struct worker *w, struct request *rq, struct str args)
{
	struct unpack u = unpack_of(args);
	uint64_t id = unpack_u64(&u);
	uint32_t slot = unpack_u32(&u);
	uint8_t what = unpack_u8(&u);
	struct mailbox *m = w->store ? mailbox_by_id(w->store, id) : NULL;

	(void)rq;
	if (!m || !unpack_end(&u) || slot >= w->workers || !mailbox_watcher(m, slot))
		return;
	if (what == UNWATCH_ALL)
		mailbox_watch(m, slot, INT32_MIN, INT32_MIN);
	else
		mailbox_watch(m, slot, -1, what == UNWATCH_CLAIM ? -1 : 0);
}
