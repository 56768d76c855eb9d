/* chore.c - see chore.h. A chore leaves the row before its step, which may start it again, or free its owner. */
#include "core/chore.h"
#include "core/mem.h"
#include "core/timers.h"
#include <assert.h>
#include <stdlib.h>

struct chores {
	TAILQ_HEAD(chore_row, chore) row;
};

struct chores *chores_new(void)
{
	struct chores *cs = mem_new(struct chores);

	TAILQ_INIT(&cs->row);
	return cs;
}

void chores_free(struct chores *cs)
{
	if (!cs)
		return;
	for (struct chore *c; (c = TAILQ_FIRST(&cs->row));)
		chore_stop(cs, c);
	free(cs);
}

void chore_start(struct chores *cs, struct chore *c, void (*step)(void *user), void *user)
{
	c->step = step;
	c->user = user;
	if (c->runs)
		return;
	c->runs = true;
	TAILQ_INSERT_TAIL(&cs->row, c, link);
}

void chore_stop(struct chores *cs, struct chore *c)
{
	if (!c->runs)
		return;
	c->runs = false;
	TAILQ_REMOVE(&cs->row, c, link);
}

bool chores_wait(const struct chores *cs)
{
	return !TAILQ_EMPTY(&cs->row);
}

void chores_run(struct chores *cs, int64_t began_us)
{
	int64_t end_us = began_us + CHORES_US, least_us;
	struct chore *c = TAILQ_FIRST(&cs->row);

	if (!c)
		return;
	least_us = monotonic_us() + CHORES_LEAST_US;
	if (end_us < least_us)
		end_us = least_us;
	while ((c = TAILQ_FIRST(&cs->row))) {
		chore_stop(cs, c);
		c->step(c->user);
		if (monotonic_us() >= end_us)
			break;
	}
}
