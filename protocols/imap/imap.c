/* imap.c - the engine: finds commands in the input, checks them against the table, runs them, sends replies.
 * While a command waits the input rests (pipelined commands stay in the connection's buffer) until imap_resume, or
 * one of the tagged replies from an answer's continuation. */
#include "core/counter.h"
#include "core/limit.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/slab.h"
#include "protocols/imap/imap_session.h"
#include <stdarg.h>
#include <stdlib.h>

COUNTER(imap_sessions, "imap.sessions", "IMAP sessions opened");
COUNTER(imap_commands, "imap.commands", "IMAP commands run");

static struct slab sessions = { .size = sizeof(struct imap) };

#define COMMAND_MAX_CLEAR 4096 /* bytes of a command before login, literals included (RFC 7888, 7) */
#define LITERAL_MINUS_MAX 4096 /* RFC 7888, 5 */

static const struct setting rows[] = {
	{ "idle_timeout", SETTING_DURATION, "30m", "30m", "24h", offsetof(struct imap_conf, idle_ms),
		"Silence before we part; less than 30 minutes is against RFC 3501.", 0 },
	{ "login_timeout", SETTING_DURATION, "1m", "1s", "1h", offsetof(struct imap_conf, login_ms),
		"Silence before login.", 0 },
	{ "quiet_time", SETTING_DURATION, "5s", "1s", "1h", offsetof(struct imap_conf, quiet_ms),
		"Silence before memory is given back that a session holds only for a client who speaks.", 0 },
	{ "errors_max", SETTING_NUMBER, "20", "1", "1000", offsetof(struct imap_conf, errors_max),
		"Wrong commands in a session before it is ended.", 0 },
	{ "command_max", SETTING_SIZE, "60000", "8K", "64000", offsetof(struct imap_conf, command_max),
		"The longest command, its literals included; the message of APPEND apart.", 0 },
	{ "append_max", SETTING_SIZE, "50M", "64K", "1G", offsetof(struct imap_conf, append_max),
		"The largest message taken by APPEND.", 0 },
	{ "line_ends", SETTING_CHOICE, "normalise", NULL, "strict|normalise", offsetof(struct imap_conf, line_ends),
		"In messages of APPEND: a bare CR or LF is refused, or becomes CRLF.", 0 },
	{ "literals", SETTING_CHOICE, "plus", NULL, "plus|minus|sync", offsetof(struct imap_conf, literals),
		"Literals that clients may send without being asked: all, those of up to 4096 bytes, or none.", 0 },
	{ "id", SETTING_LIST, "name=Postern", NULL, NULL, offsetof(struct imap_conf, id),
		"What clients that ask by ID are told of this server, \"field=value\" each; {} tells nothing.", 0 },
	{ 0 },
};

static bool check(const void *values, const char *title, struct buf *why)
{
	const struct imap_conf *conf = values;

	(void)title;
	return imap_id_check(&conf->id, why);
}

const struct settings imap_settings = { .section = "imap",
	.size = sizeof(struct imap_conf),
	.rows = rows,
	.text = "Mailboxes over IMAP.",
	.check = check };

const struct imap_conf *imap_conf(const struct imap *s)
{
	return conf_section(s->snapshot, &imap_settings);
}

const struct login_conf *imap_login_conf(const struct imap *s)
{
	return conf_section(s->snapshot, &login_settings);
}

/* ---- what is sent ---- */

void imap_untagged(struct imap *s, const char *fmt, ...)
{
	struct buf *out = conn_out(s->conn);
	va_list ap;

	buf_add(out, "* ", 2);
	va_start(ap, fmt);
	buf_vprintf(out, fmt, ap);
	va_end(ap);
	buf_add(out, "\r\n", 2);
	conn_wrote(s->conn);
}

static void tag_drop(struct imap *s)
{
	if (s->tag_kept)
		free(s->tag);
	s->tag = NULL;
	s->tag_kept = false;
}

static void command_end(struct imap *s)
{
	s->command = NULL;
	tag_drop(s);
	s->continuation = NULL;
	s->work->store = NULL;
	s->work->told = NULL;
	s->work->told_count = 0;
	s->session.doing = s->state == SELECTED ? "selected" : s->state == KNOWN ? "authenticated" : "greeted";
	s->work->late = STR_NONE;
	arena_free(&s->work->arena);
}

static void write_tagged(const struct imap *s, struct buf *out, const char *status, const char *fmt, va_list ap)
{
	buf_printf(out, "%s %s ", s->tag ? s->tag : "*", status);
	buf_vprintf(out, fmt, ap);
	buf_add(out, "\r\n", 2);
}

