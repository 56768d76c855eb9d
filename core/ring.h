/* ring.h - a queue of records in shared memory with one producer and one consumer.
 * Lies in memory that both map; a zeroed region of ring_bytes(capacity) with ring_init run on it is an empty ring.
 * A record is seen whole or not at all: a producer killed while it writes leaves no trace. The positions stay where
 * they are when a process dies, so its successor goes on from there. */
#ifndef CORE_RING_H
#define CORE_RING_H

#include "core/str.h"

struct ring;

size_t ring_bytes(size_t capacity);              /* memory for a ring; capacity: a power of two */
void ring_init(struct ring *r, size_t capacity); /* once, by whoever makes the memory */
size_t ring_record_max(const struct ring *r);    /* the longest record that can ever fit */

/* Producer. head and body are written as one record. False: no room now. */
bool ring_put(struct ring *r, struct str head, struct str body);
/* Producer: whether the consumer sleeps and wants its eventfd written; asked after a put; tells true once. */
bool ring_wants_wake(struct ring *r);

/* Consumer: the oldest record, in place; false: none. Valid until ring_next. */
bool ring_peek(struct ring *r, struct str *record);
void ring_next(struct ring *r);
/* Consumer, when ring_peek told false: whether that is because what is in it cannot be understood. */
bool ring_broken(struct ring *r);
/* Consumer: about to sleep. False: a record came meanwhile, do not. */
bool ring_sleep(struct ring *r);
/* Consumer: drops everything, of a broken ring too. Logged by the caller. */
void ring_reset(struct ring *r);

#endif
