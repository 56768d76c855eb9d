/* call.c - see call.h, and peer.h for the stages of a call. */
#include "core/call.h"
#include "core/counter.h"
#include "core/house.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/peer.h"
#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

#define TICK_MS 1000 /* rings are looked at so often even if nobody wakes us */

COUNTER(calls_local, "calls.local", "calls made to the worker itself");
COUNTER(calls_late, "calls.late", "calls whose deadline passed");

/* --- queues ---------------------------------------------------------------------------------------------------- */

void queue_clear(struct queue *q)
{
	*q = (struct queue){ NULL, &q->first, 0 };
}

void queue_insert(struct queue *q, struct call **link, struct call *c)
{
	c->next = *link;
	c->link = link;
	*link = c;
	if (c->next)
		c->next->link = &c->next;
	else
		q->last = &c->next;
	q->count++;
}

void queue_remove(struct queue *q, struct call *c)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	else
		q->last = c->link;
	q->count--;
}

void calls_stir(struct calls *cs)
{
	if (!cs->asleep)
		return;
	cs->asleep = false;
	shm_wake(cs->w->shm, cs->w->slot);
}

/* --- the end of a call ------------------------------------------------------------------------------------------- */

void call_free(struct call *c)
{
	struct calls *cs = c->cs;

	timer_stop(cs->w->timers, &c->deadline);
	if (buf_len(&c->note))
		record_unlink(cs->w->directory, cs->w->slot, cs->life, buf_str(&c->note));
	buf_free(&c->note);
	free(c->bytes);
	free(c);
	cs->open--;
}

void call_finish(struct call *c, enum err e, struct str answer)
{
	call_done *done = c->done;
	void *user = c->user;
	char *bytes = c->bytes; /* answer may point there */

	c->bytes = NULL;
	call_free(c);
	if (done)
		done(user, e, answer);
	free(bytes);
}

void call_answer(struct call *c, enum err e, struct str answer)
{
	timer_stop(c->cs->w->timers, &c->deadline);
	free(c->bytes);
	c->bytes = answer.len ? mem_copy(answer.p, answer.len) : NULL;
	c->len = answer.len;
	c->e = e;
	c->stage = ANSWERED;
	queue_add(&c->cs->answered, c);
	calls_stir(c->cs);
}

/* Nobody waits for c any more, where it is known by other means than a queue. */
static void call_leave(struct call *c)
{
	if (c->stage == UNDER_WAY)
		peer_leave(&c->cs->peers[c->to], c->cs, c);
	else if (c->stage == RUNNING)
		c->request->call = NULL;
}

static void call_expired(void *user)
{
	struct call *c = user;

	counter_add(&calls_late, 1);
	log_debug("call", NULL, "deadline passed type=%s owner=%u", c->type->name, c->to);
	if (c->stage == WAITING)
		queue_remove(&c->cs->peers[c->to].waiting, c);
	else if (c->stage == TO_RUN)
		queue_remove(&c->cs->to_run, c);
	else
		call_leave(c);
	call_finish(c, ERR_AGAIN, STR_NONE);
}

