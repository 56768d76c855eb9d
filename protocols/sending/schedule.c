/* schedule.c - when an item is tried next, when its sender is warned, when it is given up. */
#include "protocols/sending/sending_inside.h"
#include <assert.h>

#define MS 1000

static uint32_t seconds(int64_t own_ms, int64_t all_ms)
{
	return (uint32_t)((own_ms ? own_ms : all_ms) / MS);
}

void policy_read(
	struct policy *p, const struct sending_conf *all, const char *title, const struct destination_conf *own)
{
	static const struct destination_conf nothing;

	if (!own)
		own = &nothing;
	p->title = str_dup(str_of(title));
	times_read(own->retry.count ? &own->retry : &all->retry, &p->retry);
	if (is_never(&own->warn))
		p->warn.count = 0;
	else
		times_read(own->warn.count ? &own->warn : &all->warn, &p->warn);
	p->expire_s = seconds(own->expire_ms, all->expire_ms);
	p->expire_null_s = seconds(own->expire_null_ms, all->expire_null_ms);
	p->sessions = (uint32_t)(own->sessions ? own->sessions : all->destination_sessions);
	p->rate = own->rate ? own->rate : all->destination_rate;
	p->reports_per_sender = own->reports_per_sender;
}

uint32_t schedule_retry_s(const struct policy *p, unsigned tries)
{
	unsigned place = tries ? tries - 1 : 0;

	assert(p->retry.count);
	return p->retry.s[place < p->retry.count ? place : p->retry.count - 1];
}

/* Nobody could try it before. */
static uint32_t ready_s(const struct queue_item *item)
{
	return item->ready_s > item->message->arrived_s ? item->ready_s : item->message->arrived_s;
}

uint32_t schedule_expires_s(const struct policy *p, const struct queue_item *item)
{
	return ready_s(item) + (item->message->null_sender ? p->expire_null_s : p->expire_s);
}

/* RFC 3461, 4.1: who says nothing may be told of a delay, who says something must have said DELAY. RFC 2852, 4.1.3:
 * by-mode N wants to hear of the delay unless NOTIFY=NEVER. */
static bool is_to_be_warned(const struct queue_item *item)
{
	return !item->message->null_sender && (!item->notify || item->notify & NOTIFY_DELAY);
}

/* The earliest of *best and `at`, if that is still to come for the item. */
static bool comes_first(const struct queue_item *item, uint32_t at_s, uint32_t *best)
{
	if (at_s <= item->warned_s || at_s >= *best)
		return false;
	*best = at_s;
	return true;
}

uint32_t schedule_event(const struct policy *p, const struct queue_item *item, enum event *what)
{
	const struct queue_message *m = item->message;
	uint32_t best = schedule_expires_s(p, item);

	*what = EVENT_EXPIRES;
	if (m->by == BY_RETURN && m->by_s < best) {
		best = m->by_s;
		*what = EVENT_RETURNS;
	}
	if (m->by == BY_NOTIFY && !m->null_sender && item->notify != NOTIFY_NEVER && comes_first(item, m->by_s, &best))
		*what = EVENT_WARNS;
	for (unsigned i = 0; is_to_be_warned(item) && i < p->warn.count; i++)
		if (comes_first(item, ready_s(item) + p->warn.s[i], &best))
			*what = EVENT_WARNS;
	return best;
}
