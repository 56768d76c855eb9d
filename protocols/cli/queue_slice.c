/* queue_slice.c - see queue_slice.h. */
#include "protocols/cli/queue_slice.h"
#include "core/arena.h"
#include "core/log.h"
#include "core/mem.h"
#include "protocols/cli/lines.h"
#include "protocols/cli/queue_json.h"
#include <stdlib.h>

#define OPEN_MAX   16   /* messages read for a slice */
#define LISTED_MAX 50   /* recipients of one message in a list */
#define ITEMS_MAX  100  /* recipients of one message shown or given an order in a slice; destinations told of */
#define LOOKED_MAX 4000 /* messages looked at for a slice, so that its asker need not wait for long */
#define LOOK_STEP  20   /* messages, or items given an order, in one go */
#define TELL_STEP  10   /* destinations */
#define READING_MS 20   /* between two looks whether the queue has been read */

struct picked { /* a message of the slice */
	struct slice *slice;
	uint64_t id;
	struct call *call;       /* being opened; NULL: it is, or could not be */
	struct queue_copy *copy; /* NULL: it is gone */
};

struct slice {
	struct worker *w;
	struct request *rq;
	struct slice_ask ask;
	struct picked picked[OPEN_MAX];
	unsigned count, opening; /* opening: looking counts as one, too */
	unsigned looked, done;   /* messages looked at, messages picked that were dealt with */
	struct chore chore;
	struct timer reading;
	struct slice_answer answer;
	struct buf lines, key; /* key: answer.key */
	struct arena memory;   /* the filter's texts */
};

/* --- asking and answering ------------------------------------------------------------------------------------------- */

void slice_ask_pack(const struct slice_ask *a, struct buf *out)
{
	pack_u8(out, a->task);
	filter_pack(&a->filter, out);
	pack_u8(out, a->order);
	pack_str(out, a->via);
	pack_str(out, a->key);
	pack_u64(out, a->id);
	pack_u32(out, a->item);
	pack_u32(out, a->most);
}

static bool ask_unpack(struct str args, struct slice_ask *a)
{
	struct unpack u = unpack_of(args);

	a->task = (enum slice_task)unpack_u8(&u);
	filter_unpack(&u, &a->filter);
	a->order = (enum sending_order)unpack_u8(&u);
	a->via = unpack_str(&u);
	a->key = unpack_str(&u);
	a->id = unpack_u64(&u);
	a->item = unpack_u32(&u);
	a->most = unpack_u32(&u);
	return unpack_end(&u) && a->task <= SLICE_STATS && a->order <= ORDER_MOVE;
}

void slice_answer_unpack(struct unpack *u, struct slice_answer *a)
{
	a->id = unpack_u64(u);
	a->item = unpack_u32(u);
	a->last = unpack_u8(u);
	a->count = unpack_u32(u);
	a->key = unpack_str(u);
	a->lines = unpack_str(u);
}

static void answer(struct slice *s)
{
	struct buf out = { 0 };

	pack_u64(&out, s->answer.id);
	pack_u32(&out, s->answer.item);
	pack_u8(&out, s->answer.last);
	pack_u32(&out, s->answer.count);
	pack_str(&out, buf_str(&s->key));
	pack_str(&out, buf_str(&s->lines));
	request_answer(s->rq, OK, buf_str(&out));
	buf_free(&out);
	buf_free(&s->lines);
	buf_free(&s->key);
	arena_free(&s->memory);
	free(s);
}

static void go_on(struct slice *s, void (*step)(void *user))
{
	chore_start(s->w->chores, &s->chore, step, s);
}

/* Takes the item. */
static void add_line(struct slice *s, json_t *item)
{
	lines_add_json(&s->lines, json_pack("{s:o}", "item", item));
}

/* --- lists ---------------------------------------------------------------------------------------------------------- */

static void list_message(struct slice *s, const struct queue_copy *copy)
{
	json_t *recipients = json_array(), *message;
	uint32_t open = 0, listed = 0;

	for (uint32_t i = 0; i < copy->message->count; i++) {
		const struct queue_item *item = &copy->message->items[i];

		open += item->message != NULL;
		if (listed == LISTED_MAX || !filter_has_item(&s->ask.filter, s->w, item, &copy->envelope))
			continue;
		json_array_append_new(
			recipients, queue_recipient_json(s->w, &copy->envelope.recipients[item->number], item, false));
		listed++;
	}
	if (!listed) {
		json_decref(recipients);
		return;
	}
	message = queue_message_json(s->w, copy, false);
	json_object_set_new(message, "recipients", recipients);
	json_object_set_new(message, "more", json_integer(open - listed));
	add_line(s, message);
	s->answer.count++;
}

