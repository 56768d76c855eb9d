/* smtp_client.c - the engine: replies come in and go to whoever waits for them, silence ends a step, sending's wishes are
 * followed. */
#include "protocols/smtp_client/smtp_client.h"
#include "core/counter.h"
#include "core/listen.h"
#include "core/log.h"
#include "core/mem.h"
#include "protocols/smtp_client/ask.h"
#include "protocols/smtp_client/session.h"
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

COUNTER(client_sessions, "smtp_client.sessions", "sessions with other hosts begun");

/* --- settings ------------------------------------------------------------------------------------------------------ */

static bool check(const void *values, const char *title, struct buf *why)
{
	const struct smtp_client_conf *conf = values;
	unsigned v4 = 0, v6 = 0;
	struct ip ip;

	(void)title;
	for (size_t i = 0; i < conf->source.count; i++) {
		if (!ip_read(str_of(conf->source.items[i]), &ip)) {
			buf_printf(why, "smtp_client.source: \"%s\" is not an address\n", conf->source.items[i]);
			return false;
		}
		v4 += ip_is_v4(&ip);
		v6 += !ip_is_v4(&ip);
	}
	if (v4 <= 1 && v6 <= 1)
		return true;
	buf_printf(why, "smtp_client.source: at most one address of each family\n");
	return false;
}

#define LIMIT(name, def, field, text)                                                                                  \
	{                                                                                                              \
		name, SETTING_DURATION, def, "100ms", "1h", offsetof(struct smtp_client_conf, field), text, 0          \
	}

static const struct setting rows[] = {
	{ "port", SETTING_NUMBER, "25", "1", "65535", offsetof(struct smtp_client_conf, port),
		"The port of hosts that the DNS names and of address literals.", 0 },
	{ "hosts_per_try", SETTING_NUMBER, "2", "1", "20", offsetof(struct smtp_client_conf, hosts_per_try),
		"Hosts of a domain that are asked for a recipient at each try, one after the other while they put him "
		"off; "
		"1: no other than the first that is there.",
		0 },
	{ "families", SETTING_CHOICE, "both", NULL, "ipv4|ipv6|both", offsetof(struct smtp_client_conf, families),
		"Which addresses of other hosts are tried.", 0 },
	{ "source", SETTING_LIST, "", NULL, NULL, offsetof(struct smtp_client_conf, source),
		"The addresses that we come from, at most one of each family; without one the system chooses.", 0 },
	LIMIT("connect_timeout", "30s", connect_ms, "How long a connection may take to open."),
	LIMIT("greeting_timeout", "5m", greeting_ms, "How long we wait for the greeting."),
	LIMIT("command_timeout", "5m", command_ms, "How long we wait for the reply to a command."),
	LIMIT("data_timeout", "2m", data_ms, "How long we wait for the reply to DATA."),
	LIMIT("block_timeout", "3m", block_ms, "How long the other side may take to make room for more of a message."),
	LIMIT("dot_timeout", "10m", dot_ms, "How long we wait for the reply to a message; too short doubles mail."),
	LIMIT("idle_timeout", "5s", idle_ms, "How long a session stays open for more mail."),
	{ 0 },
};

const struct settings smtp_client_settings = { .section = "smtp_client",
	.size = sizeof(struct smtp_client_conf),
	.rows = rows,
	.text = "Mail going out by SMTP and LMTP.",
	.check = check };

/* --- steps --------------------------------------------------------------------------------------------------------- */

static void on_limit(void *user)
{
	struct client *c = user;

	if (c->stage == READY)
		client_over(c);
	else if (c->stage == SECURING)
		client_insecure(c, "no reply in time");
	else
		client_lost(c, "4.4.2", "no reply in time");
}

int64_t client_limit_ms(const struct client *c, int64_t limit_ms)
{
	return c->ask && limit_ms > ASK_STEP_MS ? ASK_STEP_MS : limit_ms;
}

