/* smtp_data.c - DATA: the message from 354 to the last dot (RFC 5321, 4.1.1.4). */
#include "core/log.h"
#include "protocols/smtp/smtp_session.h"

void smtp_data_drop(struct smtp *s)
{
	for (size_t i = 0; i < s->started; i++) {
		call_cancel(s->recipients[i].call);
		s->recipients[i].call = NULL;
	}
	s->started = s->delivered = 0;
	s->ended = false;
	s->reader = NULL;
	draft_free(s->draft);
	s->draft = NULL;
}

static void on_draft_room(void *user)
{
	smtp_resume(user, DONE);
}

static void on_text(void *user, struct str piece)
{
	struct smtp *s = user;

	draft_feed(s->draft, piece);
}

static void draft_done(void *user, enum err e);

static enum next data_input(struct smtp *s, struct buf *in)
{
	buf_take(in, smtp_dot_feed(&s->dot, buf_str(in), on_text, s));
	if (s->dot.state == DOT_END) {
		s->reader = NULL;
		s->ended = true;
		draft_end(s->draft, draft_done, s);
		return WAIT;
	}
	if (draft_is_behind(s->draft)) {
		draft_on_room(s->draft, on_draft_room, s);
		return WAIT;
	}
	return DONE;
}

enum next smtp_data_begin(struct smtp *s)
{
	enum form_lines rule = (enum form_lines)(s->lmtp ? s->conf->lmtp_line_ends : s->conf->line_ends);

	if (s->mail.body == SMTP_BINARYMIME)
		return smtp_wrong(s, "503 5.5.1 what is BINARYMIME comes by BDAT");
	s->draft = draft_new(s->worker, rule, (uint64_t)s->conf->message_max);
	s->dot = (struct smtp_dot){ 0 };
	s->reader = data_input;
	smtp_enter(s, DATA);
	return smtp_reply(s, "354 go on, a line with a dot alone ends it");
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

static void draft_done(void *user, enum err e)
{
	struct smtp *s = user;

	if (e) {
		enum next next = refuse_all(s, e);

		smtp_reset(s);
		smtp_resume(s, next);
		return;
	}
	smtp_deliver(s);
}
