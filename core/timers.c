/* timers.c - see timers.h.
 * A binary heap of entries. An entry carries the time and a running number of its own, so that comparing touches no
 * timer, timers of one time fire in the order in which they were started, and timers_run knows what was started
 * since it began.
 * Always: entry i has nothing earlier among its children 2i+1 and 2i+2; entries[i].timer->place == i + 1. */
#include "core/timers.h"
#include "core/mem.h"
#include <assert.h>
#include <stdlib.h>
#include <time.h>

#define ENTRIES_MIN 64

struct entry {
	int64_t at_ms;
	uint64_t number; /* of its start */
	struct timer *timer;
};

struct timers {
	struct entry *entries;
	size_t count, cap;
	uint64_t started; /* numbers given out */
	int64_t now_ms, wall_ms, shift_ms;
};

static int64_t clock_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct timers *timers_new(void)
{
	struct timers *ts = mem_new(struct timers);

	timers_turn(ts);
	return ts;
}

void timers_free(struct timers *ts)
{
	if (!ts)
		return;
	for (size_t i = 0; i < ts->count; i++)
		ts->entries[i].timer->place = 0;
	free(ts->entries);
	free(ts);
}

int64_t timers_now_ms(const struct timers *ts)
{
	return ts->now_ms;
}

int64_t monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t timers_wall_ms(const struct timers *ts)
{
	return ts->wall_ms;
}

void timers_shift(struct timers *ts, int64_t ms)
{
	ts->shift_ms += ms;
	timers_turn(ts);
}

void timers_turn(struct timers *ts)
{
	ts->now_ms = clock_ms(CLOCK_MONOTONIC) + ts->shift_ms;
	ts->wall_ms = clock_ms(CLOCK_REALTIME) + ts->shift_ms;
}

static bool earlier(const struct entry *a, const struct entry *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->number < b->number;
}

static void put(struct timers *ts, size_t at, struct entry e)
{
	ts->entries[at] = e;
	e.timer->place = at + 1;
}

/* Place `at` is free: e goes there, or as far up or down as its time demands. */
static void settle(struct timers *ts, size_t at, struct entry e)
{
	while (at && earlier(&e, &ts->entries[(at - 1) / 2])) {
		put(ts, at, ts->entries[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < ts->count && earlier(&ts->entries[child + 1], &ts->entries[child]))
			child++;
		if (child >= ts->count || !earlier(&ts->entries[child], &e))
			break;
		put(ts, at, ts->entries[child]);
		at = child;
	}
	put(ts, at, e);
}

void timer_start(struct timers *ts, struct timer *t, int64_t ms, void (*fire)(void *user), void *user)
{
	size_t at = t->place - 1;

	t->at_ms = ts->now_ms + (ms > 0 ? ms : 0);
	t->fire = fire;
	t->user = user;
	if (!t->place) {
		if (ts->count == ts->cap) {
			ts->cap = ts->cap ? 2 * ts->cap : ENTRIES_MIN;
			ts->entries = mem_resize(ts->entries, ts->cap * sizeof(*ts->entries));
		}
		at = ts->count++;
	}
	settle(ts, at, (struct entry){ t->at_ms, ts->started++, t });
}

void timer_stop(struct timers *ts, struct timer *t)
{
	size_t at = t->place - 1;

	if (!t->place)
		return;
	assert(ts->entries[at].timer == t);
	t->place = 0;
	if (at < --ts->count)
		settle(ts, at, ts->entries[ts->count]);
}

int64_t timers_next_ms(const struct timers *ts)
{
	int64_t left;

	if (!ts->count)
		return -1;
	left = ts->entries[0].at_ms - (clock_ms(CLOCK_MONOTONIC) + ts->shift_ms);
	return left > 0 ? left : 0;
}

/* What is started meanwhile is due now at the earliest and has a higher number than all that was due before, so
 * once it comes first nothing older is due. */
void timers_run(struct timers *ts)
{
	uint64_t before = ts->started;
	int64_t now_ms = ts->now_ms;

	while (ts->count && ts->entries[0].at_ms <= now_ms && ts->entries[0].number < before) {
		struct timer *t = ts->entries[0].timer;

		timer_stop(ts, t);
		t->fire(t->user);
	}
}
