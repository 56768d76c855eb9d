/* lane.h - a helper thread that does one kind of blocking work, first in, first out.
 * A job is embedded in its owner's struct. `work` runs in the lane's thread and touches nothing but the job; `done`
 * runs in the loop's thread, when it collects. Lanes of a worker share one eventfd. A lane never drops a job. */
#ifndef CORE_LANE_H
#define CORE_LANE_H

#include "core/err.h"
#include <stddef.h>

struct lane;

struct job {
	void (*work)(struct job *job); /* in the thread */
	void (*done)(struct job *job); /* in the loop; may free the job; NULL is not allowed */
	struct job *next;              /* the lane's */
};

/* wake_fd: an eventfd, written when a job is finished and none was waiting to be collected. */
struct lane *lane_new(const char *name, int wake_fd);
void lane_add(struct lane *l, struct job *job);
size_t lane_collect(struct lane *l);     /* runs `done` of finished jobs in their order; answers how many */
size_t lane_depth(const struct lane *l); /* jobs added and not collected */
void lane_drain(struct lane *l);         /* waits until every job is done and collected: at a stop, and in tests */
void lane_free(struct lane *l);          /* drains, ends the thread; NULL is fine */

#endif
