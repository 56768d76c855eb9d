/* smtp_mail.c - MAIL (RFC 5321, 4.1.1.2): from whom, and what else is said of the message.
 * Who logged in writes as himself: the store knows which addresses are his (RFC 6409, 6.1). Without a sender, as what tells
 * of a message's fate has none, anybody may write. */
#include "core/log.h"
#include "protocols/smtp/smtp_session.h"
#include "storage/route/masquerade.h"
#include <stdio.h>

enum next smtp_bad_path(struct smtp *s, enum err e, const char *syntax)
{
	if (e == ERR_TOO_BIG)
		return smtp_wrong(s, "501 5.1.3 the address is too long");
	return smtp_wrong(s, "501 5.5.4 syntax: %s", syntax);
}

bool smtp_may_be_said(struct str address, bool utf8)
{
	for (size_t i = 0; !utf8 && i < address.len; i++)
		if ((unsigned char)address.p[i] >= 0x80)
			return false;
	return true;
}

enum next smtp_not_ascii(struct smtp *s)
{
	return smtp_wrong(s, "553 5.6.7 an address beyond ASCII wants MAIL with SMTPUTF8");
}

static enum next mail_taken(struct smtp *s)
{
	smtp_enter(s, SENDER);
	return smtp_reply(s, "250 2.1.0 sender <" STR_FMT ">", STR_ARG(s->sender));
}

static void may_send_done(void *user, enum err e)
{
	struct smtp *s = user;
	enum next next;

	s->waiting = NULL;
	if (e)
		log_info("smtp", s->id, "sender refused from=<" STR_FMT "> account=%s peer=%s reason=\"%s\"",
			STR_ARG(s->sender), s->account->address, conn_peer(s->conn), err_text(e));
	if (!e)
		next = mail_taken(s);
	else if (e == ERR_AGAIN)
		next = smtp_reply(s, "451 4.3.0 it cannot be known now whether you may send as that, try again");
	else
		next = smtp_wrong(
			s, "550 5.7.1 <" STR_FMT "> is no address of %s", STR_ARG(s->sender), s->account->address);
	smtp_resume(s, next);
}

static enum next check_sender(struct smtp *s)
{
	if (!s->account || !s->sender.len || str_eq_nocase(s->sender, str_of(s->account->address)))
		return mail_taken(s);
	s->waiting = route_may_send(s->worker, str_of(s->account->address), s->sender, may_send_done, s);
	return WAIT;
}

/* Times are said as they lie from now on (RFC 2852, 4; RFC 4865, 4). NULL, or the reply. */
static const char *take_times(struct smtp *s)
{
	const struct submission_conf *conf = conf_section(s->snapshot, &submission_settings);
	int64_t until;

	s->arrived_s = worker_wall_ms(s->worker) / 1000;
	if (s->mail.hold_for)
		s->mail.hold_until = s->arrived_s + s->mail.hold_for;
	until = s->mail.hold_until;
	if (until > s->arrived_s + conf->hold_max_ms / 1000)
		return "501 5.5.4 nothing is held for so long here";
	if (s->mail.by == BY_RETURN && until > s->arrived_s + s->mail.by_time)
		return "501 5.5.4 it would be held for longer than BY leaves it";
	return NULL;
}

enum next smtp_cmd_mail(struct smtp *s, struct str rest)
{
	struct smtp_path_line line;
	const char *wrong;
	enum err e;

	if (smtp_auth_required(s))
		return smtp_wrong(s, "530 5.7.0 log in first");
	if (smtp_is_put_off(s))
		return smtp_reply(s, "451 4.3.2 %s", smtp_busy);
	smtp_reset(s); /* of a MAIL that was refused */
	e = smtp_parse_path(rest, STR("FROM:"), ADDRESS_NULL | ADDRESS_UTF8, &s->transaction, &line);
	if (e)
		return smtp_bad_path(s, e, "MAIL FROM:<address>");
	if ((wrong = smtp_mail_parameters(&line, smtp_may(s), &s->mail)) || (wrong = take_times(s)))
		return smtp_wrong(s, "%s", wrong);
	if (s->mail.size > (uint64_t)s->conf->message_max)
		return smtp_reply(s, "552 5.3.4 a message is at most %lld bytes", (long long)s->conf->message_max);
	s->mail.envid = arena_str(&s->transaction, s->mail.envid);
	s->sender = address_text(&s->transaction, &line.path);
	if (smtp_relay_trusted(s))
		s->sender = masquerade_address(s->snapshot, &s->transaction, s->sender);
	if (!smtp_may_be_said(s->sender, s->mail.utf8))
		return smtp_not_ascii(s);
	snprintf(s->id, sizeof(s->id), "%s.%u", conn_id(s->conn), ++s->messages);
	return check_sender(s);
}
