/* checkpoint.c - making durable what is applied, so that its part of the journal can be used again.
 *   x = applied | files lane: everything before is done | slow lane: syncs | a batch says 'checkpoint x'
 * The index has no part in it: a record there says how much of the files it covers.
 * Only when that batch is synced are segments below x used again. After a failed sync the kernel no longer knows what
 * it could not write; so before the next try everything since the last checkpoint is written again from the journal. */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/base.h"
#include "storage/journal/journal_parts.h"
#include "storage/journal/marks.h"
#include "storage/journal/operation.h"
#include "storage/journal/replay.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

COUNTER(journal_checkpoints, "journal.checkpoints", "checkpoints made");

static struct journal *journal_of(struct checkpoint *c)
{
	return (struct journal *)((char *)c - offsetof(struct journal, cp));
}

static void files_work(struct job *job);
static void sync_work(struct job *job);

static void checkpoint_failed(struct journal *j)
{
	struct checkpoint *c = &j->cp;

	log_error("journal", NULL, "a checkpoint failed slot=%u sequence=%llu", j->w->slot,
		(unsigned long long)c->sequence);
	c->state = CHECKPOINT_NONE;
	c->again = c->asked = true;
	c->not_before_ms = timers_now_ms(j->w->timers) + AGAIN_MS; /* the tick sees to it */
}

static void sync_done(struct job *job)
{
	struct journal *j = journal_of((struct checkpoint *)job);

	if (j->cp.e) {
		checkpoint_failed(j);
		return;
	}
	j->cp.again = false;
	j->cp.state = CHECKPOINT_WRITE;
	write_start(j);
}

static void files_done(struct job *job)
{
	struct journal *j = journal_of((struct checkpoint *)job);

	if (j->cp.e) {
		checkpoint_failed(j);
		return;
	}
	j->cp.state = CHECKPOINT_SYNC;
	j->cp.job = (struct job){ sync_work, sync_done, NULL };
	lane_add(j->w->slow, job);
}

/* That this runs says that the lane has done all that came before. */
static void files_work(struct job *job)
{
	struct checkpoint *c = (struct checkpoint *)job;

	c->e = c->again ? replay_again(c->dir, c->files, c->life, c->from, c->sequence, c->parked) : OK;
	if (!c->e)
		c->e = files_sync_list(c->files, &c->list);
}

static void sync_work(struct job *job)
{
	struct checkpoint *c = (struct checkpoint *)job;

	enum err e = sync_list_run(&c->list);

	c->e = e ? e : filing_write(c->dir, c->filing);
}

static bool is_time(const struct journal *j)
{
	const struct checkpoint *c = &j->cp;
	int64_t now = timers_now_ms(j->w->timers);

	return c->asked || j->settled || j->blocked || now - c->last_ms >= j->conf.checkpoint_ms ||
	       now - j->taken_ms >= QUIET_MS || track_used(j->track) > track_size(j->track) / 100 * SHARE_PERCENT;
}

/* Entries that are not ours were applied, or failed, since the last one. */
static bool is_progress(const struct journal *j, uint64_t x)
{
	return j->last_applied > j->checkpoint || (j->last_asked > j->checkpoint && j->last_asked <= x);
}

/* What is parked will be in files of its own when the checkpoint passes it. */
static void file_parked(struct journal *j)
{
	struct checkpoint *c = &j->cp;

	marks_free(c->parked);
	c->parked = marks_new();
	for (struct entry *e = j->parked.first; e; e = e->next) {
		marks_raise(c->parked, (struct str){ (const char *)&e->sequence, sizeof(e->sequence) }, 1);
		if (e->filed)
			continue;
		c->filing = filing_new(e, c->filing);
		e->filed = true;
		checkpoint_keep_spools(j, e->sequence);
	}
}

void checkpoint_consider(struct journal *j)
{
	bool all_applied = !j->telling.first && !j->to_apply.first && !j->application.running;
	struct checkpoint *c = &j->cp;
	uint64_t x = all_applied ? j->synced : j->applied;

	if (j->application.running && j->application.retry)
		return; /* those parked are in the lane: they could not be filed. Its end comes back here. */
	if (c->state != CHECKPOINT_NONE || j->closing || timers_now_ms(j->w->timers) < c->not_before_ms)
		return;
	if (j->last_asked <= j->checkpoint) {
		c->asked = false;
		look_settled(j);
		return;
	}
	if (!is_time(j) || !is_progress(j, x))
		return;
	if (track_tight(j->track, 2 * j->keep) && !track_frees(j->track, x))
		return; /* room for its own batch is dear then */
	file_parked(j);
	c->state = CHECKPOINT_LANES;
	c->asked = false;
	c->sequence = x;
	c->bytes = j->bytes_applied;
	c->from = j->checkpoint;
	c->job = (struct job){ files_work, files_done, NULL };
	lane_add(j->w->files, &c->job);
}

