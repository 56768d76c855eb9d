/* session.c - sessions of the transports: opened in turn for those destinations that need one, given parcels, ended. */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/overload.h"
#include "protocols/sending/sending_inside.h"
#include <assert.h>
#include <stdlib.h>

#define YIELD_MESSAGES 10    /* of a session while others wait for one */
#define SLOW_MS        30000 /* a transaction that takes longer is slow */
#define PUMP_STEP      8     /* destinations served in one go */
#define PUMP_OPENINGS  4     /* sessions opened in a turn: names to be asked for, sockets, maybe a failure at once */
#define PUMP_AGAIN_MS  1000  /* while the worker is overloaded */
#define SILENT_MS      5000  /* to get ready, while destinations never tried wait for a session */
#define WAY_MS         1000  /* from one look at who is silent to the next, while they wait */
#define WAY_STEP       64    /* sessions ended at a look */
#define ELSEWHERE_MS   1000  /* all sessions to a destination are other workers': it is looked at again */

COUNTER(sessions_opened, "sending.sessions", "sessions opened to send mail");

/* --- begin and end ----------------------------------------------------------------------------------------------- */

static void set_state(struct sending_session *ss, enum session_state state)
{
	struct queue_destination *d = ss->destination;
	struct sending *s = d->sending;

	if (ss->state == state)
		return;
	d->opening -= ss->state == SESSION_OPENING;
	d->woken -= ss->state == SESSION_WOKEN;
	if (ss->state == SESSION_IDLE) {
		d->idle--;
		TAILQ_REMOVE(&s->idle, ss, idle_link);
	}
	if (ss->state == SESSION_RETIRING)
		TAILQ_REMOVE(&s->retiring, ss, idle_link);
	ss->state = state;
	ss->since_ms = sending_now_ms(s);
	d->woken += state == SESSION_WOKEN;
	if (state == SESSION_IDLE) {
		d->idle++;
		TAILQ_INSERT_TAIL(&s->idle, ss, idle_link);
	}
	if (state == SESSION_RETIRING) {
		TAILQ_INSERT_TAIL(&s->retiring, ss, idle_link);
		sending_pump(s);
	}
}

/* Counted first and asked then, so that of workers who do this at once none comes too many. False: others have all. */
static bool session_count(const struct queue_destination *d, struct tally **out)
{
	struct worker *w = d->sending->w;
	struct tally *t = tally_of(w->shm, w->slot, d->tally_key, timers_now_ms(w->timers));

	*out = t;
	if (!t)
		return true;
	tally_hold(w->shm, w->slot, t, TALLY_SENDINGS, 1);
	if (d->local || w->workers < 2 || tally_open(w->shm, d->tally_key, TALLY_SENDINGS) <= d->policy->sessions)
		return true;
	tally_hold(w->shm, w->slot, t, TALLY_SENDINGS, -1);
	return false;
}

static bool session_open_to(struct queue_destination *d)
{
	struct sending_session *ss;
	struct sending *s = d->sending;
	struct tally *tally;

	if (!session_count(d, &tally))
		return false;
	ss = mem_new(struct sending_session);
	ss->tally = tally;
	ss->destination = d;
	ss->hop = d->hop;
	ss->hop->users++;
	ss->transport = d->transport;
	ss->state = SESSION_OPENING;
	ss->since_ms = sending_now_ms(s);
	TAILQ_INSERT_TAIL(&d->sessions, ss, link);
	TAILQ_INSERT_TAIL(&s->sessions, ss, all);
	d->session_count++;
	d->opening++;
	s->session_count++;
	s->standing_count[d->standing]++;
	counter_add(&sessions_opened, 1);
	ss->theirs = ss->transport->open(s->w, ss, &ss->hop->hop);
	return true;
}

/* What it had waits again. */
static void session_gone(struct sending_session *ss)
{
	struct queue_destination *d = ss->destination;
	struct sending *s = d->sending;

	enum session_state state = ss->state;

	set_state(ss, SESSION_BUSY); /* in no list */
	TAILQ_REMOVE(&d->sessions, ss, link);
	TAILQ_REMOVE(&s->sessions, ss, all);
	d->session_count--;
	s->session_count--;
	s->standing_count[d->standing]--;
	if (ss->tally)
		tally_hold(s->w->shm, s->w->slot, ss->tally, TALLY_SENDINGS, -1);
	d->parcels++; /* so that it stays, whatever goes elsewhere */
	if (ss->parcel) {
		ss->parcel->session = NULL;
		if (state == SESSION_BUSY)
			parcel_finish(ss->parcel);
		else
			parcel_put_back(ss->parcel, 0);
	}
	d->parcels--;
	hop_leave(ss->hop);
	free(ss);
	destination_settle(d);
	sending_pump(s);
}

