/* smtp_mail.c - MAIL and RCPT (RFC 5321, 4.1.1.2 and 4.1.1.3): from whom, to whom, and what else is said of it.
 * A recipient is ours if the store knows its account. Whatever points elsewhere is refused to everybody: nothing here
 * sends mail on. */
#include "core/log.h"
#include "core/mem.h"
#include "protocols/smtp/smtp_session.h"
#include <stdio.h>

/* Of memory for addresses, refused ones included; room for 100,000 recipients of the usual length. */
#define TRANSACTION_BYTES_MAX (32u << 20)

static enum next bad_path(struct smtp *s, enum err e, const char *syntax)
{
	if (e == ERR_TOO_BIG)
		return smtp_wrong(s, "501 5.1.3 the address is too long");
	return smtp_wrong(s, "501 5.5.4 syntax: %s", syntax);
}

/* Letters beyond ASCII are for transactions that said SMTPUTF8 (RFC 6531, 3.5); others never hear them either. */
static bool may_be_said(struct str address, bool utf8)
{
	for (size_t i = 0; !utf8 && i < address.len; i++)
		if ((unsigned char)address.p[i] >= 0x80)
			return false;
	return true;
}

static enum next not_ascii(struct smtp *s)
{
	return smtp_wrong(s, "553 5.6.7 an address beyond ASCII wants MAIL with SMTPUTF8");
}

enum next smtp_cmd_mail(struct smtp *s, struct str rest)
{
	struct smtp_path_line line;
	const char *wrong;
	enum err e;

	if (smtp_auth_required(s))
		return smtp_wrong(s, "530 5.7.0 log in first");
	smtp_reset(s); /* of a MAIL that was refused */
	e = smtp_parse_path(rest, STR("FROM:"), ADDRESS_NULL | ADDRESS_UTF8, &s->transaction, &line);
	if (e)
		return bad_path(s, e, "MAIL FROM:<address>");
	if ((wrong = smtp_mail_parameters(&line, &s->mail)))
		return smtp_wrong(s, "%s", wrong);
	if (s->mail.size > (uint64_t)s->conf->message_max)
		return smtp_reply(s, "552 5.3.4 a message is at most %lld bytes", (long long)s->conf->message_max);
	s->mail.envid = arena_str(&s->transaction, s->mail.envid);
	s->sender = address_text(&s->transaction, &line.path);
	if (!may_be_said(s->sender, s->mail.utf8))
		return not_ascii(s);
	snprintf(s->id, sizeof(s->id), "%s.%u", conn_id(s->conn), ++s->messages);
	smtp_enter(s, SENDER);
	return smtp_reply(s, "250 2.1.0 sender <" STR_FMT ">", STR_ARG(s->sender));
}

/* Where <postmaster> alone and addresses at our own address literal are: our first domain. */
static struct str own_domain(const struct smtp *s)
{
	return str_of(*s->login_conf->default_domain ? s->login_conf->default_domain : smtp_hostname(s));
}

/* An address literal is ours if it is what the client connected to (RFC 5321, 4.1.3). */
static bool own_literal(const struct smtp *s, struct str domain)
{
	const char *here = conn_here(s->conn);
	char literal[80];

	snprintf(literal, sizeof(literal), "[%s%s]", strchr(here, ':') ? "IPv6:" : "", here);
	return str_eq(domain, str_of(literal));
}

static void rcpt_done(void *user, enum err e, struct str account);

static enum next ask(struct smtp *s, struct address_path *path)
{
	if (!path->domain.len || own_literal(s, path->domain))
		path->domain = own_domain(s);
	s->asked.address = address_text(&s->transaction, path);
	s->asked.local = path->local;
	s->waiting = store_recipient(s->worker, s->asked.address, s->mail.size, rcpt_done, s);
	return WAIT;
}

enum next smtp_cmd_rcpt(struct smtp *s, struct str rest)
{
	struct smtp_path_line line;
	struct smtp_rcpt_parameters p;
	enum err e = smtp_parse_path(rest, STR("TO:"), ADDRESS_BARE | ADDRESS_UTF8, &s->transaction, &line);
	const char *wrong;

