/* smtp_deliver.c - a message that is whole goes to the accounts here that are to have it, with its trace before it; what
 * cannot be delivered at once goes into the queue (smtp_queue.c); then the client hears of it.
 * The reply waits until every target is durable, in its owner's journal or in our queue. SMTP has one reply for all: it
 * is 250 unless the queue could not take its part, for then the client's next try brings the message to the others again:
 * better twice than lost (RFC 5321, 6.1). An account that can never have it among others that have it is the queue's
 * business, too: it will write to the sender. LMTP replies for each recipient (RFC 2033, 4.2). Deliveries carry the
 * message's bytes, so only a few of one message are under way at a time. */
#include "core/counter.h"
#include "core/log.h"
#include "core/log_print.h"
#include "protocols/smtp/smtp_session.h"

#define DELIVERIES_MAX 32 /* under way at a time, of one message */

COUNTER(smtp_messages, "smtp.messages", "messages taken in by SMTP and LMTP");
COUNTER(smtp_bytes, "smtp.bytes", "bytes of these on the wire");

/* --- deliveries -------------------------------------------------------------------------------------------------- */

static void delivered(void *user, enum err e, uint32_t uid);

static void deliver(struct smtp *s, struct smtp_target *t)
{
	struct str sender = t->sender.len ? t->sender : s->sender;
	struct delivery d = { .account = t->address, .sender = sender, .draft = s->draft };
	struct buf trace = { 0 };

	buf_printf(&trace, "Return-Path: <" STR_FMT ">\nDelivered-To: " STR_FMT "\n" STR_FMT, STR_ARG(sender),
		STR_ARG(smtp_delivered_to(s, t)), STR_ARG(s->received));
	d.trace = buf_str(&trace);
	d.name = t->name = name_arriving(s->worker);
	t->call = store_deliver(s->worker, &d, delivered, t);
	buf_free(&trace);
}

static bool goes_at_once(const struct smtp_target *t)
{
	return t->kind == ROUTE_LOCAL && !t->queued && !t->spared && !t->same;
}

void smtp_deliver_rest(struct smtp *s, void (*step)(void *user))
{
	chore_start(s->worker->chores, &s->chore, step, s);
}

void smtp_deliver_met(struct smtp *s, struct smtp_target *t, uint64_t hash)
{
	if (!s->met.count)
		table_room(&s->met, s->target_count);
	table_add(&s->met, &t->met, hash);
}

static void deliver_more(void *user)
{
	struct smtp *s = user;

	for (unsigned i = 0; s->started < s->target_count && s->started - s->delivered < DELIVERIES_MAX; i++) {
		struct smtp_target *t = &s->targets[s->started];

		if (i == SMTP_STEP) {
			smtp_deliver_rest(s, deliver_more);
			return;
		}
		s->started++;
		if (goes_at_once(t))
			deliver(s, t);
		else
			s->delivered++;
	}
	if (s->delivered == s->target_count) {
		table_free(&s->met);
		smtp_queue(s);
	}
}

static void delivered(void *user, enum err e, uint32_t uid)
{
	struct smtp_target *t = user;

	t->call = NULL;
	t->outcome = e;
	t->uid = uid;
	t->smtp->delivered++;
	deliver_more(t->smtp);
}

void smtp_deliver_drop(struct smtp *s)
{
	for (size_t i = 0; i < s->started; i++) {
		call_cancel(s->targets[i].call);
		s->targets[i].call = NULL;
	}
	s->started = s->delivered = 0;
	chore_stop(s->worker->chores, &s->chore);
	table_free(&s->met);
	smtp_queue_drop(s);
}

/* --- before them ------------------------------------------------------------------------------------------------- */

/* A report on success is made of an item of the queue; what is to be held is held there (RFC 3461, 4.1; RFC 4865). */
static bool waits(const struct smtp *s, const struct smtp_target *t)
{
	return t->kind != ROUTE_DISCARD && !t->spared &&
	       (t->kind != ROUTE_LOCAL || s->recipients[t->recipient].notify & NOTIFY_SUCCESS ||
		       s->mail.hold_until > s->arrived_s);
}

/* Who is named twice, or is in a group besides, has the message once. */
static void spare_double(struct smtp *s, struct smtp_target *t)
{
	uint64_t hash = str_hash(t->address);

	for (struct table_node *n = table_first(&s->met, hash); n; n = table_next(n)) {
		const struct smtp_target *other = container_of(n, struct smtp_target, met);

		if (str_eq(other->address, t->address) &&
			str_eq(smtp_delivered_to(s, other), smtp_delivered_to(s, t))) {
			t->same = other;
			return;
		}
	}
	smtp_deliver_met(s, t, hash);
}

static void prepare_step(void *user)
{
	struct smtp *s = user;

	for (unsigned i = 0; i < SMTP_STEP && s->at < s->target_count; i++) {
		struct smtp_target *t = &s->targets[s->at++];

		t->queued = waits(s, t);
		if (s->target_count > 1 && goes_at_once(t))
			spare_double(s, t);
	}
	if (s->at < s->target_count)
		smtp_deliver_rest(s, prepare_step);
	else
		deliver_more(s);
}

void smtp_deliver(struct smtp *s)
{
	s->received = smtp_received(s);
	s->at = 0;
	prepare_step(s);
}

/* --- and what came of them --------------------------------------------------------------------------------------- */

