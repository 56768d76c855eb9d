/* change.c - what becomes of items: in memory at once, then written, many in one entry of the journal.
 * Changes wait in one row for their turn, so the last word about an item is written last. What an entry could not
 * write goes back to the front. Changes of a message that is being moved to another segment wait until it is there. */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/queue/fate_form.h"
#include "storage/queue/parts.h"
#include <assert.h>
#include <stdlib.h>

#define ENTRY_BYTES_MAX (128u << 10) /* of an entry; what is left goes into the next */
#define ENTRY_MAX       256          /* changes in it, the same */
#define STEP            16 /* changes dealt with in one go, when their entry is synced and when it is applied */

COUNTER(queue_changes, "queue.changes", "changes of waiting recipients written down");
COUNTER(queue_ended, "queue.ended", "recipients whose waiting came to an end");

struct flush { /* changes in an entry that is under way */
	struct flush *next;
	struct queue *q;
	struct pendings list;
	struct pending
		*at; /* the next whose item is to be told that it is durable; NULL: all are, or none can be yet */
	bool applied;
	struct chore chore;
};

static void pendings_add(struct pendings *l, struct pending *p)
{
	p->next = NULL;
	*l->last = p;
	l->last = &p->next;
}

static struct pending *pendings_take(struct pendings *l)
{
	struct pending *p = l->first;

	if (p && !(l->first = p->next))
		l->last = &l->first;
	return p;
}

/* The second comes behind the first, and is empty then. */
static void pendings_join(struct pendings *l, struct pendings *behind)
{
	if (behind->first) {
		*l->last = behind->first;
		l->last = behind->last;
	}
	*behind = (struct pendings){ NULL, &behind->first };
}

static void flight_end(struct flush *f)
{
	struct flush **at = &f->q->flights;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
}

/* --- who waits until what was changed is durable --------------------------------------------------------------------- */

struct written {
	struct written *next;
	struct queue *q;
	struct chore chore;
	uint32_t round;
	uint64_t left; /* changes of this round and those before it that are not written */
	void (*done)(void *user);
	void *user;
};

static void written_tell(void *user)
{
	struct written *w = user, **at = &w->q->waiting;
	void (*done)(void *user) = w->done;
	void *whom = w->user;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	free(w);
	done(whom);
}

static void written_look(struct written *w)
{
	if (!w->left)
		chore_start(w->q->w->chores, &w->chore, written_tell, w);
}

void queue_when_written(struct queue *q, void (*done)(void *user), void *user)
{
	struct written *w = mem_new(struct written);

	w->q = q;
	w->done = done;
	w->user = user;
	w->round = q->round++;
	w->left = q->unwritten;
	w->next = q->waiting;
	q->waiting = w;
	written_look(w);
}

static void written_free(struct queue *q)
{
	while (q->waiting) {
		struct written *w = q->waiting;

		q->waiting = w->next;
		chore_stop(q->w->chores, &w->chore);
		free(w);
	}
}

/* A change is written, with what was answered; or its item is gone, and nobody needs it. */
static void pending_release(struct queue *q, struct pending *p)
{
	answers_release(q->answers, p->note);
	p->note = 0;
	q->unwritten--;
	for (struct written *w = q->waiting; w && (int32_t)(w->round - p->round) >= 0; w = w->next) {
		w->left--;
		written_look(w);
	}
}

/* It is no more the item's. */
static void pending_part(struct pending *p)
{
	if (p->item && p->item->changes < UINT16_MAX)
		p->item->changes--;
	p->item = NULL;
}

static void pending_free(struct pending *p)
{
	if (p->segment)
		segment_unref(p->segment);
	free(p);
}

/* --- synced, applied ------------------------------------------------------------------------------------------------- */

static void flush_later(struct queue *q, int64_t ms);

static void flush_failed(struct flush *f)
{
	struct pendings again = { NULL, &again.first };
	struct queue *q = f->q;
	struct pending *p;

	while ((p = pendings_take(&f->list))) {
		segment_unref(p->segment);
		p->segment = NULL;
		if (p->item) {
			pendings_add(&again, p);
			continue;
		}
		pending_release(q, p);
		pending_free(p);
	}
	pendings_join(&again, &q->pendings);
	pendings_join(&q->pendings, &again);
	if (!q->failed)
		log_warn("queue", NULL, "changes cannot be written now, they are kept");
	q->failed = true;
	flight_end(f);
	free(f);
	flush_later(q, AGAIN_MS);
}