void session_end_ours(struct sending_session *ss)
{
	ss->transport->end(ss->theirs);
	session_gone(ss);
}

void sending_over(struct sending_session *ss)
{
	session_gone(ss);
}

void sending_unreachable(struct sending_session *ss, const struct outcome *o)
{
	destination_unreachable(ss->destination, o);
}

/* --- parcels ----------------------------------------------------------------------------------------------------- */

static void prepared(void *user, enum err e, struct queue_copy *copy)
{
	struct parcel *p = user;
	struct sending_session *ss = p->session;
	struct queue_destination *d = ss->destination;
	uint32_t not_before_s;

	ss->parcel = NULL;
	if (!parcel_readable(p, e, copy)) {
		set_state(ss, SESSION_IDLE);
		destination_consider(d);
		return;
	}
	not_before_s = parcel_is_old(p) ? 0 : rate_of_sender(p);
	if (not_before_s || parcel_is_old(p)) {
		set_state(ss, SESSION_IDLE);
		parcel_put_back(p, not_before_s);
		destination_consider(d);
		return;
	}
	ss->parcel = p;
	set_state(ss, SESSION_PREPARED);
	ss->transport->more(ss->theirs);
}

static bool are_waiting(const struct sending *s, enum standing standing)
{
	return !TAILQ_EMPTY(&s->rounds[ROUND_GOOD + standing]);
}

static uint32_t doubtful_most(const struct sending *s)
{
	return ((uint32_t)s->conf->sessions + 3) / 4;
}

/* Whether one more session may be a destination's that stands so. */
static bool may_have(const struct sending *s, enum standing standing)
{
	uint32_t all = (uint32_t)s->conf->sessions, doubtful = s->standing_count[STANDING_DOUBTFUL];

	switch (standing) {
	case STANDING_DOUBTFUL:
		if (doubtful >= doubtful_most(s))
			return false;
		/* fallthrough */
	case STANDING_NEW:
		return s->standing_count[STANDING_NEW] + doubtful < all - all / 4;
	default:
		return true;
	}
}

/* Whether it shall make room for others. */
static bool shall_yield(const struct sending_session *ss)
{
	const struct queue_destination *d = ss->destination;
	const struct sending *s = d->sending;
	bool others = are_waiting(s, STANDING_NEW) || are_waiting(s, STANDING_DOUBTFUL);

	if (!ss->messages)
		return false;
	if (d->standing == STANDING_DOUBTFUL && others && !may_have(s, STANDING_DOUBTFUL))
		return true;
	if (ss->messages < YIELD_MESSAGES)
		return false;
	return rates_are_waited_for(s->rates) ||
	       (s->session_count >= s->conf->sessions && (others || are_waiting(s, STANDING_GOOD)));
}

/* Whether it shall end instead of taking another message. */
static bool is_spent(const struct sending_session *ss)
{
	const struct queue_destination *d = ss->destination;
	const struct sending *s = d->sending;

	return s->stopping || s->w->stopping || ss->hop != d->hop || d->session_count > destination_bears(d) ||
	       ss->messages >= (uint64_t)s->conf->messages_per_session || shall_yield(ss);
}

static void prepare(struct sending_session *ss)
{
	struct queue_destination *d = ss->destination;
	struct parcel *p = NULL;
	int64_t wait_ms;

	if (d->due_count && !timer_runs(&d->timer) && !d->refusing && !overloaded(d->sending->w, OVERLOAD_OUTBOUND)) {
		wait_ms = rate_of_session(ss);
		if (wait_ms)
			destination_leave(d, wait_ms);
		else
			p = parcel_pick(d, PURPOSE_SEND, (size_t)d->sending->conf->recipients_per_message);
	}
	if (!p) {
		set_state(ss, SESSION_IDLE);
		return;
	}
	ss->parcel = p;
	p->session = ss;
	set_state(ss, SESSION_PREPARING);
	parcel_open(p, prepared);
}

struct transaction *sending_take(struct sending_session *ss)
{
	struct queue_destination *d = ss->destination;

