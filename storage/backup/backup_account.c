/* backup_account.c - one account goes into a backup, by its owner: settings and labels, then mailbox after mailbox.
 * The task leads its holding, so no mailbox comes, goes or changes its name meanwhile. Each is held alone while its
 * files are linked, for moments; where they must be copied they are opened then, and copied when it is free again. */
#include "core/mem.h"
#include "storage/backup/backup.h"
#include "storage/backup/backup_files.h"
#include "storage/mailbox/mailbox.h"
#include "storage/path.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEADLINE_MS (24 * 3600 * 1000) /* an account may be very large, and the other disk slow */

static const char *const suffixes[] = { ".mbox", ".state" };
static const char *const small_files[] = { "/account.settings", TREE_FILE };
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

struct account_backup {
	struct str directory;
	bool no_links;
	int to;
	struct str *names; /* of mailboxes */
	size_t count, next;
	struct hold hold;
	const char *stem; /* of the one being kept */
	uint64_t lengths[COUNT(suffixes)];
	struct file_copy copies[COUNT(suffixes)];
	bool mdir; /* the one being kept is one, or might be */
	struct buf path, list, why;
	struct backup_total total;
};

static void account_end(struct task *t, enum err e)
{
	struct account_backup *b = t->op;
	struct buf answer = { 0 };

	for (size_t i = 0; i < COUNT(suffixes); i++)
		file_copy_end(&b->copies[i]);
	if (b->to >= 0)
		close(b->to);
	pack_u64(&answer, b->total.accounts);
	pack_u64(&answer, b->total.files);
	pack_u64(&answer, b->total.bytes);
	pack_str(&answer, buf_str(&b->why));
	buf_free(&b->path);
	buf_free(&b->list);
	buf_free(&b->why);
	task_end(t, e, buf_str(&answer));
	buf_free(&answer);
}

static const char *path_of(struct account_backup *b, const char *stem, const char *suffix)
{
	buf_clear(&b->path);
	buf_printf(&b->path, "%s%s", stem, suffix);
	buf_add_char(&b->path, '\0');
	return buf_data(&b->path);
}

/* The account's directory, NUL-ended. */
static char *account_path(struct task *t)
{
	struct buf path = { 0 };
	char *text;

	path_account(&path, t->address);
	text = arena_dup(&t->memory, buf_str(&path));
	buf_free(&path);
	return text;
}

static void kept(struct account_backup *b, uint64_t length)
{
	const char *path = buf_data(&b->path), *name = strchr(path, '/'); /* below domains/<domain>/<account>/ */

	for (int level = 0; name && level < 2; level++)
		name = strchr(name + 1, '/');
	if (!name)
		return;
	files_add(&b->list, length, str_of(name + 1));
	b->total.files++;
	b->total.bytes += length;
}

static enum err end_work(struct task *t)
{
	struct account_backup *b = t->op;

	b->total.accounts = 1;
	return files_write(b->to, path_of(b, account_path(t), ACCOUNT_FILES), buf_str(&b->list), &b->why);
}

/* --- a mailbox --------------------------------------------------------------------------------------------------------- */

static void next_mailbox(struct task *t, enum err e);

static enum err copy_work(struct task *t)
{
	struct account_backup *b = t->op;
	bool done = false;

	for (size_t i = 0; i < COUNT(suffixes); i++)
		if (b->copies[i].path) {
			enum err e = file_copy_step(&b->copies[i], &done, &b->why);

			if (done || e)
				file_copy_end(&b->copies[i]);
			return e;
		}
	return OK;
}

static void copied(struct task *t, enum err e)
{
	struct account_backup *b = t->op;
	bool more = false;

	for (size_t i = 0; i < COUNT(suffixes); i++)
		more |= b->copies[i].path != NULL;
	if (!e && t->st->stop) /* a large account is not waited for */
		e = ERR_AGAIN;
	if (!e && more)
		task_in_lane(t, t->st->w->slow, copy_work, copied);
	else
		next_mailbox(t, e);
}

/* A message of an mdir; one that must be copied is, at once. */
static enum err message_keep(struct task *t, const char *folder, uint32_t uid)
{
	struct account_backup *b = t->op;
	struct file_copy copy = { 0 };
	uint64_t length = UINT64_MAX;
	bool done = false;
	char name[32];
	const char *path;
	enum err e;

	snprintf(name, sizeof(name), "/%u", uid);
	path = path_of(b, folder, name);
	e = file_link(t->st->w->directory, b->to, path, b->no_links, &length, &copy, &b->why);
	while (!e && copy.path && !done)
		e = file_copy_step(&copy, &done, &b->why);
	file_copy_end(&copy);
	if (!e)
		kept(b, length);
	return e == ERR_ABSENT ? OK : e;
}

/* Its messages, as long as it is held. */
static enum err mdir_work(struct task *t)
{
	struct account_backup *b = t->op;
	char *folder = arena_printf(&t->memory, "%s" MDIR_SUFFIX, b->stem);
	struct mdir_list list;
	enum err e = mdir_list_read(t->st->w->directory, b->stem, &list);

	if (e == ERR_ABSENT)
		return OK;
	if (!e && list.count)
		e = parents_make(b->to, path_of(b, folder, "/1"), &b->why);
	for (size_t i = 0; !e && i < list.count; i++)
		e = message_keep(t, folder, list.uids[i]);
	mdir_list_free(&list);
	return e;
}

