/* order.h - a queue's messages by id: found, and looked at in their order.
 * Nearly all come in their order and go in about the same, so they stand in sorted blocks of a few hundred, the
 * blocks in a sorted row. */
#ifndef STORAGE_QUEUE_ORDER_H
#define STORAGE_QUEUE_ORDER_H

#include "storage/queue/queue.h"

struct order { /* a zeroed one is empty */
	struct order_block **blocks;
	size_t count, cap;
};

void order_add(struct order *o, struct queue_message *m); /* its id is not in it */
bool order_remove(struct order *o, uint64_t id);          /* false: it was not there */
struct queue_message *order_find(const struct order *o, uint64_t id);
struct queue_message *order_after(const struct order *o, uint64_t id); /* the first of a greater id */
struct queue_message *order_pop(struct order *o);                      /* takes out the last; NULL: it is empty */
void order_free(struct order *o);                                      /* not the messages */

#endif
