/* resolve.c - see resolve.h: who asks, and that each is answered. */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "dns/resolve_inside.h"
#include <assert.h>
#include <stdlib.h>

COUNTER(asked, "dns.questions", "DNS questions of this server's parts");
COUNTER(from_cache, "dns.cached", "DNS questions answered by the cache");
COUNTER(late, "dns.late", "DNS questions whose asker could wait no longer");
COUNTER(joined, "dns.joined", "DNS questions that joined one under way");

/* --- questions ----------------------------------------------------------------------------------------------------- */

static struct questions *place_of(struct dns *d, const struct dns_name *name)
{
	return &d->places[str_hash((struct str){ (const char *)name->octets, name->len }) % QUESTION_PLACES];
}

static struct question *question_find(struct dns *d, const struct dns_name *name, enum dns_type type)
{
	struct question *q;

	LIST_FOREACH(q, place_of(d, name), others)
	if (q->type == type && dns_name_eq(&q->name, name))
		return q;
	return NULL;
}

static void start_those_in_line(struct dns *d)
{
	struct question *q;

	while (d->under_way < QUESTIONS_MAX && (q = TAILQ_FIRST(&d->line))) {
		TAILQ_REMOVE(&d->line, q, line);
		d->under_way++;
		question_start(q);
	}
}

static struct question *question_new(struct dns *d, const struct dns_name *name, enum dns_type type)
{
	struct question *q = mem_new(struct question);

	q->dns = d;
	q->name = *name;
	q->type = type;
	TAILQ_INIT(&q->asks);
	LIST_INSERT_HEAD(place_of(d, name), q, others);
	TAILQ_INSERT_TAIL(&d->line, q, line);
	return q;
}

static void question_drop(struct question *q)
{
	struct dns *d = q->dns;

	assert(TAILQ_EMPTY(&q->asks));
	LIST_REMOVE(q, others);
	if (q->servers)
		d->under_way--;
	else
		TAILQ_REMOVE(&d->line, q, line);
	question_free(q);
	start_those_in_line(d);
}

/* --- asks ---------------------------------------------------------------------------------------------------------- */

static void ask_free(struct ask *a)
{
	if (a->answer && a->dns)
		TAILQ_REMOVE(&a->dns->answered, a, others);
	if (a->dns)
		a->dns->ask_count--;
	call_cancel(a->later);
	dns_answer_unref(a->answer);
	free(a);
}

/* Off its question; the last one ends that. */
static void ask_leave(struct ask *a)
{
	struct question *q = a->question;

	if (!q)
		return;
	a->question = NULL;
	TAILQ_REMOVE(&q->asks, a, others);
	timer_stop(a->dns->w->timers, &a->limit);
	if (TAILQ_EMPTY(&q->asks))
		question_drop(q);
}

static void ask_dropped(void *user)
{
	struct ask *a = user;

	ask_leave(a);
	ask_free(a);
}

/* Tells the asker, whose copy is in an order of its own. */
static void ask_tell(void *user, enum err e, struct str nothing)
{
	struct ask *a = user;
	struct dns_answer draft = *a->answer, *copy;
	dns_done *done = a->done;

	(void)e, (void)nothing;
	a->later = NULL;
	draft.type = a->type;
	draft.ttl_s = a->ttl_s;
	copy = dns_answer_new(&draft);
	dns_answer_order(copy);
	user = a->user;
	call_steps_end(a->handle);
	ask_free(a);
	done(user, copy);
	dns_answer_unref(copy);
}

/* The answer, a reference that is the ask's now, is told in a later turn. */
static void ask_answered(struct ask *a, struct dns_answer *answer, uint32_t ttl_s)
{
	a->answer = answer;
	a->ttl_s = ttl_s;
	a->later = call_later(a->dns->w, ask_tell, a);
	TAILQ_INSERT_TAIL(&a->dns->answered, a, others);
}

static void ask_failed(struct ask *a, enum dns_outcome outcome)
{
	ask_answered(a, dns_answer_new(&(struct dns_answer){ .outcome = outcome }), 0);
}

static void ask_over(void *user)
{
	struct ask *a = user;

	counter_add(&late, 1);
	ask_leave(a);
	ask_failed(a, DNS_SILENT);
}

