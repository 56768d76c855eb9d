/* cache.h - answers that still hold, in bounded memory; one per worker.
 * An answer is found under the name and type that were asked for, aliases and all. That there is no such name holds for
 * every type (RFC 2308, 5), unless it was an alias that led there. Answers that servers could not give are not kept. When
 * memory is short, those go that were not asked for longest. Time is the caller's. */
#ifndef DNS_CACHE_H
#define DNS_CACHE_H

#include "dns/answer.h"
#include "dns/name.h"

struct dns_cache;

struct dns_cache_limits {
	size_t bytes; /* of all answers, their table apart, which is a small part more; 0: nothing is kept */
	int64_t ttl_max_ms, negative_ttl_max_ms;
};

struct dns_cache *dns_cache_new(const struct dns_cache_limits *limits);
void dns_cache_free(struct dns_cache *c); /* NULL is fine */

/* A reference to what is known, and for how many seconds more; NULL: ask. */
struct dns_answer *dns_cache_find(
	struct dns_cache *c, const struct dns_name *name, enum dns_type type, int64_t now_ms, uint32_t *ttl_s);
/* Keeps it, if it is one to be kept, in place of what was there. aliased: an alias led to it. */
void dns_cache_keep(struct dns_cache *c, const struct dns_name *name, enum dns_type type, const struct dns_answer *a,
	bool aliased, int64_t now_ms);

size_t dns_cache_bytes(const struct dns_cache *c); /* never more than the limit */
size_t dns_cache_count(const struct dns_cache *c);

#endif
