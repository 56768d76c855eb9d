/* restore.c - the worker that is asked to bring something back: see restore.h.
 * The backup's list of the account's files is read, then mailbox after mailbox is made ready in a folder of our own beside
 * the account's (staging.h). When that is durable the owner is asked to put it in its place. The folder goes at the end. */
#include "storage/backup/restore.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "storage/backup/restore_parts.h"
#include "storage/backup/staging.h"
#include "storage/journal/operation.h"
#include "storage/path.h"
#include "storage/spool.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY_MAX 100000 /* mailboxes of an account that are brought back */

struct restore {
	struct job job;
	struct worker *w;
	char *directory, *account, *target, *mailbox, *to; /* target: the account here; to: the mailbox, or "" */
	uint32_t uid;
	bool whole, merge, replace; /* whole: an account that is not there */
	restore_done *done;
	void *user;
	bool running, gone;
	struct call *call;
	struct restore_total total;
	struct buf told, why; /* told: what it is called now */
	struct buf amiss;     /* what of the backup was not whole */
	enum err result;

	struct staged *list; /* mailboxes */
	size_t count, cap, at;
	struct name name; /* makes the folder's name */
	struct picked picked;
	struct buf spool; /* NUL-ended */

	/* the lane's, as long as it has the job */
	void (*work)(struct restore *r);
	void (*next)(struct restore *r);
	char *staging;     /* NULL: there is none */
	struct buf path;   /* of the account in the backup, which is open as `from` */
	struct buf others; /* files of the account that are none of mailboxes: a list */
	int from;
	enum err e;
};

const struct restore_total *restore_total(const struct restore *r)
{
	return &r->total;
}

static void finish(struct restore *r);

static void free_now(struct restore *r)
{
	call_cancel(r->call);
	for (size_t i = 0; i < r->count; i++)
		staged_free(&r->list[i]);
	free(r->list);
	if (r->from >= 0)
		close(r->from);
	buf_free(&r->told);
	buf_free(&r->why);
	buf_free(&r->amiss);
	buf_free(&r->spool);
	buf_free(&r->path);
	buf_free(&r->others);
	free(r->staging);
	free(r->directory);
	free(r->account);
	free(r->target);
	free(r->mailbox);
	free(r->to);
	free(r);
}

void restore_free(struct restore *r)
{
	if (!r)
		return;
	r->gone = true;
	call_cancel(r->call);
	r->call = NULL;
	if (!r->running)
		finish(r);
}

static void job_work(struct job *job)
{
	struct restore *r = container_of(job, struct restore, job);

	r->work(r);
}

static void end(struct restore *r, enum err e)
{
	r->result = e;
	finish(r);
}

static void job_done(struct job *job)
{
	struct restore *r = container_of(job, struct restore, job);

	r->running = false;
	if (r->gone || r->e)
		end(r, r->e);
	else
		r->next(r);
}

static void in_lane(struct restore *r, void (*work)(struct restore *r), void (*next)(struct restore *r))
{
	r->work = work;
	r->next = next;
	r->running = true;
	r->job = (struct job){ .work = job_work, .done = job_done };
	lane_add(r->w->slow, &r->job);
}

/* --- the end -------------------------------------------------------------------------------------------------------------- */

static void clean_work(struct restore *r)
{
	if (buf_len(&r->spool))
		unlinkat(r->w->directory, buf_data(&r->spool), 0);
	if (r->staging && !faccessat(r->w->directory, r->staging, F_OK, 0))
		staging_drop(r->w, r->staging);
}

static void cleaned(struct job *job)
{
	struct restore *r = container_of(job, struct restore, job);
	struct str why = r->result ? buf_str(&r->why) : buf_str(&r->amiss);

	if (!r->result && why.len && !r->gone)
		log_warn("backup", NULL, "the backup is not whole account=%s reason=\"" STR_FMT "\"", r->account,
			STR_ARG(why));
	if (r->result && !r->gone)
		log_warn("backup", NULL, "not brought back account=%s reason=\"" STR_FMT "\"", r->account,
			STR_ARG(why.len ? why : str_of(err_text(r->result))));
	if (!r->gone)
		r->done(r->user, r->result, &r->total, buf_str(&r->told), why);
	free_now(r);
}

