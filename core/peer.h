/* peer.h - the two halves of the call engine, and what they share: call.c is the life of a call, peer.c its way to
 * another worker and the answer's way back. Nobody else includes this; call.h is for everyone.
 *   to another worker   WAITING for a credit or room -> UNDER_WAY -> gone
 *   to this worker      TO_RUN -> RUNNING, known by its request -> ANSWERED -> gone */
#ifndef CORE_PEER_H
#define CORE_PEER_H

#include "core/call.h"
#include "core/record.h"
#include "core/worker.h"

#define CREDITS 256 /* calls under way to one peer */

enum stage { WAITING, UNDER_WAY, TO_RUN, RUNNING, ANSWERED };

struct call {
	struct call *next, **link; /* in the queue of its stage */
	struct calls *cs;
	const struct call_type *type; /* NULL: call_later */
	call_done *done;              /* NULL: nobody waits */
	void *user;
	void (*dropped)(void *user); /* of call_steps: nothing else of it is used */
	struct timer deadline;
	enum stage stage;
	bool event;
	unsigned to, deaths;
	uint64_t number;         /* under way; its low bits are the place of its credit */
	struct request *request; /* running */
	struct buf note;         /* of the file that holds the arguments while they wait for room */
	enum err e;
	char *bytes; /* the arguments, then the answer; ours */
	size_t len;
};

struct request {
	struct calls *cs;
	unsigned from;
	uint32_t life;     /* of the asking worker */
	uint64_t number;   /* its call's */
	struct call *call; /* local ones: who waits; NULL: nobody any more */
};

struct queue {
	struct call *first, **last;
	size_t count;
};

struct credit {
	uint64_t number;   /* of the call that holds it; 0: free */
	uint32_t life;     /* of the peer that was asked */
	struct call *call; /* NULL: nobody waits */
	int64_t left_ms;   /* since when */
};

struct parcel;

struct peer {
	unsigned worker;
	struct ring *in, *out;
	uint32_t life;
	bool wake;                              /* something was put since the peer was woken last */
	struct parcel *parcels, **parcels_last; /* answers and events that wait for room */
	size_t event_bytes;                     /* of the events among them */
	struct queue waiting;
	struct credit credits[CREDITS];
	uint8_t free[CREDITS]; /* places of free credits */
	unsigned frees;
	uint64_t serial;
};

struct calls {
	struct worker *w;
	uint32_t life;
	const struct call_type **types; /* all that the house lists; a record names one by its place */
	uint32_t type_count;
	struct queue to_run, answered;
	bool asleep;
	struct timer tick, room;
	struct name name;
	uint64_t files; /* names given */
	size_t open;
	struct peer peers[]; /* that of this worker is not used */
};

void queue_clear(struct queue *q);
void queue_insert(struct queue *q, struct call **link, struct call *c); /* before what *link points to */
void queue_remove(struct queue *q, struct call *c);
static inline void queue_add(struct queue *q, struct call *c)
{
	queue_insert(q, q->last, c);
}

/* call.c */
void calls_stir(struct calls *cs); /* there is something to do, though the loop may have been told that it can sleep */
uint32_t calls_life(const struct calls *cs, unsigned worker);
uint32_t calls_type(const struct calls *cs, const struct call_type *type); /* its place */
void calls_handle(struct calls *cs, uint32_t type, struct request *rq, struct str args);
struct request *request_new(struct calls *cs, unsigned from);
void call_free(struct call *c);                                  /* in no queue, without a credit */
void call_finish(struct call *c, enum err e, struct str answer); /* the same; runs done */
void call_answer(struct call *c, enum err e, struct str answer); /* the same; done runs in a later turn */

/* peer.c */
void peer_init(struct peer *p, struct calls *cs, unsigned worker);
void peer_end(struct peer *p);
/* False: no credit or no room, c stays as it is. Otherwise it is under way, or answered since it never can be. */
bool peer_send(struct peer *p, struct calls *cs, struct call *c);
void peer_leave(struct peer *p, struct calls *cs, struct call *c); /* c is under way, and nobody waits any more */
/* An answer or an event: leaves now or, in its order, when there is room. What cannot be filed is an error. */
enum err peer_post(struct peer *p, struct calls *cs, struct record *r);
void peer_in(struct peer *p, struct calls *cs);    /* notes its death, takes in what came */
void peer_out(struct peer *p, struct calls *cs);   /* sends what waits, wakes it */
bool peer_sleep(struct peer *p, struct calls *cs); /* false: something came */
void peer_tick(struct peer *p, struct calls *cs);  /* once a second */

#endif
