/* resolve.h - asking what the DNS knows of a name.
 * Each worker has a resolver of its own in its loop: a cache, and questions to the servers of dns.servers, which do the
 * real work of resolving. Whoever asks goes on; the answer is an event of a later turn, never inside the asking, be it
 * from the cache. Those who ask the same at the same time share one question. Every question is answered once: by
 * what the servers say, or with DNS_SILENT when the asker's time is over.
 *
 * The DNS alone is asked: nothing is looked up in /etc/hosts, and `localhost` is a name like any other.
 *
 * DNS_NO_NAME and DNS_NO_DATA are facts about the name; DNS_FAILED and DNS_SILENT are nobody's fault but for now: try
 * again later. The handle is a call's: call_cancel, and done does not run (NULL is fine).
 *
 * hosts.h asks what mail wants to know: a domain's hosts, a host's addresses. */
#ifndef DNS_RESOLVE_H
#define DNS_RESOLVE_H

#include "core/call.h"
#include "dns/answer.h"
#include "dns/name.h"
#include "dns/settings.h"

#define DNS_ASKS_MAX    20000 /* without an answer yet, per worker; more fail at once */
#define DNS_DEADLINE_MS 30000 /* what is usual */

/* The answer's records are in the order in which they are to be used (dns_answer_order), and its time to live is what is
 * left of it. Valid until done returns. */
typedef void dns_done(void *user, const struct dns_answer *answer);

/* name: as dns_name_read takes it. deadline_ms: from now, by the worker's clock. */
struct call *dns_ask(
	struct worker *w, struct str name, enum dns_type type, int64_t deadline_ms, dns_done *done, void *user);
/* The name that an address is said to have (PTR). */
struct call *dns_ask_name_of(struct worker *w, const struct ip *ip, int64_t deadline_ms, dns_done *done, void *user);

/* The worker's resolver, w->dns, for the house's hooks. At dns_stop nobody waits for an answer any more: whoever still
 * does is not called, and his handle remains his to cancel. A reload takes up new servers and empties the cache;
 * questions under way go on with the old ones. */
void dns_start(struct worker *w);
void dns_reload(struct worker *w);
void dns_stop(struct worker *w); /* not started is fine */

#endif
