/* After a crash: what was promised is in the files once more, what was not is gone, and damage costs itself alone. */
#include "storage/journal/replay.h"
#include "storage/journal/note.h"
#include "storage/journal/operation.h"
#include "storage/journal/scan.h"
#include "t/journal.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

/* Removes what the last test left below the store. */
static void fresh_store(void)
{
	if (journal)
		journal_crash();
	store_end();
	store_begin();
	ok(journal_begin(), "a new store");
}

static struct name name_of(uint64_t number)
{
	return (struct name){ 0xfeed, number };
}

static void test_everything(void)
{
	struct entry *e = entry_new();

	file_make("spool", "spooled");
	entry_write(e, &(struct file_ref){ STR("a/INBOX.mbox"), 1, 1 }, 0, STR("one "));
	entry_write_spool(e, &(struct file_ref){ STR("a/INBOX.mbox"), 1, 1 }, 4, STR("spool"), 7);
	entry_put(e, STR("a/settings"), STR("version = 1\n"));
	entry_make_directory(e, STR("a/empty"));
	append_applied(e);
	append_applied(entry_text("a/INBOX.mbox", 1, 11, " three"));
	e = entry_new();
	entry_put(e, STR("a/settings"), STR("version = 2\n"));
	append_applied(e);
	append_applied(entry_text("c/gone", 0, 0, "x"));
	e = entry_new();
	entry_remove(e, STR("c"));
	append_applied(e);
	journal_crash();
	unlinkat(worker.directory, "a/INBOX.mbox", 0); /* as a power cut would */
	file_make("a/settings", "");
	unlinkat(worker.directory, "a/empty", AT_REMOVEDIR);
	ok(journal_begin(), "a journal is opened after a crash");
	ok(file_is("a/INBOX.mbox", "one spooled three"), "writes are done again");
	ok(file_is("a/settings", "version = 2\n") && file_exists("a/empty"),
		"files and directories are as they were last");
	ok(!file_exists("c"), "what was removed is gone");
	ok(!file_exists("spool"), "a spool is unlinked when its bytes are durable");
	journal_crash();
	file_make("a/settings", "changed since");
	ok(journal_begin() && file_is("a/settings", "changed since"), "replayed is settled: it is not done once more");
}

/* Of a message of several pages a power cut left some; the others are holes. */
static void test_holes_in_message(void)
{
	static const char head[] = "From x\nX-UID: 5\nX-Postern: 1 2 3\n\n";
	static const char zeros[4096];
	char *text = mem_alloc(20001);
	bool right = true;

	memset(text, 'y', 20000);
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + 19998, "\n\n", 3);
	for (unsigned pages = 0; pages < 32; pages++) {
		int fd;

		append_applied(entry_text("a/holes.mbox", 9, 0, text));
		journal_crash();
		fd = openat(worker.directory, "a/holes.mbox", O_WRONLY | O_CLOEXEC);
		for (unsigned p = 0; p < 5; p++)
			if (pages & 1u << p && pwrite(fd, zeros, p < 4 ? 4096 : 20000 - 16384, p * 4096) < 0)
				abort();
		close(fd);
		right &= journal_begin() && file_is("a/holes.mbox", text);
		unlinkat(worker.directory, "a/holes.mbox", 0);
	}
	ok(right, "whichever pages of a message reached the disk, it is whole again");
	free(text);
}

static void test_checkpoint(void)
{
	append_applied(entry_text("before", 0, 0, "x"));
	settle();
	append_applied(entry_text("after", 0, 0, "y"));
	journal_crash();
	unlinkat(worker.directory, "before", 0);
	unlinkat(worker.directory, "after", 0);
	ok(journal_begin() && !file_exists("before") && file_is("after", "y"), "replay begins at the last checkpoint");
}

