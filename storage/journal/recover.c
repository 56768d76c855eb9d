/* recover.c - the journal's settings, and opening it by them; all journals of a store, before any worker runs. */
#include "core/listing.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/backup/backup.h"
#include "storage/journal/copied.h"
#include "storage/journal/journal_parts.h"
#include "storage/journal/replay.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
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
	{ "durability", SETTING_CHOICE, "full", NULL, "full|relaxed", offsetof(struct journal_conf, durability),
		"full: what is acknowledged survives a power cut. relaxed: mail, flags and deletions are acknowledged "
		"before they are on the disk: a power cut may cost those of the last second, a killed process none.",
		0 },
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

static enum err recover_one(const struct journal_conf *c, int store, int journals, const char *name, bool copy)
{
	int dir = openat(journals, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct names *names;
	struct base base;
	enum err e;

	if (dir < 0)
		return err_errno("open journal/%s", name);
	names = names_new(names_room((uint64_t)c->segment));
	e = copy ? replay_copy(store, dir, &base, names) : replay(store, dir, &base, names);
	if (e)
		log_error("journal", NULL, "a journal cannot be recovered slot=%s", name);
	names_free(names);
	close(dir);
	return e;
}

static DIR *journals_open(int directory, enum err *e)
{
	DIR *list = listing_open(directory, "journal", 0);

	*e = list || errno == ENOENT ? OK : err_errno("open the journals");
	return list;
}

/* What the index was told while it was copied may be of any moment. It is made anew from the files. */
static enum err copy_begin(int directory)
{
	char to[64];
	enum err e = skip_ask(directory);

	if (e)
		return e;
	log_warn("store", NULL, "this store is a copy, or its journal is missing: every mailbox skips %d UIDs",
		UIDS_SKIPPED);
	snprintf(to, sizeof(to), "deleted/index-%lld", (long long)time(NULL));
	if ((mkdirat(directory, "deleted", 0700) < 0 && errno != EEXIST) ||
		(renameat(directory, "index", directory, to) < 0 && errno != ENOENT))
		return err_errno("set the index aside");
	return OK;
}

enum err journal_recover(const struct conf *conf, int directory)
{
	const struct journal_conf *c = conf_section(conf, &journal_settings);
	enum err e = backup_settle(directory);
	DIR *list = e ? NULL : journals_open(directory, &e);
	unsigned count = list ? journals_count(list) : 0;
	enum place_is place = PLACE_OURS;
	struct dirent *entry;
	uint32_t slot;

	if (!e)
		e = place_look(directory, count, &place);
	if (!e && !count && store_has_mailboxes(directory))
		place = PLACE_OTHER;
	if (!e && place == PLACE_OTHER)
		e = copy_begin(directory);
	while (!e && list && (entry = readdir(list)))
		if (str_u32(str_of(entry->d_name), &slot))
			e = recover_one(c, directory, dirfd(list), entry->d_name, place == PLACE_OTHER);
	if (!e && place != PLACE_OURS)
		e = place_note(directory, count);
	if (list)
		closedir(list);
	return e;
}
