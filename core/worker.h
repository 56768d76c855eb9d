/* worker.h - one single-threaded process of the server: a libev loop, its timers, its chores, its lanes, its calls.
 * Everything a protocol or the store needs of the process hangs off struct worker. The fields are read freely and
 * changed by worker.c alone. */
#ifndef CORE_WORKER_H
#define CORE_WORKER_H

#include "core/call.h"
#include "core/chore.h"
#include "core/lane.h"
#include "core/settings.h"
#include "core/shm.h"
#include "core/timers.h"

struct ev_loop;
struct aliases;
struct asks;
struct conns;
struct dns;
struct limits;
struct queue;
struct sending;
struct tls;
struct service;
struct store;

struct worker {
	struct ev_loop *loop;
	struct timers *timers;
	struct chores *chores;
	struct calls *calls;
	struct conns *conns;   /* what conn.c keeps per worker (conn.h) */
	struct limits *limits; /* what limit.c keeps per worker (limit.h); NULL: nothing is limited */
	struct shm *shm;
	unsigned slot, workers; /* this one, of so many */
	struct conf *conf;      /* in force now; conf_ref it to keep it */
	struct tls *tls;        /* in force now; NULL without a certificate */
	struct lane *journal, *files, *index, *slow;
	struct lane *sync;   /* syncs of the journal that nobody's answer waits for */
	int directory;       /* the store's, open: everything is opened relative to it */
	bool stopping;       /* no new sessions; those there say good-bye when they may */
	struct store *store; /* storage's state in this worker, made by the house's worker_start */
	struct dns *dns;     /* the resolver's, made there as well (dns/resolve.h) */
	struct aliases
		*aliases; /* names of files in the form of aliases(5), made there as well (storage/route/aliases.h) */
	struct queue *queue;      /* what waits to leave, made there as well (storage/queue/queue.h) */
	struct sending *sending;  /* and when it goes (protocols/sending/sending.h) */
	struct session *sessions; /* every open session, newest first (service.h) */
	struct asks *asks;        /* what the master was asked (worker.c's) */
};

/* Wall clock in ms, UTC, as of this turn of the loop, moved with the scratch server's clock. */
int64_t worker_wall_ms(const struct worker *w);

/* What a worker process is born with: made by the master, inherited over the fork. */
struct listeners;
struct birth {
	struct shm *shm;
	unsigned slot;
	struct conf *conf;
	struct tls *tls; /* NULL: none */
	const uint8_t *ticket_key;
	const struct listeners *listeners;
	int directory, log_fd;
	int orders;       /* the socket by which the master is heard */
	int64_t clock_ms; /* how far the clock was moved */
};

/* The body of a worker process: returns its exit status. */
int worker_run(const struct birth *birth);

/* Asking the master. done runs in a later turn, when every worker has taken it up: ERR_DENIED if this server does
 * not permit it, and with text, a line each, whatever there is to say (why a reload failed, what it changes). One
 * who goes away first cancels by his `user`. */
void worker_ask_clock(struct worker *w, int64_t shift_ms, call_done *done, void *user); /* scratch servers only */
void worker_ask_reload(struct worker *w, call_done *done, void *user);
void worker_ask_stop(struct worker *w, call_done *done, void *user); /* done: the stop has begun */
void worker_ask_cancel(struct worker *w, void *user);

#endif
