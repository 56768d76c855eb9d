/* recover.c - the journal's settings, and opening it by them; all journals of a store, before any worker runs. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal_parts.h"
#include "storage/replay.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static bool journal_check(const void *values, const char *title, struct buf *why)
{
	const struct journal_conf *c = values;

	(void)title;
	if (c->size / c->segment >= 2)
		return true;
	buf_printf(why, "journal.size must be two segments at least");
	return false;
}

static const struct setting rows[] = {
	{ "segment", SETTING_SIZE, "64M", "1M", "1G", offsetof(struct journal_conf, segment),
		"Bytes of one file of a worker's journal.", SETTING_RESTART },
	{ "size", SETTING_SIZE, "256M", "4M", "64G", offsetof(struct journal_conf, size),
		"Bytes of a worker's whole journal.", SETTING_RESTART },
	{ "checkpoint", SETTING_DURATION, "10s", "100ms", "10m", offsetof(struct journal_conf, checkpoint_ms),
		"Time after which what was written is made durable in its files.", SETTING_RESTART },
	{ "reserve", SETTING_SIZE, "64M", "0", "1024G", offsetof(struct journal_conf, reserve),
		"Free bytes of the disk that incoming mail leaves alone.", SETTING_RESTART },
	{ NULL, 0, NULL, NULL, NULL, 0, NULL, 0 },
};

const struct settings journal_settings = {
	.section = "journal",
	.size = sizeof(struct journal_conf),
	.rows = rows,
	.text = "Each worker's journal, which makes durable what it promises.",
	.check = journal_check,
};

enum err journal_open(struct journal **out, struct worker *w)
{
	return journal_open_with(out, w, conf_section(w->conf, &journal_settings));
}

static enum err recover_one(const struct journal_conf *c, int store, int journals, const char *name)
{
	int dir = openat(journals, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct names *names;
	struct base base;
	enum err e;

	if (dir < 0)
		return err_errno("open journal/%s", name);
	names = names_new(names_room((uint64_t)c->segment));
	if ((e = replay(store, dir, &base, names)))
		log_error("journal", NULL, "a journal cannot be recovered slot=%s", name);
	names_free(names);
	close(dir);
	return e;
}

enum err journal_recover(const struct conf *conf, int directory)
{
	const struct journal_conf *c = conf_section(conf, &journal_settings);
	int fd = openat(directory, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	enum err e = OK;
	uint32_t slot;
	DIR *list;

	if (fd < 0)
		return errno == ENOENT ? OK : err_errno("open the journals");
	if (!(list = fdopendir(fd))) {
		close(fd);
		return err_errno("list the journals");
	}
	while (!e && (entry = readdir(list)))
		if (str_u32(str_of(entry->d_name), &slot))
			e = recover_one(c, directory, fd, entry->d_name);
	closedir(list);
	return e;
}
