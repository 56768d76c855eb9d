/* smtp.c - the engine: reads lines, runs commands, rests while an answer is awaited, and sends.
 * Input is taken a line at a time, or handed to a reader while it is a message. A command that must wait lets the input
 * rest (pipelined commands stay in the buffer) until smtp_resume. */
#include "core/counter.h"
#include "core/limit.h"
#include "core/log.h"
#include "core/mem.h"
#include "protocols/smtp/smtp_session.h"
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#define MANY 1000 /* targets of a message */

COUNTER(smtp_sessions, "smtp.sessions", "SMTP and LMTP sessions opened");

static const struct setting smtp_rows[] = {
	{ "hostname", SETTING_TEXT, "", NULL, NULL, offsetof(struct smtp_conf, hostname),
		"How the server calls itself in greetings and Received fields; empty: the machine's name.", 0 },
	{ "message_max", SETTING_SIZE, "50M", "64K", "1G", offsetof(struct smtp_conf, message_max),
		"The largest message taken in.", 0 },
	{ "recipients_max", SETTING_NUMBER, "1000", "100", "100000", offsetof(struct smtp_conf, recipients_max),
		"The most recipients of one message.", 0 },
	{ "errors_max", SETTING_NUMBER, "20", "1", "1000", offsetof(struct smtp_conf, errors_max),
		"Wrong commands in a session before it is ended.", 0 },
	{ "line_max", SETTING_SIZE, "1000", "512", "64000", offsetof(struct smtp_conf, line_max),
		"The longest command line, its CRLF included.", 0 },
	{ "text_line_max", SETTING_SIZE, "64K", "1000", "1G", offsetof(struct smtp_conf, text_line_max),
		"The longest line of a message, its CRLF not included.", 0 },
	{ "hops_max", SETTING_NUMBER, "100", "1", "1000", offsetof(struct smtp_conf, hops_max),
		"The most Received fields of a message: one with more goes round in a loop.", 0 },
	{ "idle_timeout", SETTING_DURATION, "5m", "1s", "1h", offsetof(struct smtp_conf, idle_ms),
		"Silence before the session is ended.", 0 },
	{ "line_ends", SETTING_CHOICE, "strict", NULL, "strict|normalise", offsetof(struct smtp_conf, line_ends),
		"A bare CR or LF in a message by SMTP: refused, or made a line end.", 0 },
	{ "lmtp_line_ends", SETTING_CHOICE, "normalise", NULL, "strict|normalise",
		offsetof(struct smtp_conf, lmtp_line_ends), "The same for LMTP.", 0 },
	{ 0 },
};

const struct settings smtp_settings = { .section = "smtp",
	.size = sizeof(struct smtp_conf),
	.rows = smtp_rows,
	.text = "Mail coming in by SMTP and LMTP." };

static const char *hostname(const struct smtp_conf *conf)
{
	static char name[256];

	if (*conf->hostname)
		return conf->hostname;
	if (!name[0] && gethostname(name, sizeof(name) - 1))
		return "localhost";
	return name;
}

const char *smtp_hostname(const struct smtp *s)
{
	return hostname(s->conf);
}

const char *smtp_own_name(const struct conf *conf)
{
	return hostname(conf_section(conf, &smtp_settings));
}

static void reply(struct smtp *s, const char *fmt, va_list ap)
{
	struct buf *out = conn_out(s->conn);

	buf_vprintf(out, fmt, ap);
	buf_add(out, "\r\n", 2);
	conn_wrote(s->conn);
}

enum next smtp_reply(struct smtp *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply(s, fmt, ap);
	va_end(ap);
	return DONE;
}

/* False: this one was too many; the client is told. */
static bool within_limits(struct smtp *s, enum tally_rate what)
{
	const char *why = limit_count(s->worker, &s->session, what);

	if (why)
		smtp_reply(s, "421 4.7.0 %s %s", smtp_hostname(s), why);
	return !why;
}

enum next smtp_count(struct smtp *s)
{
	if (!within_limits(s, TALLY_ERRORS))
		return CLOSE;
	if (++s->errors <= (unsigned)s->conf->errors_max)
		return DONE;
	log_warn("smtp", conn_id(s->conn), "too many errors, closing peer=%s", conn_peer(s->conn));
	smtp_reply(s, "421 4.7.0 %s too many errors", smtp_hostname(s));
	return CLOSE;
}

