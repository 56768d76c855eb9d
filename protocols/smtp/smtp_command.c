/* smtp_command.c - the commands (RFC 5321, 4.1; RFC 2033 for LMTP) and where each is allowed. */
#include "core/log.h"
#include "core/mem.h"
#include "protocols/smtp/smtp_session.h"
#include <stdio.h>

/* Of memory for addresses, refused ones included; room for 100,000 recipients of the usual length. */
#define TRANSACTION_BYTES_MAX (32u << 20)

#define ANY (GREETED | HELLO | SENDER | RCPTS)

enum { /* besides: for whom the row is */
	SMTP_ONLY = 1,
	LMTP_ONLY = 2,
};

/* What the client calls itself goes into the trace. Many give no domain: that is taken, but nothing of it that could
 * look like another part of the Received field. */
static void take_hello(struct smtp *s, struct str rest)
{
	struct str name;
	size_t len = 0;

	if (address_domain(&s->transaction, rest, 0, &name))
		name = rest;
	for (; len < name.len && len < sizeof(s->hello) - 1; len++) {
		char c = ascii_lower(name.p[len]);

		s->hello[len] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-._:[]", c) ? c : '?';
	}
	s->hello[len] = '\0';
}

/* EHLO and LHLO (RFC 5321, 4.1.1.1) */
static enum next cmd_ehlo(struct smtp *s, struct str rest)
{
	if (!rest.len)
		return smtp_wrong(s, "501 5.5.4 say who you are");
	smtp_reset(s);
	take_hello(s, rest);
	s->extended = true;
	smtp_enter(s, HELLO);
	smtp_reply(s, "250-%s greets you", smtp_hostname(s));
	smtp_reply(s, "250-PIPELINING");
	smtp_reply(s, "250-SIZE %lld", (long long)s->conf->message_max);
	smtp_reply(s, "250-8BITMIME");
	return smtp_reply(s, "250 ENHANCEDSTATUSCODES");
}

static enum next cmd_helo(struct smtp *s, struct str rest)
{
	if (!rest.len)
		return smtp_wrong(s, "501 5.5.4 say who you are");
	smtp_reset(s);
	take_hello(s, rest);
	s->extended = false;
	smtp_enter(s, HELLO);
	return smtp_reply(s, "250 %s", smtp_hostname(s));
}

/* SIZE (RFC 1870) and BODY (RFC 6152); false: the reply is sent, in *next. */
static bool mail_parameter(struct smtp *s, const struct smtp_parameter *p, enum next *next)
{
	if (str_eq_nocase(p->name, STR("SIZE"))) {
		if (!str_u64(p->value, &s->size))
			*next = smtp_wrong(s, "501 5.5.4 SIZE wants a number");
		else if (s->size > (uint64_t)s->conf->message_max)
			*next = smtp_reply(
				s, "552 5.3.4 a message is at most %lld bytes", (long long)s->conf->message_max);
		else
			return true;
	} else if (str_eq_nocase(p->name, STR("BODY"))) {
		if (str_eq_nocase(p->value, STR("7BIT")) || str_eq_nocase(p->value, STR("8BITMIME")))
			return true;
		*next = smtp_wrong(s, "501 5.5.4 BODY is 7BIT or 8BITMIME");
	} else {
		*next = smtp_wrong(s, "555 5.5.4 unknown parameter " STR_FMT, STR_ARG(p->name));
	}
	return false;
}

static enum next bad_path(struct smtp *s, enum err e, const char *syntax)
{
	if (e == ERR_TOO_BIG)
		return smtp_wrong(s, "501 5.1.3 the address is too long");
	return smtp_wrong(s, "501 5.5.4 syntax: %s", syntax);
}

static enum next cmd_mail(struct smtp *s, struct str rest)
{
	struct smtp_path_line line;
	enum next next;
	enum err e;

	smtp_reset(s); /* of a MAIL that was refused */
	e = smtp_parse_path(rest, STR("FROM:"), ADDRESS_NULL, &s->transaction, &line);
	if (e)
		return bad_path(s, e, "MAIL FROM:<address>");
	for (size_t i = 0; i < line.count; i++)
		if (!mail_parameter(s, &line.parameters[i], &next))
			return next;
	s->sender = address_text(&s->transaction, &line.path);
	snprintf(s->id, sizeof(s->id), "%s.%u", conn_id(s->conn), ++s->messages);
	smtp_enter(s, SENDER);
	return smtp_reply(s, "250 2.1.0 sender <" STR_FMT ">", STR_ARG(s->sender));
}

/* <postmaster> alone is ours, whatever we are called (RFC 5321, 4.5.1). */
static struct str bare_domain(const struct smtp *s)
{
	const struct login_conf *login = conf_section(s->snapshot, &login_settings);

	return str_of(*login->default_domain ? login->default_domain : smtp_hostname(s));
}

static void rcpt_done(void *user, enum err e, struct str account);

static enum next cmd_rcpt(struct smtp *s, struct str rest)
{
	struct smtp_path_line line;
	enum err e = smtp_parse_path(rest, STR("TO:"), ADDRESS_BARE, &s->transaction, &line);

	if (e)
		return bad_path(s, e, "RCPT TO:<address>");
	if (line.count)
		return smtp_wrong(s, "555 5.5.4 unknown parameter " STR_FMT, STR_ARG(line.parameters[0].name));
	/* No mistake: the client sends to those that were taken, and again to the others (RFC 5321, 4.5.3.1.10). */
	if (s->recipient_count >= (size_t)s->conf->recipients_max || s->transaction.used > TRANSACTION_BYTES_MAX)
		return smtp_reply(
			s, "452 4.5.3 a message has at most %lld recipients", (long long)s->conf->recipients_max);
	if (!line.path.domain.len)
		line.path.domain = bare_domain(s);
	s->asked = address_text(&s->transaction, &line.path);
	s->waiting = store_recipient(s->worker, s->asked, s->size, rcpt_done, s);
	return WAIT;
}

