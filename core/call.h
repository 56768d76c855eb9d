/* call.h - asking the worker that owns something, wherever it is.
 * A call has a type, bytes for arguments, a deadline, and an answer that is an event of a later turn of the loop:
 * `done` never runs inside call_send. The owner may be this worker or another (the call then travels through the
 * rings); the caller cannot tell. Every call is answered exactly once: by the owner, or with ERR_AGAIN when the
 * deadline passes or the owner died twice under it (after the first death it is sent again to the new life, so
 * whatever a call changes must bear a name, name_next, by which the owner knows a second try). A call that is
 * cancelled still runs at its owner; only the answer is dropped.
 *
 * At most 256 calls to a peer are under way; more wait here in their order. Bytes up to 64 KiB, with two workers 256,
 * travel in the ring, longer ones (to CALL_BYTES_MAX) as a file under the run directory, unlinked by the reader. */
#ifndef CORE_CALL_H
#define CORE_CALL_H

#include "core/err.h"
#include "core/pack.h"

struct worker;
struct call;
struct request;

#define CALL_BYTES_MAX   (64u << 20)
#define CALL_DEADLINE_MS 30000

/* One row per type of call; the house lists the tables of all (house.h). */
struct call_type {
	const char *name; /* for logs and traces; NULL ends a table */
	/* Runs at the owner, in its loop. Answers by request_answer, now or in a later turn, exactly once.
	 * `args` is valid until the handler returns. */
	void (*handle)(struct worker *w, struct request *rq, struct str args);
};

/* done: `answer` is empty unless the owner sent bytes with it; valid until done returns. The call is gone by then. */
typedef void call_done(void *user, enum err e, struct str answer);

/* deadline_ms: from now, by the worker's clock. args are copied. */
struct call *call_send(struct worker *w, unsigned to, const struct call_type *type, struct str args,
	int64_t deadline_ms, call_done *done, void *user);
void call_cancel(struct call *c); /* its done will not run; NULL is fine */

/* Runs `run` in a later turn of this worker's loop, as an answered call would; cancelled by call_cancel. */
struct call *call_later(struct worker *w, call_done *run, void *user);

/* The handle of what takes several steps, given to the caller while one thing is asked after another: call_cancel
 * runs dropped(user), which gives up the step under way and frees what was kept. When the last step is through its maker
 * says call_steps_end, then tells the caller in his own way; dropped does not run. */
struct call *call_steps(void (*dropped)(void *user), void *user);
void call_steps_end(struct call *c);

/* Nobody answers an event: types whose handler needs no request get rq NULL. May be lost when the reader dies. */
void event_send(struct worker *w, unsigned to, const struct call_type *type, struct str bytes);

/* Where a request came from: the slot of the asking worker. */
unsigned request_from(const struct request *rq);
void request_answer(struct request *rq, enum err e, struct str answer);

/* A name no other call ever had: random bits of this worker's life, then a count. */
struct name {
	uint64_t life, number;
};
struct name name_next(struct worker *w);

/* The worker's engine (worker.c alone calls these). */
struct calls;
struct calls *calls_new(struct worker *w);
void calls_turn(struct calls *cs);            /* takes in records, sends what waits, runs local calls */
bool calls_sleep(struct calls *cs);           /* before the loop sleeps: false, there is more to do */
void calls_wake(struct calls *cs);            /* the loop woke */
size_t calls_waiting(const struct calls *cs); /* made here and not answered yet */
void calls_free(struct calls *cs);            /* no done runs any more; NULL is fine */

#endif
