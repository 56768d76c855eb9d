/* track.c - see track.h. */
#include "storage/journal/track.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/segment.h"
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum state { NONE, READY, CURRENT, FULL, SPOILT };

struct segment {
	enum state state;
	unsigned number;
	int fd;
	uint64_t offset; /* of the next batch */
	uint64_t end;    /* sequence behind the last one written */
};

struct making { /* a job of the slow lane */
	struct job job;
	struct track *track;
	struct segment *place; /* NULL: none is being made */
	int old_fd;            /* the spoilt one whose place it takes, -1: none */
	unsigned old_number;
	struct segment_making segment;
	enum err e;
};

struct track {
	struct lane *slow;
	int dir;
	uint64_t segment_bytes;
	size_t count;
	struct segment *segments;
	struct segment *current; /* NULL: the next write takes a ready one */
	unsigned last_number;
	uint64_t checkpoint;
	bool failing; /* the last try to make one */
	struct making making;
	void (*news)(void *user, bool ready);
	void *user;
};

static struct segment *find(const struct track *t, enum state state)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->segments[i].state == state)
			return &t->segments[i];
	return NULL;
}

static void made(struct making *m)
{
	m->place->state = READY;
	m->place->number = m->segment.number;
	m->place->fd = m->segment.fd;
	m->place->offset = m->place->end = 0;
	m->place = NULL;
}

static void making_begin(struct track *t, struct segment *place)
{
	struct making *m = &t->making;

	m->place = place;
	m->old_fd = place->state == SPOILT ? place->fd : -1;
	m->old_number = place->number;
	m->segment = (struct segment_making){ t->dir, ++t->last_number, t->segment_bytes, 0, -1 };
	place->state = NONE;
	place->fd = -1;
}

static void making_work(struct job *job)
{
	struct making *m = (struct making *)job;

	if (m->old_fd >= 0) {
		close(m->old_fd);
		segment_remove(m->segment.dir, m->old_number);
		m->old_fd = -1;
	}
	m->e = segment_step(&m->segment);
}

static void making_done(struct job *job)
{
	struct making *m = (struct making *)job;
	struct track *t = m->track;

	if (!m->e && m->segment.at < m->segment.size) {
		lane_add(t->slow, job); /* whoever waits in the lane comes first */
		return;
	}
	t->failing = m->e != OK;
	if (t->failing)
		m->place = NULL;
	else
		made(m);
	t->news(t->user, !t->failing);
}

void track_retry(struct track *t)
{
	struct segment *place = find(t, NONE);

	for (size_t i = 0; !place && i < t->count; i++)
		if (t->segments[i].state == SPOILT && t->segments[i].end <= t->checkpoint)
			place = &t->segments[i];
	if (t->making.place || !place || find(t, READY))
		return;
	making_begin(t, place);
	lane_add(t->slow, &t->making.job);
}

/* Files of another size, or more than the journal may have now, go. */
static enum err take_up(struct track *t)
{
	struct segment_file *files;
	size_t count, used = 0;
	enum err e = segments_open(t->dir, &files, &count);

	for (size_t i = 0; !e && i < count; i++) {
		if (files[i].number > t->last_number)
			t->last_number = files[i].number;
		if (files[i].size == t->segment_bytes && used < t->count) {
			t->segments[used++] = (struct segment){ READY, files[i].number, files[i].fd, 0, 0 };
			files[i].fd = -1;
		} else
			e = segment_remove(t->dir, files[i].number);
	}
	segments_close(files, count);
	return e;
}

