/* smtp_queue.c - what is not delivered at once goes into the queue (storage/queue/queue.h), for protocols/sending to carry
 * on: mail for other servers; accounts whose owner cannot take it now; members of a group that can never have it, so that
 * its sender hears of them; and accounts whose sender wants to hear of success.
 * Targets with the same sender share an envelope. Those that a name here sends on have one of their own for each such name,
 * which Delivered-To tells: so it is seen when the message comes back. */
#include "protocols/smtp/smtp_session.h"
#include "storage/queue/queue.h"
#include "storage/route/relay.h"
#include <stdlib.h>

/* --- which targets ----------------------------------------------------------------------------------------------- */

static bool is_good(const struct smtp_target *t)
{
	return t->outcome == OK && !t->same && t->kind != ROUTE_REJECT && !t->smtp->recipients[t->recipient].hidden;
}

/* Targets that one reply is about. */
static void choose(struct smtp_target *targets, size_t count)
{
	bool anybody = false;

	for (size_t i = 0; i < count; i++)
		anybody |= is_good(&targets[i]);
	for (size_t i = 0; i < count; i++) {
		struct smtp_target *t = &targets[i];

		t->queued |= t->outcome && !t->same && (t->outcome == ERR_AGAIN || anybody);
		if (t->queued)
			t->outcome = OK;
	}
}

static void choose_all(struct smtp *s)
{
	for (size_t i = 0; s->lmtp && i < s->recipient_count; i++)
		choose(&s->targets[s->recipients[i].targets], s->recipients[i].count);
	if (!s->lmtp)
		choose(s->targets, s->target_count);
}

/* --- envelopes --------------------------------------------------------------------------------------------------- */

static struct str sender_of(const struct smtp_target *t)
{
	return t->sender.len ? t->sender : t->smtp->sender;
}

static bool sent_on(const struct smtp_target *t)
{
	return t->kind == ROUTE_REMOTE && t->forwarded;
}

static int by_envelope(const struct smtp_target *t, const struct smtp_target *u)
{
	int order = str_cmp(sender_of(t), sender_of(u));

	if (!order)
		order = (t->kind == ROUTE_REMOTE) - (u->kind == ROUTE_REMOTE);
	if (!order)
		order = sent_on(t) - sent_on(u);
	if (!order && sent_on(t))
		order = (t->recipient > u->recipient) - (t->recipient < u->recipient);
	return order;
}

static int by_envelope_and_address(const void *a, const void *b)
{
	const struct smtp_target *t = *(struct smtp_target *const *)a, *u = *(struct smtp_target *const *)b;
	int order = by_envelope(t, u);

	if (!order)
		order = str_cmp(t->address, u->address);
	return order ? order : (t > u) - (t < u);
}

static bool beyond_ascii(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.p[i] >= 0x80)
			return true;
	return false;
}

/* What a group's owner answers for is told to him alone, by his own wishes: none (RFC 3461, 5.2.7.3). A sender that was
 * only rewritten (SRS) is the one who said them. Success of one of several is told to nobody (5.2.7.2). */
static unsigned notify_of(const struct smtp *s, const struct smtp_target *t)
{
	unsigned notify = s->recipients[t->recipient].notify;

	if (!smtp_expands(s, t))
		return notify;
	return smtp_is_list(t) ? 0 : notify == NOTIFY_SUCCESS ? NOTIFY_NEVER : notify & ~(unsigned)NOTIFY_SUCCESS;
}

static void fill_recipients(struct smtp_put *p, struct queue_envelope *e, struct queue_recipient *recipients)
{
	const struct smtp *s = p->smtp;

	for (size_t i = 0; i < p->count; i++) {
		const struct smtp_target *t = p->targets[i];
		const struct smtp_recipient *r = &s->recipients[t->recipient];
		struct queue_recipient *q = &recipients[e->count];

		if (e->count && str_eq(q[-1].address, t->address) && q[-1].local == (t->kind != ROUTE_REMOTE))
			continue;
		*q = (struct queue_recipient){ .number = (uint32_t)e->count++,
			.address = t->address,
			.local = t->kind != ROUTE_REMOTE,
			.original = str_eq(t->address, r->address) ? STR("") : r->address,
			.orcpt = smtp_is_list(t) ? STR("") : r->orcpt,
			.notify = notify_of(s, t),
			.tried = t->name };
		e->utf8_needed |= beyond_ascii(t->address);
	}
	e->recipients = recipients;
}

