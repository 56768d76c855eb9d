/* backup.c - a whole backup: the directory is begun, every worker's queue, then every account, and at the end the manifest.
 * Names of domains and accounts are read as they are needed, so it takes no more memory for many. What comes to the
 * store meanwhile may be in it or not. */
#include "storage/backup/backup.h"
#include "core/listing.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "storage/account/secret.h"
#include "storage/backup/backup_files.h"
#include "storage/path.h"
#include "storage/table.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64 /* names read at a time */

struct backup {
	struct job job;
	struct worker *w;
	char *directory;
	backup_done *done;
	void *user;
	bool all, copies, running, gone; /* gone: nobody waits for it any more */
	unsigned slot;                   /* the next worker to be asked */
	struct call *call;
	struct backup_total total;
	struct buf place;
	struct buf names; /* packed addresses still to be kept */
	struct unpack left;
	int64_t began_s;

	/* the lane's, as long as it has the job */
	void (*work)(struct backup *b);
	void (*next)(struct backup *b);
	int to;
	DIR *domains, *accounts;
	struct buf domain; /* whose accounts are being read */
	bool ended;
	enum err e;
	struct buf why;
};

const struct backup_total *backup_total(const struct backup *b)
{
	return &b->total;
}

struct str backup_place(const struct backup *b)
{
	return buf_str(&b->place);
}

static void free_now(struct backup *b)
{
	call_cancel(b->call);
	if (b->accounts)
		closedir(b->accounts);
	if (b->domains)
		closedir(b->domains);
	if (b->to >= 0)
		close(b->to);
	free(b->directory);
	buf_free(&b->place);
	buf_free(&b->names);
	buf_free(&b->domain);
	buf_free(&b->why);
	free(b);
}

void backup_free(struct backup *b)
{
	if (!b)
		return;
	if (!b->running) {
		free_now(b);
		return;
	}
	b->gone = true;
	call_cancel(b->call);
	b->call = NULL;
}

static void end(struct backup *b, enum err e)
{
	struct str why = buf_str(&b->why);

	if (e)
		log_warn("backup", NULL, "not finished directory=%s reason=\"" STR_FMT "\"", b->directory,
			STR_ARG(why.len ? why : str_of(err_text(e))));
	else
		log_info("backup", NULL, "made directory=%s accounts=%" PRIu64 " files=%" PRIu64 " bytes=%" PRIu64,
			b->directory, b->total.accounts, b->total.files, b->total.bytes);
	b->done(b->user, e, &b->total, why);
	free_now(b);
}

static void job_work(struct job *job)
{
	struct backup *b = container_of(job, struct backup, job);

	b->work(b);
}

static void job_done(struct job *job)
{
	struct backup *b = container_of(job, struct backup, job);

	b->running = false;
	if (b->gone)
		free_now(b);
	else if (b->e)
		end(b, b->e);
	else
		b->next(b);
}

static void in_lane(struct backup *b, void (*work)(struct backup *b), void (*next)(struct backup *b))
{
	b->work = work;
	b->next = next;
	b->running = true;
	b->job = (struct job){ .work = job_work, .done = job_done };
	lane_add(b->w->slow, &b->job);
}

/* --- the end ----------------------------------------------------------------------------------------------------------- */

