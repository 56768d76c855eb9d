/* smtp_data.c - the message: from 354 to the last dot, and its delivery to each recipient's owner.
 * The reply waits until every recipient's owner has the message in its journal. SMTP has one reply for all, so one
 * owner that cannot now makes it a 451 for all; LMTP replies for each (RFC 2033, 4.2). Deliveries carry the message's
 * bytes, so only a few of one message are under way at a time. */
#include "core/counter.h"
#include "core/log.h"
#include "protocols/smtp/smtp_session.h"
#include "storage/date.h"

#define DELIVERIES_MAX 32 /* under way at a time, of one message */

COUNTER(smtp_messages, "smtp.messages", "messages taken in by SMTP and LMTP");
COUNTER(smtp_bytes, "smtp.bytes", "bytes of these on the wire");

enum next smtp_data_begin(struct smtp *s)
{
	enum form_lines rule = (enum form_lines)(s->lmtp ? s->conf->lmtp_line_ends : s->conf->line_ends);

	s->draft = draft_new(s->worker, rule, (uint64_t)s->conf->message_max);
	s->dot = (struct smtp_dot){ 0 };
	smtp_enter(s, DATA);
	return smtp_reply(s, "354 go on, a line with a dot alone ends it");
}

void smtp_data_drop(struct smtp *s)
{
	for (size_t i = 0; i < s->started; i++) {
		call_cancel(s->recipients[i].call);
		s->recipients[i].call = NULL;
	}
	s->started = s->delivered = 0;
	s->ended = false;
	draft_free(s->draft);
	s->draft = NULL;
}

static void on_draft_room(void *user)
{
	struct smtp *s = user;

	conn_resume(s->conn);
}

static void on_text(void *user, struct str piece)
{
	struct smtp *s = user;

	draft_feed(s->draft, piece);
}

static void draft_done(void *user, enum err e);

void smtp_data_input(struct smtp *s, struct buf *in)
{
	buf_take(in, smtp_dot_feed(&s->dot, buf_str(in), on_text, s));
	if (s->dot.state == DOT_END) {
		conn_rest(s->conn);
		s->ended = true;
		draft_end(s->draft, draft_done, s);
	} else if (draft_is_behind(s->draft)) {
		conn_rest(s->conn);
		draft_on_room(s->draft, on_draft_room, s);
	}
}

static void reply_refused(struct smtp *s, enum err e)
{
	switch (e) {
	case ERR_MISTAKE:
		smtp_reply(s, "550 5.6.0 lines end in CRLF; a CR or LF alone, or a NUL, is not taken");
		break;
	case ERR_TOO_BIG:
		smtp_reply(s, "552 5.3.4 a message is at most %lld bytes", (long long)s->conf->message_max);
		break;
	default:
		smtp_reply(s, "451 4.3.0 the message cannot be kept now, try again");
	}
}

/* One reply, or in LMTP the same for each recipient. */
static enum next refuse_all(struct smtp *s, enum err e)
{
	log_info("smtp", s->id, "message refused from=<" STR_FMT "> peer=%s reason=\"%s\"", STR_ARG(s->sender),
		conn_peer(s->conn), err_text(e));
	for (size_t i = 0; i < (s->lmtp ? s->recipient_count : 1); i++)
		reply_refused(s, e);
	return e == ERR_MISTAKE ? smtp_count(s) : DONE;
}

/* The Received field (RFC 5321, 4.4), in stored form. With one recipient it is named. */
static struct str received_field(struct smtp *s)
{
	char date[DATE_TEXT_SIZE];
	const char *tls = conn_secure(s->conn) ? "S" : "", *peer = conn_peer(s->conn), *text;

	date_message_print(date, worker_wall_ms(s->worker) / 1000, 0);
	text = arena_printf(&s->transaction, "Received: from %s ([%s%s])\n\tby %s with %s%s id %s", s->hello,
		strchr(peer, ':') ? "IPv6:" : "", peer, smtp_hostname(s),
		s->lmtp       ? "LMTP"
		: s->extended ? "ESMTP"
			      : "SMTP",
		s->extended ? tls : "", s->id);
	if (s->recipient_count == 1)
		text = arena_printf(
			&s->transaction, "%s\n\tfor <" STR_FMT ">", text, STR_ARG(s->recipients[0].address));
	return str_of(arena_printf(&s->transaction, "%s; %s\n", text, date));
}

