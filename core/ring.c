/* ring.c - see ring.h.
 * Positions count the bytes ever put and taken; their low bits are the place in `bytes`. A record is its length in
 * eight bytes and then its content, rounded up to eight, and never broken at the end of the memory: where it would
 * not fit there, the length SKIP leads to the beginning.
 * Always: (1) taken <= put <= taken + capacity; (2) bytes between them are whole records; (3) put moves only after the
 * record is written. The memory is shared with a process that may have gone mad, so the consumer believes no length
 * that leads beyond what was put, and what it has checked it reads no second time. */
#include "core/ring.h"
#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>

#define UNIT 8u /* records begin at multiples of it; also the bytes of a length */
#define SKIP UINT64_MAX

struct ring {
	alignas(64) _Atomic uint64_t put;   /* the producer's line */
	alignas(64) _Atomic uint64_t taken; /* the consumer's line */
	uint64_t peeked;                    /* where the record that ring_peek showed ends */
	_Atomic uint32_t sleeping;          /* set by the consumer before it sleeps, cleared by who wakes it */
	alignas(64) uint64_t capacity;
	alignas(64) char bytes[];
};

enum look { EMPTY, RECORD, BROKEN };

static uint64_t rounded(uint64_t len)
{
	return (len + UNIT - 1) & ~(uint64_t)(UNIT - 1);
}

/* A sane position is rounded already. */
static uint64_t position(const _Atomic uint64_t *where, memory_order order)
{
	return rounded(atomic_load_explicit(where, order));
}

size_t ring_bytes(size_t capacity)
{
	return sizeof(struct ring) + capacity;
}

void ring_init(struct ring *r, size_t capacity)
{
	assert(capacity >= 64 && !(capacity & (capacity - 1)));
	r->capacity = capacity;
}

/* Half of the memory: in an empty ring one of the two stretches before and behind the position is that long. */
size_t ring_record_max(const struct ring *r)
{
	return r->capacity / 2 - UNIT;
}

bool ring_put(struct ring *r, struct str head, struct str body)
{
	uint64_t put = position(&r->put, memory_order_relaxed);
	uint64_t used = put - position(&r->taken, memory_order_acquire);
	uint64_t at = put & (r->capacity - 1), to_end = r->capacity - at;
	uint64_t len = head.len + body.len, size = UNIT + rounded(len), skip = size > to_end ? to_end : 0;

	assert(len <= ring_record_max(r));
	if (used > r->capacity || r->capacity - used < skip + size)
		return false;
	if (skip) {
		memcpy(r->bytes + at, &(uint64_t){ SKIP }, UNIT);
		at = 0;
	}
	memcpy(r->bytes + at, &len, UNIT);
	if (head.len)
		memcpy(r->bytes + at + UNIT, head.p, head.len);
	if (body.len)
		memcpy(r->bytes + at + UNIT + head.len, body.p, body.len);
	atomic_store_explicit(&r->put, put + skip + size, memory_order_release);
	return true;
}

/* Producer and consumer each write one word and then read the other's, `put` here and `sleeping` in ring_sleep. All
 * four are sequentially consistent (adding nothing counts as writing), so at least one of the two sees the other. */
bool ring_wants_wake(struct ring *r)
{
	atomic_fetch_add(&r->put, 0);
	return atomic_load(&r->sleeping) && atomic_exchange(&r->sleeping, 0);
}

bool ring_sleep(struct ring *r)
{
	atomic_store(&r->sleeping, 1);
	if (position(&r->put, memory_order_seq_cst) == position(&r->taken, memory_order_relaxed))
		return true;
	atomic_store_explicit(&r->sleeping, 0, memory_order_relaxed);
	return false;
}

static uint64_t length_at(const struct ring *r, uint64_t at)
{
	uint64_t len;

	memcpy(&len, r->bytes + at, UNIT);
	return len;
}

/* What lies at the consumer's position; *end is where it ends. */
static enum look look(const struct ring *r, struct str *record, uint64_t *end)
{
	uint64_t taken = position(&r->taken, memory_order_relaxed);
	uint64_t used = position(&r->put, memory_order_acquire) - taken;
	uint64_t at = taken & (r->capacity - 1), len;

	if (!used)
		return EMPTY;
	if (used > r->capacity)
		return BROKEN;
	len = length_at(r, at);
	if (len == SKIP) {
		uint64_t to_end = r->capacity - at;

		if (used < to_end + UNIT)
			return BROKEN;
		taken += to_end;
		used -= to_end;
		at = 0;
		len = length_at(r, at);
	}
	if (len > ring_record_max(r) || UNIT + rounded(len) > used || UNIT + rounded(len) > r->capacity - at)
		return BROKEN;
	*record = (struct str){ r->bytes + at + UNIT, len };
	*end = taken + UNIT + rounded(len);
	return RECORD;
}

bool ring_peek(struct ring *r, struct str *record)
{
	if (atomic_load_explicit(&r->sleeping, memory_order_relaxed)) /* we are awake: nobody need write the eventfd */
		atomic_store_explicit(&r->sleeping, 0, memory_order_relaxed);
	return look(r, record, &r->peeked) == RECORD;
}

void ring_next(struct ring *r)
{
	atomic_store_explicit(&r->taken, r->peeked, memory_order_release);
}

bool ring_broken(struct ring *r)
{
	struct str record;
	uint64_t end;

	return look(r, &record, &end) == BROKEN;
}

void ring_reset(struct ring *r)
{
	atomic_store_explicit(&r->taken, position(&r->put, memory_order_acquire), memory_order_release);
}
