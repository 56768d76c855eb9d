/* orders.c - what operators and ETRN see and do: destinations, and items out of turn. */
#include "protocols/sending/sending_inside.h"
#include <assert.h>

#define PORT 25

/* --- destinations -------------------------------------------------------------------------------------------------- */

struct queue_destination *sending_destination_after(struct worker *w, const struct queue_destination *d)
{
	if (!w->sending)
		return NULL;
	return d ? TAILQ_NEXT(d, all) : TAILQ_FIRST(&w->sending->all);
}

uint32_t destination_oldest_s(const struct queue_destination *d)
{
	return walk_knows(d->sending->walk, d) ? d->walked_oldest_s : d->oldest_s;
}

/* 0: it is being tried. */
static uint32_t next_s(const struct queue_destination *d)
{
	uint32_t soonest_s = walk_knows(d->sending->walk, d) ? d->walked_soonest_s : d->soonest_s;

	if (timer_runs(&d->timer))
		return d->until_s;
	if (d->due_count || d->session_count > d->idle || soonest_s <= sending_now_s(d->sending))
		return 0;
	return soonest_s;
}

void sending_destination_status(struct worker *w, const struct queue_destination *d, struct destination_status *out)
{
	(void)w;
	*out = (struct destination_status){ .key = d->key,
		.items = d->items,
		.held = d->held,
		.sessions = d->session_count,
		.oldest_s = d->items ? destination_oldest_s(d) : 0,
		.next_s = next_s(d),
		.status = d->last ? d->last->outcome.status : STR(""),
		.reply = d->last ? d->last->outcome.reply : STR(""),
		.remote = d->last ? d->last->outcome.remote : STR(""),
		.sent = d->sent,
		.deferred = d->deferred,
		.refused = d->refused };
}

void sending_destination_retry(struct worker *w, struct queue_destination *d)
{
	walk_retry(w->sending->walk, d);
	if (timer_runs(&d->timer))
		destination_wake(d);
}

/* --- items ---------------------------------------------------------------------------------------------------------- */

void item_retry(struct sending *s, struct queue_item *item)
{
	item_take(s, item);
	item->next_s = sending_now_s(s);
	item_wait(s, item, 0);
}

/* What the other side said last stays. */
static void change(struct sending *s, struct queue_item *item, enum queue_fate fate, uint32_t ready_s, struct str to)
{
	struct queue_change c = { .fate = fate,
		.next_s = item->next_s,
		.tries = item->tries,
		.warned_s = item->warned_s,
		.keeps = true,
		.ready_s = ready_s,
		.to = to };

	queue_change(s->w->queue, item, &c);
}

/* It lasts: after a crash it is due as well. */
static void retry_to(struct sending *s, struct queue_item *item, struct str to)
{
	item_take(s, item);
	item->next_s = sending_now_s(s);
	change(s, item, FATE_WAITS, 0, to);
	item_wait(s, item, 0);
}

static void retry(struct sending *s, struct queue_item *item)
{
	retry_to(s, item, STR(""));
	if (timer_runs(&item->destination->timer))
		destination_wake(item->destination);
}

void item_hold(struct sending *s, struct queue_item *item)
{
	item->destination->held++;
	change(s, item, FATE_HELD, 0, STR(""));
	destination_settle(item->destination);
}

static void hold(struct sending *s, struct queue_item *item)
{
	item_take(s, item);
	item_hold(s, item);
}

static void release(struct sending *s, struct queue_item *item)
{
	item->destination->held--;
	item->next_s = sending_now_s(s);
	change(s, item, FATE_WAITS, item->next_s, STR(""));
	item_wait(s, item, 0);
}

static void let_go(struct sending *s, struct queue_item *item)
{
	if (item->state != ITEM_HELD) {
		item_take(s, item);
		return;
	}
	item->destination->held--;
	queue_unhold(s->w->queue, item);
}

static void delete (struct sending *s, struct queue_item *item)
{
	let_go(s, item);
	change(s, item, FATE_ENDED, 0, STR(""));
	destination_settle(item->destination);
}

static void bounce(struct sending *s, struct queue_item *item)
{
	bool held = item->state == ITEM_HELD;

	let_go(s, item);
	item_tell(s, item, held ? PURPOSE_BOUNCE_HELD : PURPOSE_BOUNCE);
	destination_settle(item->destination);
}

bool hop_read(struct str to, struct next_hop *hop)
{
	ptrdiff_t colon = str_rfind(to, ':'), bracket = str_rfind(to, ']');
	uint32_t port = PORT;

	*hop = (struct next_hop){ .way = HOP_SMTP, .direct = true };
	if (colon > bracket) {
		if (!str_u32(str_cut(to, (size_t)colon + 1, to.len), &port) || !port || port > UINT16_MAX)
			return false;
		to = str_cut(to, 0, (size_t)colon);
	}
	if (to.len > 2 && to.p[0] == '[' && to.p[to.len - 1] == ']')
		to = str_cut(to, 1, to.len - 1);
	hop->host = to;
	hop->port = (uint16_t)port;
	return to.len > 0 && str_find(to, '[') < 0 && str_find(to, ']') < 0;
}

static void move(struct sending *s, struct queue_item *item, struct queue_destination *d, struct str to)
{
	if (item->destination != d)
		item_move(s, item, d);
	if (item->state == ITEM_HELD)
		change(s, item, FATE_HELD, 0, to);
	else
		retry_to(s, item, to);
}

static bool concerns(enum sending_order order, const struct queue_item *item)
{
	bool waits = item->state == ITEM_WAITS, held = item->state == ITEM_HELD;

	switch (order) {
	case ORDER_RETRY:
	case ORDER_HOLD:
		return waits;
	case ORDER_RELEASE:
		return held;
	case ORDER_MOVE:
		return !item->local && (waits || held);
	default:
		return waits || held;
	}
}

static void obey(struct sending *s, struct queue_item *item, enum sending_order order, struct queue_destination *d,
	struct str to)
{
	switch (order) {
	case ORDER_RETRY:
		retry(s, item);
		break;
	case ORDER_HOLD:
		hold(s, item);
		break;
	case ORDER_RELEASE:
		release(s, item);
		break;
	case ORDER_DELETE:
		delete (s, item);
		break;
	case ORDER_BOUNCE:
		bounce(s, item);
		break;
	case ORDER_MOVE:
		move(s, item, d, to);
	}
}

size_t sending_order(struct worker *w, struct queue_message *m, enum sending_order order, struct str to,
	bool (*matches)(void *user, const struct queue_item *item), void *user)
{
	struct sending *s = w->sending;
	struct queue_destination *d = NULL;
	struct next_hop hop;
	size_t count = 0;

	if (!s || (order == ORDER_MOVE && (!hop_read(to, &hop) || !queue_takes_to(w->queue, to))))
		return 0;
	for (uint32_t i = 0; i < m->count; i++) {
		struct queue_item *item = &m->items[i];

		if (!item->message || !item->destination || !concerns(order, item) || (matches && !matches(user, item)))
			continue;
		if (order == ORDER_MOVE && !d)
			d = destination_of_hop(s, &hop);
		obey(s, item, order, d, to);
		count++;
	}
	return count;
}
