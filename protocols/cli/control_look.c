/* control_look.c - requests that go through the whole store or an account: fsck, index-rebuild. What is to be looked at
 * next is told by what was looked at before: workers, then domains, accounts, mailboxes; one after the other, so that
 * an owner has never more than one of these to do. While one takes long the asker is told that it goes on, and when he
 * does not read his lines nothing more is begun. */
#include "core/mem.h"
#include "protocols/cli/control_session.h"
#include "protocols/cli/names.h"
#include "storage/check/check.h"
#include <stdlib.h>

#define PROGRESS_MS 1000
#define LEVELS      3 /* domains, accounts, mailboxes */

struct names { /* of one level that are still to be looked at */
	struct buf packed;
	struct unpack left;
};

struct control_look {
	enum check_task task;
	bool all;
	unsigned worker; /* the next to be asked for its own */
	struct names levels[LEVELS];
	struct arena memory;         /* of what is being looked at */
	struct str address, mailbox; /* that is it */
	unsigned level;              /* what its names below are: LEVELS: none */
	uint64_t problems, left;     /* found; of these not mended */
	uint64_t mailboxes, bytes, messages;
	struct timer progress;
	struct call *call;
};

static void next(struct control *c);

void control_look_free(struct control *c)
{
	struct control_look *l = c->look;

	if (!l)
		return;
	call_cancel(l->call);
	timer_stop(c->worker->timers, &l->progress);
	for (unsigned i = 0; i < LEVELS; i++)
		buf_free(&l->levels[i].packed);
	arena_free(&l->memory);
	free(l);
	c->look = NULL;
}

static json_t *of_what(const struct control_look *l)
{
	json_t *item = json_object();

	if (l->address.len)
		json_object_set_new(item, "account", control_json(l->address));
	if (l->mailbox.len)
		json_object_set_new(item, "mailbox", control_json(l->mailbox));
	return item;
}

static void tell_progress(struct control *c)
{
	struct control_look *l = c->look;
	json_t *item = of_what(l);

	json_object_set_new(item, "progress", json_integer((json_int_t)l->mailboxes));
	control_item(c, item);
}

static void on_progress(void *user)
{
	struct control *c = user;

	if (conn_has_room(c->conn))
		tell_progress(c);
	timer_start(c->worker->timers, &c->look->progress, PROGRESS_MS, on_progress, c);
}

static void finish(struct control *c)
{
	struct control_look *l = c->look;

	control_item(c, json_pack("{s:I, s:I, s:I, s:I, s:I}", "problems", (json_int_t)l->problems, "left",
				(json_int_t)l->left, "mailboxes", (json_int_t)l->mailboxes, "messages",
				(json_int_t)l->messages, "bytes", (json_int_t)l->bytes));
	control_look_free(c);
	control_done(c);
}

/* --- what was found -------------------------------------------------------------------------------------------------- */

static void tell_problem(struct control *c, const struct problem *p)
{
	static const char *const mends[] = { "none", "can", "done", "failed", "note" };
	struct control_look *l = c->look;
	json_t *item = of_what(l);

	if (p->mailbox.len)
		json_object_set_new(item, "mailbox", control_json(p->mailbox));
	if (p->uid)
		json_object_set_new(item, "uid", json_integer(p->uid));
	if (p->path.len)
		json_object_set_new(item, "file", control_json(p->path));
	if (p->offset)
		json_object_set_new(item, "offset", json_integer((json_int_t)p->offset));
	json_object_set_new(item, "problem", control_json(p->text));
	if (p->repair.len)
		json_object_set_new(item, "repair", control_json(p->repair));
	json_object_set_new(item, "mend", json_string(mends[p->mend <= MEND_NOTE ? p->mend : 0]));
	control_item(c, item);
	l->problems += p->mend != MEND_NOTE;
	l->left += p->mend != MEND_NOTE && p->mend != MEND_DONE;
}

