/* transaction.c - a message for some recipients: the envelope goes out, and what becomes of each recipient is told (RFC 5321,
 * 3.3; RFC 2033, 4.2 for LMTP).
 * Where PIPELINING is offered all commands leave in one write, up to DATA (RFC 2920, 3.1); else each waits for the reply
 * before it. Content is never sent before a recipient was accepted, so with CHUNKING BDAT follows those replies: it costs no
 * more time than DATA. A transaction that was begun and not ended leaves the session unclean: the next begins with RSET. */
#include "core/log.h"
#include "core/mem.h"
#include "protocols/smtp_client/session.h"
#include "storage/mail/utf8.h"
#include <assert.h>
#include <stdlib.h>

/* --- telling ------------------------------------------------------------------------------------------------------- */

/* What was said of some recipients, or happened to them; who was told of already is passed over. Whoever is put off before
 * any content was sent may be another host's. */
static void tell(struct client *c, const size_t *places, size_t count, enum outcome_kind kind, struct str status,
	struct str reply, bool theirs)
{
	bool elsewhere = kind == OUTCOME_DEFERRED && c->stage == ENVELOPE && elsewhere_may(c);
	struct outcome o = { .kind = kind,
		.status = status,
		.reply = reply,
		.remote = buf_str(&c->remote),
		.diagnostic_type = theirs ? STR("smtp") : STR("x-postern"),
		.session = str_of(c->conn ? conn_id(c->conn) : NULL) };
	size_t told = 0;

	for (size_t i = 0; i < count; i++) {
		size_t place = places ? places[i] : i;

		if (c->t->recipients[place].told)
			continue;
		if (elsewhere)
			elsewhere_put_off(c, place, &o);
		else
			c->telling[told++] = place;
	}
	if (told)
		sending_tell_many(c->sending, c->t, c->telling, told, &o);
}

static void tell_all(struct client *c, enum outcome_kind kind, struct str status, struct str reply, bool theirs)
{
	tell(c, NULL, c->t->count, kind, status, reply, theirs);
}

/* By-mode N, and the host does not speak DELIVERBY (RFC 2852, 4.1.4.2). */
static bool is_untimed(const struct client *c)
{
	return c->t->copy->envelope.by == BY_NOTIFY && !(c->can.offers & OFFERS_DELIVERBY);
}

static enum outcome_kind success(const struct client *c)
{
	if (c->lmtp)
		return OUTCOME_DELIVERED;
	return c->can.offers & OFFERS_DSN && !is_untimed(c) ? OUTCOME_PASSED : OUTCOME_RELAYED;
}

/* What a reply says of recipients. One that makes no sense here is nobody's refusal. */
static void tell_reply(struct client *c, const size_t *places, size_t count, const struct reply *r, bool may_succeed)
{
	struct buf words = { 0 };
	enum outcome_kind kind = OUTCOME_DEFERRED;
	struct str status = r->status;

	reply_words(r, &words);
	if (reply_class(r) == 2 && may_succeed)
		kind = success(c);
	else if (reply_class(r) == 5)
		kind = OUTCOME_REFUSED;
	else if (reply_class(r) != 4)
		status = STR("4.5.0");
	tell(c, places, count, kind, status, buf_str(&words), true);
	buf_free(&words);
}

