/* timers.h - things to do at a time of the worker's clock, in a heap.
 * The clock is the worker's: monotonic milliseconds plus a shift that tests may move, and with it whatever is due
 * then. A zeroed struct timer is one that does not run; it lives in its owner's struct. */
#ifndef CORE_TIMERS_H
#define CORE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timers;

struct timer {
	int64_t at_ms;
	size_t place; /* in the heap, counted from 1; 0: not running */
	void (*fire)(void *user);
	void *user;
};

struct timers *timers_new(void);
void timers_free(struct timers *ts); /* NULL is fine; those still running just stop */

int64_t monotonic_us(void); /* not shifted, from any thread: how long something took */

int64_t timers_now_ms(const struct timers *ts);   /* monotonic, shifted */
int64_t timers_wall_ms(const struct timers *ts);  /* since 1970, UTC, shifted */
void timers_shift(struct timers *ts, int64_t ms); /* the clock jumps */

/* Reads the clock: in each turn of the loop, once it has woken and before it serves anything (an ev_check), so that
 * input is not taken to have come when the sleep began. */
void timers_turn(struct timers *ts);

/* Fires once, `ms` from now; starting a running timer moves it. */
void timer_start(struct timers *ts, struct timer *t, int64_t ms, void (*fire)(void *user), void *user);
void timer_stop(struct timers *ts, struct timer *t);
static inline bool timer_runs(const struct timer *t)
{
	return t->place > 0;
}

int64_t timers_next_ms(const struct timers *ts); /* until the first is due; 0: one is due; -1: none runs */
void timers_run(struct timers *ts);              /* fires what is due; what those start waits for the next turn */

#endif
