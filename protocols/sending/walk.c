/* walk.c - rounds through all items, a few at a time, for what no list tells: which of them are a destination's, what is the
 * oldest of it, and where they go by a changed configuration. Next hops need addresses, so for these the messages are
 * opened, a few at a time. */
#include "core/mem.h"
#include "protocols/sending/sending_inside.h"
#include <assert.h>
#include <stdlib.h>

#define MESSAGES_MAX 20    /* looked at in one go */
#define OPENINGS_MAX 8     /* messages being opened at a time */
#define LEISURE_MS   30000 /* between rounds that nobody waits for */

struct walk {
	struct sending *sending;
	struct timer timer; /* until a round at leisure */
	struct chore chore;
	uint32_t round;        /* its number, from 1 */
	uint64_t after;        /* the message looked at last; 0: none */
	bool running;          /* in the midst of a round */
	bool again;            /* another is to follow it */
	bool hops, hops_asked; /* next hops are looked for: in this round, in the next */
	TAILQ_HEAD(openings, opening) openings;
	unsigned opening_count;
};

struct opening {
	TAILQ_ENTRY(opening) link;
	struct walk *walk;
	struct call *call;
};

static void step(void *user);

static void go_on(struct walk *k)
{
	timer_stop(k->sending->w->timers, &k->timer);
	chore_start(k->sending->w->chores, &k->chore, step, k);
}

/* --- next hops -------------------------------------------------------------------------------------------------------- */

static void opening_free(struct opening *o)
{
	struct walk *k = o->walk;

	call_cancel(o->call);
	TAILQ_REMOVE(&k->openings, o, link);
	if (k->opening_count-- == OPENINGS_MAX && k->running)
		go_on(k);
	free(o);
}

static bool may_move(const struct queue_item *item)
{
	return item->message && item->destination && (item->state == ITEM_WAITS || item->state == ITEM_HELD);
}

static void on_open(void *user, enum err e, struct queue_copy *copy)
{
	struct opening *o = user;
	struct sending *s = o->walk->sending;

	o->call = NULL;
	for (uint32_t i = 0; !e && copy->message && i < copy->message->count && i < copy->envelope.count; i++) {
		struct queue_item *item = &copy->message->items[i];
		const struct queue_recipient *r = &copy->envelope.recipients[i];
		struct queue_destination *d;

		if (!may_move(item))
			continue;
		d = destination_of_item(s, item, r->address, copy->envelope.sender);
		if (d != item->destination)
			item_move(s, item, d);
		else
			destination_settle(d);
	}
	queue_copy_free(copy);
	opening_free(o);
}

static void open_message(struct walk *k, struct queue_message *m)
{
	struct opening *o = mem_new(struct opening);

	o->walk = k;
	TAILQ_INSERT_TAIL(&k->openings, o, link);
	k->opening_count++;
	o->call = queue_open(k->sending->w->queue, m, on_open, o);
}

/* --- a round ----------------------------------------------------------------------------------------------------------- */

static void begin(struct walk *k)
{
	k->running = true;
	k->again = false;
	k->after = 0;
	k->round++;
	k->hops = k->hops_asked;
	k->hops_asked = false;
}

static void finish(struct walk *k)
{
	k->running = false;
	if (k->again)
		go_on(k);
}

static void look_at(struct walk *k, struct queue_item *item)
{
	struct queue_destination *d = item->destination;

	if (d->walked != k->round) {
		d->walked = k->round;
		d->walked_oldest_s = d->walked_soonest_s = UINT32_MAX;
	}
	if (item->state == ITEM_WAITS && d->retry_round == k->round && !is_due(item))
		item_retry(k->sending, item);
	if (item->message->arrived_s < d->walked_oldest_s)
		d->walked_oldest_s = item->message->arrived_s;
	if (item->state == ITEM_WAITS && item->next_s < d->walked_soonest_s)
		d->walked_soonest_s = item->next_s;
}

bool walk_knows(const struct walk *k, const struct queue_destination *d)
{
	return !k->running && k->round && d->walked == k->round;
}

void walk_retry(struct walk *k, struct queue_destination *d)
{
	d->retry_round = k->round + 1;
	walk_soon(k);
}

static void step(void *user)
{
	struct walk *k = user;
	struct sending *s = k->sending;

	if (!k->running)
		begin(k);
	for (unsigned i = 0; i < MESSAGES_MAX && k->opening_count < OPENINGS_MAX; i++) {
		struct queue_message *m = queue_after(s->w->queue, k->after);

		if (!m) {
			finish(k);
			return;
		}
		k->after = m->id;
		for (uint32_t at = 0; at < m->count; at++)
			if (m->items[at].message && m->items[at].destination)
				look_at(k, &m->items[at]);
		if (k->hops)
			open_message(k, m);
	}
	if (k->opening_count < OPENINGS_MAX)
		go_on(k);
}

/* --- asking for one ---------------------------------------------------------------------------------------------------- */

void walk_soon(struct walk *k)
{
	k->again = true;
	if (!k->running)
		go_on(k);
}

void walk_at_leisure(struct walk *k)
{
	if (!k->running && !chore_runs(&k->chore) && !timer_runs(&k->timer))
		timer_start(k->sending->w->timers, &k->timer, LEISURE_MS, step, k);
}

void walk_for_hops(struct walk *k)
{
	k->hops_asked = true;
	walk_soon(k);
}

struct walk *walk_new(struct sending *s)
{
	struct walk *k = mem_new(struct walk);

	k->sending = s;
	TAILQ_INIT(&k->openings);
	return k;
}

void walk_free(struct walk *k)
{
	k->running = false;
	for (struct opening *o; (o = TAILQ_FIRST(&k->openings));)
		opening_free(o);
	timer_stop(k->sending->w->timers, &k->timer);
	chore_stop(k->sending->w->chores, &k->chore);
	free(k);
}
