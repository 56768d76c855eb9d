/* Counts that all workers share: what is open, what came in a period, through deaths and want of room. */
#include "core/tally.h"
#include "t/tap.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 3
#define MINUTE  60000
#define START   (1000 * (int64_t)MINUTE) /* the beginning of a period */
#define CROWD   200000                   /* keys, more than there is room for */
#define DEATHS  20

static struct shm *shm;

static uint64_t key_of(const char *text)
{
	return tally_key(shm, 'a', str_of(text));
}

static void hold(unsigned worker, uint64_t key, int by)
{
	struct tally *t = tally_of(shm, worker, key, START);

	if (!t)
		abort();
	tally_hold(shm, worker, t, TALLY_SESSIONS, by);
}

static void test_open(void)
{
	uint64_t key = key_of("192.0.2.1");

	ok(key == key_of("192.0.2.1") && key != key_of("192.0.2.2") && key != tally_key(shm, 'u', STR("192.0.2.1")),
		"a key is of what is counted and of its kind");
	ok(tally_open(shm, key, TALLY_SESSIONS) == 0, "at first nothing is open");
	hold(0, key, 1);
	hold(1, key, 1);
	hold(1, key, 1);
	ok(tally_open(shm, key, TALLY_SESSIONS) == 3, "all workers' are added up");
	ok(tally_open(shm, key, TALLY_STRANGERS) == 0 && tally_open(shm, key_of("192.0.2.2"), TALLY_SESSIONS) == 0,
		"each kind and each key by itself");
	hold(1, key, -1);
	ok(tally_open(shm, key, TALLY_SESSIONS) == 2, "what ends is given back");
	atomic_fetch_add(&shm_slot(shm, 1)->generation, 1);
	ok(tally_open(shm, key, TALLY_SESSIONS) == 1, "what a worker held is given back by its death");
	hold(1, key, 1);
	ok(tally_open(shm, key, TALLY_SESSIONS) == 2, "its next life begins with nothing");
	hold(0, key, -1);
	hold(1, key, -1);
	ok(tally_open(shm, key, TALLY_SESSIONS) == 0, "and in the end nothing is open");
}

static void add(unsigned worker, uint64_t key, int64_t now_ms, int times)
{
	while (times--)
		tally_add(tally_of(shm, worker, key, now_ms), TALLY_ERRORS, now_ms, MINUTE);
}

static uint64_t rate(uint64_t key, int64_t now_ms)
{
	return tally_rate(shm, key, TALLY_ERRORS, now_ms, MINUTE);
}

static void test_rates(void)
{
	uint64_t key = key_of("2001:db8::");

	ok(rate(key, START) == 0, "at first nothing came");
	add(0, key, START, 6);
	add(2, key, START + 1000, 4);
	ok(rate(key, START + 2000) == 10, "all workers' are added up");
	ok(rate(key, START + MINUTE - 1) == 10, "for a minute they all count");
	ok(rate(key, START + MINUTE + MINUTE / 2) == 5, "in the next one ever fewer of them");
	add(1, key, START + MINUTE + MINUTE / 2, 1);
	ok(rate(key, START + MINUTE + MINUTE / 2) == 6, "beside what comes then");
	ok(rate(key, START + 2 * MINUTE + MINUTE / 2) == 0, "and after that none: half of one is nothing");
	add(0, key, START + 3 * MINUTE, TALLY_MAX + 100000);
	ok(rate(key, START + 3 * MINUTE) > TALLY_MAX, "a count exceeds every limit");
	ok(rate(key, START + 3 * MINUTE) < TALLY_MAX + 50000, "and then stays, and is not taken for another");
	atomic_fetch_add(&shm_slot(shm, 0)->generation, 1);
	ok(rate(key, START + 3 * MINUTE) > TALLY_MAX, "a worker's death makes nobody's past better");
	ok(tally_rate(shm, key, TALLY_COMMANDS, START + 3 * MINUTE, MINUTE) == 0, "each kind by itself");
}

static void test_log(void)
{
	uint64_t key = key_of("log");
	struct tally *a = tally_of(shm, 0, key, START), *b = tally_of(shm, 1, key, START);

	ok(tally_once(shm, key, a, START, 10000), "the first who asks may log");
	ok(!tally_once(shm, key, b, START + 9000, 10000) && !tally_once(shm, key, a, START + 9000, 10000),
		"then nobody, in any worker");
	ok(tally_once(shm, key, b, START + 10000, 10000), "until the time is over");
}

