/* master_inside.h - what the files of the master share: master.c (start, loop, signals, stop), children.c (workers
 * are forked, watched and buried), reload.c (a configuration comes into force), renewal.c (new certificates do), handover.c (a new program takes over). */
#ifndef CORE_MASTER_INSIDE_H
#define CORE_MASTER_INSIDE_H

#include "core/certs.h"
#include "core/listen.h"
#include "core/log.h"
#include "core/orders.h"
#include "core/shm.h"
#include "core/worker.h"

struct child {
	pid_t pid;        /* 0: none runs */
	int orders;       /* our end; -1: none */
	bool serving;     /* it said so */
	bool ending;      /* it was ordered to */
	unsigned early;   /* deaths in a row, each soon after the start */
	int64_t start_ms; /* when it is to be started; 0: not */
	int64_t started_ms;
	int64_t turned_ms; /* what its slot said when last looked at */
	unsigned stale;    /* looks in a row that found the same */
	uint64_t owes;     /* the number of the order it has not carried out yet; 0: none */
};

/* A change that every worker has to take up before whoever asked is told. One at a time, others wait. */
struct change {
	uint64_t number; /* 0: none under way */
	unsigned asker;  /* slot; NOBODY: a signal */
	uint32_t asker_life;
	uint64_t question; /* the asker's number */
	enum err e;
	struct buf text;
};

#define NOBODY    WORKERS_MAX
#define ASKED_MAX 64

struct asked { /* waits for its turn */
	enum order_kind kind;
	unsigned asker;
	uint32_t asker_life;
	uint64_t question;
	int64_t value;
};

enum master_state { STARTING, SERVING, STOPPING, ENDING };

struct master {
	const char *conf_path;
	char **argv;
	char *program; /* where our own program lies, for the hand-over */
	enum master_state state;
	int64_t state_ms;     /* since when */
	int status;           /* to exit with */
	struct conf *conf;    /* in force */
	struct tls *tls;      /* in force; NULL without a certificate */
	struct certs certs;   /* what it is made of */
	uint64_t certs_tried; /* certs_stamp of the files as they were last read */
	uint64_t certs_seen;  /* and last looked at */
	int64_t warned_day;   /* when certificates that end were last warned of; since 1970 */
	uint8_t ticket_key[TLS_TICKET_KEY_BYTES];
	struct owner owner;
	int directory, lock, log_fd, signals;
	struct listeners listeners;
	struct shm *shm;
	struct child children[WORKERS_MAX];
	unsigned workers;
	int64_t clock_ms;
	uint64_t orders; /* numbers given */
	struct change change;
	struct asked asked[ASKED_MAX];
	unsigned asked_count;
	pid_t successor;    /* the new program, while and after it gets ready; 0: none */
	int successor_talk; /* -1: none */
	int64_t successor_ms;
	bool handed_over;     /* the sockets are the successor's now */
	int predecessor_talk; /* -1: started afresh */
};

int64_t master_now_ms(void);                                                 /* monotonic */
void master_log_lines(enum level level, const char *what, struct str lines); /* one log line each */
void master_state(struct master *m, enum master_state state);
bool master_told_to_end(struct master *m, int wait_ms); /* waits so long for TERM or INT; SIGCHLD ends the wait too */
void manager_tell(const char *fmt, ...)
	__attribute__((format(printf, 1, 2))); /* the service manager, if there is one */

/* children.c */
bool child_fork(
	struct master *m, pid_t *pid);       /* in the child: true, signals as at birth, nothing of the master's open */
enum err children_recover(struct master *m); /* the store settles in a process of its own */
void children_start_due(struct master *m);
void children_bury(struct master *m);                         /* after SIGCHLD */
void children_look(struct master *m);                         /* once a second: are they alive? */
void children_order(struct master *m, const struct order *o); /* each; whoever does not take it is killed */
bool children_all_done(const struct master *m);               /* no one owes anything */
bool children_any(const struct master *m);
bool children_all_serving(const struct master *m);
void child_kill(struct master *m, unsigned slot, int signal);

/* reload.c */
int reload_open_log(const struct conf *conf, struct buf *why); /* -1: cannot */
void reload_log(struct master *m);                             /* USR1 */
void change_ask(struct master *m, const struct asked *asked);  /* a reload, or the clock moves, when it is its turn */
void change_turn(struct master *m);                            /* ends the one under way, begins the next */

int reload_seal(const struct buf *packed, struct buf *why); /* a memfd for the workers; -1: cannot */

/* renewal.c */
void renewal_look(struct master *m); /* once a second: are certificates' files others than before? */
void renewal_warn(struct master *m); /* of certificates that end soon */

/* handover.c */
void handover_begin(struct master *m);                         /* USR2 */
void handover_heard(struct master *m);                         /* successor_talk is readable */
void handover_look(struct master *m);                          /* once a second */
bool handover_buried(struct master *m, pid_t pid, int status); /* true: it was the successor */
void handover_inherit(struct master *m);                       /* at the start: what a predecessor left to us */
bool handover_ready(struct master *m);                         /* tells the predecessor to stop; false: it is gone */

#endif