/* --- one message ---------------------------------------------------------------------------------------------------- */

static const struct queue_item *item_numbered(const struct queue_message *m, uint32_t number)
{
	return m && number < m->count ? &m->items[number] : NULL;
}

static void show_message(struct slice *s, const struct queue_copy *copy)
{
	const struct queue_envelope *e = &copy->envelope;
	size_t at = s->ask.item, end = at + ITEMS_MAX < e->count ? at + ITEMS_MAX : e->count;

	if (!at)
		add_line(s, queue_message_json(s->w, copy, true));
	for (; at < end; at++)
		add_line(s, queue_recipient_json(
				    s->w, &e->recipients[at], item_numbered(copy->message, (uint32_t)at), true));
	s->answer.count = 1;
	s->answer.last = end == e->count;
	s->answer.item = (uint32_t)end;
}

/* --- orders --------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *word, *done;
} orders[] = {
	[ORDER_RETRY] = { "retry", "retried" },
	[ORDER_HOLD] = { "hold", "held" },
	[ORDER_RELEASE] = { "release", "released" },
	[ORDER_DELETE] = { "delete", "deleted" },
	[ORDER_BOUNCE] = { "bounce", "bounced" },
	[ORDER_MOVE] = { "move", "moved" },
};

bool slice_order_read(struct str word, enum sending_order *order)
{
	for (unsigned i = 0; i < sizeof(orders) / sizeof(*orders); i++)
		if (str_eq(word, str_of(orders[i].word))) {
			*order = (enum sending_order)i;
			return true;
		}
	return false;
}

struct ordering {
	const struct slice *slice;
	const struct queue_envelope *envelope; /* NULL: not needed */
	uint32_t from, to;                     /* numbers of items */
};

static bool is_ordered(void *user, const struct queue_item *item)
{
	const struct ordering *o = user;

	return item->number >= o->from && item->number < o->to &&
	       filter_has_item(&o->slice->ask.filter, o->slice->w, item, o->envelope);
}

/* False: there are more items than are dealt with in one slice. */
static bool order_message(struct slice *s, struct queue_message *m, const struct queue_envelope *e)
{
	uint32_t from = s->ask.id == m->id ? s->ask.item : 0;
	struct ordering o = { s, e, from, from + ITEMS_MAX };
	bool whole = o.to >= m->count;
	char id[QUEUE_ID_SIZE];
	size_t count;

	queue_id_print(id, m->id);
	if (!whole)
		s->answer.item = o.to;
	count = sending_order(s->w, m, s->ask.order, s->ask.via, is_ordered, &o); /* m may be gone */
	s->answer.count += (uint32_t)count;
	if (count && s->ask.via.len)
		log_info("sending", id, "%s items=%zu by=operator to=" STR_FMT, orders[s->ask.order].done, count,
			STR_ARG(s->ask.via));
	else if (count)
		log_info("sending", id, "%s items=%zu by=operator", orders[s->ask.order].done, count);
	return whole;
}

/* --- a slice -------------------------------------------------------------------------------------------------------- */

static void ordered(void *user)
{
	answer(user);
}

/* One of those that were opened. An order is told as done when all of it lasts. */
static void picked_step(void *user)
{
	struct slice *s = user;
	struct queue_copy *copy = s->done < s->count ? s->picked[s->done].copy : NULL;

	if (s->done++ >= s->count) {
		if (s->ask.task == SLICE_ORDER && s->answer.last && !s->w->stopping)
			queue_when_written(s->w->queue, ordered, s);
		else
			answer(s);
		return;
	}
	if (copy && s->ask.task == SLICE_SHOW)
		show_message(s, copy);
	else if (copy && copy->message && s->ask.task == SLICE_LIST && s->answer.count < s->ask.most)
		list_message(s, copy);
	else if (copy && copy->message && s->ask.task == SLICE_ORDER)
		s->answer.last &= order_message(s, copy->message, &copy->envelope);
	queue_copy_free(copy);
	go_on(s, picked_step);
}

static void opening_less(struct slice *s)
{
	if (!--s->opening)
		picked_step(s);
}

static void opened(void *user, enum err e, struct queue_copy *copy)
{
	struct picked *p = user;

	p->call = NULL;
	p->copy = e ? NULL : copy;
	opening_less(p->slice);
}

static void open_message(struct slice *s, struct queue_message *m)
{
	struct picked *p = &s->picked[s->count++];

	p->slice = s;
	p->id = m->id;
	s->opening++;
	p->call = queue_open(s->w->queue, m, opened, p);
}

static struct queue_message *first_of(const struct slice *s)
{
	struct queue *q = s->w->queue;
	struct queue_message *m = NULL;

