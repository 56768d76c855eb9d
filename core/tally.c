/* tally.c - see tally.h. */
#include "core/tally.h"
#include <assert.h>
#include <openssl/siphash.h>
#include <stdalign.h>

#define SETS 8192
#define WAYS 8

#define WINDOW_BITS 24 /* of a rate: number of its period | so many in it | so many in the one before */
#define COUNT_BITS  20
#define COUNT_MAX   ((1u << COUNT_BITS) - 1)

_Static_assert(COUNT_MAX > TALLY_MAX, "a count must be able to exceed a limit");

struct tally {
	alignas(64) _Atomic uint64_t open[TALLY_OPENS]; /* generation of the writer's life << 32 | count */
	_Atomic uint64_t rates[TALLY_RATES];
	_Atomic uint64_t once_ms, used_ms;
};

struct tally_table {
	alignas(64) _Atomic uint64_t keys[SETS][WAYS]; /* 0: free */
	struct tally tallies[SETS][WAYS];
};

_Static_assert(sizeof(struct tally) == 64, "a tally is a cache line");

size_t tally_table_bytes(void)
{
	return sizeof(struct tally_table);
}

uint64_t tally_key(struct shm *shm, char kind, struct str what)
{
	uint64_t seed[2] = { shm_seed(shm)[0], shm_seed(shm)[1] ^ (uint64_t)(unsigned char)kind };
	uint64_t key = SIPHASH_24(seed, (const uint8_t *)what.p, what.len);

	return key ? key : 1;
}

/* --- finding ----------------------------------------------------------------------------------------------------- */

static struct tally *find(struct tally_table *table, uint64_t key)
{
	_Atomic uint64_t *keys = table->keys[key % SETS];

	for (unsigned i = 0; i < WAYS; i++)
		if (keys[i] == key)
			return &table->tallies[key % SETS][i];
	return NULL;
}

static uint32_t open_now(uint64_t word, uint32_t life)
{
	return (uint32_t)(word >> 32) == life ? (uint32_t)word : 0;
}

static bool holds(const struct tally *t, uint32_t life)
{
	for (unsigned i = 0; i < TALLY_OPENS; i++)
		if (open_now(t->open[i], life))
			return true;
	return false;
}

/* The key goes first and comes last: whoever reads meanwhile, and whoever comes after our death, finds a free place. */
static void replace(struct tally_table *table, uint64_t key, unsigned way)
{
	struct tally *t = &table->tallies[key % SETS][way];

	table->keys[key % SETS][way] = 0;
	for (unsigned i = 0; i < TALLY_OPENS; i++)
		t->open[i] = 0;
	for (unsigned i = 0; i < TALLY_RATES; i++)
		t->rates[i] = 0;
	t->once_ms = 0;
	t->used_ms = 0;
	table->keys[key % SETS][way] = key;
}

struct tally *tally_of(struct shm *shm, unsigned worker, uint64_t key, int64_t now_ms)
{
	struct tally_table *table = shm_tallies(shm, worker);
	uint32_t life = shm_slot(shm, worker)->generation;
	struct tally *t = find(table, key), *set = table->tallies[key % SETS];
	unsigned best = WAYS;

	for (unsigned i = 0; !t && i < WAYS; i++) {
		if (!table->keys[key % SETS][i]) {
			best = i;
			break;
		}
		if (!holds(&set[i], life) && (best == WAYS || set[i].used_ms < set[best].used_ms))
			best = i;
	}
	if (!t && best == WAYS)
		return NULL;
	if (!t) {
		replace(table, key, best);
		t = &set[best];
	}
	t->used_ms = (uint64_t)now_ms;
	return t;
}

/* --- counting ---------------------------------------------------------------------------------------------------- */

void tally_hold(struct shm *shm, unsigned worker, struct tally *t, enum tally_open what, int by)
{
	uint32_t life = shm_slot(shm, worker)->generation;
	uint32_t count = open_now(t->open[what], life);

	assert(by > 0 || count);
	t->open[what] = (uint64_t)life << 32 | (count + (uint32_t)by);
}

struct rate {
	uint64_t window;
	uint32_t now, before;
};

static uint64_t window_of(int64_t now_ms, int64_t period_ms)
{
	return (uint64_t)(now_ms / period_ms) & ((1u << WINDOW_BITS) - 1);
}

/* A word as it is to be read in the period `window`. */
static struct rate rate_in(uint64_t word, uint64_t window)
{
	struct rate r = { word >> (2 * COUNT_BITS), (uint32_t)(word >> COUNT_BITS) & COUNT_MAX,
		(uint32_t)word & COUNT_MAX };

	if (r.window == window)
		return r;
	if (((r.window + 1) & ((1u << WINDOW_BITS) - 1)) == window)
		return (struct rate){ window, 0, r.now };
	return (struct rate){ window, 0, 0 };
}

uint32_t tally_add(struct tally *t, enum tally_rate what, int64_t now_ms, int64_t period_ms)
{
	struct rate r = rate_in(t->rates[what], window_of(now_ms, period_ms));

	if (r.now < COUNT_MAX)
		r.now++;
	t->rates[what] = r.window << (2 * COUNT_BITS) | (uint64_t)r.now << COUNT_BITS | r.before;
	return r.now;
}

/* --- sums -------------------------------------------------------------------------------------------------------- */

uint64_t tally_open(struct shm *shm, uint64_t key, enum tally_open what)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < shm_workers(shm); i++) {
		struct tally *t = find(shm_tallies(shm, i), key);

		if (t)
			sum += open_now(t->open[what], shm_slot(shm, i)->generation);
	}
	return sum;
}

uint64_t tally_rate(struct shm *shm, uint64_t key, enum tally_rate what, int64_t now_ms, int64_t period_ms)
{
	uint64_t window = window_of(now_ms, period_ms), now = 0, before = 0;
	uint64_t left_ms = (uint64_t)(period_ms - now_ms % period_ms);

	for (unsigned i = 0; i < shm_workers(shm); i++) {
		struct tally *t = find(shm_tallies(shm, i), key);
		struct rate r = t ? rate_in(t->rates[what], window) : (struct rate){ 0 };

		now += r.now;
		before += r.before;
	}
	return now + before * left_ms / (uint64_t)period_ms;
}

bool tally_once(struct shm *shm, uint64_t key, struct tally *t, int64_t now_ms, int64_t every_ms)
{
	for (unsigned i = 0; i < shm_workers(shm); i++) {
		struct tally *other = find(shm_tallies(shm, i), key);
		uint64_t once_ms = other ? other->once_ms : 0;

		if (once_ms && (uint64_t)now_ms < once_ms + (uint64_t)every_ms)
			return false;
	}
	t->once_ms = (uint64_t)now_ms;
	return true;
}
