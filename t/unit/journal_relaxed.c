/* The journal with durability = relaxed: what is written is told, what is synced goes to the files, and what a power cut
 * leaves is what was there a moment before. */
#include "storage/journal/base.h"
#include "storage/journal/scan.h"
#include "t/journal.h"
#include <pthread.h>

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void wait_work(struct job *job)
{
	(void)job;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
}

static bool in_lane; /* the job is: it may not be added again */

static void wait_done(struct job *job)
{
	(void)job;
	in_lane = false;
}

static struct job waiting = { wait_work, wait_done, NULL };

/* From now on no sync comes to its turn. */
static void syncs_stop(void)
{
	while (in_lane)
		turn();
	in_lane = true;
	pthread_mutex_lock(&gate);
	lane_add(worker.sync, &waiting);
}

static void syncs_go(void)
{
	pthread_mutex_unlock(&gate);
}

/* Turns for a while in which nothing that waits for a sync may happen. */
static void some_turns(void)
{
	for (int i = 0; i < 20; i++)
		turn();
}

static int durable_count;

static void count_durable(void *user, enum err e)
{
	(void)user;
	durable_count += e == OK;
}

static void test_told(void)
{
	int synced = synced_ok, applied = applied_count;

	syncs_stop();
	append(entry_text("one", 0, 0, "one "));
	ok(turn_until(&synced_ok, synced + 1), "what is written is told of");
	append(entry_text("one", 0, 4, "two"));
	ok(turn_until(&synced_ok, synced + 2), "and so is the next, while the first waits for its sync");
	journal_when_durable(journal, count_durable, NULL);
	some_turns();
	ok(journal->synced < journal->written && applied_count == applied && !file_exists("one") && !durable_count,
		"nothing is done to the files, and nobody told that it is durable");
	syncs_go();
	ok(turn_until(&applied_count, applied + 2) && file_is("one", "one two") && durable_count == 1,
		"after the sync both are true");
	journal_when_durable(journal, count_durable, NULL);
	ok(durable_count == 2, "who asks when all is durable is told at once");
}

static void test_time(void)
{
	struct entry *e = entry_text("awaited", 0, 0, "x");
	int synced = synced_ok, applied = applied_count;
	int64_t next;

	append(entry_text("later", 0, 0, "x"));
	turn_until(&synced_ok, synced + 1);
	next = timers_next_ms(worker.timers);
	ok(journal->sync.first && !journal->sync.running && next > 0 && next <= 1000,
		"the sync comes within a second: in %d ms", (int)next);
	timers_shift(worker.timers, SYNC_MS);
	ok(turn_until(&applied_count, applied + 1) && file_is("later", "x"), "and then it is there");
	entry_awaited(e);
	append(e);
	turn_until(&synced_ok, synced + 2);
	ok(!journal->sync.first || journal->sync.running, "what somebody waits for is synced at once");
	ok(turn_until(&applied_count, applied + 2), "and applied");
}

static void test_settle(void)
{
	append(entry_text("settled", 0, 0, "x"));
	ok(settle() && !journal->sync.first && journal->checkpoint >= journal->last_asked && file_is("settled", "x"),
		"it settles: all is synced, applied and below a checkpoint");
}

static void test_reuse(void)
{
	char *text = mem_alloc(100001);
	bool all = true;

	memset(text, 'x', 100000);
	text[100000] = 0;
	for (uint64_t i = 0; i < 100; i++)
		all &= append_applied(entry_text("reused", 0, i * 100000, text));
	ok(all, "ten times the journal's size goes through its segments");
	free(text);
}

static void test_restart(void)
{
	int synced = synced_ok;

	syncs_stop();
	append(entry_text("killed", 0, 0, "still there"));
	ok(turn_until(&synced_ok, synced + 1), "an entry is told of and not synced");
	syncs_go();
	journal_crash();
	ok(journal_begin() && file_is("killed", "still there"), "a process that is killed then loses nothing");
}

/* Each descriptor of a segment stands for something that takes every write and can never be synced. */
static int spoil_segments(void)
{
	int bad = open("/dev/null", O_WRONLY | O_CLOEXEC), count = 0;

	for (int fd = 3; fd < 256; fd++) {
		char link[64], path[256] = "";

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "/journal/0/segment."))
			count += dup2(bad, fd) == fd;
	}
	close(bad);
	return count;
}

