/* store_mailbox.c - the mailboxes of an account: STATUS, LIST, CREATE, SUBSCRIBE, and INBOX, which is made when it is
 * first needed. DELETE and RENAME are store_rename.c's. What a call packs and what its owner makes of it stand together. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/mailbox.h"
#include "storage/path.h"
#include <stdlib.h>
#include <sys/random.h>

#define CREATE_BYTES 8192 /* what a new mailbox may take of the journal */

/* --- making one ---------------------------------------------------------------------------------------------------- */

struct creation {
	struct hold hold;
	struct mailbox *m;
	struct str name;
	const struct name *change;
	task_step *step;
};

static void creation_end(struct task *t, enum err e)
{
	struct creation *c = t->creation;
	struct mailbox *m = c->m;

	if (!e) {
		tree_add(&t->h->tree, c->name, m->seen.head.id, m->seen.head.uidvalidity);
		log_info("store", NULL, "mailbox made account=%s mailbox=\"%s\" uidvalidity=%u", t->h->address, m->name,
			m->seen.head.uidvalidity);
	}
	t->creation = NULL;
	c->step(t, e);
}

/* UIDVALIDITY is the time, and more than any mailbox of the account ever had: so a name made again cannot be taken
 * for what it was (RFC 3501, 2.3.1.1). */
static void head_make(struct mailbox *m, uint32_t highest)
{
	struct state_head *h = &m->seen.head;
	uint32_t now = (uint32_t)store_seconds(m->st);

	*h = (struct state_head){ .generation = 1, .uidnext = 1 };
	while (!h->id || mailbox_by_id(m->st, h->id))
		if (getrandom(&h->id, sizeof(h->id), 0) != sizeof(h->id))
			h->id = 0;
	h->uidvalidity = now > highest ? now : highest + 1;
	m->seen.recent = 1;
}

static void make(struct task *t)
{
	struct creation *c = t->creation;
	struct mailbox *m = c->m = mailbox_make(t->h, c->name);
	struct commit *k = commit_new(t->st, t);
	struct str stem;

	head_make(m, t->h->tree.uidvalidity);
	mailbox_fix(m);
	mailbox_set_id(m);
	m->state = MAILBOX_READY;
	stem = str_of(m->stem);
	entry_make_directory(commit_entry(k), str_cut(stem, 0, (size_t)str_rfind(stem, '/')));
	if (c->change)
		entry_name(commit_entry(k), *c->change, STR_NONE);
	mailbox_put_whole(m, NULL, 0);
	change_head(commit_change(k, m));
	commit_go(k, ENTRY_MAIL, NULL, creation_end);
}

/* Somebody looked for it while it was not there; when that is through there is room for the new one. */
static void looked(struct task *t, enum err e)
{
	struct creation *c = t->creation;

	if (e == ERR_ABSENT) {
		make(t);
		return;
	}
	t->creation = NULL;
	if (!e)
		mailbox_release(&c->hold);
	c->step(t, e ? e : ERR_EXISTS);
}

void mailbox_create(struct task *t, struct str name, const struct name *change, task_step *step)
{
	struct creation *c = arena_new(&t->memory, struct creation);
	struct mailbox *m = mailbox_known(t->h, name);

	c->name = arena_str(&t->memory, name);
	c->change = change;
	c->step = step;
	t->creation = c;
	if (m)
		mailbox_hold(t, &c->hold, m, false, looked);
	else
		make(t);
}

/* --- INBOX ---------------------------------------------------------------------------------------------------------- */

struct inbox {
	struct hold *hold;
	bool led; /* t led its holding before */
	task_step *step;
};

static void inbox_made(struct task *t, enum err e)
{
	struct inbox *i = t->inbox;

	if (!i->led)
		holding_led(t);
	if (e)
		i->step(t, e);
	else
		mailbox_hold_name(t, i->hold, INBOX, false, i->step);
}

static void inbox_lead(struct task *t, enum err e)
{
	if (e || tree_find(&t->h->tree, INBOX))
		inbox_made(t, e);
	else
		mailbox_create(t, INBOX, NULL, inbox_made);
}

static void inbox_looked(struct task *t, enum err e)
{
	struct inbox *i = t->inbox;

	if (e != ERR_ABSENT)
		i->step(t, e);
	else if (i->led)
		inbox_lead(t, OK);
	else
		holding_lead(t, inbox_lead);
}

static void inbox_hold(struct task *t, struct hold *hold, task_step *step)
{
	struct inbox *i = t->inbox = arena_new(&t->memory, struct inbox);

	i->hold = hold;
	i->led = t->leads;
	i->step = step;
	mailbox_hold_name(t, hold, INBOX, false, inbox_looked);
}

void mailbox_hold_made(struct task *t, struct hold *hold, struct str name, task_step *step)
{
	if (mailbox_name_is_inbox(name))
		inbox_hold(t, hold, step);
	else
		mailbox_hold_name(t, hold, name, false, step);
}