static void delivered(void *user, enum err e);

static void deliver(struct smtp *s, struct smtp_recipient *r)
{
	struct delivery d = {
		.account = r->account, .sender = s->sender, .draft = s->draft, .name = name_next(s->worker)
	};
	struct buf trace = { 0 };

	buf_printf(&trace, "Return-Path: <" STR_FMT ">\nDelivered-To: " STR_FMT "\n" STR_FMT, STR_ARG(s->sender),
		STR_ARG(r->address), STR_ARG(s->received));
	d.trace = buf_str(&trace);
	r->call = store_deliver(s->worker, &d, delivered, r);
	buf_free(&trace);
}

static void deliver_more(struct smtp *s)
{
	while (s->started < s->recipient_count && s->started - s->delivered < DELIVERIES_MAX)
		deliver(s, &s->recipients[s->started++]);
}

static void draft_done(void *user, enum err e)
{
	struct smtp *s = user;

	if (e) {
		enum next next = refuse_all(s, e);

		smtp_reset(s);
		smtp_resume(s, next);
		return;
	}
	s->received = received_field(s);
	deliver_more(s);
}

static void reply_outcome(struct smtp *s, const struct smtp_recipient *r)
{
	switch (r->outcome) {
	case OK:
		smtp_reply(s, "250 2.0.0 delivered %s", s->id);
		break;
	case ERR_ABSENT:
		smtp_reply(s, "550 5.1.1 <" STR_FMT "> is not known here any more", STR_ARG(r->address));
		break;
	case ERR_TOO_BIG:
		smtp_reply(s, "552 5.2.2 <" STR_FMT "> has no room", STR_ARG(r->address));
		break;
	default:
		smtp_reply(s, "451 4.3.0 <" STR_FMT "> could not be delivered to now, try again", STR_ARG(r->address));
	}
}

/* For one reply to all: whoever has not got it for good is worse than who has, and who may get it yet is the worst. */
static int badness(const struct smtp_recipient *r)
{
	return r->outcome == OK ? 0 : r->outcome == ERR_ABSENT || r->outcome == ERR_TOO_BIG ? 1 : 2;
}

static void log_delivery(const struct smtp *s, const struct smtp_recipient *r)
{
	const char *peer = conn_peer(s->conn);
	unsigned long long size = (unsigned long long)draft_size(s->draft)->wire;

	if (r->outcome == OK)
		log_info("smtp", s->id, "delivered from=<" STR_FMT "> to=<" STR_FMT "> size=%llu peer=%s",
			STR_ARG(s->sender), STR_ARG(r->address), size, peer);
	else
		log_info("smtp", s->id,
			"not delivered from=<" STR_FMT "> to=<" STR_FMT "> size=%llu peer=%s reason=\"%s\"",
			STR_ARG(s->sender), STR_ARG(r->address), size, peer, err_text(r->outcome));
}

static void all_delivered(struct smtp *s)
{
	const struct smtp_recipient *worst = &s->recipients[0];

	for (size_t i = 0; i < s->recipient_count; i++) {
		const struct smtp_recipient *r = &s->recipients[i];

		log_delivery(s, r);
		if (s->lmtp)
			reply_outcome(s, r);
		if (badness(r) > badness(worst))
			worst = r;
	}
	if (!s->lmtp)
		reply_outcome(s, worst);
	if (worst->outcome == OK) {
		counter_add(&smtp_messages, 1);
		counter_add(&smtp_bytes, draft_size(s->draft)->wire);
		s->errors = 0; /* who brings mail may err again */
	}
	smtp_reset(s);
	smtp_resume(s, DONE);
}

static void delivered(void *user, enum err e)
{
	struct smtp_recipient *r = user;
	struct smtp *s = r->smtp;

	r->call = NULL;
	r->outcome = e;
	if (++s->delivered == s->recipient_count)
		all_delivered(s);
	else
		deliver_more(s);
}
