/* store_mail.c - mail coming in: may this address have it, a delivery, an APPEND.
 * The bytes of a short message travel in the call; a long one is a file of the spool, to which the owner makes a link of
 * his own before he promises anything. A delivery is answered when it is durable, an APPEND when it is seen too. */
#include "core/counter.h"
#include "core/log.h"
#include "storage/mailbox.h"
#include "storage/spool.h"
#include <stdlib.h>
#include <unistd.h>

#define ENTRY_MORE 4096 /* bytes of the journal, at most as a rule, for a message besides its own */

COUNTER(deliveries, "store.deliveries", "messages delivered to mailboxes");
COUNTER(appends, "store.appends", "messages put into mailboxes by their account");

/* --- RCPT ----------------------------------------------------------------------------------------------------------- */

struct recipient {
	uint64_t size;
};

/* The account is not there: is its domain? */
static void recipient_domain(struct task *t, enum err e)
{
	task_end(t, e == OK ? ERR_ABSENT : e == ERR_ABSENT ? ERR_DENIED : e, STR_NONE);
}

static void recipient_account(struct task *t, enum err e)
{
	struct recipient *r = t->op;

	if (e == ERR_ABSENT)
		domain_ask(t, domain_of(t->address), recipient_domain);
	else
		task_end(t, e ? e : journal_room(t->st->journal, ENTRY_MAIL, r->size), e ? STR_NONE : t->address);
}

void recipient_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_SYSTEM);
	struct recipient *r;

	if (!t)
		return;
	r = task_op(t, struct recipient);
	r->size = unpack_u64(&t->args);
	if (task_args_end(t))
		task_account(t, recipient_account);
}

static void recipient_tell(struct asked *k, enum err e, struct str answer)
{
	k->done.recipient(k->user, e, answer);
}

/* An address is the owner's business in its canonical form: a worker makes it so before it asks. */
static struct asked *ask_address(struct worker *w, struct str address, enum err *e)
{
	struct arena a = { 0 };
	struct str canonical = STR_NONE;
	struct asked *k;

	*e = account_canonical(address, &a, &canonical, NULL);
	k = ask_new(w, ASKER_SYSTEM, STR_NONE, *e ? STR_NONE : canonical);
	arena_free(&a);
	return k;
}

struct call *store_recipient(struct worker *w, struct str address, uint64_t size, recipient_done *done, void *user)
{
	enum err e;
	struct asked *k = ask_address(w, address, &e);

	k->done.recipient = done;
	if (e)
		return ask_refuse(k, e, recipient_tell, user);
	pack_u64(&k->args, size);
	return ask_send(k, CALL_RECIPIENT, recipient_tell, user);
}

/* --- a message in a call -------------------------------------------------------------------------------------------- */

static uint64_t lines_of(struct str text)
{
	uint64_t lines = 0;

	while (text.len) {
		ptrdiff_t lf = str_find(text, '\n');

		if (lf < 0)
			break;
		lines++;
		text = str_cut(text, (size_t)lf + 1, text.len);
	}
	return lines;
}

static void draft_pack(struct buf *out, const struct draft *d, struct str before)
{
	const struct form_size *size = draft_size(d);

	pack_str(out, before);
	pack_u64(out, size->stored + before.len);
	pack_u64(out, size->wire + before.len + lines_of(before));
	pack_u64(out, size->header + before.len);
	pack_str(out, draft_file(d));
	pack_str(out, draft_bytes(d));
}

struct arrival { /* a message at its owner */
	struct incoming in;
	struct str file; /* the draft's; "" : the bytes came along */
	struct buf link; /* ours to it */
	bool linked;
	task_step *step;
	enum err failed;
	struct hold hold;
};

static bool draft_unpack(struct unpack *u, struct arrival *a)
{
	a->in.before = unpack_str(u);
	a->in.stored = unpack_u64(u);
	a->in.wire = unpack_u64(u);
	a->in.header = unpack_u64(u);
	a->file = unpack_str(u);
	a->in.bytes = unpack_str(u);
	return a->in.stored <= UINT32_MAX && a->in.wire <= UINT32_MAX && a->in.header <= a->in.stored &&
	       a->in.stored >= a->in.before.len && (a->file.len || a->in.stored == a->in.before.len + a->in.bytes.len);
}

