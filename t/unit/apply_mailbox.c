/* apply_mailbox.c - entries go into files of mailboxes to which other programs write, too. */
#include "storage/journal/apply.h"
#include "storage/journal/operation.h"
#include "t/journal.h"
#include <sys/wait.h>
#include <time.h>

#define BOX   "domains/a.test/alice/INBOX.mbox"
#define STATE "domains/a.test/alice/INBOX.state"
#define FIRST "From a Mon Nov 23 05:40:43 2026\nX-UID: 1\nX-Postern: clock=10\nSubject: 1\n\none\n\n"
#define NEXT  "From a Mon Nov 23 05:40:44 2026\nX-UID: 2\nX-Postern: clock=11\nSubject: 2\n\ntwo\n\n"
#define OTHER "From b Mon Nov 23 05:40:45 2026\nSubject: other\n\nother\n"

static struct files *files;

static void other_writes(const char *path, const char *text, int flags)
{
	int fd = openat(worker.directory, path, O_WRONLY | flags);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

static struct buf write_of(const char *path, uint64_t offset, const char *text)
{
	struct buf b = { 0 };

	operation_pack(
		&b, &(struct operation){
			    .kind = OP_WRITE, .path = str_of(path), .id = 7, .offset = offset, .bytes = str_of(text) });
	return b;
}

/* False: another program has it locked. */
static bool put(const char *path, uint64_t offset, const char *text, bool again)
{
	struct buf b = write_of(path, offset, text);
	bool free = files_claim(files, buf_str(&b), again);

	if (free && apply_operations(files, buf_str(&b)))
		abort();
	buf_free(&b);
	return free;
}

static bool changed(void)
{
	struct buf ids = { 0 };
	bool any;

	files_take_changed(files, &ids);
	any = buf_len(&ids) == sizeof(uint64_t);
	buf_free(&ids);
	return any;
}

static void fresh(void)
{
	files_free(files);
	store_end();
	store_begin();
	files = files_new(worker.directory);
	files_lock_mailboxes(files, true, true);
	put(BOX, 0, FIRST, false);
}

static void test_grown(void)
{
	fresh();
	ok(file_is(BOX, FIRST) && !changed(), "where nobody else writes an entry goes to its place");
	put(BOX, strlen(FIRST), NEXT, false);
	ok(file_is(BOX, FIRST NEXT) && !changed(), "and the next behind it");

	fresh();
	other_writes(BOX, OTHER, O_APPEND);
	put(BOX, strlen(FIRST), NEXT, false);
	ok(file_is(BOX, FIRST OTHER "\n" NEXT),
		"what another program appended stays, and is given the empty line it lacks");
	ok(changed(), "the mailbox's owner is told");
	put(BOX, strlen(FIRST), NEXT, true);
	ok(file_is(BOX, FIRST OTHER "\n" NEXT), "an entry that found another place is not written twice");

	fresh();
	other_writes(BOX, "", O_TRUNC);
	put(BOX, strlen(FIRST), NEXT, false);
	ok(file_is(BOX, NEXT) && changed(), "behind the end of a file that was cut there is no hole");

	fresh();
	unlinkat(worker.directory, BOX, 0);
	put(BOX, strlen(FIRST), NEXT, false);
	ok(file_is(BOX, NEXT) && changed(), "a file that was removed is made anew");
}

static void test_again(void)
{
	fresh();
	other_writes(BOX, "From a Mon Nov 23 05:40:44 2026\nX-UI", O_APPEND);
	put(BOX, strlen(FIRST), NEXT, true);
	ok(file_is(BOX, FIRST NEXT), "a torn write of ours is made whole");

	fresh();
	put(BOX, strlen(FIRST), NEXT, false);
	other_writes(BOX,
		"From a Mon Nov 23 05:40:44 2026\nX-UID: 2\nX-Postern: clock=11\nSubject: 2\nStatus: RO\n\ntwo\n\n",
		O_TRUNC);
	put(BOX, strlen(FIRST), NEXT, true);
	ok(file_is(BOX,
		   "From a Mon Nov 23 05:40:44 2026\nX-UID: 2\nX-Postern: clock=11\nSubject: 2\nStatus: RO\n\ntwo\n\n"),
		"a message that another program wrote anew is known by its UID and clock");

	fresh();
	put(STATE, 0, "postern-state 1 id=7\n", false);
	put(STATE, 21, "flags 1 S - 12\n", false);
	other_writes(STATE, "postern-state 1 id=7\nflags 1 A - 11\nflags 1 S - 12\n", O_TRUNC);
	put(STATE, 21, "flags 1 S - 12\n", true);
	ok(file_is(STATE, "postern-state 1 id=7\nflags 1 A - 11\nflags 1 S - 12\n"),
		"nor is a line of state written twice");
}

static void test_locks(void)
{
	int to[2], from[2];
	char byte = 0;
	pid_t pid;

	fresh();
	if (pipe(to) || pipe(from))
		abort();
	pid = fork();
	if (!pid) { /* another program, with the lock that such programs take */
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		int fd = openat(worker.directory, BOX, O_RDWR);

		if (fcntl(fd, F_SETLK, &lock) < 0 || write(from[1], "x", 1) != 1 || read(to[0], &byte, 1) != 1)
			_exit(1);
		_exit(0);
	}
	if (read(from[0], &byte, 1) != 1)
		abort();
	ok(!put(BOX, strlen(FIRST), NEXT, false) && file_is(BOX, FIRST),
		"a mailbox that another program has locked is left alone");
	ok(put(STATE, 0, "postern-state 1 id=7\n", false), "its state file is ours");
	if (write(to[1], "x", 1) != 1)
		abort();
	waitpid(pid, NULL, 0);
	ok(put(BOX, strlen(FIRST), NEXT, false) && file_is(BOX, FIRST NEXT), "until the lock is given up");
	for (int i = 0; i < 2; i++) {
		close(to[i]);
		close(from[i]);
	}
}

#define LOCK BOX ".lock"

static void make_lock(const char *text, mode_t mode, time_t age_s)
{
	int fd = openat(worker.directory, LOCK, O_WRONLY | O_CREAT | O_EXCL, mode);
	struct timespec times[2] = { { .tv_sec = time(NULL) - age_s }, { .tv_sec = time(NULL) - age_s } };

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || futimens(fd, times))
		abort();
	close(fd);
}

