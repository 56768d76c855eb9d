/* rate.c - how many messages a minute, how many at a time, and how many connections: over all workers (core/tally.h).
 * Whose rate is used up is not looked at again and again: what came too early gets a time, each the next place in line, so
 * a thousand messages of one account over its rate are opened once more when it is their turn, not each minute. */
#include "core/mem.h"
#include "core/network.h"
#include "protocols/sending/sending_inside.h"
#include <assert.h>
#include <stdlib.h>

#define MINUTE_MS        60000
#define WAIT_MIN_MS      100
#define LINE_MAX_MS      3600000 /* nobody is told to wait longer at once */
#define UNDER_WAY_MAX_MS 300000  /* nor, until fewer are under way, than this */
#define STEP_MIN_MS      5       /* between two who wait until fewer are under way */
#define STEP_MAX_MS      1000
#define WAITERS_SWEEP    1024 /* from so many on those whose line is empty are forgotten */

struct waiter { /* an account or domain whose rate is used up, or that has all under way that it may */
	struct table_node node;
	int64_t next_ms;  /* the first free place in its line, wall clock */
	int64_t since_ms; /* when one under way began or ended last, on the timers' clock */
	int64_t took_ms;  /* until the last end, from what was before it */
};

struct address { /* with connections open from here, or somebody who waits for one */
	struct table_node node;
	struct tally *tally;
	unsigned count;
	TAILQ_HEAD(waiters, queue_destination) waiting;
};

struct rates {
	struct sending *sending;
	struct table waiters, addresses;
	uint64_t waiting; /* destinations, for an address */
};

struct rates *rates_new(struct sending *s)
{
	struct rates *r = mem_new(struct rates);

	r->sending = s;
	return r;
}

static void table_empty(struct table *t, size_t offset)
{
	for (struct table_node *n; (n = table_any(t));) {
		table_remove(t, n);
		free((char *)n - offset);
	}
	table_free(t);
}

bool rates_are_waited_for(const struct rates *r)
{
	return r->waiting;
}