static void test_sync_fails(void)
{
	int synced = synced_ok, failed = synced_failed, applied = applied_count;

	syncs_stop();
	append(entry_text("unsynced", 0, 0, "told "));
	append(entry_text("unsynced", 0, 5, "of"));
	ok(turn_until(&synced_ok, synced + 2), "two entries are told of");
	ok(spoil_segments() > 0, "their segment cannot be synced");
	timers_shift(worker.timers, SYNC_MS);
	some_turns();
	syncs_go();
	for (int i = 0; i < 2000 && !journal->sync.broken && applied_count == applied; i++)
		turn();
	append(entry_text("unsynced", 0, 7, " not"));
	ok(turn_until(&applied_count, applied + 2), "they are written once more elsewhere and go to the files");
	turn_until(&synced_failed, failed + 1);
	ok(synced_failed == failed + 1 && synced_ok == synced + 2, "what came meanwhile was refused");
	for (int i = 0; i < 2000 && journal_room(journal, ENTRY_MAIL, 10); i++)
		turn();
	ok(append_applied(entry_text("unsynced", 0, 7, " once")), "what comes then is taken");
	journal_crash();
	unlinkat(worker.directory, "unsynced", 0);
	ok(journal_begin() && file_is("unsynced", "told of once"), "and all are in the journal");
}

/* --- what a power cut leaves ------------------------------------------------------------------------------------------- */

#define BATCHES 6

/* A segment with batches of one entry each, of which `synced` are when they are written; without those in `missing`. */
static size_t found_of(unsigned missing, uint64_t synced, bool relaxed, uint64_t *lost)
{
	int dir = openat(worker.directory, "scanned", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct buf segment = { 0 };
	struct scan s;
	size_t count;
	int fd;

	for (uint64_t i = 0; i < BATCHES; i++) {
		struct batch_head h = { .life = 7, .sequence = i, .relaxed = relaxed };
		struct buf batch = { 0 };

		h.synced = !relaxed ? i : i < synced ? i : synced;
		batch_begin(&batch);
		batch_add(&batch, STR("entry"));
		batch_seal(&batch, &h, 1);
		if (missing & 1u << i)
			memset(buf_data(&batch), 0, buf_len(&batch));
		buf_add_str(&segment, buf_str(&batch));
		buf_free(&batch);
	}
	fd = openat(dir, "segment.00000001", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, buf_data(&segment), buf_len(&segment)) != (ssize_t)buf_len(&segment) ||
		scan_read(&s, dir, 7, 0))
		abort();
	close(fd);
	close(dir);
	buf_free(&segment);
	count = s.count;
	*lost = s.lost;
	scan_free(&s);
	return count;
}

static void test_holes(void)
{
	static const struct {
		const char *what;
		unsigned missing;
		uint64_t synced;
		bool relaxed;
		size_t count;
		uint64_t lost;
	} rows[] = {
		{ "none is missing", 0, 0, true, 6, 0 },
		{ "the last did not reach the disk", 1u << 5, 0, true, 5, 0 },
		{ "the first did not: nothing is left", 1u << 0, 0, true, 0, 0 },
		{ "one in the middle did not: those behind it are not there either", 1u << 2, 0, true, 2, 0 },
		{ "the same, behind what was synced", 1u << 4, 3, true, 4, 0 },
		{ "two did not", 1u << 3 | 1u << 5, 2, true, 3, 0 },
		{ "one below a sync is damage and costs itself", 1u << 1, 4, true, 5, 1 },
		{ "damage, and the end", 1u << 1 | 1u << 4, 3, true, 3, 1 },
		{ "with full durability it is all damage", 1u << 1 | 1u << 4, 0, false, 4, 2 },
	};

	mkdirat(worker.directory, "scanned", 0700);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t lost;
		size_t count = found_of(rows[i].missing, rows[i].synced, rows[i].relaxed, &lost);

		ok(count == rows[i].count && lost == rows[i].lost, "%s: %zu batches, %d lost", rows[i].what, count,
			(int)lost);
	}
}

int main(void)
{
	log_quietly();
	worker_begin();
	store_begin();
	journal_conf_used.durability = DURABILITY_RELAXED;
	ok(journal_begin(), "a journal is made");
	test_told();
	test_time();
	test_settle();
	test_reuse();
	test_restart();
	test_sync_fails();
	test_holes();
	journal_conf_used.durability = DURABILITY_FULL;
	journal_crash();
	ok(journal_begin() && file_is("unsynced", "told of once"), "it is opened with full durability again");
	journal_free(journal);
	store_end();
	worker_end();
	return done();
}