/* The tagged reply; the command is over, once all news are told. may_wait: that may take many turns. */
static enum next tagged(struct imap *s, const char *status, bool may_wait, const char *fmt, va_list ap)
{
	bool has_news = s->state == SELECTED && s->command;

	if (has_news && may_wait && imap_news_late(s)) {
		struct buf line = { 0 };

		write_tagged(s, &line, status, fmt, ap);
		s->work->late = arena_str(&s->work->arena, buf_str(&line));
		buf_free(&line);
		return WAIT;
	}
	if (has_news)
		imap_news(s, !(s->command->besides & KEEPS_SEQS));
	write_tagged(s, conn_out(s->conn), status, fmt, ap);
	conn_wrote(s->conn);
	command_end(s);
	return DONE;
}

void imap_tagged(struct imap *s)
{
	imap_news(s, !(s->command->besides & KEEPS_SEQS));
	buf_add_str(conn_out(s->conn), s->work->late);
	conn_wrote(s->conn);
	command_end(s);
	imap_resume(s, DONE);
}

enum next imap_ok(struct imap *s, const char *fmt, ...)
{
	enum next next;
	va_list ap;

	va_start(ap, fmt);
	next = tagged(s, "OK", true, fmt, ap);
	va_end(ap);
	return next;
}

enum next imap_no(struct imap *s, const char *fmt, ...)
{
	enum next next;
	va_list ap;

	va_start(ap, fmt);
	next = tagged(s, "NO", true, fmt, ap);
	va_end(ap);
	return next;
}

/* False: this one was too many; the client is told. */
static bool within_limits(struct imap *s, enum tally_rate what)
{
	const char *why = limit_count(s->worker, &s->session, what);

	if (why)
		imap_untagged(s, "BYE %s", why);
	return !why;
}

enum next imap_bad(struct imap *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tagged(s, "BAD", false, fmt, ap);
	va_end(ap);
	if (!within_limits(s, TALLY_ERRORS))
		return CLOSE;
	if (++s->errors <= (unsigned)imap_conf(s)->errors_max)
		return DONE;
	log_warn("imap", conn_id(s->conn), "too many errors, closing peer=%s", conn_peer(s->conn));
	imap_untagged(s, "BYE too many errors");
	return CLOSE;
}

enum next imap_outcome(struct imap *s, enum err e)
{
	switch (e) {
	case OK:
		return imap_ok(s, "%s done", s->command->word);
	case ERR_ABSENT:
		return imap_no(s, "[NONEXISTENT] there is no such mailbox");
	case ERR_EXISTS:
		return imap_no(s, "[ALREADYEXISTS] there is one already");
	case ERR_DENIED:
		return imap_no(s, "[NOPERM] not permitted");
	case ERR_MISTAKE:
	case ERR_NEVER:
		return imap_no(s, "[CANNOT] that cannot be");
	case ERR_FULL:
		return imap_no(s, "[OVERQUOTA] the account's quota does not allow that");
	case ERR_TOO_BIG:
		return imap_no(s, "[LIMIT] over a limit");
	case ERR_IN_USE:
		return imap_no(s, "[INUSE] another program has the mailbox locked");
	default:
		return imap_no(s, "[UNAVAILABLE] not now, try again");
	}
}

/* ---- the session ---- */

void imap_enter(struct imap *s, enum imap_state state)
{
	s->state = state;
	log_debug("imap", conn_id(s->conn), "state=%s",
		state == GREETED ? "greeted"
		: state == KNOWN ? "authenticated"
				 : "selected");
}

static void imap_free(struct imap *s)
{
	chore_stop(s->worker->chores, &s->work->telling);
	login_cancel(s->work->login);
	sasl_free(s->work->sasl);
	call_cancel(s->waiting);
	imap_fetch_drop(s);
	imap_search_drop(s);
	imap_append_drop(s);
	imap_list_drop(s);
	session_close(s->worker, &s->session);
	imap_leave(s);
	tag_drop(s);
	imap_hear_drop(s);
	account_free(s->account);
	conn_free(s->conn);
	conf_unref(s->snapshot);
	slab_free(&sessions, s);
}

static void imap_next(struct imap *s, enum next next)
{
	if (next == SECURE)
		next = imap_secure(s);
	if (next == DONE && s->farewell && !s->command) {
		imap_untagged(s, "BYE %s", s->farewell);
		next = CLOSE;
	}
	if (next != DONE)
		conn_rest(s->conn);
	if (next == CLOSE) {
		s->parted = true;
		imap_watch(s, false);
		conn_close(s->conn);
	}
}

void imap_resume(struct imap *s, enum next next)
{
	imap_next(s, next);
	if (next == DONE && !s->parted)
		conn_resume(s->conn);
}

