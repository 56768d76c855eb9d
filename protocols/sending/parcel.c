/* parcel.c - a message being opened with some of its items: for a session, or to tell its sender of them. */
#include "core/log.h"
#include "core/mem.h"
#include "protocols/sending/sending_inside.h"
#include <assert.h>
#include <stdlib.h>

#define AGAIN_S 60 /* after the disk, or the queue, said that it cannot now */

static struct parcel *parcel_new(struct sending *s, struct queue_destination *d, enum purpose purpose)
{
	struct parcel *p = mem_new(struct parcel);

	p->sending = s;
	p->destination = d;
	p->purpose = purpose;
	p->since_s = sending_now_s(s);
	p->generation = s->generation;
	d->parcels++;
	s->telling += purpose != PURPOSE_SEND;
	TAILQ_INSERT_TAIL(&s->parcels, p, link);
	return p;
}

static void parcel_fill(struct parcel *p, struct queue_item *const *items, size_t count)
{
	p->transaction.count = count;
	p->transaction.recipients = arena_alloc(&p->memory, count * sizeof(*p->transaction.recipients));
	p->outcomes = arena_alloc(&p->memory, count * sizeof(*p->outcomes));
	for (size_t i = 0; i < count; i++)
		p->transaction.recipients[i].item = items[i];
}

struct parcel *parcel_pick(struct queue_destination *d, enum purpose purpose, size_t most)
{
	struct queue_item *items[PARCEL_MAX], *item = due_first(d);
	struct queue_message *m = item ? item->message : NULL;
	struct parcel *p;
	size_t count = 0;

	if (!item)
		return NULL;
	for (; item && item->message == m && count < most && count < PARCEL_MAX; item = due_first(d)) {
		item_take(d->sending, item);
		items[count++] = item;
	}
	p = parcel_new(d->sending, d, purpose);
	parcel_fill(p, items, count);
	return p;
}

struct parcel *parcel_of_line(struct sending *s, enum purpose purpose)
{
	struct line *line = &s->lines[purpose];
	struct queue_item *items[TOLD_MAX], *item = line->first;
	struct queue_message *m = item->message;
	struct parcel *p = parcel_new(s, item->destination, purpose);
	size_t count = 0;

	p->generation = line->generation;
	while (item && item->message == m && count < TOLD_MAX) {
		items[count++] = item;
		line->first = item->next;
		item->next = NULL;
		item = line->first;
	}
	if (!line->first)
		line->last = NULL;
	parcel_fill(p, items, count);
	return p;
}

void parcel_open(struct parcel *p, queue_open_done *done)
{
	p->opening = queue_open(p->sending->w->queue, p->transaction.recipients[0].item->message, done, p);
}

/* A configuration was read while it was in line or open: what waits again may go elsewhere now. */
static void reroute(const struct parcel *p)
{
	const struct queue_copy *copy = p->copy;
	struct sending *s = p->sending;

	for (size_t i = 0; copy && copy->message && i < p->transaction.count; i++) {
		struct queue_item *item = p->transaction.recipients[i].item;
		const struct queue_recipient *r = p->transaction.recipients[i].recipient;
		struct queue_destination *d;

		if (!item->message || (item->state != ITEM_WAITS && item->state != ITEM_HELD))
			continue;
		d = destination_of_item(s, item, r->address, copy->envelope.sender);
		if (d != item->destination)
			item_move(s, item, d);
		else
			destination_settle(d);
	}
}

void parcel_free(struct parcel *p)
{
	struct queue_destination *d = p->destination;
	struct sending *s = p->sending;

	rate_sender_done(p);
	call_cancel(p->opening);
	chore_stop(s->w->chores, &p->chore);
	tellings_cancel(p);
	if (!s->stopping && p->generation != s->generation)
		reroute(p);
	queue_copy_free(p->copy);
	arena_free(&p->memory);
	TAILQ_REMOVE(&s->parcels, p, link);
	d->parcels--;
	if (p->purpose != PURPOSE_SEND && s->telling-- == TELLING_MAX)
		sending_telling(s);
	free(p);
	destination_settle(d);
}

bool parcel_is_old(const struct parcel *p)
{
	return p->generation != p->sending->generation;
}

void parcel_put_back(struct parcel *p, uint32_t not_before_s)
{
	for (size_t i = 0; i < p->transaction.count; i++)
		item_wait(p->sending, p->transaction.recipients[i].item, not_before_s);
	parcel_free(p);
}

void parcel_again(struct parcel *p, struct queue_item *item, uint32_t again_s)
{
	if (p->purpose == PURPOSE_BOUNCE_HELD)
		item_hold(p->sending, item);
	else
		item_wait_again(p->sending, item, again_s);
}

/* A message that cannot be read is nobody's to send, nor to throw away: it waits for an operator. */
static void hold(struct parcel *p)
{
	for (size_t i = 0; i < p->transaction.count; i++) {
		struct queue_item *item = p->transaction.recipients[i].item;
		struct queue_change c = { .fate = FATE_HELD,
			.next_s = item->next_s,
			.tries = item->tries,
			.warned_s = item->warned_s,
			.status = STR("4.3.0"),
			.reply = STR("the message cannot be read in the queue") };

		item->destination->held++;
		queue_change(p->sending->w->queue, item, &c);
	}
}

bool parcel_readable(struct parcel *p, enum err e, struct queue_copy *copy)
{
	char id[QUEUE_ID_SIZE];

	p->opening = NULL;
	p->copy = p->transaction.copy = copy;
	if (!e) {
		for (size_t i = 0; i < p->transaction.count; i++) {
			uint32_t number = p->transaction.recipients[i].item->number;

			assert(number < copy->envelope.count);
			p->transaction.recipients[i].recipient = &copy->envelope.recipients[number];
		}
		return true;
	}
	if (e == ERR_AGAIN) {
		for (size_t i = 0; i < p->transaction.count; i++)
			parcel_again(p, p->transaction.recipients[i].item, p->since_s + AGAIN_S);
	} else {
		log_error("sending", queue_id_print(id, p->transaction.recipients[0].item->message->id),
			"cannot be read and is held reason=\"%s\"", err_text(e));
		hold(p);
	}
	parcel_free(p);
	return false;
}
