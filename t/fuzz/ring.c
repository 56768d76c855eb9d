/* What a worker that has gone mad may leave in a ring: the first byte of the input says how the rest is meant.
 *   even  the ring's memory itself, positions and all but its size
 *   odd   records (a length byte, then so many bytes) that the call engine takes in */
#include "core/call.h"
#include "core/house.h"
#include "core/log.h"
#include "core/worker.h"
#include <stdlib.h>

#define CAPACITY 1024u
#define SIZE_AT  128 /* where a ring keeps its size, which alone is believed */

static void answer(struct worker *w, struct request *rq, struct str args)
{
	(void)w;
	if (rq)
		request_answer(rq, OK, args);
}

static const struct call_type types[] = { { "first", answer }, { "second", answer }, { 0 } };
static const struct call_type *const tables[] = { types, NULL };
const struct house house = { .calls = tables };

static void fuzz_memory(struct str input)
{
	struct ring *r = aligned_alloc(64, ring_bytes(CAPACITY));
	struct str record;
	unsigned sum = 0;

	memset(r, 0, ring_bytes(CAPACITY));
	ring_init(r, CAPACITY);
	memcpy(r, input.p, input.len < SIZE_AT ? input.len : SIZE_AT);
	if (input.len > SIZE_AT) {
		size_t len = input.len - SIZE_AT;

		memcpy((char *)r + ring_bytes(0), input.p + SIZE_AT, len < CAPACITY ? len : CAPACITY);
	}
	for (unsigned i = 0; i < CAPACITY && ring_peek(r, &record); i++) {
		for (size_t k = 0; k < record.len; k++)
			sum += (unsigned char)record.p[k];
		ring_put(r, (struct str){ (char *)&sum, sizeof(sum) }, STR_NONE);
		ring_next(r);
	}
	ring_reset(r);
	if (ring_peek(r, &record) || !ring_put(r, STR("x"), STR_NONE) || !ring_peek(r, &record) || record.len != 1)
		abort();
	free(r);
}

static void on_done(void *user, enum err e, struct str bytes)
{
	(void)user, (void)e, (void)bytes;
}

static void fuzz_records(struct str input)
{
	static struct shm *shm;
	struct worker w = { .directory = -1, .workers = 2 };
	struct str record;

	if (!shm)
		shm = shm_new(2, 0);
	w.shm = shm;
	w.timers = timers_new();
	w.calls = calls_new(&w);
	call_send(&w, 1, &types[0], STR("x"), CALL_DEADLINE_MS, on_done, NULL);
	while (input.len) {
		size_t len = (unsigned char)input.p[0];

		if (len > input.len - 1)
			len = input.len - 1;
		ring_put(shm_ring(shm, 1, 0), str_cut(input, 1, 1 + len), STR_NONE);
		input = str_cut(input, 1 + len, input.len);
		calls_turn(w.calls);
	}
	while (ring_peek(shm_ring(shm, 0, 1), &record))
		ring_next(shm_ring(shm, 0, 1));
	calls_free(w.calls);
	timers_free(w.timers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };

	log_to(-1);
	if (!size)
		return 0;
	if (data[0] % 2)
		fuzz_records(str_cut(input, 1, size));
	else
		fuzz_memory(str_cut(input, 1, size));
	return 0;
}
