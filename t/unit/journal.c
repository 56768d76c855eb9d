/* The journal while it runs: entries are synced together, applied in order, make room for the next, and fail
 * cleanly when the disk does. */
#include "t/journal.h"
#include "core/counter.h"
#include "storage/journal/segment.h"
#include <dirent.h>

static bool starts(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* Puts `with` in the place of each descriptor of ours whose file's path below the store starts so; "": of the store. */
static int replace_descriptors(const char *prefix, int with, const int *except)
{
	int count = 0;

	for (int fd = 3; fd < 256; fd++) {
		char link[64], path[256] = "";
		size_t store = strlen(store_path);

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (fd == with || fd == *except || readlink(link, path, sizeof(path) - 1) < 0 ||
			!starts(path, store_path))
			continue;
		if (*prefix ? path[store] == '/' && starts(path + store + 1, prefix) : !path[store])
			count += dup2(with, fd) == fd;
	}
	return count;
}

static int files_named(const char *directory, const char *prefix)
{
	int fd = openat(worker.directory, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0;
	DIR *list = fdopendir(fd);

	for (const struct dirent *d = readdir(list); d; d = readdir(list))
		count += starts(d->d_name, prefix);
	closedir(list);
	return count;
}

static void test_one(void)
{
	struct entry *e = entry_text("domains/a.test/bob/INBOX.mbox", 7, 0, "From x\n");

	synced_ok = applied_count = 0;
	append(e);
	ok(synced_ok == 0, "nobody is told from inside journal_append");
	ok(turn_until(&synced_ok, 1), "an entry is synced");
	ok(turn_until(&applied_count, 1), "and then applied");
	ok(file_is("domains/a.test/bob/INBOX.mbox", "From x\n"), "its bytes are in the file, its directories made");
}

static int order[1000], orders;

static void note_order(void *user, enum err e)
{
	order[orders++] = e ? -1 : (int)(intptr_t)user;
}

static void test_group(void)
{
	uint64_t before = journal->next;
	unsigned batches = 0;
	char text[2] = "a";
	bool in_order = true;

	orders = 0;
	for (int i = 0; i < 500; i++) {
		text[0] = (char)('a' + i % 26);
		journal_append(journal, entry_text("group", 0, (uint64_t)i, text), ENTRY_MAIL, note_order, NULL,
			(void *)(intptr_t)i);
	}
	for (uint64_t synced = journal->synced; orders < 500; synced = journal->synced) {
		turn();
		batches += journal->synced != synced;
	}
	for (int i = 0; i < 500; i++)
		in_order &= order[i] == i;
	ok(in_order, "500 entries are synced in their order");
	ok(batches <= 10, "what came while one batch was being synced is the next: %u batches", batches);
	ok(journal->next >= before + 500, "sequences count entries");
}

static void test_idle(void)
{
	uint64_t next;

	settle();
	next = journal->next;
	for (int i = 0; i < 20; i++) {
		timers_shift(worker.timers, 60000);
		turn();
	}
	ok(journal->next == next, "an idle journal writes nothing, however long");
	append_applied(entry_text("idle", 0, 0, "x"));
	timers_shift(worker.timers, QUIET_MS + TICK_MS);
	for (int i = 0; i < 100 && journal->checkpoint < journal->last_asked; i++)
		turn();
	ok(journal->checkpoint >= journal->last_asked, "when nothing came for a while, a checkpoint is made");
}

static void test_too_big(void)
{
	struct entry *e = entry_new();
	char *bytes = mem_alloc(1 << 20);

	synced_failed = 0;
	entry_put(e, STR("big"), (struct str){ bytes, 1 << 20 });
	append(e);
	ok(synced_failed == 0 && turn_until(&synced_failed, 1) && synced_last == ERR_TOO_BIG && !file_exists("big"),
		"an entry longer than a segment is refused, in a later turn");
	e = entry_new();
	entry_put(e, STR("big"), (struct str){ bytes, 700 << 10 });
	ok(append_applied(e) && file_exists("big"), "one that just fits is taken");
	free(bytes);
}

/* What is applied waits for the file "wall" to go away. */
static void wall_make(void)
{
	unlinkat(worker.directory, "wall/mbox", 0);
	unlinkat(worker.directory, "wall", AT_REMOVEDIR);
	file_make("wall", "");
}

static void wall_up(void)
{
	wall_make();
	append(entry_text("wall/mbox", 0, 0, "x"));
}

static void wall_down(void)
{
	unlinkat(worker.directory, "wall", 0);
	timers_shift(worker.timers, AGAIN_MS);
}

static void test_apply_fails(void)
{
	int applied = applied_count, synced = synced_ok;

	wall_up();
	append(entry_text("behind", 0, 0, "y"));
	ok(turn_until(&synced_ok, synced + 2), "what cannot be applied is synced all the same");
	for (int i = 0; i < 5; i++) {
		timers_shift(worker.timers, AGAIN_MS);
		turn();
		turn();
	}
	ok(applied_count == applied && !file_exists("behind"), "it is tried again, and what follows waits behind it");
	wall_down();
	ok(turn_until(&applied_count, applied + 2) && file_is("wall/mbox", "x") && file_is("behind", "y"),
		"when it succeeds, all follow in order");
}

static void ask_checkpoint(void *user, enum err e)
{
	int *told = user;

	*told += e == OK;
	journal_checkpoint(journal);
}

/* Whoever hears that his entry is synced may be the one who makes a checkpoint due. */
static void test_asked_when_told(void)
{
	int applied, told = 0;
	uint64_t first;

	settle();
	append_applied(entry_text("before", 0, 0, "x"));
	applied = applied_count;
	first = journal->next;
	wall_make();
	for (int i = 0; i < 3; i++)
		journal_append(journal, entry_text(i ? "behind" : "wall/mbox", 1, 0, "x"), ENTRY_MAIL, ask_checkpoint,
			NULL, &told);
	append(entry_text("last", 0, 0, "x"));
	ok(turn_until(&told, 3), "a checkpoint is asked for as entries are synced");
	for (int i = 0; i < 20; i++)
		turn();
	ok(journal->checkpoint <= first, "it passes none of them that is not applied");
	wall_down();
	ok(turn_until(&applied_count, applied + 1) && settle() && journal->checkpoint > first, "but all when they are");
}

static void test_full(void)
{
	char *bytes = mem_alloc((100 << 10) + 1);
	int taken = 0, before;

	memset(bytes, 'z', 100 << 10);
	settle();
	before = applied_count;
	wall_up();
	while (journal_room(journal, ENTRY_MAIL, 100 << 10) == OK && taken < 100) {
		int synced = synced_ok;

		append(entry_text("full", 0, (uint64_t)taken++ * (100 << 10), bytes));
		turn_until(&synced_ok, synced + 1);
	}
	ok(taken > 25 && taken < 39, "mail is taken while the journal is not full to 95 %%: %d of 100 KiB in 4 MiB",
		taken);
	synced_failed = 0;
	append(entry_text("full", 0, 0, bytes));
	ok(turn_until(&synced_failed, 1) && synced_last == ERR_AGAIN, "and then refused for now");
	ok(journal_room(journal, ENTRY_SMALL, 1000) == OK, "small entries still have room");
	before += 1 + taken;
	ok(applied_count < before, "nothing can go while the first cannot be applied");
	wall_down();
	ok(turn_until(&applied_count, before) && settle() && journal_room(journal, ENTRY_MAIL, 100 << 10) == OK,
		"when it can, a checkpoint makes room again");
	free(bytes);
}

static void test_disk_full(void)
{
	uint64_t free = journal->space.free;

	journal->conf.reserve = (int64_t)(free / 2);
	journal->space.free = free / 2 + 1000;
	ok(journal_room(journal, ENTRY_MAIL, 400) == OK,
		"mail is taken while twice its size is free beyond the reserve");
	ok(journal_room(journal, ENTRY_MAIL, 600) == ERR_AGAIN, "and not when it is not");
	ok(journal_room(journal, ENTRY_SMALL, 600) == OK, "which does not concern small entries");
	journal->conf.reserve = 0;
	timers_shift(worker.timers, TICK_MS);
	for (int i = 0; i < 10 && journal->space.free < free / 4 * 3; i++)
		turn();
	ok(journal->space.free > free / 4 * 3, "the disk is asked again each second");
}

static void test_reuse(void)
{
	char *bytes = mem_alloc((64 << 10) + 1);
	bool all = true;

	memset(bytes, 'r', 64 << 10);
	for (int i = 0; i < 1000; i++) /* 64 MiB through 4 */
		all &= append_applied(entry_text("reuse", 0, (uint64_t)(i % 10) * (64 << 10), bytes));
	ok(all, "segments are used again and again");
	ok(files_named("journal/0", "segment.") <= 4, "and there are no more of them than were permitted");
	free(bytes);
}

static void test_moved(void)
{
	struct entry *e = entry_new();
	uint64_t first;

	append_applied(entry_text("old/box", 0, 0, "first"));
	settle();
	first = journal->checkpoint;
	entry_rename(e, STR("old"), STR("new"));
	append_applied(e);
	ok(file_is("new/box", "first") && !file_exists("old"), "a directory is renamed");
	ok(append_applied(entry_text("other", 0, 0, "x")) && journal->checkpoint == first,
		"that alone needs no checkpoint");
	ok(append_applied(entry_text("old/box", 0, 0, "second")) && journal->checkpoint > first,
		"a path that was moved away is made again after a checkpoint only");
	ok(file_is("new/box", "first") && file_is("old/box", "second"), "and both are there");
	first = journal->checkpoint;
	e = entry_new();
	entry_rename(e, STR("new/box"), STR("new/2"));
	append_applied(e);
	ok(append_applied(entry_text("new/box2", 0, 0, "x")) && journal->checkpoint == first,
		"what lies beside is no such path");
	e = entry_new();
	entry_make_directory(e, STR("new/box/below"));
	ok(append_applied(e) && journal->checkpoint > first, "what lies below is");
	first = journal->checkpoint;
	e = entry_new();
	entry_remove(e, STR("new/2"));
	append_applied(e);
	ok(append_applied(entry_text("new/2", 0, 0, "x")) && journal->checkpoint == first,
		"what was removed may be made again at once");
	ok(files_named("deleted", "1") == 1, "what was removed is in deleted/");
}

static void test_spool(void)
{
	struct entry *e = entry_new();

	mkdirat(worker.directory, "spool", 0700);
	file_make("spool/1", "spooled bytes");
	entry_write_spool(e, &(struct file_ref){ STR("spooled"), 0, 0 }, 0, STR("spool/1"), 13);
	append_applied(e);
	ok(file_is("spooled", "spooled bytes") && file_exists("spool/1"), "a spool is copied");
	settle();
	for (int i = 0; i < 50 && file_exists("spool/1"); i++)
		turn();
	ok(!file_exists("spool/1"), "and unlinked after a checkpoint");
	e = entry_new();
	file_make("spool/2", "too short");
	entry_write_spool(e, &(struct file_ref){ STR("spooled"), 0, 0 }, 0, STR("spool/2"), 13);
	ok(append_applied(e) && files_named("journal/0", "aside.") == 1,
		"an entry whose spool is too short is set aside");
	append_applied(entry_text("behind", 0, 0, "y"));
	settle();
	ok(file_exists("spool/2"), "with what there is of it");
}

static void test_write_fails(void)
{
	int bad = open("/dev/null", O_RDONLY | O_CLOEXEC), none = -1, failed = synced_failed, synced = synced_ok;

	settle();
	ok(replace_descriptors("journal/0/segment.", bad, &none) > 0, "the disk takes no more writes to any segment");
	append(entry_text("failing", 0, 0, "one"));
	append(entry_text("failing", 0, 3, "two"));
	ok(turn_until(&synced_failed, failed + 2) && synced_last == ERR_AGAIN && synced_ok == synced,
		"those written and those waiting are told that they are not durable");
	for (int i = 0; i < 50 && synced_ok == synced; i++) {
		append(entry_text("failing", 0, 0, "new"));
		turn();
	}
	ok(synced_ok > synced && turn_until(&applied_count, 1), "in new segments the journal goes on");
	settle();
	ok(file_is("failing", "new"), "and nothing of what failed is in the files");
	close(bad);
}

/* Files in the way of the next segments. */
static void obstruct(unsigned last, bool there)
{
	char name[64];

	for (unsigned i = last + 1; i < last + 100; i++) {
		snprintf(name, sizeof(name), "journal/0/segment.%08u", i);
		if (there)
			file_make(name, "");
		else
			unlinkat(worker.directory, name, 0);
	}
}

static void test_stuck(void)
{
	int bad = open("/dev/null", O_RDONLY | O_CLOEXEC), none = -1, failed = synced_failed, synced = synced_ok;
	struct segment_file *segments;
	size_t count;
	unsigned last;

	segments_open(journal->dir, &segments, &count);
	last = segments[count - 1].number;
	segments_close(segments, count);
	obstruct(last, true);
	replace_descriptors("journal/0/segment.", bad, &none);
	append(entry_text("stuck", 0, 0, "x"));
	ok(turn_until(&synced_failed, failed + 1) && synced_ok == synced, "no write succeeds");
	for (int i = 0; i < 50 && !track_stuck(journal->track); i++)
		turn();
	ok(journal_room(journal, ENTRY_SMALL, 10) == ERR_AGAIN, "nothing is taken while no segment can be made");
	append(entry_text("stuck", 0, 0, "x"));
	ok(turn_until(&synced_failed, failed + 2), "and who asks all the same is told so");
	obstruct(last, false);
	timers_shift(worker.timers, TICK_MS);
	for (int i = 0; i < 1000 && journal_room(journal, ENTRY_SMALL, 10); i++)
		turn();
	ok(append_applied(entry_text("stuck", 0, 0, "y")) && file_is("stuck", "y"),
		"when one can, the journal goes on");
	close(bad);
}

static uint64_t counted(const char *name)
{
	for (size_t i = 0; i < counter_count(); i++)
		if (!strcmp(counter_at(i)->name, name))
			return shm_counters(worker.shm, 0)[i];
	return 0;
}

static void test_looked_at(void)
{
	const struct slot *slot = shm_slot(worker.shm, 0);
	uint64_t checkpoints = counted("journal.checkpoints"), entries = counted("journal.entries");

	append_applied(entry_text("looked-at", 0, 0, "x"));
	ok(slot->journal_size == 4 << 20 && slot->journal_used > 0 && slot->journal_used < slot->journal_size,
		"the slot tells how much of the journal is used");
	settle();
	ok(slot->checkpoint_seq == journal->checkpoint && slot->checkpoint_ms > 0, "and when the last checkpoint was");
	ok(counted("journal.entries") > entries && counted("journal.checkpoints") > checkpoints &&
			counted("journal.batches") > 0 &&
			counted("journal.bytes") >= BATCH_ALIGN * counted("journal.batches"),
		"counters count");
}

static void test_batch_limit(void)
{
	char *bytes = mem_alloc((1 << 20) + 1);
	uint64_t largest = 0, synced;
	int before = synced_ok;

	journal_free(journal);
	journal_conf_used.segment = 10 << 20;
	journal_conf_used.size = 20 << 20;
	ok(journal_begin() && journal->track && track_size(journal->track) == 20 << 20,
		"segments of another size replace the old");
	memset(bytes, 'b', 1 << 20);
	for (int i = 0; i < 12; i++)
		append(entry_text("batch", 0, 0, bytes));
	for (synced = journal->synced; synced_ok < before + 12; synced = journal->synced) {
		turn();
		if (journal->synced - synced > largest)
			largest = journal->synced - synced;
	}
	ok(largest > 1 && largest < 8, "a batch is 8 MiB at most: %d entries of 1 MiB", (int)largest);
	free(bytes);
}

static void test_sync_fails(void)
{
	int bad = open(store_path, O_PATH | O_CLOEXEC);
	struct entry *e = entry_new();
	uint64_t before;

	append_applied(entry_text("gone/box", 1, 0, "old"));
	entry_remove(e, STR("gone"));
	append_applied(e);
	append_applied(entry_text("gone/box", 2, 0, "n"));
	file_make("gone/box.2", "being made");
	append_applied(entry_text("unsynced", 0, 0, "precious"));
	before = journal->checkpoint;
	file_make("unsynced", ""); /* as if the kernel had lost what it could not write */
	ok(replace_descriptors("", bad, &worker.directory) > 0, "the file system cannot be synced");
	journal_checkpoint(journal);
	for (int i = 0; i < 20; i++)
		turn();
	ok(journal->checkpoint == before, "a failed sync is no checkpoint");
	close(bad);
	bad = open(store_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	replace_descriptors("", bad, &worker.directory);
	timers_shift(worker.timers, AGAIN_MS);
	ok(settle() && journal->checkpoint > before, "it is tried again");
	ok(file_is("unsynced", "precious"), "after everything since the last one was written once more");
	ok(file_is("gone/box", "n") && file_is("gone/box.2", "being made"), "but nothing was moved once more");
	close(bad);
}

int main(void)
{
	log_quietly();
	worker_begin();
	worker.shm = shm_new(1, counter_count());
	counter_use(shm_counters(worker.shm, 0));
	store_begin();
	ok(journal_begin(), "a journal is made");
	test_one();
	test_group();
	test_idle();
	test_too_big();
	test_apply_fails();
	test_asked_when_told();
	test_full();
	test_disk_full();
	test_reuse();
	test_moved();
	test_spool();
	test_write_fails();
	test_stuck();
	test_sync_fails();
	test_looked_at();
	test_batch_limit();
	ok(settle(), "it settles");
	journal_free(journal);
	store_end();
	worker_end();
	return done();
}
