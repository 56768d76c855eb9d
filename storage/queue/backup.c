/* backup.c - a worker's queue goes into a backup (storage/backup/backup.h).
 * How long its files are is noted together with an entry of the journal: when that is applied, so is all that they were
 * promised until then. */
#include "storage/backup/backup.h"
#include "core/mem.h"
#include "storage/backup/backup_files.h"
#include "storage/mailbox/mailbox.h"
#include "storage/queue/parts.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct kept_file {
	char path[QUEUE_PATH_SIZE];
	uint64_t length;
};

struct queue_backup {
	struct str directory;
	bool copies;
	int to;
	struct kept_file *files;
	size_t count, next;
	struct file_copy copy;
	struct buf list, why;
	struct backup_total total;
};

static void kept_end(struct task *t, enum err e)
{
	struct queue_backup *b = t->op;
	struct buf answer = { 0 };

	file_copy_end(&b->copy);
	if (b->to >= 0)
		close(b->to);
	pack_u64(&answer, 0);
	pack_u64(&answer, b->total.files);
	pack_u64(&answer, b->total.bytes);
	pack_str(&answer, buf_str(&b->why));
	free(b->files);
	buf_free(&b->list);
	buf_free(&b->why);
	task_end(t, e, buf_str(&answer));
	buf_free(&answer);
}

static enum err list_write(struct task *t)
{
	struct queue_backup *b = t->op;
	char path[QUEUE_PATH_SIZE];

	snprintf(path, sizeof(path), QUEUE_FILES "%u", t->st->w->slot);
	return files_write(b->to, path, buf_str(&b->list), &b->why);
}

/* One file, or a piece of one. */
static enum err file_work(struct task *t)
{
	struct queue_backup *b = t->op;
	struct kept_file *f;
	bool done = false;
	enum err e;

	if (b->copy.path) {
		e = file_copy_step(&b->copy, &done, &b->why);
		if (done || e)
			file_copy_end(&b->copy);
		return e;
	}
	if (b->next == b->count)
		return list_write(t);
	f = &b->files[b->next++];
	e = parents_make(b->to, f->path, &b->why);
	if (!e)
		e = file_link(t->st->w->directory, b->to, f->path, b->copies, &f->length, &b->copy, &b->why);
	if (e)
		return e == ERR_ABSENT ? OK : e; /* all in it is done by now, or it was never written */
	files_add(&b->list, f->length, str_of(f->path));
	b->total.files++;
	b->total.bytes += f->length;
	return OK;
}

static void file_done(struct task *t, enum err e)
{
	const struct queue_backup *b = t->op;
	bool last = b->next == b->count && !b->copy.path;

	if (e || t->st->stop)
		kept_end(t, e ? e : ERR_AGAIN);
	else
		task_in_lane(t, t->st->w->slow, file_work, last ? kept_end : file_done);
}

static enum err begin_work(struct task *t)
{
	struct queue_backup *b = t->op;
	char *directory = arena_dup(&t->memory, b->directory);

	b->to = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->to < 0)
		return backup_failed(&b->why, "open", directory);
	return parents_make(b->to, QUEUE_FILES, &b->why);
}

static void marker_synced(void *user, enum err e)
{
	struct task *t = user;

	if (e)
		kept_end(t, e);
}

static void marker_applied(void *user, enum err e)
{
	struct task *t = user;

	(void)e;
	task_in_lane(t, t->st->w->slow, begin_work, file_done);
}

static void note_file(struct queue_backup *b, const struct queue_segment *s, const char *suffix, uint64_t length)
{
	struct kept_file *f = &b->files[b->count++];

	segment_path(s, suffix, f->path);
	f->length = s->known ? length : UINT64_MAX;
}

void backup_worker_handle(struct worker *w, struct request *rq, struct str args)
{
	struct unpack u = unpack_of(args);
	bool may = unpack_u8(&u) == ASKER_CONTROL;
	struct queue_backup *b;
	struct entry *marker;
	size_t count = 0;
	struct task *t;

	if (!w->store || w->store->stop || !w->queue || !may) {
		request_answer(rq, may ? ERR_AGAIN : ERR_DENIED, STR_NONE);
		return;
	}
	unpack_str(&u);
	unpack_str(&u);
	t = task_own(w->store, STR_NONE, NULL);
	t->rq = rq;
	b = task_op(t, struct queue_backup);
	b->to = -1;
	b->directory = arena_str(&t->memory, unpack_str(&u));
	b->copies = unpack_u8(&u);
	for (const struct queue_segment *s = w->queue->segments; s; s = s->next)
		count++;
	b->files = mem_alloc((2 * count + 1) * sizeof(*b->files));
	for (const struct queue_segment *s = w->queue->segments; s; s = s->next) {
		note_file(b, s, ".mbox", s->mbox_end);
		note_file(b, s, ".state", s->state_end);
	}
	marker = entry_new();
	entry_make_directory(marker, STR(QUEUE_DIRECTORY));
	journal_append(w->store->journal, marker, ENTRY_SMALL, marker_synced, marker_applied, t);
}
