/* shm.c - see shm.h. */
#include "core/shm.h"
#include "core/err.h"
#include "core/log.h"
#include "core/tally.h"
#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define RINGS_BYTES    (16u << 20) /* for all rings that lead to one worker */
#define RING_BYTES_MIN (128u << 10)
#define PAGE           4096u /* rings begin at pages, so that one never used takes no memory */
#define LINE           64u

struct row { /* what one worker writes, apart from every other's cache lines */
	alignas(LINE) struct slot slot;
};

struct shm {
	unsigned workers;
	size_t counters_bytes, ring_bytes; /* of one worker's row; of one ring with its head */
	size_t counters_at, tallies_at, rings_at;
	uint64_t seed[2];
	int wake_fds[WORKERS_MAX];
	struct row rows[];
};

static size_t up_to(size_t size, size_t unit)
{
	return (size + unit - 1) / unit * unit;
}

static size_t ring_capacity(unsigned workers)
{
	size_t capacity = RINGS_BYTES;

	while (capacity > RINGS_BYTES / workers && capacity > RING_BYTES_MIN)
		capacity /= 2;
	return capacity;
}

static void fail(const char *what)
{
	err_errno("%s", what);
	abort();
}

struct shm *shm_new(unsigned workers, size_t counters)
{
	size_t capacity, counters_bytes, counters_at, tallies_at, rings_at, ring_size;
	struct shm *shm;

	assert(workers && workers <= WORKERS_MAX);
	capacity = ring_capacity(workers);
	ring_size = up_to(ring_bytes(capacity), PAGE);
	counters_bytes = up_to(counters * sizeof(uint64_t), LINE);
	counters_at = up_to(sizeof(*shm) + workers * sizeof(struct row), LINE);
	tallies_at = up_to(counters_at + workers * counters_bytes, PAGE);
	rings_at = up_to(tallies_at + workers * tally_table_bytes(), PAGE);
	shm = mmap(NULL, rings_at + (size_t)workers * workers * ring_size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shm == MAP_FAILED)
		fail("map shared memory");
	shm->workers = workers;
	shm->counters_bytes = counters_bytes;
	shm->counters_at = counters_at;
	shm->tallies_at = tallies_at;
	shm->rings_at = rings_at;
	shm->ring_bytes = ring_size;
	if (getrandom(shm->seed, sizeof(shm->seed), 0) != sizeof(shm->seed))
		fail("draw random bytes");
	for (unsigned from = 0; from < workers; from++) {
		if ((shm->wake_fds[from] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)
			fail("make an eventfd");
		for (unsigned to = 0; to < workers; to++)
			ring_init(shm_ring(shm, from, to), capacity);
	}
	return shm;
}

unsigned shm_workers(const struct shm *shm)
{
	return shm->workers;
}

uint64_t slot_lag_us(const struct slot *s, double part)
{
	uint64_t all = 0, below = 0;
	unsigned i;

	for (i = 0; i < LAGS; i++)
		all += s->lags_us[i];
	for (i = 0; i < LAGS - 1; i++)
		if ((double)(below += s->lags_us[i]) >= (double)all * part)
			break;
	return i < LAGS - 1 && lag_upto_us(i) < s->lag_max_us ? lag_upto_us(i) : s->lag_max_us;
}

struct slot *shm_slot(struct shm *shm, unsigned worker)
{
	assert(worker < shm->workers);
	return &shm->rows[worker].slot;
}

uint64_t *shm_counters(struct shm *shm, unsigned worker)
{
	assert(worker < shm->workers);
	return (uint64_t *)((char *)shm + shm->counters_at + worker * shm->counters_bytes);
}

struct tally_table *shm_tallies(struct shm *shm, unsigned worker)
{
	assert(worker < shm->workers);
	return (struct tally_table *)((char *)shm + shm->tallies_at + worker * tally_table_bytes());
}

const uint64_t *shm_seed(const struct shm *shm)
{
	return shm->seed;
}

struct ring *shm_ring(struct shm *shm, unsigned from, unsigned to)
{
	assert(from < shm->workers && to < shm->workers);
	return (struct ring *)((char *)shm + shm->rings_at + ((size_t)from * shm->workers + to) * shm->ring_bytes);
}

int shm_wake_fd(struct shm *shm, unsigned worker)
{
	assert(worker < shm->workers);
	return shm->wake_fds[worker];
}

void shm_wake(struct shm *shm, unsigned worker)
{
	uint64_t one = 1;

	while (write(shm_wake_fd(shm, worker), &one, sizeof(one)) < 0)
		if (errno != EINTR) {
			assert(errno == EAGAIN); /* full of wakes already */
			return;
		}
}