/* Its line can be read from now on. */
static void pending_applied(struct queue *q, struct pending *p)
{
	struct queue_message *m = p->ends ? NULL : queue_find(q, p->id);

	if (m)
		copies_tell(q, m, (struct str){ p->line, p->len - 1 });
	if (m && m->segment == p->segment && p->number < m->count && !p->keeps)
		record_lines(record_of(m))[p->number] = p->texts ? p->at : 0;
	pending_free(p);
}

static void applied_step(void *user)
{
	struct flush *f = user;
	struct pending *p;

	for (unsigned i = 0; i < STEP; i++) {
		if (!(p = pendings_take(&f->list))) {
			flight_end(f);
			free(f);
			return;
		}
		pending_applied(f->q, p);
	}
	chore_start(f->q->w->chores, &f->chore, applied_step, f);
}

static void pending_synced(struct queue *q, struct pending *p)
{
	struct queue_item *item = p->item;

	counter_add(p->ends ? &queue_ended : &queue_changes, 1);
	pending_release(q, p);
	if (!item)
		return;
	pending_part(p);
	if (p->ends)
		item_close(q, item);
}

static void synced_step(void *user)
{
	struct flush *f = user;

	for (unsigned i = 0; f->at && i < STEP; i++, f->at = f->at->next)
		pending_synced(f->q, f->at);
	if (f->q->stalled)
		puts_go_on(f->q);
	if (f->at)
		chore_start(f->q->w->chores, &f->chore, synced_step, f);
	else if (f->applied)
		chore_start(f->q->w->chores, &f->chore, applied_step, f);
}

static void on_synced(void *user, enum err e)
{
	struct flush *f = user;
	struct queue *q = f->q;

	q->flushing = false;
	if (e) {
		flush_failed(f);
		return;
	}
	q->failed = false;
	f->at = f->list.first;
	synced_step(f);
	if (q->pendings.first)
		flush_later(q, 0);
}

static void on_applied(void *user, enum err e)
{
	struct flush *f = user;

	(void)e;
	f->applied = true;
	if (!f->at)
		chore_start(f->q->w->chores, &f->chore, applied_step, f);
}

/* --- writing --------------------------------------------------------------------------------------------------------- */

static void write_one(struct writing *x, struct pending *p)
{
	uint64_t at;

	p->segment = p->item->message->segment;
	p->segment->references++;
	at = writing_state(x, p->segment, (struct str){ p->line, p->len });
	p->at = at > UINT32_MAX ? 0 : (uint32_t)at;
}

/* Not now: its message is on its way elsewhere, or a put is about to end it. */
static bool must_wait(const struct pending *p)
{
	return record_of(p->item->message)->moving || (p->item->state == ITEM_CLOSING && !p->ends);
}

static struct flush *flush_new(struct queue *q)
{
	struct flush *f = mem_new(struct flush);

	f->q = q;
	f->list.last = &f->list.first;
	f->next = q->flights;
	return q->flights = f;
}

/* False: there is nothing that can be written now. */
static bool flush_some(struct queue *q)
{
	struct pendings waiting = { NULL, &waiting.first };
	struct writing *x = NULL;
	struct flush *f = NULL;
	struct pending *p;
	unsigned count = 0;

	while ((!x || writing_bytes(x) < ENTRY_BYTES_MAX) && count < ENTRY_MAX && (p = pendings_take(&q->pendings))) {
		if (!p->item) {
			pending_release(q, p);
			pending_free(p);
		} else if (must_wait(p)) {
			pendings_add(&waiting, p);
		} else {
			x = x ? x : writing_new(q);
			f = f ? f : flush_new(q);
			write_one(x, p);
			pendings_add(&f->list, p);
			count++;
		}
	}
	pendings_join(&waiting, &q->pendings);
	pendings_join(&q->pendings, &waiting);
	if (!x)
		return false;
	q->flushing = true;
	writing_go(x, ENTRY_SMALL, on_synced, on_applied, f);
	return true;
}