void call_cancel(struct call *c)
{
	if (!c)
		return;
	if (c->dropped) {
		c->dropped(c->user);
		free(c);
		return;
	}
	assert(c->done);
	c->done = NULL;
	if (c->stage == UNDER_WAY || c->stage == RUNNING) {
		call_leave(c);
		call_free(c);
	}
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

uint32_t calls_type(const struct calls *cs, const struct call_type *type)
{
	for (uint32_t i = 0; i < cs->type_count; i++)
		if (cs->types[i] == type)
			return i;
	assert(!"the house lists every type of call");
	return 0;
}

static struct call *call_new(struct calls *cs, unsigned to, const struct call_type *type, struct str args)
{
	struct call *c = mem_new(struct call);

	c->cs = cs;
	c->to = to;
	c->type = type;
	c->bytes = args.len ? mem_copy(args.p, args.len) : NULL;
	c->len = args.len;
	cs->open++;
	return c;
}

static void to_run(struct call *c)
{
	c->stage = TO_RUN;
	queue_add(&c->cs->to_run, c);
	calls_stir(c->cs);
}

struct call *call_send(struct worker *w, unsigned to, const struct call_type *type, struct str args,
	int64_t deadline_ms, call_done *done, void *user)
{
	struct calls *cs = w->calls;
	struct peer *p = &cs->peers[to];
	bool too_big = args.len > CALL_BYTES_MAX;
	struct call *c;

	assert(to < w->workers && done && deadline_ms > 0);
	c = call_new(cs, to, type, too_big ? STR_NONE : args);
	c->done = done;
	c->user = user;
	if (too_big) {
		log_error("call", NULL, "arguments too long type=%s bytes=%zu", type->name, args.len);
		call_answer(c, ERR_TOO_BIG, STR_NONE);
		return c;
	}
	timer_start(w->timers, &c->deadline, deadline_ms, call_expired, c);
	if (to == w->slot) {
		counter_add(&calls_local, 1);
		to_run(c);
	} else if (p->waiting.first || !peer_send(p, cs, c)) {
		c->stage = WAITING;
		queue_add(&p->waiting, c);
		calls_stir(cs);
	}
	return c;
}

struct call *call_later(struct worker *w, call_done *run, void *user)
{
	struct call *c = call_new(w->calls, w->slot, NULL, STR_NONE);

	c->done = run;
	c->user = user;
	to_run(c);
	return c;
}

struct call *call_steps(void (*dropped)(void *user), void *user)
{
	struct call *c = mem_new(struct call);

	assert(dropped);
	c->dropped = dropped;
	c->user = user;
	return c;
}

void call_steps_end(struct call *c)
{
	assert(c->dropped);
	free(c);
}

void event_send(struct worker *w, unsigned to, const struct call_type *type, struct str bytes)
{
	struct calls *cs = w->calls;
	struct record r = { .kind = RECORD_EVENT, .bytes = bytes };

	assert(to < w->workers && bytes.len <= CALL_BYTES_MAX);
	if (to == w->slot) {
		struct call *c = call_new(cs, to, type, bytes);

		c->event = true;
		to_run(c);
		return;
	}
	r.type = calls_type(cs, type);
	r.to_life = cs->peers[to].life;
	peer_post(&cs->peers[to], cs, &r);
}

/* --- being asked ------------------------------------------------------------------------------------------------- */

unsigned request_from(const struct request *rq)
{
	return rq->from;
}

uint32_t calls_life(const struct calls *cs, unsigned worker)
{
	return atomic_load(&shm_slot(cs->w->shm, worker)->generation);
}

void request_answer(struct request *rq, enum err e, struct str answer)
{
	struct calls *cs = rq->cs;

	if (answer.len > CALL_BYTES_MAX) {
		log_error("call", NULL, "answer too long bytes=%zu", answer.len);
		e = ERR_TOO_BIG;
		answer = STR_NONE;
	}
	if (rq->from == cs->w->slot) {
		if (rq->call)
			call_answer(rq->call, e, answer);
	} else if (rq->life == calls_life(cs, rq->from)) {
		struct record r = { .kind = RECORD_ANSWER, .e = e, .to_life = rq->life, .number = rq->number };

		r.bytes = answer;
		if (peer_post(&cs->peers[rq->from], cs, &r)) {
			r = (struct record){ RECORD_ANSWER, .e = ERR_AGAIN, .to_life = rq->life, .number = rq->number };
			peer_post(&cs->peers[rq->from], cs, &r);
		}
	}
	free(rq);
}

void calls_handle(struct calls *cs, uint32_t place, struct request *rq, struct str args)
{
	_Atomic uint32_t *running = &shm_slot(cs->w->shm, cs->w->slot)->running;

	atomic_store_explicit(running, place + 1, memory_order_relaxed);
	cs->types[place]->handle(cs->w, rq, args);
	atomic_store_explicit(running, 0, memory_order_relaxed);
}

struct request *request_new(struct calls *cs, unsigned from)
{
	struct request *rq = mem_new(struct request);

	rq->cs = cs;
	rq->from = from;
	return rq;
}

/* A call or event to this worker itself, taken out of to_run. */
static void run_local(struct calls *cs, struct call *c)
{
	struct request *rq = NULL;
	char *args = c->bytes;
	struct str span = { args, c->len };
	uint32_t place;

	if (!c->type) {
		call_finish(c, OK, STR_NONE);
		return;
	}
	place = calls_type(cs, c->type);
	c->bytes = NULL;
	if (!c->event)
		rq = request_new(cs, cs->w->slot);
	if (c->done) {
		rq->call = c;
		c->request = rq;
		c->stage = RUNNING;
	} else {
		call_free(c);
	}
	calls_handle(cs, place, rq, span);
	free(args);
}

/* --- the turn ---------------------------------------------------------------------------------------------------- */

static void tick(void *user)
{
	struct calls *cs = user;

	for (unsigned i = 0; i < cs->w->workers; i++)
		peer_tick(&cs->peers[i], cs);
	timer_start(cs->w->timers, &cs->tick, TICK_MS, tick, cs);
}

void calls_turn(struct calls *cs)
{
	unsigned self = cs->w->slot;

	cs->asleep = false;
	for (size_t n = cs->to_run.count; n && cs->to_run.first; n--) {
		struct call *c = cs->to_run.first;

		queue_remove(&cs->to_run, c);
		run_local(cs, c);
	}
	for (unsigned i = 0; i < cs->w->workers; i++)
		if (i != self)
			peer_in(&cs->peers[i], cs);
	for (size_t n = cs->answered.count; n && cs->answered.first; n--) {
		struct call *c = cs->answered.first;

		queue_remove(&cs->answered, c);
		call_finish(c, c->e, (struct str){ c->bytes, c->len });
	}
	for (unsigned i = 0; i < cs->w->workers; i++)
		if (i != self)
			peer_out(&cs->peers[i], cs);
}

bool calls_sleep(struct calls *cs)
{
	if (cs->to_run.first || cs->answered.first)
		return false;
	for (unsigned i = 0; i < cs->w->workers; i++)
		if (i != cs->w->slot && !peer_sleep(&cs->peers[i], cs))
			return false;
	cs->asleep = true;
	return true;
}

void calls_wake(struct calls *cs)
{
	cs->asleep = false;
}

size_t calls_waiting(const struct calls *cs)
{
	return cs->open;
}

struct name name_next(struct worker *w)
{
	w->calls->name.number++;
	return w->calls->name;
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static void types_find(struct calls *cs)
{
	size_t count = 0;

	for (int pass = 0; pass < 2; pass++) {
		count = 0;
		for (const struct call_type *const *table = house.calls; *table; table++)
			for (const struct call_type *type = *table; type->name; type++, count++)
				if (pass)
					cs->types[count] = type;
		if (!pass)
			cs->types = mem_alloc(count * sizeof(*cs->types));
	}
	cs->type_count = (uint32_t)count;
}

struct calls *calls_new(struct worker *w)
{
	struct calls *cs = mem_alloc(sizeof(*cs) + w->workers * sizeof(struct peer));

	cs->w = w;
	cs->life = calls_life(cs, w->slot);
	types_find(cs);
	queue_clear(&cs->to_run);
	queue_clear(&cs->answered);
	if (getrandom(&cs->name.life, sizeof(cs->name.life), 0) != sizeof(cs->name.life))
		abort(); /* cannot be: so few bytes come whole */
	for (unsigned i = 0; i < w->workers; i++)
		peer_init(&cs->peers[i], cs, i);
	timer_start(w->timers, &cs->tick, TICK_MS, tick, cs);
	return cs;
}

static void queue_free(struct queue *q)
{
	while (q->first) {
		struct call *c = q->first;

		queue_remove(q, c);
		call_free(c);
	}
}

void calls_free(struct calls *cs)
{
	if (!cs)
		return;
	timer_stop(cs->w->timers, &cs->tick);
	timer_stop(cs->w->timers, &cs->room);
	queue_free(&cs->to_run);
	queue_free(&cs->answered);
	for (unsigned i = 0; i < cs->w->workers; i++) {
		queue_free(&cs->peers[i].waiting);
		peer_end(&cs->peers[i]);
	}
	free(cs->types);
	free(cs);
}
