/* control.c - the control socket's engine: takes a line, runs its request, rests until that is answered, sends. */
#include "core/mem.h"
#include "protocols/cli/control_session.h"
#include "protocols/cli/lines.h"
#include <assert.h>
#include <stdlib.h>

#define NAMES_STEP 16 /* told in one step of a chore */

static const struct control_request *const tables[] = { control_server_requests, control_account_requests,
	control_name_requests, control_kick_requests, control_resolve_requests, control_route_requests,
	control_queue_requests, control_look_requests, control_backup_requests, NULL };

json_t *control_json(struct str text)
{
	json_t *j = json_stringn(text.p ? text.p : "", text.len);
	char *plain;

	if (j)
		return j;
	plain = mem_copy(text.p, text.len);
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)plain[i] >= 0x80)
			plain[i] = '?';
	j = json_stringn(plain, text.len);
	free(plain);
	return j;
}

struct str control_text(const struct control *c, const char *name)
{
	json_t *value = json_object_get(c->request, name);

	if (!json_is_string(value))
		return STR("");
	return (struct str){ json_string_value(value), json_string_length(value) };
}

static void send_line(struct control *c, json_t *line)
{
	lines_add_json(conn_out(c->conn), line);
	conn_wrote(c->conn);
}

void control_item(struct control *c, json_t *item)
{
	send_line(c, json_pack("{s:o}", "item", item));
}

/* The request is answered: input flows again. */
static void answered(struct control *c, json_t *line)
{
	assert(c->request);
	send_line(c, line);
	json_decref(c->request);
	c->request = NULL;
	c->session.doing = "idle";
	if (c->leaving)
		conn_close(c->conn);
	else
		conn_resume(c->conn);
}

void control_done(struct control *c)
{
	answered(c, json_pack("{s:b}", "done", 1));
}

void control_error(struct control *c, enum err e, struct str why)
{
	json_t *line = json_pack("{s:s}", "error", err_text(e));

	if (why.len)
		json_object_set_new(line, "why", control_json(why));
	answered(c, line);
}

void control_end(struct control *c, enum err e, struct str why)
{
	if (e)
		control_error(c, e, why);
	else
		control_done(c);
}

void control_changed(void *user, enum err e)
{
	struct control *c = user;

	c->waiting = NULL;
	control_end(c, e, STR_NONE);
}

/* --- lists ----------------------------------------------------------------------------------------------------------- */

struct control_names {
	struct chore chore;
	char *text; /* names, each with a NUL behind it */
	size_t len, at;
};

static void names_free(struct control *c)
{
	if (!c->names)
		return;
	chore_stop(c->worker->chores, &c->names->chore);
	free(c->names->text);
	free(c->names);
	c->names = NULL;
}

static void names_go_on(struct control *c);

/* There may be very many: some in each turn, as fast as the asker reads. */
static void names_step(void *user)
{
	struct control *c = user;
	struct control_names *n = c->names;

	if (!conn_has_room(c->conn)) {
		c->on_room = names_go_on;
		return;
	}
	for (unsigned i = 0; i < NAMES_STEP && n->at < n->len; i++) {
		struct str name = str_of(n->text + n->at);

		control_item(c, json_pack("{s:o}", "name", control_json(name)));
		n->at += name.len + 1;
	}
	if (n->at < n->len) {
		names_go_on(c);
		return;
	}
	names_free(c);
	control_done(c);
}

static void names_go_on(struct control *c)
{
	chore_start(c->worker->chores, &c->names->chore, names_step, c);
}

void control_listed(void *user, enum err e, const struct str *names, size_t count)
{
	struct control *c = user;
	char *to;

	c->waiting = NULL;
	if (e || !count) {
		control_end(c, e, STR_NONE);
		return;
	}
	c->names = mem_new(struct control_names);
	for (size_t i = 0; i < count; i++)
		c->names->len += names[i].len + 1;
	c->names->text = to = mem_alloc(c->names->len);
	for (size_t i = 0; i < count; i++) {
		memcpy(to, names[i].p, names[i].len);
		to += names[i].len + 1;
	}
	names_go_on(c);
}

/* --- requests -------------------------------------------------------------------------------------------------------- */

void control_with_name(struct control *c, control_check *check, struct call *(*ask)(struct control *c, struct str name))
{
	struct arena memory = { 0 };
	struct str name;
	enum err e = check(&memory, control_text(c, "name"), &name);

	if (e)
		control_error(c, e, STR_NONE);
	else
		c->waiting = ask(c, name);
	arena_free(&memory);
}

static const struct control_request *request_named(const char *name)
{
	for (const struct control_request *const *t = tables; *t; t++)
		for (const struct control_request *r = *t; r->name; r++)
			if (!strcmp(r->name, name))
				return r;
	return NULL;
}

/* Runs the request of one line; the session may be answered already when it returns. */
static void take_line(struct control *c, struct str line)
{
	const struct control_request *r = NULL;
	const char *name;

	c->request = json_loadb(line.p, line.len, JSON_REJECT_DUPLICATES, NULL);
	name = json_string_value(json_object_get(c->request, "do"));
	if (name)
		r = request_named(name);
	if (!c->request)
		c->request = json_object();
	if (!r) {
		control_error(c, ERR_MISTAKE, STR("no such request: {\"do\": \"status\"} would be one"));
		return;
	}
	c->session.doing = r->name;
	r->handle(c);
}

static void on_input(void *user, struct buf *in)
{
	struct control *c = user;
	ptrdiff_t end;

	while (!c->request && !c->leaving && conn_has_room(c->conn) && (end = str_find(buf_str(in), '\n')) >= 0) {
		take_line(c, str_cut(buf_str(in), 0, (size_t)end));
		buf_take(in, (size_t)end + 1);
	}
	if (c->request) {
		conn_rest(c->conn);
	} else if (!c->leaving && buf_len(in) >= CONTROL_LINE_MAX && str_find(buf_str(in), '\n') < 0) {
		c->leaving = true;
		c->request = json_object();
		control_error(c, ERR_TOO_BIG, STR("a line is longer than 64 KiB"));
	}
}

static void on_room(void *user)
{
	struct control *c = user;
	void (*go_on)(struct control * c) = c->on_room;

	c->on_room = NULL;
	if (go_on)
		go_on(c);
}

static void control_free(struct control *c)
{
	if (c->asked_master)
		worker_ask_cancel(c->worker, c);
	call_cancel(c->waiting);
	json_decref(c->request);
	buf_free(&c->kick);
	names_free(c);
	control_queue_free(c->queue);
	control_look_free(c);
	control_backup_free(c);
	session_close(c->worker, &c->session);
	conn_free(c->conn);
	free(c);
}

static void on_end(void *user, enum conn_end why)
{
	(void)why;
	control_free(user);
}

static void farewell(struct session *s, const char *why)
{
	struct control *c = (struct control *)s;

	(void)why;
	c->leaving = true;
	if (!c->request)
		conn_close(c->conn);
}

static void control_open(struct worker *w, const struct service *service, int fd)
{
	static const struct conn_events events = { .on_input = on_input, .on_room = on_room, .on_end = on_end };
	struct control *c = mem_new(struct control);

	c->worker = w;
	c->conn = conn_new(w, fd, &events, c);
	c->session = (struct session){ .service = service,
		.conn = c->conn,
		.started_ms = worker_wall_ms(w),
		.account = "",
		.doing = "idle",
		.farewell = farewell };
	session_open(w, &c->session);
}

const struct service control_service = { .role = "control", .component = "cli", .local = true, .open = control_open };
