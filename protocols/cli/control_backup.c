/* control_backup.c - requests that copy much: backup, restore. The asker hears now and then how far it is; when he goes
 * away it is left unfinished. */
#include "core/arena.h"
#include "core/mem.h"
#include "protocols/cli/control_session.h"
#include "protocols/cli/names.h"
#include "storage/backup/backup.h"
#include "storage/backup/restore.h"
#include <stdlib.h>

#define PROGRESS_MS 500

struct control_backup {
	struct backup *backup;
	struct restore *restore;
	struct timer progress;
};

void control_backup_free(struct control *c)
{
	struct control_backup *b = c->backup;

	if (!b)
		return;
	timer_stop(c->worker->timers, &b->progress);
	backup_free(b->backup);
	restore_free(b->restore);
	free(b);
	c->backup = NULL;
}

static json_t *told_backup(const struct backup_total *t, struct str place)
{
	return json_pack("{s:I, s:I, s:I, s:o}", "accounts", (json_int_t)t->accounts, "files", (json_int_t)t->files,
		"bytes", (json_int_t)t->bytes, "place", control_json(place));
}

static json_t *told_restore(const struct restore_total *t, struct str name)
{
	return json_pack("{s:I, s:I, s:I, s:o}", "mailboxes", (json_int_t)t->mailboxes, "messages",
		(json_int_t)t->messages, "bytes", (json_int_t)t->bytes, "name", control_json(name));
}

static void on_progress(void *user)
{
	struct control *c = user;
	struct control_backup *b = c->backup;
	json_t *item;

	if (conn_has_room(c->conn)) {
		item = b->backup ? told_backup(backup_total(b->backup), backup_place(b->backup))
		                 : told_restore(restore_total(b->restore), STR_NONE);
		json_object_set_new(item, "progress", json_true());
		control_item(c, item);
	}
	timer_start(c->worker->timers, &b->progress, PROGRESS_MS, on_progress, c);
}

static struct control_backup *begin(struct control *c)
{
	c->backup = mem_new(struct control_backup);
	timer_start(c->worker->timers, &c->backup->progress, PROGRESS_MS, on_progress, c);
	return c->backup;
}

/* --- backup ---------------------------------------------------------------------------------------------------------- */

static void backed_up(void *user, enum err e, const struct backup_total *t, struct str why)
{
	struct control *c = user;

	c->backup->backup = NULL;
	if (!e)
		control_item(c, told_backup(t, STR_NONE));
	control_backup_free(c);
	control_end(c, e, why);
}

static bool is_absolute(struct str path)
{
	return path.len && path.p[0] == '/';
}

static void handle_backup(struct control *c)
{
	struct str directory = control_text(c, "directory"), name = control_text(c, "name");
	struct arena memory = { 0 };

	if (!is_absolute(directory))
		control_error(c, ERR_MISTAKE, STR("a directory is wanted, by its whole path"));
	else if (name.len && name_account(&memory, name, &name))
		control_error(c, ERR_MISTAKE, STR("there can be no account of this name"));
	else
		begin(c)->backup = backup_new(
			c->worker, directory, name, json_is_true(json_object_get(c->request, "copy")), backed_up, c);
	arena_free(&memory);
}

/* --- restore --------------------------------------------------------------------------------------------------------- */

static void restored(void *user, enum err e, const struct restore_total *t, struct str name, struct str why)
{
	struct control *c = user;

	c->backup->restore = NULL;
	if (!e)
		control_item(c, told_restore(t, name));
	control_backup_free(c);
	control_end(c, e || !why.len ? e : ERR_NEVER, why); /* what was whole came back */
}

static void handle_restore(struct control *c)
{
	json_int_t uid = json_integer_value(json_object_get(c->request, "uid"));
	struct restore_ask ask = {
		.directory = control_text(c, "directory"),
		.mailbox = control_text(c, "mailbox"),
		.to = control_text(c, "to"),
		.uid = uid > 0 && uid <= UINT32_MAX ? (uint32_t)uid : 0,
		.merge = json_is_true(json_object_get(c->request, "merge")),
		.replace = json_is_true(json_object_get(c->request, "replace")),
	};
	struct arena memory = { 0 };

	if (!is_absolute(ask.directory))
		control_error(c, ERR_MISTAKE, STR("a directory is wanted, by its whole path"));
	else if (name_account(&memory, control_text(c, "name"), &ask.account))
		control_error(c, ERR_MISTAKE, STR("there can be no account of this name"));
	else if (!ask.mailbox.len && ask.to.len && name_account(&memory, ask.to, &ask.to))
		control_error(c, ERR_MISTAKE, STR("there can be no account of the name that it is to have"));
	else if (uid && (!ask.uid || !ask.mailbox.len))
		control_error(c, ERR_MISTAKE, STR("a UID is a number, of a mailbox"));
	else
		begin(c)->restore = restore_new(c->worker, &ask, restored, c);
	arena_free(&memory);
}

const struct control_request control_backup_requests[] = {
	{ "backup", handle_backup },
	{ "restore", handle_restore },
	{ 0 },
};
