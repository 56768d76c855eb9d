/* sending.c - items opened and closed, what comes next for each of them, and the life of it all. */
#include "core/log.h"
#include "core/mem.h"
#include "protocols/sending/sending_inside.h"
#include <assert.h>
#include <stdlib.h>

#define CALENDAR_STEP 8     /* items whose time has come, dealt with in one go */
#define CALENDAR_MS   60000 /* the wall clock is looked at again, for it may have been set */
#define SWEEP_MS      10000
#define STOP_MS       10000 /* that messages being sent have at a stop */
#define STOP_LOOK_MS  20
#define STOP_STEP     64 /* destinations freed in one go */

uint32_t sending_now_s(const struct sending *s)
{
	return (uint32_t)(worker_wall_ms(s->w) / 1000);
}

int64_t sending_now_ms(const struct sending *s)
{
	return worker_wall_ms(s->w);
}

/* --- the calendar ------------------------------------------------------------------------------------------------- */

static void calendar_run(void *user);

static void calendar_set(struct sending *s)
{
	int64_t ms;

	if (!s->calendar.count)
		return;
	ms = (int64_t)s->calendar.entries[0].at_s * 1000 - sending_now_ms(s);
	if (ms > CALENDAR_MS)
		ms = CALENDAR_MS;
	if (ms <= 0)
		chore_start(s->w->chores, &s->calendar_chore, calendar_run, s);
	else if (!timer_runs(&s->calendar_timer) || s->calendar_timer.at_ms > timers_now_ms(s->w->timers) + ms)
		timer_start(s->w->timers, &s->calendar_timer, ms, calendar_run, s);
}

void item_take(struct sending *s, struct queue_item *item)
{
	assert(item->state == ITEM_WAITS && item->destination);
	calendar_remove(&s->calendar, item);
	due_remove(item->destination, item);
	item->state = ITEM_TRYING;
}

static void soonest_add(uint32_t *soonest_s, uint32_t due_s, uint32_t now_s)
{
	if (due_s < *soonest_s || *soonest_s <= now_s)
		*soonest_s = due_s;
}

/* What is noted of it is not written yet: whatever is due, that comes first, and nobody is asked again. */
static bool is_answered(const struct sending *s, const struct queue_item *item)
{
	struct queue_answer a;

	return queue_noted(s->w->queue, item, &a);
}

/* Puts it where it belongs, out of a parcel or at its opening. */
static void item_place(struct sending *s, struct queue_item *item, uint32_t due_s, uint32_t event_s)
{
	struct queue_destination *d = item->destination;

	if (due_s <= sending_now_s(s) && is_answered(s, item)) {
		item->state = ITEM_TRYING;
		item_tell(s, item, PURPOSE_ANSWERED);
		return;
	}
	item->state = ITEM_WAITS;
	if (due_s <= sending_now_s(s)) {
		due_add(d, item);
		destination_consider(d);
		calendar_put(&s->calendar, item, event_s);
	} else {
		calendar_put(&s->calendar, item, due_s < event_s ? due_s : event_s);
		soonest_add(&d->soonest_s, due_s, sending_now_s(s));
		soonest_add(&d->walked_soonest_s, due_s, sending_now_s(s));
	}
	calendar_set(s);
}

void item_wait(struct sending *s, struct queue_item *item, uint32_t not_before_s)
{
	uint32_t due_s = item->next_s > not_before_s ? item->next_s : not_before_s;
	enum event what;

	item_place(s, item, due_s, schedule_event(item->destination->policy, item, &what));
}

void item_wait_again(struct sending *s, struct queue_item *item, uint32_t again_s)
{
	item_place(s, item, item->next_s > again_s ? item->next_s : again_s, again_s);
}

/* --- the lines of those that are told of ----------------------------------------------------------------------------- */

