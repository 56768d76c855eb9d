/* pop3.c - the engine: reads lines, runs commands, rests while an answer is awaited or on its way, and sends. */
#include "core/counter.h"
#include "core/limit.h"
#include "core/log.h"
#include "core/mem.h"
#include "protocols/pop3/pop3_session.h"
#include <stdarg.h>
#include <stdlib.h>

#define LINE_BYTES_MAX 512 /* RFC 2449, 4: 255, with its CRLF; more costs nothing */

COUNTER(pop3_sessions, "pop3.sessions", "POP3 sessions opened");

static const struct setting rows[] = {
	{ "idle_timeout", SETTING_DURATION, "10m", "1s", "24h", offsetof(struct pop3_conf, idle_ms),
		"Silence before the session is ended; nothing is deleted then.", 0 },
	{ "errors_max", SETTING_NUMBER, "20", "1", "1000", offsetof(struct pop3_conf, errors_max),
		"Wrong commands in a session before it is ended.", 0 },
	{ "expire", SETTING_NUMBER, "0", "0", "36500", offsetof(struct pop3_conf, expire_days),
		"Days that messages are kept at least, as clients are told; 0: they are never removed.", 0 },
	{ "login_delay", SETTING_DURATION, "0s", "0s", "1d", offsetof(struct pop3_conf, login_delay_ms),
		"How long after a login the account may log in again, in whole seconds.", 0 },
	{ 0 },
};

const struct settings pop3_settings = {
	.section = "pop3", .size = sizeof(struct pop3_conf), .rows = rows, .text = "Mailboxes over POP3."
};

static void reply(struct pop3 *s, const char *status, const char *fmt, va_list ap)
{
	struct buf *out = conn_out(s->conn);

	buf_add_str(out, str_of(status));
	buf_vprintf(out, pop3_in(s->language, fmt), ap);
	buf_add(out, "\r\n", 2);
	conn_wrote(s->conn);
}

enum next pop3_ok(struct pop3 *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply(s, "+OK ", fmt, ap);
	va_end(ap);
	return DONE;
}

enum next pop3_err(struct pop3 *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply(s, "-ERR ", fmt, ap);
	va_end(ap);
	return DONE;
}

enum next pop3_wrong(struct pop3 *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply(s, "-ERR ", fmt, ap);
	va_end(ap);
	if (limit_count(s->worker, &s->session, TALLY_ERRORS))
		return CLOSE;
	if (++s->errors <= (unsigned)s->conf->errors_max)
		return DONE;
	log_warn("pop3", conn_id(s->conn), "too many errors, closing peer=%s", conn_peer(s->conn));
	return CLOSE;
}

void pop3_enter(struct pop3 *s, enum pop3_state state)
{
	s->state = state;
	s->session.doing = state == AUTHORIZATION ? "authorization" : state == TRANSACTION ? "transaction" : "update";
	log_debug("pop3", conn_id(s->conn), "state=%s", s->session.doing);
}

static void pop3_free(struct pop3 *s)
{
	login_cancel(s->login);
	sasl_free(s->sasl);
	call_cancel(s->waiting);
	pop3_send_drop(s);
	pop3_unlock(s);
	session_close(s->worker, &s->session);
	selected_free(s->maildrop);
	account_free(s->account);
	free(s->deleted);
	conn_free(s->conn);
	conf_unref(s->snapshot);
	free(s);
}

static void pop3_next(struct pop3 *s, enum next next)
{
	if (next == SECURE)
		next = pop3_secure(s);
	if (next == DONE && s->farewell)
		next = CLOSE; /* without a word: it would be taken for the answer to the next command */
	if (next != DONE)
		conn_rest(s->conn);
	if (next == CLOSE) {
		s->parted = true;
		pop3_unlock(s);
		conn_close(s->conn);
	}
}

/* Of the line at the front of the input; those of AUTH may be longer (RFC 5034, 4). */
static size_t line_max(const struct pop3 *s, struct str bytes)
{
	bool longer = s->sasl || (s->state == AUTHORIZATION && str_starts_nocase(bytes, STR("AUTH ")));

	return longer ? (size_t)s->login_conf->line_max : LINE_BYTES_MAX;
}