enum err track_open(struct track **out, int dir, struct lane *slow, uint64_t segment_bytes, size_t count,
	void (*news)(void *user, bool ready), void *user)
{
	struct track *t = mem_new(struct track);
	struct making *m = &t->making;
	enum err e;

	assert(count >= 2);
	*t = (struct track){ .dir = dir, .slow = slow, .segment_bytes = segment_bytes, .count = count };
	t->news = news;
	t->user = user;
	t->segments = mem_alloc(count * sizeof(*t->segments));
	for (size_t i = 0; i < count; i++)
		t->segments[i].fd = -1;
	*m = (struct making){ .job = { making_work, making_done, NULL }, .track = t };
	e = take_up(t);
	if (!e && !find(t, READY)) {
		making_begin(t, &t->segments[0]);
		while (!e && m->segment.at < segment_bytes)
			e = segment_step(&m->segment);
		if (!e)
			made(m);
		m->place = NULL;
	}
	if (e) {
		track_free(t);
		t = NULL;
	}
	*out = t;
	return e;
}

void track_free(struct track *t)
{
	if (!t)
		return;
	assert(!t->making.place);
	for (size_t i = 0; i < t->count; i++)
		if (t->segments[i].fd >= 0)
			close(t->segments[i].fd);
	free(t->segments);
	free(t);
}

bool track_busy(const struct track *t)
{
	return t->making.place != NULL;
}

uint64_t track_place(struct track *t, uint64_t least, uint64_t keep, int *fd, uint64_t *offset)
{
	struct segment *s = t->current, *next = find(t, READY);
	uint64_t room = s ? t->segment_bytes - s->offset : 0, kept = next ? 0 : keep;

	if (room < least + kept && next) {
		if (s)
			s->state = FULL;
		t->current = s = next;
		s->state = CURRENT;
		room = t->segment_bytes;
		kept = find(t, READY) ? 0 : keep;
		track_retry(t);
	}
	if (room < least + kept)
		return 0;
	*fd = s->fd;
	*offset = s->offset;
	return room - kept;
}

void track_wrote(struct track *t, uint64_t bytes, uint64_t end)
{
	struct segment *s = t->current;

	assert(s && bytes <= t->segment_bytes - s->offset);
	s->offset += bytes;
	s->end = end;
}

void track_spoil(struct track *t)
{
	log_error("journal", NULL, "a segment is abandoned number=%u", t->current->number);
	t->current->state = SPOILT;
	t->current = NULL;
	track_retry(t);
}

void track_distrust(struct track *t, int fd)
{
	for (size_t i = 0; i < t->count; i++) {
		struct segment *s = &t->segments[i];

		if (s->fd != fd || (s->state != CURRENT && s->state != FULL))
			continue;
		log_error("journal", NULL, "a segment is abandoned number=%u", s->number);
		s->state = SPOILT;
		if (t->current == s)
			t->current = NULL;
	}
	track_retry(t);
}

void track_settle(struct track *t, uint64_t checkpoint)
{
	t->checkpoint = checkpoint;
	for (size_t i = 0; i < t->count; i++) {
		struct segment *s = &t->segments[i];

		if (s->state == FULL && s->end <= checkpoint) {
			s->state = READY;
			s->offset = 0;
		}
	}
	track_retry(t);
}

bool track_stuck(const struct track *t)
{
	return t->failing && !t->current && !find(t, READY);
}

bool track_tight(const struct track *t, uint64_t bytes)
{
	return !find(t, READY) && t->current && t->segment_bytes - t->current->offset < bytes;
}

bool track_frees(const struct track *t, uint64_t checkpoint)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct segment *s = &t->segments[i];

		if ((s->state == FULL || (s->state == SPOILT && s->end > t->checkpoint)) && s->end <= checkpoint)
			return true;
	}
	return false;
}

uint64_t track_used(const struct track *t)
{
	uint64_t used = 0;

	for (size_t i = 0; i < t->count; i++) {
		const struct segment *s = &t->segments[i];

		if (s->state == FULL || (s->state == SPOILT && s->end > t->checkpoint))
			used += t->segment_bytes;
		else if (s->state == CURRENT)
			used += s->offset;
	}
	return used;
}

uint64_t track_size(const struct track *t)
{
	return t->count * t->segment_bytes;
}