/* Nothing is written; afterwards the lock is taken away. */
static bool holds(const char *text, mode_t mode, time_t age_s)
{
	bool held;

	make_lock(text, mode, age_s);
	held = !put(BOX, strlen(FIRST), NEXT, false) && file_is(BOX, FIRST) && file_exists(LOCK);
	unlinkat(worker.directory, LOCK, 0);
	return held;
}

/* The lock is taken away, at once or when it is met the second time, and what was to be written is. */
static bool passes(const char *text, mode_t mode, time_t age_s)
{
	fresh();
	make_lock(text, mode, age_s);
	return (put(BOX, strlen(FIRST), NEXT, false) || put(BOX, strlen(FIRST), NEXT, false)) &&
	       file_is(BOX, FIRST NEXT) && !file_exists(LOCK);
}

static void test_dot_locks(void)
{
	struct buf b = write_of(BOX, strlen(FIRST), NEXT);
	pid_t gone = fork();
	char pid[20];

	if (!gone)
		_exit(0);
	waitpid(gone, NULL, 0);
	fresh();
	ok(holds("", 0600, 0) && holds("0", 0444, 200) && holds("4000000\n", 0644, 200),
		"a mailbox with a lock file of another program is left alone");
	snprintf(pid, sizeof(pid), "%d\n", (int)getppid());
	ok(holds(pid, 0644, 4000), "for as long as the process lives that it tells");
	ok(passes("", 0600, 400) && passes("4194305\n", 0644, 400), "a stale one goes away");
	snprintf(pid, sizeof(pid), "%d\n", (int)gone);
	ok(passes(pid, 01444, 0) && passes("", 01444, 0), "one of ours that a crash left goes away at once");
	snprintf(pid, sizeof(pid), "%d\n", (int)getppid());
	ok(passes(pid, 01444, 0), "even if its pid is another process's now");

	fresh();
	ok(files_claim(files, buf_str(&b), false) && file_exists(LOCK), "there is a lock file while we write");
	files_release(files);
	ok(!file_exists(LOCK), "and none afterwards");
	files_lock_mailboxes(files, true, false);
	ok(files_claim(files, buf_str(&b), false) && !file_exists(LOCK), "nor any without the setting");
	make_lock("", 0600, 0);
	files_release(files);
	ok(files_disturbed(files), "then it is noticed that another program's came while we wrote");
	unlinkat(worker.directory, LOCK, 0);
	ok(holds("", 0600, 0), "others' are heeded without it, too");
	fresh();
	unlinkat(worker.directory, BOX, 0);
	make_lock("", 0600, 0);
	ok(!put(BOX, 0, FIRST, false) && !file_exists(BOX), "an mbox that is locked and not there is not made");
	buf_free(&b);
}

