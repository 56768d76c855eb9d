/* cache.c - see cache.h.
 * A table of chains and a list by last use. Places in the table depend on random bits, so that nobody can choose names
 * that share one. */
#include "dns/cache.h"
#include "core/counter.h"
#include "core/mem.h"
#include <stdlib.h>
#include <sys/queue.h>

#define ENTRY_BYTES    512 /* what an entry takes, roughly: for the size of the table */
#define PLACES_MIN     16  /* powers of two */
#define PLACES_MAX     (1 << 20)
#define MALLOC_BYTES   32 /* of malloc's own for an entry and its answer */
#define ALL_TYPES      0  /* under this type is kept that there is no such name */
#define TTL_SECONDS_MS 1000

COUNTER(cache_evicted, "dns.evicted", "DNS answers that left the cache for want of memory");

struct entry {
	struct entry *chain;
	TAILQ_ENTRY(entry) used;
	struct dns_answer *answer;
	int64_t until_ms;
	uint32_t hash;
	uint16_t type;
	uint8_t len;
	uint8_t name[]; /* its octets */
};
TAILQ_HEAD(entries, entry);

struct dns_cache {
	struct dns_cache_limits limits;
	size_t bytes, count, place_count;
	uint64_t salt;
	struct entries used; /* last asked for first */
	struct entry **places;
};

struct dns_cache *dns_cache_new(const struct dns_cache_limits *limits)
{
	struct dns_cache *c = mem_new(struct dns_cache);

	c->limits = *limits;
	c->place_count = PLACES_MIN;
	while (c->place_count < PLACES_MAX && c->place_count * ENTRY_BYTES < limits->bytes)
		c->place_count *= 2;
	c->places = mem_alloc(c->place_count * sizeof(*c->places));
	arc4random_buf(&c->salt, sizeof(c->salt));
	TAILQ_INIT(&c->used);
	return c;
}

static size_t cost(const struct entry *e)
{
	return sizeof(*e) + e->len + e->answer->bytes + MALLOC_BYTES;
}

static uint32_t hash_of(const struct dns_cache *c, const struct dns_name *name, uint16_t type)
{
	char bytes[sizeof(c->salt) + sizeof(type) + DNS_NAME_MAX];
	size_t len = 0;

	memcpy(bytes, &c->salt, sizeof(c->salt));
	len += sizeof(c->salt);
	memcpy(bytes + len, &type, sizeof(type));
	len += sizeof(type);
	memcpy(bytes + len, name->octets, name->len);
	return (uint32_t)str_hash((struct str){ bytes, len + name->len });
}

static struct entry **place_of(struct dns_cache *c, uint32_t hash)
{
	return &c->places[hash & (c->place_count - 1)];
}

static void drop(struct dns_cache *c, struct entry *e)
{
	struct entry **link = place_of(c, e->hash);

	while (*link != e)
		link = &(*link)->chain;
	*link = e->chain;
	TAILQ_REMOVE(&c->used, e, used);
	c->bytes -= cost(e);
	c->count--;
	dns_answer_unref(e->answer);
	free(e);
}

static struct entry *find(struct dns_cache *c, const struct dns_name *name, uint16_t type, int64_t now_ms)
{
	uint32_t hash = hash_of(c, name, type);
	struct entry *e = *place_of(c, hash);

	while (e &&
		(e->hash != hash || e->type != type || e->len != name->len || memcmp(e->name, name->octets, e->len)))
		e = e->chain;
	if (e && e->until_ms <= now_ms) {
		drop(c, e);
		return NULL;
	}
	return e;
}

struct dns_answer *dns_cache_find(
	struct dns_cache *c, const struct dns_name *name, enum dns_type type, int64_t now_ms, uint32_t *ttl_s)
{
	struct entry *e = find(c, name, (uint16_t)type, now_ms);

	if (!e && !(e = find(c, name, ALL_TYPES, now_ms)))
		return NULL;
	TAILQ_REMOVE(&c->used, e, used);
	TAILQ_INSERT_HEAD(&c->used, e, used);
	*ttl_s = (uint32_t)((e->until_ms - now_ms) / TTL_SECONDS_MS);
	return dns_answer_ref(e->answer);
}

/* For how long; 0: not at all. */
static int64_t keep_ms(const struct dns_cache *c, const struct dns_answer *a)
{
	int64_t most_ms = a->outcome == DNS_FOUND ? c->limits.ttl_max_ms : c->limits.negative_ttl_max_ms;
	int64_t ms = (int64_t)a->ttl_s * TTL_SECONDS_MS;

	if (a->outcome != DNS_FOUND && a->outcome != DNS_NO_DATA && a->outcome != DNS_NO_NAME)
		return 0;
	return ms < most_ms ? ms : most_ms;
}

void dns_cache_keep(struct dns_cache *c, const struct dns_name *name, enum dns_type type, const struct dns_answer *a,
	bool aliased, int64_t now_ms)
{
	uint16_t under = a->outcome == DNS_NO_NAME && !aliased ? ALL_TYPES : (uint16_t)type;
	struct entry *e = find(c, name, under, now_ms);
	int64_t ms = keep_ms(c, a);

	if (e)
		drop(c, e);
	if (!ms || sizeof(*e) + name->len + a->bytes + MALLOC_BYTES > c->limits.bytes)
		return;
	e = mem_alloc(sizeof(*e) + name->len);
	e->answer = dns_answer_ref(a);
	e->until_ms = now_ms + ms;
	e->type = under;
	e->hash = hash_of(c, name, under);
	e->len = name->len;
	memcpy(e->name, name->octets, name->len);
	c->bytes += cost(e);
	c->count++;
	while (c->bytes > c->limits.bytes) {
		drop(c, TAILQ_LAST(&c->used, entries));
		counter_add(&cache_evicted, 1);
	}
	TAILQ_INSERT_HEAD(&c->used, e, used);
	e->chain = *place_of(c, e->hash);
	*place_of(c, e->hash) = e;
}

size_t dns_cache_bytes(const struct dns_cache *c)
{
	return c->bytes;
}

size_t dns_cache_count(const struct dns_cache *c)
{
	return c->count;
}

void dns_cache_free(struct dns_cache *c)
{
	if (!c)
		return;
	while (!TAILQ_EMPTY(&c->used))
		drop(c, TAILQ_FIRST(&c->used));
	free(c->places);
	free(c);
}
