/* control_server.c - requests about the server itself: status, stats, who, conf, clock, lag, reload, stop. What is in shared
 * memory is read by whichever worker is asked; sessions are known to their worker alone, so `who` asks each in turn. */
#include "core/core_settings.h"
#include "core/counter.h"
#include "core/house.h"
#include "core/overload.h"
#include "core/tls.h"
#include "protocols/cli/control_session.h"
#include "protocols/cli/lines.h"
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define WHO_DEADLINE_MS  5000
#define WHO_SESSIONS_MAX 100000 /* told of one worker */
#define DAY_S            86400
#define LAG_MS_MAX       86400000 /* that a test may pretend */

static const char *call_name(unsigned place)
{
	for (const struct call_type *const *t = house.calls; place && *t; t++)
		for (const struct call_type *type = *t; type->name; type++)
			if (!--place)
				return type->name;
	return "";
}

static json_t *lanes_json(const struct slot *s)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "journal", (json_int_t)s->lane_depth[0], "files",
		(json_int_t)s->lane_depth[1], "index", (json_int_t)s->lane_depth[2], "slow",
		(json_int_t)s->lane_depth[3]);
}

static json_t *worker_json(const struct worker *w, unsigned place)
{
	static const char *const states[] = { "empty", "starting", "serving", "stopping" };
	const struct slot *s = shm_slot(w->shm, place);
	uint32_t state = s->state;
	int64_t checkpoint_ms = s->checkpoint_ms;

	return json_pack("{s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:f, s:s}", "worker",
		(json_int_t)place, "pid", (json_int_t)s->pid, "state", states[state < 4 ? state : 0], "starts",
		(json_int_t)s->starts, "started_ms", (json_int_t)s->started_ms, "lag_us", (json_int_t)s->lag_us,
		"lag_max_us", (json_int_t)s->lag_max_us, "connections", (json_int_t)s->connections, "lanes",
		lanes_json(s), "journal_used", (json_int_t)s->journal_used, "journal_size", (json_int_t)s->journal_size,
		"checkpoints", (json_int_t)s->checkpoint_seq, "checkpoint_age_s",
		checkpoint_ms ? (double)(worker_wall_ms(w) - checkpoint_ms) / 1000 : -1.0, "running",
		call_name(s->running));
}

static json_t *certificates_json(const struct worker *w)
{
	json_t *all = json_array();

	for (size_t i = 0; w->tls && i < tls_count(w->tls); i++) {
		struct tls_certificate c = tls_at(w->tls, i);

		json_array_append_new(all, json_pack("{s:o, s:s, s:I, s:I}", "name", control_json(str_of(c.label)),
						   "kind", c.kind, "expires_ms", (json_int_t)c.expires * 1000, "days",
						   (json_int_t)(c.expires - worker_wall_ms(w) / 1000) / DAY_S));
	}
	return all;
}

static void handle_status(struct control *c)
{
	const struct worker *w = c->worker;
	const struct core_conf *conf = conf_section(w->conf, &core_settings);
	json_t *server = json_pack("{s:I, s:I, s:o, s:b, s:I, s:o}", "pid", (json_int_t)getppid(), "workers",
		(json_int_t)w->workers, "directory", control_json(str_of(conf->directory)), "scratch", conf->scratch,
		"now_ms", (json_int_t)worker_wall_ms(w), "certificates", certificates_json(w));

	control_item(c, server);
	for (unsigned i = 0; i < w->workers; i++)
		control_item(c, worker_json(w, i));
	control_done(c);
}

static void add_stat(struct control *c, unsigned worker, const char *name, uint64_t value, const char *text)
{
	char whole[64];

	snprintf(whole, sizeof(whole), "worker.%u.%s", worker, name);
	control_item(c, json_pack("{s:s, s:I, s:s}", "name", whole, "value", (json_int_t)value, "text", text));
}

/* Lag is how long what comes has to wait for the loop. */
static void add_lag(struct control *c, unsigned worker)
{
	static const struct {
		const char *name, *text;
		double part;
	} parts[] = {
		{ "lag_p50_us", "for half of the time since its start no more than this", 0.5 },
		{ "lag_p90_us", "for 90 % of it", 0.9 },
		{ "lag_p99_us", "for 99 %", 0.99 },
		{ "lag_p999_us", "for 99.9 %", 0.999 },
	};
	const struct slot *s = shm_slot(c->worker->shm, worker);

	add_stat(c, worker, "lag_us", s->lag_us, "how long what comes waits for its loop, now");
	add_stat(c, worker, "lag_max_us", s->lag_max_us, "the longest since its start");
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		add_stat(c, worker, parts[i].name, slot_lag_us(s, parts[i].part), parts[i].text);
	for (unsigned i = 0; i < OVERLOADS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "yields.%s", overload_name((enum overload)i));
		add_stat(c, worker, name, s->overload >> i & 1, "1 while this yields to clients");
	}
}

