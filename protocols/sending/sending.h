/* sending.h - when and to whom the queue's mail goes.
 * Items that go to the same place (next_hop_key) share a destination, which has as many sessions as it bears: one at first, more
 * while they succeed, fewer when they fail. Limits of a destination, an MX address, a sender's account and domain hold over
 * all workers together (core/tally.h). One that cannot be reached is left alone for a while, longer each time, and
 * its mail waits with it; others never notice. Each item has a time at which it is due, and each destination with a due
 * item a running timer or a session.
 *
 * A transport (transport.h) is asked for sessions; each session takes a job when it is ready for one and tells what became of
 * it. What ends here, for good or ill, is written to the queue, and whoever wants to know of it gets a report (report.h).
 *
 *   sending.c      items opened and closed, what is due     destination.c  sessions, backing off, limits
 *   outcome.c      what becomes of an item                  schedule.c     when the next try is, when it is given up
 *   report.c       bounces, warnings and other reports      local.c, pipe.c   transports beside protocols/smtp_client */
#ifndef PROTOCOLS_SENDING_H
#define PROTOCOLS_SENDING_H

#include "storage/queue/queue.h"

struct sending; /* w->sending: of this worker */

struct sending_conf {
	struct setting_list
		retry;     /* times between tries: "5m", "15m", "30m", "1h", "2h", "4h": the last one again and again */
	int64_t expire_ms; /* 5d; of mail without a sender expire_null_ms, 1d */
	int64_t expire_null_ms;
	struct setting_list warn; /* after such times the sender is told of the delay: "4h" */
	int64_t sessions, destination_sessions,
		address_sessions;                  /* of a worker; of all to a destination; to an address */
	int64_t account_sessions, domain_sessions; /* transactions under way of an account; of senders of a domain */
	int64_t destination_rate, address_rate, account_rate, domain_rate; /* messages a minute; 0: any number */
	int64_t messages_per_session, recipients_per_message;
	int64_t reports_per_sender; /* reports an hour to one address */
};
extern const struct settings sending_settings; /* sending { }; per domain: destination "far.test" { } */
extern const struct settings destination_settings;

enum err sending_start(struct worker *w); /* before queue_start reads */
void sending_reload(struct worker *w);
/* Messages being sent go to their end first, if that does not take long; `stopped` runs then, or at once. What is left is
 * tried again at the next start. w->stopping was said before, so no session takes another. */
void sending_stop(struct worker *w, void (*stopped)(struct worker *w));

/* What operators do (protocols/cli). Each answers how many items it concerned; items being tried are left alone. */
enum sending_order { ORDER_RETRY, ORDER_HOLD, ORDER_RELEASE, ORDER_DELETE, ORDER_BOUNCE, ORDER_MOVE };
/* The items of a message that `matches` chooses. to: ORDER_MOVE's new address of the next hop, "host:port"; else "". */
size_t sending_order(struct worker *w, struct queue_message *m, enum sending_order order, struct str to,
	bool (*matches)(void *user, const struct queue_item *item), void *user);

/* All destinations with something open, one after the other: after NULL the first; NULL: no more. */
struct queue_destination *sending_destination_after(struct worker *w, const struct queue_destination *d);
struct queue_destination *sending_destination_named(struct worker *w, struct str key); /* NULL: it is gone */
struct destination_status {
	struct str key;
	uint64_t items, held;
	uint32_t sessions;
	uint32_t oldest_s;                /* arrival of the oldest, seconds since 1970 */
	uint32_t next_s;                  /* when it is tried again; 0: it is being tried */
	struct str status, reply, remote; /* the last answer that was not a success */
	uint64_t sent, deferred, refused; /* since the start */
};
void sending_destination_status(struct worker *w, const struct queue_destination *d, struct destination_status *out);
void sending_destination_retry(
	struct worker *w, struct queue_destination *d); /* now, all that waits (ETRN, operators) */

#endif
