/* mailbox_index.c - what is seen of a mailbox goes to the index.
 * While a job runs, what is seen meanwhile gathers for the next, so a mailbox that changes fast is put in few batches;
 * whoever reads the index flushes first. Nobody else waits for it: it is only a cache. When it cannot take a change, it
 * no longer knows the mailbox or only an earlier state of it: then all is put from the view, or, without one, nothing
 * more until the mailbox is loaded again. */
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include <stdlib.h>

#define GATHER_MS 20 /* puts so close to each other wake the lane together */

struct putting { /* for the next job */
	bool due, whole;
	struct message *messages;
	size_t count, cap;
	unsigned running; /* jobs */
	bool lost;        /* the index lacks something: only all of it would help */
};

struct put {
	struct job job;
	struct mailbox *m;
	struct index *index;
	unsigned shard;
	char *address, *name;
	struct mailbox_record r;
	bool whole;
	struct message *messages;
	size_t count;
	enum err e;
};

static void put_work(struct job *job)
{
	struct put *p = container_of(job, struct put, job);

	p->e = index_put_work(
		p->index, p->shard, str_of(p->address), str_of(p->name), p->whole, &p->r, p->messages, p->count);
	free(p->messages); /* of a large mailbox that takes a while */
}

/* The index did not take it. If all of it is due already, or on its way, that mends it. */
static void put_failed(struct mailbox *m, enum err e)
{
	struct putting *next = m->putting;
	struct message *all;
	size_t count;

	if (next->whole)
		return;
	next->lost = true;
	next->due = false;
	next->count = 0;
	if (e != ERR_ABSENT)
		mailbox_index_remove(
			m); /* rather nothing than an earlier state, to which later changes might be added */
	if (e != ERR_ABSENT || !m->view || m->state != MAILBOX_READY)
		return;
	all = mailbox_seen(m, false, &count);
	mailbox_put_whole(m, all, count);
}

static void put_done(struct job *job)
{
	struct put *p = container_of(job, struct put, job);
	struct mailbox *m = p->m;

	m->putting->running--;
	if (p->e && m->state != MAILBOX_GONE)
		put_failed(m, p->e);
	free(p->address);
	free(p->name);
	free(p);
	if (!m->putting->running)
		mailbox_put_flush(m);
	mailbox_unpin(m);
}

static void puts_wake(void *user)
{
	struct store *st = user;

	lane_wake_all(st->w->index);
}

/* Nobody waits for these: what comes shortly after another waits for more, and the lane is woken once for all. */
static void put_add(struct store *st, struct job *job)
{
	struct timers *timers = st->w->timers;
	int64_t now_ms = timers_now_ms(timers);

	if (now_ms - st->put_ms >= GATHER_MS) {
		st->put_ms = now_ms;
		lane_add(st->w->index, job);
		return;
	}
	lane_add_quiet(st->w->index, job);
	if (!timer_runs(&st->put_timer))
		timer_start(timers, &st->put_timer, GATHER_MS, puts_wake, st);
}

void mailbox_put_flush(struct mailbox *m)
{
	struct putting *next = m->putting;
	struct put *p;

	if (!next || !next->due || m->state == MAILBOX_GONE)
		return;
	p = mem_new(struct put);
	p->job = (struct job){ .work = put_work, .done = put_done };
	p->m = m;
	p->index = m->st->index;
	p->shard = m->h->shard;
	p->address = str_dup(str_of(m->h->address));
	p->name = str_dup(str_of(m->name));
	p->r = m->seen;
	p->whole = next->whole;
	p->messages = next->messages;
	p->count = next->count;
	*next = (struct putting){ .running = next->running + 1, .lost = next->lost };
	mailbox_pin(m);
	put_add(m->st, &p->job);
}

static struct putting *putting_of(struct mailbox *m)
{
	if (!m->putting)
		m->putting = mem_new(struct putting);
	return m->putting;
}

void mailbox_put(struct mailbox *m, const struct message *messages, size_t count)
{
	struct putting *next = putting_of(m);

	if (next->lost)
		return;
	if (next->count + count > next->cap) {
		next->cap = 2 * (next->count + count);
		next->messages = mem_resize(next->messages, next->cap * sizeof(*next->messages));
	}
	if (count)
		memcpy(next->messages + next->count, messages, count * sizeof(*messages));
	next->count += count;
	next->due = true;
	if (!next->running)
		mailbox_put_flush(m);
}

void mailbox_put_whole(struct mailbox *m, struct message *messages, size_t count)
{
	struct putting *next = putting_of(m);

	free(next->messages);
	next->messages = messages;
	next->count = next->cap = count;
	next->whole = next->due = true;
	next->lost = false;
	mailbox_put_flush(m);
}

void mailbox_put_free(struct mailbox *m)
{
	if (m->putting)
		free(m->putting->messages);
	free(m->putting);
	m->putting = NULL;
}

/* --- what happens to the mailbox as a whole ------------------------------------------------------------------------- */

struct errand {
	struct job job;
	struct index *index;
	unsigned shard;
	char *address, *from, *to; /* to NULL: it is removed; from NULL too: the whole account is */
	uint64_t id;
};

static void errand_work(struct job *job)
{
	struct errand *r = container_of(job, struct errand, job);

	if (r->to)
		index_rename_work(r->index, r->shard, str_of(r->address), str_of(r->from), str_of(r->to));
	else if (r->from)
		index_remove_work(r->index, r->shard, str_of(r->address), str_of(r->from), r->id);
	else
		index_remove_account_work(r->index, r->shard, str_of(r->address));
}

static void errand_done(struct job *job)
{
	struct errand *r = container_of(job, struct errand, job);

	free(r->address);
	free(r->from);
	free(r->to);
	free(r);
}

static void errand_send(const struct holding *h, const char *from, struct str to, uint64_t id)
{
	struct errand *r = mem_new(struct errand);

	r->job = (struct job){ .work = errand_work, .done = errand_done };
	r->index = h->st->index;
	r->shard = h->shard;
	r->address = str_dup(str_of(h->address));
	r->from = from ? str_dup(str_of(from)) : NULL;
	r->to = to.len ? str_dup(to) : NULL;
	r->id = id;
	lane_add(h->st->w->index, &r->job);
}

void mailbox_index_rename(const struct mailbox *m, struct str to)
{
	errand_send(m->h, m->name, to, 0);
}

void mailbox_index_remove(const struct mailbox *m)
{
	errand_send(m->h, m->name, STR_NONE, m->seen.head.id);
}

void account_index_remove(const struct holding *h)
{
	errand_send(h, NULL, STR_NONE, 0);
}
