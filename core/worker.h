/* worker.h - one single-threaded process of the server: a libev loop, its timers, its four lanes, its calls.
 * Everything a protocol or the store needs of the process hangs off struct worker. The fields are read freely and
 * changed by worker.c alone. */
#ifndef CORE_WORKER_H
#define CORE_WORKER_H

#include "core/call.h"
#include "core/lane.h"
#include "core/settings.h"
#include "core/shm.h"
#include "core/timers.h"

struct ev_loop;
struct conns;
struct tls;
struct service;
struct store;

struct worker {
	struct ev_loop *loop;
	struct timers *timers;
	struct calls *calls;
	struct conns *conns; /* what conn.c keeps per worker (conn.h) */
	struct shm *shm;
	unsigned slot, workers; /* this one, of so many */
	struct conf *conf;      /* in force now; conf_ref it to keep it */
	struct tls *tls;        /* in force now; NULL without a certificate */
	struct lane *journal, *files, *index, *slow;
	int directory;            /* the store's, open: everything is opened relative to it */
	bool stopping;            /* no new sessions; those there say good-bye when they may */
	struct store *store;      /* storage's state in this worker, made by the house's worker_start */
	struct session *sessions; /* every open session, newest first (service.h) */
};

/* Wall clock in ms, UTC, as of this turn of the loop, moved with the scratch server's clock. */
int64_t worker_wall_ms(const struct worker *w);

/* The body of a worker process: returns its exit status. orders: the socket that the master's orders come by. */
int worker_run(struct shm *shm, unsigned slot, struct conf *conf, int orders);

#endif