static void fill_envelope(struct smtp_put *p, struct queue_envelope *e)
{
	const struct smtp *s = p->smtp;
	const struct relay_conf *relay = conf_section(s->snapshot, &relay_settings);
	const struct smtp_target *t = p->targets[0];
	bool list = smtp_is_list(t);

	*e = (struct queue_envelope){ .sender = sender_of(t),
		.id = str_of(s->id),
		.account = str_of(s->session.account),
		.peer = str_of(conn_peer(s->conn)),
		.envid = list ? STR("") : s->mail.envid,
		.body = s->watch.beyond_ascii ? BODY_8BITMIME : BODY_7BIT,
		.utf8 = s->mail.utf8,
		.utf8_needed = s->watch.header_beyond_ascii || beyond_ascii(sender_of(t)),
		.ret = list ? RET_UNSAID : s->mail.ret,
		.priority = s->mail.priority,
		.release_s = s->mail.hold_until > s->arrived_s ? s->mail.hold_until : 0,
		.by_s = s->mail.by ? s->arrived_s + s->mail.by_time : 0,
		.by = s->mail.by,
		.by_trace = s->mail.by_trace,
		.held = t->kind == ROUTE_REMOTE && relay->hold };
}

/* --- putting ----------------------------------------------------------------------------------------------------- */

static void put_done(void *user, enum err e, uint64_t id)
{
	struct smtp_put *p = user;

	p->call = NULL;
	p->id = id;
	for (size_t i = 0; i < p->count; i++) {
		p->targets[i]->outcome = e;
		p->targets[i]->put = e ? NULL : p;
	}
	if (!--p->smtp->puts_left)
		smtp_deliver_end(p->smtp);
}

static void put(struct smtp_put *p)
{
	struct smtp *s = p->smtp;
	struct queue_recipient *recipients = arena_alloc(&s->transaction, p->count * sizeof(*recipients));
	struct queue_envelope e;
	struct queue_put q = { .envelope = &e, .draft = s->draft };
	struct buf before = { 0 };

	fill_envelope(p, &e);
	fill_recipients(p, &e, recipients);
	if (sent_on(p->targets[0]))
		buf_printf(&before, "Delivered-To: " STR_FMT "\n",
			STR_ARG(s->recipients[p->targets[0]->recipient].address));
	buf_add_str(&before, s->received);
	q.before = buf_str(&before);
	p->call = queue_put(s->worker->queue, &q, put_done, p);
	buf_free(&before);
}

/* Cuts the targets, which lie in order, where the envelope changes. */
static void make_puts(struct smtp *s, struct smtp_target **order, size_t count)
{
	s->puts = arena_alloc(&s->transaction, count * sizeof(*s->puts));
	for (size_t i = 0; i < count; i++) {
		if (!i || by_envelope(order[i - 1], order[i]))
			s->puts[s->put_count++] = (struct smtp_put){ .smtp = s, .targets = &order[i] };
		s->puts[s->put_count - 1].count++;
	}
	s->puts_left = s->put_count;
	for (size_t i = 0; i < s->put_count; i++)
		put(&s->puts[i]);
}

void smtp_queue(struct smtp *s)
{
	struct smtp_target **order;
	size_t count = 0;

	choose_all(s);
	for (size_t i = 0; i < s->target_count; i++)
		count += s->targets[i].queued;
	if (!count) {
		smtp_deliver_end(s);
		return;
	}
	order = arena_alloc(&s->transaction, count * sizeof(struct smtp_target *));
	count = 0;
	for (size_t i = 0; i < s->target_count; i++)
		if (s->targets[i].queued)
			order[count++] = &s->targets[i];
	qsort(order, count, sizeof(*order), by_envelope_and_address);
	make_puts(s, order, count);
}

void smtp_queue_drop(struct smtp *s)
{
	for (size_t i = 0; i < s->put_count; i++)
		call_cancel(s->puts[i].call);
	s->puts = NULL;
	s->put_count = s->puts_left = 0;
}
