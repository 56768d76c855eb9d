/* local.c - the transport to accounts here: what their owners could not take when it came, and what lists and reports
 * bring. It is stored as mail that comes by SMTP is.
 *
 * A delivery bears a name made of the message's id and the item's number, the same at each try and after a crash. Its owner
 * remembers it until the item's end is durable (local_forget), so each is delivered once however often it is asked for.
 * What a session tried before it came here bears the name of that try, which is kept in mind as well. */
#include "core/log.h"
#include "core/mem.h"
#include "protocols/sending/sending_inside.h"
#include "storage/mail/form.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define DELIVERIES_MAX 32    /* of one message under way at a time */
#define PIECES_MAX     8     /* read in a turn */
#define IDLE_MS        10000 /* so long a session stays without anything to do */

struct tried {                  /* the name of a delivery that was made, of an item that is still open */
	struct table_node node; /* by message */
	const struct queue_item *item;
	struct name name;
};

struct delivering { /* one recipient */
	struct transport_session *session;
	struct call *call;
};

struct transport_session {
	struct worker *w;
	struct sending_session *ours;
	struct timer timer;
	struct transaction *transaction;
	struct draft *draft;
	uint64_t at;    /* of the message's bytes, those read */
	struct buf raw; /* read, and not yet fed */
	bool at_line_start;
	struct delivering *deliveries;
	size_t started, ended;
};

static void draft_drop(struct transport_session *t)
{
	draft_free(t->draft);
	t->draft = NULL;
	buf_free(&t->raw);
	free(t->deliveries);
	t->deliveries = NULL;
}

static void session_free(struct transport_session *t)
{
	timer_stop(t->w->timers, &t->timer);
	for (size_t i = 0; t->deliveries && i < t->started; i++)
		call_cancel(t->deliveries[i].call);
	draft_drop(t);
	free(t);
}

/* --- the outcome --------------------------------------------------------------------------------------------------- */

static void next(void *user);

static void tell(struct transport_session *t, size_t i, enum err e, uint32_t uid)
{
	struct outcome o = { .kind = OUTCOME_REFUSED, .diagnostic_type = STR("x-postern") };
	char words[64];

	switch (e) {
	case OK:
		snprintf(words, sizeof(words), "delivered uid=%u", uid);
		o.kind = OUTCOME_DELIVERED;
		o.status = STR("2.0.0");
		o.reply = str_of(words);
		break;
	case ERR_ABSENT:
	case ERR_DENIED:
		o.status = STR("5.1.1");
		o.reply = STR("there is no such account here");
		break;
	case ERR_FULL:
		o.status = STR("5.2.2");
		o.reply = STR("the account has no room for it");
		break;
	case ERR_AGAIN:
		o.kind = OUTCOME_DEFERRED;
		o.status = STR("4.2.0"); /* the mailbox's, not the host's: others may well be delivered to */
		o.reply = STR("the account cannot take mail now");
		break;
	default:
		o.kind = OUTCOME_DEFERRED;
		o.status = STR("4.2.0");
		o.reply = STR("the message cannot be stored");
	}
	sending_tell(t->ours, t->transaction, i, &o);
}

static void transaction_over(struct transport_session *t)
{
	struct transaction *done = t->transaction;

	draft_drop(t);
	t->transaction = NULL;
	sending_done(t->ours, done);
	timer_start(t->w->timers, &t->timer, 0, next, t);
}

static void tell_all(struct transport_session *t, enum err e)
{
	for (size_t i = 0; i < t->transaction->count; i++)
		tell(t, i, e, 0);
	transaction_over(t);
}

/* --- deliveries ---------------------------------------------------------------------------------------------------- */

static struct name name_of(const struct queue_copy *c, const struct queue_recipient *r)
{
	return r->tried.life ? r->tried : name_lasting(c->id, r->number);
}

static void tried_add(struct sending *s, const struct queue_item *item, struct name name)
{
	struct tried *t = mem_new(struct tried);

	t->item = item;
	t->name = name;
	table_add(&s->tried, &t->node, item->message->id);
}

static struct tried *tried_find(const struct sending *s, const struct queue_item *item)
{
	for (struct table_node *n = table_first(&s->tried, item->message->id); n; n = table_next(n)) {
		struct tried *t = container_of(n, struct tried, node);

		if (t->item == item)
			return t;
	}
	return NULL;
}

void local_free(struct sending *s)
{
	for (struct table_node *n; (n = table_any(&s->tried));) {
		table_remove(&s->tried, n);
		free(container_of(n, struct tried, node));
	}
	table_free(&s->tried);
}

static void deliver_more(struct transport_session *t);