void client_expect(struct client *c, int64_t limit_ms)
{
	timer_start(c->worker->timers, &c->limit, client_limit_ms(c, limit_ms), on_limit, c);
}

void client_enter(struct client *c, enum stage stage, int64_t limit_ms)
{
	c->stage = stage;
	if (limit_ms)
		client_expect(c, limit_ms);
	else
		timer_stop(c->worker->timers, &c->limit);
}

void client_say(struct client *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(conn_out(c->conn), fmt, ap);
	va_end(ap);
	conn_wrote(c->conn);
}

static void run_later(void *user, enum err e, struct str answer)
{
	struct client *c = user;
	void (*run)(struct client * c) = c->later;

	(void)e, (void)answer;
	c->waiting = NULL;
	run(c);
}

void client_later(struct client *c, void (*run)(struct client *c))
{
	assert(!c->waiting);
	c->later = run;
	c->waiting = call_later(c->worker, run_later, c);
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

void client_drop_conn(struct client *c)
{
	timer_stop(c->worker->timers, &c->limit);
	login_free(c->login); /* it is this connection's */
	c->login = NULL;
	conn_free(c->conn);
	c->conn = NULL;
	if (c->address[0])
		sending_left(c->worker, str_of(c->address));
	c->address[0] = '\0';
}

/* It is up to the other side to end it (RFC 5321, 4.1.1.10); it counts at its address until then (client_events). */
void client_leave(struct client *c)
{
	client_say(c, "QUIT\r\n");
	conn_leave(c->conn);
	c->conn = NULL;
	c->address[0] = '\0';
}

/* Between transactions we part as one should. */
void client_part(struct client *c)
{
	if (c->conn && c->stage == READY && !c->parting)
		client_leave(c);
}

void client_end(struct client *c)
{
	call_cancel(c->waiting);
	ask_free(c->ask);
	body_free(c);
	elsewhere_free(c);
	client_part(c);
	client_drop_conn(c);
	transaction_forget(c);
	arena_free(&c->places);
	buf_free(&c->words);
	buf_free(&c->remote);
	buf_free(&c->trouble.status);
	buf_free(&c->trouble.reply);
	buf_free(&c->trouble.remote);
	buf_free(&c->trouble.crowded);
	conf_unref(c->snapshot);
	free(c);
}

static void tell_over(struct client *c)
{
	struct sending_session *sending = c->sending;

	if (c->ask) {
		ask_tell(c);
		return;
	}
	client_end(c);
	sending_over(sending);
}

void client_over(struct client *c)
{
	assert(!c->t);
	if (c->stage == OVER)
		return;
	call_cancel(c->waiting);
	c->waiting = NULL;
	client_part(c);
	client_drop_conn(c);
	client_enter(c, OVER, 0);
	client_later(c, tell_over);
}

void client_lost(struct client *c, const char *status, const char *fmt, ...)
{
	struct buf text = { 0 };
	enum stage stage = c->stage;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	buf_add_char(&text, '\0');
	if (stage >= PREPARING && stage < OVER) {
		transaction_lost(c, status, buf_data(&text));
	} else if (stage == READY) {
		c->parting = true;
		client_over(c);
	} else if (stage != OVER) {
		client_trouble(c, OUTCOME_DEFERRED, status, NULL, "%s", buf_data(&text));
		client_next(c);
	}
	buf_free(&text);
}

/* --- what comes in -------------------------------------------------------------------------------------------------- */

static void dispatch(struct client *c, const struct reply *r)
{
	switch (c->stage) {
	case GREETING:
		client_greeted(c, r);
		break;
	case HELLO:
		client_hello_reply(c, r);
		break;
	case LOGIN:
		client_login_reply(c, r);
		break;
	case ASKING:
		ask_reply(c, r);
		break;
	case READY: /* nobody asked: it is about to go */
		c->parting = true;
		client_over(c);
		break;
	case ENVELOPE:
	case BODY:
	case DOT:
		if (c->t)
			transaction_reply(c, r);
		break;
	default:
		client_lost(c, "4.5.0", "a reply that nobody asked for");
	}
}

static void on_input(void *user, struct buf *in)
{
	struct client *c = user;
	const struct conn *conn = c->conn;
	struct reply r;

	c->heard = true;
	while (c->conn == conn && buf_len(in)) {
		ptrdiff_t used = reply_parse(buf_str(in), &r);

		if (!used)
			return;
		buf_clear(&c->words);
		if (used < 0) {
			reply_clean(str_cut(buf_str(in), 0, buf_len(in) < 100 ? buf_len(in) : 100), &c->words);
			client_lost(c, "4.5.0", "not a reply of SMTP: " STR_FMT, STR_ARG(buf_str(&c->words)));
			return;
		}
		buf_add(&c->words, buf_data(in), (size_t)used); /* so that `in` is at its end, where TLS may begin */
		buf_take(in, (size_t)used);
		reply_parse(buf_str(&c->words), &r);
		log_debug("smtp_client", conn_id(conn), "heard reply=\"" STR_FMT "\"", STR_ARG(str_trim(r.lines)));
		dispatch(c, &r);
	}
}

static void on_open(void *user)
{
	client_opened(user);
}

static void on_secure(void *user)
{
	client_secured(user);
}

static void on_room(void *user)
{
	struct client *c = user;

	if (c->stage == BODY)
		body_more(c);
}

/* conn_idle is asked for in BODY alone. */
static void on_idle(void *user)
{
	client_lost(user, "4.4.2", "the other side takes no more of the message");
}

static void on_end(void *user, enum conn_end why)
{
	struct client *c = user;

	if (why == CONN_ABSENT)
		client_lost(c, "4.4.1", "connect to " STR_FMT " port %u: %s", STR_ARG(buf_str(&c->remote)), c->port,
			conn_reason(c->conn));
	else if (why == CONN_TLS || c->stage == SECURING)
		client_insecure(c, conn_reason(c->conn));
	else
		client_lost(c, "4.4.2", "%s",
			why == CONN_CLOSED ? "the other side ended the connection" : conn_reason(c->conn));
}

const struct conn_events client_events = { .on_input = on_input,
	.on_room = on_room,
	.on_idle = on_idle,
	.on_secure = on_secure,
	.on_end = on_end,
	.on_open = on_open,
	.on_left = sending_left };

/* --- what sending asks for ------------------------------------------------------------------------------------------ */

void client_ready(struct client *c)
{
	struct transaction *t;

	if (c->ask) {
		ask_begin(c);
		return;
	}
	client_enter(c, READY, c->conf->idle_ms);
	t = c->t ? c->t : sending_take(c->sending);
	if (t)
		transaction_begin(c, t);
}

struct client *client_new(struct worker *w, struct sending_session *s, const struct next_hop *hop)
{
	struct client *c = mem_new(struct client);

	counter_add(&client_sessions, 1);
	c->worker = w;
	c->sending = s;
	c->hop = hop;
	c->snapshot = conf_ref(w->conf);
	c->conf = conf_section(c->snapshot, &smtp_client_settings);
	c->lmtp = hop->way == HOP_LMTP;
	/* A port that the configuration names is that one, whichever it is. */
	c->port = !c->lmtp && !(hop->direct && hop->rule.len) && hop->port == 25 ? (uint16_t)c->conf->port : hop->port;
	client_later(c, client_find);
	return c;
}

static struct transport_session *open_session(struct worker *w, struct sending_session *s, const struct next_hop *hop)
{
	return (struct transport_session *)client_new(w, s, hop);
}

static void more(struct transport_session *t)
{
	struct client *c = (struct client *)t;

	if (c->stage == READY && !c->waiting)
		client_later(c, client_ready);
}

static void end(struct transport_session *t)
{
	struct client *c = (struct client *)t;

	c->t = NULL;
	client_end(c);
}

const struct transport smtp_transport = { .open = open_session, .more = more, .end = end };
