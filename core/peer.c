/* peer.c - see peer.h.
 * Always: (1) a call under way holds a credit of its peer, from its put until the answer is taken in or the peer's life
 * ended, even if nobody waits for it any more; (2) answers and events do not wait for calls, so two workers cannot wait
 * for each other; (3) a record is for one life of its reader and is dropped by any other; (4) calls asked by a life
 * that ended are not run. */
#include "core/peer.h"
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include <assert.h>
#include <stdlib.h>

#define TURN_RECORDS    128         /* taken in from one peer in a turn of the loop, so that others have theirs */
#define RING_RECORDS    (1u << 20)  /* more than any ring holds */
#define IN_RING_BYTES   (64u << 10) /* of a record; more if that is */
#define RING_SHARE      16          /* this part of the longest that can fit: 256 KiB with two workers */
#define EVENT_BYTES_MAX (64u << 20) /* of events that wait for room at one peer; more are lost */
#define ROOM_MS         2           /* a full ring is tried again after so long */
#define LOST_MS         600000      /* a credit nobody waits for is free again after so long without an answer */

COUNTER(calls_sent, "calls.sent", "calls made to other workers");
COUNTER(calls_again, "calls.again", "calls sent again because their owner died");
COUNTER(calls_filed, "calls.filed", "calls, answers and events too long for a ring");
COUNTER(events_lost, "calls.events_lost", "events dropped because their reader stands still");

struct parcel { /* a record that waits for room */
	struct parcel *next;
	uint32_t life;
	bool event;
	size_t len;
	char bytes[];
};

/* --- credits ----------------------------------------------------------------------------------------------------- */

static struct credit *credit_of(struct peer *p, uint64_t number)
{
	struct credit *credit = &p->credits[number % CREDITS];

	return number && credit->number == number ? credit : NULL;
}

static void credit_free(struct peer *p, struct credit *credit)
{
	*credit = (struct credit){ 0 };
	p->free[p->frees++] = (uint8_t)(credit - p->credits);
}

