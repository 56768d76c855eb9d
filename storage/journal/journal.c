/* journal.c - the journal as its users see it (journal.h): taking entries, refusing them, opening and ending it. */
#include "storage/journal/journal.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/copied.h"
#include "storage/journal/journal_parts.h"
#include "storage/journal/marks.h"
#include "storage/journal/operation.h"
#include "storage/journal/replay.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* --- taking entries ------------------------------------------------------------------------------------------ */

/* Of `bytes` that the disk must have room for, `length` go through the journal: spooled ones do not. */
static bool has_room(const struct journal *j, enum entry_class class, uint64_t length, uint64_t bytes)
{
	uint64_t size = track_size(j->track), used = track_used(j->track) + j->unsynced_bytes + length;
	uint64_t unsettled = j->bytes_taken - j->bytes_settled + bytes;

	if (class == ENTRY_SMALL)
		return used <= size - j->keep;
	return used <= size / 100 * MAIL_PERCENT && j->space.free > 2 * unsettled + (uint64_t)j->conf.reserve;
}

static enum err room(const struct journal *j, enum entry_class class, uint64_t length, uint64_t bytes)
{
	bool fails = j->failing || j->refused.first || track_stuck(j->track);

	return !fails && has_room(j, class, length, bytes) ? OK : ERR_AGAIN;
}

enum err journal_room(const struct journal *j, enum entry_class class, uint64_t bytes)
{
	/* what no segment could hold is going to be spooled */
	return room(j, class, bytes > (uint64_t)j->conf.segment ? 0 : bytes, bytes);
}

static bool is_settled(const struct journal *j)
{
	return !j->pending.first && !j->failed.first && !j->refused.first && !j->write.running && !j->sync.first &&
	       !j->to_apply.first && !j->application.running && j->cp.state == CHECKPOINT_NONE &&
	       j->last_asked <= j->checkpoint;
}

/* A later turn: whoever is told something is told it from here, never from inside his own call. */
static void later(void *user)
{
	struct journal *j = user;
	struct entry_list refused = j->refused;
	void (*settled)(void *user);

	j->refused = (struct entry_list){ 0 };
	tell_refused(&refused);
	settled = j->settled;
	if (settled && is_settled(j)) {
		j->settled = NULL;
		settled(j->settled_user); /* may free the journal */
	}
}

void look_settled(struct journal *j)
{
	if (j->settled && is_settled(j) && !timer_runs(&j->later))
		timer_start(j->w->timers, &j->later, 0, later, j);
}

void refuse(struct journal *j, struct entry_list *l)
{
	list_move(&j->refused, l);
	if (j->refused.first && !timer_runs(&j->later))
		timer_start(j->w->timers, &j->later, 0, later, j);
}

uint64_t journal_entry_max(const struct journal *j)
{
	uint64_t most = (uint64_t)j->conf.segment - j->keep;

	return most > batch_size(BATCH_ENTRY_HEAD) ? most - batch_size(BATCH_ENTRY_HEAD) : 0;
}

void journal_append(
	struct journal *j, struct entry *e, enum entry_class class, entry_done *synced, entry_done *applied, void *user)
{
	uint64_t segment = (uint64_t)j->conf.segment;

	assert(!j->closing);
	e->synced = synced;
	e->applied = applied;
	e->user = user;
	if (batch_size(BATCH_ENTRY_HEAD + entry_bytes(e)) > segment - j->keep)
		e->e = ERR_TOO_BIG;
	else
		e->e = room(j, class, entry_length(e), entry_cost(e));
	if (e->e) {
		struct entry_list alone = { e, e };

		if (j->failing && !track_stuck(j->track))
			list_move(&j->failed, &alone);
		else
			refuse(j, &alone);
		return;
	}
	j->taken_ms = timers_now_ms(j->w->timers);
	j->bytes_taken += entry_cost(e);
	j->unsynced_bytes += entry_length(e);
	list_add(&j->pending, e);
	write_start(j);
}

/* --- names --------------------------------------------------------------------------------------------------- */

bool journal_name_known(const struct journal *j, struct name name, struct str *answer)
{
	return names_find(j->names, name, answer);
}

void journal_name_forget(struct journal *j, struct name name)
{
	names_forget(j->names, name);
}

void journal_names_of_life_forget(struct journal *j, uint64_t life)
{
	names_forget_life(j->names, life);
}

/* --- once a second ------------------------------------------------------------------------------------------- */

static void space_work(struct job *job)
{
	struct space *s = (struct space *)job;
	struct statvfs st;

	if (fstatvfs(s->store, &st) == 0)
		s->measured = (uint64_t)st.f_bavail * st.f_frsize;
	else
		log_error("journal", NULL, "cannot ask for free space error=\"%s\"", strerror(errno));
}

static void space_done(struct job *job)
{
	struct space *s = (struct space *)job;

	s->running = false;
	s->free = s->measured;
}

static void tick(void *user)
{
	struct journal *j = user;
	int64_t ms = j->conf.checkpoint_ms < TICK_MS ? j->conf.checkpoint_ms : TICK_MS;

	timer_start(j->w->timers, &j->tick, ms, tick, j);
	if (!j->space.running) {
		j->space.running = true;
		lane_add(j->w->slow, &j->space.job);
	}
	if (j->w->conf)
		j->conf.durability = ((const struct journal_conf *)conf_section(j->w->conf, &journal_settings))
		                             ->durability;
	if (track_stuck(j->track))
		track_retry(j->track);
	if (j->sync.broken)
		write_start(j);
	checkpoint_consider(j);
	tell_slot(j);
}

void tell_slot(struct journal *j)
{
	if (!j->slot)
		return;
	j->slot->journal_used = track_used(j->track);
	j->slot->journal_size = track_size(j->track);
}

