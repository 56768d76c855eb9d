/* pop3_command.c - the commands (RFC 1939, 5 to 7; RFC 2449) and where each is allowed.
 * Messages are numbered as the maildrop was at the login, whatever others do meanwhile; what DELE marks is removed by QUIT
 * alone, all of it in one change of the mailbox. */
#include "core/mem.h"
#include "protocols/pop3/pop3_session.h"
#include <stdlib.h>

static enum next cmd_capa(struct pop3 *s, struct str rest)
{
	(void)rest;
	pop3_ok(s, "what we can do");
	conn_printf(s->conn, "UTF8 USER\r\nLANG\r\n");
	if (s->conf->login_delay_ms)
		conn_printf(s->conn, "LOGIN-DELAY %lld\r\n", (long long)(s->conf->login_delay_ms + 999) / 1000);
	if (s->conf->expire_days)
		conn_printf(s->conn, "EXPIRE %lld\r\n", (long long)s->conf->expire_days);
	else
		conn_printf(s->conn, "EXPIRE NEVER\r\n");
	conn_printf(s->conn, "TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n");
	if (s->state == AUTHORIZATION)
		pop3_auth_capabilities(s);
	conn_printf(s->conn, "IMPLEMENTATION Postern\r\n.\r\n");
	return DONE;
}

bool pop3_is_deleted(const struct pop3 *s, uint32_t n)
{
	return s->deleted && s->deleted[(n - 1) / 8] & 1u << (n - 1) % 8;
}

/* A message number, of one that is not deleted; false: the reply is sent, in *next. */
static bool take_first_number(struct pop3 *s, struct str *rest, uint32_t *n, enum next *next)
{
	struct str left = str_trim(*rest);
	ptrdiff_t space = str_find(left, ' ');
	size_t len = space < 0 ? left.len : (size_t)space;

	*rest = str_trim(str_cut(left, len, left.len));
	if (!str_u32(str_cut(left, 0, len), n))
		*next = pop3_wrong(s, "a message number is wanted");
	else if (*n < 1 || *n > s->messages)
		*next = pop3_wrong(s, "there is no such message, only %u", s->messages);
	else if (pop3_is_deleted(s, *n))
		*next = pop3_wrong(s, "message %u is deleted", *n);
	else
		return true;
	return false;
}

/* The same, with nothing behind it. */
static bool take_number(struct pop3 *s, struct str rest, uint32_t *n, enum next *next)
{
	if (!take_first_number(s, &rest, n, next))
		return false;
	if (rest.len)
		*next = pop3_wrong(s, "one message number is enough");
	return !rest.len;
}

static enum next cmd_stat(struct pop3 *s, struct str rest)
{
	(void)rest;
	return pop3_ok(s, "%u %llu", s->messages - s->deleted_count, (unsigned long long)(s->bytes - s->deleted_bytes));
}

static enum next list_or_uidl(struct pop3 *s, struct str rest, bool uidl)
{
	struct buf *out;
	enum next next;
	uint32_t n;

	if (!str_trim(rest).len)
		return pop3_send_list(s, uidl);
	if (!take_number(s, rest, &n, &next))
		return next;
	out = conn_out(s->conn);
	buf_add_str(out, STR("+OK "));
	pop3_write_listing(s, n, uidl, out);
	conn_wrote(s->conn);
	return DONE;
}

static enum next cmd_list(struct pop3 *s, struct str rest)
{
	return list_or_uidl(s, rest, false);
}

static enum next cmd_uidl(struct pop3 *s, struct str rest)
{
	return list_or_uidl(s, rest, true);
}

static enum next cmd_retr(struct pop3 *s, struct str rest)
{
	struct message m;
	enum next next;
	uint32_t n;

	if (!take_number(s, rest, &n, &next))
		return next;
	selected_message(s->maildrop, n, &m);
	return pop3_send_message(s, &m);
}

static enum next cmd_top(struct pop3 *s, struct str rest)
{
	struct message m;
	enum next next;
	uint32_t n, lines;

	if (!take_first_number(s, &rest, &n, &next))
		return next;
	if (!str_u32(rest, &lines))
		return pop3_wrong(s, "TOP wants a message number and a number of lines");
	selected_message(s->maildrop, n, &m);
	return pop3_send_top(s, &m, lines);
}

