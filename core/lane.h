/* lane.h - a helper thread that does one kind of blocking work, first in, first out.
 * A job is embedded in its owner's struct. `work` runs in the lane's thread and touches nothing but the job; `done`
 * runs in the loop's thread, when it collects. Lanes of a worker share one eventfd. A lane never drops a job.
 * A wake costs more than many a job, so there are few of them between a loop and lanes that share a bell: a lane writes
 * the eventfd only where the loop said that it sleeps, and a lane is woken once for all that a turn gave it. */
#ifndef CORE_LANE_H
#define CORE_LANE_H

#include "core/err.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane;

struct job {
	void (*work)(struct job *job); /* in the thread */
	void (*done)(struct job *job); /* in the loop; may free the job; NULL is not allowed */
	struct job *next;              /* the lane's */
};

struct bell { /* zeroed: nothing finished, the loop is awake */
	_Atomic bool rung, sleeping;
};

bool bell_sleep(struct bell *b); /* the loop is about to sleep; false: jobs are finished, collect instead */
void bell_wake(struct bell *b);  /* it is awake */
bool bell_heard(struct bell *b); /* whether jobs have finished since this was last asked: collect */

/* wake_fd: an eventfd, written when a job is finished and none was waiting to be collected. */
struct lane *lane_new(const char *name, int wake_fd);
void lane_add(struct lane *l, struct job *job);
/* Before the first job. From then on the loop says that it is about to sleep, and calls lane_wake before that. */
void lane_bell(struct lane *l, struct bell *b);
void lane_wake(struct lane *l); /* if jobs came that it has not been woken for */
/* For what nobody waits for: the lane is not woken for it but by lane_wake_all, or when the next job comes by lane_add.
 * Without a bell it is as lane_add. */
void lane_add_quiet(struct lane *l, struct job *job);
void lane_wake_all(struct lane *l);      /* as lane_wake, for quiet jobs, too */
size_t lane_collect(struct lane *l);     /* runs `done` of finished jobs in their order; answers how many */
size_t lane_depth(const struct lane *l); /* jobs added and not collected */
/* How long a job that was added lately waited for the thread, or waits still, sampled at each call. now_us: monotonic. */
int64_t lane_wait_us(struct lane *l, int64_t now_us);
/* How long the thread has been at the job that it does now, or since that said that it goes on; 0: it does none. */
int64_t lane_stuck_us(const struct lane *l);
void lane_goes_on(struct lane *l); /* in the thread: a job that takes long says that it gets somewhere */
void lane_drain(struct lane *l);   /* waits until every job is done and collected: at a stop, and in tests */
void lane_free(struct lane *l);    /* drains, ends the thread; NULL is fine */

#endif