static void segment_news(void *user, bool ready)
{
	struct journal *j = user;

	if (ready)
		write_start(j);
	else if (track_stuck(j->track))
		write_fail_all(j);
}

/* --- beginning and end --------------------------------------------------------------------------------------- */

void journal_checkpoint(struct journal *j)
{
	checkpoint_ask(j);
}

static enum err open_directory(int store, unsigned slot, int *dir)
{
	char name[32];
	bool fresh;
	int all;

	snprintf(name, sizeof(name), "journal/%u", slot);
	if ((mkdirat(store, "journal", 0700) < 0 && errno != EEXIST) ||
		(!(fresh = !mkdirat(store, name, 0700)) && errno != EEXIST))
		return err_errno("make %s", name);
	if ((*dir = openat(store, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_errno("open %s", name);
	all = openat(store, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (all < 0 || fsync(all) < 0 || fsync(store) < 0) {
		enum err e = err_errno("sync %s", name);

		if (all >= 0)
			close(all);
		return e;
	}
	close(all);
	return fresh ? place_raise(store) : OK;
}

/* Takes up an entry that is parked since an earlier life. */
static enum err adopt(void *user, uint64_t sequence, struct str operations)
{
	struct unpack u = unpack_of(operations);
	struct entry *e = entry_new();
	struct journal *j = user;
	struct operation op;

	buf_add_str(&e->operations, operations);
	while (operation_next(&u, &op))
		e->spooled += op.kind == OP_SPOOL ? op.len : 0;
	e->sequence = sequence;
	e->again = e->filed = e->adopted = e->parked = true;
	j->bytes_taken += entry_cost(e);
	list_add(&j->parked, e);
	parked_tell(j, e, true);
	return OK;
}

bool journal_needs(const struct journal *j, struct str spool)
{
	for (const struct entry *e = j->parked.first; e; e = e->next) {
		struct unpack u = unpack_of(buf_str(&e->operations));
		struct operation op;

		while (operation_next(&u, &op))
			if (op.kind == OP_SPOOL && str_eq(op.other, spool))
				return true;
	}
	return false;
}

static void journal_init(struct journal *j)
{
	struct worker *w = j->w;
	bool damaged = false; /* replay was told */

	j->files = files_new(w->directory);
	j->moved = moved_new();
	j->slot = w->shm ? shm_slot(w->shm, w->slot) : NULL;
	j->taken_ms = timers_now_ms(w->timers);
	j->space = (struct space){ .job = { space_work, space_done, NULL }, .store = w->directory };
	space_work(&j->space.job);
	space_done(&j->space.job);
	write_init(j);
	relaxed_init(j);
	application_init(j);
	checkpoint_init(j);
	parked_each(j->dir, adopt, j, &damaged); /* one that cannot be read now is tried at the next start */
	application_retry(j);
	tick(j);
}

enum err journal_open_with(struct journal **out, struct worker *w, const struct journal_conf *conf)
{
	struct journal *j = mem_new(struct journal);
	size_t names_max = names_room((uint64_t)conf->segment);
	struct base base;
	enum err e;

	j->w = w;
	j->conf = *conf;
	j->keep = batch_size(names_max) + KEEP_MARGIN;
	j->names = names_new(names_max);
	j->dir = -1;
	if (!(e = open_directory(w->directory, w->slot, &j->dir)) &&
		!(e = replay(w->directory, j->dir, &base, j->names)) &&
		!(e = track_open(&j->track, j->dir, w->slow, (uint64_t)conf->segment,
			  (size_t)(conf->size / conf->segment), segment_news, j))) {
		j->life = base.life;
		j->next = j->written = j->synced = j->applied = j->checkpoint = base.sequence;
		j->last_asked = j->last_applied = base.sequence;
		journal_init(j);
	} else {
		journal_free(j);
		j = NULL;
	}
	*out = j;
	return e;
}

void journal_settle(struct journal *j, void (*done)(void *user), void *user)
{
	assert(!j->settled);
	j->settled = done;
	j->settled_user = user;
	checkpoint_ask(j);
}

/* Waits for whatever the lanes have of ours; nobody is told any more. */
static void journal_close(struct journal *j)
{
	const struct worker *w = j->w;

	j->closing = true;
	while (j->write.running || j->sync.running || j->application.running || j->space.running ||
		j->cp.state == CHECKPOINT_LANES || j->cp.state == CHECKPOINT_SYNC || j->cp.unlinking ||
		track_busy(j->track)) {
		lane_drain(w->journal);
		lane_drain(w->sync);
		lane_drain(w->files);
		lane_drain(w->index);
		lane_drain(w->slow);
	}
	timer_stop(w->timers, &j->tick);
	timer_stop(w->timers, &j->later);
	timer_stop(w->timers, &j->sync.timer);
	timer_stop(w->timers, &j->application.again);
	timer_stop(w->timers, &j->application.unpark);
	timer_stop(w->timers, &j->application.rescue);
}

static void free_list(struct entry_list *l)
{
	struct entry *e;

	while ((e = list_take(l)))
		entry_free(e);
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	if (j->track)
		journal_close(j);
	free_list(&j->pending);
	free_list(&j->failed);
	free_list(&j->to_apply);
	free_list(&j->parked);
	free(j->parked_mailboxes);
	marks_free(j->application.held);
	buf_free(&j->application.changed);
	free_list(&j->refused);
	checkpoint_free(j);
	relaxed_free(j);
	buf_free(&j->write.bytes);
	track_free(j->track);
	moved_free(j->moved);
	names_free(j->names);
	files_free(j->files);
	if (j->dir >= 0)
		close(j->dir);
	free(j);
}