static void test_names(void)
{
	struct str answer;

	for (uint64_t n = 1; n <= 4; n++) {
		struct entry *e = entry_text("named", 0, n - 1, "x");
		int applied = applied_count;

		entry_name(e, name_of(n), n == 1 ? STR("uid 1") : STR(""));
		append(e);
		ok(!journal_name_known(journal, name_of(n), &answer),
			"a change is not known by its name before it is synced");
		turn_until(&applied_count, applied + 1);
		ok(journal_name_known(journal, name_of(n), &answer), "and is from then on");
		if (n == 2) {
			journal_name_forget(journal, name_of(2));
			settle(); /* a checkpoint carries 1, replay finds 3 and 4 */
		}
	}
	for (int life = 0; life < 3; life++) {
		journal_crash();
		journal_begin();
		ok(journal_name_known(journal, name_of(1), &answer) && str_eq(answer, STR("uid 1")) &&
				journal_name_known(journal, name_of(3), &answer) &&
				journal_name_known(journal, name_of(4), &answer),
			"names outlive checkpoint and crash, with their answers");
		ok(!journal_name_known(journal, name_of(2), &answer),
			"but not one that was forgotten before a checkpoint");
	}
	journal_names_of_life_forget(journal, 0xfeed);
	ok(!journal_name_known(journal, name_of(1), &answer), "with its sender a name is forgotten");
}

/* --- the end of the log, and holes in it ---------------------------------------------------------------------- */

static struct scan scan;

