/* smtp_command.c - the commands (RFC 5321, 4.1; RFC 2033 for LMTP) and where each is allowed. Those of a transaction are in
 * smtp_mail.c, smtp_rcpt.c and smtp_data.c, those that ask about mail in smtp_ask.c. */
#include "protocols/smtp/smtp_session.h"

#define ANY (GREETED | HELLO | SENDER | RCPTS | CHUNKS | SPOILT)

enum { /* besides: what else the row says */
	SMTP_ONLY = 1,
	LMTP_ONLY = 2,
	ALONE = 4, /* nothing stands behind the verb */
};

/* What the client calls itself goes into the trace: a domain, or an address literal (RFC 5321, 4.1.1.1). Underscores are
 * no letters of a domain but of many a machine's name. */
static bool take_hello(struct smtp *s, struct str rest)
{
	struct str name = rest;

	if (!rest.len || rest.len >= sizeof(s->hello) || rest.p[0] == '.')
		return false;
	if (rest.p[0] == '[' && address_domain(&s->transaction, rest, 0, &name))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = ascii_lower(name.p[i]);
		bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._", c));

		if (!good && rest.p[0] != '[')
			return false;
		s->hello[i] = rest.p[0] == '[' ? name.p[i] : c;
	}
	s->hello[name.len] = '\0';
	return true;
}

static bool hello(struct smtp *s, struct str rest, bool extended)
{
	if (!take_hello(s, rest))
		return false;
	smtp_reset(s);
	s->extended = extended;
	smtp_enter(s, HELLO);
	return true;
}

static enum next who_are_you(struct smtp *s)
{
	return smtp_wrong(s, "501 5.5.4 say who you are: a domain, or an address literal");
}

/* EHLO and LHLO (RFC 5321, 4.1.1.1) */
static enum next cmd_ehlo(struct smtp *s, struct str rest)
{
	if (!hello(s, rest, true))
		return who_are_you(s);
	smtp_reply(s, "250-%s greets you", smtp_hostname(s));
	smtp_reply(s, "250-PIPELINING");
	smtp_reply(s, "250-SIZE %lld", (long long)s->conf->message_max);
	smtp_reply(s, "250-8BITMIME");
	smtp_reply(s, "250-BINARYMIME");
	smtp_reply(s, "250-CHUNKING");
	smtp_reply(s, "250-SMTPUTF8");
	smtp_reply(s, "250-DSN");
	smtp_reply(s, "250-DELIVERBY");
	smtp_trusted_offers(s);
	smtp_reply(s, "250-HELP");
	smtp_auth_offers(s);
	return smtp_reply(s, "250 ENHANCEDSTATUSCODES");
}

static enum next cmd_helo(struct smtp *s, struct str rest)
{
	return hello(s, rest, false) ? smtp_reply(s, "250 %s", smtp_hostname(s)) : who_are_you(s);
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

static enum next cmd_help(struct smtp *s, struct str rest);

static const struct command_row {
	const char *verb;
	unsigned states, besides;
	enum next (*run)(struct smtp *s, struct str rest);
} rows[] = {
	/* verb  allowed in   besides    does  */
	{ "EHLO", ANY, SMTP_ONLY, cmd_ehlo },
	{ "HELO", ANY, SMTP_ONLY, cmd_helo },
	{ "LHLO", ANY, LMTP_ONLY, cmd_ehlo },
	{ "STARTTLS", ANY, ALONE, smtp_starttls },
	{ "AUTH", HELLO, SMTP_ONLY, smtp_auth },
	{ "MAIL", HELLO, 0, smtp_cmd_mail },
	{ "RCPT", SENDER | RCPTS, 0, smtp_cmd_rcpt },
	{ "DATA", RCPTS, ALONE, smtp_cmd_data },
	{ "BDAT", ANY, 0, smtp_cmd_bdat }, /* what follows it is no command, wherever it stands */
	{ "RSET", ANY, ALONE, cmd_rset },
	{ "NOOP", ANY, 0, cmd_noop },
	{ "VRFY", ANY, 0, smtp_vrfy },
	{ "EXPN", ANY, 0, smtp_expn },
	{ "ETRN", HELLO, SMTP_ONLY, smtp_etrn },
	{ "HELP", ANY, 0, cmd_help },
	{ "QUIT", ANY, ALONE, cmd_quit },
};
#define ROWS (sizeof(rows) / sizeof(*rows))

static bool is_ours(const struct smtp *s, const struct command_row *row)
{
	return !(row->besides & (s->lmtp ? SMTP_ONLY : LMTP_ONLY));
}

/* RFC 5321, 4.1.1.8; the same whatever is asked about */
static enum next cmd_help(struct smtp *s, struct str rest)
{
	struct buf verbs = { 0 };

	(void)rest;
	for (size_t i = 0; i < ROWS; i++)
		if (is_ours(s, &rows[i]))
			buf_printf(&verbs, " %s", rows[i].verb);
	smtp_reply(s, "214-2.0.0 commands:" STR_FMT, STR_ARG(buf_str(&verbs)));
	buf_free(&verbs);
	return smtp_reply(s, "214 2.0.0 they are explained in RFC 5321 and RFC %s", s->lmtp ? "2033" : "1985");
}

static enum next out_of_turn(struct smtp *s)
{
	switch (s->state) {
	case GREETED:
		return smtp_wrong(s, "503 5.5.1 say %s first", s->lmtp ? "LHLO" : "EHLO");
	case HELLO:
		return smtp_wrong(s, "503 5.5.1 say MAIL first");
	case SENDER:
		return smtp_wrong(s, "503 5.5.1 say RCPT first; no recipient was taken");
	case CHUNKS:
		return smtp_wrong(s, "503 5.5.1 the message comes by BDAT: more of it, or RSET");
	case SPOILT:
		return smtp_wrong(s, "503 5.5.1 a chunk was refused; RSET ends the transaction");
	default:
		return smtp_wrong(s, "503 5.5.1 not in the middle of a transaction; RSET ends it");
	}
}

enum next smtp_command(struct smtp *s, const struct smtp_line *line)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct command_row *row = &rows[i];

		if (!str_eq_nocase(line->verb, str_of(row->verb)))
			continue;
		if (!is_ours(s, row))
			return smtp_wrong(s, "500 5.5.1 this is %s", s->lmtp ? "LMTP" : "SMTP");
		if (row->besides & ALONE && line->rest.len)
			return smtp_wrong(s, "501 5.5.4 %s takes nothing behind it", row->verb);
		if (!(s->state & row->states))
			return out_of_turn(s);
		return row->run(s, line->rest);
	}
	return smtp_wrong(s, "500 5.5.1 unknown command");
}
