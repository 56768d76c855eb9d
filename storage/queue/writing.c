/* writing.c - an entry of the journal that writes to files of the queue.
 * It gives offsets as it is made. When one fails, those made after it fail too; once all under way are told, the ends
 * of the files are again where the last durable entry left them. */
#include "core/mem.h"
#include "storage/queue/fate_form.h"
#include "storage/queue/parts.h"
#include <assert.h>
#include <stdlib.h>

struct touched {
	struct queue_segment *segment;
	struct buf lines; /* for its state file */
	uint64_t mbox_end, state_end;
};

struct writing {
	struct queue *q;
	struct entry *entry;
	struct touched *touched;
	size_t count, cap;
	size_t line_bytes;
	entry_done *synced, *applied;
	void *user;
};

struct writing *writing_new(struct queue *q)
{
	struct writing *x = mem_new(struct writing);

	assert(!q->broken);
	x->q = q;
	x->entry = entry_new();
	return x;
}

static struct touched *touch(struct writing *x, struct queue_segment *s)
{
	for (size_t i = x->count; i > 0; i--)
		if (x->touched[i - 1].segment == s)
			return &x->touched[i - 1];
	if (x->count == x->cap) {
		x->cap = x->cap ? 2 * x->cap : 2;
		x->touched = mem_resize(x->touched, x->cap * sizeof(*x->touched));
	}
	s->references++;
	x->touched[x->count] = (struct touched){ .segment = s };
	return &x->touched[x->count++];
}

static struct file_ref file_of(const struct queue_segment *s, const char *suffix, char path[QUEUE_PATH_SIZE])
{
	return (struct file_ref){ str_of(segment_path(s, suffix, path)), 0, 0 };
}

void writing_mbox(struct writing *x, struct queue_segment *s, struct str bytes)
{
	char path[QUEUE_PATH_SIZE];
	struct file_ref file = file_of(s, ".mbox", path);

	touch(x, s);
	entry_write(x->entry, &file, s->mbox_end, bytes);
	s->mbox_end += bytes.len;
}

void writing_spool(struct writing *x, struct queue_segment *s, struct str spool, uint64_t len)
{
	char path[QUEUE_PATH_SIZE];
	struct file_ref file = file_of(s, ".mbox", path);

	touch(x, s);
	entry_write_spool(x->entry, &file, s->mbox_end, spool, len);
	s->mbox_end += len;
}

uint64_t writing_state(struct writing *x, struct queue_segment *s, struct str line)
{
	struct touched *t = touch(x, s);
	size_t before = buf_len(&t->lines);
	uint64_t at;

	if (!before && s->torn)
		buf_add_char(&t->lines, '\n');
	if (!before && !s->state_end)
		fate_print_head(&t->lines);
	at = s->state_end + buf_len(&t->lines);
	buf_add_str(&t->lines, line);
	x->line_bytes += buf_len(&t->lines) - before;
	return at;
}

void writing_name(struct writing *x, struct queue_segment *s)
{
	assert(!s->state_end);
	writing_state(x, s, STR_NONE);
}

void writing_remove(struct writing *x, struct queue_segment *s)
{
	char path[QUEUE_PATH_SIZE];

	touch(x, s);
	entry_remove(x->entry, str_of(segment_path(s, ".mbox", path)));
	entry_remove(x->entry, str_of(segment_path(s, ".state", path)));
}

size_t writing_bytes(const struct writing *x)
{
	return entry_bytes(x->entry) + x->line_bytes;
}

static void writing_free(struct writing *x)
{
	for (size_t i = 0; i < x->count; i++) {
		buf_free(&x->touched[i].lines);
		segment_unref(x->touched[i].segment);
	}
	free(x->touched);
	free(x);
}

/* All that was under way is told: what failed was never written. */
static void ends_restore(struct queue *q)
{
	for (struct queue_segment *s = q->segments; s; s = s->next) {
		s->mbox_end = s->mbox_synced;
		s->state_end = s->state_synced;
	}
	q->broken = false;
}

static void on_synced(void *user, enum err e)
{
	struct writing *x = user;
	struct queue *q = x->q;

	q->unsynced--;
	for (size_t i = 0; !e && i < x->count; i++) {
		struct queue_segment *s = x->touched[i].segment;

		s->mbox_synced = x->touched[i].mbox_end;
		if (buf_len(&x->touched[i].lines))
			s->torn = false;
		s->state_synced = x->touched[i].state_end;
	}
	if (e)
		q->broken = true;
	x->synced(x->user, e);
	if (e)
		writing_free(x);
	if (!q->unsynced && q->broken)
		ends_restore(q);
}

static void on_applied(void *user, enum err e)
{
	struct writing *x = user;

	if (x->applied)
		x->applied(x->user, e);
	writing_free(x);
}

void writing_go(struct writing *x, enum entry_class class, entry_done *synced, entry_done *applied, void *user)
{
	struct entry *entry = x->entry;

	x->entry = NULL;
	x->synced = synced;
	x->applied = applied;
	x->user = user;
	for (size_t i = 0; i < x->count; i++) {
		struct touched *t = &x->touched[i];
		struct queue_segment *s = t->segment;
		char path[QUEUE_PATH_SIZE];
		struct file_ref file = file_of(s, ".state", path);

		if (buf_len(&t->lines)) {
			entry_write(entry, &file, s->state_end, buf_str(&t->lines));
			s->state_end += buf_len(&t->lines);
		}
		t->mbox_end = s->mbox_end;
		t->state_end = s->state_end;
	}
	x->q->unsynced++;
	journal_append(x->q->journal, entry, class, on_synced, on_applied, x);
}
