/* queue.c - the queue as its users see it (queue.h): settings, ids, items opening and closing, start and stop. */
#include "storage/queue/queue.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/owner.h"
#include "storage/queue/fate_form.h"
#include "storage/queue/parts.h"
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#define OPENING_STEP 16 /* items opened in one go */
#define FREEING_STEP 64 /* messages freed, at a stop */

/* --- settings -------------------------------------------------------------------------------------------------------- */

static const struct setting rows[] = {
	{ "segment", SETTING_SIZE, "64M", "64K", "2G", offsetof(struct queue_conf, segment),
		"Bytes of a file of waiting messages, after which the next begins.", 0 },
	{ "messages", SETTING_NUMBER, "2000000", "1", "100000000", offsetof(struct queue_conf, messages),
		"Messages that may wait in a worker's queue; more are refused for now.", 0 },
	{ "recipients", SETTING_NUMBER, "100000", "1", "10000000", offsetof(struct queue_conf, recipients),
		"Recipients of one waiting message.", 0 },
	{ 0 },
};

const struct settings queue_settings = {
	.section = "queue", .size = sizeof(struct queue_conf), .rows = rows, .text = "Mail that waits to be sent."
};

_Static_assert(sizeof(struct queue_item) <= 64, "a million of them are in memory");

/* --- messages -------------------------------------------------------------------------------------------------------- */

struct record *record_new(uint32_t items)
{
	struct record *r = mem_alloc(sizeof(*r) + items * sizeof(struct queue_item) + items * sizeof(uint32_t));

	r->m.count = items;
	return r;
}