static void telling_step(void *user)
{
	struct sending *s = user;

	for (unsigned purpose = 0; purpose < PURPOSES && s->telling < TELLING_MAX; purpose++)
		if (s->lines[purpose].first) {
			parcel_open(parcel_of_line(s, (enum purpose)purpose), parcel_tell);
			sending_telling(s);
			return;
		}
	if (s->telling < TELLING_MAX)
		sending_pump(s); /* who refuses, too */
}

void sending_telling(struct sending *s)
{
	if (!s->stopping)
		chore_start(s->w->chores, &s->telling_chore, telling_step, s);
}

static void line_add(struct sending *s, enum purpose purpose, struct queue_item *item)
{
	struct line *line = &s->lines[purpose];

	assert(item->state == ITEM_TRYING && !item->next);
	if (!line->first)
		line->generation = s->generation;
	if (line->last)
		line->last->next = item;
	else
		line->first = item;
	line->last = item;
}

/* Not from in here, so that those of one message come together. */
void item_tell(struct sending *s, struct queue_item *item, enum purpose purpose)
{
	line_add(s, purpose, item);
	sending_telling(s);
}

/* --- whose time has come --------------------------------------------------------------------------------------------- */

/* For one thing or another: what it is shows by what is over. */
static void item_comes(struct sending *s, struct queue_item *item)
{
	enum event what;
	uint32_t event_s = schedule_event(item->destination->policy, item, &what);
	enum purpose purpose = what == EVENT_EXPIRES   ? PURPOSE_EXPIRE
	                       : what == EVENT_RETURNS ? PURPOSE_RETURN
	                                               : PURPOSE_WARN;

	if (purpose == PURPOSE_WARN && schedule_expires_s(item->destination->policy, item) <= sending_now_s(s)) {
		purpose = PURPOSE_EXPIRE;
		event_s = sending_now_s(s);
	}
	item_take(s, item);
	if (is_answered(s, item))
		line_add(s, PURPOSE_ANSWERED, item);
	else if (event_s <= sending_now_s(s))
		line_add(s, purpose, item);
	else
		item_place(s, item, item->next_s, event_s);
}

static bool has_come(const struct sending *s)
{
	return s->calendar.count && s->calendar.entries[0].at_s <= sending_now_s(s);
}

static void calendar_run(void *user)
{
	struct sending *s = user;

	for (unsigned i = 0; i < CALENDAR_STEP && has_come(s); i++, s->come++)
		item_comes(s, s->calendar.entries[0].item);
	if (!has_come(s) || s->come >= TOLD_MAX) {
		s->come = 0;
		sending_telling(s);
	}
	calendar_set(s);
}

/* --- the queue's listener --------------------------------------------------------------------------------------------- */

static void destination_enter(struct queue_destination *d, struct queue_item *item)
{
	uint32_t arrived_s = item->message->arrived_s;

	if (walk_knows(d->sending->walk, d)) {
		d->oldest_s = d->walked_oldest_s;
		d->soonest_s = d->walked_soonest_s;
	}
	item->destination = d;
	d->items++;
	if (d->items == 1 || arrived_s < d->oldest_s)
		d->oldest_s = arrived_s;
	if (arrived_s < d->walked_oldest_s)
		d->walked_oldest_s = arrived_s;
}

/* An answer that an earlier life noted: true if there is one. Who has the message and needs no report has come to his end;
 * for all else the message is opened. */
static bool take_answer(struct sending *s, struct queue_item *item, struct str address)
{
	static const struct queue_change ended = { .fate = FATE_ENDED };
	char id[QUEUE_ID_SIZE];
	struct queue_answer a;

	if (!queue_noted(s->w->queue, item, &a))
		return false;
	log_info("sending", queue_id_print(id, item->message->id),
		"answered before the crash to=<" STR_FMT "> remote=\"" STR_FMT "\" status=" STR_FMT, STR_ARG(address),
		STR_ARG(a.remote), STR_ARG(a.status));
	if (item->state == ITEM_HELD)
		queue_unhold(s->w->queue, item);
	else
		item->state = ITEM_TRYING;
	if (a.kind < QUEUE_ANSWER_OPEN && !(item->notify & NOTIFY_SUCCESS) && item->message->by == BY_NONE)
		queue_change(s->w->queue, item, &ended);
	else
		item_tell(s, item, PURPOSE_ANSWERED);
	return true;
}