static enum next recipient_refused(struct smtp *s, enum err e)
{
	log_info("smtp", s->id, "recipient refused to=<" STR_FMT "> from=<" STR_FMT "> peer=%s reason=\"%s\"",
		STR_ARG(s->asked), STR_ARG(s->sender), conn_peer(s->conn), err_text(e));
	switch (e) {
	case ERR_ABSENT:
		smtp_reply(s, "550 5.1.1 <" STR_FMT "> is not known here", STR_ARG(s->asked));
		break;
	case ERR_DENIED:
		smtp_reply(s, "550 5.7.1 <" STR_FMT "> is not ours, and we do not relay", STR_ARG(s->asked));
		break;
	case ERR_MISTAKE:
	case ERR_NEVER:
		smtp_reply(s, "553 5.1.3 <" STR_FMT "> cannot be an address here", STR_ARG(s->asked));
		break;
	case ERR_TOO_BIG:
		return smtp_reply(s, "552 5.2.2 <" STR_FMT "> has no room", STR_ARG(s->asked));
	default:
		return smtp_reply(s, "451 4.3.0 <" STR_FMT "> cannot be had now, try again", STR_ARG(s->asked));
	}
	return s->lmtp ? DONE : smtp_count(s); /* an MTA behind LMTP has to ask, it does not know who is here */
}

static void rcpt_done(void *user, enum err e, struct str account)
{
	struct smtp *s = user;
	size_t n = s->recipient_count;

	s->waiting = NULL;
	if (e) {
		smtp_resume(s, recipient_refused(s, e));
		return;
	}
	if ((n & (n - 1)) == 0) /* full at each power of two */
		s->recipients = mem_resize(s->recipients, (n ? 2 * n : 1) * sizeof(*s->recipients));
	s->recipients[s->recipient_count++] = (struct smtp_recipient){
		.address = s->asked, .account = arena_str(&s->transaction, account), .smtp = s
	};
	smtp_enter(s, RCPTS);
	smtp_resume(s, smtp_reply(s, "250 2.1.5 recipient <" STR_FMT ">", STR_ARG(s->asked)));
}

static enum next cmd_data(struct smtp *s, struct str rest)
{
	if (rest.len)
		return smtp_wrong(s, "501 5.5.4 DATA takes nothing behind it");
	return smtp_data_begin(s);
}

static enum next cmd_rset(struct smtp *s, struct str rest)
{
	(void)rest;
	smtp_reset(s);
	return smtp_reply(s, "250 2.0.0 forgotten");
}

static enum next cmd_noop(struct smtp *s, struct str rest)
{
	(void)rest;
	return smtp_reply(s, "250 2.0.0 here");
}

static enum next cmd_quit(struct smtp *s, struct str rest)
{
	(void)rest;
	smtp_reply(s, "221 2.0.0 %s says good-bye", smtp_hostname(s));
	return CLOSE;
}

/* RFC 5321, 7.3: a server need not tell strangers who is here. */
static enum next cmd_vrfy(struct smtp *s, struct str rest)
{
	(void)rest;
	return smtp_reply(s, "252 2.1.5 send some mail, we will try to deliver it");
}

static const struct command_row {
	const char *verb;
	unsigned states, besides;
	enum next (*run)(struct smtp *s, struct str rest);
} rows[] = {
	/* verb  allowed in   besides    does  */
	{ "EHLO", ANY, SMTP_ONLY, cmd_ehlo },
	{ "HELO", ANY, SMTP_ONLY, cmd_helo },
	{ "LHLO", ANY, LMTP_ONLY, cmd_ehlo },
	{ "MAIL", HELLO, 0, cmd_mail },
	{ "RCPT", SENDER | RCPTS, 0, cmd_rcpt },
	{ "DATA", RCPTS, 0, cmd_data },
	{ "RSET", ANY, 0, cmd_rset },
	{ "NOOP", ANY, 0, cmd_noop },
	{ "VRFY", ANY, 0, cmd_vrfy },
	{ "QUIT", ANY, 0, cmd_quit },
};

static enum next out_of_turn(struct smtp *s)
{
	switch (s->state) {
	case GREETED:
		return smtp_wrong(s, "503 5.5.1 say %s first", s->lmtp ? "LHLO" : "EHLO");
	case HELLO:
		return smtp_wrong(s, "503 5.5.1 say MAIL first");
	case SENDER:
		return smtp_wrong(s, "503 5.5.1 say RCPT first; no recipient was taken");
	default:
		return smtp_wrong(s, "503 5.5.1 not in the middle of a transaction; RSET ends it");
	}
}

enum next smtp_command(struct smtp *s, const struct smtp_line *line)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct command_row *row = &rows[i];

		if (!str_eq_nocase(line->verb, str_of(row->verb)))
			continue;
		if (row->besides & (s->lmtp ? SMTP_ONLY : LMTP_ONLY))
			return smtp_wrong(s, "500 5.5.1 this is %s", s->lmtp ? "LMTP" : "SMTP");
		if (!(s->state & row->states))
			return out_of_turn(s);
		return row->run(s, line->rest);
	}
	return smtp_wrong(s, "500 5.5.1 unknown command");
}