/* Runs the command at the front of the input; false: more must come. */
static bool run_line(struct pop3 *s, struct buf *in, enum next *next)
{
	struct str bytes = buf_str(in), line;
	ptrdiff_t lf = str_find(bytes, '\n');
	const char *over;
	size_t verb = 0, max = line_max(s, bytes);

	if (lf < 0 && bytes.len < max)
		return false;
	if (lf < 0 || (size_t)lf >= max) {
		pop3_err(s, "line too long");
		*next = CLOSE;
		return true;
	}
	if ((over = limit_count(s->worker, &s->session, TALLY_COMMANDS))) {
		pop3_err(s, "[SYS/TEMP] %s", over);
		*next = CLOSE;
		return true;
	}
	line = str_cut(bytes, 0, (size_t)lf); /* a bare LF hurts nobody here, and some clients send it */
	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	if (s->sasl) {
		*next = pop3_auth_line(s, line);
		buf_take(in, (size_t)lf + 1);
		return true;
	}
	while (verb < line.len && line.p[verb] != ' ')
		verb++;
	/* what follows the space is left as it is: a password may have spaces, at its end too (RFC 1939, 7) */
	*next = pop3_command(s, str_cut(line, 0, verb), verb < line.len ? str_cut(line, verb + 1, line.len) : STR_NONE);
	buf_take(in, (size_t)lf + 1);
	return true;
}

static void on_input(void *user, struct buf *in)
{
	struct pop3 *s = user;
	enum next next = DONE;

	while (next == DONE && !s->parted && buf_len(in) && conn_has_room(s->conn) && run_line(s, in, &next))
		pop3_next(s, next);
}

void pop3_resume(struct pop3 *s, enum next next)
{
	pop3_next(s, next);
	if (next == DONE && !s->parted)
		conn_resume(s->conn);
}

static void on_room(void *user)
{
	pop3_send_on(user);
}

static void on_idle(void *user)
{
	struct pop3 *s = user;

	log_info("pop3", conn_id(s->conn), "idle, closing peer=%s", conn_peer(s->conn));
	pop3_next(s, CLOSE); /* without a response: RFC 1939, 3 */
}

static void on_end(void *user, enum conn_end why)
{
	(void)why;
	pop3_free(user);
}

static void farewell(struct session *session, const char *why)
{
	struct pop3 *s = (struct pop3 *)session;

	s->farewell = why;
	if (!s->parted && !s->waiting && !s->login && !sasl_is_waiting(s->sasl) &&
		!s->send.kind) /* not in the middle of an answer */
		pop3_next(s, DONE);
}

static const struct conn_events events = {
	.on_input = on_input, .on_room = on_room, .on_idle = on_idle, .on_end = on_end
};

static void pop3_open(struct worker *w, const struct service *service, int fd)
{
	struct pop3 *s = mem_new(struct pop3);

	counter_add(&pop3_sessions, 1);
	s->worker = w;
	s->snapshot = conf_ref(w->conf);
	s->conf = conf_section(s->snapshot, &pop3_settings);
	s->login_conf = conf_section(s->snapshot, &login_settings);
	s->language = pop3_language(STR("*"));
	s->conn = conn_new(w, fd, &events, s);
	s->session = (struct session){ .service = service,
		.conn = s->conn,
		.started_ms = worker_wall_ms(w),
		.account = "",
		.farewell = farewell };
	session_open(w, &s->session);
	pop3_enter(s, AUTHORIZATION);
	conn_idle(s->conn, s->conf->idle_ms);
	if (service->tls && conn_start_tls(s->conn, w->tls)) {
		pop3_free(s);
		return;
	}
	pop3_ok(s, "Postern POP3 here");
}

static void pop3_refuse(struct worker *w, const char *why, struct buf *out)
{
	(void)w;
	buf_printf(out, "-ERR [SYS/TEMP] %s\r\n", why);
}

const struct service pop3_service = {
	.role = "pop3", .component = "pop3", .members = true, .port = 110, .open = pop3_open, .refuse = pop3_refuse
};
const struct service pop3s_service = {
	.role = "pop3s", .component = "pop3", .tls = true, .members = true, .port = 995, .open = pop3_open
};