static void opened(void *user, struct queue_item *item, struct str address, struct str sender)
{
	struct sending *s = user;
	struct queue_destination *d = destination_of_item(s, item, address, sender);

	destination_enter(d, item);
	if (take_answer(s, item, address))
		return;
	if (item->state == ITEM_HELD)
		d->held++;
	else
		item_wait(s, item, 0);
}

static void destination_left(struct sending *s, struct queue_destination *d, const struct queue_item *item)
{
	if (item->message->arrived_s == destination_oldest_s(d) && d->items > 1)
		walk_at_leisure(s->walk);
	d->items--;
}

void item_move(struct sending *s, struct queue_item *item, struct queue_destination *d)
{
	struct queue_destination *old = item->destination;

	assert(item->state == ITEM_WAITS || item->state == ITEM_HELD);
	if (item->state == ITEM_WAITS)
		item_take(s, item);
	destination_left(s, old, item);
	destination_enter(d, item);
	if (item->state == ITEM_HELD) {
		old->held--;
		d->held++;
	} else {
		item_wait(s, item, 0);
	}
	destination_settle(old);
}

static void closed(void *user, struct queue_item *item)
{
	struct sending *s = user;
	struct queue_destination *d = item->destination;

	assert(item->state != ITEM_TRYING);
	if (item->state == ITEM_WAITS) {
		calendar_remove(&s->calendar, item);
		due_remove(d, item);
	}
	if (item->state == ITEM_CLOSING && item->local)
		local_forget(s->w, item);
	assert(!item->place && !item->next);
	d->held -= item->state == ITEM_HELD;
	destination_left(s, d, item);
	item->destination = NULL;
	destination_settle(d);
}

static const struct queue_listener listener = { opened, closed };

/* Once we stopped. */
static void not_opened(void *user, struct queue_item *item, struct str address, struct str sender)
{
	(void)user, (void)item, (void)address, (void)sender;
}

static void not_closed(void *user, struct queue_item *item)
{
	(void)user, (void)item;
}

static const struct queue_listener nobody = { not_opened, not_closed };

/* --- settings --------------------------------------------------------------------------------------------------------- */

const struct policy *sending_policy(const struct sending *s, struct str title)
{
	for (size_t i = 1; title.len && i < s->policy_count; i++)
		if (str_eq_nocase(str_of(s->policies[i].title), title))
			return &s->policies[i];
	return NULL;
}

static void policies_free(struct policy *policies, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(policies[i].title);
	free(policies);
}

static void settings_take(struct sending *s)
{
	struct policy *old = s->policies;
	size_t old_count = s->policy_count, titles = conf_titles(s->w->conf, &destination_settings);
	struct queue_destination *d;

	conf_unref(s->snapshot);
	s->snapshot = conf_ref(s->w->conf);
	s->conf = conf_section(s->snapshot, &sending_settings);
	s->policies = mem_alloc((titles + 1) * sizeof(*s->policies));
	s->policy_count = titles + 1;
	policy_read(&s->policies[0], s->conf, "", NULL);
	for (size_t i = 0; i < titles; i++) {
		const char *title;
		const struct destination_conf *own = conf_titled(s->snapshot, &destination_settings, i, &title);

		policy_read(&s->policies[i + 1], s->conf, title, own);
	}
	TAILQ_FOREACH(d, &s->all, all)
	{
		/* cppcheck-suppress uninitvar */
		const struct policy *p = sending_policy(s, str_of(d->policy->title));

		d->policy = p ? p : &s->policies[0];
	}
	policies_free(old, old_count);
}

/* --- life ----------------------------------------------------------------------------------------------------------------- */

static void sweep(void *user)
{
	struct sending *s = user;

	sessions_sweep(s);
	timer_start(s->w->timers, &s->sweep_timer, SWEEP_MS, sweep, s);
}

