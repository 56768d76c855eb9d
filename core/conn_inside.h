/* conn_inside.h - what conn.c, conn_client.c and conn_turn.c share; nobody else includes it.
 *
 *   socket -> take_in -> in  -> on_input           at most CONN_IN_MAX bytes a turn
 *   socket <- flush   <- out <- conn_write         at the end of the turn, at most SEND_TURN_MAX bytes
 *
 * conn.c and conn_client.c are what users call: they only note what is wanted. conn_turn.c is what the loop calls: it alone reads, writes
 * and runs the user's functions, so these never run inside a function that he calls. A connection that wrote is on
 * the list `dirty` and flushed before the loop sleeps; one whose user is to hear of something (an end, room, input
 * left by a reader that rested) is on the list `due`, worked off by an ev_idle in the next turn. Those that we opened
 * wait in the row `later` for a chore, whatever they are due: thousands that are ready at once are no long turn.
 *
 * Always: (1) `in` holds memory only while input is unread, `out` only while output waits; (2) nothing is read while
 * the reader rests, output is `full`, or the end is near, so what a peer sends stays in the kernel; (3) after conn_end
 * no watcher and no timer runs, and on_end is due or told; (4) `clear_left` is 0 once the handshake has begun. */
#ifndef CORE_CONN_INSIDE_H
#define CORE_CONN_INSIDE_H

#include "core/chore.h"
#include "core/conn.h"
#include "core/slab.h"
#include "core/timers.h"
#include <arpa/inet.h>
#include <ev.h>
#include <sys/queue.h>

#define CONN_BYTES_AIM 336 /* of a quiet connection in clear text; its names come to it, 48 bytes or more */
#define CONN_ID_BYTES  24

LIST_HEAD(conn_list, conn);

struct conns {
	struct worker *worker;
	struct slab slab;        /* of struct conn */
	ev_prepare before_sleep; /* flushes the dirty */
	ev_idle next_turn;       /* attends to the due; runs while there are any, so that the loop does not sleep */
	struct conn_list dirty, due, leaving;
	TAILQ_HEAD(conn_row, conn) later; /* outgoing ones */
	struct chore serving;             /* of later */
	struct conn *telling; /* whose user's function runs just now; NULL: none, or it freed the connection */
	struct buf spare;     /* CONN_IN_MAX of memory, lent to the connection being read */
	const struct proxy_header *introduced; /* conns_introduce */
	uint64_t number;                       /* of connections so far */
	size_t count;                          /* there now */
	struct tls_client *any;                /* of connections of our own; NULL until one wants TLS */
	struct tls_client *verified;           /* the same, of those that verify; NULL until one does */
	uint64_t authorities;                  /* a number that is another one once the file of these is */
};

struct conn {
	struct conns *conns;
	ev_io io;
	struct ssl_st *ssl; /* NULL in clear text */
	char *cipher;       /* what conn_cipher answers; NULL in clear text */
	char *client;       /* whom his certificate names; NULL: nobody */
	const char *reason; /* why it ended; static; NULL: none is known */
	struct buf in, out;
	size_t clear_left; /* bytes of out that were written before TLS */
	const struct conn_events *events;
	void *user;
	struct timer timer;  /* of limit or idle; fires early rather than being moved at each input */
	int64_t limit_ms;    /* when connecting, handshake or closing must be through; 0: none is under way */
	int64_t idle_ms;     /* 0: never */
	int64_t active_ms;   /* when something last moved */
	int64_t quiet_at_ms; /* when on_quiet is due, or a little before; 0: not until the next input */
	uint32_t quiet_ms;   /* 0: never */
	LIST_ENTRY(conn) dirty, due, leaving; /* the last: conn_leave */
	TAILQ_ENTRY(conn) later;
	uint8_t later_events;      /* of the loop; what it waits there for */
	uint8_t read_on, write_on; /* the poll bits that reading and writing wait for: TLS may cross them */
	bool resting : 1;          /* conn_rest */
	bool full : 1;             /* out was over CONN_OUT_MAX and is not yet below its half */
	bool blocked : 1;          /* the socket took less than there was, or is not open yet */
	bool eof : 1;              /* the peer has sent all */
	bool opening : 1;          /* conn_connect is not through */
	bool outgoing : 1;         /* conn_connect made it */
	bool deaf : 1;             /* outgoing: the peer takes no more, but what he said is still to be read */
	bool shaking : 1;          /* the handshake is not through */
	bool closing : 1;          /* conn_close */
	bool lingering : 1;        /* closing, and all is sent */
	bool ended : 1;            /* on_end is due or told */
	bool lent : 1;             /* in is the spare */
	bool input_due : 1;        /* the reader has not seen all of in */
	bool room_due : 1;         /* on_room is to be told */
	bool is_later : 1;
	bool loopback : 1;
	bool careful : 1;  /* conn_careful */
	uint32_t peeked;   /* bytes of in that the socket still holds */
	enum conn_end why; /* if ended */
	char *names;       /* id, peer, here: three texts, each behind the NUL of the one before */
};

_Static_assert(sizeof(struct conn) <= CONN_BYTES_AIM, "an idle connection should stay small");

/* A struct without a socket yet, and who is at both ends of one that is connected. */
struct conn *conn_make(struct worker *w, const struct conn_events *events, void *user);
void conn_note_addresses(struct conn *c);
void conn_name(struct conn *c, const char *id, const char *peer, const char *here); /* copies; they may be its own */
void conn_begin_tls(struct conn *c, struct ssl_st *s); /* a handshake begins behind what is written */

void conn_not_later(struct conn *c); /* it leaves that row, if it is in it */
void conn_unpeek(struct conn *c);    /* what was shown to the reader is taken off the socket */

struct timers *conn_timers(const struct conn *c);
int64_t conn_now_ms(const struct conn *c);
void conn_make_dirty(struct conn *c);
void conn_make_due(struct conn *c);
void conn_halt(struct conn *c); /* no watcher and no timer runs any more, and no list holds it */
/* Halts; on_end is told in the next turn. reason: static, may be NULL. */
void conn_end(struct conn *c, enum conn_end why, const char *reason);
int64_t conn_due_ms(const struct conn *c); /* when that is; -1: never */
void conn_arm(struct conn *c);             /* sees that the timer fires in time for limit or idle */

/* Whether the connection that was begun is open, failed (it is ended then), or still under way. */
enum err conn_opened(struct conn *c);

/* What the loop calls. */
void conn_on_io(struct ev_loop *loop, ev_io *io, int revents);
void conn_on_timer(void *user);
void conn_before_sleep(struct ev_loop *loop, ev_prepare *prepare, int revents);
void conn_next_turn(struct ev_loop *loop, ev_idle *idle, int revents);

#endif
