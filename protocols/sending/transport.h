/* transport.h - what carries messages: SMTP and LMTP (protocols/smtp_client), delivery to accounts here, programs.
 * A transport opens sessions to a destination. A session that is ready takes a transaction (RFC 5321, 3.3), tells of each of its recipients what
 * became of it, ends the transaction, and takes the next; without one it may stay for a while, to be told when there is more, and
 * ends itself. A session that never gets ready says so, and all that waits for the destination waits longer.
 * A session runs from the loop; it never calls back from inside open or more. */
#ifndef PROTOCOLS_TRANSPORT_H
#define PROTOCOLS_TRANSPORT_H

#include "protocols/sending/sending.h"
#include "storage/route/next_hop.h"

struct sending_session;   /* one open session, as sending knows it */
struct transport_session; /* the same as its transport knows it */

struct transport {
	/* Opens a session; it lives until it says sending_over. hop lives as long as the session. Cannot fail: what goes
	 * wrong is told later. */
	struct transport_session *(*open)(struct worker *w, struct sending_session *s, const struct next_hop *hop);
	void (*more)(struct transport_session *t); /* it idles, and there is something again */
	void (*end)(struct transport_session *t);  /* at once; it does not say sending_over any more */
};
extern const struct transport smtp_transport, local_transport, pipe_transport; /* LMTP is smtp_transport's, too */

struct transaction { /* a message for some recipients, all of one next hop */
	struct queue_copy *copy;
	size_t count;
	struct transaction_recipient {
		struct queue_item *item;                 /* sending's */
		const struct queue_recipient *recipient; /* of copy */
		bool told;
	} * recipients;
};

enum outcome_kind {        /* also in the queue's notes (QUEUE_ANSWER_OPEN) */
	OUTCOME_DELIVERED, /* to its mailbox, by LMTP or here; a report on success is ours to make */
	OUTCOME_RELAYED,   /* taken by a host that does not tell senders (no DSN; no DELIVERBY, in by-mode N) */
	OUTCOME_PASSED,    /* taken by one that does (DSN): it reports from now on */
	OUTCOME_DEFERRED,  /* 4xx, or the session broke: again later */
	OUTCOME_REFUSED,   /* 5xx: never */
};
struct outcome {
	enum outcome_kind kind;
	struct str status; /* "5.1.1" (RFC 3463); "" is made of the reply's code */
	struct str reply;  /* the other side's words with their code, lines joined by "\n", or ours without one */
	struct str remote; /* "mx.far.test [192.0.2.1]"; "" : nobody answered */
	struct str diagnostic_type; /* "smtp" if reply is the other side's, else "x-postern" */
	struct str session;         /* the id under which it is logged; "" : none */
	struct str
		crowded; /* of a session that never got ready: an address that has as many connections as it may; "" : none */
};

/* The session is ready: one, or NULL: there is none now. It is the session's until sending_done. */
struct transaction *sending_take(struct sending_session *s);
void sending_tell(struct sending_session *s, struct transaction *t, size_t recipient, const struct outcome *o);
/* The same of several, by their places, whom one answer concerns. What was answered is told before anything else is done:
 * it is noted at once, so that no crash forgets it (queue_note). */
void sending_tell_many(
	struct sending_session *s, struct transaction *t, const size_t *places, size_t count, const struct outcome *o);
/* Recipients not told of wait as if the session had broken before they were named. */
void sending_done(struct sending_session *s, struct transaction *t);
/* It never got ready: no host, no address, nobody listens, a greeting or login refused. kind: DEFERRED or REFUSED. */
void sending_unreachable(struct sending_session *s, const struct outcome *o);
void sending_over(struct sending_session *s); /* the last word of each session; s is gone */

/* Over all workers: may one more connection be made to this address? True: it counts until sending_left. */
bool sending_may_connect(struct worker *w, struct str address);
void sending_left(struct worker *w, struct str address);
/* The session connects there: what it takes from now on, and has, counts as sent to this address. */
void sending_at(struct sending_session *s, struct str address);

#endif