struct sending *sending_new(struct worker *w)
{
	struct sending *s = mem_new(struct sending);

	s->w = w;
	w->sending = s;
	TAILQ_INIT(&s->all);
	TAILQ_INIT(&s->sessions);
	TAILQ_INIT(&s->idle);
	TAILQ_INIT(&s->retiring);
	TAILQ_INIT(&s->parcels);
	for (unsigned i = 0; i < ROUNDS; i++)
		TAILQ_INIT(&s->rounds[i]);
	s->rates = rates_new(s);
	s->walk = walk_new(s);
	settings_take(s);
	sweep(s);
	queue_listen(w->queue, &listener, s);
	return s;
}

/* Whether it may be that mail goes elsewhere now. */
static bool are_hops_other(const struct conf *old, const struct conf *new)
{
	struct buf changes = { 0 };
	struct str left, line;
	bool other = false;

	conf_diff(old, new, &changes);
	for (left = buf_str(&changes); left.len && !other; left = str_cut(left, line.len, left.len)) {
		ptrdiff_t end = str_find(left, '\n');

		line = str_cut(left, 0, end < 0 ? left.len : (size_t)end + 1);
		other = str_starts(line, STR("route")) || str_starts(line, STR("destination"));
	}
	buf_free(&changes);
	return other;
}

void sending_reload(struct worker *w)
{
	struct sending *s = w->sending;
	bool other = are_hops_other(s->snapshot, w->conf);

	settings_take(s);
	if (!other)
		return;
	s->generation++;
	walk_for_hops(s->walk);
}

static void sending_free(struct sending *s)
{
	calendar_free(&s->calendar);
	table_free(&s->destinations);
	local_free(s);
	rates_free(s->rates);
	arena_free(&s->scratch);
	policies_free(s->policies, s->policy_count);
	conf_unref(s->snapshot);
	free(s);
}

static void stop_step(void *user)
{
	struct sending *s = user;
	struct worker *w = s->w;
	void (*stopped)(struct worker *) = s->stopped;
	struct queue_destination *d = NULL;

	for (unsigned i = 0; i < STOP_STEP && (d = TAILQ_FIRST(&s->all)); i++)
		destination_free(d);
	if (d) {
		chore_start(w->chores, &s->stop_chore, stop_step, s);
		return;
	}
	sending_free(s);
	stopped(w);
}

/* Nobody finds it any more. */
static void stop_now(struct sending *s)
{
	struct worker *w = s->w;
	struct parcel *p;

	s->stopping = true;
	queue_listen(w->queue, &nobody, NULL);
	for (struct sending_session *ss; (ss = TAILQ_FIRST(&s->sessions));)
		session_end_ours(ss);
	walk_free(s->walk);
	while ((p = TAILQ_FIRST(&s->parcels)))
		parcel_free(p);
	w->sending = NULL;
	timer_stop(w->timers, &s->calendar_timer);
	timer_stop(w->timers, &s->pump_timer);
	timer_stop(w->timers, &s->sweep_timer);
	timer_stop(w->timers, &s->way_timer);
	timer_stop(w->timers, &s->stop_timer);
	chore_stop(w->chores, &s->calendar_chore);
	chore_stop(w->chores, &s->telling_chore);
	chore_stop(w->chores, &s->pump_chore);
	stop_step(s);
}

static void stop_soon(void *user)
{
	struct sending *s = user;

	if (sessions_are_busy(s) && sending_now_ms(s) < s->stop_ms)
		timer_start(s->w->timers, &s->stop_timer, STOP_LOOK_MS, stop_soon, s);
	else
		stop_now(s);
}

/* A message that is being sent is sent to its end, or it would be sent twice. */
void sending_stop(struct worker *w, void (*stopped)(struct worker *w))
{
	struct sending *s = w->sending;

	s->stopped = stopped;
	s->stop_ms = sending_now_ms(s) + STOP_MS;
	stop_soon(s);
}