	if (ss->state == SESSION_PREPARING || ss->state == SESSION_RETIRING)
		return NULL;
	if (ss->state == SESSION_PREPARED && (d->sending->w->stopping || parcel_is_old(ss->parcel))) {
		ss->parcel->session = NULL;
		parcel_put_back(ss->parcel, 0);
		ss->parcel = NULL;
	}
	if (ss->parcel) {
		set_state(ss, SESSION_BUSY);
		ss->messages++;
		return &ss->parcel->transaction;
	}
	if (ss->state == SESSION_OPENING)
		destination_ready(d);
	if (is_spent(ss)) {
		set_state(ss, SESSION_RETIRING);
	} else {
		set_state(ss, SESSION_BUSY); /* so that idle ones that are asked again move to the end */
		prepare(ss);
	}
	destination_consider(d);
	return NULL;
}

void sending_tell_many(
	struct sending_session *ss, struct transaction *t, const size_t *places, size_t count, const struct outcome *o)
{
	struct parcel *p = ss->parcel;

	assert(p && t == &p->transaction);
	outcomes_note(p, places, count, o);
	for (size_t i = 0; i < count; i++) {
		assert(places[i] < t->count && !t->recipients[places[i]].told);
		t->recipients[places[i]].told = true;
		outcome_keep(&p->memory, &p->outcomes[places[i]], o);
	}
}

void sending_tell(struct sending_session *ss, struct transaction *t, size_t recipient, const struct outcome *o)
{
	sending_tell_many(ss, t, &recipient, 1, o);
}

void sending_done(struct sending_session *ss, struct transaction *t)
{
	struct parcel *p = ss->parcel;

	assert(p && t == &p->transaction && ss->state == SESSION_BUSY);
	ss->parcel = NULL;
	p->session = NULL;
	p->first = ss->messages == 1;
	p->slow = sending_now_ms(p->sending) - ss->since_ms > SLOW_MS;
	parcel_finish(p);
}

/* --- the pump: whoever stands in a round is served in turn ----------------------------------------------------------- */

static void refuse_some(struct queue_destination *d)
{
	struct sending *s = d->sending;
	struct parcel *p;

	while (s->telling < TELLING_MAX && (p = parcel_pick(d, PURPOSE_REFUSE, TOLD_MAX)))
		parcel_open(p, parcel_tell);
	if (!d->due_count)
		d->refusing = false;
}

static void wake_one(struct queue_destination *d)
{
	struct sending_session *ss;

	TAILQ_FOREACH(ss, &d->sessions, link)
	if (ss->state == SESSION_IDLE)
		break;
	assert(ss);
	set_state(ss, SESSION_WOKEN);
	ss->transport->more(ss->theirs);
}

/* All that it may have is there already, here and in other workers. */
static void make_do(struct queue_destination *d)
{
	if (d->session_count)
		d->allowed = d->session_count;
	else
		destination_leave(d, ELSEWHERE_MS);
}

static void serve(struct queue_destination *d)
{
	struct sending *s = d->sending;
	enum round round = d->round;

	TAILQ_REMOVE(&s->rounds[round], d, round_link); /* to the end, if it still needs something */
	d->round = ROUND_NONE;
	if (round == ROUND_IDLE)
		wake_one(d);
	else if (round == ROUND_REFUSING)
		refuse_some(d);
	else if (!session_open_to(d))
		make_do(d);
	destination_settle(d);
}

/* Whether a session may be opened now: one that idles makes room for who wants one. */
static bool is_room(struct sending *s)
{
	struct sending_session *idle = TAILQ_FIRST(&s->idle);

	if (s->session_count < s->conf->sessions)
		return true;
	if (!idle)
		return false;
	session_end_ours(idle);
	return true;
}

/* Whom to serve next; NULL: nobody, before something changes. In overload neither who idles nor who has no session. */
static struct queue_destination *whose_turn(struct sending *s, bool yields, bool open)
{
	if (!yields && !TAILQ_EMPTY(&s->rounds[ROUND_IDLE]))
		return TAILQ_FIRST(&s->rounds[ROUND_IDLE]);
	if (!TAILQ_EMPTY(&s->rounds[ROUND_REFUSING]) && s->telling < TELLING_MAX)
		return TAILQ_FIRST(&s->rounds[ROUND_REFUSING]);
	for (unsigned i = 0; open && i < STANDINGS; i++) {
		enum standing standing = (enum standing)(s->turn = (s->turn + 1) % STANDINGS);

		if (are_waiting(s, standing) && may_have(s, standing) && is_room(s))
			return TAILQ_FIRST(&s->rounds[ROUND_GOOD + standing]);
	}
	return NULL;
}