/* Tag and word of a command, and the rest to the row of the table that does it. */
static enum next run_command(struct imap *s, struct str bytes)
{
	struct args a = args_of(
		arena_str(&s->work->arena, bytes), &s->work->arena); /* the input may go before the answer comes */
	struct str tag = args_tag(&a), word;
	bool uid;

	if (!a.bad && (args_peek(&a, ' ') || !a.left.len))
		s->tag = arena_dup(&s->work->arena, tag);
	args_space(&a);
	if (a.bad)
		return imap_bad(s, "a command is a tag, a space and a word");
	uid = args_word(&a, STR("UID "));
	word = args_atom(&a);
	s->command = imap_command_find(word, uid);
	counter_add(&imap_commands, 1);
	if (!s->command)
		return imap_bad(s, "unknown command");
	if (s->dormant && (s->command->states == SELECTED || s->command->run == cmd_idle) &&
		s->command->run != cmd_unselect) /* which needs nothing of it */
		return imap_outcome(s, ERR_AGAIN);
	if (!(s->state & s->command->states)) {
		const char *why = s->state == GREETED             ? "log in first"
		                  : s->command->states == GREETED ? "you are logged in"
		                  : s->command->states == KNOWN   ? "not while a mailbox is selected"
		                                                  : "select a mailbox first";

		s->command = NULL;
		return imap_bad(s, "%s", why);
	}
	s->session.doing = s->command->word;
	log_debug("imap", conn_id(s->conn), "command=%s", s->command->word);
	return s->command->run(s, &a);
}

static size_t command_max(const struct imap *s)
{
	return s->state == GREETED ? COMMAND_MAX_CLEAR : (size_t)imap_conf(s)->command_max;
}

/* Of a line, which may be more while AUTHENTICATE is under way or being given. */
static size_t line_max(const struct imap *s, struct str bytes, size_t max)
{
	size_t login_max = s->state == GREETED ? imap_login_line_max(s, bytes) : 0;

	return login_max > max ? login_max : max;
}

bool imap_literal_permitted(const struct imap *s)
{
	int64_t literals = imap_conf(s)->literals;

	return s->work->parser.synchronising || literals == LITERALS_PLUS ||
	       (literals == LITERALS_MINUS && s->work->parser.literal_len <= LITERAL_MINUS_MAX);
}

/* The reply to a command whose literal is too long, before it is whole. */
static enum next refuse_literal(struct imap *s, struct str so_far)
{
	struct args a = args_of(so_far, &s->work->arena);
	struct str tag = args_tag(&a);
	enum next next;

	if (!a.bad)
		s->tag = arena_dup(&s->work->arena, tag);
	if (imap_literal_permitted(s))
		next = imap_bad(s, "[TOOBIG] a command has at most %zu bytes", command_max(s));
	else
		next = imap_bad(s, "[TOOBIG] such a literal is to be asked for first");
	if (next == DONE && !s->work->parser.synchronising) { /* its bytes come whatever we say: RFC 7888, 4 */
		imap_untagged(s, "BYE the literal is too long");
		next = CLOSE;
	}
	return next;
}

/* A literal is announced: invites its bytes. False: it is no part of a command that is kept, *next is what comes. */
static bool take_literal(struct imap *s, struct buf *in, enum next *next)
{
	struct imap_parser *p = &s->work->parser;
	struct str so_far = str_cut(buf_str(in), 0, p->scanned);

	if (!imap_append_begins(s, so_far, next)) {
		if (p->scanned + p->literal_len <= command_max(s) && imap_literal_permitted(s)) {
			if (p->synchronising)
				conn_printf(s->conn, "+ go on\r\n");
			return true;
		}
		*next = refuse_literal(s, so_far);
	}
	buf_take(in, p->scanned);
	*p = (struct imap_parser){ 0 };
	return false;
}

/* Runs the command at the front of the input; false: more must come. */
static bool take_command(struct imap *s, struct buf *in, enum next *next)
{
	ptrdiff_t used;

	while (!(used = imap_parse(&s->work->parser, buf_str(in))) && s->work->parser.announced)
		if (!take_literal(s, in, next))
			return true;
	if (used < 0 || (used ? (size_t)used : buf_len(in)) > line_max(s, buf_str(in), command_max(s))) {
		imap_untagged(s, "BYE %s",
			used < 0 ? "a command ends in CRLF and holds no NUL" : "[TOOBIG] the command is too long");
		*next = CLOSE;
		return true;
	}
	if (!used)
		return false;
	s->work->parser = (struct imap_parser){ 0 };
	if (!within_limits(s, TALLY_COMMANDS)) {
		*next = CLOSE;
		return true;
	}
	*next = run_command(s, str_cut(buf_str(in), 0, (size_t)used));
	buf_take(in, (size_t)used);
	return true;
}

