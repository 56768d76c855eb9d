/* journal_apply.c - what is synced goes to the files, in the files lane, in its order.
 * An entry that cannot be applied now is tried again until it can be; those behind it wait. One that never can be is
 * set aside, so that it does not hold up all others. One for a mailbox that another program has locked is parked, and
 * holds up none but those for the same mailbox. */
#include "core/log.h"
#include "storage/journal/journal_parts.h"
#include "storage/journal/marks.h"
#include "storage/journal/operation.h"
#include "storage/journal/replay.h"

/* --- parking --------------------------------------------------------------------------------------------------------- */

static struct str id_key(const uint64_t *id)
{
	return (struct str){ (const char *)id, sizeof(*id) };
}

bool entry_is_held(const struct marks *held, struct str operations)
{
	struct unpack u = unpack_of(operations);
	struct operation op;

	if (!marks_count(held))
		return false;
	while (operation_next(&u, &op))
		if (operation_of_mailbox(&op) && marks_get(held, id_key(&op.id)))
			return true;
	return false;
}

void entry_hold(struct marks *held, struct str operations)
{
	struct unpack u = unpack_of(operations);
	struct operation op;

	while (operation_next(&u, &op))
		if (operation_of_mailbox(&op))
			marks_raise(held, id_key(&op.id), 1);
}

/* --- in the lane ------------------------------------------------------------------------------------------------------- */

static void application_work(struct job *job)
{
	struct application *a = (struct application *)job;

	a->e = OK;
	if (a->retry) {
		marks_free(a->held);
		a->held = marks_new();
	}
	while (a->entries.first) {
		struct entry *e = a->entries.first;
		struct str operations = buf_str(&e->operations);

		if (entry_is_held(a->held, operations) || !files_claim(a->files, operations, e->again)) {
			entry_hold(a->held, operations);
			list_add(&a->parked, list_take(&a->entries));
			continue;
		}
		e->again = true;
		a->e = apply_operations(a->files, operations);
		if (a->e == ERR_NEVER) {
			a->e = entry_set_aside(a->dir, e->sequence, operations, "it cannot be applied");
			e->set_aside = true;
		}
		if (a->e)
			break;
		if (!e->set_aside && files_disturbed(a->files)) {
			entry_hold(a->held, operations);
			list_add(&a->parked, list_take(&a->entries));
			continue;
		}
		list_add(&a->done, list_take(&a->entries));
	}
	a->rescuing = files_rescue(a->files);
	files_take_changed(a->files, &a->changed);
}

/* --- in the loop ------------------------------------------------------------------------------------------------------- */

static void again(void *user)
{
	application_start(user);
}

/* What could not be applied goes back to the front, and what was parked to those that are, behind what the job parked. */
static void put_back(struct journal *j)
{
	struct application *a = &j->application;
	struct entry_list behind = j->to_apply;
	struct entry *e;

	j->to_apply = (struct entry_list){ 0 };
	while ((e = list_take(&a->entries)))
		if (e->parked) {
			entry_hold(a->held, buf_str(&e->operations));
			list_add(&j->parked, e);
		} else {
			list_add(&j->to_apply, e);
		}
	list_move(&j->to_apply, &behind);
}

static void retry_parked(void *user)
{
	struct journal *j = user;

	j->application.retry_due = true;
	application_start(j);
}

void application_retry(struct journal *j)
{
	struct timer *unpark = &j->application.unpark;

	if (j->parked.first && !timer_runs(unpark))
		timer_start(j->w->timers, unpark, PARKED_MS, retry_parked, j);
}

static void take_parked(struct journal *j, struct entry_list *parked)
{
	struct entry *e;

	while ((e = list_take(parked))) {
		if (e->sequence >= j->applied)
			j->applied = e->sequence + 1;
		list_add(&j->parked, e);
	}
}

/* Of those that were not parked before. */
static void tell_parked(struct journal *j)
{
	for (struct entry *e = j->parked.first; e; e = e->next)
		if (!e->parked) {
			e->parked = true;
			parked_tell(j, e, true);
		}
	if (!j->closing)
		application_retry(j);
}

static void tell_changed(struct journal *j)
{
	struct application *a = &j->application;
	struct buf changed = a->changed;

	a->changed = (struct buf){ 0 };
	for (size_t at = 0; j->on_changed && at < buf_len(&changed); at += sizeof(uint64_t)) {
		uint64_t id;

		memcpy(&id, buf_data(&changed) + at, sizeof(id));
		j->on_changed(j->watching, id);
	}
	buf_free(&changed);
}

/* The mailbox may have been read before an entry of an earlier life came into it. */
static void tell_adopted(struct journal *j, const struct entry *e)
{
	struct unpack u = unpack_of(buf_str(&e->operations));
	struct operation op;

	while (j->on_changed && operation_next(&u, &op))
		if (operation_of_mailbox(&op))
			j->on_changed(j->watching, op.id);
}

static void note_applied(struct journal *j, const struct entry *e)
{
	if (e->sequence >= j->applied)
		j->applied = e->sequence + 1;
	j->bytes_applied += entry_cost(e);
	if (!e->ours && j->last_applied < e->sequence + 1)
		j->last_applied = e->sequence + 1;
	if (e->set_aside)
		checkpoint_keep_spools(j, e->sequence);
	if (e->filed)
		checkpoint_unfile(j, e);
}

static void rescue(void *user)
{
	struct journal *j = user;

	j->application.rescue_due = true;
	application_start(j);
}

static void application_done(struct job *job)
{
	struct journal *j = (struct journal *)((char *)job - offsetof(struct journal, application.job));
	struct application *a = &j->application;
	struct entry_list done = a->done, parked = a->parked;
	struct entry *e;

	a->done = a->parked = (struct entry_list){ 0 };
	for (e = done.first; e; e = e->next)
		note_applied(j, e);
	take_parked(j, &parked);
	put_back(j);
	a->running = a->retry = false; /* only now that each is in a list that a checkpoint looks at */
	tell_parked(j);
	if (j->closing) {
		list_move(&j->refused, &done);
		return;
	}
	if (a->e)
		timer_start(j->w->timers, &a->again, AGAIN_MS, again, j);
	else
		application_start(j);
	if (!a->running && a->rescuing && !timer_runs(&a->rescue))
		timer_start(j->w->timers, &a->rescue, PARKED_MS, rescue, j);
	tell_changed(j);
	while ((e = list_take(&done))) {
		if (e->adopted)
			tell_adopted(j, e);
		if (e->parked)
			parked_tell(j, e, false);
		if (e->applied)
			e->applied(e->user, OK);
		entry_free(e);
	}
	checkpoint_consider(j);
}

void application_start(struct journal *j)
{
	struct application *a = &j->application;
	bool retry = a->retry_due && j->parked.first;
	uint64_t bytes = 0;

	if (a->running || j->closing || (!j->to_apply.first && !retry && !a->rescue_due) || timer_runs(&a->again))
		return;
	if (retry)
		list_move(&a->entries, &j->parked);
	a->retry = retry;
	a->retry_due = a->rescue_due = false;
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
	a->held = marks_new();
}

void journal_watch(struct journal *j, void (*changed)(void *user, uint64_t id),
	void (*parked)(void *user, uint64_t id, bool is_parked), void *user)
{
	j->on_changed = changed;
	j->on_parked = parked;
	j->watching = user;
}

struct files *journal_files(struct journal *j)
{
	return j->files;
}
