/* smtp_queue.c - what is not delivered at once goes into the queue (storage/queue/queue.h), for protocols/sending to carry
 * on: mail for other servers; accounts whose owner cannot take it now; members of a group that can never have it, so that
 * its sender hears of them; and accounts whose sender wants to hear of success.
 * Targets with the same sender share an envelope. Those that a name here sends on have one of their own for each such name,
 * which Delivered-To tells: so it is seen when the message comes back. */
#include "core/mem.h"
#include "protocols/smtp/smtp_session.h"
#include "storage/queue/queue.h"
#include "storage/route/idn.h"
#include "storage/route/relay.h"
#include <stdlib.h>

/* --- which targets ----------------------------------------------------------------------------------------------- */

static bool is_good(const struct smtp_target *t)
{
	return t->outcome == OK && !t->same && t->kind != ROUTE_REJECT && !t->smtp->recipients[t->recipient].hidden;
}

/* Whom one reply is about: one recipient or, with SMTP, all. */
static bool *anybody_of(struct smtp *s, const struct smtp_target *t)
{
	return s->lmtp ? &s->recipients[t->recipient].anybody : &s->anybody;
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

static bool share_envelope(const struct smtp_target *t, const struct smtp_target *u)
{
	return (t->kind == ROUTE_REMOTE) == (u->kind == ROUTE_REMOTE) && sent_on(t) == sent_on(u) &&
	       (!sent_on(t) || t->recipient == u->recipient) && str_eq(sender_of(t), sender_of(u));
}

static struct smtp_put *put_for(struct smtp *s, const struct smtp_target *t)
{
	uint64_t hash = str_hash(sender_of(t)) + (sent_on(t) ? t->recipient + 2 : t->kind == ROUTE_REMOTE);
	struct smtp_put *p;

	for (struct table_node *n = table_first(&s->envelopes, hash); n; n = table_next(n)) {
		p = container_of(n, struct smtp_put, node);
		if (share_envelope(p->first, t))
			return p;
	}
	p = arena_new(&s->transaction, struct smtp_put);
	p->smtp = s;
	p->last = &p->first;
	table_add(&s->envelopes, &p->node, hash);
	*s->last_put = p;
	s->last_put = &p->next;
	s->puts_left++;
	return p;
}

/* Who is in it already gets it once. */
static void join(struct smtp *s, struct smtp_target *t)
{
	struct smtp_put *p = put_for(s, t);
	uint64_t hash = str_hash(t->address) ^ p->node.hash;

	for (struct table_node *n = table_first(&s->met, hash); n; n = table_next(n)) {
		const struct smtp_target *other = container_of(n, struct smtp_target, met);

		if (other->put == p && str_eq(other->address, t->address)) {
			t->same = other;
			return;
		}
	}
	smtp_deliver_met(s, t, hash);
	t->put = p;
	*p->last = t;
	p->last = &t->next;
	p->count++;
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

static void fill_recipient(struct smtp_put *p, const struct smtp_target *t)
{
	const struct smtp *s = p->smtp;
	const struct smtp_recipient *r = &s->recipients[t->recipient];
	struct queue_envelope *e = &p->envelope;

	p->recipients[e->count] = (struct queue_recipient){ .number = (uint32_t)e->count,
		.address = t->address,
		.local = t->kind != ROUTE_REMOTE,
		.original = str_eq(t->address, r->address) ? STR("") : r->address,
		.orcpt = smtp_is_list(t) ? STR("") : r->orcpt,
		.notify = notify_of(s, t),
		.tried = t->name };
	e->count++;
}

static void fill_envelope(struct smtp_put *p)
{
	struct smtp *s = p->smtp;
	const struct relay_conf *relay = conf_section(s->snapshot, &relay_settings);
	const struct smtp_target *t = p->first;
	struct str sender = idn_sendable(&s->transaction, sender_of(t));
	bool list = smtp_is_list(t);

	p->filled = t;
	p->recipients = mem_alloc(p->count * sizeof(*p->recipients));
	p->envelope = (struct queue_envelope){ .sender = sender,
		.id = str_of(s->id),
		.account = str_of(s->session.account),
		.peer = str_of(conn_peer(s->conn)),
		.envid = list ? STR("") : s->mail.envid,
		.body = s->watch.beyond_ascii ? BODY_8BITMIME : BODY_7BIT,
		.utf8 = s->mail.utf8,
		.utf8_needed = s->watch.header_beyond_ascii || beyond_ascii(sender),
		.ret = list ? RET_UNSAID : s->mail.ret,
		.priority = s->mail.priority,
		.release_s = s->mail.hold_until > s->arrived_s ? s->mail.hold_until : 0,
		.by_s = s->mail.by ? s->arrived_s + s->mail.by_time : 0,
		.by = s->mail.by,
		.by_trace = s->mail.by_trace,
		.held = t->kind == ROUTE_REMOTE && relay->hold,
		.recipients = p->recipients };
}

/* --- putting ----------------------------------------------------------------------------------------------------- */

static void put_done(void *user, enum err e, uint64_t id)
{
	struct smtp_put *p = user;

	p->call = NULL;
	p->id = id;
	for (struct smtp_target *t = e ? p->first : NULL; t; t = t->next) {
		t->outcome = e;
		t->put = NULL;
	}
	if (!--p->smtp->puts_left)
		smtp_deliver_end(p->smtp);
}

static void put(struct smtp_put *p)
{
	struct smtp *s = p->smtp;
	struct queue_put q = { .envelope = &p->envelope, .draft = s->draft };
	struct buf before = { 0 };

	if (sent_on(p->first))
		buf_printf(&before, "Delivered-To: " STR_FMT "\n", STR_ARG(s->recipients[p->first->recipient].address));
	buf_add_str(&before, s->received);
	q.before = buf_str(&before);
	p->call = queue_put(s->worker->queue, &q, put_done, p);
	buf_free(&before);
}

/* Each put gets its recipients, and goes. */
static void put_step(void *user)
{
	struct smtp *s = user;
	struct smtp_put *p;

	for (unsigned i = 0; (p = s->put_now) && i < SMTP_STEP; i++) {
		if (!p->recipients)
			fill_envelope(p);
		fill_recipient(p, p->filled);
		p->filled = p->filled->next;
		if (p->filled)
			continue;
		s->put_now = p->next;
		put(p);
	}
	if (p)
		smtp_deliver_rest(s, put_step);
}

/* --- which targets, once all that may be delivered are -------------------------------------------------------------- */

static void choose(struct smtp *s, struct smtp_target *t)
{
	t->queued |= t->outcome && !t->same && (t->outcome == ERR_AGAIN || *anybody_of(s, t));
	if (!t->queued)
		return;
	t->outcome = OK;
	join(s, t);
}

static void choose_step(void *user)
{
	struct smtp *s = user;

	for (unsigned i = 0; i < SMTP_STEP && s->at < s->target_count; i++)
		choose(s, &s->targets[s->at++]);
	if (s->at < s->target_count) {
		smtp_deliver_rest(s, choose_step);
	} else if (s->puts) {
		s->put_now = s->puts;
		put_step(s);
	} else {
		smtp_deliver_end(s);
	}
}

static void look_step(void *user)
{
	struct smtp *s = user;

	for (unsigned i = 0; i < SMTP_STEP && s->at < s->target_count; i++, s->at++)
		*anybody_of(s, &s->targets[s->at]) |= is_good(&s->targets[s->at]);
	if (s->at < s->target_count) {
		smtp_deliver_rest(s, look_step);
	} else {
		s->at = 0;
		choose_step(s);
	}
}

void smtp_queue(struct smtp *s)
{
	s->at = 0;
	s->anybody = false;
	s->last_put = &s->puts;
	look_step(s);
}

void smtp_queue_drop(struct smtp *s)
{
	for (struct smtp_put *p = s->puts; p; p = p->next) {
		call_cancel(p->call);
		free(p->recipients);
	}
	table_free(&s->envelopes);
	s->puts = s->put_now = NULL;
	s->puts_left = 0;
}
