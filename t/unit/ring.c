/* A ring carries records between two processes: whole, in order, past its end and over the death of its producer. */
#include "core/ring.h"
#include "core/mem.h"
#include "core/shm.h"
#include "t/tap.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAPACITY 4096u
#define LIVES    60      /* producers that are killed */
#define CROSSING 400000u /* records from thread to thread */

/* Every record of a test says its number, then bytes that follow from it; its length does too. */
static size_t length_of(uint64_t number)
{
	return number % 7 ? number * 31 % 120 : number * 131 % 1500;
}

static char *fill(uint64_t number, char *bytes)
{
	for (size_t i = 0; i < length_of(number); i++)
		bytes[i] = (char)(number + i);
	return bytes;
}

static bool put_number(struct ring *r, uint64_t number)
{
	char body[1500];

	return ring_put(r, (struct str){ (char *)&number, sizeof(number) },
		(struct str){ fill(number, body), length_of(number) });
}

static bool is_whole(struct str record, uint64_t *number)
{
	char body[1500];

	if (record.len < sizeof(*number))
		return false;
	memcpy(number, record.p, sizeof(*number));
	return record.len == sizeof(*number) + length_of(*number) &&
	       !memcmp(record.p + sizeof(*number), fill(*number, body), length_of(*number));
}

static struct ring *ring_shared(void)
{
	struct ring *r = mmap(NULL, ring_bytes(CAPACITY), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ring_init(r, CAPACITY);
	return r;
}

static void ring_unshare(struct ring *r)
{
	munmap(r, ring_bytes(CAPACITY));
}

static void test_simple(void)
{
	struct ring *r = ring_shared();
	struct str record;

	ok(!ring_peek(r, &record) && !ring_broken(r), "a new ring is empty and in order");
	ok(ring_put(r, STR("head "), STR("body")) && ring_peek(r, &record) && str_eq(record, STR("head body")),
		"head and body are one record");
	ok(ring_peek(r, &record) && str_eq(record, STR("head body")), "a record stays until ring_next");
	ring_next(r);
	ok(!ring_peek(r, &record), "then it is gone");
	ok(ring_put(r, STR_NONE, STR_NONE) && ring_peek(r, &record) && record.len == 0, "a record may be empty");
	ring_next(r);
	ring_unshare(r);
}

static void test_full(void)
{
	struct ring *r = ring_shared();
	char *longest = mem_alloc(ring_record_max(r));
	uint64_t in = 0, out = 0, number;
	struct str record;
	bool whole = true, fits = true;

	while (put_number(r, in))
		in++;
	ok(in > 1, "a ring takes records until it is full");
	while (ring_peek(r, &record)) {
		whole &= is_whole(record, &number) && number == out++;
		ring_next(r);
	}
	ok(whole && out == in, "and gives them all back, in order");
	for (; in < 100000; in++) { /* half full, round and round */
		whole &= put_number(r, in);
		if (in % 3 && ring_peek(r, &record)) {
			whole &= is_whole(record, &number) && number == out++;
			ring_next(r);
		}
		while (in - out > 3 && ring_peek(r, &record)) {
			whole &= is_whole(record, &number) && number == out++;
			ring_next(r);
		}
	}
	ok(whole, "records stay whole and in order around the end of the memory");
	while (ring_peek(r, &record))
		ring_next(r);
	for (unsigned i = 0; i < CAPACITY / 8; i++) {
		fits &= ring_put(r, STR_NONE, (struct str){ longest, ring_record_max(r) }) && ring_peek(r, &record) &&
		        record.len == ring_record_max(r);
		ring_next(r);
		fits &= ring_put(r, STR("x"), STR_NONE) && ring_peek(r, &record);
		ring_next(r);
	}
	ok(fits, "an empty ring has room for the longest record, wherever its positions are");
	free(longest);
	ring_unshare(r);
}

static void test_wake(void)
{
	struct ring *r = ring_shared();
	struct str record;

	put_number(r, 1);
	ok(!ring_wants_wake(r), "a consumer that is awake wants no wake");
	ok(!ring_sleep(r), "it may not sleep while a record is there");
	ring_peek(r, &record);
	ring_next(r);
	ok(ring_sleep(r), "it may when there is none");
	put_number(r, 2);
	ok(ring_wants_wake(r) && !ring_wants_wake(r), "then it wants to be woken, once");
	ring_sleep(r);
	ring_peek(r, &record);
	ok(!ring_wants_wake(r), "one that woke for another reason and looked wants none");
	ring_unshare(r);
}

/* The shared memory may hold anything: neither side may leave its bounds, and the consumer can begin again. */
static void test_broken(void)
{
	struct ring *r = ring_shared();
	uint64_t words[4] = { 0 }, number;
	struct str record;
	bool good = true;

	put_number(r, 5);
	put_number(r, 6);
	memcpy((char *)r + ring_bytes(CAPACITY) - CAPACITY, &(uint64_t){ 1u << 30 }, 8);
	ok(!ring_peek(r, &record) && ring_broken(r), "a length beyond what was put is seen");
	ring_reset(r);
	ok(!ring_peek(r, &record) && !ring_broken(r), "after a reset the ring is empty");
	ok(put_number(r, 7) && ring_peek(r, &record) && is_whole(record, &number) && number == 7, "and works");
	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		for (unsigned k = 0; k < 4; k++)
			words[k] = i % 2 ? (uint64_t)rand() % 5000 : (uint64_t)rand() << 33 ^ (uint64_t)rand();
		memcpy((char *)r + (size_t)rand() % (ring_bytes(CAPACITY) / 64) * 64, words, 1 + (size_t)rand() % 8);
		memset((char *)r + 128, 0, 64);
		memcpy((char *)r + 128, &(uint64_t){ CAPACITY }, 8); /* the size alone is believed */
		for (unsigned k = 0; k < 50 && ring_peek(r, &record); k++)
			ring_next(r);
		if (ring_broken(r))
			ring_reset(r);
		put_number(r, i);
	}
	ring_reset(r);
	good &= put_number(r, 8) && ring_peek(r, &record) && is_whole(record, &number) && number == 8;
	ok(good, "whatever is written over it, it can be used again after a reset");
	ring_unshare(r);
}