static enum next cmd_dele(struct pop3 *s, struct str rest)
{
	struct message m;
	enum next next;
	uint32_t n;

	if (!take_number(s, rest, &n, &next))
		return next;
	if (!s->deleted)
		s->deleted = mem_alloc((s->messages + 7) / 8);
	s->deleted[(n - 1) / 8] |= (uint8_t)(1u << (n - 1) % 8);
	selected_message(s->maildrop, n, &m);
	s->deleted_count++;
	s->deleted_bytes += m.wire;
	return pop3_ok(s, "message %u deleted", n);
}

static enum next cmd_rset(struct pop3 *s, struct str rest)
{
	(void)rest;
	free(s->deleted);
	s->deleted = NULL;
	s->deleted_count = 0;
	s->deleted_bytes = 0;
	return pop3_ok(s, "%u messages", s->messages);
}

static enum next cmd_noop(struct pop3 *s, struct str rest)
{
	(void)rest;
	return pop3_ok(s, "here");
}

static enum next cmd_quit(struct pop3 *s, struct str rest)
{
	(void)rest;
	return pop3_update(s);
}

/* Headers and bodies may be in UTF-8 from now on (RFC 6856, 2). */
static enum next cmd_utf8(struct pop3 *s, struct str rest)
{
	(void)rest;
	s->utf8 = true;
	return pop3_ok(s, "from now on in UTF-8");
}

/* RFC 6856, 3: which languages there are, or one of them from now on; what we say of it begins with its tag. */
static enum next cmd_lang(struct pop3 *s, struct str rest)
{
	const struct pop3_language *language;

	rest = str_trim(rest);
	if (!rest.len) {
		pop3_ok(s, "languages");
		for (language = pop3_languages; language->tag; language++)
			conn_printf(s->conn, "%s %s\r\n", language->tag, language->name);
		conn_printf(s->conn, ".\r\n");
		return DONE;
	}
	language = pop3_language(rest);
	if (!language)
		return pop3_wrong(s, "%s %s", s->language->tag, pop3_in(s->language, "we do not speak this language"));
	s->language = language;
	return pop3_ok(s, "%s %s", language->tag, pop3_in(language, "this language from now on"));
}

enum { ALONE, ARGUED };

static const struct command_row {
	const char *verb;
	unsigned states;
	unsigned arguments; /* ALONE: there may be none */
	enum next (*run)(struct pop3 *s, struct str rest);
} rows[] = {
	/* verb  allowed in                   arguments  does */
	{ "CAPA", AUTHORIZATION | TRANSACTION, ALONE, cmd_capa },
	{ "LANG", AUTHORIZATION | TRANSACTION, ARGUED, cmd_lang },
	{ "UTF8", AUTHORIZATION, ALONE, cmd_utf8 },
	{ "STLS", AUTHORIZATION, ALONE, pop3_stls },
	{ "USER", AUTHORIZATION, ARGUED, pop3_user },
	{ "PASS", AUTHORIZATION, ARGUED, pop3_pass },
	{ "AUTH", AUTHORIZATION, ARGUED, pop3_auth },
	{ "STAT", TRANSACTION, ALONE, cmd_stat },
	{ "LIST", TRANSACTION, ARGUED, cmd_list },
	{ "UIDL", TRANSACTION, ARGUED, cmd_uidl },
	{ "RETR", TRANSACTION, ARGUED, cmd_retr },
	{ "TOP", TRANSACTION, ARGUED, cmd_top },
	{ "DELE", TRANSACTION, ARGUED, cmd_dele },
	{ "RSET", TRANSACTION, ALONE, cmd_rset },
	{ "NOOP", TRANSACTION, ALONE, cmd_noop },
	{ "QUIT", AUTHORIZATION | TRANSACTION, ALONE, cmd_quit },
};

enum next pop3_command(struct pop3 *s, struct str verb, struct str rest)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!str_eq_nocase(verb, str_of(rows[i].verb)))
			continue;
		if (!(s->state & rows[i].states))
			return pop3_wrong(s, s->state == AUTHORIZATION ? "log in first" : "you are logged in");
		if (rows[i].arguments == ALONE && str_trim(rest).len)
			return pop3_wrong(s, "%s takes nothing", rows[i].verb);
		return rows[i].run(s, rest);
	}
	return pop3_wrong(s, "unknown command");
}
