/* journal_write.c - entries become batches, one at a time; what came meanwhile is the next.
 * After a failed write the segment is abandoned and what was in the batch fails. It may still be whole on the disk: so
 * the next batch, in a fresh segment, says that it is void, and only when that is synced (or failed as well) are the
 * askers told. What they appended meanwhile may build upon what failed (an offset behind it), so it fails too. */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/journal_parts.h"
#include "storage/journal/operation.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_KEPT (1u << 20) /* of memory between batches */

COUNTER(journal_entries, "journal.entries", "entries synced");
COUNTER(journal_batches, "journal.batches", "batches written, one fdatasync each unless durability is relaxed");
COUNTER(journal_bytes, "journal.bytes", "bytes written to the journal");

static void write_work(struct job *job)
{
	struct write *w = (struct write *)job;
	size_t done = 0;

	if (!w->again) {
		buf_clear(&w->bytes);
		batch_begin(&w->bytes);
		for (const struct entry *e = w->entries.first; e; e = e->next) {
			/* here, since of very many renames that is more than a turn of the loop bears */
			assert(!(e->has & HAS_RENAMES && moved_contradicts(buf_str(&e->operations))));
			batch_add(&w->bytes, buf_str(&e->operations));
		}
		batch_seal(&w->bytes, &w->head, w->count);
	}
	w->failed = NULL;
	while (!w->failed && done < buf_len(&w->bytes)) {
		ssize_t n = pwrite(
			w->fd, buf_data(&w->bytes) + done, buf_len(&w->bytes) - done, (off_t)(w->offset + done));

		if (n < 0 && errno != EINTR)
			w->failed = "write";
		done += n > 0 ? (size_t)n : 0;
	}
	if (!w->failed && !w->relaxed && fdatasync(w->fd) < 0)
		w->failed = "sync";
	w->number = errno;
}

/* A synced entry's names are known, its spools are to go after a checkpoint. */
static void take_synced(struct journal *j, const struct entry *e)
{
	struct unpack u = unpack_of(buf_str(&e->operations));
	struct operation op;
	size_t dropped = 0;

	while (e->has & HAS_NAMES && operation_next(&u, &op))
		if (op.kind == OP_NAME)
			dropped += names_add(j->names, op.name, op.bytes);
	if (dropped)
		log_warn("journal", NULL, "too many names are remembered slot=%u dropped=%zu", j->w->slot, dropped);
	if (e->has & HAS_SPOOLS)
		checkpoint_spools(j, e);
}

static void write_succeeded(struct journal *j, struct entry_list *entries)
{
	struct write *w = &j->write;

	list_move(&j->telling, entries); /* before a checkpoint could be begun that passes them */
	track_wrote(j->track, buf_len(&w->bytes), batch_end(&w->head));
	j->written = batch_end(&w->head);
	if (!w->relaxed)
		j->synced = j->written;
	j->cancel = false;
	counter_add(&journal_entries, w->count);
	counter_add(&journal_batches, 1);
	counter_add(&journal_bytes, buf_len(&w->bytes));
	for (const struct entry *e = j->telling.first; e; e = e->next)
		take_synced(j, e);
	if (w->relaxed)
		relaxed_wrote(j, &j->telling);
	else if (w->checkpoint)
		checkpoint_written(j);
	tell_slot(j);
}

/* Nothing will come of those pending. */
static void give_up_pending(struct journal *j)
{
	for (struct entry *e = j->pending.first; e; e = e->next) {
		j->unsynced_bytes -= entry_length(e);
		j->bytes_taken -= entry_cost(e);
		e->e = ERR_AGAIN;
	}
	j->blocked = false;
	list_move(&j->failed, &j->pending);
}

void write_give_up(struct journal *j)
{
	give_up_pending(j);
	j->cancel = j->failing = true;
}

static void write_failed(struct journal *j, struct entry_list *entries)
{
	const struct write *w = &j->write;

	log_error("journal", NULL, "cannot %s a batch slot=%u first=%llu entries=%u error=\"%s\"", w->failed,
		j->w->slot, (unsigned long long)w->head.sequence, w->count, strerror(w->number));
	for (struct entry *e = entries->first; e; e = e->next) {
		j->bytes_taken -= entry_cost(e);
		e->e = ERR_AGAIN;
	}
	if (!j->sync.broken) /* else it is done */
		track_spoil(j->track);
	list_move(&j->failed, entries);
	write_give_up(j);
}

void tell_refused(struct entry_list *entries)
{
	struct entry *e;

	while ((e = list_take(entries))) {
		if (e->synced)
			e->synced(e->user, e->e);
		entry_free(e);
	}
}

/* They go on to be applied, or to where they wait for their sync. Whoever is told may ask for a checkpoint: so each is in
 * one list or the other all the time. */
static void tell_synced(struct journal *j, bool relaxed)
{
	const struct entry *e;

	while ((e = j->telling.first)) {
		if (e->synced)
			e->synced(e->user, OK);
		list_add(relaxed ? &j->sync.entries : &j->to_apply, list_take(&j->telling));
	}
	application_start(j);
}