static size_t scan_now(void)
{
	struct base b;
	struct names *names = names_new(NAMES_BYTES_MAX);
	int dir = openat(worker.directory, "journal/0", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool damaged;

	scan_free(&scan);
	if (base_read(dir, &b, names, &damaged) || scan_read(&scan, dir, b.life, b.sequence))
		abort();
	names_free(names);
	close(dir);
	return scan.count;
}

/* Five batches of one entry each; `journal` is closed. */
static void five_batches(void)
{
	fresh_store();
	for (int i = 0; i < 5; i++) {
		char path[8] = "file0";

		path[4] = (char)('0' + i);
		append_applied(entry_text(path, 0, 0, "some bytes of an entry"));
	}
	journal_crash();
}

static void test_torn(void)
{
	static const char zeros[BATCH_ALIGN];
	struct scan_batch last;
	char bytes[BATCH_ALIGN];
	bool right = true;
	size_t size;
	int fd;

	five_batches();
	ok(scan_now() == 5, "a scan finds five batches");
	last = scan.batches[4];
	fd = fcntl(scan.files[last.file].fd, F_DUPFD_CLOEXEC, 0);
	size = BATCH_HEAD + last.head.length;
	if (pread(fd, bytes, size, (off_t)last.offset) != (ssize_t)size)
		abort();
	for (size_t kept = 0; kept < size; kept++) {
		bool whole = !memcmp(bytes + kept, zeros, size - kept);

		if (pwrite(fd, zeros, size - kept, (off_t)(last.offset + kept)) < 0)
			abort();
		right &= scan_now() == (whole ? 5 : 4) && scan.lost == 0;
		if (pwrite(fd, bytes, size, (off_t)last.offset) < 0)
			abort();
	}
	ok(right, "torn at any of its %zu bytes, the last batch is not there, and nothing else is lost", size);
	if (pwrite(fd, zeros, 1, (off_t)last.offset + (off_t)size - 1) < 0)
		abort();
	close(fd);
	unlinkat(worker.directory, "file3", 0);
	unlinkat(worker.directory, "file4", 0);
	ok(journal_begin() && file_exists("file3") && !file_exists("file4"), "replay does what comes before");
	ok(append_applied(entry_text("file5", 0, 0, "x")), "and the journal goes on");
	ok(scan_now() == 1, "in a new life, in which the old batches are nothing");
}

static void test_damage(void)
{
	struct scan_batch middle;
	char bytes[BATCH_ALIGN];
	bool right = true;
	size_t size;
	int fd;

	five_batches();
	scan_now();
	middle = scan.batches[2];
	fd = fcntl(scan.files[middle.file].fd, F_DUPFD_CLOEXEC, 0);
	size = BATCH_HEAD + middle.head.length;
	if (pread(fd, bytes, size, (off_t)middle.offset) != (ssize_t)size)
		abort();
	for (size_t at = 0; at < size; at++) {
		char damaged = (char)(bytes[at] ^ 0x10);

		if (pwrite(fd, &damaged, 1, (off_t)(middle.offset + at)) < 0)
			abort();
		right &= scan_now() == 4 && scan.lost == 1;
		if (pwrite(fd, bytes + at, 1, (off_t)(middle.offset + at)) < 0)
			abort();
	}
	ok(right, "damage to any of the %zu bytes of a batch costs that batch alone", size);
	if (pwrite(fd, "\xff", 1, (off_t)middle.offset) < 0)
		abort();
	close(fd);
	for (int i = 0; i < 5; i++) {
		char path[8] = "file0";

		path[4] = (char)('0' + i);
		unlinkat(worker.directory, path, 0);
	}
	ok(journal_begin() && file_exists("file1") && !file_exists("file2") && file_exists("file3") &&
			file_exists("file4"),
		"and replay does all the others");
}

/* Whether the journal's directory has a file whose name begins so. */
static bool journal_has(const char *begin)
{
	DIR *d = fdopendir(openat(worker.directory, "journal/0", O_RDONLY | O_DIRECTORY));
	const struct dirent *entry;
	bool has = false;

	while ((entry = readdir(d)))
		has |= !strncmp(entry->d_name, begin, strlen(begin));
	closedir(d);
	return has;
}

static void test_base(void)
{
	five_batches();
	unlinkat(worker.directory, "file4", 0);
	unlinkat(worker.directory, "journal/0/base", 0);
	ok(journal_begin() && file_exists("file4"), "a journal without its base is replayed by the copy of that");
	five_batches();
	unlinkat(worker.directory, "file4", 0);
	file_make("journal/0/base", "PSPB what is this");
	ok(journal_begin() && file_exists("file4"), "so is one whose base is damaged");
	five_batches();
	unlinkat(worker.directory, "file4", 0);
	file_make("journal/0/base", "PSPB what is this");
	file_make("journal/0/base.copy", "");
	ok(journal_begin() && !file_exists("file4") && journal_has("segment.00000001.damaged.") &&
			journal_has("base.damaged."),
		"one that has neither is set aside, as it is, and another begins");
	ok(file_exists("journal/skip"), "and what may have been given is not given again");
}

/* --- what must not be done again ------------------------------------------------------------------------------ */

static void test_settled(void)
{
	struct entry *e = entry_new();

	fresh_store();
	append_applied(entry_text("box.mbox", 9, 0, "generation 1"));
	append_applied(entry_text("box.state", 9, 0, "state 1"));
	append_applied(entry_text("other.mbox", 8, 0, "other"));
	file_make("box.mbox.2", "compact");
	entry_settled(e, 9);
	entry_rename(e, STR("box.mbox.2"), STR("box.mbox"));
	append_applied(e);
	append_applied(entry_text("box.mbox", 9, 7, " and more"));
	journal_crash();
	unlinkat(worker.directory, "other.mbox", 0);
	ok(journal_begin() && file_is("box.mbox", "compact and more"),
		"a new generation is not overwritten by what was written to the last");
	ok(file_is("box.state", "state 1") && file_is("other.mbox", "other"), "other mailboxes' writes are done again");
	append_applied(entry_text("box.state", 9, 7, " state 2"));
	e = entry_new();
	entry_settled(e, 9);
	append_applied(e);
	append_applied(entry_text("box.mbox", 9, 16, "."));
	journal_crash();
	file_make("box.state", "as somebody left it");
	ok(journal_begin() && file_is("box.state", "as somebody left it") && file_is("box.mbox", "compact and more."),
		"what was settled is not written again, what came after is");
}

/* Of the two names of a new generation a power cut may leave the second alone. */
static void test_half_renamed(void)
{
	struct entry *e = entry_new();
	struct stamp stamp;

	fresh_store();
	append_applied(entry_text("half.mbox", 9, 0, "From old\n\n"));
	file_make("half.mbox.2", "From new\n\n");
	file_make("half.state.2", "state 2\n");
	stamp_read(worker.directory, STR("half.mbox"), &stamp);
	entry_expect(e, STR("half.mbox"), &stamp);
	entry_settled(e, 9);
	entry_rename(e, STR("half.mbox.2"), STR("half.mbox"));
	entry_rename(e, STR("half.state.2"), STR("half.state"));
	append_applied(e);
	journal_crash();
	file_make("half.mbox.2", "From new\n\n");
	unlinkat(worker.directory, "half.mbox", 0);
	file_make("half.mbox", "From o"); /* what is left of it, with another time */
	ok(journal_begin() && file_is("half.mbox", "From new\n\n") && file_is("half.state", "state 2\n"),
		"a new generation whose state file took its place is finished");
}

static void test_moves(void)
{
	struct entry *e = entry_new();

	fresh_store();
	entry_put(e, STR("alice/settings"), STR("hers"));
	append_applied(e);
	append_applied(entry_text("alice/box/INBOX.mbox", 3, 0, "mail"));
	e = entry_new();
	entry_settled(e, 3);
	entry_rename(e, STR("alice"), STR("bob"));
	append_applied(e);
	e = entry_new();
	entry_put(e, STR("bob/settings"), STR("his"));
	append_applied(e);
	journal_crash();
	ok(journal_begin() && !file_exists("alice") && file_is("bob/settings", "his") &&
			file_is("bob/box/INBOX.mbox", "mail"),
		"what was moved stays where it is, all that was in it too");

	fresh_store();
	append_applied(entry_text("a", 1, 0, "a's"));
	append_applied(entry_text("b", 2, 0, "b's"));
	settle();
	e = entry_new();
	entry_remove(e, STR("b"));
	append_applied(e);
	e = entry_new();
	entry_settled(e, 1);
	entry_rename(e, STR("a"), STR("b"));
	append_applied(e);
	journal_crash();
	if (renameat(worker.directory, "b", worker.directory, "a") < 0) /* as a power cut would */
		abort();
	ok(journal_begin() && !file_exists("a") && file_is("b", "a's"), "a rename that was lost is done again");
}

static void append_remove(const char *path)
{
	struct entry *e = entry_new();

	entry_remove(e, str_of(path));
	append_applied(e);
}

/* A box that was removed and made again since the checkpoint; `settled`: and then written anew. */
static void removed_and_made(bool settled)
{
	struct entry *e;

	fresh_store();
	append_applied(entry_text("d/box", 1, 0, "old and long"));
	append_remove("d");
	append_applied(entry_text("d/box", 2, 0, "new"));
	append_applied(entry_text("d/box", 2, 3, "er"));
	if (settled) {
		file_make("d/box.2", "compact");
		e = entry_new();
		entry_settled(e, 2);
		entry_rename(e, STR("d/box.2"), STR("d/box"));
		append_applied(e);
		append_applied(entry_text("d/box", 2, 7, "!"));
	}
	journal_crash();
}

static void test_removed(void)
{
	struct entry *e;

	removed_and_made(false);
	ok(journal_begin() && file_is("d/box", "newer"), "what was removed and made again is made again");
	removed_and_made(true);
	ok(journal_begin() && file_is("d/box", "compact!"), "if it was settled since, it stays");
	removed_and_made(false);
	tree_remove_below("d");
	ok(journal_begin() && file_is("d/box", "newer"), "also if nothing of it was on the disk");
	removed_and_made(false);
	file_make("d/box", "old and long");
	ok(journal_begin() && file_is("d/box", "newer"), "or if the old one still was");

	fresh_store();
	append_applied(entry_text("d/box", 1, 0, "old and long"));
	append_remove("d");
	append_applied(entry_text("d/box", 2, 0, "new"));
	e = entry_new();
	entry_settled(e, 2);
	append_applied(e);
	append_remove("unrelated");
	journal_crash();
	ok(journal_begin() && file_is("d/box", "new"), "settled without a new file it stays too");
}

static void test_cut(void)
{
	fresh_store();
	append_applied(entry_text("box", 4, 0, "synced "));
	settle();
	append_applied(entry_text("box", 4, 7, "promised"));
	append_applied(entry_text("long", 5, 0, "x"));
	journal_crash();
	file_make("box", "synced promXXXX, and what a crash left behind");
	ok(journal_begin() && file_is("box", "synced promised"),
		"a file ends where the journal's last write to it ended");
}

/* --- entries that cannot be ------------------------------------------------------------------------------------ */

static int replay_in_child(void)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		struct rlimit small = { 1 << 16, 1 << 16 }, none = { 0, 0 };
		struct names *names = names_new(NAMES_BYTES_MAX);
		struct base b;

		setrlimit(RLIMIT_CORE, &none);
		setrlimit(RLIMIT_FSIZE, &small); /* a write beyond it kills */
		signal(SIGXFSZ, SIG_DFL);
		_exit(replay(
			worker.directory, openat(worker.directory, "journal/0", O_RDONLY | O_DIRECTORY), &b, names));
	}
	waitpid(pid, &status, 0);
	return status;
}

