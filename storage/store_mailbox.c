/* store_mailbox.c - the mailboxes of an account: STATUS, CREATE, and INBOX, which is made when it is first needed.
 * LIST is store_list.c's, DELETE and RENAME are store_rename.c's. What a call packs and what its owner makes of it stand
 * together. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include "storage/path.h"
#include <stdlib.h>
#include <sys/random.h>

/* --- making one ---------------------------------------------------------------------------------------------------- */

struct creation {
	struct hold hold;
	struct mailbox *m;
	struct str name;
	const struct name *change;
	unsigned uses;
	struct labels labels; /* as they will be */
	task_step *step;
};

/* UIDVALIDITY is the time, and more than any mailbox of the account ever had: so a name made again cannot be taken
 * for what it was (RFC 3501, 2.3.1.1). */
static void head_make(struct mailbox *m, uint32_t highest)
{
	struct state_head *h = &m->seen.head;
	uint32_t now = (uint32_t)store_seconds(m->st);

	*h = (struct state_head){ .generation = 1, .uidnext = 1, .mdir = m->st->settings->format == FORMAT_MDIR };
	while (!h->id || mailbox_by_id(m->st, h->id))
		if (getrandom(&h->id, sizeof(h->id), 0) != sizeof(h->id))
			h->id = 0;
	h->uidvalidity = now > highest ? now : highest + 1;
	m->seen.recent = 1;
}

struct mailbox *mailbox_begin(struct holding *h, struct str name)
{
	struct mailbox *m = mailbox_make(h, name);

	head_make(m, h->tree.uidvalidity);
	mailbox_fix(m);
	mailbox_set_id(m);
	m->state = MAILBOX_READY;
	return m;
}

struct change *mailbox_files(struct commit *k, struct mailbox *m)
{
	struct str stem = str_of(m->stem);
	struct change *c;

	entry_make_directory(commit_entry(k), str_cut(stem, 0, (size_t)str_rfind(stem, '/')));
	mailbox_put_whole(m, NULL, 0);
	c = commit_change(k, m);
	change_head(c, m->uidnext);
	return c;
}

void mailbox_made(struct mailbox *m)
{
	tree_add(&m->h->tree, str_of(m->name), m->seen.head.id, m->seen.head.uidvalidity);
	log_info("store", NULL, "mailbox made account=%s mailbox=\"%s\" uidvalidity=%u", m->h->address, m->name,
		m->seen.head.uidvalidity);
}

static void creation_end(struct task *t, enum err e)
{
	struct creation *c = t->creation;

	if (!e) {
		mailbox_made(c->m);
		if (c->uses)
			labels_take(t->h, &c->labels);
	}
	labels_free(&c->labels);
	t->creation = NULL;
	c->step(t, e);
}

static void make(struct task *t)
{
	struct creation *c = t->creation;
	struct commit *k = commit_new(t->st, t);

	c->m = mailbox_begin(t->h, c->name);
	if (c->change)
		entry_name(commit_entry(k), *c->change, STR_NONE);
	if (c->uses) {
		c->labels = labels_copy(&t->h->tree.labels);
		labels_use(&c->labels, c->name, c->uses);
		labels_put(t->h, commit_entry(k), &c->labels);
	}
	mailbox_files(k, c->m);
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

void mailbox_create(struct task *t, struct str name, unsigned uses, const struct name *change, task_step *step)
{
	struct creation *c = arena_new(&t->memory, struct creation);
	struct mailbox *m = mailbox_known(t->h, name);

	c->name = arena_str(&t->memory, name);
	c->uses = uses;
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
		mailbox_create(t, INBOX, 0, NULL, inbox_made);
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
		mailbox_settled_or_parked(t, s->hold.m, status_answer);
}

static void status_looked(struct task *t, enum err e)
{
	struct status *s = t->op;

	(void)e;
	mailbox_hold_made(t, &s->hold, s->mailbox, status_held);
}

static void status_account(struct task *t, enum err e)
{
	struct status *s = t->op;

	if (e)
		task_end(t, e, STR_NONE);
	else
		mailbox_look(t, mailbox_known(t->h, mailbox_canonical(s->mailbox)), status_looked);
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

/* --- CREATE --------------------------------------------------------------------------------------------------------- */

struct create {
	struct str name;
	unsigned uses;
};

static unsigned levels(struct str name)
{
	unsigned count = 1;

	for (size_t i = 0; i < name.len; i++)
		count += name.p[i] == '/';
	return count;
}

enum err mailbox_name_allowed(const struct holding *h, struct str name, struct buf *stem)
{
	const struct store_conf *settings = h->st->settings;
	enum err e = mailbox_name_check(name);

	if (e)
		return e;
	if (name.len > (size_t)settings->mailbox_name_max || levels(name) > settings->mailbox_depth_max)
		return ERR_TOO_BIG;
	return path_mailbox(stem, str_of(h->address), name);
}

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
	if (!e && c->uses & uses_taken(t->h))
		e = ERR_DENIED;
	if (!e)
		e = journal_room(t->st->journal, ENTRY_MAIL, MAILBOX_CREATE_BYTES + labels_bytes(t->h));
	if (e)
		task_end(t, e, STR_NONE);
	else
		mailbox_create(t, c->name, c->uses, &t->name, created);
}

static void create_account(struct task *t, enum err e)
{
	struct create *c = t->op;
	struct buf stem = { 0 };

	if (!e)
		e = mailbox_name_allowed(t->h, c->name, &stem);
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
	c->uses = unpack_u32(&t->args);
	if (task_args_end(t) && task_name(t, name))
		task_account(t, create_account);
}

struct call *store_create(
	struct worker *w, const struct account *a, struct str mailbox, unsigned uses, store_done *done, void *user)
{
	struct asked *k = ask_as(w, a);

	k->done.store = done;
	ask_name(k, name_next(w));
	pack_str(&k->args, mailbox);
	pack_u32(&k->args, uses);
	return ask_send(k, CALL_CREATE, asked_store, user);
}