void peer_leave(struct peer *p, struct calls *cs, struct call *c)
{
	struct credit *credit = credit_of(p, c->number);

	credit->call = NULL;
	credit->left_ms = timers_now_ms(cs->w->timers);
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

static bool put(struct peer *p, struct calls *cs, struct record *r)
{
	char head[RECORD_HEAD_BYTES];

	r->from_life = cs->life;
	record_head(r, head);
	if (!ring_put(p->out, (struct str){ head, sizeof(head) }, r->bytes))
		return false;
	p->wake = true;
	calls_stir(cs);
	return true;
}

/* How many bytes of a record go through the ring: with few workers, whose rings are large, most messages. */
static size_t ring_bytes_max(const struct ring *r)
{
	size_t most = ring_record_max(r) - RECORD_HEAD_BYTES, share = most / RING_SHARE;

	if (share > IN_RING_BYTES)
		return share;
	return most < IN_RING_BYTES ? most : IN_RING_BYTES;
}

/* Bytes too long for the ring become a file, and r speaks of it; note is the caller's. */
static enum err file_bytes(struct peer *p, struct calls *cs, struct record *r, struct buf *note)
{
	enum err e = OK;

	if (r->bytes.len <= ring_bytes_max(p->out))
		return OK;
	if (!buf_len(note)) {
		counter_add(&calls_filed, 1);
		e = record_file(cs->w->directory, cs->w->slot, cs->life, ++cs->files, r->bytes, note);
	}
	r->filed = true;
	r->bytes = buf_str(note);
	return e;
}

static void parcel_add(struct peer *p, struct calls *cs, struct record *r)
{
	size_t len = RECORD_HEAD_BYTES + r->bytes.len;
	struct parcel *parcel = mem_alloc(sizeof(*parcel) + len);

	parcel->life = r->to_life;
	parcel->event = r->kind == RECORD_EVENT;
	parcel->len = len;
	r->from_life = cs->life;
	record_head(r, parcel->bytes);
	if (r->bytes.len)
		memcpy(parcel->bytes + RECORD_HEAD_BYTES, r->bytes.p, r->bytes.len);
	if (parcel->event)
		p->event_bytes += len;
	*p->parcels_last = parcel;
	p->parcels_last = &parcel->next;
	calls_stir(cs);
}

static void parcel_free(struct peer *p)
{
	struct parcel *parcel = p->parcels;

	p->parcels = parcel->next;
	if (!p->parcels)
		p->parcels_last = &p->parcels;
	if (parcel->event)
		p->event_bytes -= parcel->len;
	free(parcel);
}

enum err peer_post(struct peer *p, struct calls *cs, struct record *r)
{
	struct buf note = { 0 };
	enum err e = OK;

	if (r->kind == RECORD_EVENT && p->event_bytes > EVENT_BYTES_MAX)
		counter_add(&events_lost, 1);
	else if (!(e = file_bytes(p, cs, r, &note)) && (p->parcels || !put(p, cs, r)))
		parcel_add(p, cs, r);
	buf_free(&note);
	return e;
}

bool peer_send(struct peer *p, struct calls *cs, struct call *c)
{
	struct record r = { .kind = RECORD_CALL, .type = calls_type(cs, c->type), .to_life = p->life };
	uint8_t place;

	if (!p->frees || p->parcels)
		return false;
	r.bytes = (struct str){ c->bytes, c->len };
	if (file_bytes(p, cs, &r, &c->note)) {
		call_answer(c, ERR_AGAIN, STR_NONE);
		return true;
	}
	place = p->free[p->frees - 1];
	r.number = (p->serial + 1) * CREDITS + place;
	if (!put(p, cs, &r))
		return false;
	p->frees--;
	p->serial++;
	p->credits[place] = (struct credit){ r.number, p->life, c, 0 };
	buf_clear(&c->note); /* the file is the reader's now */
	c->number = r.number;
	c->stage = UNDER_WAY;
	counter_add(&calls_sent, 1);
	if (!c->done) {
		peer_leave(p, cs, c);
		call_free(c);
	}
	return true;
}

static void wake(struct peer *p, struct calls *cs)
{
	if (!p->wake)
		return;
	p->wake = false;
	if (ring_wants_wake(p->out))
		shm_wake(cs->w->shm, p->worker);
}

static void room(void *user)
{
	(void)user; /* that the loop turns is enough */
}

void peer_out(struct peer *p, struct calls *cs)
{
	struct call *c;

	while (p->parcels) {
		if (!ring_put(p->out, (struct str){ p->parcels->bytes, p->parcels->len }, STR_NONE))
			break;
		p->wake = true;
		parcel_free(p);
	}
	while ((c = p->waiting.first)) {
		queue_remove(&p->waiting, c);
		if (!peer_send(p, cs, c)) {
			queue_insert(&p->waiting, &p->waiting.first, c);
			break;
		}
	}
	if ((p->parcels || (p->waiting.first && p->frees)) && !timer_runs(&cs->room))
		timer_start(cs->w->timers, &cs->room, ROOM_MS, room, NULL);
	wake(p, cs);
}

bool peer_sleep(struct peer *p, struct calls *cs)
{
	wake(p, cs);
	return ring_sleep(p->in);
}

/* --- taking in --------------------------------------------------------------------------------------------------- */

static void take_call(struct peer *p, struct calls *cs, const struct record *r, enum err e)
{
	struct request *rq;

	if (r->type >= cs->type_count) {
		log_error("call", NULL, "unknown type of call type=%u from=%u", r->type, p->worker);
		e = ERR_NEVER;
	}
	if (r->kind == RECORD_EVENT) {
		if (!e)
			calls_handle(cs, r->type, NULL, r->bytes);
		return;
	}
	rq = request_new(cs, p->worker);
	rq->life = r->from_life;
	rq->number = r->number;
	if (e)
		request_answer(rq, e, STR_NONE);
	else
		calls_handle(cs, r->type, rq, r->bytes);
}

static void take_answer(struct peer *p, const struct record *r, enum err e)
{
	struct credit *credit = credit_of(p, r->number);
	struct call *c;

	if (!credit)
		return; /* not waited for, or answered already */
	c = credit->call;
	credit_free(p, credit);
	if (c)
		call_finish(c, e ? e : r->e, r->bytes);
}

static void take(struct peer *p, struct calls *cs, struct str bytes)
{
	int directory = cs->w->directory;
	struct buf filed = { 0 };
	struct record r;
	enum err e = OK;

	if (!record_read(&r, bytes)) {
		log_error("call", NULL, "a record that is none from=%u bytes=%zu", p->worker, bytes.len);
		return;
	}
	if (r.to_life != cs->life || (r.kind == RECORD_CALL && r.from_life != calls_life(cs, p->worker))) {
		if (r.filed)
			record_unlink(directory, p->worker, r.from_life, r.bytes);
		return;
	}
	if (r.filed) {
		if (record_unfile(directory, p->worker, r.from_life, r.bytes, CALL_BYTES_MAX, &filed))
			e = ERR_AGAIN;
		r.bytes = e ? STR_NONE : buf_str(&filed);
	}
	if (r.kind == RECORD_ANSWER)
		take_answer(p, &r, e);
	else
		take_call(p, cs, &r, e);
	buf_free(&filed);
}

static void take_in(struct peer *p, struct calls *cs, unsigned most)
{
	struct str record;

	for (; most && ring_peek(p->in, &record); most--) {
		take(p, cs, record);
		ring_next(p->in);
	}
	if (most && ring_broken(p->in)) {
		log_error("call", NULL, "a ring holds what cannot be, emptied from=%u", p->worker);
		ring_reset(p->in);
	}
}

static int by_number(const void *a, const void *b)
{
	const struct call *const *x = a, *const *y = b;

	return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

/* What its last life had under way is sent again, in its order and before what waits, or has failed. */
static void died(struct peer *p, struct calls *cs, uint32_t life)
{
	struct call *again[CREDITS];
	size_t count = 0;

	p->life = life;
	take_in(p, cs, RING_RECORDS); /* the answers that it still gave */
	for (unsigned i = 0; i < CREDITS; i++) {
		struct credit *credit = &p->credits[i];
		struct call *c = credit->call;

		if (!credit->number || credit->life == life)
			continue;
		credit_free(p, credit);
		if (c && ++c->deaths < 2)
			again[count++] = c;
		else if (c)
			call_answer(c, ERR_AGAIN, STR_NONE);
	}
	qsort(again, count, sizeof(*again), by_number);
	counter_add(&calls_again, count);
	while (count-- > 0) {
		again[count]->stage = WAITING;
		queue_insert(&p->waiting, &p->waiting.first, again[count]);
	}
	while (p->parcels && p->parcels->life != life) {
		struct record r;

		if (record_read(&r, (struct str){ p->parcels->bytes, p->parcels->len }) && r.filed)
			record_unlink(cs->w->directory, cs->w->slot, cs->life, r.bytes);
		parcel_free(p);
	}
}

void peer_in(struct peer *p, struct calls *cs)
{
	uint32_t life = calls_life(cs, p->worker);

	if (p->life != life)
		died(p, cs, life);
	take_in(p, cs, TURN_RECORDS);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

void peer_tick(struct peer *p, struct calls *cs)
{
	int64_t now_ms = timers_now_ms(cs->w->timers);

	for (unsigned i = 0; i < CREDITS; i++) {
		struct credit *credit = &p->credits[i];

		if (credit->number && !credit->call && now_ms - credit->left_ms > LOST_MS)
			credit_free(p, credit);
	}
}

void peer_init(struct peer *p, struct calls *cs, unsigned worker)
{
	p->worker = worker;
	p->in = shm_ring(cs->w->shm, worker, cs->w->slot);
	p->out = shm_ring(cs->w->shm, cs->w->slot, worker);
	p->life = calls_life(cs, worker);
	p->parcels_last = &p->parcels;
	queue_clear(&p->waiting);
	for (unsigned i = 0; i < CREDITS; i++)
		p->free[p->frees++] = (uint8_t)(CREDITS - 1 - i);
}

void peer_end(struct peer *p)
{
	for (unsigned i = 0; i < CREDITS; i++)
		if (p->credits[i].call)
			call_free(p->credits[i].call);
	while (p->parcels)
		parcel_free(p);
}