static void tell_accepted(struct client *c, const struct reply *r, bool may_succeed)
{
	tell_reply(c, c->accepted, c->accepted_count, r, may_succeed);
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

void transaction_forget(struct client *c)
{
	free(c->rcpts);
	free(c->accepted);
	free(c->telling);
	c->rcpts = c->accepted = c->telling = NULL;
	c->rcpt_count = c->accepted_count = 0;
}

void transaction_end(struct client *c)
{
	struct transaction *t = c->t;
	bool silent = !c->sent, best = c->asked == 1;

	if (c->parting)
		client_drop_conn(c);
	else if (c->conn)
		conn_careful(c->conn, false);
	if (c->reading) { /* the copy is in use until then */
		client_enter(c, PREPARING, 0);
		return;
	}
	body_free(c);
	transaction_forget(c);
	if (elsewhere_go(c))
		return;
	c->t = NULL;
	c->done += !silent;
	sending_done(c->sending, t);
	if (c->parting || !best) {
		client_enter(c, READY, 0); /* QUIT is said, unless the other side is parting */
		client_over(c);
	} else if (silent) {
		client_enter(c, READY, c->conf->idle_ms);
		client_later(c, client_ready);
	} else {
		client_ready(c);
	}
}

/* The session is of no more use. */
static void cut(struct client *c)
{
	c->parting = true;
	transaction_end(c);
}

/* Whether nobody has said anything of this transaction on a connection that was good before: a host that ends idle
 * sessions, or takes so many messages in one, refuses nobody. */
static bool was_unheard(const struct client *c)
{
	return c->stage == PREPARING || (c->stage == ENVELOPE && c->answered <= c->reset && c->done);
}

void transaction_lost(struct client *c, const char *status, const char *text)
{
	struct buf words = { 0 };

	if (!c->t)
		return;
	if (!was_unheard(c)) {
		buf_printf(&words, "%s%s", text,
			c->stage == DOT ? ", after the whole message was sent; it may have been taken" : "");
		tell_all(c, OUTCOME_DEFERRED, str_of(status), buf_str(&words), false);
	}
	buf_free(&words);
	cut(c);
}

/* What cannot go to this host could go to the one that put it off. */
void transaction_refuse(struct client *c, const char *status, const char *text)
{
	if (c->asked == 1)
		tell_all(c, OUTCOME_REFUSED, str_of(status), str_of(text), false);
	transaction_end(c);
}

/* --- may it be sent there? ------------------------------------------------------------------------------------------- */

static bool is_ascii(struct str s)
{
	return utf8_ascii(s) == s.len;
}

/* RFC 6531, 3.2 and 3.4: what needs SMTPUTF8 does not go where it is not spoken; a recipient alone that does is refused
 * alone. */
static bool mind_utf8(struct client *c)
{
	const struct queue_envelope *e = &c->t->copy->envelope;
	bool can = c->can.offers & OFFERS_SMTPUTF8;

	c->terms.utf8 = e->utf8_needed || !is_ascii(e->sender);
	if (c->terms.utf8 && !can) {
		transaction_refuse(c, "5.6.7", "the message needs SMTPUTF8, which the host does not speak");
		return false;
	}
	c->terms.utf8 |= can && e->utf8 && e->body != BODY_7BIT; /* a header in its body may need it */
	for (size_t i = 0; i < c->t->count; i++) {
		if (is_ascii(c->t->recipients[i].recipient->address))
			continue;
		c->terms.utf8 = c->terms.utf8 || can;
		if (!can && c->asked > 1) {
			transaction_end(c);
			return false;
		}
		if (!can)
			tell(c, &i, 1, OUTCOME_REFUSED, STR("5.6.7"),
				STR("the address needs SMTPUTF8, which the host does not speak"), false);
	}
	return true;
}

/* RFC 2852, 4.1: in mode R it is returned rather than sent to where its time would not be minded. */
static bool mind_time(struct client *c)
{
	const struct queue_envelope *e = &c->t->copy->envelope;
	int64_t left_s = e->by_s - c->terms.now_s;

	if (e->by != BY_RETURN)
		return true;
	if (left_s <= 0)
		transaction_refuse(c, "5.4.7", "the time for delivery is over");
	else if (!(c->can.offers & OFFERS_DELIVERBY))
		transaction_refuse(
			c, "5.4.7", "the host does not speak DELIVERBY, by which the message is to be returned");
	else if ((uint64_t)left_s < c->can.by_least_s)
		transaction_refuse(c, "5.4.7", "the host wants more time for delivery than is left");
	else
		return true;
	return false;
}

static bool mind_size(struct client *c)
{
	if (!c->can.size_max || c->t->copy->wire <= c->can.size_max)
		return true;
	transaction_refuse(c, "5.3.4", "the message is larger than the host takes"); /* RFC 1870, 6.1 */
	return false;
}

void transaction_begin(struct client *c, struct transaction *t)
{
	assert(!c->waiting && (!c->t || c->t == t));
	if (!c->t)
		c->asked = 1;
	c->t = t;
	c->rcpts = mem_alloc(t->count * sizeof(*c->rcpts));
	c->accepted = mem_alloc(t->count * sizeof(*c->accepted));
	c->telling = mem_alloc(t->count * sizeof(*c->telling));
	c->terms = (struct command_terms){ .now_s = worker_wall_ms(c->worker) / 1000, .untimed = is_untimed(c) };
	c->reset = c->unclean;
	c->chunked = c->can.offers & OFFERS_CHUNKING;
	c->spoilt = false;
	c->sent = c->answered = c->accepted_count = c->told_at = c->chunks = 0;
	client_enter(c, PREPARING, 0);
	if (mind_utf8(c) && mind_time(c) && mind_size(c))
		body_prepare(c);
}

/* --- the envelope ---------------------------------------------------------------------------------------------------- */

static size_t place_of_rcpts(const struct client *c) /* in the row of commands: RSET, MAIL, RCPT ..., DATA */
{
	return (size_t)c->reset + 1;
}

static size_t command_count(const struct client *c)
{
	return place_of_rcpts(c) + c->rcpt_count + !c->chunked;
}

static void write_command(struct client *c, size_t place)
{
	struct buf *out = conn_out(c->conn);
	size_t first = place_of_rcpts(c);

	if (place + 1 < first)
		buf_add_str(out, STR("RSET\r\n"));
	else if (place < first)
		command_mail(&c->can, &c->t->copy->envelope, &c->terms, out);
	else if (place < first + c->rcpt_count)
		command_rcpt(&c->can, c->t->recipients[c->rcpts[place - first]].recipient, &c->terms, out);
	else
		buf_add_str(out, STR("DATA\r\n"));
	conn_wrote(c->conn);
}

static void write_commands(struct client *c)
{
	bool pipelined = c->can.offers & OFFERS_PIPELINING;

	do
		write_command(c, c->sent++);
	while (pipelined && c->sent < command_count(c));
}

static void expect_reply(struct client *c)
{
	bool is_data = c->answered == place_of_rcpts(c) + c->rcpt_count;

	client_enter(c, ENVELOPE, is_data ? c->conf->data_ms : c->conf->command_ms);
}

void transaction_go(struct client *c)
{
	for (size_t i = 0; i < c->t->count; i++)
		if (!c->t->recipients[i].told)
			c->rcpts[c->rcpt_count++] = i;
	if (!c->rcpt_count) {
		transaction_end(c);
		return;
	}
	write_commands(c);
	expect_reply(c);
}

/* All that was sent is answered: what follows? */
static void go_on(struct client *c)
{
	bool all_named = c->sent >= place_of_rcpts(c) + c->rcpt_count;

	if (c->answered < c->sent) {
		expect_reply(c);
	} else if (c->spoilt || (all_named && !c->accepted_count)) {
		transaction_end(c);
	} else if (c->sent < command_count(c)) {
		write_commands(c);
		expect_reply(c);
	} else {
		body_begin(c);
	}
}

static void mail_reply(struct client *c, const struct reply *r)
{
	c->spoilt = reply_class(r) != 2;
	c->unclean = !c->spoilt;
	if (c->spoilt)
		tell_reply(c, c->rcpts, c->rcpt_count, r, false);
}

static void rcpt_reply(struct client *c, size_t place, const struct reply *r)
{
	struct reply full = *r;

	if (c->spoilt)
		return;
	if (reply_class(r) == 2) {
		c->accepted[c->accepted_count++] = place;
		return;
	}
	if (r->code == 552 && !r->status.len) /* as some say for too many recipients (RFC 5321, 4.5.3.1.10) */
		full.code = 452;
	tell_reply(c, &place, 1, &full, false);
}

/* The reply to DATA. False: the session goes another way already. */
static bool data_reply(struct client *c, const struct reply *r)
{
	if (r->code == 354 && c->accepted_count)
		return true;  /* go_on begins with the body */
	if (r->code == 354) { /* RFC 2920, 3.1: nobody is there to take it, so nothing is sent, and ended */
		client_say(c, ".\r\n");
		client_enter(c, DOT, c->conf->dot_ms);
		return false;
	}
	tell_accepted(c, r, false);
	if (reply_class(r) == 2)
		cut(c);
	else
		transaction_end(c);
	return false;
}

static void envelope_reply(struct client *c, const struct reply *r)
{
	size_t place = c->answered++, first = place_of_rcpts(c);

	if (place + 1 < first) {
		if (reply_class(r) != 2) {
			c->answered = 0;
			transaction_lost(c, "4.5.0", "RSET was refused");
			return;
		}
		c->unclean = false;
	} else if (place < first) {
		mail_reply(c, r);
	} else if (place < first + c->rcpt_count) {
		rcpt_reply(c, c->rcpts[place - first], r);
	} else if (!data_reply(c, r)) {
		return;
	}
	go_on(c);
}

/* --- the content ----------------------------------------------------------------------------------------------------- */

void transaction_sent(struct client *c)
{
	conn_idle(c->conn, 0);
	conn_careful(c->conn, true); /* an answer leaves the socket when it is noted, not before */
	client_enter(c, DOT, c->conf->dot_ms);
}

/* LMTP: a reply for each recipient that was accepted, in their order. */
static void lmtp_reply(struct client *c, const struct reply *r)
{
	tell_reply(c, &c->accepted[c->told_at++], 1, r, true);
	if (c->told_at < c->accepted_count)
		client_expect(c, c->conf->dot_ms);
	else
		transaction_end(c);
}

static void dot_reply(struct client *c, const struct reply *r)
{
	c->unclean = c->chunked && reply_class(r) != 2; /* RFC 3030, 2 */
	if (!c->accepted_count) {                       /* "." alone: whatever it says of nothing */
		transaction_end(c);
	} else if (c->lmtp) {
		lmtp_reply(c, r);
	} else {
		tell_accepted(c, r, true);
		transaction_end(c);
	}
}

static void chunk_reply(struct client *c, const struct reply *r)
{
	if (reply_class(r) != 2) {
		tell_accepted(c, r, false);
		cut(c);
		return;
	}
	c->chunks--;
	if (c->stage == BODY)
		body_more(c);
	else
		client_expect(c, c->conf->dot_ms);
}

void transaction_reply(struct client *c, const struct reply *r)
{
	if (r->code == 421 && (c->stage != DOT || !c->lmtp)) {
		if (!was_unheard(c))
			tell_reply(c, NULL, c->t->count, r, false);
		cut(c);
	} else if (c->stage == ENVELOPE) {
		envelope_reply(c, r);
	} else if (c->chunks) {
		chunk_reply(c, r);
	} else if (c->stage == DOT) {
		dot_reply(c, r);
	} else { /* in the midst of the content */
		tell_accepted(c, r, false);
		cut(c);
	}
}
