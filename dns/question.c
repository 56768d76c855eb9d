/* question.c - one question on its way through servers, and through aliases to an answer.
 *   for each name on the way:  rounds over the servers, those not known as dead first
 *     no reply         the next server; again in the next round, which waits twice as long
 *     not without EDNS the same server once more without (RFC 6891, 7), for this question alone
 *     odd or broken    the same server once more by TCP, which nobody forges blindly
 *     it cannot tell   the next server; not this one again
 *     an alias alone   the next name
 *     anything else    the end */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "dns/resolve_inside.h"
#include <stdlib.h>

#define TIMEOUT_MAX_MS 30000 /* for one server, however often it was doubled */
#define TTL_MAX_S      UINT32_MAX

COUNTER(retries_tcp, "dns.tcp", "DNS queries asked again by TCP for an odd reply");
COUNTER(failures, "dns.failed", "DNS questions that no resolver could answer");
COUNTER(silences, "dns.silent", "DNS questions to which no resolver answered");

static void trip_done(void *user, enum dns_trip_end end, struct str reply);

static int64_t now_ms(const struct question *q)
{
	return timers_now_ms(q->dns->w->timers);
}

static struct dns_server *server_of(const struct question *q)
{
	return &q->servers->items[q->server];
}

static void finish(struct question *q, const struct dns_answer *said)
{
	struct dns_answer draft = *said, *answer;

	draft.type = q->type;
	draft.secure &= q->secure;
	if (q->ttl_s < draft.ttl_s)
		draft.ttl_s = q->ttl_s;
	answer = dns_answer_new(&draft);
	if (q->servers == q->dns->servers) /* not those of before a reload */
		dns_cache_keep(q->dns->cache, &q->name, q->type, answer, q->aliases > 0, now_ms(q));
	if (log_wants(LEVEL_DEBUG, "dns")) {
		struct buf name = { 0 };

		dns_name_print(&q->name, &name);
		log_debug("dns", NULL, "answer name=" STR_FMT " type=%s: %s count=%zu ttl=%u secure=%d",
			STR_ARG(buf_str(&name)), dns_type_text(q->type), dns_outcome_text(answer->outcome),
			answer->count, answer->ttl_s, answer->secure);
		buf_free(&name);
	}
	question_done(q, answer);
}

static void give_up(struct question *q)
{
	struct dns_answer draft = { .outcome = q->failed ? DNS_FAILED : DNS_SILENT };

	counter_add(q->failed ? &failures : &silences, 1);
	finish(q, &draft);
}

static void send_query(struct question *q)
{
	const struct dns_conf *conf = q->dns->settings;
	int64_t timeout_ms = conf->timeout_ms << q->round;
	bool mix = conf->mix_case && !q->tcp;

	dns_query_build(&q->query, &q->at, q->type, (q->plain ? 0 : DNS_QUERY_EDNS) | (mix ? DNS_QUERY_MIX : 0));
	q->trip = dns_trip_new(q->dns->w, &server_of(q)->address, q->tcp,
		(struct str){ (const char *)q->query.bytes, q->query.len },
		timeout_ms < TIMEOUT_MAX_MS ? timeout_ms : TIMEOUT_MAX_MS, trip_done, q);
}

static void ask_next(struct question *q)
{
	while ((q->server = dns_servers_next(q->servers, q->asked | q->failed, now_ms(q))) < 0) {
		q->asked = 0;
		if (++q->round >= q->dns->settings->tries || q->failed == (1u << q->servers->count) - 1) {
			give_up(q);
			return;
		}
	}
	q->asked |= 1u << q->server;
	q->plain = q->tcp = false;
	send_query(q);
}

static void begin_name(struct question *q, const struct dns_name *at)
{
	q->at = *at;
	q->round = q->asked = q->failed = 0;
}

/* The server is of no use for this question. */
static void failed(struct question *q)
{
	q->failed |= 1u << q->server;
	ask_next(q);
}

static void follow(struct question *q, const struct dns_reply *r)
{
	struct dns_answer *known;
	uint32_t ttl_s;

	q->aliases += r->aliases;
	q->secure &= r->answer.secure;
	if (r->answer.ttl_s < q->ttl_s)
		q->ttl_s = r->answer.ttl_s;
	if (q->aliases > DNS_ALIASES_MAX) {
		failed(q);
		return;
	}
	begin_name(q, &r->alias);
	known = dns_cache_find(q->dns->cache, &q->at, q->type, now_ms(q), &ttl_s);
	if (known) {
		if (ttl_s < q->ttl_s)
			q->ttl_s = ttl_s;
		finish(q, known);
		dns_answer_unref(known);
	} else {
		ask_next(q);
	}
}

static const char *reason(const struct dns_reply *r)
{
	return r->kind == DNS_REPLY_RCODE ? "error" : r->kind == DNS_REPLY_LAME ? "does not recurse" : "broken reply";
}

static bool dislikes_edns(unsigned rcode)
{
	return rcode == DNS_RCODE_FORMAT || rcode == DNS_RCODE_NOT_IMPLEMENTED || rcode == DNS_RCODE_VERSION;
}

static void replied(struct question *q, struct dns_reply *r)
{
	bool again_plain = r->kind == DNS_REPLY_RCODE && dislikes_edns(r->rcode) && !q->plain;
	bool again_tcp = (r->kind == DNS_REPLY_CASE || r->kind == DNS_REPLY_BROKEN) && !q->tcp;

	r->answer.secure = r->authentic && server_of(q)->trusted;
	if (r->kind == DNS_REPLY_ANSWER) {
		q->aliases += r->aliases;
		finish(q, &r->answer);
	} else if (r->kind == DNS_REPLY_ALIAS) {
		follow(q, r);
	} else if (again_plain || again_tcp) {
		counter_add(&retries_tcp, again_tcp);
		q->plain |= again_plain;
		q->tcp |= again_tcp;
		send_query(q);
	} else {
		log_debug("dns", NULL, "cannot tell server=%s rcode=%u: %s", server_of(q)->text, r->rcode, reason(r));
		failed(q);
	}
}

static void trip_done(void *user, enum dns_trip_end end, struct str bytes)
{
	struct question *q = user;
	struct dns_trip *trip = q->trip;
	struct arena memory = { 0 };
	struct dns_reply reply;

	q->trip = NULL;
	if (end == DNS_TRIP_REPLY) {
		dns_server_answered(server_of(q));
		dns_reply_read(&reply, bytes, &q->query, q->tcp, &memory);
		replied(q, &reply);
	} else {
		dns_server_silent(server_of(q), now_ms(q));
		ask_next(q);
	}
	arena_free(&memory);
	dns_trip_free(trip);
}

void question_start(struct question *q)
{
	q->servers = dns_servers_ref(q->dns->servers);
	q->ttl_s = TTL_MAX_S;
	q->secure = true;
	begin_name(q, &q->name);
	ask_next(q);
}

void question_free(struct question *q)
{
	dns_trip_free(q->trip);
	dns_servers_unref(q->servers);
	free(q);
}
