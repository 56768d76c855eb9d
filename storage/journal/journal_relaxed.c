/* journal_relaxed.c - with durability = relaxed an entry is told of when it is written; the sync comes within a second.
 *   written (journal lane) -> told -> synced (a lane of its own) -> to apply, as ever
 * Nothing is done to the files before the sync, so what a power cut leaves is what it was a moment before: no file is
 * ever ahead of the journal. The bytes of what is written and not synced are kept. If the sync fails they are written
 * once more, to a fresh segment, and synced there; until that is done nothing new is taken. All of them are in one
 * segment: before another is begun, and before anything is written that is synced at once, they are. */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/journal_parts.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

COUNTER(journal_syncs, "journal.syncs", "syncs that nobody's answer waited for");

struct unsynced { /* a batch that is written */
	struct unsynced *next;
	struct buf bytes;
	uint64_t end; /* the sequence behind its last entry */
	bool checkpoint;
};

struct durable_wait {
	struct durable_wait *next;
	uint64_t end; /* of what is to be synced */
	entry_done *done;
	void *user;
};

static struct journal *journal_of(struct job *job)
{
	return (struct journal *)((char *)job - offsetof(struct journal, sync.job));
}

static void sync_work(struct job *job)
{
	struct sync *s = (struct sync *)job;

	s->number = fdatasync(s->fd) < 0 ? errno : 0;
}

static void sync_soon(void *user)
{
	relaxed_sync(user);
}

void relaxed_sync(struct journal *j)
{
	struct sync *s = &j->sync;

	s->wanted = s->first != NULL;
	if (!s->first || s->running || s->broken || j->closing)
		return;
	timer_stop(j->w->timers, &s->timer);
	s->running = true;
	s->wanted = false;
	s->upto = j->written;
	lane_add(j->w->sync, &s->job);
}

void relaxed_wrote(struct journal *j, const struct entry_list *entries)
{
	struct unsynced *u = mem_new(struct unsynced);
	struct write *w = &j->write;
	struct sync *s = &j->sync;

	u->bytes = w->bytes;
	w->bytes = (struct buf){ 0 };
	u->end = j->written;
	u->checkpoint = w->checkpoint;
	if (u->checkpoint)
		j->cp.state = CHECKPOINT_WRITTEN;
	s->fd = w->fd;
	s->bytes += buf_len(&u->bytes);
	*s->last = u;
	s->last = &u->next;
	for (const struct entry *e = entries->first; e; e = e->next)
		s->wanted |= e->awaited;
	if (s->wanted || u->checkpoint || s->bytes > UNSYNCED_BYTES_MAX)
		relaxed_sync(j);
	else if (!s->running && !timer_runs(&s->timer))
		timer_start(j->w->timers, &s->timer, SYNC_MS, sync_soon, j);
}

/* All before `upto` is synced. */
static void synced_upto(struct journal *j, uint64_t upto)
{
	struct sync *s = &j->sync;
	struct durable_wait *wait;
	struct unsynced *u;
	bool checkpoint = false;

	counter_add(&journal_syncs, 1);
	j->synced = upto;
	while ((u = s->first) && u->end <= upto) {
		s->first = u->next;
		s->bytes -= buf_len(&u->bytes);
		checkpoint |= u->checkpoint;
		buf_free(&u->bytes);
		free(u);
	}
	if (!s->first)
		s->last = &s->first;
	while (s->entries.first && s->entries.first->sequence < upto)
		list_add(&j->to_apply, list_take(&s->entries));
	if (checkpoint)
		checkpoint_written(j);
	application_start(j);
	while ((wait = s->waits) && wait->end <= upto) {
		if (!(s->waits = wait->next))
			s->waits_last = &s->waits;
		wait->done(wait->user, OK);
		free(wait);
	}
}

static void sync_failed(struct journal *j)
{
	struct sync *s = &j->sync;

	log_error("journal", NULL,
		"CANNOT SYNC WHAT WAS ACKNOWLEDGED: it is written once more, until then nothing new is taken slot=%u "
		"first=%llu entries=%llu error=\"%s\"",
		j->w->slot, (unsigned long long)j->synced, (unsigned long long)(j->written - j->synced),
		strerror(s->number));
	s->broken = true;
	track_distrust(j->track, s->fd);
	if (!j->write.running) /* else its end sees to it */
		write_give_up(j);
}

static void sync_done(struct job *job)
{
	struct journal *j = journal_of(job);
	struct sync *s = &j->sync;

	s->running = false;
	if (j->closing)
		return;
	if (s->number)
		sync_failed(j);
	else
		synced_upto(j, s->upto);
	write_start(j);
	if (s->wanted)
		relaxed_sync(j);
	else if (s->first && !s->broken && !s->running && !timer_runs(&s->timer))
		timer_start(j->w->timers, &s->timer, SYNC_MS, sync_soon, j);
}

bool relaxed_blocks(struct journal *j, int fd, bool relaxed)
{
	struct sync *s = &j->sync;

	if (!s->first || (relaxed && fd == s->fd && s->bytes <= 2 * UNSYNCED_BYTES_MAX))
		return false;
	relaxed_sync(j);
	return true;
}

bool relaxed_rewrite(struct journal *j)
{
	struct write *w = &j->write;
	uint64_t least = j->sync.bytes;

	if (!track_place(j->track, least, 0, &w->fd, &w->offset))
		return false;
	buf_clear(&w->bytes);
	for (const struct unsynced *u = j->sync.first; u; u = u->next)
		buf_add_str(&w->bytes, buf_str(&u->bytes));
	w->again = true;
	w->relaxed = false;
	return true;
}

void relaxed_rewritten(struct journal *j)
{
	const struct write *w = &j->write;

	if (w->failed) {
		log_error("journal", NULL, "cannot %s what was acknowledged slot=%u error=\"%s\"", w->failed,
			j->w->slot, strerror(w->number));
		track_spoil(j->track);
		return;
	}
	log_warn("journal", NULL, "what was acknowledged is durable now slot=%u", j->w->slot);
	track_wrote(j->track, buf_len(&w->bytes), j->written);
	j->sync.broken = false;
	synced_upto(j, j->written);
}

bool journal_is_durable(const struct journal *j)
{
	return j->written == j->synced;
}

void journal_when_durable(struct journal *j, entry_done *done, void *user)
{
	struct sync *s = &j->sync;
	struct durable_wait *wait;

	if (journal_is_durable(j)) {
		done(user, OK);
		return;
	}
	wait = mem_new(struct durable_wait);
	*wait = (struct durable_wait){ NULL, j->written, done, user };
	*s->waits_last = wait;
	s->waits_last = &wait->next;
	relaxed_sync(j);
}

void relaxed_init(struct journal *j)
{
	struct sync *s = &j->sync;

	s->job = (struct job){ sync_work, sync_done, NULL };
	s->last = &s->first;
	s->waits_last = &s->waits;
}

void relaxed_free(struct journal *j)
{
	struct sync *s = &j->sync;
	struct entry *e;

	while (s->first) {
		struct unsynced *u = s->first;

		s->first = u->next;
		buf_free(&u->bytes);
		free(u);
	}
	while (s->waits) {
		struct durable_wait *wait = s->waits;

		s->waits = wait->next;
		free(wait);
	}
	while ((e = list_take(&s->entries)))
		entry_free(e);
}