void checkpoint_ask(struct journal *j)
{
	j->cp.asked = true;
	relaxed_sync(j); /* it can be of no more than that */
	checkpoint_consider(j);
}

struct entry *checkpoint_entry(struct journal *j)
{
	struct entry *e = entry_new();

	e->ours = true;
	operation_pack(&e->operations, &(struct operation){ .kind = OP_NAMES_ALL });
	names_pack(j->names, &e->operations);
	return e;
}

static void spool_add(struct journal *j, uint64_t sequence, struct str path)
{
	struct spool *s = mem_alloc(sizeof(*s) + path.len + 1);

	s->sequence = sequence;
	memcpy(s->path, path.p, path.len);
	*j->cp.spools_end = s;
	j->cp.spools_end = &s->next;
}

static void spools_add(struct journal *j, const struct entry *e, uint64_t sequence)
{
	struct unpack u = unpack_of(buf_str(&e->operations));
	struct operation op;

	while (operation_next(&u, &op))
		if (op.kind == OP_SPOOL)
			spool_add(j, sequence, op.other);
}

void checkpoint_spools(struct journal *j, const struct entry *e)
{
	spools_add(j, e, e->sequence);
}

void checkpoint_unfile(struct journal *j, const struct entry *e)
{
	struct buf path = { 0 };

	buf_printf(&path, "journal/%u/" PARKED "%llu", j->w->slot, (unsigned long long)e->sequence);
	spool_add(j, j->synced, buf_str(&path));
	spools_add(j, e, j->synced);
	buf_free(&path);
}

void checkpoint_keep_spools(struct journal *j, uint64_t sequence)
{
	struct spool **at = &j->cp.spools, *s;

	while ((s = *at))
		if (s->sequence == sequence) {
			*at = s->next;
			free(s);
		} else
			at = &s->next;
	j->cp.spools_end = at;
}

static void unlink_work(struct job *job)
{
	struct checkpoint *c = (struct checkpoint *)((char *)job - offsetof(struct checkpoint, unlink));

	while (c->passed) {
		struct spool *s = c->passed;

		c->passed = s->next;
		if (unlinkat(c->store, s->path, 0) < 0 && errno != ENOENT)
			log_warn("journal", NULL, "cannot unlink spooled bytes path=%s error=\"%s\"", s->path,
				strerror(errno));
		free(s);
	}
}

static void unlink_done(struct job *job)
{
	struct checkpoint *c = (struct checkpoint *)((char *)job - offsetof(struct checkpoint, unlink));

	c->unlinking = false;
}

/* Those passed while the last ones are being unlinked wait for the next checkpoint. */
static void unlink_passed(struct journal *j)
{
	struct checkpoint *c = &j->cp;
	struct spool **end = &c->spools;

	if (c->unlinking)
		return;
	while (*end && (*end)->sequence < j->checkpoint)
		end = &(*end)->next;
	if (end == &c->spools)
		return;
	c->passed = c->spools;
	c->spools = *end;
	*end = NULL;
	if (!c->spools)
		c->spools_end = &c->spools;
	c->unlinking = true;
	lane_add(j->w->slow, &c->unlink);
}

void checkpoint_written(struct journal *j)
{
	struct checkpoint *c = &j->cp;

	assert(c->state == CHECKPOINT_WRITE || c->state == CHECKPOINT_WRITTEN);
	c->state = CHECKPOINT_NONE;
	filing_free(c->filing);
	c->filing = NULL;
	c->last_ms = timers_now_ms(j->w->timers);
	j->checkpoint = c->sequence;
	j->bytes_settled = c->bytes;
	track_settle(j->track, j->checkpoint);
	moved_checkpoint(j->moved, j->checkpoint);
	unlink_passed(j);
	counter_add(&journal_checkpoints, 1);
	log_debug("journal", NULL, "checkpoint slot=%u sequence=%llu", j->w->slot, (unsigned long long)j->checkpoint);
	if (j->slot) {
		j->slot->checkpoint_seq = j->checkpoint;
		j->slot->checkpoint_ms = timers_wall_ms(j->w->timers);
	}
	checkpoint_consider(j);
}

void checkpoint_init(struct journal *j)
{
	struct checkpoint *c = &j->cp;

	c->files = j->files;
	c->store = j->w->directory;
	c->dir = j->dir;
	c->life = j->life;
	c->last_ms = timers_now_ms(j->w->timers);
	c->spools_end = &c->spools;
	c->unlink = (struct job){ unlink_work, unlink_done, NULL };
}

void checkpoint_free(struct journal *j)
{
	struct spool *s;

	filing_free(j->cp.filing);
	marks_free(j->cp.parked);
	while ((s = j->cp.spools)) { /* they are found again in replay */
		j->cp.spools = s->next;
		free(s);
	}
}
