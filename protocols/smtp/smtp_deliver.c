/* smtp_deliver.c - a message that is whole goes to each recipient's owner, with its trace before it.
 * The reply waits until every recipient's owner has the message in its journal. SMTP has one reply for all, so one
 * owner that cannot now makes it a 451 for all, and the client's next try brings it to the others again: better twice
 * than lost (RFC 5321, 6.1). That try comes minutes later, in another session; the deliveries' names are forgotten
 * then. LMTP replies for each (RFC 2033, 4.2). Deliveries carry the message's bytes, so only a few of one message are
 * under way at a time. */
#include "core/counter.h"
#include "core/log.h"
#include "protocols/smtp/smtp_session.h"
#include "storage/date.h"

#define DELIVERIES_MAX 32 /* under way at a time, of one message */

COUNTER(smtp_messages, "smtp.messages", "messages taken in by SMTP and LMTP");
COUNTER(smtp_bytes, "smtp.bytes", "bytes of these on the wire");

/* --- the trace --------------------------------------------------------------------------------------------------- */

/* How it came (RFC 3848; RFC 6531, 4.3): "ESMTPSA". */
static void with(const struct smtp *s, struct buf *out)
{
	bool tls = conn_secure(s->conn), known = *s->session.account;

	if (s->mail.utf8)
		buf_printf(out, "UTF8%s", s->lmtp ? "LMTP" : "SMTP");
	else
		buf_printf(out, s->lmtp ? "LMTP" : s->extended ? "ESMTP" : "SMTP");
	if (s->extended)
		buf_printf(out, "%s%s", tls ? "S" : "", known ? "A" : "");
}

/* Who he proved to be, as a comment; whatever could end it is no part of it. */
static void account(const struct smtp *s, struct buf *out)
{
	if (!*s->session.account)
		return;
	buf_printf(out, " (account ");
	for (const char *c = s->session.account; *c; c++)
		buf_add_char(out, strchr("()\\", *c) ? '?' : *c);
	buf_add_char(out, ')');
}

/* The cipher as a clause (RFC 8314, 4.3), the version behind it. */
static void tls_clause(const struct smtp *s, struct buf *out)
{
	struct str cipher = str_of(conn_cipher(s->conn)), version = str_word(&cipher);

	if (version.len)
		buf_printf(out, "\n\ttls " STR_FMT " (" STR_FMT ")", STR_ARG(cipher), STR_ARG(version));
}

/* The Received field (RFC 5321, 4.4), in stored form. With one recipient it is named. */
static struct str received_field(struct smtp *s)
{
	char date[DATE_TEXT_SIZE];
	const char *peer = conn_peer(s->conn);
	struct buf out = { 0 };
	struct str field;

	date_message_print(date, worker_wall_ms(s->worker) / 1000, 0);
	buf_printf(&out, "Received: from %s ([%s%s])\n\tby %s with ", s->hello, strchr(peer, ':') ? "IPv6:" : "", peer,
		smtp_hostname(s));
	with(s, &out);
	account(s, &out);
	buf_printf(&out, " id %s", s->id);
	if (s->recipient_count == 1)
		buf_printf(&out, "\n\tfor <" STR_FMT ">", STR_ARG(s->recipients[0].address));
	tls_clause(s, &out);
	buf_printf(&out, "; %s\n", date);
	field = arena_str(&s->transaction, buf_str(&out));
	buf_free(&out);
	return field;
}

/* --- deliveries -------------------------------------------------------------------------------------------------- */

static void delivered(void *user, enum err e, uint32_t uid);

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

static void all_delivered(struct smtp *s);

static void deliver_more(struct smtp *s)
{
	while (s->started < s->recipient_count && s->started - s->delivered < DELIVERIES_MAX) {
		struct smtp_recipient *r = &s->recipients[s->started++];

		if (r->looped) {
			r->outcome = ERR_NEVER;
			s->delivered++;
		} else {
			deliver(s, r);
		}
	}
	if (s->delivered == s->recipient_count)
		all_delivered(s);
}

void smtp_deliver_drop(struct smtp *s)
{
	for (size_t i = 0; i < s->started; i++) {
		call_cancel(s->recipients[i].call);
		s->recipients[i].call = NULL;
	}
	s->started = s->delivered = 0;
}

void smtp_deliver(struct smtp *s)
{
	s->received = received_field(s);
	deliver_more(s);
}

/* --- and what came of them --------------------------------------------------------------------------------------- */

static void reply_outcome(struct smtp *s, const struct smtp_recipient *r)
{
	if (r->looped) {
		smtp_reply(s, "554 5.4.6 <" STR_FMT "> had the message before: a loop", STR_ARG(r->address));
		return;
	}
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

/* As whom the sender knows the message and the recipient is of use to whoever looks for one (RFC 3461, 4.2 and 4.4). */
static void log_delivery(const struct smtp *s, const struct smtp_recipient *r)
{
	struct buf about = { 0 };

	buf_printf(&about, "from=<" STR_FMT "> to=<" STR_FMT "> size=%llu peer=%s", STR_ARG(s->sender),
		STR_ARG(r->address), (unsigned long long)draft_size(s->draft)->wire, conn_peer(s->conn));
	if (s->mail.envid.len)
		buf_printf(&about, " envid=" STR_FMT, STR_ARG(s->mail.envid));
	if (r->orcpt.len)
		buf_printf(&about, " orcpt=" STR_FMT, STR_ARG(r->orcpt));
	if (r->outcome == OK)
		log_info("smtp", s->id, "delivered uid=%u " STR_FMT, r->uid, STR_ARG(buf_str(&about)));
	else
		log_info("smtp", s->id, "not delivered " STR_FMT " reason=\"%s\"", STR_ARG(buf_str(&about)),
			err_text(r->outcome));
	buf_free(&about);
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

static void delivered(void *user, enum err e, uint32_t uid)
{
	struct smtp_recipient *r = user;
	struct smtp *s = r->smtp;

	r->call = NULL;
	r->outcome = e;
	r->uid = uid;
	s->delivered++;
	deliver_more(s);
}
