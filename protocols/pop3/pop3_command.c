/* pop3_command.c - the commands (RFC 1939, 5 to 7; RFC 2449) and where each is allowed.
 * Messages are numbered as the maildrop was at PASS, whatever others do meanwhile; what DELE marks is removed by QUIT
 * alone, all of it in one change of the mailbox. */
#include "core/log.h"
#include "core/mem.h"
#include "protocols/pop3/pop3_session.h"
#include <stdlib.h>

static enum next cmd_capa(struct pop3 *s, struct str rest)
{
	(void)rest;
	pop3_ok(s, "what we can do");
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
static bool take_number(struct pop3 *s, struct str *rest, uint32_t *n, enum next *next)
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

	if (!rest.len)
		return pop3_send_list(s, uidl);
	if (!take_number(s, &rest, &n, &next))
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

	if (!take_number(s, &rest, &n, &next))
		return next;
	selected_message(s->maildrop, n, &m);
	return pop3_send_message(s, &m);
}

static enum next cmd_top(struct pop3 *s, struct str rest)
{
	struct message m;
	enum next next;
	uint32_t n, lines;

	if (!take_number(s, &rest, &n, &next))
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

	if (!take_number(s, &rest, &n, &next))
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

static void update_done(void *user, enum err e)
{
	struct pop3 *s = user;

	s->waiting = NULL;
	if (e)
		pop3_err(s, "[SYS/TEMP] nothing was deleted, try again");
	else
		pop3_ok(s, "good-bye, %u messages deleted", s->deleted_count);
	log_info("pop3", conn_id(s->conn), "quit account=%s deleted=%u outcome=\"%s\"", s->account->address,
		s->deleted_count, err_text(e));
	pop3_resume(s, CLOSE);
}

/* The UIDs of what is deleted, as ranges. The caller frees. */
static struct uid_range *deleted_uids(const struct pop3 *s, size_t *count)
{
	struct uid_range *ranges = mem_alloc(s->deleted_count * sizeof(*ranges));
	uint32_t previous = 0; /* the number of the message that ended the last range */

	*count = 0;
	for (uint32_t n = 1; n <= s->messages; n++) {
		struct message m;

		if (!pop3_is_deleted(s, n))
			continue;
		selected_message(s->maildrop, n, &m);
		if (previous && previous == n - 1)
			ranges[*count - 1].last = m.uid;
		else
			ranges[(*count)++] = (struct uid_range){ m.uid, m.uid };
		previous = n;
	}
	return ranges;
}

static enum next cmd_quit(struct pop3 *s, struct str rest)
{
	struct uid_range *uids;
	size_t count;

	(void)rest;
	if (s->state == AUTHORIZATION || !s->deleted_count) {
		pop3_ok(s, "good-bye");
		return CLOSE;
	}
	pop3_enter(s, UPDATE);
	uids = deleted_uids(s, &count);
	s->waiting = store_expunge(s->worker, s->account, s->maildrop, uids, count, true, update_done, s);
	free(uids);
	return WAIT;
}

static const struct command_row {
	const char *verb;
	unsigned states;
	enum next (*run)(struct pop3 *s, struct str rest);
} rows[] = {
	/* verb   allowed in                  does     */
	{ "CAPA", AUTHORIZATION | TRANSACTION, cmd_capa },
	{ "USER", AUTHORIZATION, pop3_user },
	{ "PASS", AUTHORIZATION, pop3_pass },
	{ "AUTH", AUTHORIZATION, pop3_auth },
	{ "STLS", AUTHORIZATION, pop3_stls },
	{ "STAT", TRANSACTION, cmd_stat },
	{ "LIST", TRANSACTION, cmd_list },
	{ "UIDL", TRANSACTION, cmd_uidl },
	{ "RETR", TRANSACTION, cmd_retr },
	{ "TOP", TRANSACTION, cmd_top },
	{ "DELE", TRANSACTION, cmd_dele },
	{ "RSET", TRANSACTION, cmd_rset },
	{ "NOOP", TRANSACTION, cmd_noop },
	{ "QUIT", AUTHORIZATION | TRANSACTION, cmd_quit },
};

enum next pop3_command(struct pop3 *s, struct str verb, struct str rest)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!str_eq_nocase(verb, str_of(rows[i].verb)))
			continue;
		if (!(s->state & rows[i].states))
			return pop3_wrong(s, s->state == AUTHORIZATION ? "log in first" : "you are logged in");
		return rows[i].run(s, rest);
	}
	return pop3_wrong(s, "unknown command");
}
