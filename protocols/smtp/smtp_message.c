/* smtp_message.c - a message coming in, by DATA or by BDAT: kept, watched, and refused as soon as it must be.
 * What is refused is let go at once; its bytes are swallowed, and the reply waits for their end. A message of
 * BINARYMIME goes through recode.h on its way, so that what is kept has lines. */
#include "core/log.h"
#include "protocols/smtp/smtp_session.h"

void smtp_message_drop(struct smtp *s)
{
	s->reader = NULL;
	s->refused = NULL;
	s->ended = false;
	s->taken = 0;
	draft_free(s->draft);
	s->draft = NULL;
	recode_free(s->recode);
	s->recode = NULL;
	smtp_watch_free(&s->watch);
	smtp_submit_drop(s);
}

enum form_lines smtp_message_lines(const struct smtp *s)
{
	return (enum form_lines)(s->lmtp ? s->conf->lmtp_line_ends : s->conf->line_ends);
}

void smtp_message_begin(struct smtp *s)
{
	uint64_t max = (uint64_t)s->conf->message_max;

	if (s->mail.body == BODY_BINARYMIME)
		s->recode = recode_new();
	/* What is counted against the limit is what comes; LF and base64 make more of it than that. */
	s->draft = draft_new(s->worker, smtp_message_lines(s), 2 * max);
	smtp_submit_begin(s);
}

void smtp_message_refuse(struct smtp *s, const char *reply)
{
	if (s->refused)
		return;
	s->refused = reply;
	draft_free(s->draft);
	s->draft = NULL;
}

void smtp_message_too_big(struct smtp *s)
{
	smtp_message_refuse(s, arena_printf(&s->transaction, "552 5.3.4 a message is at most %lld bytes",
				       (long long)s->conf->message_max));
}

static void refuse_draft(struct smtp *s, enum err e)
{
	if (e == ERR_MISTAKE)
		smtp_message_refuse(s, "550 5.6.0 lines end in CRLF; a CR or LF alone, or a NUL, is not taken");
	else if (e == ERR_TOO_BIG)
		smtp_message_too_big(s);
	else if (e)
		smtp_message_refuse(s, "451 4.3.0 the message cannot be kept now, try again");
}

/* RFC 5321, 4.5.3.1.6 and .7, 6.3 */
static void judge(struct smtp *s)
{
	const struct smtp_conf *conf = s->conf;

	if (s->refused)
		return;
	if (s->taken > (uint64_t)conf->message_max)
		smtp_message_too_big(s);
	else if (s->watch.received > (unsigned)conf->hops_max)
		smtp_message_refuse(s, "554 5.4.6 the message went through too many servers");
	else if (s->watch.longest > (size_t)conf->text_line_max)
		smtp_message_refuse(s, arena_printf(&s->transaction, "554 5.6.0 a line of text is at most %lld bytes",
					       (long long)conf->text_line_max));
	else
		refuse_draft(s, draft_error(s->draft));
}

void smtp_message_keep(struct smtp *s, struct str piece)
{
	if (s->refused)
		return;
	smtp_watch_feed(&s->watch, piece);
	draft_feed(s->draft, piece);
	judge(s);
}

/* What comes of the message in lines. */
static void take_lines(struct smtp *s, struct str piece)
{
	if (s->submit.holds || s->submit.header.whole)
		smtp_submit_feed(s, piece);
	else
		smtp_message_keep(s, piece);
	judge(s);
}

void smtp_message_feed(struct smtp *s, struct str piece)
{
	struct buf recoded = { 0 };

	if (s->refused)
		return;
	s->taken += piece.len;
	if (!s->recode) {
		take_lines(s, piece);
		return;
	}
	recode_feed(s->recode, piece, &recoded);
	take_lines(s, buf_str(&recoded));
	buf_free(&recoded);
}

static void on_room(void *user)
{
	smtp_resume(user, DONE);
}

enum next smtp_message_next(struct smtp *s)
{
	if (!s->draft || !draft_is_behind(s->draft))
		return DONE;
	draft_on_room(s->draft, on_room, s);
	return WAIT;
}

/* One reply, or in LMTP the same for each recipient (RFC 2033, 4.2). */
static enum next reply_refused(struct smtp *s)
{
	bool mistake = *s->refused == '5';

	log_info("smtp", s->id, "message refused from=<" STR_FMT "> peer=%s reason=\"%s\"", STR_ARG(s->sender),
		conn_peer(s->conn), s->refused);
	for (size_t i = 0; i < (s->lmtp ? s->recipient_count : 1); i++)
		if (!s->recipients[i].hidden)
			smtp_reply(s, "%s", s->refused);
	smtp_reset(s);
	return mistake ? smtp_count(s) : DONE;
}

static void draft_done(void *user, enum err e)
{
	struct smtp *s = user;

	refuse_draft(s, e);
	if (s->refused)
		smtp_resume(s, reply_refused(s));
	else
		smtp_copies(s);
}

void smtp_message_copied(struct smtp *s)
{
	if (s->refused)
		smtp_resume(s, reply_refused(s));
	else
		smtp_deliver(s);
}

/* Whether all that an address means has the message already. A group's members that have it are spared alone. */
static bool looped(struct smtp *s, const struct smtp_recipient *r)
{
	size_t spared = 0;

	for (size_t i = r->targets; i < r->targets + r->count; i++) {
		struct smtp_target *t = &s->targets[i];

		t->spared = t->kind == ROUTE_LOCAL && t->forwarded && smtp_watch_delivered(&s->watch, t->address);
		spared += t->spared;
	}
	return spared == r->count || smtp_watch_delivered(&s->watch, r->address);
}

/* A message that was delivered to somebody before comes back to him in a loop. SMTP has one reply, so then it is
 * delivered to nobody; LMTP has one for each. */
static void find_loops(struct smtp *s)
{
	if (!s->watch.delivered_count)
		return;
	for (size_t i = 0; i < s->recipient_count; i++) {
		struct smtp_recipient *r = &s->recipients[i];

		r->looped = looped(s, r);
		for (size_t k = r->targets; r->looped && k < r->targets + r->count; k++)
			s->targets[k].spared = true;
		if (r->looped && !s->lmtp)
			smtp_message_refuse(s, "554 5.4.6 the message was delivered to a recipient before: a loop");
	}
}

/* The message is whole, as far as it came: what is still to be known of it? */
static enum next check(struct smtp *s)
{
	if (smtp_submit_asks(s))
		return WAIT;
	if (s->refused)
		return reply_refused(s);
	draft_end(s->draft, draft_done, s);
	return WAIT;
}

void smtp_message_checked(struct smtp *s)
{
	enum next next = check(s);

	if (next != WAIT)
		smtp_resume(s, next);
}

enum next smtp_message_end(struct smtp *s)
{
	struct buf recoded = { 0 };

	s->reader = NULL;
	smtp_enter(s, DATA);
	if (!s->refused && s->recode) {
		recode_end(s->recode, &recoded);
		take_lines(s, buf_str(&recoded));
		buf_free(&recoded);
	}
	smtp_submit_end(s);
	find_loops(s);
	s->ended = true;
	return check(s);
}