static void finish(struct restore *r)
{
	r->work = clean_work;
	r->running = true;
	r->job = (struct job){ .work = job_work, .done = cleaned };
	lane_add(r->w->slow, &r->job);
}

/* --- into its place --------------------------------------------------------------------------------------------------------- */

static void next_put(struct restore *r);

static void explain(struct restore *r, enum err e, const char *what, struct str name)
{
	static const char *const texts[ERR_KINDS] = {
		[ERR_EXISTS] = "is there already",
		[ERR_ABSENT] = "is not there",
		[ERR_TOO_BIG] = "is over a limit of the configuration",
		[ERR_MISTAKE] = "can be no name",
	};

	if (buf_len(&r->why) || !texts[e])
		return;
	buf_printf(&r->why, "%s " STR_FMT " %s", what, STR_ARG(name), texts[e]);
}

static void mailbox_was_put(void *user, enum err e, struct str name)
{
	struct restore *r = user;

	r->call = NULL;
	if (e) {
		explain(r, e, e == ERR_ABSENT ? "the account" : "the mailbox",
			e == ERR_ABSENT ? str_of(r->target)
			: name.len      ? name
					: str_of(r->to));
		end(r, e);
		return;
	}
	if (!r->merge) {
		buf_clear(&r->told);
		buf_add_str(&r->told, name);
	}
	r->total.mailboxes++;
	r->at++;
	next_put(r);
}

static void next_put(struct restore *r)
{
	enum restore_how how = r->replace ? RESTORE_REPLACE : *r->to ? RESTORE_FREE : RESTORE_BESIDE;
	struct buf staging = { 0 }, name = { 0 };
	struct staged *s = &r->list[r->at];

	if (r->at == r->count) {
		end(r, OK);
		return;
	}
	buf_printf(&staging, "%s/%s", r->staging, s->stem);
	if (*r->to)
		buf_add_str(&name, str_of(r->to));
	else
		stem_to_name(&name, str_of(s->stem));
	r->call = store_restore_mailbox(
		r->w, str_of(r->target), buf_str(&staging), s, buf_str(&name), how, mailbox_was_put, r);
	buf_free(&staging);
	buf_free(&name);
}

static void account_was_put(void *user, enum err e)
{
	struct restore *r = user;

	r->call = NULL;
	if (e)
		explain(r, e, e == ERR_ABSENT ? "the domain of" : "the account", str_of(r->target));
	else
		r->total.mailboxes = r->count;
	end(r, e);
}

static void put(struct restore *r)
{
	r->at = 0;
	if (r->whole)
		r->call = store_restore_account(r->w, str_of(r->target), str_of(r->staging), account_was_put, r);
	else
		next_put(r);
}

/* --- making ready ------------------------------------------------------------------------------------------------------------ */

static void sync_work(struct restore *r)
{
	int fd = openat(r->w->directory, r->staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd) < 0)
		r->e = backup_failed(&r->why, "sync", r->staging);
	if (fd >= 0)
		close(fd);
}