static uint32_t seconds_of(int64_t s)
{
	return s < 0 ? 0 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

void record_item(struct record *r, uint32_t number, const struct queue_envelope *e)
{
	struct queue_item *item = &r->m.items[number];

	item->message = &r->m;
	item->number = number;
	item->state = e->held ? ITEM_HELD : ITEM_WAITS;
	item->notify = (uint8_t)e->recipients[number].notify;
	item->local = e->recipients[number].local;
	item->next_s = seconds_of(e->release_s > e->arrived_s ? e->release_s : e->arrived_s);
	item->ready_s = e->release_s > e->arrived_s ? item->next_s : 0;
}

void record_finish(struct record *r, const struct envelope_head *h, const struct queue_envelope *e)
{
	struct queue_message *m = &r->m;

	r->prefix = h->prefix;
	m->id = h->id;
	m->stored = (uint32_t)h->stored;
	m->wire = (uint32_t)h->wire;
	m->arrived_s = seconds_of(e->arrived_s);
	m->by_s = seconds_of(e->by_s);
	m->by = (uint8_t)e->by;
	m->priority = (int8_t)e->priority;
	m->null_sender = !e->sender.len;
}

struct record *record_from(const struct envelope_head *h, const struct queue_envelope *e)
{
	struct record *r = record_new((uint32_t)e->count);

	for (uint32_t i = 0; i < r->m.count; i++)
		record_item(r, i, e);
	record_finish(r, h, e);
	return r;
}

static uint64_t bytes_of(const struct record *r)
{
	return r->prefix + (uint64_t)r->m.stored + 1;
}

void record_add(struct queue *q, struct record *r)
{
	struct queue_segment *s = r->m.segment;

	s->references++;
	s->messages++;
	s->living += bytes_of(r);
	q->totals.messages++;
	q->totals.bytes += r->m.stored;
	for (uint32_t i = 0; i < r->m.count; i++)
		if (r->m.items[i].message) {
			r->open++;
			q->totals.items++;
			q->totals.held += r->m.items[i].state == ITEM_HELD;
		}
}

void record_list(struct queue *q, struct record *r)
{
	order_add(&q->order, &r->m);
	r->listed = true;
}

static void record_gone(struct queue *q, struct record *r)
{
	struct queue_segment *s = r->m.segment;

	if (r->listed)
		order_remove(&q->order, r->m.id);
	copies_forget(q, &r->m);
	q->totals.messages--;
	q->totals.bytes -= r->m.stored;
	s->messages--;
	s->living -= bytes_of(r);
	tidy_look(q);
	segment_unref(s);
	free(r);
}

void item_close(struct queue *q, struct queue_item *item)
{
	struct record *r = record_of(item->message);

	if (q->listener.closed)
		q->listener.closed(q->user, item);
	if (item->changes)
		changes_forget(q, item);
	answers_release(q->answers, item->note);
	item->note = 0;
	item->message = NULL;
	q->totals.items--;
	if (!--r->open)
		record_gone(q, r);
}

/* --- items open ------------------------------------------------------------------------------------------------------ */

/* Tells of a few items. True: all are told. A record that is not through has an item that
 * nobody was told of, so it is there; it can be found when it is through. */
static bool opening_tell(struct queue *q, struct opening *o)
{
	unsigned looks = 0;
	struct unpack u = unpack_of(str_cut(buf_str(&o->texts), o->read, buf_len(&o->texts)));

	for (; o->at < o->count; o->at++, o->item = 0, o->begun = false) {
		struct record *r = o->records[o->at];
		uint32_t count = r->m.count;
		struct str address;

		if (!o->begun)
			o->sender = unpack_str(&u);
		o->begun = true;
		for (; o->item < count; o->item++) {
			struct queue_item *item = &r->m.items[o->item];

			if (!item->message)
				continue; /* so that one is left to tell of whenever we stop here */
			if (looks++ == OPENING_STEP) {
				o->read = buf_len(&o->texts) - u.left.len;
				return false;
			}
			address = unpack_str(&u);
			if (item->to)
				item->to = to_keep(q, unpack_str(&u));
			answers_find(q->answers, item);
			if (q->listener.opened)
				q->listener.opened(q->user, item, address, o->sender);
		}
		record_list(q, r);
	}
	return true;
}

static void opening_end(struct opening *o)
{
	buf_free(&o->texts);
	free(o->records);
	o->done(o->user);
	free(o);
}

static void openings_step(void *user)
{
	struct queue *q = user;
	struct opening *o = q->openings;

	if (opening_tell(q, o)) {
		q->openings = o->next;
		if (!q->openings)
			q->openings_last = &q->openings;
		opening_end(o);
	}
	if (q->openings)
		chore_start(q->w->chores, &q->opening_chore, openings_step, q);
}

void opening_add(struct queue *q, struct opening *o)
{
	if (opening_tell(q, o)) {
		opening_end(o);
		return;
	}
	*q->openings_last = o;
	q->openings_last = &o->next;
	chore_start(q->w->chores, &q->opening_chore, openings_step, q);
}

void queue_listen(struct queue *q, const struct queue_listener *l, void *user)
{
	q->listener = *l;
	q->user = user;
}

/* --- where operators sent items -------------------------------------------------------------------------------------- */

uint16_t to_keep(struct queue *q, struct str to)
{
	for (unsigned i = q->to_count; i && to.len; i--)
		if (str_eq(str_of(q->tos[i - 1]), to))
			return (uint16_t)i;
	if (!to.len || q->to_count == QUEUE_TO_MAX)
		return 0;
	q->tos = mem_resize(q->tos, (q->to_count + 1) * sizeof(*q->tos));
	q->tos[q->to_count] = str_dup(to);
	return (uint16_t)++q->to_count;
}

struct str queue_item_to(const struct queue *q, const struct queue_item *item)
{
	return item->to ? str_of(q->tos[item->to - 1]) : STR("");
}

bool queue_takes_to(struct queue *q, struct str to)
{
	return fate_to_good(to) && to_keep(q, to);
}

/* --- answers --------------------------------------------------------------------------------------------------------- */

void queue_note(struct queue *q, struct queue_item *const *items, size_t count, const struct queue_answer *a)
{
	answers_note(q->answers, items, count, a);
}

bool queue_noted(const struct queue *q, const struct queue_item *item, struct queue_answer *a)
{
	return answers_read(q->answers, item, a);
}

/* --- looking --------------------------------------------------------------------------------------------------------- */

struct queue_message *queue_find(struct queue *q, uint64_t id)
{
	return order_find(&q->order, id);
}

struct queue_message *queue_after(struct queue *q, uint64_t id)
{
	return order_after(&q->order, id);
}

struct queue_totals queue_totals(const struct queue *q)
{
	return q->totals;
}

/* Half of an entry is for envelope, ends and the like. */
uint64_t queue_put_most(const struct queue *q)
{
	return journal_entry_max(q->journal) / 2;
}

enum err queue_room(const struct queue *q, uint64_t bytes)
{
	if (q->broken || q->stopping || q->totals.messages >= (uint64_t)q->conf.messages)
		return ERR_AGAIN;
	return journal_room(q->journal, ENTRY_MAIL, bytes);
}

/* --- start and stop -------------------------------------------------------------------------------------------------- */

enum err queue_start(struct worker *w)
{
	struct queue *q = mem_new(struct queue);
	enum err e;

	q->w = w;
	q->journal = w->store->journal;
	q->next = 1;
	q->pendings.last = &q->pendings.first;
	q->openings_last = &q->openings;
	w->queue = q;
	queue_reload(w);
	if ((e = segments_list(q))) {
		queue_free(q);
		return e;
	}
	q->answers = answers_open(w->directory, w->slot);
	load_start(q);
	return OK;
}

void queue_reload(struct worker *w)
{
	w->queue->conf = *(const struct queue_conf *)conf_section(w->conf, &queue_settings);
}

void queue_stop(struct worker *w)
{
	struct queue *q = w->queue;

	q->listener = (struct queue_listener){ 0 }; /* it is gone, or about to go */
	load_stop(q);
	tidy_stop(q);
	while (lane_depth(w->files)) /* messages on their way in, and readers */
		lane_drain(w->files);
	q->stopping = true;
	changes_stop(q);
	chore_stop(w->chores, &q->opening_chore);
}

static void openings_free(struct queue *q)
{
	while (q->openings) {
		struct opening *o = q->openings;

		q->openings = o->next;
		for (size_t i = o->at; i < o->count; i++)
			if (!o->records[i]->listed)
				record_list(q, o->records[i]);
		buf_free(&o->texts);
		free(o->records);
		o->done(o->user);
		free(o);
	}
}

/* False: there was none left. */
static bool message_free(struct queue *q)
{
	struct queue_message *m = order_pop(&q->order);

	if (!m)
		return false;
	copies_forget(q, m);
	segment_unref(m->segment);
	free(record_of(m));
	return true;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	assert(!q->closing);
	chore_stop(q->w->chores, &q->opening_chore);
	chore_stop(q->w->chores, &q->freeing_chore);
	openings_free(q);
	changes_free(q);
	while (message_free(q))
		;
	order_free(&q->order);
	while (q->segments) {
		struct queue_segment *s = q->segments;

		q->segments = s->next;
		segment_unref(s);
	}
	answers_free(q->answers);
	for (unsigned i = 0; i < q->to_count; i++)
		free(q->tos[i]);
	free(q->tos);
	q->w->queue = NULL;
	free(q);
}

static void freeing_step(void *user)
{
	struct queue *q = user;
	void (*freed)(struct worker *) = q->freed;
	struct worker *w = q->w;
	bool left = q->closing != 0;

	for (unsigned i = 0; !q->closing && i < FREEING_STEP; i++)
		left = message_free(q);
	if (left) {
		chore_start(w->chores, &q->freeing_chore, freeing_step, q);
	} else {
		queue_free(q);
		freed(w);
	}
}

void queue_end(struct worker *w, void (*freed)(struct worker *w))
{
	struct queue *q = w->queue;

	q->freed = freed;
	freeing_step(q);
}