	if (s->ask.filter.id)
		return s->ask.id && !s->ask.item ? NULL : queue_find(q, s->ask.filter.id);
	if (s->ask.item)
		m = queue_find(q, s->ask.id);
	return m ? m : queue_after(q, s->ask.id);
}

static struct queue_message *next_of(const struct slice *s, uint64_t id)
{
	return s->ask.filter.id ? NULL : queue_after(s->w->queue, id);
}

/* An order for so many items takes a slice of its own, or several. */
static bool is_long(const struct slice *s, const struct queue_message *m)
{
	return s->ask.task == SLICE_ORDER && m->count > ITEMS_MAX;
}

static bool is_full(const struct slice *s)
{
	return s->count == OPEN_MAX || (s->ask.task == SLICE_LIST && s->count >= s->ask.most);
}

/* Picks messages that are to be opened, or does to each what is to be done. Where to go on is behind the last. False:
 * that is for another slice. */
static bool look_some(struct slice *s)
{
	bool texts = s->ask.task != SLICE_ORDER || filter_needs_texts(&s->ask.filter);
	struct queue_message *m = s->looked ? next_of(s, s->answer.id) : first_of(s);

	for (uint32_t cost = 0; m && cost < LOOK_STEP; cost++) {
		uint64_t id = m->id;
		bool meant = filter_has(&s->ask.filter, s->w, m), stop = is_long(s, m);

		if (is_full(s) || s->looked == LOOKED_MAX || (meant && texts && stop && s->count))
			return false;
		s->looked++;
		s->answer.id = id;
		s->answer.item = 0;
		if (meant && texts) {
			open_message(s, m);
		} else if (meant) {
			cost += m->count;
			stop = !order_message(s, m, NULL);
		}
		if (meant && stop)
			return false;
		m = next_of(s, id);
	}
	s->answer.last = !m;
	return m != NULL;
}

static void look_step(void *user)
{
	struct slice *s = user;

	if (look_some(s) && !s->w->stopping)
		go_on(s, look_step);
	else
		opening_less(s);
}

/* After a start the queue is read for a while: what is looked for may come yet. */
static void look_begin(void *user)
{
	struct slice *s = user;

	if (queue_totals(s->w->queue).reading && !s->w->stopping)
		timer_start(s->w->timers, &s->reading, READING_MS, look_begin, s);
	else
		go_on(s, look_step);
}

/* --- destinations -------------------------------------------------------------------------------------------------- */

/* Behind the last one told of; if that is gone, behind as many as were. */
static struct queue_destination *next_destination(const struct slice *s)
{
	struct queue_destination *d = NULL;

	if (buf_len(&s->key) && (d = sending_destination_named(s->w, buf_str(&s->key))))
		return sending_destination_after(s->w, d);
	d = sending_destination_after(s->w, NULL);
	for (uint32_t i = 0; d && i < s->answer.item; i++)
		d = sending_destination_after(s->w, d);
	return d;
}

/* Whoever comes or goes meanwhile may make one be told of twice, or not: it is a picture of what moves. */
static void tell_step(void *user)
{
	struct slice *s = user;
	struct queue_destination *d = next_destination(s);
	struct destination_status status = { 0 };

	for (unsigned i = 0; d && i < TELL_STEP; i++, s->answer.item++) {
		sending_destination_status(s->w, d, &status);
		if (!s->ask.filter.destination.len || str_eq_nocase(s->ask.filter.destination, status.key))
			add_line(s, queue_destination_json(s->w, &status));
		d = sending_destination_after(s->w, d);
	}
	buf_clear(&s->key);
	buf_add_str(&s->key, status.key);
	s->answer.last = !d;
	if (d && s->answer.item < s->ask.item + ITEMS_MAX)
		go_on(s, tell_step);
	else
		answer(s);
}

/* --- the call ------------------------------------------------------------------------------------------------------ */

static void slice_handle(struct worker *w, struct request *rq, struct str args)
{
	struct slice *s = mem_new(struct slice);

	s->w = w;
	s->rq = rq;
	if (!ask_unpack(arena_str(&s->memory, args), &s->ask)) {
		request_answer(rq, ERR_MISTAKE, STR_NONE);
		arena_free(&s->memory);
		free(s);
		return;
	}
	s->answer.id = s->ask.id;
	s->answer.item = s->ask.item;
	if (s->ask.task == SLICE_STATS) {
		buf_add_str(&s->key, s->ask.key);
		if (!s->ask.item)
			add_line(s, queue_totals_json(w));
		go_on(s, tell_step);
	} else {
		s->opening = 1;
		look_begin(s);
	}
}

const struct call_type slice_calls[] = {
	{ "cli.queue", slice_handle },
	{ 0 },
};