/* --- STATUS --------------------------------------------------------------------------------------------------------- */

struct status {
	struct hold hold;
	struct str mailbox;
};

static void status_answer(struct task *t, enum err e)
{
	struct status *s = t->op;
	struct buf answer = { 0 };

	if (!e) {
		const struct mailbox_record *r = &s->hold.m->seen;

		pack_u64(&answer, r->head.id);
		pack_u64(&answer, r->head.clock);
		pack_u64(&answer, r->bytes);
		pack_u32(&answer, r->head.uidvalidity);
		pack_u32(&answer, r->head.uidnext);
		pack_u32(&answer, r->messages);
		pack_u32(&answer, r->recents);
		pack_u32(&answer, r->unseen);
		pack_u32(&answer, r->deleted);
	}
	task_end(t, e, buf_str(&answer));
	buf_free(&answer);
}

static void status_held(struct task *t, enum err e)
{
	struct status *s = t->op;

	if (e)
		task_end(t, e, STR_NONE);
	else
		mailbox_settled(t, s->hold.m, status_answer);
}

static void status_account(struct task *t, enum err e)
{
	struct status *s = t->op;

	if (e)
		task_end(t, e, STR_NONE);
	else
		mailbox_hold_made(t, &s->hold, s->mailbox, status_held);
}

void status_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_ACCOUNT);
	struct status *s;

	if (!t)
		return;
	s = task_op(t, struct status);
	s->mailbox = unpack_str(&t->args);
	if (task_args_end(t))
		task_account(t, status_account);
}

static void status_tell(struct asked *k, enum err e, struct str answer)
{
	struct unpack u = unpack_of(answer);
	struct mailbox_status s = { 0 };

	s.id = unpack_u64(&u);
	s.clock = unpack_u64(&u);
	s.bytes = unpack_u64(&u);
	s.uidvalidity = unpack_u32(&u);
	s.uidnext = unpack_u32(&u);
	s.messages = unpack_u32(&u);
	s.recent = unpack_u32(&u);
	s.unseen = unpack_u32(&u);
	s.deleted = unpack_u32(&u);
	if (!e && !unpack_end(&u))
		e = ERR_AGAIN;
	k->done.status(k->user, e, e ? NULL : &s);
}

struct call *store_status(struct worker *w, const struct account *a, struct str mailbox, status_done *done, void *user)
{
	struct asked *k = ask_as(w, a);

	k->done.status = done;
	pack_str(&k->args, mailbox);
	return ask_send(k, CALL_STATUS, status_tell, user);
}

/* --- LIST ----------------------------------------------------------------------------------------------------------- */

enum { LIST_EXISTS = 1, LIST_HAS_CHILDREN = 2, LIST_SUBSCRIBED = 4 };

/* The mailboxes and the levels above them, which may be none; INBOX is always there. */
static void levels_make(const struct tree *tree, struct tree *all)
{
	tree_add(all, INBOX, 0, 0);
	for (size_t i = 0; i < tree->count; i++) {
		struct str name = str_of(tree->leaves[i].name);
		ptrdiff_t slash;

		tree_add(all, name, 0, 0);
		while ((slash = str_rfind(name, '/')) > 0) {
			name = str_cut(name, 0, (size_t)slash);
			if (tree_find(all, name))
				break;
			tree_add(all, name, 0, 0);
		}
	}
}

static void list_lead(struct task *t, enum err e)
{
	struct tree all = { 0 };
	struct buf answer = { 0 };

	if (!e) {
		levels_make(&t->h->tree, &all);
		pack_u32(&answer, (uint32_t)all.count);
		for (size_t i = 0; i < all.count; i++) {
			struct str name = str_of(all.leaves[i].name);
			const struct leaf *leaf = tree_find(&t->h->tree, name);

			pack_str(&answer, name);
			pack_u8(&answer, (leaf || str_eq(name, INBOX) ? LIST_EXISTS : 0) |
						 (tree_has_below(&all, name) ? LIST_HAS_CHILDREN : 0) |
						 (leaf && leaf->subscribed ? LIST_SUBSCRIBED : 0));
		}
	}
	tree_free(&all);
	task_end(t, e, buf_str(&answer));
	buf_free(&answer);
}

static void list_account(struct task *t, enum err e)
{
	if (e)
		task_end(t, e, STR_NONE);
	else
		holding_lead(t, list_lead);
}

void list_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_ACCOUNT);

	if (t && task_args_end(t))
		task_account(t, list_account);
}

