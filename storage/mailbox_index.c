/* mailbox_index.c - what is seen of a mailbox goes to the index.
 * One job at a time; what is seen while it runs goes with the next, so a mailbox that changes fast is put in few
 * batches. Nobody waits for the index, which is only a cache. When it cannot take a change, it no longer knows the mailbox
 * or only an earlier state of it: then all is put from the view, or, without one, nothing more until the mailbox is
 * loaded again. */
#include "core/mem.h"
#include "storage/mailbox.h"
#include <stdlib.h>

struct putting {
	struct job job;
	struct mailbox *m;
	bool busy;

	/* the lane's while it is busy */
	struct index *index;
	unsigned shard;
	char *address, *name;
	struct mailbox_record r;
	struct message *messages;
	size_t count;
	bool whole;
	enum err e;

	/* for the next job */
	bool due, next_whole;
	struct message *next;
	size_t next_count, next_cap;
	bool lost; /* the index lacks something: only all of it would help */
};

static void put_start(struct putting *p);

static void put_work(struct job *job)
{
	struct putting *p = container_of(job, struct putting, job);

	p->e = index_put_work(
		p->index, p->shard, str_of(p->address), str_of(p->name), p->whole, &p->r, p->messages, p->count);
}

static void put_done(struct job *job)
{
	struct putting *p = container_of(job, struct putting, job);
	struct mailbox *m = p->m;

	free(p->messages);
	free(p->address);
	free(p->name);
	p->busy = false;
	if (p->e && !p->next_whole) {
		p->lost = true;
		p->due = false;
		p->next_count = 0;
		if (p->e == ERR_ABSENT && m->view && m->state == MAILBOX_READY) {
			size_t count;
			struct message *all = mailbox_seen(m, &count);

			mailbox_put_whole(m, all, count);
		}
	}
	if (p->due)
		put_start(p);
	mailbox_unpin(m);
}

static void put_start(struct putting *p)
{
	struct mailbox *m = p->m;

	if (p->busy || m->state == MAILBOX_GONE)
		return;
	p->busy = true;
	p->due = false;
	p->index = m->st->index;
	p->shard = m->h->shard;
	p->address = str_dup(str_of(m->h->address));
	p->name = str_dup(str_of(m->name));
	p->r = m->seen;
	p->messages = p->next;
	p->count = p->next_count;
	p->whole = p->next_whole;
	p->next = NULL;
	p->next_count = p->next_cap = 0;
	p->next_whole = false;
	mailbox_pin(m);
	p->job = (struct job){ .work = put_work, .done = put_done };
	lane_add(m->st->w->index, &p->job);
}

static struct putting *putting_of(struct mailbox *m)
{
	if (!m->putting) {
		m->putting = mem_new(struct putting);
		m->putting->m = m;
	}
	return m->putting;
}

void mailbox_put(struct mailbox *m, const struct message *messages, size_t count)
{
	struct putting *p = putting_of(m);

	if (p->lost)
		return;
	if (p->next_count + count > p->next_cap) {
		p->next_cap = 2 * (p->next_count + count);
		p->next = mem_resize(p->next, p->next_cap * sizeof(*p->next));
	}
	if (count)
		memcpy(p->next + p->next_count, messages, count * sizeof(*messages));
	p->next_count += count;
	p->due = true;
	put_start(p);
}

void mailbox_put_whole(struct mailbox *m, struct message *messages, size_t count)
{
	struct putting *p = putting_of(m);

	free(p->next);
	p->next = messages;
	p->next_count = p->next_cap = count;
	p->next_whole = true;
	p->lost = false;
	p->due = true;
	put_start(p);
}

void mailbox_put_free(struct mailbox *m)
{
	if (m->putting)
		free(m->putting->next);
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