/* --- room for those never tried ------------------------------------------------------------------------------------ */

static bool is_way_blocked(const struct sending *s)
{
	return are_waiting(s, STANDING_NEW) &&
	       (!may_have(s, STANDING_NEW) || s->session_count >= (uint64_t)s->conf->sessions);
}

static bool is_in_the_way(const struct sending *s, const struct sending_session *ss)
{
	enum standing standing = ss->destination->standing;

	if (ss->state != SESSION_OPENING || sending_now_ms(s) - ss->since_ms < SILENT_MS)
		return false;
	return standing == STANDING_NEW ||
	       (standing == STANDING_DOUBTFUL && s->standing_count[standing] > doubtful_most(s));
}

static void give_up_silent(struct sending_session *ss)
{
	struct outcome silent = { .kind = OUTCOME_DEFERRED,
		.status = STR("4.4.2"),
		.reply = STR("nobody was ready within 5 seconds, while others waited"),
		.diagnostic_type = STR("x-postern") };

	destination_unreachable(ss->destination, &silent);
	session_end_ours(ss);
}

/* The sessions stand in the order in which they were opened: those silent longest go first. */
static void make_way(void *user)
{
	struct sending *s = user;
	struct sending_session *next;
	unsigned ended = 0;

	if (!is_way_blocked(s))
		return;
	for (struct sending_session *ss = TAILQ_FIRST(&s->sessions); ss && ended < WAY_STEP; ss = next) {
		next = TAILQ_NEXT(ss, all);
		if (!is_in_the_way(s, ss))
			continue;
		give_up_silent(ss);
		ended++;
	}
	sending_pump(s); /* which has us look again while it is needed */
}

/* --- the pump itself ----------------------------------------------------------------------------------------------- */

static bool are_any_waiting(const struct sending *s)
{
	return are_waiting(s, STANDING_GOOD) || are_waiting(s, STANDING_NEW) || are_waiting(s, STANDING_DOUBTFUL);
}

static void pump_again(void *user)
{
	struct sending *s = user;

	s->opened = 0;
	sending_pump(s);
}

static void pump(void *user)
{
	struct sending *s = user;
	bool yields = overloaded(s->w, OVERLOAD_OUTBOUND), may_open = !yields && !s->w->stopping;
	struct queue_destination *d = NULL;

	for (unsigned i = 0; i < PUMP_STEP && !TAILQ_EMPTY(&s->retiring); i++)
		session_end_ours(TAILQ_FIRST(&s->retiring));
	if (rates_are_waited_for(s->rates) && !TAILQ_EMPTY(&s->idle))
		session_end_ours(TAILQ_FIRST(&s->idle)); /* it may be one to an address that is waited for */
	for (unsigned i = 0; i < PUMP_STEP && (d = whose_turn(s, yields, may_open && s->opened < PUMP_OPENINGS)); i++) {
		s->opened += d->round >= ROUND_GOOD;
		serve(d);
	}
	if (d || !TAILQ_EMPTY(&s->retiring))
		sending_pump(s);
	else if ((!may_open || s->opened >= PUMP_OPENINGS) &&
		 (are_any_waiting(s) || !TAILQ_EMPTY(&s->rounds[ROUND_IDLE])))
		timer_start(s->w->timers, &s->pump_timer, may_open ? 0 : PUMP_AGAIN_MS, pump_again, s);
	if (is_way_blocked(s) && !timer_runs(&s->way_timer) && !s->w->stopping)
		timer_start(s->w->timers, &s->way_timer, WAY_MS, make_way, s);
}

void sending_pump(struct sending *s)
{
	chore_start(s->w->chores, &s->pump_chore, pump, s);
}

bool sessions_are_busy(const struct sending *s)
{
	const struct sending_session *ss;

	TAILQ_FOREACH(ss, &s->sessions, all)
	if (ss->state == SESSION_BUSY && ss->parcel)
		return true;
	return false;
}

/* --- slow ones --------------------------------------------------------------------------------------------------- */

/* Whoever takes so long is doubted before he is done. */
void sessions_sweep(struct sending *s)
{
	struct sending_session *ss;

	TAILQ_FOREACH(ss, &s->sessions, all)
	if ((ss->state == SESSION_BUSY || ss->state == SESSION_OPENING) && sending_now_ms(s) - ss->since_ms > SLOW_MS)
		destination_stands(ss->destination, STANDING_DOUBTFUL);
}