	if (e)
		return bad_path(s, e, "RCPT TO:<address>");
	if ((wrong = smtp_rcpt_parameters(&line, s->mail.utf8, &p)))
		return smtp_wrong(s, "%s", wrong);
	if (!may_be_said(line.path.local, s->mail.utf8) || !may_be_said(line.path.domain, s->mail.utf8))
		return not_ascii(s);
	/* No mistake: the client sends to those that were taken, and again to the others (RFC 5321, 4.5.3.1.10). */
	if (s->recipient_count >= (size_t)s->conf->recipients_max || s->transaction.used > TRANSACTION_BYTES_MAX)
		return smtp_reply(
			s, "452 4.5.3 a message has at most %lld recipients", (long long)s->conf->recipients_max);
	s->asked = (struct smtp_recipient){
		.smtp = s, .notify = p.notify, .orcpt = arena_str(&s->transaction, p.orcpt)
	};
	return ask(s, &line.path);
}

/* The forms in which mail was once sent on by way of us: user%elsewhere, elsewhere!user, "user@elsewhere". */
static bool points_elsewhere(struct str local)
{
	return str_find(local, '%') >= 0 || str_find(local, '!') >= 0 || str_find(local, '@') >= 0;
}

static enum next recipient_refused(struct smtp *s, enum err e)
{
	struct str address = s->asked.address;

	log_info("smtp", s->id, "recipient refused to=<" STR_FMT "> from=<" STR_FMT "> peer=%s reason=\"%s\"",
		STR_ARG(address), STR_ARG(s->sender), conn_peer(s->conn), err_text(e));
	if (e == ERR_ABSENT && points_elsewhere(s->asked.local))
		e = ERR_DENIED;
	switch (e) {
	case ERR_ABSENT:
		smtp_reply(s, "550 5.1.1 <" STR_FMT "> is not known here", STR_ARG(address));
		break;
	case ERR_DENIED:
		smtp_reply(s, "550 5.7.1 <" STR_FMT "> is not ours, and we %s", STR_ARG(address),
			*s->session.account ? "send no mail elsewhere, yours neither" : "do not relay");
		break;
	case ERR_MISTAKE:
	case ERR_NEVER:
		smtp_reply(s, "553 5.1.3 <" STR_FMT "> cannot be an address here", STR_ARG(address));
		break;
	case ERR_TOO_BIG:
		return smtp_reply(s, "552 5.2.2 <" STR_FMT "> has no room", STR_ARG(address));
	default:
		return smtp_reply(s, "451 4.3.0 <" STR_FMT "> cannot be had now, try again", STR_ARG(address));
	}
	return s->lmtp ? DONE : smtp_count(s); /* an MTA behind LMTP has to ask, it does not know who is here */
}

/* Every domain of ours has a postmaster (RFC 5321, 4.5.1): if none of its own, our first domain's. */
static bool ask_first_postmaster(struct smtp *s)
{
	struct address_path path = { s->asked.local, own_domain(s) };
	struct str first;

	if (!str_eq_nocase(s->asked.local, STR("postmaster")))
		return false;
	first = address_text(&s->transaction, &path);
	if (str_eq_nocase(first, s->asked.address))
		return false;
	s->waiting = store_recipient(s->worker, first, s->mail.size, rcpt_done, s);
	return true;
}

static void rcpt_done(void *user, enum err e, struct str account)
{
	struct smtp *s = user;
	size_t n = s->recipient_count;

	s->waiting = NULL;
	if (e == ERR_ABSENT && ask_first_postmaster(s))
		return;
	if (e) {
		smtp_resume(s, recipient_refused(s, e));
		return;
	}
	if ((n & (n - 1)) == 0) /* full at each power of two */
		s->recipients = mem_resize(s->recipients, (n ? 2 * n : 1) * sizeof(*s->recipients));
	s->asked.account = arena_str(&s->transaction, account);
	s->recipients[s->recipient_count++] = s->asked;
	smtp_enter(s, RCPTS);
	smtp_resume(s, smtp_reply(s, "250 2.1.5 recipient <" STR_FMT ">", STR_ARG(s->asked.address)));
}