enum next smtp_wrong(struct smtp *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply(s, fmt, ap);
	va_end(ap);
	return smtp_count(s);
}

void smtp_enter(struct smtp *s, enum smtp_state state)
{
	static const struct {
		enum smtp_state state;
		const char *name;
	} names[] = { { GREETED, "greeted" }, { HELLO, "ready" }, { SENDER, "mail" }, { RCPTS, "rcpt" },
		{ DATA, "data" }, { CHUNKS, "bdat" }, { SPOILT, "bdat" } };

	s->state = state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].state == state)
			s->session.doing = names[i].name;
	log_debug("smtp", conn_id(s->conn), "state=%s", s->session.doing);
}

struct burden { /* the memory of very many recipients: giving it back takes too long for the loop */
	struct job job;
	struct arena transaction;
	void *recipients, *targets;
};

static void burden_work(struct job *job)
{
	struct burden *b = container_of(job, struct burden, job);

	arena_free(&b->transaction);
	free(b->recipients);
	free(b->targets);
}

static void burden_done(struct job *job)
{
	free(container_of(job, struct burden, job));
}

static void recipients_free(struct smtp *s)
{
	if (s->target_count > MANY) {
		struct burden *b = mem_new(struct burden);

		*b = (struct burden){ { burden_work, burden_done, NULL }, s->transaction, s->recipients, s->targets };
		s->transaction = (struct arena){ 0 };
		lane_add(s->worker->slow, &b->job);
	} else {
		free(s->recipients);
		free(s->targets);
	}
	s->recipients = NULL;
	s->targets = NULL;
	s->recipient_count = s->target_count = 0;
}

void smtp_reset(struct smtp *s)
{
	smtp_deliver_drop(s);
	smtp_message_drop(s);
	recipients_free(s);
	s->sender = s->received = STR_NONE;
	s->mail = (struct smtp_mail_parameters){ 0 };
	arena_reset(&s->transaction);
	if (s->state != GREETED)
		smtp_enter(s, HELLO);
}

static void smtp_free(struct smtp *s)
{
	call_cancel(s->waiting);
	sasl_free(s->sasl);
	smtp_deliver_drop(s);
	smtp_message_drop(s);
	session_close(s->worker, &s->session);
	recipients_free(s);
	arena_free(&s->transaction);
	account_free(s->account);
	conn_free(s->conn);
	conf_unref(s->snapshot);
	free(s);
}

/* A line that is longer than it may be gets its reply as soon as that is seen, and its end is waited for. */
static void pass_line(struct smtp *s, struct buf *in)
{
	ptrdiff_t lf = str_find(buf_str(in), '\n');

	s->passing = lf < 0;
	buf_take(in, lf < 0 ? buf_len(in) : (size_t)lf + 1);
}

/* Of the line at the front of the input; those of AUTH may be longer (RFC 4954, 4). */
static size_t line_max(const struct smtp *s, struct str bytes)
{
	size_t max = (size_t)s->conf->line_max, auth_max = (size_t)s->login_conf->line_max;

	return (s->sasl || str_starts_nocase(bytes, STR("AUTH "))) && auth_max > max ? auth_max : max;
}

/* Runs the command at the front of the input; false: more must come. */
static bool run_line(struct smtp *s, struct buf *in, enum next *next)
{
	size_t max = line_max(s, buf_str(in)), size = buf_len(in);
	struct smtp_line line;
	ptrdiff_t used;

	if (s->passing) {
		pass_line(s, in);
		return true;
	}
	used = smtp_parse_line(buf_str(in), &line, &size);
	if (!used && size <= max)
		return false;
	if (size > max) {
		sasl_free(s->sasl);
		s->sasl = NULL;
		*next = smtp_wrong(s, "500 5.5.6 a line has at most %zu bytes", max);
		pass_line(s, in);
		return true;
	}
	if (!within_limits(s, TALLY_COMMANDS)) {
		*next = CLOSE;
		return true;
	}
	if (used < 0)
		*next = smtp_wrong(s, "500 5.5.2 a line ends in CRLF and holds no other CR, LF or NUL");
	else if (s->sasl)
		*next = smtp_auth_line(s, str_cut(buf_str(in), 0, size - 2));
	else
		*next = smtp_command(s, &line); /* its spans lie in `in`, which nobody touches meanwhile */
	buf_take(in, size);
	return true;
}

