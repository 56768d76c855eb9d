/* rate.c - how many messages a minute, and how many connections: over all workers (core/tally.h).
 * Whose rate is used up is not looked at again and again: what came too early gets a time, each the next place in line, so
 * a thousand messages of one account over its rate are opened once more when it is their turn, not each minute. */
#include "core/mem.h"
#include "core/network.h"
#include "protocols/sending/sending_inside.h"
#include <assert.h>
#include <stdlib.h>

#define MINUTE_MS     60000
#define WAIT_MIN_MS   100
#define LINE_MAX_MS   3600000 /* nobody is told to wait longer at once */
#define WAITERS_SWEEP 1024    /* from so many on those whose line is empty are forgotten */

struct waiter { /* an account or domain whose rate is used up */
	struct table_node node;
	int64_t next_ms; /* the first free place in its line, wall clock */
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

int64_t rate_of_destination(struct queue_destination *d)
{
	int64_t rate = d->policy->rate, wait_ms;

	if (!rate)
		return 0;
	if (!is_used_up(d->sending, d->tally_key, rate)) {
		count(d->sending, d->tally_key);
		return 0;
	}
	wait_ms = MINUTE_MS / rate;
	return wait_ms > WAIT_MIN_MS ? wait_ms : WAIT_MIN_MS;
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

/* When it is his turn who stands in line for this key from now on. */
static int64_t stand_in_line(struct rates *r, uint64_t key, int64_t rate)
{
	int64_t now_ms = sending_now_ms(r->sending), step_ms = MINUTE_MS / rate;
	struct table_node *n = table_first(&r->waiters, key);
	struct waiter *waiter = n ? container_of(n, struct waiter, node) : NULL;
	int64_t at_ms;

	if (!waiter) {
		if (r->waiters.count >= WAITERS_SWEEP)
			waiters_sweep(r, now_ms);
		waiter = mem_new(struct waiter);
		table_add(&r->waiters, &waiter->node, key);
	}
	at_ms = waiter->next_ms > now_ms ? waiter->next_ms : now_ms + step_ms;
	if (at_ms > now_ms + LINE_MAX_MS)
		at_ms = now_ms + LINE_MAX_MS;
	waiter->next_ms = at_ms + step_ms;
	return at_ms;
}

uint32_t rate_of_sender(struct rates *r, const struct queue_envelope *e)
{
	struct sending *s = r->sending;
	ptrdiff_t at = str_rfind(e->sender, '@');
	struct str domain = at < 0 ? STR_NONE : str_cut(e->sender, (size_t)at + 1, e->sender.len);
	int64_t account_rate = e->account.len ? s->conf->account_rate : 0;
	int64_t domain_rate = domain.len ? s->conf->domain_rate : 0;
	uint64_t account_key, domain_key;

	if (!account_rate && !domain_rate)
		return 0;
	account_key = tally_key(s->w->shm, 's', e->account);
	domain_key = tally_key(s->w->shm, 'o', domain);
	if (is_used_up(s, account_key, account_rate))
		return (uint32_t)((stand_in_line(r, account_key, account_rate) + 999) / 1000);
	if (is_used_up(s, domain_key, domain_rate))
		return (uint32_t)((stand_in_line(r, domain_key, domain_rate) + 999) / 1000);
	if (account_rate)
		count(s, account_key);
	if (domain_rate)
		count(s, domain_key);
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

bool sending_may_connect(struct worker *w, struct str address)
{
	struct sending *s = w->sending;
	uint64_t key = address_key(w, address);
	struct address *a;

	if (!s || (s->conf->address_sessions &&
			  tally_open(w->shm, key, TALLY_SENDINGS) >= (uint64_t)s->conf->address_sessions))
		return false;
	a = address_make(s->rates, key);
	if (!a->count++)
		a->tally = tally_of(w->shm, w->slot, key, timers_ms(s));
	if (a->tally)
		tally_hold(w->shm, w->slot, a->tally, TALLY_SENDINGS, 1);
	return true;
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