static void handle_stats(struct control *c)
{
	for (unsigned i = 0; i < c->worker->workers; i++)
		add_lag(c, i);
	for (size_t i = 0; i < counter_count(); i++) {
		const struct counter *counter = counter_at(i);
		uint64_t sum = 0;

		for (unsigned k = 0; k < c->worker->workers; k++)
			sum += __atomic_load_n(shm_counters(c->worker->shm, k) + i, __ATOMIC_RELAXED);
		control_item(c, json_pack("{s:s, s:I, s:s}", "name", counter->name, "value", (json_int_t)sum, "text",
					counter->text));
	}
	control_done(c);
}

/* This worker's sessions as lines that the asking worker only passes on. */
static void who_handle(struct worker *w, struct request *rq, struct str args)
{
	struct buf lines = { 0 };
	unsigned left = WHO_SESSIONS_MAX;

	(void)args;
	for (const struct session *s = w->sessions; s && left; s = s->next) {
		if (s->service->local)
			continue;
		lines_add_json(&lines,
			json_pack("{s:{s:o, s:s, s:o, s:o, s:o, s:I}}", "item", "id",
				control_json(str_of(conn_id(s->conn))), "service", s->service->role, "peer",
				control_json(str_of(conn_peer(s->conn))), "account", control_json(str_of(s->account)),
				"state", control_json(str_of(s->doing)), "started_ms", (json_int_t)s->started_ms));
		left--;
	}
	request_answer(rq, OK, buf_str(&lines));
	buf_free(&lines);
}

const struct call_type control_calls[] = {
	{ "cli.who", who_handle },
	{ 0 },
};

static void who_done(void *user, enum err e, struct str lines);

static void who_next(struct control *c)
{
	if (c->next_worker == c->worker->workers)
		control_done(c);
	else
		c->waiting = call_send(
			c->worker, c->next_worker, &control_calls[0], STR_NONE, WHO_DEADLINE_MS, who_done, c);
}

static void who_done(void *user, enum err e, struct str lines)
{
	struct control *c = user;

	c->waiting = NULL;
	if (e) /* a worker that is just being started has none */
		control_item(c, json_pack("{s:I, s:s}", "worker", (json_int_t)c->next_worker, "error", err_text(e)));
	else
		conn_write_str(c->conn, lines);
	c->next_worker++;
	who_next(c);
}

static void handle_who(struct control *c)
{
	c->next_worker = 0;
	who_next(c);
}

/* The whole configuration, secrets too: `postern check` compares it with a file that the asker can read anyway. */
static void handle_conf(struct control *c)
{
	struct buf text = { 0 };
	bool whole = json_is_true(json_object_get(c->request, "whole"));

	conf_dump(c->worker->conf, whole ? CONF_WHOLE : CONF_FOR_PEOPLE, &text);
	control_item(c, json_pack("{s:o}", "text", control_json(buf_str(&text))));
	buf_free(&text);
	control_done(c);
}

static void master_done(void *user, enum err e, struct str text)
{
	struct control *c = user;

	c->asked_master = false;
	if (e) {
		control_error(c, e, text);
		return;
	}
	if (text.len)
		control_item(c, json_pack("{s:o}", "text", control_json(text)));
	control_done(c);
}

static void clock_done(void *user, enum err e, struct str text)
{
	if (e == ERR_DENIED)
		text = STR(
			"only a scratch server's clock can be moved, one with `scratch = true` in its configuration");
	master_done(user, e, text);
}

static void handle_clock(struct control *c)
{
	json_t *ms = json_object_get(c->request, "ms");

	if (!json_is_integer(ms) || json_integer_value(ms) < 0) {
		control_error(c, ERR_MISTAKE, STR("the clock moves forward by \"ms\""));
		return;
	}
	c->asked_master = true;
	worker_ask_clock(c->worker, json_integer_value(ms), clock_done, c);
}

/* For tests: overload without load. */
static void handle_lag(struct control *c)
{
	const struct core_conf *conf = conf_section(c->worker->conf, &core_settings);
	json_t *ms = json_object_get(c->request, "ms");

	if (!conf->scratch) {
		control_error(c, ERR_DENIED, STR("only a scratch server can be told how its workers lag"));
		return;
	}
	if (!json_is_integer(ms) || json_integer_value(ms) < 0 || json_integer_value(ms) > LAG_MS_MAX) {
		control_error(c, ERR_MISTAKE, STR("the lag is \"ms\""));
		return;
	}
	for (unsigned i = 0; i < c->worker->workers; i++) {
		shm_slot(c->worker->shm, i)->pretended_us = json_integer_value(ms) * 1000;
		shm_wake(c->worker->shm, i);
	}
	control_done(c);
}

static void handle_reload(struct control *c)
{
	c->asked_master = true;
	worker_ask_reload(c->worker, master_done, c);
}

static void handle_stop(struct control *c)
{
	c->asked_master = true;
	worker_ask_stop(c->worker, master_done, c);
}

const struct control_request control_server_requests[] = {
	{ "status", handle_status },
	{ "stats", handle_stats },
	{ "who", handle_who },
	{ "conf", handle_conf },
	{ "clock", handle_clock },
	{ "lag", handle_lag },
	{ "reload", handle_reload },
	{ "stop", handle_stop },
	{ 0 },
};