void question_done(struct question *q, struct dns_answer *answer)
{
	struct ask *a;

	while ((a = TAILQ_FIRST(&q->asks))) {
		TAILQ_REMOVE(&q->asks, a, others);
		a->question = NULL;
		timer_stop(q->dns->w->timers, &a->limit);
		ask_answered(a, dns_answer_ref(answer), answer->ttl_s);
	}
	dns_answer_unref(answer);
	question_drop(q);
}

static void ask_join(struct ask *a, const struct dns_name *name, int64_t deadline_ms)
{
	struct dns *d = a->dns;
	struct question *q = question_find(d, name, a->type);

	counter_add(&joined, q != NULL);
	if (!q)
		q = question_new(d, name, a->type);
	a->question = q;
	TAILQ_INSERT_TAIL(&q->asks, a, others);
	timer_start(d->w->timers, &a->limit, deadline_ms, ask_over, a);
	start_those_in_line(d);
}

static struct call *ask_name(struct worker *w, const struct dns_name *name, enum dns_type type, int64_t deadline_ms,
	dns_done *done, void *user)
{
	struct dns *d = w->dns;
	struct ask *a = mem_new(struct ask);
	struct dns_answer *known;
	uint32_t ttl_s;

	counter_add(&asked, 1);
	d->ask_count++;
	a->dns = d;
	a->type = type;
	a->done = done;
	a->user = user;
	a->handle = call_steps(ask_dropped, a);
	if (!name->len) {
		ask_failed(a, DNS_BAD_NAME);
	} else if ((known = dns_cache_find(d->cache, name, type, timers_now_ms(w->timers), &ttl_s))) {
		counter_add(&from_cache, 1);
		ask_answered(a, known, ttl_s);
	} else if (d->ask_count > DNS_ASKS_MAX) {
		ask_failed(a, DNS_FAILED);
	} else {
		ask_join(a, name, deadline_ms);
	}
	return a->handle;
}

struct call *dns_ask(
	struct worker *w, struct str name, enum dns_type type, int64_t deadline_ms, dns_done *done, void *user)
{
	struct dns_name n;

	if (!dns_name_read(&n, name))
		n.len = 0;
	return ask_name(w, &n, type, deadline_ms, done, user);
}

struct call *dns_ask_name_of(struct worker *w, const struct ip *ip, int64_t deadline_ms, dns_done *done, void *user)
{
	struct dns_name n;

	dns_name_of_ip(&n, ip);
	return ask_name(w, &n, DNS_PTR, deadline_ms, done, user);
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

static void conf_take(struct dns *d)
{
	struct dns_cache_limits limits;

	conf_unref(d->conf);
	dns_servers_unref(d->servers);
	dns_cache_free(d->cache);
	d->conf = conf_ref(d->w->conf);
	d->settings = conf_section(d->conf, &dns_settings);
	d->servers = dns_servers_new(d->settings);
	limits = (struct dns_cache_limits){ (size_t)d->settings->cache, d->settings->ttl_max_ms,
		d->settings->negative_ttl_max_ms };
	d->cache = dns_cache_new(&limits);
}

void dns_start(struct worker *w)
{
	struct dns *d = mem_new(struct dns);

	dns_trips_begin();
	d->w = w;
	w->dns = d;
	TAILQ_INIT(&d->line);
	TAILQ_INIT(&d->answered);
	conf_take(d);
}

void dns_reload(struct worker *w)
{
	conf_take(w->dns);
}

/* Nobody is told any more; what is left of an ask is its handle's. */
static void asks_end(struct dns *d, struct asks *asks)
{
	struct ask *a;

	while ((a = TAILQ_FIRST(asks))) {
		TAILQ_REMOVE(asks, a, others);
		timer_stop(d->w->timers, &a->limit);
		call_cancel(a->later);
		a->later = NULL;
		a->question = NULL;
		a->dns = NULL;
	}
}

void dns_stop(struct worker *w)
{
	struct dns *d = w->dns;
	struct question *q;

	if (!d)
		return;
	asks_end(d, &d->answered);
	for (size_t i = 0; i < QUESTION_PLACES; i++)
		while ((q = LIST_FIRST(&d->places[i]))) {
			asks_end(d, &q->asks);
			LIST_REMOVE(q, others);
			question_free(q);
		}
	dns_servers_unref(d->servers);
	dns_cache_free(d->cache);
	conf_unref(d->conf);
	dns_trips_end();
	w->dns = NULL;
	free(d);
}
