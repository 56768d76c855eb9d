/* fates.c - see fates.h. The lines of a message are a chain in their order in the file; the last word counts. */
#include "storage/queue/fates.h"
#include "core/log.h"
#include "core/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE         (256u << 10)
#define COMPLAINT_MAX 10 /* lines not understood that are logged one by one; the others are counted */
#define LINE_LOG_MAX  100
#define LINES_MAX     (UINT32_C(1) << 30)

struct fates_slot {
	uint64_t id;          /* 0: free */
	uint32_t first, last; /* of its lines, counted from 1 */
};

struct fates_line {
	uint32_t next; /* of the same message, counted from 1; 0: none */
	uint32_t first, last, at, next_s, ready_s, warned_s;
	uint16_t tries, to;
	uint8_t kind;
	bool keeps;
};

static struct fates_slot *slot_of(const struct fates *f, uint64_t id)
{
	size_t at = (id * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & (f->slot_count - 1);

	while (f->slots[at].id && f->slots[at].id != id)
		at = (at + 1) & (f->slot_count - 1);
	return &f->slots[at];
}

static void slots_grow(struct fates *f)
{
	struct fates_slot *old = f->slots;
	size_t count = f->slot_count;

	f->slot_count = count ? 2 * count : 1024;
	f->slots = mem_alloc(f->slot_count * sizeof(*f->slots));
	for (size_t i = 0; i < count; i++)
		if (old[i].id)
			*slot_of(f, old[i].id) = old[i];
	free(old);
}

/* Its place, counted from 1; 0: none, or there are too many. */
static uint16_t to_place(struct fates *f, struct str to)
{
	for (unsigned i = f->to_count; i && to.len; i--)
		if (str_eq(str_of(f->tos[i - 1]), to))
			return (uint16_t)i;
	if (!to.len || f->to_count == QUEUE_TO_MAX)
		return 0;
	f->tos = mem_resize(f->tos, (f->to_count + 1) * sizeof(*f->tos));
	f->tos[f->to_count] = str_dup(to);
	return (uint16_t)++f->to_count;
}

void fates_add(struct fates *f, const struct fate *fate, uint64_t at)
{
	struct fates_slot *s;

	if (2 * f->used >= f->slot_count)
		slots_grow(f);
	if (f->line_count == f->line_cap) {
		f->line_cap = f->line_cap ? 2 * f->line_cap : 1024;
		f->lines = mem_resize(f->lines, f->line_cap * sizeof(*f->lines));
	}
	f->lines[f->line_count++] = (struct fates_line){ .first = fate->first,
		.last = fate->last,
		.at = at > UINT32_MAX ? 0 : (uint32_t)at,
		.next_s = fate->next_s,
		.ready_s = fate->ready_s,
		.tries = fate->tries,
		.to = to_place(f, fate->to),
		.kind = (uint8_t)fate->kind,
		.warned_s = fate->warned_s,
		.keeps = fate->keeps };
	s = slot_of(f, fate->id);
	f->used += !s->id;
	s->id = fate->id;
	if (s->first)
		f->lines[s->last - 1].next = f->line_count;
	else
		s->first = f->line_count;
	s->last = f->line_count;
}

static void take_line(struct fates *f, struct str line, uint64_t at, const char *path)
{
	struct fate fate;

	switch (fate_read(line, &fate, NULL)) {
	case FATE_WELL:
		if (fate.id && f->line_count < LINES_MAX) {
			fates_add(f, &fate, at);
			return;
		}
		break;
	case FATE_HEAD:
		return;
	case FATE_NEWER:
		f->newer = true;
		return;
	case FATE_BAD:
		break;
	}
	if (line.len && ++f->wrong <= COMPLAINT_MAX)
		log_warn("queue", NULL, "a line says nothing path=%s offset=%llu line=\"" STR_FMT "\"", path,
			(unsigned long long)at,
			STR_ARG(str_cut(line, 0, line.len < LINE_LOG_MAX ? line.len : LINE_LOG_MAX)));
}

/* Takes whole lines out of b, which begins at *at of the file. Longer ones than any of ours are passed over. */
static void take_lines(struct fates *f, struct buf *b, uint64_t *at, bool *passing, const char *path)
{
	struct str left = buf_str(b);
	ptrdiff_t lf;

	while ((lf = str_find(left, '\n')) >= 0) {
		if (!*passing)
			take_line(f, str_cut(left, 0, (size_t)lf), *at, path);
		*passing = false;
		*at += (size_t)lf + 1;
		left = str_cut(left, (size_t)lf + 1, left.len);
	}
	if (left.len > FATE_LINE_MAX) {
		*passing = true;
		*at += left.len;
		left.len = 0;
	}
	buf_take(b, buf_len(b) - left.len);
}

enum err fates_read(struct fates *f, int directory, const char *path)
{
	int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	struct buf b = { 0 };
	bool passing = false;
	uint64_t at = 0;
	enum err e = OK;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? ERR_ABSENT : err_errno("open %s", path);
	while ((n = pread(fd, buf_room(&b, PIECE), PIECE, (off_t)f->size)) != 0 && !f->newer) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			e = err_errno("read %s", path);
			break;
		}
		f->torn = buf_data(&b)[buf_len(&b) + (size_t)n - 1] != '\n';
		buf_added(&b, (size_t)n);
		f->size += (uint64_t)n;
		take_lines(f, &b, &at, &passing, path);
	}
	if (f->wrong > COMPLAINT_MAX)
		log_warn("queue", NULL, "lines say nothing path=%s lines=%u", path, f->wrong);
	buf_free(&b);
	close(fd);
	return e;
}

static void apply_line(const struct fates_line *l, struct record *r)
{
	struct queue_message *m = &r->m;

	for (uint32_t i = l->first; i < m->count && i <= l->last; i++) {
		struct queue_item *item = &m->items[i];

		if (!item->message)
			continue;
		if (l->kind == FATE_LINE_ENDED || l->kind == FATE_LINE_MOVED) {
			item->message = NULL;
			continue;
		}
		item->state = l->kind == FATE_LINE_HELD ? ITEM_HELD : ITEM_WAITS;
		item->next_s = l->next_s;
		item->tries = l->tries;
		item->warned_s = l->warned_s;
		if (l->ready_s)
			item->ready_s = l->ready_s;
		item->to = l->to;
		if (!l->keeps)
			record_lines(r)[i] = l->at;
	}
}

bool fates_apply(const struct fates *f, struct record *r)
{
	const struct fates_slot *s = f->slot_count ? slot_of(f, r->m.id) : NULL;

	for (uint32_t at = s ? s->first : 0; at; at = f->lines[at - 1].next)
		apply_line(&f->lines[at - 1], r);
	for (uint32_t i = 0; i < r->m.count; i++)
		if (r->m.items[i].message)
			return true;
	return false;
}

void fates_free(struct fates *f)
{
	for (unsigned i = 0; i < f->to_count; i++)
		free(f->tos[i]);
	free(f->tos);
	free(f->slots);
	free(f->lines);
	*f = (struct fates){ 0 };
}