static void test_killer(void)
{
	static char long_text[(1 << 17) + 1];
	struct entry *killer = entry_new();
	int status;

	memset(long_text, 'x', sizeof(long_text) - 1);
	fresh_store();
	append_applied(entry_text("first", 0, 0, "x"));
	file_make("long", long_text);
	entry_write_spool(killer, &(struct file_ref){ STR("killer"), 0, 0 }, 0, STR("long"), sizeof(long_text) - 1);
	append_applied(killer);
	append_applied(entry_text("last", 0, 0, "x"));
	journal_crash();
	unlinkat(worker.directory, "killer", 0);
	unlinkat(worker.directory, "last", 0);
	for (int i = 1; i <= NOTE_DEATHS; i++) {
		status = replay_in_child();
		ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ, "replay %d dies of an entry", i);
	}
	status = replay_in_child();
	ok(WIFEXITED(status) && WEXITSTATUS(status) == OK, "the third sets it aside");
	ok(file_exists("last") && file_exists("journal/0/aside.1"), "saves it, and does all others");
	ok(journal_begin() && !file_exists("journal/0/replaying"), "after that nothing is left to do");
}

static void test_void(void)
{
	struct scan_batch first;
	int bad = open("/dev/null", O_RDONLY | O_CLOEXEC), fd = -1, failed = synced_failed;
	struct stat st, is;
	char bytes[BATCH_ALIGN];

	fresh_store();
	append_applied(entry_text("good", 0, 0, "x"));
	scan_now();
	first = scan.batches[0];
	fstat(scan.files[first.file].fd, &st);
	for (int i = 3; i < 256; i++)
		if (fstat(i, &is) == 0 && is.st_ino == st.st_ino && i != scan.files[first.file].fd)
			fd = i;
	if (dup2(bad, fd) < 0)
		abort();
	append(entry_text("failed", 0, 0, "x"));
	ok(turn_until(&synced_failed, failed + 1), "a write fails");
	append_applied(entry_text("good", 0, 1, "y"));
	/* It reached the disk all the same: the batch is there, whole. */
	{
		struct batch_head h = first.head;
		struct entry *e = entry_text("failed", 0, 0, "x");
		struct buf b = { 0 };

		h.sequence = h.synced = first.head.sequence + 1;
		batch_begin(&b);
		batch_add(&b, buf_str(&e->operations));
		batch_seal(&b, &h, 1);
		memcpy(bytes, buf_data(&b), BATCH_ALIGN);
		buf_free(&b);
		entry_free(e);
	}
	if (pwrite(scan.files[first.file].fd, bytes, BATCH_ALIGN, (off_t)first.offset + BATCH_ALIGN) != BATCH_ALIGN)
		abort();
	journal_crash();
	close(bad);
	ok(journal_begin() && file_is("good", "xy") && !file_exists("failed"),
		"what was told to have failed is never done");
}