/* A line for whoever asked for one; false: more must come. */
static bool take_line(struct imap *s, struct buf *in, enum next *next)
{
	struct str bytes = buf_str(in);
	ptrdiff_t lf = str_find(bytes, '\n');
	size_t max = line_max(s, bytes, COMMAND_MAX_CLEAR);
	struct str line;

	if (lf < 0 && bytes.len < max)
		return false;
	if (lf < 1 || (size_t)lf >= max || bytes.p[lf - 1] != '\r') {
		imap_untagged(s, "BYE a line ends in CRLF, soon");
		*next = CLOSE;
		return true;
	}
	line = arena_str(&s->work->arena, str_cut(bytes, 0, (size_t)lf - 1));
	buf_take(in, (size_t)lf + 1);
	*next = s->continuation(s, line);
	return true;
}

static void latest(void *user, enum err e)
{
	struct imap *s = user;

	(void)e;
	s->waiting = NULL;
	if (!s->parted)
		imap_resume(s, DONE);
}

/* Before a command: what others have done and were answered is to be told in the response to it. */
static bool wait_for_latest(struct imap *s)
{
	if (s->dormant && !s->unwoken)
		return imap_wake(s);
	if (!s->mailbox || s->work->append || s->continuation)
		return false;
	s->waiting = selected_latest(s->mailbox, latest, s);
	if (s->waiting)
		conn_rest(s->conn);
	return s->waiting;
}

static void on_input(void *user, struct buf *in)
{
	struct imap *s = user;
	enum next next = DONE;
	bool moved = true;

	imap_hear(s);
	while (moved && next == DONE && !s->parted && buf_len(in) && conn_has_room(s->conn)) {
		if (wait_for_latest(s))
			return;
		if (s->work->append)
			moved = imap_append_input(s, in, &next);
		else if (s->continuation)
			moved = take_line(s, in, &next);
		else
			moved = take_command(s, in, &next);
		s->unwoken = false; /* also for half a command: the mailbox may be there for its rest */
		if (moved)
			imap_next(s, next);
	}
}

static void on_room(void *user)
{
	struct imap *s = user;

	imap_fetch_on(s);
	imap_search_on(s);
	if (s->news_due)
		imap_news_on(s);
}

static void on_idle(void *user)
{
	struct imap *s = user;

	log_info("imap", conn_id(s->conn), "idle, closing peer=%s", conn_peer(s->conn));
	if (!s->work->fetch && !s->work->search) /* else it does not even read */
		imap_untagged(s, "BYE idle for too long");
	imap_next(s, CLOSE);
}

static void on_end(void *user, enum conn_end why)
{
	(void)why;
	imap_free(user);
}

static void farewell(struct session *session, const char *why)
{
	struct imap *s = (struct imap *)session;

	s->farewell = why;
	if (s->parted || (s->command && !s->continuation && !imap_append_takes(s)))
		return; /* in the middle of an answer: imap_next will say it */
	imap_append_drop(s);
	imap_untagged(s, "BYE %s", why);
	imap_next(s, CLOSE);
}

static const struct conn_events events = {
	.on_input = on_input, .on_room = on_room, .on_idle = on_idle, .on_quiet = imap_quiet, .on_end = on_end
};

static void imap_open(struct worker *w, const struct service *service, int fd)
{
	struct imap *s = slab_alloc(&sessions);
	struct buf *out;

	counter_add(&imap_sessions, 1);
	s->worker = w;
	s->work = &imap_no_work;
	s->snapshot = conf_ref(w->conf);
	s->conn = conn_new(w, fd, &events, s);
	s->session = (struct session){ .service = service,
		.conn = s->conn,
		.started_ms = worker_wall_ms(w),
		.account = "",
		.doing = "greeted",
		.farewell = farewell };
	session_open(w, &s->session);
	imap_enter(s, GREETED);
	conn_idle(s->conn, imap_conf(s)->login_ms);
	conn_quiet(s->conn, (uint32_t)imap_conf(s)->quiet_ms);
	if (service->tls && conn_start_tls(s->conn, w->tls)) {
		imap_free(s);
		return;
	}
	out = conn_out(s->conn);
	buf_add_str(out, STR("* OK [CAPABILITY "));
	imap_capabilities(s, out);
	buf_add_str(out, STR("] Postern IMAP here\r\n"));
	conn_wrote(s->conn);
}

static void imap_refuse(struct worker *w, const char *why, struct buf *out)
{
	(void)w;
	buf_printf(out, "* BYE %s\r\n", why);
}

const struct service imap_service = {
	.role = "imap", .component = "imap", .members = true, .port = 143, .open = imap_open, .refuse = imap_refuse
};
const struct service imaps_service = {
	.role = "imaps", .component = "imap", .tls = true, .members = true, .port = 993, .open = imap_open
};