static void delivered(void *user, enum err e, uint32_t uid)
{
	struct delivering *d = user;
	struct transport_session *t = d->session;
	size_t i = (size_t)(d - t->deliveries);
	const struct transaction_recipient *r = &t->transaction->recipients[i];

	d->call = NULL;
	t->ended++;
	if (!e) {
		r->item->place = store_owner_of(t->w, r->recipient->address) + 1;
		if (r->recipient->tried.life && !tried_find(t->w->sending, r->item))
			tried_add(t->w->sending, r->item, r->recipient->tried);
	}
	tell(t, i, e, uid);
	deliver_more(t);
}

static void deliver(struct transport_session *t, size_t i)
{
	const struct queue_recipient *r = t->transaction->recipients[i].recipient;
	const struct queue_copy *copy = t->transaction->copy;
	struct delivery d = { .account = r->address,
		.sender = copy->envelope.sender,
		.draft = t->draft,
		.name = name_of(copy, r),
		.kept = true };
	struct buf trace = { 0 };

	buf_printf(&trace, "Return-Path: <" STR_FMT ">\nDelivered-To: " STR_FMT "\n", STR_ARG(copy->envelope.sender),
		STR_ARG(r->original.len ? r->original : r->address));
	d.trace = buf_str(&trace);
	t->deliveries[i].session = t;
	t->deliveries[i].call = store_deliver(t->w, &d, delivered, &t->deliveries[i]);
	buf_free(&trace);
}

static void deliver_more(struct transport_session *t)
{
	while (t->started < t->transaction->count && t->started - t->ended < DELIVERIES_MAX)
		deliver(t, t->started++);
	if (t->ended == t->transaction->count)
		transaction_over(t);
}

void local_forget(struct worker *w, struct queue_item *item)
{
	struct tried *t = tried_find(w->sending, item);

	if (item->place)
		store_forget(w, item->place - 1, t ? t->name : name_lasting(item->message->id, item->number));
	item->place = 0;
	if (!t)
		return;
	table_remove(&w->sending->tried, &t->node);
	free(t);
}

/* --- the message ---------------------------------------------------------------------------------------------------- */

static void draft_whole(void *user, enum err e)
{
	struct transport_session *t = user;

	if (e) {
		tell_all(t, ERR_AGAIN);
		return;
	}
	t->deliveries = mem_alloc(t->transaction->count * sizeof(*t->deliveries));
	t->started = t->ended = 0;
	deliver_more(t);
}

static void feed(struct transport_session *t)
{
	bool last = t->at == t->transaction->copy->stored;
	struct buf wire = { 0 };

	buf_take(&t->raw, form_decode(buf_str(&t->raw), &t->at_line_start, last, &wire));
	draft_feed(t->draft, buf_str(&wire));
	buf_free(&wire);
}

static void read_on(void *user)
{
	struct transport_session *t = user;
	struct queue_copy *copy = t->transaction->copy;
	enum err e = OK;

	for (unsigned i = 0; t->at < copy->stored && !draft_is_behind(t->draft); i++) {
		size_t before = buf_len(&t->raw);

		if (i == PIECES_MAX) {
			timer_start(t->w->timers, &t->timer, 0, read_on, t);
			return;
		}
		if (!queue_copy_read(copy, t->at, &t->raw, &e, read_on, t))
			return;
		if (e || buf_len(&t->raw) == before) {
			tell_all(t, e ? e : ERR_NEVER);
			return;
		}
		t->at += buf_len(&t->raw) - before;
		feed(t);
	}
	if (t->at == copy->stored)
		draft_end(t->draft, draft_whole, t);
}

static void leave(void *user)
{
	struct transport_session *t = user;
	struct sending_session *ours = t->ours;

	session_free(t);
	sending_over(ours);
}

static void next(void *user)
{
	struct transport_session *t = user;

	t->transaction = sending_take(t->ours);
	if (!t->transaction) {
		timer_start(t->w->timers, &t->timer, IDLE_MS, leave, t);
		return;
	}
	t->draft = draft_new(t->w, FORM_NORMALISE, INT64_MAX);
	draft_on_room(t->draft, read_on, t);
	t->at = 0;
	t->at_line_start = true;
	read_on(t);
}

/* --- the table -------------------------------------------------------------------------------------------------------- */

static struct transport_session *local_open(struct worker *w, struct sending_session *s, const struct next_hop *hop)
{
	struct transport_session *t = mem_new(struct transport_session);

	(void)hop;
	t->w = w;
	t->ours = s;
	timer_start(w->timers, &t->timer, 0, next, t);
	return t;
}

static void local_more(struct transport_session *t)
{
	if (!t->transaction)
		timer_start(t->w->timers, &t->timer, 0, next, t);
}

const struct transport local_transport = { local_open, local_more, session_free };
