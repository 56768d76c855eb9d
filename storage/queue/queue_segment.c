/* queue_segment.c - the segments of a queue: which there are, and which one takes the next message.
 * A segment bears as its name the number that was next when it was begun, and no id goes into it that is not below its
 * name and its length by ID_BYTES. So the newest's name and length tell, before anything is read, a number above all
 * that were given; and the newest of a directory is never removed without a newer one in its place. A worker begins one
 * of its own at each start. */
#include "core/listing.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/queue/parts.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_DIGITS 12
#define IDLE_FILES  64 /* mboxes kept open that nobody reads */

const char *segment_path(const struct queue_segment *s, const char *suffix, char path[QUEUE_PATH_SIZE])
{
	snprintf(path, QUEUE_PATH_SIZE, QUEUE_DIRECTORY "/%u/%0*" PRIx64 "%s", s->directory, NAME_DIGITS, s->name,
		suffix);
	return path;
}

static struct queue_segment *segment_new(struct queue *q, unsigned directory, uint64_t name)
{
	struct queue_segment *s = mem_new(struct queue_segment);

	s->q = q;
	s->directory = directory;
	s->name = name;
	s->fd = -1;
	s->references = 1; /* the list's */
	s->next = q->segments;
	q->segments = s;
	return s;
}

static struct queue_segment *segment_find(const struct queue *q, unsigned directory, uint64_t name)
{
	for (struct queue_segment *s = q->segments; s; s = s->next)
		if (s->directory == directory && s->name == name)
			return s;
	return NULL;
}

void segment_unref(struct queue_segment *s)
{
	if (--s->references)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

/* Ids of its own are below this, whatever is in it. */
static uint64_t bound_of(uint64_t name, uint64_t length)
{
	return name + length / ID_BYTES;
}

static struct queue_segment *segment_own(struct queue *q)
{
	struct queue_segment *s = segment_new(q, q->w->slot, q->next++);

	s->known = s->read = true;
	return q->current = s;
}

struct queue_segment *segment_for(struct queue *q, uint64_t id, uint64_t bytes)
{
	uint64_t number = id & ((UINT64_C(1) << ID_NUMBER_BITS) - 1);
	struct queue_segment *s = q->current;

	if (s && (!s->mbox_end || s->mbox_end + bytes <= (uint64_t)q->conf.segment) &&
		s->state_end <= (uint64_t)q->conf.segment && (!id || number < bound_of(s->name, s->mbox_end + bytes)))
		return s;
	if (s)
		tidy_look(q);
	return segment_own(q);
}

struct queue_segment *segment_next(struct queue *q, const struct queue_segment *s)
{
	struct queue_segment *next;

	if (s->directory == q->w->slot)
		return segment_own(q);
	next = segment_new(q, s->directory, bound_of(s->name, s->mbox_end) + 1);
	next->known = next->read = true;
	return next;
}

/* --- at a start ------------------------------------------------------------------------------------------------------ */

static uint64_t length_of(const struct queue_segment *s)
{
	char path[QUEUE_PATH_SIZE];
	struct stat st;

	return fstatat(s->q->w->directory, segment_path(s, ".mbox", path), &st, 0) ? 0 : (uint64_t)st.st_size;
}

/* "0000000003e8.mbox" and its ".state" are one segment. */
static void name_found(struct queue *q, unsigned directory, struct str name)
{
	ptrdiff_t dot = str_find(name, '.');
	struct queue_segment *s;
	struct str suffix;
	uint64_t number;

	if (dot < 0)
		return;
	suffix = str_cut(name, (size_t)dot, name.len);
	if (dot != NAME_DIGITS || !str_hex(str_cut(name, 0, (size_t)dot), &number) ||
		(!str_eq(suffix, STR(".mbox")) && !str_eq(suffix, STR(".state"))) || segment_find(q, directory, number))
		return;
	s = segment_new(q, directory, number);
	if (directory == q->w->slot) {
		uint64_t above = bound_of(number, length_of(s)) + 1;

		q->next = above > q->next ? above : q->next;
	}
}

static enum err directory_list(struct queue *q, unsigned directory)
{
	char path[QUEUE_PATH_SIZE];
	struct dirent *entry;
	DIR *list;

	snprintf(path, sizeof(path), QUEUE_DIRECTORY "/%u", directory);
	if (!(list = listing_open(q->w->directory, path, 0)))
		return err_errno("open %s", path);
	while ((entry = readdir(list)))
		name_found(q, directory, str_of(entry->d_name));
	closedir(list);
	return OK;
}

/* Ours, or of a worker that is no more and falls to us. */
static bool is_ours(const struct worker *w, uint32_t directory)
{
	return directory == w->slot || (directory >= w->workers && directory % w->workers == w->slot);
}

enum err segments_list(struct queue *q)
{
	char path[QUEUE_PATH_SIZE];
	struct dirent *entry;
	enum err e = OK;
	uint32_t number;
	DIR *list;

	snprintf(path, sizeof(path), QUEUE_DIRECTORY "/%u", q->w->slot);
	if ((mkdirat(q->w->directory, QUEUE_DIRECTORY, 0700) < 0 && errno != EEXIST) ||
		(mkdirat(q->w->directory, path, 0700) < 0 && errno != EEXIST))
		return err_errno("make %s", path);
	if (!(list = listing_open(q->w->directory, QUEUE_DIRECTORY, 0)))
		return err_errno("open " QUEUE_DIRECTORY);
	while (!e && (entry = readdir(list)))
		if (str_u32(str_of(entry->d_name), &number) && number <= UINT16_MAX && is_ours(q->w, number))
			e = directory_list(q, number);
	closedir(list);
	return e;
}

/* --- readers --------------------------------------------------------------------------------------------------------- */

void segment_copy_opened(struct queue_segment *s)
{
	s->copies++;
	s->references++;
}

/* Some stay open for the next reader, not all. */
void segment_copy_closed(struct queue_segment *s)
{
	struct queue *q = s->q;
	struct queue_segment *idlest = NULL;
	unsigned idle = 0;

	s->copies--;
	s->used = ++q->uses;
	for (struct queue_segment *o = q->segments; !s->copies && o; o = o->next)
		if (o->fd >= 0 && !o->copies) {
			idle++;
			idlest = !idlest || o->used < idlest->used ? o : idlest;
		}
	if (idle > IDLE_FILES) {
		close(idlest->fd);
		idlest->fd = -1;
	}
	if (!s->copies && !s->messages && s != q->current)
		tidy_look(q);
	segment_unref(s);
}
