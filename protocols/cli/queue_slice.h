/* queue_slice.h - a worker's queue, looked through a slice at a time, for whoever asks by a call.
 * An answer says where to go on, so neither the queue's worker nor the asking one ever has much to keep, and what comes
 * and goes meanwhile does no harm. Messages come in the order of their ids. A queue that is still being read after a start
 * is waited for, but for SLICE_STATS, which says so. */
#ifndef PROTOCOLS_CLI_QUEUE_SLICE_H
#define PROTOCOLS_CLI_QUEUE_SLICE_H

#include "protocols/cli/queue_filter.h"

enum slice_task {
	SLICE_LIST,  /* a line for each message, with its first recipients */
	SLICE_SHOW,  /* one message: a line for it, then one for each recipient */
	SLICE_ORDER, /* something is done with items */
	SLICE_STATS, /* a line for the worker, then one for each destination */
};

struct slice_ask {
	enum slice_task task;
	struct queue_filter filter;
	enum sending_order order;
	struct str via; /* ORDER_MOVE */
	struct str key; /* of the last destination told of: where to go on, unless it is gone */
	uint64_t id;    /* where to go on: 0 at first */
	uint32_t item;  /* in that message, or among destinations; 0: behind it */
	uint32_t most;  /* messages, of a list */
};

struct slice_answer {
	uint64_t id; /* as above, for the next */
	uint32_t item;
	bool last;        /* there is no next */
	uint32_t count;   /* messages listed, items concerned */
	struct str key;   /* of the last destination */
	struct str lines; /* of JSON, for the asker to pass on: {"item": ...} */
};

void slice_ask_pack(const struct slice_ask *a, struct buf *out);
void slice_answer_unpack(struct unpack *u, struct slice_answer *a);

extern const struct call_type slice_calls[]; /* the first is the one */

/* "retry", "hold" ...; false: there is no such order. */
bool slice_order_read(struct str word, enum sending_order *order);

#endif