static void tell_error(struct control *c, const char *text)
{
	struct problem p = { .text = str_of(text), .mend = MEND_NONE };

	tell_problem(c, &p);
}

static void looked(void *user, enum err e, const struct checked *k)
{
	struct control *c = user;
	struct control_look *l = c->look;

	l->call = NULL;
	timer_stop(c->worker->timers, &l->progress);
	if (e == ERR_ABSENT && l->all) {
		e = OK; /* it went while we looked */
		k = NULL;
	}
	if (e)
		tell_error(c, e == ERR_ABSENT ? "there is no such account" : "it could not be looked at now");
	for (size_t i = 0; k && i < k->count; i++)
		tell_problem(c, &k->problems[i]);
	if (k && k->left_out) {
		l->problems += k->left_out;
		l->left += k->left_out;
		tell_error(c, "there is more of this kind than is told");
	}
	if (k && l->mailbox.len) {
		l->mailboxes++;
		l->bytes += k->bytes;
		l->messages += k->messages;
	}
	if (k && l->level < LEVELS) {
		struct names *names = &l->levels[l->level];

		buf_clear(&names->packed);
		for (size_t i = 0; i < k->below_count; i++)
			pack_str(&names->packed, k->below[i]);
		names->left = unpack_of(buf_str(&names->packed));
	}
	next(c);
}

/* --- what is looked at ------------------------------------------------------------------------------------------------ */

static void look(struct control *c, unsigned level)
{
	struct control_look *l = c->look;

	l->level = level;
	timer_start(c->worker->timers, &l->progress, PROGRESS_MS, on_progress, c);
	l->call = store_look(c->worker, l->address, l->mailbox,
		l->mailbox.len           ? l->task
		: l->task == CHECK_INDEX ? CHECK_LOOK
					 : l->task,
		looked, c);
}

/* The next name of the lowest level that has one. */
static void next(struct control *c)
{
	struct control_look *l = c->look;
	unsigned level = LEVELS;

	if (!conn_has_room(c->conn)) {
		c->on_room = next;
		return;
	}
	if (l->worker < c->worker->workers && l->all && l->task != CHECK_INDEX) {
		l->level = LEVELS;
		l->call = store_look_worker(c->worker, l->worker++, looked, c);
		return;
	}
	while (level && !l->levels[level - 1].left.left.len)
		level--;
	if (!level) {
		finish(c);
		return;
	}
	if (level == LEVELS) {
		l->mailbox = unpack_str(&l->levels[level - 1].left);
	} else {
		struct buf at = { 0 };

		arena_reset(&l->memory);
		l->mailbox = STR_NONE;
		if (level == 1)
			buf_add_char(&at, '@');
		buf_add_str(&at, unpack_str(&l->levels[level - 1].left));
		l->address = arena_str(&l->memory, buf_str(&at));
		buf_free(&at);
	}
	look(c, level);
}

static void begin(struct control *c, enum check_task task)
{
	struct arena memory = { 0 };
	struct control_look *l;
	struct str name;

	if (!json_is_true(json_object_get(c->request, "all")) &&
		name_account(&memory, control_text(c, "name"), &name)) {
		control_error(c, ERR_MISTAKE, STR("which account, or all?"));
		arena_free(&memory);
		return;
	}
	c->look = l = mem_new(struct control_look);
	l->task = task;
	l->all = json_is_true(json_object_get(c->request, "all"));
	l->memory = memory;
	l->address = l->all ? STR("@") : name;
	look(c, l->all ? 0 : 2);
}

static void handle_fsck(struct control *c)
{
	begin(c, json_is_true(json_object_get(c->request, "repair")) ? CHECK_REPAIR : CHECK_LOOK);
}

static void handle_index_rebuild(struct control *c)
{
	begin(c, CHECK_INDEX);
}

const struct control_request control_look_requests[] = {
	{ "fsck", handle_fsck },
	{ "index-rebuild", handle_index_rebuild },
	{ 0 },
};