static void smtp_next(struct smtp *s, enum next next)
{
	if (next == SECURE)
		next = smtp_secure(s);
	if (next == DONE && s->farewell && s->state != DATA) {
		smtp_reply(s, "421 %s %s %s", s->worker->stopping ? "4.3.2" : "4.7.0", smtp_hostname(s), s->farewell);
		next = CLOSE;
	}
	if (next != DONE)
		conn_rest(s->conn);
	if (next == CLOSE) {
		s->parted = true;
		conn_close(s->conn);
	}
}

static void on_input(void *user, struct buf *in)
{
	struct smtp *s = user;
	enum next next = DONE;

	while (next == DONE && !s->parted && buf_len(in) && conn_has_room(s->conn)) {
		if (s->reader)
			next = s->reader(s, in);
		else if (!run_line(s, in, &next))
			return;
		smtp_next(s, next);
	}
}

void smtp_resume(struct smtp *s, enum next next)
{
	smtp_next(s, next);
	if (next == DONE && !s->parted)
		conn_resume(s->conn);
}

static void on_idle(void *user)
{
	struct smtp *s = user;

	log_info("smtp", conn_id(s->conn), "idle, closing peer=%s", conn_peer(s->conn));
	smtp_reply(s, "421 4.4.2 %s idle for too long", smtp_hostname(s));
	smtp_next(s, CLOSE);
}

static void on_end(void *user, enum conn_end why)
{
	(void)why;
	smtp_free(user);
}

static void farewell(struct session *session, const char *why)
{
	struct smtp *s = (struct smtp *)session;

	s->farewell = why;
	if (s->parted || s->waiting || s->ended || sasl_is_waiting(s->sasl))
		return; /* not in the middle of an answer: what ends it says it */
	smtp_reset(s);
	smtp_next(s, DONE);
}

static const struct conn_events events = { .on_input = on_input, .on_idle = on_idle, .on_end = on_end };

static void smtp_open(struct worker *w, const struct service *service, int fd)
{
	struct smtp *s = mem_new(struct smtp);

	counter_add(&smtp_sessions, 1);
	s->worker = w;
	s->snapshot = conf_ref(w->conf);
	s->conf = conf_section(s->snapshot, &smtp_settings);
	s->login_conf = conf_section(s->snapshot, &login_settings);
	s->lmtp = service == &lmtp_service;
	s->conn = conn_new(w, fd, &events, s);
	s->session = (struct session){ .service = service,
		.conn = s->conn,
		.started_ms = worker_wall_ms(w),
		.account = "",
		.farewell = farewell };
	session_open(w, &s->session);
	smtp_enter(s, GREETED);
	conn_idle(s->conn, s->conf->idle_ms);
	if (service->tls && conn_start_tls(s->conn, w->tls)) {
		smtp_free(s);
		return;
	}
	smtp_reply(s, "220 %s %s Postern", smtp_hostname(s), s->lmtp ? "LMTP" : "ESMTP");
}

static void smtp_refuse(struct worker *w, const char *why, struct buf *out)
{
	const char *status = why == smtp_busy ? "4.3.2" : "4.7.0"; /* RFC 3463, 3.4 */

	buf_printf(out, "421 %s %s %s\r\n", status, hostname(conf_section(w->conf, &smtp_settings)), why);
}

const struct service smtp_service = { .role = "smtp",
	.component = "smtp",
	.port = 25,
	.open = smtp_open,
	.refuse = smtp_refuse,
	.put_off = smtp_put_off };
const struct service submission_service = { .role = "submission",
	.component = "smtp",
	.members = true,
	.port = 587,
	.open = smtp_open,
	.refuse = smtp_refuse };
const struct service submissions_service = {
	.role = "submissions", .component = "smtp", .tls = true, .members = true, .port = 465, .open = smtp_open
};
const struct service lmtp_service = {
	.role = "lmtp", .component = "smtp", .port = 24, .open = smtp_open, .refuse = smtp_refuse
};
