/* index_rest.c - databases of the index that nobody asks for are closed.
 * Sessions that are quiet need no index, but the tables of one that is open stay mapped, and as far as they were read
 * they count as memory of the worker. So one that nobody asked for between two looks, which are a minute apart, is
 * closed in the index lane, a few at a time: who asks for another meanwhile waits for those alone. */
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"

#define LOOK_MS    60000
#define CLOSE_MOST 4 /* in one job */

struct rest {
	struct job job;
	struct store *st;
	bool runs;             /* the job is with the lane */
	bool goes_on;          /* there may be more to close */
	uint64_t before, uses; /* at the look before this one, and at this one */
	unsigned closed;
};

static void rest_work(struct job *job)
{
	struct rest *r = container_of(job, struct rest, job);
	unsigned closed;

	if (!r->goes_on) {
		r->before = r->uses;
		r->uses = index_uses_work(r->st->index);
		r->closed = 0;
	}
	closed = index_close_work(r->st->index, r->before, CLOSE_MOST);
	r->closed += closed;
	r->goes_on = closed == CLOSE_MOST;
}

static void rest_done(struct job *job)
{
	struct rest *r = container_of(job, struct rest, job);

	if (r->goes_on) {
		lane_add(r->st->w->index, &r->job);
		return;
	}
	r->runs = false;
	if (r->closed)
		memory_is_freed(r->st);
}

static void look(void *user)
{
	struct store *st = user;
	struct rest *r = st->rest;

	timer_start(st->w->timers, &st->rest_timer, LOOK_MS, look, st);
	if (r->runs)
		return;
	r->runs = true;
	lane_add(st->w->index, &r->job);
}

void index_rest_start(struct store *st)
{
	st->rest = mem_new(struct rest);
	*st->rest = (struct rest){ .job = { .work = rest_work, .done = rest_done }, .st = st };
	timer_start(st->w->timers, &st->rest_timer, LOOK_MS, look, st);
}

void index_rest_stop(struct store *st)
{
	timer_stop(st->w->timers, &st->rest_timer);
}
