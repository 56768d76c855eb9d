/* journal_apply.c - what is synced goes to the files, in the files lane, in its order.
 * An entry that cannot be applied now is tried again until it can be; those behind it wait. One that never can be is
 * set aside, so that it does not hold up all others. */
#include "core/log.h"
#include "storage/journal_parts.h"
#include "storage/replay.h"

static void application_work(struct job *job)
{
	struct application *a = (struct application *)job;

	a->e = OK;
	while (a->entries.first) {
		struct entry *e = a->entries.first;

		a->e = apply_operations(a->files, buf_str(&e->operations));
		if (a->e == ERR_NEVER) {
			a->e = entry_set_aside(a->dir, e->sequence, buf_str(&e->operations), "it cannot be applied");
			e->set_aside = true;
		}
		if (a->e)
			return;
		a->reached = e->sequence + 1;
		list_add(&a->done, list_take(&a->entries));
	}
}

static void again(void *user)
{
	application_start(user);
}

/* What could not be applied goes back to the front. */
static void put_back(struct journal *j)
{
	struct application *a = &j->application;
	struct entry_list behind = j->to_apply;

	j->to_apply = a->entries;
	list_move(&j->to_apply, &behind);
	a->entries = (struct entry_list){ 0 };
}

static void application_done(struct job *job)
{
	struct journal *j = (struct journal *)((char *)job - offsetof(struct journal, application.job));
	struct application *a = &j->application;
	struct entry_list done = a->done;
	struct entry *e;

	a->done = (struct entry_list){ 0 };
	a->running = false;
	put_back(j);
	for (e = done.first; e; e = e->next) {
		j->applied = e->sequence + 1;
		j->bytes_applied += entry_cost(e);
		if (!e->ours)
			j->last_applied = j->applied;
		if (e->set_aside)
			checkpoint_keep_spools(j, e->sequence);
	}
	if (j->closing) {
		list_move(&j->refused, &done);
		return;
	}
	if (a->e)
		timer_start(j->w->timers, &a->again, AGAIN_MS, again, j);
	else
		application_start(j);
	while ((e = list_take(&done))) {
		if (e->applied)
			e->applied(e->user, OK);
		entry_free(e);
	}
	checkpoint_consider(j);
}

void application_start(struct journal *j)
{
	struct application *a = &j->application;
	uint64_t bytes = 0;

	if (a->running || j->closing || !j->to_apply.first || timer_runs(&a->again))
		return;
	while (j->to_apply.first && (!bytes || bytes < APPLY_BYTES_MAX)) {
		struct entry *e = list_take(&j->to_apply);

		bytes += entry_bytes(e) + e->spooled;
		list_add(&a->entries, e);
	}
	a->running = true;
	lane_add(j->w->files, &a->job);
}

void application_init(struct journal *j)
{
	struct application *a = &j->application;

	a->job = (struct job){ application_work, application_done, NULL };
	a->files = j->files;
	a->dir = j->dir;
}
