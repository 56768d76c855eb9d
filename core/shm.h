/* shm.h - the memory that master and workers share: made before the first fork, mapped by all at the same address.
 *   header | slot of each worker | counters and tallies of each worker | a ring for each ordered pair of workers
 * A slot is written by its worker (and by the master when the worker died); everybody reads. Each worker has an
 * eventfd, inherited like the memory, that wakes it. */
#ifndef CORE_SHM_H
#define CORE_SHM_H

#include "core/ring.h"
#include <stdatomic.h>
#include <sys/types.h>

#define WORKERS_MAX 64

#define LAGS 16 /* 0.25 ms, 0.5 ms, 1 ms, ... 2 s, 4 s, and more */

enum slot_state { SLOT_EMPTY, SLOT_STARTING, SLOT_SERVING, SLOT_STOPPING };

struct slot {
	_Atomic uint32_t state;      /* enum slot_state */
	_Atomic uint32_t generation; /* of the worker's life; raised by the master after waitpid, before the fork */
	_Atomic int32_t pid;
	_Atomic uint32_t starts;
	_Atomic int64_t started_ms;   /* wall clock */
	_Atomic int64_t turned_ms;    /* monotonic: the loop's last turn; the master ends one that is 10 s behind */
	_Atomic uint32_t running;     /* the call being run: its place among all types, counted from 1; 0: none */
	_Atomic uint32_t lag_us;      /* the loop's lag, smoothed */
	_Atomic uint32_t lag_max_us;  /* the worst since the start */
	_Atomic uint32_t overload;    /* what yields, a bit for each (overload.h) */
	_Atomic int64_t pretended_us; /* of a scratch server: its lag counts as so much; 0: as it is */
	/* How long, in all, the loop slept (first) or was in turns that took no more than so long (lag_upto_us). */
	_Atomic uint64_t lags_us[LAGS];
	_Atomic uint32_t connections;
	_Atomic uint32_t lane_depth[4];
	_Atomic uint64_t journal_used, journal_size, checkpoint_seq; /* told by storage */
	_Atomic int64_t checkpoint_ms;                               /* wall clock of the last one */
};

/* How long a turn may be that counts there: 250 us at 1, twice as much at each further place, no limit at the last. */
static inline uint64_t lag_upto_us(unsigned place)
{
	return place == 0 ? 0 : place < LAGS - 1 ? UINT64_C(250) << (place - 1) : UINT64_MAX;
}

/* The lag that was there no longer than a part of the time (0.99) since the worker's start, within a factor of two. */
uint64_t slot_lag_us(const struct slot *s, double part);

struct shm;
struct tally_table;

struct shm *shm_new(unsigned workers, size_t counters); /* aborts without memory: at the start only */
unsigned shm_workers(const struct shm *shm);
struct slot *shm_slot(struct shm *shm, unsigned worker);
uint64_t *shm_counters(struct shm *shm, unsigned worker);
struct tally_table *shm_tallies(struct shm *shm, unsigned worker);
const uint64_t *shm_seed(const struct shm *shm); /* two random words of this server's life */
struct ring *shm_ring(struct shm *shm, unsigned from, unsigned to);
int shm_wake_fd(struct shm *shm, unsigned worker);
void shm_wake(struct shm *shm, unsigned worker); /* writes that worker's eventfd */

#endif