static void reply_outcome(struct smtp *s, const struct smtp_recipient *r, enum err e)
{
	if (r->looped) {
		smtp_reply(s, "554 5.4.6 <" STR_FMT "> had the message before: a loop", STR_ARG(r->address));
		return;
	}
	switch (e) {
	case OK:
		smtp_reply(s, "250 2.0.0 %s %s", s->puts ? "taken" : "delivered", s->id);
		break;
	case ERR_ABSENT:
		smtp_reply(s, "550 5.1.1 <" STR_FMT "> is not known here any more", STR_ARG(r->address));
		break;
	case ERR_FULL:
		smtp_reply(s, "552 5.2.2 <" STR_FMT "> has no room", STR_ARG(r->address));
		break;
	case ERR_MISTAKE:
		smtp_reply(s, "554 5.3.0 mail to <" STR_FMT "> cannot be kept in the queue", STR_ARG(r->address));
		break;
	default:
		if (queue_room(s->worker->queue, draft_size(s->draft)->stored))
			smtp_reply(s, "452 4.3.1 there is no room for mail to <" STR_FMT ">, try again",
				STR_ARG(r->address));
		else
			smtp_reply(s, "451 4.3.0 <" STR_FMT "> could not be delivered to now, try again",
				STR_ARG(r->address));
	}
}

/* For one reply to several: who has not got it for good is worse than who has, and who may get it yet is the worst. */
static int badness(enum err e)
{
	return e == OK ? 0 : e == ERR_ABSENT || e == ERR_FULL || e == ERR_MISTAKE ? 1 : 2;
}

static enum err worse(enum err a, enum err b)
{
	return badness(b) > badness(a) ? b : a;
}

static void log_target(const struct smtp *s, const struct smtp_target *t)
{
	const struct smtp_recipient *r = &s->recipients[t->recipient];
	const char *as = t->kind == ROUTE_LOCAL ? "account" : "as";
	struct buf about = { 0 };

	log_print(&about, "from=<" STR_FMT "> to=<" STR_FMT ">", STR_ARG(s->sender), STR_ARG(r->address));
	if (!str_eq(t->address, r->address))
		log_print(&about, " %s=<" STR_FMT ">", as, STR_ARG(t->address));
	if (t->put)
		log_print(&about, " queue=%s", queue_id_print((char[QUEUE_ID_SIZE]){ 0 }, t->put->id));
	else if (t->uid)
		log_print(&about, " uid=%u", t->uid);
	log_print(&about, " size=%llu peer=%s", (unsigned long long)draft_size(s->draft)->wire, conn_peer(s->conn));
	/* As whom the sender knows the message and the recipient is of use to whoever looks for one (RFC 3461, 4). */
	if (s->mail.envid.len)
		log_print(&about, " envid=" STR_FMT, STR_ARG(s->mail.envid));
	if (r->orcpt.len)
		log_print(&about, " orcpt=" STR_FMT, STR_ARG(r->orcpt));
	if (buf_len(&s->watch.message_id))
		log_print(&about, " message_id=<" STR_FMT ">", STR_ARG(buf_str(&s->watch.message_id)));
	if (t->outcome)
		log_info("smtp", s->id, "not delivered " STR_FMT " reason=\"%s\"", STR_ARG(buf_str(&about)),
			err_text(t->outcome));
	else
		log_info("smtp", s->id, "%s " STR_FMT,
			t->kind == ROUTE_DISCARD ? "discarded"
			: t->spared              ? "had before"
			: t->put                 ? "queued"
						 : "delivered",
			STR_ARG(buf_str(&about)));
	buf_free(&about);
}

/* A copy of all mail that could not be kept now keeps the message from everybody: it is wanted of all. */
static enum err of_copies(const struct smtp *s)
{
	enum err e = OK;

	for (size_t i = 0; i < s->recipient_count; i++) {
		const struct smtp_recipient *r = &s->recipients[i];

		for (size_t k = r->targets; r->hidden && k < r->targets + r->count; k++)
			if (badness(s->targets[k].outcome) == 2)
				e = s->targets[k].outcome;
	}
	return e;
}

static void target_end(struct smtp *s, struct smtp_target *t)
{
	if (t->same) {
		t->outcome = t->same->outcome;
		t->uid = t->same->uid;
		t->put = t->same->put;
	}
	s->end.own = worse(s->end.own, t->outcome);
	log_target(s, t);
}

static void recipient_end(struct smtp *s, const struct smtp_recipient *r)
{
	if (r->hidden)
		return;
	if (s->lmtp)
		reply_outcome(s, r, s->end.own);
	if (badness(s->end.own) > badness(s->end.worst)) {
		s->end.worst = s->end.own;
		s->end.loser = r;
	}
}

static void message_end(struct smtp *s)
{
	if (!s->lmtp)
		reply_outcome(s, s->end.loser, s->end.worst);
	if (s->end.worst == OK) {
		smtp_expanded(s);
		counter_add(&smtp_messages, 1);
		counter_add(&smtp_bytes, draft_size(s->draft)->wire);
		s->errors = 0; /* who brings mail may err again */
	}
	smtp_reset(s);
	smtp_resume(s, DONE);
}

/* Recipient by recipient; their targets lie in the same order. */
static void end_step(void *user)
{
	struct smtp *s = user;

	for (unsigned i = 0; i < SMTP_STEP && s->end.recipient < s->recipient_count; i++) {
		const struct smtp_recipient *r = &s->recipients[s->end.recipient];

		if (s->at == r->targets)
			s->end.own = r->looped ? ERR_NEVER : s->end.copies;
		if (s->at < r->targets + r->count)
			target_end(s, &s->targets[s->at++]);
		if (s->at < r->targets + r->count)
			continue;
		recipient_end(s, r);
		s->end.recipient++;
	}
	if (s->end.recipient < s->recipient_count)
		smtp_deliver_rest(s, end_step);
	else
		message_end(s);
}

void smtp_deliver_end(struct smtp *s)
{
	s->at = 0;
	s->end.recipient = 0;
	s->end.worst = OK;
	s->end.copies = of_copies(s);
	s->end.loser = s->recipients;
	end_step(s);
}
