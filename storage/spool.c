/* spool.c - see spool.h. */
#include "storage/spool.h"
#include "core/listing.h"
#include "core/log.h"
#include "core/worker.h"
#include "storage/journal/journal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void spool_name(struct worker *w, struct buf *path)
{
	struct name name = name_next(w);

	buf_printf(path, SPOOL_DIRECTORY "/%u-%" PRIx64 "-%" PRIu64, w->slot, name.life, name.number);
	buf_add_char(path, '\0');
}

static bool is_in_spool(struct str path)
{
	size_t directory = sizeof(SPOOL_DIRECTORY); /* with its '/' */

	return str_starts(path, STR(SPOOL_DIRECTORY "/")) && path.len > directory && path.p[directory] != '.' &&
	       !memchr(path.p + directory, '/', path.len - directory) && !memchr(path.p, '\0', path.len);
}

enum err spool_sync(int directory)
{
	int fd = openat(directory, SPOOL_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e = fd < 0 || fsync(fd) < 0 ? err_errno("sync " SPOOL_DIRECTORY) : OK;

	if (fd >= 0)
		close(fd);
	return e;
}

enum err spool_link(int directory, struct str from, const char *to)
{
	char *name = str_dup(from);
	enum err e;

	if (!is_in_spool(from))
		e = ERR_ABSENT;
	else if (linkat(directory, name, directory, to, 0) < 0)
		e = errno == ENOENT ? ERR_ABSENT : err_errno("link %s to %s", name, to);
	else
		e = spool_sync(directory);
	free(name);
	return e;
}

static bool is_left_over(const char *name, const struct worker *w)
{
	char *end;
	unsigned long slot = strtoul(name, &end, 10);

	return end > name && *end == '-' && (slot == w->slot || (w->slot == 0 && slot >= w->workers));
}

static bool is_needed(const struct journal *j, const char *name)
{
	struct buf path = { 0 };
	bool needed;

	buf_printf(&path, SPOOL_DIRECTORY "/%s", name);
	needed = j && journal_needs(j, buf_str(&path));
	buf_free(&path);
	return needed;
}

enum err spool_start(const struct worker *w, const struct journal *j)
{
	const struct dirent *entry;
	unsigned unlinked = 0;
	DIR *dir;

	if ((mkdirat(w->directory, "queue", 0700) < 0 && errno != EEXIST) ||
		(mkdirat(w->directory, SPOOL_DIRECTORY, 0700) < 0 && errno != EEXIST))
		return err_errno("make " SPOOL_DIRECTORY);
	if (!(dir = listing_open(w->directory, SPOOL_DIRECTORY, 0)))
		return err_errno("open " SPOOL_DIRECTORY);
	while ((entry = readdir(dir)))
		if (is_left_over(entry->d_name, w) && !is_needed(j, entry->d_name)) {
			if (unlinkat(dirfd(dir), entry->d_name, 0) < 0)
				err_errno("unlink " SPOOL_DIRECTORY "/%s", entry->d_name);
			else
				unlinked++;
		}
	closedir(dir);
	if (unlinked)
		log_info("store", NULL, "unlinked left-over messages count=%u", unlinked);
	return OK;
}
