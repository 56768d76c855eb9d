/* trip.h - one message to one server, and its reply: c-ares as transport.
 * Each trip has a socket of its own, and so a source port that the kernel chose by chance; together with the message's
 * random number that is what a forger must guess. What does not come from the server's address, or not with this number
 * and question, is passed over as if it had not come. A reply by UDP that is cut (TC) is asked for again by TCP. What a
 * whole reply says is the asker's business. */
#ifndef DNS_TRIP_H
#define DNS_TRIP_H

#include "core/str.h"
#include <sys/socket.h>

struct worker;
struct dns_trip;

enum dns_trip_end {
	DNS_TRIP_REPLY,
	DNS_TRIP_SILENT,  /* the time is over */
	DNS_TRIP_REFUSED, /* nobody is there, or the connection broke */
};

/* `reply` is valid until done returns, which is where the trip is freed. */
typedef void dns_trip_done(void *user, enum dns_trip_end end, struct str reply);

/* done runs once, in a later turn. The time is the worker's. */
struct dns_trip *dns_trip_new(struct worker *w, const struct sockaddr_storage *server, bool tcp, struct str query,
	int64_t timeout_ms, dns_trip_done *done, void *user);
void dns_trip_free(struct dns_trip *t); /* done does not run any more; NULL is fine */

void dns_trips_begin(void); /* before the first trip of the process */
void dns_trips_end(void);

#endif