/* A new generation, made of the file as it is now. */
static struct buf replacement(const char *text)
{
	struct buf b = { 0 };
	struct stamp stamp;

	close(openat(worker.directory, BOX ".2", O_WRONLY | O_CREAT, 0600));
	other_writes(BOX ".2", text, 0);
	stamp_read(worker.directory, STR(BOX), &stamp);
	operation_pack(&b, &(struct operation){ .kind = OP_SETTLED, .id = 7 });
	operation_pack_expect(&b, STR(BOX), &stamp);
	operation_pack(&b, &(struct operation){ .kind = OP_RENAME, .path = STR(BOX ".2"), .other = STR(BOX) });
	return b;
}

static void replace(const struct buf *b)
{
	if (!files_claim(files, buf_str(b), false) || apply_operations(files, buf_str(b)))
		abort();
}

static void test_replaced(void)
{
	struct buf b;
	int fd;

	fresh();
	b = replacement(NEXT);
	replace(&b);
	ok(file_is(BOX, NEXT) && !changed(), "a new generation takes its place");
	buf_free(&b);

	fresh();
	b = replacement(NEXT);
	other_writes(BOX, OTHER, O_APPEND);
	replace(&b);
	ok(file_is(BOX, FIRST OTHER) && changed() && !file_exists(BOX ".2"),
		"but not that of what another program wrote since");
	buf_free(&b);

	fresh();
	b = replacement(NEXT);
	fd = openat(worker.directory, BOX, O_WRONLY | O_APPEND);
	replace(&b);
	if (write(fd, OTHER, strlen(OTHER)) != (ssize_t)strlen(OTHER))
		abort();
	ok(files_rescue(files) && file_is(BOX, NEXT), "what a program is writing to the old one is waited for");
	ok(files_rescue(files) && file_is(BOX, NEXT OTHER) && changed(),
		"what it wrote there, as it had it open, goes to the new one");
	ok(files_rescue(files) && files_rescue(files) && file_is(BOX, NEXT OTHER), "once");
	if (pwrite(fd, "x", 1, 0) != 1 || write(fd, OTHER OTHER, strlen(OTHER OTHER)) < 0)
		abort();
	files_rescue(files);
	files_rescue(files);
	ok(file_is(BOX, NEXT OTHER), "what it wrote anew goes nowhere");
	ok(file_exists(BOX ".damaged.1"), "but is kept");
	close(fd);
	buf_free(&b);
}

int main(void)
{
	log_quietly();
	store_begin();
	test_grown();
	test_again();
	test_locks();
	test_dot_locks();
	test_replaced();
	files_free(files);
	store_end();
	return done();
}
