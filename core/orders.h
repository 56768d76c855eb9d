/* orders.h - what master and workers tell each other: one datagram per order over a SOCK_SEQPACKET pair, with a
 * descriptor where one belongs to it. Orders are few and short; whoever does not take them in is as good as dead. */
#ifndef CORE_ORDERS_H
#define CORE_ORDERS_H

#include "core/err.h"
#include "core/str.h"

#define ORDER_TEXT_MAX (16u << 10) /* longer text is cut */

enum order_kind {
	/* to a worker; where number is not 0 it answers ORDER_DONE when that is so */
	ORDER_LISTEN = 1, /* also here: text is role, line end, address; fd listens */
	ORDER_UNLISTEN,   /* no more: text likewise */
	ORDER_LOG,        /* fd is the log from now on */
	ORDER_RELOAD,     /* fd is a sealed memfd: packed text of the configuration, certificates (certs.h) */
	ORDER_CERTS,      /* fd is a sealed memfd: packed certificates */
	ORDER_CLOCK,      /* the clock is moved by value ms in all */
	ORDER_STOP,       /* no new sessions, farewell to those there are; done when none is left */
	ORDER_END,        /* settle and exit */
	ORDER_TELL,       /* what came of the question of this number: e, text */
	/* to the master */
	ORDER_SERVING,    /* ready for connections */
	ORDER_DONE,       /* number: of the order that was carried out */
	ORDER_ASK_CLOCK,  /* move the clock by value ms; number: the question's */
	ORDER_ASK_RELOAD, /* read the configuration again */
	ORDER_ASK_STOP,   /* stop the server */
};

struct order {
	enum order_kind kind;
	enum err e;
	uint64_t number;
	int64_t value;
	struct str text;
	int fd; /* -1: none. Sent ones stay the sender's, received ones are the receiver's */
};

#define ORDER(k, ...)               ((struct order){ .kind = (k), .fd = -1, ##__VA_ARGS__ })
#define ORDER_WITH(k, with_fd, ...) ((struct order){ .kind = (k), .fd = (with_fd), ##__VA_ARGS__ })

/* A pair of sockets, non-blocking, closed on exec. */
enum err orders_pair(int ends[2]);

/* False: the other side is gone or takes nothing in. */
bool order_send(int socket, const struct order *o);

enum order_came { ORDER_CAME, ORDER_NONE, ORDER_GONE };

/* bytes: room for the text, ORDER_TEXT_MAX. What makes no sense is passed over. */
enum order_came order_receive(int socket, struct order *o, char *bytes);

#endif
