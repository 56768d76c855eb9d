/* worker_inside.h - what worker.c (the loop, start and stop) and worker_orders.c (what the master says) share. */
#ifndef CORE_WORKER_INSIDE_H
#define CORE_WORKER_INSIDE_H

#include "core/accept.h"
#include "core/orders.h"
#include "core/overload.h"
#include "core/worker.h"
#include <ev.h>

struct body {
	struct worker w; /* first: everyone else knows the body by this address */
	const struct birth *birth;
	struct accepts *accepts; /* NULL once it stops */
	struct ev_io wake, lanes, orders;
	struct ev_timer next;
	struct ev_prepare before;
	struct ev_check after;
	int lanes_fd, log_fd;
	struct bell bell; /* of the lanes */
	struct timer second, limit;
	int64_t slept_us, woke_us; /* when the loop last began to sleep, and woke */
	int64_t used_us;           /* of the processor, when it last began to sleep */
	double lag_us;
	struct strain strain;
	int64_t clock_ms;
	uint64_t stop_number; /* the order to stop, to be answered when no session is left; 0: not told or answered */
	bool ended;
	int status;
};

void worker_orders_begin(struct body *b);
void worker_orders_end(struct body *b);
bool worker_tell(struct body *b, const struct order *o); /* false: the master is gone */

/* worker.c: what orders set going. */
void worker_stop_sessions(struct body *b, uint64_t number);
void worker_settle(struct body *b);
void worker_leave(struct body *b, int status); /* the loop ends after this turn */

#endif