static void others_work(struct restore *r)
{
	struct str left = buf_str(&r->others), name;
	struct buf path = { 0 };
	uint64_t length, found;
	int to = openat(r->w->directory, r->staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (to < 0)
		r->e = backup_failed(&r->why, "open", r->staging);
	while (!r->e && files_next(&left, &length, &name)) {
		buf_clear(&path);
		buf_add_str(&path, name);
		buf_add_char(&path, '\0');
		r->e = file_small(r->from, to, buf_data(&path), false, &found, &r->why);
		if (!r->e && found < length)
			amiss_add(&r->amiss, buf_data(&path), "is shorter than it was");
	}
	if (to >= 0)
		close(to);
	buf_free(&path);
	if (!r->e)
		sync_work(r);
}

static void stage_work(struct restore *r)
{
	struct staged *s = &r->list[r->at];

	r->e = staged_step(s, r->from, r->w->directory, r->staging, &r->amiss, &r->why);
}

static void staged(struct restore *r)
{
	while (r->at < r->count && r->list[r->at].stage == STAGE_DONE) {
		r->total.messages += r->list[r->at].messages;
		r->total.bytes += r->list[r->at].bytes;
		r->at++;
	}
	if (r->at < r->count)
		in_lane(r, stage_work, staged);
	else
		in_lane(r, r->whole ? others_work : sync_work, put);
}

/* --- a message --------------------------------------------------------------------------------------------------------------- */

static void message_was_put(void *user, enum err e, uint32_t uidvalidity, uint32_t uid)
{
	struct restore *r = user;

	(void)uidvalidity;
	r->call = NULL;
	if (e) {
		explain(r, e, "the mailbox", str_of(*r->to ? r->to : r->mailbox));
	} else {
		buf_printf(&r->told, "%s UID %u", *r->to ? r->to : r->mailbox, uid);
		r->total = (struct restore_total){ 0, 1, r->picked.message.wire };
	}
	end(r, e);
}

static void message_put(struct restore *r)
{
	r->call = store_restore_message(r->w, str_of(r->target), str_of(*r->to ? r->to : r->mailbox), &r->picked,
		str_of(buf_data(&r->spool)), message_was_put, r);
}

static void message_work(struct restore *r)
{
	r->e = message_pick(&r->list[0], r->from, r->uid, &r->picked, &r->why);
	if (!r->e)
		r->e = message_copy(&r->list[0], r->from, &r->picked, r->w->directory, buf_data(&r->spool), &r->why);
	if (!r->e)
		r->e = spool_sync(r->w->directory);
}

/* --- the beginning ------------------------------------------------------------------------------------------------------------ */

static bool cut_suffix(struct str *path, struct str suffix)
{
	bool has = path->len > suffix.len && str_eq(str_cut(*path, path->len - suffix.len, path->len), suffix);

	if (has)
		*path = str_cut(*path, 0, path->len - suffix.len);
	return has;
}

/* A file of the backup's list: of a mailbox that is wanted, or one of the others. */
static void file_listed(struct restore *r, uint64_t length, struct str path, struct str wanted)
{
	struct str stem = path;
	bool mdir = mdir_is_file(path, &stem) && cut_suffix(&stem, STR(MDIR_SUFFIX));
	int kind = mdir                               ? FILE_MDIR
	           : cut_suffix(&stem, STR(".mbox"))  ? FILE_MBOX
	           : cut_suffix(&stem, STR(".state")) ? FILE_STATE
	                                              : -1;
	struct staged *s = r->count ? &r->list[r->count - 1] : NULL;

	if (kind < 0) {
		files_add(&r->others, length, path);
		return;
	}
	if ((wanted.len && !str_eq(stem, wanted)) || r->count == MANY_MAX)
		return;
	if (!s || !str_eq(str_of(s->stem), stem)) {
		if (r->count == r->cap) {
			r->cap = r->cap ? 2 * r->cap : 8;
			r->list = mem_resize(r->list, r->cap * sizeof(*r->list));
		}
		s = &r->list[r->count++];
		*s = (struct staged){ .stem = str_dup(stem), .fresh = !r->whole || strcmp(r->account, r->target) };
	}
	if (mdir) { /* it has them when they are copied */
		files_add(&s->files, length, path);
		return;
	}
	s->has[kind] = true;
	s->lengths[kind] = length;
}

static enum err list_read(struct restore *r)
{
	struct buf list = { 0 }, wanted = { 0 }, account = { 0 };
	struct str left, path;
	uint64_t length;
	enum err e = files_read(r->from, &ACCOUNT_FILES[1], &list);

	if (e)
		buf_printf(&r->why, "the backup's list of the account's files is %s",
			e == ERR_ABSENT ? "missing" : "damaged");
	if (!e && *r->mailbox && !(e = path_account(&account, str_of(r->account))))
		e = path_mailbox(&wanted, str_of(r->account), str_of(r->mailbox));
	if (!e) {
		left = buf_str(&list);
		if (buf_len(&wanted))
			buf_take(&wanted, buf_len(&account) + 1);
		while (files_next(&left, &length, &path))
			if (operation_path_ok(path))
				file_listed(r, length, path, buf_str(&wanted));
		if (*r->mailbox && !r->count) {
			buf_printf(&r->why, "the backup has no mailbox %s of %s", r->mailbox, r->account);
			e = ERR_ABSENT;
		}
	}
	buf_free(&list);
	buf_free(&wanted);
	buf_free(&account);
	return e;
}

static enum err backup_open(struct restore *r)
{
	struct buf path = { 0 };
	bool copy;
	int fd = open(r->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e = fd < 0 ? backup_failed(&r->why, "open", r->directory) : OK;

	if (!e && (e = manifest_read(fd, &copy))) {
		buf_printf(&r->why, "%s is no backup, or one that was not finished%s", r->directory,
			e == ERR_ABSENT ? "" : ", or of a later version: its manifest cannot be read");
		e = ERR_MISTAKE;
	}
	if (!e && !(e = path_account(&path, str_of(r->account)))) {
		buf_add_char(&path, '\0');
		r->from = openat(fd, buf_data(&path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (r->from < 0 && errno == ENOENT) {
			buf_printf(&r->why, "the backup has no account %s", r->account);
			e = ERR_ABSENT;
		} else if (r->from < 0) {
			e = backup_failed(&r->why, "open", buf_data(&path));
		}
	}
	if (fd >= 0)
		close(fd);
	buf_free(&path);
	return e;
}

static void left_drop(void *user, const char *path)
{
	staging_drop(user, path);
}

/* The folder in which it is made ready; on the file system on which it is to be. */
static enum err staging_make(struct restore *r)
{
	struct str target = str_of(r->target);
	struct buf domain = { 0 }, account = { 0 }, path = { 0 };
	struct stat here, there;
	enum err e = path_domain(&domain, str_cut(target, (size_t)str_rfind(target, '@') + 1, target.len));

	if (!e)
		e = path_account(&account, target);
	if (e)
		goto out;
	buf_add_char(&domain, '\0');
	buf_add_char(&account, '\0');
	staging_left(r->w, buf_data(&domain), left_drop, r->w);
	buf_printf(&path, "%s/", buf_data(&domain));
	staging_name(&path, r->w, r->name.number);
	if (mkdirat(r->w->directory, (buf_add_char(&path, '\0'), buf_data(&path)), 0700) < 0) {
		e = errno == ENOENT ? ERR_ABSENT : backup_failed(&r->why, "make", buf_data(&path));
		if (e == ERR_ABSENT)
			buf_printf(&r->why, "the domain of %s is not there: `postern domain add` makes it", r->target);
		goto out;
	}
	r->staging = str_dup(str_of(buf_data(&path)));
	if (fstatat(r->w->directory, r->staging, &here, 0) < 0)
		e = backup_failed(&r->why, "look at", r->staging);
	else if (!fstatat(r->w->directory, buf_data(&account), &there, 0) && here.st_dev != there.st_dev) {
		buf_printf(&r->why, "%s is on another file system than its domain", r->target);
		e = ERR_NEVER;
	}
out:
	buf_free(&domain);
	buf_free(&account);
	buf_free(&path);
	return e;
}

static void begin_work(struct restore *r)
{
	r->e = backup_open(r);
	if (!r->e)
		r->e = list_read(r);
	if (!r->e && r->uid)
		message_work(r);
	else if (!r->e)
		r->e = staging_make(r);
}

static void begun(struct restore *r)
{
	if (r->uid)
		message_put(r);
	else
		staged(r);
}

struct restore *restore_new(struct worker *w, const struct restore_ask *ask, restore_done *done, void *user)
{
	struct restore *r = mem_new(struct restore);

	r->w = w;
	r->directory = str_dup(ask->directory);
	r->account = str_dup(ask->account);
	r->target = str_dup(ask->to.len && !ask->mailbox.len ? ask->to : ask->account);
	r->mailbox = str_dup(ask->mailbox);
	r->to = str_dup(ask->mailbox.len ? ask->to : STR(""));
	r->uid = ask->uid;
	r->whole = !ask->mailbox.len && !ask->merge;
	r->merge = ask->merge;
	r->replace = ask->replace;
	r->done = done;
	r->user = user;
	r->from = -1;
	if (!ask->mailbox.len)
		buf_add_str(&r->told, str_of(r->target));
	r->name = name_next(w);
	if (r->uid)
		spool_name(w, &r->spool);
	in_lane(r, begin_work, begun);
	return r;
}
