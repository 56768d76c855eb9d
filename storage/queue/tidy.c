/* tidy.c - segments whose messages are all gone are removed.
 * The newest of a directory leaves its name behind, in an empty segment of the number that is next: so no number is
 * given twice (queue_segment.c). */
#include "core/log.h"
#include "core/mem.h"
#include "storage/queue/parts.h"
#include <stdlib.h>

#define LOOK_MS    1000       /* between looks at what could be removed */
#define KEEP_BYTES (1u << 20) /* one that is being written to is given up from this length on, if all in it is gone */
#define NAME_BYTES 64         /* no state file with a line in it is shorter than that */

struct removal { /* an entry under way */
	struct queue *q;
	struct queue_segment *segment;
};

static struct queue_segment *newer_than(const struct queue *q, const struct queue_segment *s)
{
	for (struct queue_segment *o = q->segments; o; o = o->next)
		if (o->directory == s->directory && o->name > s->name)
			return o;
	return NULL;
}

static bool is_removable(const struct queue *q, const struct queue_segment *s)
{
	bool is_name = !s->mbox_end && s->state_end < NAME_BYTES; /* that is kept */

	if (!s->read || s->damaged || s->removing || s->messages || s->copies)
		return false;
	if (s->mbox_end != s->mbox_synced) /* one is on its way in, and not counted yet */
		return false;
	if (s == q->current)
		return s->mbox_end >= KEEP_BYTES;
	return !is_name || newer_than(q, s);
}

static void segment_drop(struct queue *q, struct queue_segment *s)
{
	struct queue_segment **at = &q->segments;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	segment_unref(s);
}

static void on_synced(void *user, enum err e)
{
	struct removal *r = user;

	if (e)
		r->segment->removing = false;
	else
		segment_drop(r->q, r->segment);
	free(r);
}

static void segment_remove(struct queue *q, struct queue_segment *s)
{
	struct removal *r = mem_new(struct removal);
	struct queue_segment *newer = newer_than(q, s);
	struct writing *x;

	if (!newer)
		newer = segment_next(q, s);
	x = writing_new(q);
	if (!newer->state_end && !newer->mbox_end)
		writing_name(x, newer);
	writing_remove(x, s);
	s->removing = true;
	r->q = q;
	r->segment = s;
	writing_go(x, ENTRY_SMALL, on_synced, NULL, r);
}

static void look(void *user)
{
	struct queue *q = user;
	struct queue_segment *next;

	for (struct queue_segment *s = q->segments; s && !q->broken; s = next) {
		next = s->next;
		if (is_removable(q, s))
			segment_remove(q, s);
	}
	if (q->broken)
		tidy_look(q);
	move_consider(q);
}

void tidy_look(struct queue *q)
{
	if (!q->stopping && !timer_runs(&q->tidy_timer))
		timer_start(q->w->timers, &q->tidy_timer, LOOK_MS, look, q);
}

void tidy_stop(struct queue *q)
{
	timer_stop(q->w->timers, &q->tidy_timer);
	move_stop(q);
}