static enum err link_make(struct task *t)
{
	struct arrival *a = t->op;

	return spool_link(t->st->w->directory, a->file, buf_data(&a->link));
}

static enum err link_drop(struct task *t)
{
	struct arrival *a = t->op;

	unlinkat(t->st->w->directory, buf_data(&a->link), 0);
	return OK;
}

static void linked(struct task *t, enum err e)
{
	struct arrival *a = t->op;

	a->linked = !e;
	a->in.spool = str_of(buf_data(&a->link));
	a->step(t, e == ERR_ABSENT ? ERR_AGAIN : e); /* the asker went away */
}

/* The mailbox is held: may it have the message now? */
static enum err arrival_room(const struct task *t)
{
	const struct arrival *a = t->op;

	if (a->hold.held && a->hold.m->uidnext == UINT32_MAX)
		return ERR_NEVER;
	return journal_room(t->st->journal, ENTRY_MAIL, a->in.stored + ENTRY_MORE);
}

/* Goes on when there is room for it and the bytes are ours. */
static void arrival_take(struct task *t, task_step *step)
{
	struct arrival *a = t->op;
	enum err e = arrival_room(t);

	a->step = step;
	if (e || !a->file.len) {
		step(t, e);
		return;
	}
	spool_name(t->st->w, &a->link);
	task_in_lane(t, t->st->w->files, link_make, linked);
}

static void parted(struct task *t, enum err e)
{
	struct arrival *a = t->op;

	(void)e;
	buf_free(&a->link);
	task_end(t, a->failed, STR_NONE);
}

/* What was not appended leaves no link behind. */
static void arrival_fail(struct task *t, enum err e)
{
	struct arrival *a = t->op;

	a->failed = e;
	if (a->linked)
		task_in_lane(t, t->st->w->files, link_drop, parted);
	else
		parted(t, OK);
}

/* --- deliveries ------------------------------------------------------------------------------------------------------ */

static void deliver_synced(struct task *t, enum err e)
{
	struct arrival *a = t->op;

	if (e) {
		arrival_fail(t, e);
		return;
	}
	counter_add(&deliveries, 1);
	buf_free(&a->link);
	task_end(t, OK, STR_NONE);
}

static void deliver_held(struct task *t, enum err e)
{
	struct arrival *a = t->op;
	struct commit *k;
	uint32_t uid;

	if (!e)
		e = arrival_room(t); /* others took it meanwhile: a change that fails costs more than one not begun */
	if (e) {
		arrival_fail(t, e == ERR_NEVER ? ERR_AGAIN : e); /* whoever mends the mailbox gets the mail then */
		return;
	}
	a->in.date = store_seconds(t->st);
	k = commit_new(t->st, t);
	uid = change_append(commit_change(k, a->hold.m), &a->in);
	entry_name(commit_entry(k), t->name, STR_NONE);
	log_debug("store", NULL, "delivery account=" STR_FMT " uid=%u bytes=%u", STR_ARG(t->address), uid,
		(unsigned)a->in.stored);
	commit_go(k, ENTRY_MAIL, deliver_synced, NULL);
}

static void deliver_taken(struct task *t, enum err e)
{
	struct arrival *a = t->op;

	if (e)
		arrival_fail(t, e);
	else
		mailbox_hold_made(t, &a->hold, STR("INBOX"), deliver_held);
}

static void deliver_account(struct task *t, enum err e)
{
	if (e)
		task_end(t, e, STR_NONE);
	else
		arrival_take(t, deliver_taken);
}

void deliver_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_SYSTEM);
	struct arrival *a;
	struct name name;

	if (!t)
		return;
	a = task_op(t, struct arrival);
	name = unpack_name(&t->args);
	a->in.sender = unpack_str(&t->args);
	if (!draft_unpack(&t->args, a))
		t->args.bad = true;
	if (task_args_end(t) && task_name(t, name))
		task_account(t, deliver_account);
}

