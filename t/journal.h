/* journal.h - a worker that is nothing but a loop, its timers and its lanes, with a journal in a store of its own. */
#ifndef T_JOURNAL_H
#define T_JOURNAL_H

#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/journal_parts.h"
#include "t/tap.h"
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETTLE_LIMIT_MS 20000 /* a test that waits longer has failed */
#define TURN_MS         10    /* a turn waits no longer */

static struct worker worker;
static struct journal *journal;
static struct journal_conf journal_conf_used = { 1 << 20, 4 << 20, 600000, 0, DURABILITY_FULL };
static int worker_wake;
static char store_path[64];

__attribute__((unused)) static void worker_begin(void)
{
	worker_wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	worker.timers = timers_new();
	worker.journal = lane_new("journal", worker_wake);
	worker.files = lane_new("files", worker_wake);
	worker.index = lane_new("index", worker_wake);
	worker.slow = lane_new("slow", worker_wake);
	worker.sync = lane_new("sync", worker_wake);
}

__attribute__((unused)) static void worker_end(void)
{
	lane_free(worker.journal);
	lane_free(worker.files);
	lane_free(worker.index);
	lane_free(worker.slow);
	lane_free(worker.sync);
	timers_free(worker.timers);
	close(worker_wake);
}

__attribute__((unused)) static void store_begin(void)
{
	/* In memory where that can be had: these tests are not about the disk, and a syncfs waits for all who use it. */
	snprintf(store_path, sizeof(store_path), "%s/postern-journal.XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(store_path) || (worker.directory = open(store_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
}

__attribute__((unused)) static void tree_remove(char *path)
{
	char *const words[] = { "rm", "-rf", path, NULL };
	pid_t pid = fork();

	if (pid == 0) {
		execvp(words[0], words);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

/* A tree in the store. */
__attribute__((unused)) static void tree_remove_below(const char *path)
{
	char whole[200];

	snprintf(whole, sizeof(whole), "%s/%s", store_path, path);
	tree_remove(whole);
}

__attribute__((unused)) static void store_end(void)
{
	close(worker.directory);
	tree_remove(store_path);
}

/* What these tests do to the journal is logged loudly; VERBOSE=1 shows it. */
__attribute__((unused)) static void log_quietly(void)
{
	if (!getenv("VERBOSE"))
		log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

/* One turn of the loop; waits for a lane or a timer if there is nothing to do. */
__attribute__((unused)) static void turn(void)
{
	struct pollfd wake = { worker_wake, POLLIN, 0 };
	int64_t wait = timers_next_ms(worker.timers);
	uint64_t wakes;

	poll(&wake, 1, wait < 0 || wait > TURN_MS ? TURN_MS : (int)wait);
	if (read(worker_wake, &wakes, sizeof(wakes)) < 0)
		wakes = 0;
	timers_turn(worker.timers);
	lane_collect(worker.journal);
	lane_collect(worker.files);
	lane_collect(worker.index);
	lane_collect(worker.slow);
	lane_collect(worker.sync);
	timers_run(worker.timers);
}

/* Turns until *count is at least `wanted`. */
__attribute__((unused)) static bool turn_until(const int *count, int wanted)
{
	int64_t end = timers_now_ms(worker.timers) + SETTLE_LIMIT_MS;

	while (*count < wanted && timers_now_ms(worker.timers) < end)
		turn();
	return *count >= wanted;
}

__attribute__((unused)) static bool journal_begin(void)
{
	return journal_open_with(&journal, &worker, &journal_conf_used) == OK;
}

/* Ends as a crash would, as far as the files go: nothing is settled. */
__attribute__((unused)) static void journal_crash(void)
{
	journal_free(journal);
	journal = NULL;
}

static int settled_count;

static void count_settled(void *user)
{
	(void)user;
	settled_count++;
}

__attribute__((unused)) static bool settle(void)
{
	int before = settled_count;

	journal_settle(journal, count_settled, NULL);
	return turn_until(&settled_count, before + 1);
}

static int synced_ok, synced_failed, applied_count;
static enum err synced_last;

__attribute__((unused)) static void count_synced(void *user, enum err e)
{
	(void)user;
	synced_last = e;
	*(e ? &synced_failed : &synced_ok) += 1;
}

__attribute__((unused)) static void count_applied(void *user, enum err e)
{
	(void)user;
	applied_count += e == OK;
}

__attribute__((unused)) static struct entry *entry_text(
	const char *path, uint64_t id, uint64_t offset, const char *text)
{
	struct entry *e = entry_new();

	entry_write(e, &(struct file_ref){ str_of(path), id, 1 }, offset, str_of(text));
	return e;
}

__attribute__((unused)) static void append(struct entry *e)
{
	journal_append(journal, e, ENTRY_MAIL, count_synced, count_applied, NULL);
}

/* Appends and waits until it is in the files. */
__attribute__((unused)) static bool append_applied(struct entry *e)
{
	int before = applied_count;

	append(e);
	return turn_until(&applied_count, before + 1);
}

/* The whole of a file of the store; the caller frees it. len -1: it is not there. */
__attribute__((unused)) static char *file_bytes(const char *path, ssize_t *len)
{
	int fd = openat(worker.directory, path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *bytes;

	*len = -1;
	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	bytes = mem_alloc((size_t)st.st_size + 1);
	*len = pread(fd, bytes, (size_t)st.st_size, 0);
	close(fd);
	return bytes;
}

__attribute__((unused)) static bool file_is(const char *path, const char *text)
{
	ssize_t len;
	char *bytes = file_bytes(path, &len);
	bool is = bytes && (size_t)len == strlen(text) && !memcmp(bytes, text, (size_t)len);

	if (!is)
		printf("# %s: %zd bytes: %.60s\n", path, len, bytes ? bytes : "");
	free(bytes);
	return is;
}

__attribute__((unused)) static bool file_exists(const char *path)
{
	return faccessat(worker.directory, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

__attribute__((unused)) static void file_make(const char *path, const char *text)
{
	int fd = openat(worker.directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

#endif