/* Who failed meanwhile is told if this failed too; else a batch that says so is next. */
static void write_done_again(struct journal *j)
{
	struct entry_list failed_before = j->failed;

	j->write.running = j->write.again = false;
	if (j->closing)
		return;
	relaxed_rewritten(j);
	if (j->sync.broken) {
		j->failed = (struct entry_list){ 0 };
		tell_refused(&failed_before);
	}
	write_start(j);
}

static void write_done(struct job *job)
{
	struct journal *j = (struct journal *)((char *)job - offsetof(struct journal, write.job));
	struct entry_list entries = j->write.entries, failed_before = j->failed;

	bool relaxed = j->write.relaxed;

	if (j->write.again) {
		write_done_again(j);
		return;
	}
	j->write.entries = j->failed = (struct entry_list){ 0 };
	j->write.running = false;
	for (const struct entry *e = entries.first; e; e = e->next)
		j->unsynced_bytes -= entry_length(e);
	if (!j->write.failed && j->sync.broken) { /* it is in the same segment */
		j->write.failed = "sync";
		j->write.number = j->sync.number;
	}
	if (j->write.failed)
		write_failed(j, &entries);
	else
		write_succeeded(j, &entries);
	if (j->write.bytes.cap > BUFFER_KEPT)
		buf_free(&j->write.bytes);
	if (j->closing) {
		list_move(&j->refused, &failed_before);
		list_move(&j->refused, &entries);
		list_move(&j->refused, &j->telling);
		return;
	}
	write_start(j); /* before anybody is told: the disk need not wait for them */
	tell_refused(&failed_before);
	j->failing = j->cancel;
	if (!j->failing)
		refuse(j, &j->failed); /* appended while those were told */
	tell_synced(j, relaxed);
}

/* Moves entries from those pending to the batch while they fit and need not wait for a checkpoint. */
static void fill(struct journal *j, uint64_t room)
{
	struct write *w = &j->write;
	uint64_t length = 0;

	for (struct entry *e = w->entries.first; e; e = e->next)
		length += BATCH_ENTRY_HEAD + entry_bytes(e);
	while (j->pending.first) {
		struct entry *e = j->pending.first;
		uint64_t with = length + BATCH_ENTRY_HEAD + entry_bytes(e);

		if (batch_size(with) > room || (w->entries.first && with > BATCH_BYTES_MAX))
			return;
		if ((j->blocked = moved_blocks(j->moved, buf_str(&e->operations))))
			return;
		list_add(&w->entries, list_take(&j->pending));
		e->sequence = j->next++;
		length = with;
		if (e->has & HAS_RENAMES)
			moved_add(j->moved, buf_str(&e->operations), e->sequence);
		j->last_asked = j->next;
	}
}

static void no_room(struct journal *j)
{
	if (track_stuck(j->track))
		write_fail_all(j);
	else if (!track_busy(j->track))
		checkpoint_ask(j);
}

static bool batch_form(struct journal *j)
{
	struct write *w = &j->write;
	struct entry *mark = j->cp.state == CHECKPOINT_WRITE ? checkpoint_entry(j) : NULL;
	const struct entry *first = mark ? mark : j->pending.first;
	uint64_t least = batch_size(first ? BATCH_ENTRY_HEAD + entry_bytes(first) : 0), room;
	bool relaxed = j->conf.durability == DURABILITY_RELAXED && !j->failing && !j->cancel;

	room = track_place(j->track, least, mark || j->cancel ? 0 : j->keep, &w->fd, &w->offset);
	if (!room)
		no_room(j);
	if (!room || relaxed_blocks(j, w->fd, relaxed)) {
		entry_free(mark);
		return false;
	}
	if (track_tight(j->track, j->keep))
		room = least; /* others may not take what a checkpoint will need */
	w->relaxed = relaxed;
	w->head = (struct batch_head){ .life = j->life, .sequence = j->next, .synced = j->synced, .relaxed = relaxed };
	w->head.checkpoint = mark ? j->cp.sequence : j->checkpoint;
	if (mark) { /* before all others: it lists the names known now */
		mark->sequence = j->next++;
		list_add(&w->entries, mark);
	}
	w->checkpoint = mark != NULL;
	fill(j, room);
	w->count = (uint32_t)(j->next - w->head.sequence);
	return w->count || j->cancel;
}

void write_start(struct journal *j)
{
	struct write *w = &j->write;

	if (w->running || j->closing)
		return;
	if (!j->sync.broken && !j->pending.first && !j->cancel && j->cp.state != CHECKPOINT_WRITE)
		return;
	if (j->sync.broken ? relaxed_rewrite(j) : batch_form(j)) {
		w->running = true;
		lane_add(j->w->journal, &w->job);
	} else if (j->blocked)
		checkpoint_ask(j);
}

void write_fail_all(struct journal *j)
{
	give_up_pending(j);
	refuse(j, &j->failed);
}

void write_init(struct journal *j)
{
	j->write.job = (struct job){ write_work, write_done, NULL };
}