static void test_room(void)
{
	uint64_t held = key_of("held");
	unsigned none = 0, sets = 0;

	hold(0, held, 1);
	for (unsigned i = 0; i < CROWD; i++)
		none += !tally_of(shm, 0, tally_key(shm, 'c', (struct str){ (const char *)&i, sizeof(i) }), START + i);
	ok(!none, "those that hold nothing make room for new ones");
	ok(tally_open(shm, held, TALLY_SESSIONS) == 1, "what is held stays");
	for (unsigned i = CROWD - 1000; i < CROWD; i++)
		tally_add(tally_of(shm, 0, tally_key(shm, 'c', (struct str){ (const char *)&i, sizeof(i) }), START),
			TALLY_ERRORS, START, MINUTE);
	for (unsigned i = CROWD - 1000; i < CROWD; i++)
		sets += rate(tally_key(shm, 'c', (struct str){ (const char *)&i, sizeof(i) }), START) == 1;
	ok(sets == 1000, "who came last is remembered, with counts of its own");
	for (unsigned i = 0; i < CROWD; i++) {
		uint64_t key = tally_key(shm, 'd', (struct str){ (const char *)&i, sizeof(i) });
		struct tally *t = tally_of(shm, 2, key, START);

		none += !t;
		if (t)
			tally_hold(shm, 2, t, TALLY_SESSIONS, 1);
	}
	ok(none && none < CROWD, "when all of a set hold something, there is no room");
	atomic_fetch_add(&shm_slot(shm, 2)->generation, 1);
	ok(tally_of(shm, 2, key_of("new"), START), "what a dead worker held is room again");
}

/* Counts for ever over keys that push each other out; a check that would fail ends it. */
static void count_until_killed(uint64_t base)
{
	for (unsigned i = 0;; i++) {
		uint64_t key = base + (uint64_t)(i % 24) * 8192; /* all of one set */
		struct tally *t = tally_of(shm, 1, key, START + i);

		if (!t)
			_exit(3);
		tally_hold(shm, 1, t, TALLY_SESSIONS, 1);
		tally_add(t, TALLY_ERRORS, START, MINUTE);
		tally_hold(shm, 1, t, TALLY_SESSIONS, -1);
	}
}

static void test_deaths(void)
{
	uint64_t base = key_of("deaths");
	bool whole = true, died = true;

	for (int k = 0; k < DEATHS; k++) {
		pid_t pid = fork();
		int status;

		if (!pid)
			count_until_killed(base);
		for (int i = 0; i < 2000 * (k + 1); i++)
			for (unsigned j = 0; j < 24; j++)
				whole &= tally_open(shm, base + (uint64_t)j * 8192, TALLY_SESSIONS) <= 1;
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		died &= WIFSIGNALED(status);
		atomic_fetch_add(&shm_slot(shm, 1)->generation, 1);
		for (unsigned j = 0; j < 24; j++)
			whole &= !tally_open(shm, base + (uint64_t)j * 8192, TALLY_SESSIONS);
	}
	ok(died && whole, "a worker killed at any instruction leaves whole counts, and nothing open");
}

static void test_together(void)
{
	uint64_t key = key_of("together");
	pid_t pids[WORKERS];

	for (unsigned i = 0; i < WORKERS; i++)
		if (!(pids[i] = fork())) {
			for (int k = 0; k < 10000; k++) {
				hold(i, key, 1);
				if (k % 4)
					hold(i, key, -1);
			}
			_exit(0);
		}
	for (unsigned i = 0; i < WORKERS; i++)
		waitpid(pids[i], NULL, 0);
	ok(tally_open(shm, key, TALLY_SESSIONS) == WORKERS * 2500, "workers that count together lose nothing");
}

int main(void)
{
	shm = shm_new(WORKERS, 1);
	for (unsigned i = 0; i < WORKERS; i++)
		shm_slot(shm, i)->generation = 1;
	test_open();
	test_rates();
	test_log();
	test_deaths();
	test_together();
	test_room();
	return done();
}