static void flush(void *user)
{
	struct queue *q = user;

	if (q->broken)
		flush_later(q, AGAIN_MS);
	else
		flush_some(q);
}

static void flush_later(struct queue *q, int64_t ms)
{
	if (q->flushing || q->stopping || timer_runs(&q->flush_timer))
		return;
	if (ms)
		timer_start(q->w->timers, &q->flush_timer, ms, flush, q);
	else
		chore_start(q->w->chores, &q->flush_chore, flush, q);
}

void changes_go_on(struct queue *q)
{
	if (q->stopping)
		changes_stop(q);
	else if (q->pendings.first)
		flush_later(q, 0);
}

/* --- changing -------------------------------------------------------------------------------------------------------- */

static struct pending *pending_new(struct queue *q, struct queue_item *item, const struct queue_change *c)
{
	struct queue_change whole = *c;
	struct buf line = { 0 };
	struct pending *p;

	whole.ready_s = item->ready_s;
	whole.to = queue_item_to(q, item);
	fate_print(&line, item->message->id, item->number, &whole);
	p = mem_alloc(sizeof(*p) + buf_len(&line));
	p->item = item;
	p->round = q->round;
	q->unwritten++;
	p->id = item->message->id;
	p->number = item->number;
	p->ends = c->fate == FATE_ENDED;
	p->texts = c->status.len || c->reply.len || c->remote.len;
	p->keeps = c->keeps;
	p->note = item->note;
	item->note = 0;
	p->len = buf_len(&line);
	memcpy(p->line, buf_data(&line), p->len);
	buf_free(&line);
	return p;
}

void queue_unhold(struct queue *q, struct queue_item *item)
{
	assert(item->message && item->state == ITEM_HELD);
	q->totals.held--;
	item->state = ITEM_TRYING;
}

void queue_change(struct queue *q, struct queue_item *item, const struct queue_change *c)
{
	assert(item->message && item->state != ITEM_CLOSING);
	q->totals.held -= item->state == ITEM_HELD;
	switch (c->fate) {
	case FATE_ENDED:
		item->state = ITEM_CLOSING;
		break;
	case FATE_HELD:
		item->state = ITEM_HELD;
		q->totals.held++;
		break;
	case FATE_WAITS:
		item->state = ITEM_WAITS;
		break;
	}
	if (c->fate != FATE_ENDED) {
		item->next_s = c->next_s;
		item->tries = c->tries;
		item->warned_s = c->warned_s;
		item->ready_s = c->ready_s ? c->ready_s : item->ready_s;
		item->to = c->to.len ? to_keep(q, c->to) : item->to;
	}
	if (item->changes < UINT16_MAX)
		item->changes++;
	pendings_add(&q->pendings, pending_new(q, item, c));
	flush_later(q, 0);
}

static void forget(struct pendings *l, const struct queue_item *item)
{
	for (struct pending *p = l->first; p; p = p->next)
		if (p->item == item)
			p->item = NULL;
}

void changes_forget(struct queue *q, const struct queue_item *item)
{
	forget(&q->pendings, item);
	for (struct flush *f = q->flights; f; f = f->next)
		forget(&f->list, item);
}

/* --- the end --------------------------------------------------------------------------------------------------------- */

/* What could not be written by now is lost; the journal says why. */
void changes_stop(struct queue *q)
{
	timer_stop(q->w->timers, &q->flush_timer);
	chore_stop(q->w->chores, &q->flush_chore);
	while (!q->broken && flush_some(q))
		;
}

static void pendings_free(struct pendings *l)
{
	struct pending *p;

	while ((p = pendings_take(l)))
		pending_free(p);
}

void changes_free(struct queue *q)
{
	struct flush *f;

	timer_stop(q->w->timers, &q->flush_timer);
	chore_stop(q->w->chores, &q->flush_chore);
	while ((f = q->flights)) {
		chore_stop(q->w->chores, &f->chore);
		pendings_free(&f->list);
		flight_end(f);
		free(f);
	}
	pendings_free(&q->pendings);
	written_free(q);
}