struct call *store_deliver(struct worker *w, const struct delivery *d, store_done *done, void *user)
{
	struct asked *k = ask_new(w, ASKER_SYSTEM, STR_NONE, d->account);

	k->done.store = done;
	ask_name(k, d->name);
	pack_str(&k->args, d->sender);
	draft_pack(&k->args, d->draft, d->trace);
	return ask_send(k, CALL_DELIVER, asked_store, user);
}

/* --- APPEND ---------------------------------------------------------------------------------------------------------- */

struct append_op {
	struct arrival arrival; /* first: t->op is both */
	struct str mailbox;
	struct flag_words words;
	struct buf answer;
};

static void append_seen(struct task *t, enum err e)
{
	struct append_op *o = t->op;
	struct buf answer = o->answer;

	if (e) {
		buf_free(&answer);
		arrival_fail(t, e);
		return;
	}
	counter_add(&appends, 1);
	buf_free(&o->arrival.link);
	task_end(t, OK, buf_str(&answer));
	buf_free(&answer);
}

static void append_held(struct task *t, enum err e)
{
	struct append_op *o = t->op;
	struct incoming *in = &o->arrival.in;
	struct mailbox *m = o->arrival.hold.m;
	struct commit *k;

	if (!e)
		e = arrival_room(t);
	if (!e)
		e = words_resolve(m, &o->words, true, &in->keywords);
	if (e) {
		arrival_fail(t, e);
		return;
	}
	in->flags = o->words.flags;
	if (!in->date)
		in->date = store_seconds(t->st);
	pack_u64(&o->answer, m->seen.head.id);
	pack_u32(&o->answer, m->seen.head.uidvalidity);
	k = commit_new(t->st, t);
	pack_u32(&o->answer, change_append(commit_change(k, m), in));
	entry_name(commit_entry(k), t->name, buf_str(&o->answer));
	commit_go(k, ENTRY_MAIL, NULL, append_seen);
	mailbox_release(&o->arrival.hold);
}

static void append_taken(struct task *t, enum err e)
{
	struct append_op *o = t->op;

	if (e)
		arrival_fail(t, e);
	else
		mailbox_hold_made(t, &o->arrival.hold, o->mailbox, append_held);
}

static void append_account(struct task *t, enum err e)
{
	if (e)
		task_end(t, e, STR_NONE);
	else
		arrival_take(t, append_taken);
}

void append_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_ACCOUNT);
	struct append_op *o;
	struct name name;

	if (!t)
		return;
	o = task_op(t, struct append_op);
	name = unpack_name(&t->args);
	o->mailbox = unpack_str(&t->args);
	o->arrival.in.date = (int64_t)unpack_u64(&t->args);
	words_unpack(t, &o->words);
	if (!draft_unpack(&t->args, &o->arrival))
		t->args.bad = true;
	if (task_args_end(t) && task_name(t, name))
		task_account(t, append_account);
}

static void append_tell(struct asked *k, enum err e, struct str answer)
{
	struct unpack u = unpack_of(answer);
	uint32_t uidvalidity, uid;

	unpack_u64(&u); /* the mailbox's id */
	uidvalidity = unpack_u32(&u);
	uid = unpack_u32(&u);
	if (!e && !unpack_end(&u))
		e = ERR_AGAIN;
	k->done.append(k->user, e, uidvalidity, uid);
}

struct call *store_append(
	struct worker *w, const struct account *a, const struct append *ap, append_done *done, void *user)
{
	struct asked *k = ask_as(w, a);

	k->done.append = done;
	k->fresh = true;
	ask_name(k, name_next(w));
	pack_str(&k->args, ap->mailbox);
	pack_u64(&k->args, (uint64_t)ap->date);
	words_pack(&k->args, &ap->flags);
	draft_pack(&k->args, ap->draft, STR_NONE);
	return ask_send(k, CALL_APPEND, append_tell, user);
}
