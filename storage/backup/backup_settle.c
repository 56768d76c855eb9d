/* backup_settle.c - a store that is a copy of a backup becomes a store.
 * In the backup files are links that may have grown since; its lists say how long they were. They are cut to that, list
 * after list, each unlinked when it is done, the manifest last: what is interrupted is gone on with at the next start. */
#include "core/listing.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/account/account.h"
#include "storage/backup/backup.h"
#include "storage/backup/backup_files.h"
#include "storage/path.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file with another name elsewhere is not ours to change: this is no copy. */
static enum err cut(int directory, const char *path, uint64_t length)
{
	struct stat st;
	int fd = openat(directory, path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	enum err e = OK;

	if (fd < 0)
		return errno == ENOENT ? OK : err_errno("open %s", path);
	if (fstat(fd, &st) < 0) {
		e = err_errno("look at %s", path);
	} else if (st.st_nlink > 1) {
		log_error("backup", NULL, "this is no copy of a backup but shares files with it path=%s", path);
		e = ERR_NEVER;
	} else if ((uint64_t)st.st_size > length && (ftruncate(fd, (off_t)length) < 0 || fsync(fd) < 0)) {
		e = err_errno("cut %s", path);
	}
	close(fd);
	return e;
}

/* base: the directory that the list's paths are in, relative to the store, ended by '/' or "". */
static enum err settle_list(int directory, const char *base, const char *list_path)
{
	struct buf list = { 0 }, path = { 0 };
	struct str left, name;
	uint64_t length;
	enum err e = files_read(directory, list_path, &list);

	left = buf_str(&list);
	while (!e && files_next(&left, &length, &name)) {
		buf_clear(&path);
		buf_printf(&path, "%s" STR_FMT, base, STR_ARG(name));
		buf_add_char(&path, '\0');
		e = cut(directory, buf_data(&path), length);
	}
	if (!e && unlinkat(directory, list_path, 0) < 0)
		e = err_errno("unlink %s", list_path);
	buf_free(&list);
	buf_free(&path);
	return e == ERR_ABSENT ? OK : e;
}

static enum err settle_queue(int directory)
{
	DIR *d = listing_open(directory, "queue", 0);
	const struct dirent *entry;
	char path[300];
	enum err e = OK;

	while (d && !e && (entry = readdir(d))) {
		snprintf(path, sizeof(path), "queue/%s", entry->d_name);
		if (str_starts(str_of(path), STR(QUEUE_FILES)))
			e = settle_list(directory, "", path);
	}
	if (d)
		closedir(d);
	return e;
}

struct settling {
	int directory;
	enum err e;
};

static void settle_account(void *user, struct str address)
{
	struct settling *s = user;
	struct buf base = { 0 }, list = { 0 };

	if (!s->e && !path_account(&base, address)) {
		buf_printf(&list, STR_FMT ACCOUNT_FILES, STR_ARG(buf_str(&base)));
		buf_add_char(&list, '\0');
		buf_add(&base, "/", 2);
		s->e = settle_list(s->directory, buf_data(&base), buf_data(&list));
	}
	buf_free(&base);
	buf_free(&list);
}

static void settle_domain(void *user, struct str domain)
{
	struct settling *s = user;

	if (!s->e)
		s->e = account_each(s->directory, domain, settle_account, s);
}

enum err backup_settle(int directory)
{
	struct settling s = { directory, OK };
	bool copy;
	enum err e;

	if (!faccessat(directory, BACKUP_UNFINISHED, F_OK, 0)) {
		log_error("backup", NULL, "this directory is a backup that was not finished: no server may run on it");
		return ERR_NEVER;
	}
	if ((e = manifest_read(directory, &copy)))
		return e == ERR_ABSENT ? OK : e;
	if (!copy) {
		log_error("backup", NULL,
			"this directory is a backup, whose files may be another store's: start the server on a copy of "
			"it");
		return ERR_NEVER;
	}
	log_info("backup", NULL, "this is a copy of a backup: it becomes a store");
	if (!(e = domain_each(directory, settle_domain, &s)) && !(e = s.e))
		e = settle_queue(directory);
	if (!e && (unlinkat(directory, BACKUP_MANIFEST, 0) < 0 || fsync(directory) < 0))
		e = err_errno("unlink " BACKUP_MANIFEST);
	return e;
}
