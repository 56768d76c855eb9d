/* The cache of answers: for how long, under which names, within which memory. */
#include "dns/cache.h"
#include "t/tap.h"

static struct dns_cache *cache;
static int64_t now_ms = 1000;

static struct dns_name named(const char *text)
{
	struct dns_name n;

	dns_name_read(&n, str_of(text));
	return n;
}

/* Keeps an answer with `text` as its only record. */
static void keep_as(
	const char *name, enum dns_type type, enum dns_outcome outcome, uint32_t ttl_s, bool aliased, struct str text)
{
	struct dns_record record = { .text = text };
	struct dns_answer draft = {
		.outcome = outcome, .type = DNS_TXT, .ttl_s = ttl_s, .count = outcome == DNS_FOUND, .records = &record
	};
	struct dns_answer *a = dns_answer_new(&draft);
	struct dns_name n = named(name);

	dns_cache_keep(cache, &n, type, a, aliased, now_ms);
	dns_answer_unref(a);
}

static void keep(const char *name, enum dns_outcome outcome, uint32_t ttl_s)
{
	keep_as(name, DNS_TXT, outcome, ttl_s, false, STR("text"));
}

/* Seconds for which it holds; -1: nothing is known. */
static int known(const char *name, enum dns_type type)
{
	struct dns_name n = named(name);
	uint32_t ttl_s;
	struct dns_answer *a = dns_cache_find(cache, &n, type, now_ms, &ttl_s);

	dns_answer_unref(a);
	return a ? (int)ttl_s : -1;
}

static void test_time(void)
{
	keep("a.test", DNS_FOUND, 60);
	ok(known("a.test", DNS_TXT) == 60 && known("A.Test.", DNS_TXT) == 60, "an answer is found under its name");
	ok(known("a.test", DNS_MX) < 0 && known("b.test", DNS_TXT) < 0, "not under another type or name");
	now_ms += 59001;
	ok(known("a.test", DNS_TXT) == 0, "it holds for what is left of its time");
	now_ms += 999;
	ok(known("a.test", DNS_TXT) < 0 && dns_cache_count(cache) == 0, "and then is gone");
	keep("a.test", DNS_FOUND, 0);
	ok(known("a.test", DNS_TXT) < 0, "one without time to live is not kept");
	keep("a.test", DNS_FOUND, 1000000);
	ok(known("a.test", DNS_TXT) == 86400, "none holds longer than ttl_max");
	keep("a.test", DNS_FOUND, 5);
	ok(known("a.test", DNS_TXT) == 5 && dns_cache_count(cache) == 1, "a new one takes the old one's place");
}

static void test_outcomes(void)
{
	keep("none.test", DNS_NO_DATA, 10000);
	ok(known("none.test", DNS_TXT) == 3600, "that there is no data holds no longer than negative_ttl_max");
	ok(known("none.test", DNS_MX) < 0, "and for its type alone");
	keep("gone.test", DNS_NO_NAME, 10);
	ok(known("gone.test", DNS_TXT) == 10 && known("gone.test", DNS_MX) == 10, "no such name holds for all types");
	keep_as("alias.test", DNS_TXT, DNS_NO_NAME, 10, true, STR(""));
	ok(known("alias.test", DNS_TXT) == 10 && known("alias.test", DNS_MX) < 0, "but not if an alias led there");
	keep("failed.test", DNS_FAILED, 10);
	keep("silent.test", DNS_SILENT, 10);
	ok(known("failed.test", DNS_TXT) < 0 && known("silent.test", DNS_TXT) < 0, "what failed is not kept");
}

static void test_memory(void)
{
	struct dns_cache_limits limits = { 20000, 86400000, 3600000 };
	char name[32];
	size_t most = 0;

	dns_cache_free(cache);
	cache = dns_cache_new(&limits);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "name%d.test", i);
		keep(name, DNS_FOUND, 60);
		if (dns_cache_bytes(cache) > most)
			most = dns_cache_bytes(cache);
		known("name0.test", DNS_TXT);
	}
	ok(most <= limits.bytes && most > limits.bytes - 500, "its memory is used and bounded: %zu", most);
	ok(known("name999.test", DNS_TXT) == 60 && known("name1.test", DNS_TXT) < 0, "the oldest go first");
	ok(known("name0.test", DNS_TXT) == 60, "but not what is asked for again and again");
	keep_as("large.test", DNS_TXT, DNS_FOUND, 60, false, (struct str){ (char[30000]){ 0 }, 30000 });
	ok(known("large.test", DNS_TXT) < 0 && known("name999.test", DNS_TXT) == 60,
		"what is too large for it all is not kept");
	dns_cache_free(cache);
	limits.bytes = 0;
	cache = dns_cache_new(&limits);
	keep("a.test", DNS_FOUND, 60);
	ok(known("a.test", DNS_TXT) < 0, "without memory nothing is kept");
}

static void test_held(void)
{
	struct dns_cache_limits limits = { 20000, 86400000, 3600000 };
	struct dns_name n = named("held.test");
	struct dns_answer *a;
	uint32_t ttl_s;

	dns_cache_free(cache);
	cache = dns_cache_new(&limits);
	keep("held.test", DNS_FOUND, 60);
	a = dns_cache_find(cache, &n, DNS_TXT, now_ms, &ttl_s);
	dns_cache_free(cache);
	ok(str_eq(a->records[0].text, STR("text")), "an answer that is held outlives the cache");
	dns_answer_unref(a);
}

int main(void)
{
	struct dns_cache_limits limits = { 1 << 20, 86400000, 3600000 };

	cache = dns_cache_new(&limits);
	test_time();
	test_outcomes();
	test_memory();
	test_held();
	return done();
}