/* --- by the configuration -------------------------------------------------------------------------------------- */

static void test_recover(void)
{
	static const struct settings *const tables[] = { &journal_settings, NULL };
	struct conf *conf = conf_new(tables);
	struct buf why = { 0 };

	fresh_store();
	append_applied(entry_text("of0", 0, 0, "x"));
	journal_crash();
	worker.slot = 12;
	journal_begin();
	append_applied(entry_text("of12", 0, 0, "x"));
	journal_crash();
	worker.slot = 0;
	unlinkat(worker.directory, "of0", 0);
	unlinkat(worker.directory, "of12", 0);
	ok(conf_set(conf, "journal", NULL, "segment", "1M", &why) &&
			conf_set(conf, "journal", NULL, "size", "4M", &why) && conf_check(conf, &why),
		"the journal has settings");
	ok(journal_recover(conf, worker.directory) == OK && file_exists("of0") && file_exists("of12"),
		"the journals of all workers are recovered");
	unlinkat(worker.directory, "of0", 0);
	worker.conf = conf;
	ok(journal_open(&journal, &worker) == OK && !file_exists("of0"), "and empty then");
	ok(append_applied(entry_text("of0", 0, 0, "x")), "a worker opens its own");
	ok(conf_set(conf, "journal", NULL, "segment", "4M", &why) && !conf_check(conf, &why) && buf_len(&why),
		"a journal of one segment is refused");
	journal_crash();
	store_end();
	store_begin();
	ok(journal_recover(conf, worker.directory) == OK, "a store without journals is fine");
	buf_free(&why);
	conf_unref(conf);
}

int main(void)
{
	log_quietly();
	worker_begin();
	store_begin();
	ok(journal_begin(), "a journal is made");
	test_everything();
	test_holes_in_message();
	test_checkpoint();
	test_names();
	test_torn();
	test_damage();
	test_base();
	test_settled();
	test_half_renamed();
	test_moves();
	test_removed();
	test_cut();
	test_killer();
	test_void();
	test_recover();
	scan_free(&scan);
	store_end();
	worker_end();
	return done();
}