static enum err link_work(struct task *t)
{
	struct account_backup *b = t->op;
	enum err e = OK;

	if (b->mdir)
		e = mdir_work(t);

	for (size_t i = 0; i < COUNT(suffixes) && !e; i++) {
		const char *path = path_of(b, b->stem, suffixes[i]);

		if (!i)
			e = parents_make(b->to, path, &b->why);
		if (!e)
			e = file_link(
				t->st->w->directory, b->to, path, b->no_links, &b->lengths[i], &b->copies[i], &b->why);
		if (!e)
			kept(b, b->lengths[i]);
		else if (e == ERR_ABSENT)
			e = OK;
	}
	return e;
}

static void linked(struct task *t, enum err e)
{
	struct account_backup *b = t->op;

	if (b->hold.held)
		mailbox_release(&b->hold);
	copied(t, e);
}

/* One that cannot be read is kept as its files are: it may be mended later. */
static void mailbox_held(struct task *t, enum err e)
{
	struct account_backup *b = t->op;
	struct buf stem = { 0 };

	if (e == ERR_ABSENT || path_mailbox(&stem, t->address, b->names[b->next - 1])) {
		next_mailbox(t, OK);
	} else {
		b->stem = arena_dup(&t->memory, buf_str(&stem));
		b->mdir = e || b->hold.m->seen.head.mdir;
		b->lengths[0] = e ? UINT64_MAX : b->hold.m->seen.mbox_end;
		b->lengths[1] = e ? UINT64_MAX : b->hold.m->seen.state_end;
		task_in_lane(t, t->st->w->slow, link_work, linked);
	}
	buf_free(&stem);
}

static void next_mailbox(struct task *t, enum err e)
{
	struct account_backup *b = t->op;

	if (e)
		account_end(t, e);
	else if (b->next < b->count)
		mailbox_hold_name(t, &b->hold, b->names[b->next++], true, mailbox_held);
	else
		task_in_lane(t, t->st->w->slow, end_work, account_end);
}

/* --- the account -------------------------------------------------------------------------------------------------------- */

static enum err begin_work(struct task *t)
{
	struct account_backup *b = t->op;
	const char *account = account_path(t);
	char *directory = arena_dup(&t->memory, b->directory);
	enum err e = OK;

	b->to = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->to < 0)
		return backup_failed(&b->why, "open", directory);
	for (size_t i = 0; i < COUNT(small_files) && !e; i++) {
		const char *path = path_of(b, account, small_files[i]);
		uint64_t length;

		if (!i)
			e = parents_make(b->to, path, &b->why);
		if (!e)
			e = file_small(t->st->w->directory, b->to, path, true, &length, &b->why);
		if (!e)
			kept(b, length);
		else if (e == ERR_ABSENT)
			e = OK;
	}
	return e;
}

static void account_lead(struct task *t, enum err e)
{
	struct account_backup *b = t->op;
	const struct tree *tree = &t->h->tree;

	if (e) {
		account_end(t, e);
		return;
	}
	b->names = arena_alloc(&t->memory, (tree->count + 1) * sizeof(*b->names));
	for (size_t i = 0; i < tree->count && t->h->settings.kind == KIND_ACCOUNT; i++)
		b->names[b->count++] = arena_str(&t->memory, str_of(tree->leaves[i].name));
	task_in_lane(t, t->st->w->slow, begin_work, next_mailbox);
}

static void account_known(struct task *t, enum err e)
{
	if (e)
		account_end(t, e);
	else
		holding_lead(t, account_lead);
}

void backup_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_CONTROL);
	struct account_backup *b;

	if (!t)
		return;
	t->any_kind = true;
	b = task_op(t, struct account_backup);
	b->to = -1;
	b->directory = unpack_str(&t->args);
	b->no_links = unpack_u8(&t->args);
	if (task_args_end(t))
		task_account(t, account_known);
}

/* --- asking -------------------------------------------------------------------------------------------------------------- */

static void backup_tell(struct asked *k, enum err e, struct str answer)
{
	struct unpack u = unpack_of(answer);
	struct backup_total total = { .accounts = unpack_u64(&u), .files = unpack_u64(&u) };
	struct str why;

	total.bytes = unpack_u64(&u);
	why = unpack_str(&u);
	if (u.bad)
		total = (struct backup_total){ 0 };
	if (!e && !unpack_end(&u))
		e = ERR_AGAIN;
	k->done.backup(k->user, e, &total, u.bad ? STR_NONE : why);
}

struct call *store_backup(
	struct worker *w, struct str address, struct str directory, bool copies, backup_done *done, void *user)
{
	struct asked *k = ask_new(w, ASKER_CONTROL, STR_NONE, address);

	k->done.backup = done;
	pack_str(&k->args, directory);
	pack_u8(&k->args, copies);
	return ask_send_until(k, CALL_BACKUP, DEADLINE_MS, backup_tell, user);
}

struct call *store_backup_worker(
	struct worker *w, unsigned slot, struct str directory, bool copies, backup_done *done, void *user)
{
	struct asked *k = ask_new(w, ASKER_CONTROL, STR_NONE, STR("@"));

	k->done.backup = done;
	k->to = slot;
	pack_str(&k->args, directory);
	pack_u8(&k->args, copies);
	return ask_send_until(k, CALL_BACKUP_WORKER, DEADLINE_MS, backup_tell, user);
}
