/* chore.h - what a worker does besides, a little in each turn of its loop.
 * Whoever has more to do than a turn bears (a million items of a queue to look at, a list to free) embeds a struct chore
 * and starts it with a step: a function that does one small piece, some tens of microseconds long, and starts the chore
 * again if there is more. When a turn has served sockets, lanes, timers and calls, the chores that were started are
 * stepped one after the other, in rounds, until CHORES_US of the turn are over; what is left waits for the next turn,
 * which follows at once. So there is one allowance for all of them, clients come first, and CHORES_LEAST_US are given in
 * any case, so that nothing stands still while clients keep the loop busy.
 * A zeroed struct chore is one that does not run; it lives in its owner's struct. */
#ifndef CORE_CHORE_H
#define CORE_CHORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define CHORES_US       1000 /* of a turn, counted from when it began */
#define CHORES_LEAST_US 250

struct chores;

struct chore {
	TAILQ_ENTRY(chore) link;
	bool runs;
	void (*step)(void *user);
	void *user;
};

struct chores *chores_new(void);
void chores_free(struct chores *cs); /* NULL is fine; those still running just stop */

/* One step, in this turn of the loop or a later one, never from in here. Starting one that runs leaves it where it is. */
void chore_start(struct chores *cs, struct chore *c, void (*step)(void *user), void *user);
void chore_stop(struct chores *cs, struct chore *c);
static inline bool chore_runs(const struct chore *c)
{
	return c->runs;
}

bool chores_wait(const struct chores *cs); /* one was started: the loop does not sleep */
/* began_us: when the turn did, by the monotonic clock. */
void chores_run(struct chores *cs, int64_t began_us);

#endif
