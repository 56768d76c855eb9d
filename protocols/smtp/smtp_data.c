/* smtp_data.c - the message: from 354 to the last dot, and its delivery to each recipient's owner.
 * The reply waits until every recipient's owner has the message in its journal. SMTP has one reply for all, so one
 * owner that cannot now makes it a 451 for all; LMTP replies for each (RFC 2033, 4.2). */
#include "core/counter.h"
#include "core/log.h"
#include "protocols/smtp/smtp_session.h"
#include "storage/date.h"

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
	for (size_t i = 0; i < s->recipient_count; i++) {
		call_cancel(s->recipients[i].call);
		s->recipients[i].call = NULL;
	}
	s->delivering = 0;
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
		s->delivering = s->recipient_count;
		draft_end(s->draft, draft_done, s);
	} else if (draft_is_behind(s->draft)) {
		conn_rest(s->conn);
		draft_on_room(s->draft, on_draft_room, s);
	}
}

static enum next message_refused(struct smtp *s, enum err e)
{
	log_info("smtp", s->id, "message refused from=<" STR_FMT "> peer=%s reason=\"%s\"", STR_ARG(s->sender),
		conn_peer(s->conn), err_text(e));
	switch (e) {
	case ERR_MISTAKE:
		return smtp_wrong(s, "550 5.6.0 lines end in CRLF; a CR or LF alone, or a NUL, is not taken");
	case ERR_TOO_BIG:
		return smtp_reply(s, "552 5.3.4 a message is at most %lld bytes", (long long)s->conf->message_max);
	default:
		return smtp_reply(s, "451 4.3.0 the message cannot be kept now, try again");
	}
}

/* One reply, or in LMTP the same for each recipient. */
static enum next refuse_all(struct smtp *s, enum err e)
{
	size_t replies = s->lmtp ? s->recipient_count : 1;
	enum next next = DONE;

	while (replies-- && next == DONE)
		next = message_refused(s, e);
	return next;
}

/* The Received field (RFC 5321, 4.4), in stored form. With one recipient it is named. */
static struct str received_field(struct smtp *s)
{
	char date[DATE_TEXT_SIZE];
	const char *tls = conn_secure(s->conn) ? "S" : "", *text;

	date_message_print(date, worker_wall_ms(s->worker) / 1000, 0);
	text = arena_printf(&s->transaction, "Received: from %s ([%s])\n\tby %s with %s%s id %s", s->hello,
		conn_peer(s->conn), smtp_hostname(s),
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
		.account = r->account,
		.sender = s->sender,
		.trace = str_of(
			arena_printf(&s->transaction, "Return-Path: <" STR_FMT ">\nDelivered-To: " STR_FMT "\n" STR_FMT,
				STR_ARG(s->sender), STR_ARG(r->address), STR_ARG(s->trace))),
		.draft = s->draft,
		.name = name_next(s->worker),
	};

	r->call = store_deliver(s->worker, &d, delivered, r);
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
	s->trace = received_field(s);
	for (size_t i = 0; i < s->recipient_count; i++)
		deliver(s, &s->recipients[i]);
}

static enum next reply_outcome(struct smtp *s, enum err e, const struct smtp_recipient *r)
{
	switch (e) {
	case OK:
		return smtp_reply(s, "250 2.0.0 delivered %s", s->id);
	case ERR_ABSENT:
		return smtp_reply(s, "550 5.1.1 <" STR_FMT "> is not known here any more", STR_ARG(r->address));
	case ERR_TOO_BIG:
		return smtp_reply(s, "552 5.2.2 <" STR_FMT "> has no room", STR_ARG(r->address));
	default:
		return smtp_reply(
			s, "451 4.3.0 <" STR_FMT "> could not be delivered to now, try again", STR_ARG(r->address));
	}
}

static void all_delivered(struct smtp *s)
{
	const struct smtp_recipient *worst = &s->recipients[0];
	const struct form_size *size = draft_size(s->draft);

	for (size_t i = 0; i < s->recipient_count; i++) {
		const struct smtp_recipient *r = &s->recipients[i];

		log_info("smtp", s->id, "%s from=<" STR_FMT "> to=<" STR_FMT "> size=%llu peer=%s%s%s%s",
			r->outcome ? "not delivered" : "delivered", STR_ARG(s->sender), STR_ARG(r->address),
			(unsigned long long)size->wire, conn_peer(s->conn), r->outcome ? " reason=\"" : "",
			r->outcome ? err_text(r->outcome) : "", r->outcome ? "\"" : "");
		if (s->lmtp)
			reply_outcome(s, r->outcome, r);
		if (r->outcome == ERR_AGAIN || !worst->outcome)
			worst = r;
	}
	if (!s->lmtp)
		reply_outcome(s, worst->outcome, worst);
	counter_add(&smtp_messages, 1);
	counter_add(&smtp_bytes, size->wire);
	smtp_reset(s);
	smtp_resume(s, DONE);
}

static void delivered(void *user, enum err e)
{
	struct smtp_recipient *r = user;

	r->call = NULL;
	r->outcome = e;
	if (!--r->smtp->delivering)
		all_delivered(r->smtp);
}