void rates_free(struct rates *r)
{
	if (!r)
		return;
	table_empty(&r->waiters, offsetof(struct waiter, node));
	table_empty(&r->addresses, offsetof(struct address, node));
	free(r);
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

static int64_t timers_ms(const struct sending *s)
{
	return timers_now_ms(s->w->timers);
}

static bool is_used_up(const struct sending *s, uint64_t key, int64_t rate)
{
	return rate && tally_rate(s->w->shm, key, TALLY_SENT, timers_ms(s), MINUTE_MS) >= (uint64_t)rate;
}

static void count(const struct sending *s, uint64_t key)
{
	struct tally *t = tally_of(s->w->shm, s->w->slot, key, timers_ms(s));

	if (t)
		tally_add(t, TALLY_SENT, timers_ms(s), MINUTE_MS);
}

static int64_t wait_ms(int64_t rate)
{
	return MINUTE_MS / rate > WAIT_MIN_MS ? MINUTE_MS / rate : WAIT_MIN_MS;
}

int64_t rate_of_session(const struct sending_session *ss)
{
	const struct queue_destination *d = ss->destination;
	const struct sending *s = d->sending;
	int64_t rate = d->policy->rate, address_rate = ss->address_key ? s->conf->address_rate : 0;

	if (is_used_up(s, ss->address_key, address_rate))
		return wait_ms(address_rate);
	if (is_used_up(s, d->tally_key, rate))
		return wait_ms(rate);
	if (address_rate)
		count(s, ss->address_key);
	if (rate)
		count(s, d->tally_key);
	return 0;
}

static void waiters_sweep(struct rates *r, int64_t now_ms)
{
	struct table kept = { 0 };

	for (struct table_node *n; (n = table_any(&r->waiters));) {
		struct waiter *waiter = container_of(n, struct waiter, node);

		table_remove(&r->waiters, n);
		if (waiter->next_ms > now_ms)
			table_add(&kept, n, n->hash);
		else
			free(waiter);
	}
	table_free(&r->waiters);
	r->waiters = kept;
}

static struct waiter *waiter_find(struct rates *r, uint64_t key)
{
	struct table_node *n = table_first(&r->waiters, key);

	return n ? container_of(n, struct waiter, node) : NULL;
}

static struct waiter *waiter_make(struct rates *r, uint64_t key)
{
	struct waiter *waiter = waiter_find(r, key);

	if (waiter)
		return waiter;
	if (r->waiters.count >= WAITERS_SWEEP)
		waiters_sweep(r, sending_now_ms(r->sending));
	waiter = mem_new(struct waiter);
	waiter->since_ms = timers_ms(r->sending);
	table_add(&r->waiters, &waiter->node, key);
	return waiter;
}

/* When it is his turn who stands in this line from now on, in seconds since 1970. */
static uint32_t stand_in_line(const struct rates *r, struct waiter *waiter, int64_t step_ms, int64_t most_ms)
{
	int64_t now_ms = sending_now_ms(r->sending);
	int64_t at_ms = waiter->next_ms > now_ms ? waiter->next_ms : now_ms + step_ms;

	if (at_ms > now_ms + most_ms)
		at_ms = now_ms + most_ms;
	waiter->next_ms = at_ms + step_ms;
	return (uint32_t)((at_ms + 999) / 1000);
}

/* --- messages of a sender ------------------------------------------------------------------------------------------ */

struct sender_limits { /* of an account, or of a domain */
	uint64_t key;
	int64_t rate, sessions; /* 0: none */
};

static struct sender_limits limits_of(
	const struct sending *s, char kind, struct str name, int64_t rate, int64_t sessions)
{
	if (!name.len || (!rate && !sessions))
		return (struct sender_limits){ 0 };
	return (struct sender_limits){ tally_key(s->w->shm, kind, name), rate, sessions };
}

/* One more is under way, if one more may be: counted first and asked then, so that of workers who do this at once none comes
 * too many. */
static bool hold(struct rates *r, struct held *held, const struct sender_limits *limits)
{
	const struct worker *w = r->sending->w;
	struct tally *t = tally_of(w->shm, w->slot, limits->key, timers_ms(r->sending));
	struct waiter *waiter;

	if (!t)
		return true;
	tally_hold(w->shm, w->slot, t, TALLY_SENDINGS, 1);
	if (tally_open(w->shm, limits->key, TALLY_SENDINGS) > (uint64_t)limits->sessions) {
		tally_hold(w->shm, w->slot, t, TALLY_SENDINGS, -1);
		return false;
	}
	*held = (struct held){ t, limits->key };
	waiter = waiter_find(r, limits->key);
	if (waiter)
		waiter->since_ms = timers_ms(r->sending);
	return true;
}

void rate_sender_done(struct parcel *p)
{
	const struct sending *s = p->sending;

	for (unsigned i = 0; i < 2; i++) {
		struct held *held = &p->held[i];
		struct waiter *waiter = held->tally ? waiter_find(s->rates, held->key) : NULL;

		if (held->tally)
			tally_hold(s->w->shm, s->w->slot, held->tally, TALLY_SENDINGS, -1);
		held->tally = NULL;
		if (!waiter)
			continue;
		waiter->took_ms = timers_ms(s) - waiter->since_ms;
		waiter->since_ms = timers_ms(s);
	}
}

/* The line moves as fast as those under way end. */
static uint32_t wait_for_end(struct rates *r, uint64_t key)
{
	struct waiter *waiter = waiter_make(r, key);
	int64_t step_ms = timers_ms(r->sending) - waiter->since_ms;

	if (step_ms < waiter->took_ms)
		step_ms = waiter->took_ms;
	if (step_ms < STEP_MIN_MS)
		step_ms = STEP_MIN_MS;
	if (step_ms > STEP_MAX_MS)
		step_ms = STEP_MAX_MS;
	return stand_in_line(r, waiter, step_ms, UNDER_WAY_MAX_MS);
}

uint32_t rate_of_sender(struct parcel *p)
{
	const struct sending *s = p->sending;
	const struct sending_conf *conf = s->conf;
	const struct queue_envelope *e = &p->copy->envelope;
	ptrdiff_t at = str_rfind(e->sender, '@');
	struct str domain = at < 0 ? STR_NONE : str_cut(e->sender, (size_t)at + 1, e->sender.len);
	struct sender_limits limits[2] = { limits_of(s, 's', e->account, conf->account_rate, conf->account_sessions),
		limits_of(s, 'o', domain, conf->domain_rate, conf->domain_sessions) };

	for (unsigned i = 0; i < 2; i++)
		if (is_used_up(s, limits[i].key, limits[i].rate))
			return stand_in_line(s->rates, waiter_make(s->rates, limits[i].key), MINUTE_MS / limits[i].rate,
				LINE_MAX_MS);
	for (unsigned i = 0; i < 2; i++)
		if (limits[i].sessions && !hold(s->rates, &p->held[i], &limits[i])) {
			rate_sender_done(p);
			return wait_for_end(s->rates, limits[i].key);
		}
	for (unsigned i = 0; i < 2; i++)
		if (limits[i].rate)
			count(s, limits[i].key);
	return 0;
}

/* --- connections ------------------------------------------------------------------------------------------------- */

static uint64_t address_key(struct worker *w, struct str address)
{
	struct ip ip;

	if (ip_read(address, &ip))
		address = (struct str){ (const char *)ip.bytes, sizeof(ip.bytes) };
	return tally_key(w->shm, 'm', address);
}

static struct address *address_find(struct rates *r, uint64_t key)
{
	struct table_node *n = table_first(&r->addresses, key);

	return n ? container_of(n, struct address, node) : NULL;
}

static struct address *address_make(struct rates *r, uint64_t key)
{
	struct address *a = address_find(r, key);

	if (a)
		return a;
	a = mem_new(struct address);
	TAILQ_INIT(&a->waiting);
	table_add(&r->addresses, &a->node, key);
	return a;
}

static void address_settle(struct rates *r, struct address *a)
{
	if (a->count || !TAILQ_EMPTY(&a->waiting))
		return;
	table_remove(&r->addresses, &a->node);
	free(a);
}

/* Counted first and asked then, as under way (hold). */
bool sending_may_connect(struct worker *w, struct str address)
{
	struct sending *s = w->sending;
	uint64_t key = address_key(w, address);
	struct address *a;

	if (!s)
		return false;
	a = address_make(s->rates, key);
	if (!a->count++)
		a->tally = tally_of(w->shm, w->slot, key, timers_ms(s));
	if (a->tally)
		tally_hold(w->shm, w->slot, a->tally, TALLY_SENDINGS, 1);
	if (!s->conf->address_sessions ||
		tally_open(w->shm, key, TALLY_SENDINGS) <= (uint64_t)s->conf->address_sessions)
		return true;
	if (a->tally)
		tally_hold(w->shm, w->slot, a->tally, TALLY_SENDINGS, -1);
	a->count--;
	address_settle(s->rates, a);
	return false;
}

void sending_at(struct sending_session *ss, struct str address)
{
	const struct sending *s = ss->destination->sending;
	uint64_t key = address_key(s->w, address);

	if (ss->state == SESSION_BUSY && ss->parcel && ss->address_key != key && s->conf->address_rate)
		count(s, key); /* what it has goes to this one as well */
	ss->address_key = key;
}

void sending_left(struct worker *w, struct str address)
{
	struct sending *s = w->sending;
	struct address *a = s ? address_find(s->rates, address_key(w, address)) : NULL;
	struct queue_destination *d;

	if (!a || !a->count) /* we stop */
		return;
	if (a->tally)
		tally_hold(w->shm, w->slot, a->tally, TALLY_SENDINGS, -1);
	a->count--;
	d = TAILQ_FIRST(&a->waiting);
	if (d)
		destination_wake(d);
	else
		address_settle(s->rates, a);
}

/* --- those who wait for one -------------------------------------------------------------------------------------- */

void rate_wait_for_address(struct queue_destination *d, struct str address)
{
	struct rates *r = d->sending->rates;
	struct address *a = address_make(r, address_key(d->sending->w, address));

	assert(!d->waits_for);
	d->waits_for = a;
	TAILQ_INSERT_TAIL(&a->waiting, d, crowd);
	r->waiting++;
}

void rate_wait_no_more(struct queue_destination *d)
{
	struct rates *r = d->sending->rates;
	struct address *a = d->waits_for;

	if (!a)
		return;
	d->waits_for = NULL;
	TAILQ_REMOVE(&a->waiting, d, crowd);
	r->waiting--;
	address_settle(r, a);
}
