/* lookup.c - see lookup.h. */
#include "storage/mailbox/lookup.h"
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include <stdlib.h>

#define LOOK_MS      (LOOKUP_STALL_MS / 4) /* between two looks at the lane */
#define TOLD_AT_ONCE 4096                  /* messages; then the job says that it goes on */

COUNTER(unanswered, "store.index_stalls", "questions that the index did not answer in time");

static bool is_stuck(const struct store *st)
{
	return lane_stuck_us(st->w->index) >= (int64_t)LOOKUP_STALL_MS * 1000;
}

static void leave(struct lookup *k)
{
	counter_add(&unanswered, 1);
	k->is_left = true;
	k->done(k, true);
}

static void look(void *user)
{
	struct lookup *k = user;

	if (is_stuck(k->st))
		leave(k);
	else
		timer_start(k->st->w->timers, &k->timer, LOOK_MS, look, k);
}

static void lookup_work(struct job *job)
{
	struct lookup *k = container_of(job, struct lookup, job);

	k->work(k);
}

static void lookup_done(struct job *job)
{
	struct lookup *k = container_of(job, struct lookup, job);

	timer_stop(k->st->w->timers, &k->timer);
	if (k->is_left)
		k->drop(k);
	else
		k->done(k, false);
}

void lookup_go(struct store *st, struct lookup *k)
{
	k->st = st;
	if (!k->is_patient && is_stuck(st)) {
		leave(k);
		k->drop(k);
		return;
	}
	k->job = (struct job){ .work = lookup_work, .done = lookup_done };
	if (!k->is_patient)
		timer_start(st->w->timers, &k->timer, LOOK_MS, look, k);
	lane_add(st->w->index, &k->job);
}

/* --- what is asked ------------------------------------------------------------------------------------------------ */

struct question {
	struct lookup lookup;
	struct index *index;
	unsigned shard;
	char *address, *name; /* NULL: its messages are asked for */
	uint64_t id;
	struct mailbox_record record;
	struct messages messages;
	enum err e;
	void (*on_record)(void *user, const struct mailbox_record *r, bool is_left);
	void (*on_messages)(void *user, enum err e, struct message *messages, size_t count);
	void *user;
};

void messages_add(void *messages, const struct message *m)
{
	struct messages *s = messages;

	if (s->count == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->list = mem_resize(s->list, s->cap * sizeof(*s->list));
	}
	s->list[s->count++] = *m;
	if (s->count % TOLD_AT_ONCE == 0)
		lane_goes_on(s->lane);
}

static void question_work(struct lookup *k)
{
	struct question *q = container_of(k, struct question, lookup);

	if (q->name)
		q->e = index_get_work(q->index, q->shard, str_of(q->address), str_of(q->name), &q->record);
	else
		q->e = index_messages_work(q->index, q->shard, q->id, messages_add, &q->messages);
}

static void question_free(struct lookup *k)
{
	struct question *q = container_of(k, struct question, lookup);

	free(q->messages.list);
	free(q->address);
	free(q->name);
	free(q);
}

static void question_done(struct lookup *k, bool is_left)
{
	struct question *q = container_of(k, struct question, lookup);
	enum err e = is_left ? ERR_AGAIN : q->e;

	if (q->name) {
		q->on_record(q->user, e ? NULL : &q->record, is_left);
	} else if (e) {
		q->on_messages(q->user, e, NULL, 0);
	} else {
		struct messages *s = &q->messages;

		q->on_messages(q->user, OK, s->list, s->count);
		*s = (struct messages){ 0 };
	}
	if (!is_left)
		question_free(k);
}

static struct question *question_new(struct mailbox *m, bool is_patient, void *user)
{
	struct question *q = mem_new(struct question);

	q->lookup.is_patient = is_patient;
	q->lookup.work = question_work;
	q->lookup.done = question_done;
	q->lookup.drop = question_free;
	q->index = m->st->index;
	q->shard = m->h->shard;
	q->messages.lane = m->st->w->index;
	q->user = user;
	return q;
}

void lookup_record(struct mailbox *m, bool is_patient,
	void (*done)(void *user, const struct mailbox_record *r, bool is_left), void *user)
{
	struct question *q = question_new(m, is_patient, user);

	q->address = str_dup(str_of(m->h->address));
	q->name = str_dup(str_of(m->name));
	q->on_record = done;
	lookup_go(m->st, &q->lookup);
}

void lookup_messages(struct mailbox *m, uint64_t id, bool is_patient,
	void (*done)(void *user, enum err e, struct message *messages, size_t count), void *user)
{
	struct question *q = question_new(m, is_patient, user);

	q->id = id;
	q->on_messages = done;
	lookup_go(m->st, &q->lookup);
}