static enum err manifest_write(struct backup *b)
{
	struct buf line = { 0 };
	struct stat st;
	int fd = openat(b->to, BACKUP_UNFINISHED, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	enum err e = OK;

	if (fd < 0 || fstat(fd, &st) < 0) {
		e = backup_failed(&b->why, "write", BACKUP_MANIFEST);
	} else {
		buf_printf(&line,
			"postern-backup 1 inode=%llu began=%lld ended=%lld accounts=%" PRIu64 " files=%" PRIu64
			" bytes=%" PRIu64 "\n",
			(unsigned long long)st.st_ino, (long long)b->began_s, (long long)time(NULL), b->total.accounts,
			b->total.files, b->total.bytes);
		if (write(fd, buf_data(&line), buf_len(&line)) != (ssize_t)buf_len(&line) || fsync(fd) < 0 ||
			renameat(b->to, BACKUP_UNFINISHED, b->to, BACKUP_MANIFEST) < 0 || fsync(b->to) < 0)
			e = backup_failed(&b->why, "write", BACKUP_MANIFEST);
	}
	if (fd >= 0)
		close(fd);
	buf_free(&line);
	return e;
}

/* All that the manifest speaks of is durable before it: the files were not synced one by one. */
static void end_work(struct backup *b)
{
	b->e = syncfs(b->to) < 0 ? backup_failed(&b->why, "sync", b->directory) : manifest_write(b);
}

static void ended(struct backup *b)
{
	end(b, OK);
}

/* --- accounts ------------------------------------------------------------------------------------------------------------ */

static void next_account(struct backup *b);

/* The next domain, or none. */
static bool domain_begin(struct backup *b)
{
	const struct dirent *entry;
	struct buf path = { 0 };
	uint64_t length;
	enum err e = OK;

	while (!b->accounts && b->domains && (entry = readdir(b->domains))) {
		buf_clear(&b->domain);
		if (path_file_to_domain(&b->domain, str_of(entry->d_name)))
			continue;
		b->accounts = listing_open(dirfd(b->domains), entry->d_name, 0);
		buf_printf(&path, "domains/%s/domain.settings", entry->d_name);
		buf_add_char(&path, '\0');
	}
	if (b->accounts)
		e = parents_make(b->to, buf_data(&path), &b->why);
	if (b->accounts && !e)
		e = file_small(b->w->directory, b->to, buf_data(&path), true, &length, &b->why);
	if (e && e != ERR_ABSENT)
		b->e = e;
	buf_free(&path);
	return b->accounts;
}

static void names_work(struct backup *b)
{
	struct buf name = { 0 };
	unsigned count = 0;

	buf_clear(&b->names);
	while (!b->e && count < BATCH && (b->accounts || domain_begin(b))) {
		const struct dirent *entry = readdir(b->accounts);

		if (!entry) {
			closedir(b->accounts);
			b->accounts = NULL;
			continue;
		}
		buf_clear(&name);
		if (path_file_to_name(&name, str_of(entry->d_name)))
			continue;
		buf_printf(&name, "@" STR_FMT, STR_ARG(buf_str(&b->domain)));
		pack_str(&b->names, buf_str(&name));
		count++;
	}
	b->ended = !count;
	buf_free(&name);
}

static void names_read(struct backup *b)
{
	b->left = unpack_of(buf_str(&b->names));
	next_account(b);
}

static void took(struct backup *b, const struct backup_total *t, struct str why)
{
	b->total.accounts += t->accounts;
	b->total.files += t->files;
	b->total.bytes += t->bytes;
	if (why.len) {
		buf_clear(&b->why);
		buf_add_str(&b->why, why);
	}
}

static void account_kept(void *user, enum err e, const struct backup_total *t, struct str why)
{
	struct backup *b = user;

	b->call = NULL;
	took(b, t, why);
	if (e == ERR_ABSENT && !b->all)
		buf_printf(&b->why, "there is no account " STR_FMT, STR_ARG(buf_str(&b->place)));
	if (e && (e != ERR_ABSENT || !b->all)) /* it may have gone meanwhile */
		end(b, e);
	else
		next_account(b);
}

static void next_account(struct backup *b)
{
	if (b->left.left.len) {
		struct str address = unpack_str(&b->left);

		buf_clear(&b->place);
		buf_add_str(&b->place, address);
		b->call = store_backup(b->w, address, str_of(b->directory), b->copies, account_kept, b);
	} else if (b->all && !b->ended) {
		in_lane(b, names_work, names_read);
	} else {
		in_lane(b, end_work, ended);
	}
}

/* --- the beginning --------------------------------------------------------------------------------------------------------- */

static void next_worker(struct backup *b);

static void worker_kept(void *user, enum err e, const struct backup_total *t, struct str why)
{
	struct backup *b = user;

	b->call = NULL;
	took(b, t, why);
	if (e)
		end(b, e);
	else
		next_worker(b);
}

static void next_worker(struct backup *b)
{
	if (b->all && b->slot < b->w->workers)
		b->call = store_backup_worker(b->w, b->slot++, str_of(b->directory), b->copies, worker_kept, b);
	else
		next_account(b);
}

static bool is_empty(int directory)
{
	DIR *d = listing_open(directory, ".", 0);
	const struct dirent *entry;
	bool empty = d;

	while (empty && (entry = readdir(d)))
		empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	if (d)
		closedir(d);
	return empty;
}

/* Whether it is the store's directory or below that: one of those above it is. */
static bool is_within(int directory, int store)
{
	int at = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), up;
	struct stat here, ours, above = { 0 };
	bool within = false;

	if (fstat(store, &ours) < 0)
		within = true;
	while (at >= 0 && !within && !fstat(at, &here) &&
		(here.st_ino != above.st_ino || here.st_dev != above.st_dev)) {
		within = here.st_ino == ours.st_ino && here.st_dev == ours.st_dev;
		above = here;
		up = openat(at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = up;
	}
	if (at >= 0)
		close(at);
	return within;
}

static void begin_work(struct backup *b)
{
	uint64_t length;
	int fd;

	b->to = open(b->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->to < 0) {
		b->e = backup_failed(&b->why, "open", b->directory);
		return;
	}
	if (is_within(b->to, b->w->directory) || !is_empty(b->to)) {
		bool within = is_within(b->to, b->w->directory);

		buf_printf(&b->why, "%s %s", b->directory, within ? "lies within the store" : "is not empty");
		b->e = within ? ERR_MISTAKE : ERR_EXISTS;
		return;
	}
	fd = openat(b->to, BACKUP_UNFINISHED, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		b->e = backup_failed(&b->why, "write in", b->directory);
		return;
	}
	close(fd);
	if (b->all && (b->e = file_small(b->w->directory, b->to, SECRET_FILE, true, &length, &b->why)) == ERR_ABSENT)
		b->e = OK;
	if (b->all && !b->e)
		b->domains = listing_open(b->w->directory, "domains", 0);
}

struct backup *backup_new(
	struct worker *w, struct str directory, struct str account, bool copies, backup_done *done, void *user)
{
	struct backup *b = mem_new(struct backup);

	b->w = w;
	b->directory = str_dup(directory);
	b->done = done;
	b->user = user;
	b->all = !account.len;
	b->copies = copies;
	b->to = -1;
	b->began_s = worker_wall_ms(w) / 1000;
	if (account.len)
		pack_str(&b->names, account);
	b->left = unpack_of(buf_str(&b->names));
	in_lane(b, begin_work, next_worker);
	return b;
}