/* Puts for ever; *next is the number to put, written after the put. */
static void producer(struct ring *r, _Atomic uint64_t *next)
{
	for (;;)
		if (put_number(r, *next))
			++*next;
}

static void test_killed(void)
{
	struct ring *r = ring_shared();
	_Atomic uint64_t *next = mmap(NULL, sizeof(*next), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t expected = 0, number = 0, repeated = 0;
	struct str record;
	bool good = true;

	for (unsigned life = 0; life < LIVES; life++) {
		uint64_t until = expected + 500 + (uint64_t)(life * 37);
		pid_t pid = fork();
		bool dead = false;

		if (!pid)
			producer(r, next);
		for (;;) {
			if (!ring_peek(r, &record)) {
				if (dead)
					break;
				continue;
			}
			good &= is_whole(record, &number);
			if (number + 1 == expected) /* put by one who died before he could say so */
				repeated++;
			else
				good &= number == expected++;
			ring_next(r);
			if (!dead && expected >= until) {
				kill(pid, SIGKILL);
				waitpid(pid, NULL, 0);
				dead = true;
			}
		}
	}
	ok(good && !ring_broken(r), "%d producers killed in their work left whole records only, in order", LIVES);
	ok(repeated <= LIVES, "each successor went on where the dead one was");
	munmap((void *)next, sizeof(*next));
	ring_unshare(r);
}

struct crossing {
	struct ring *ring;
	int wake_fd;
};

static void *crossing_producer(void *user)
{
	struct crossing *c = user;
	uint64_t one = 1;

	for (uint64_t number = 0; number < CROSSING;) {
		if (put_number(c->ring, number))
			number++;
		if (ring_wants_wake(c->ring) && write(c->wake_fd, &one, sizeof(one)) != sizeof(one))
			abort();
	}
	return NULL;
}

static void test_threads(void)
{
	struct crossing c = { ring_shared(), eventfd(0, EFD_NONBLOCK) };
	uint64_t expected = 0, number, wakes;
	unsigned lost = 0, slept = 0;
	struct str record;
	pthread_t thread;
	bool good = true;

	pthread_create(&thread, NULL, crossing_producer, &c);
	while (expected < CROSSING) {
		if (ring_peek(c.ring, &record)) {
			good &= is_whole(record, &number) && number == expected++;
			ring_next(c.ring);
		} else if (ring_sleep(c.ring)) {
			struct pollfd p = { c.wake_fd, POLLIN, 0 };

			slept++;
			if (poll(&p, 1, 5000) == 0)
				lost++;
			else if (read(c.wake_fd, &wakes, sizeof(wakes)) != sizeof(wakes))
				good = false;
		}
	}
	pthread_join(thread, NULL);
	ok(good, "%u records cross from thread to thread whole and in order", CROSSING);
	ok(slept && !lost, "no wake-up is lost in %u times of sleep", slept);
	close(c.wake_fd);
	ring_unshare(c.ring);
}

static void test_shm(void)
{
	struct shm *shm = shm_new(3, 10);
	uint64_t wakes;
	bool apart = true;

	for (unsigned from = 0; from < 3; from++) {
		memset(shm_counters(shm, from), 0xff, 10 * sizeof(uint64_t));
		shm_slot(shm, from)->pid = (int)from + 1;
		for (unsigned to = 0; to < 3; to++)
			apart &= ring_put(shm_ring(shm, from, to), STR("x"), (struct str){ (char *)&to, sizeof(to) });
	}
	for (unsigned from = 0; from < 3; from++)
		for (unsigned to = 0; to < 3; to++) {
			struct str record;

			apart &= ring_peek(shm_ring(shm, from, to), &record) && record.p[0] == 'x' &&
			         !memcmp(record.p + 1, &to, sizeof(to)) && shm_slot(shm, from)->pid == (int)from + 1;
			apart &= ring_record_max(shm_ring(shm, from, to)) >= 65536 + 64;
		}
	ok(apart, "slots, counters and rings of workers lie apart, and a ring takes 64 KiB");
	shm_wake(shm, 2);
	shm_wake(shm, 2);
	ok(read(shm_wake_fd(shm, 2), &wakes, sizeof(wakes)) == sizeof(wakes) && wakes == 2 &&
			read(shm_wake_fd(shm, 1), &wakes, sizeof(wakes)) < 0,
		"a wake reaches the worker it is for");
}

int main(void)
{
	test_simple();
	test_full();
	test_wake();
	test_broken();
	test_killed();
	test_shm();
	test_threads();
	return done();
}