static void list_tell(struct asked *k, enum err e, struct str answer)
{
	struct unpack u = unpack_of(answer);
	uint32_t count = unpack_u32(&u);
	struct mailbox_entry *entries = NULL;

	if (!e && (u.bad || count > answer.len))
		e = ERR_AGAIN;
	if (!e) {
		entries = mem_alloc(count * sizeof(*entries));
		for (uint32_t i = 0; i < count; i++) {
			uint8_t has;

			entries[i].name = unpack_str(&u);
			has = unpack_u8(&u);
			entries[i].exists = has & LIST_EXISTS;
			entries[i].has_children = has & LIST_HAS_CHILDREN;
			entries[i].subscribed = has & LIST_SUBSCRIBED;
		}
	}
	if (!e && !unpack_end(&u))
		e = ERR_AGAIN;
	k->done.list(k->user, e, e ? NULL : entries, e ? 0 : count);
	free(entries);
}

struct call *store_list(struct worker *w, const struct account *a, list_done *done, void *user)
{
	struct asked *k = ask_as(w, a);

	k->done.list = done;
	return ask_send(k, CALL_LIST, list_tell, user);
}

/* --- CREATE --------------------------------------------------------------------------------------------------------- */

struct create {
	struct str name;
};

static void created(struct task *t, enum err e)
{
	task_end(t, e, STR_NONE);
}

static void create_lead(struct task *t, enum err e)
{
	struct create *c = t->op;

	if (!e && (mailbox_name_is_inbox(c->name) || tree_find(&t->h->tree, c->name)))
		e = ERR_EXISTS;
	if (!e && t->h->tree.count >= (size_t)t->st->settings->mailboxes_per_account)
		e = ERR_TOO_BIG;
	if (!e)
		e = journal_room(t->st->journal, ENTRY_MAIL, CREATE_BYTES);
	if (e)
		task_end(t, e, STR_NONE);
	else
		mailbox_create(t, c->name, &t->name, created);
}

static void create_account(struct task *t, enum err e)
{
	struct create *c = t->op;
	struct buf stem = { 0 };

	if (!e)
		e = mailbox_name_check(c->name);
	if (!e)
		e = path_mailbox(&stem, t->address, c->name);
	buf_free(&stem);
	if (e)
		task_end(t, e, STR_NONE);
	else
		holding_lead(t, create_lead);
}

void create_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_ACCOUNT);
	struct create *c;
	struct name name;

	if (!t)
		return;
	c = task_op(t, struct create);
	name = unpack_name(&t->args);
	c->name = unpack_str(&t->args);
	if (task_args_end(t) && task_name(t, name))
		task_account(t, create_account);
}

struct call *store_create(struct worker *w, const struct account *a, struct str mailbox, store_done *done, void *user)
{
	struct asked *k = ask_as(w, a);

	k->done.store = done;
	ask_name(k, name_next(w));
	pack_str(&k->args, mailbox);
	return ask_send(k, CALL_CREATE, asked_store, user);
}

/* --- SUBSCRIBE ------------------------------------------------------------------------------------------------------ */

struct subscribe {
	struct hold hold;
	struct str mailbox;
	bool subscribed;
};

static void subscribe_seen(struct task *t, enum err e)
{
	struct subscribe *s = t->op;
	struct leaf *leaf = tree_find(&t->h->tree, str_of(s->hold.m->name));

	if (!e && leaf)
		leaf->subscribed = s->subscribed;
	task_end(t, e, STR_NONE);
}

static void subscribe_held(struct task *t, enum err e)
{
	struct subscribe *s = t->op;
	struct commit *k;

	if (!e)
		e = journal_room(t->st->journal, ENTRY_SMALL, CREATE_BYTES);
	if (e) {
		task_end(t, e, STR_NONE);
		return;
	}
	k = commit_new(t->st, t);
	change_subscribed(commit_change(k, s->hold.m), s->subscribed);
	commit_go(k, ENTRY_SMALL, NULL, subscribe_seen);
}

static void subscribe_lead(struct task *t, enum err e)
{
	struct subscribe *s = t->op;

	if (e)
		task_end(t, e, STR_NONE);
	else
		mailbox_hold_made(t, &s->hold, s->mailbox, subscribe_held);
}

static void subscribe_account(struct task *t, enum err e)
{
	if (e)
		task_end(t, e, STR_NONE);
	else
		holding_lead(t, subscribe_lead);
}

void subscribe_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_ACCOUNT);
	struct subscribe *s;

	if (!t)
		return;
	s = task_op(t, struct subscribe);
	s->mailbox = unpack_str(&t->args);
	s->subscribed = unpack_u8(&t->args);
	if (task_args_end(t))
		task_account(t, subscribe_account);
}

struct call *store_subscribe(
	struct worker *w, const struct account *a, struct str mailbox, bool subscribed, store_done *done, void *user)
{
	struct asked *k = ask_as(w, a);

	k->done.store = done;
	pack_str(&k->args, mailbox);
	pack_u8(&k->args, subscribed);
	return ask_send(k, CALL_SUBSCRIBE, asked_store, user);
}
