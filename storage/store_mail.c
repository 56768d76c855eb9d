/* store_mail.c - mail coming in: may this address have it, and a delivery, which is answered when it is durable. */
#include "core/counter.h"
#include "core/log.h"
#include "storage/arrival.h"
#include "storage/mailbox/mailbox.h"

COUNTER(deliveries, "store.deliveries", "messages delivered to mailboxes");

/* --- RCPT ----------------------------------------------------------------------------------------------------------- */

struct recipient {
	uint64_t size;
};

/* The account is not there: is its domain? */
static void recipient_domain(struct task *t, enum err e)
{
	task_end(t, e == OK ? ERR_ABSENT : e == ERR_ABSENT ? ERR_DENIED : e, STR_NONE);
}

static void recipient_room(struct task *t, enum err e)
{
	const struct recipient *r = t->op;

	if (!e)
		e = quota_allows(t->h, r->size ? r->size : 1, 1);
	if (!e)
		e = journal_room(t->st->journal, ENTRY_MAIL, r->size);
	task_end(t, e, e ? STR_NONE : t->address);
}

static void recipient_account(struct task *t, enum err e)
{
	if (e == ERR_ABSENT)
		domain_ask(t, domain_of(t->address), recipient_domain);
	else if (e)
		task_end(t, e, STR_NONE);
	else
		quota_ask(t, false, recipient_room);
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

/* --- deliveries ------------------------------------------------------------------------------------------------------ */

struct deliver_op {
	struct arrivals arrivals; /* first: t->op is both */
	struct arrival one;
	bool noticed; /* quota_notice */
};

static void deliver_synced(struct task *t, enum err e)
{
	const struct deliver_op *o = t->op;

	if (e) {
		t->h->settings.quota_warned ^= o->noticed;
		arrivals_fail(t, e);
		return;
	}
	counter_add(&deliveries, 1);
	arrivals_done(t);
	task_end(t, OK, t->answer);
}

static void deliver_held(struct task *t, enum err e)
{
	struct deliver_op *o = t->op;
	struct incoming *in = &o->one.in;
	struct buf answer = { 0 };
	struct commit *k;
	struct change *c;
	uint32_t uid;

	if (!e)
		e = quota_allows(t->h, in->wire, 1);
	if (!e)
		e = arrivals_room(t); /* others took it meanwhile: a change that fails costs more than one not begun */
	if (e) {
		arrivals_fail(t, e == ERR_NEVER ? ERR_AGAIN : e); /* whoever mends the mailbox gets the mail then */
		return;
	}
	in->date = store_seconds(t->st);
	k = commit_new(t->st, t);
	c = commit_change(k, o->arrivals.hold.m);
	uid = change_append(c, in);
	if (quota_is_limited(t->h))
		o->noticed = quota_notice(t, k, c, in->wire);
	pack_u32(&answer, uid);
	t->answer = arena_str(&t->memory, buf_str(&answer));
	buf_free(&answer);
	entry_name(commit_entry(k), t->name, t->answer);
	log_debug("store", NULL, "delivery account=" STR_FMT " uid=%u bytes=%u", STR_ARG(t->address), uid,
		(unsigned)in->stored);
	commit_go(k, ENTRY_MAIL, deliver_synced, NULL);
}

static void deliver_taken(struct task *t, enum err e)
{
	struct deliver_op *o = t->op;

	if (e)
		arrivals_fail(t, e);
	else
		mailbox_hold_made(t, &o->arrivals.hold, INBOX, deliver_held);
}

static void deliver_counted(struct task *t, enum err e)
{
	if (e)
		task_end(t, e, STR_NONE);
	else
		arrivals_take(t, deliver_taken);
}

static void deliver_account(struct task *t, enum err e)
{
	if (e)
		task_end(t, e, STR_NONE);
	else
		quota_ask(t, false, deliver_counted);
}

void deliver_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_SYSTEM);
	struct deliver_op *o;
	struct name name;

	if (!t)
		return;
	o = task_op(t, struct deliver_op);
	t->writes = true;
	o->arrivals.list = &o->one;
	o->arrivals.count = 1;
	name = unpack_name(&t->args);
	t->keeps = unpack_u8(&t->args);
	o->one.in.sender = unpack_str(&t->args);
	arrival_unpack(&t->args, &o->one);
	if (task_args_end(t) && task_name(t, name))
		task_account(t, deliver_account);
}

static void deliver_tell(struct asked *k, enum err e, struct str answer)
{
	struct unpack u = unpack_of(answer);

	k->done.deliver(k->user, e, unpack_u32(&u));
}

struct call *store_deliver(struct worker *w, const struct delivery *d, deliver_done *done, void *user)
{
	struct asked *k = ask_new(w, ASKER_SYSTEM, STR_NONE, d->account);

	k->done.deliver = done;
	ask_name(k, d->name);
	k->lasts = d->kept;
	pack_u8(&k->args, d->kept);
	pack_str(&k->args, d->sender);
	arrival_pack(&k->args, d->draft, d->trace);
	return ask_send(k, CALL_DELIVER, deliver_tell, user);
}
