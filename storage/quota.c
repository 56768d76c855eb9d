/* quota.c - see quota.h. */
#include "storage/quota.h"
#include "core/log.h"
#include "storage/mailbox/mailbox.h"
#include "storage/route/domain.h"
#include <assert.h>

#define TRIES 3 /* to count, while changes make what is counted wrong */

struct counting { /* by a task */
	struct hold hold;
	struct buf name; /* of the mailbox that is held, or waited for */
	task_step *step;
	unsigned tries;
	bool running, through; /* `count` is on the stack; that mailbox is counted */
	enum err e;
};

static struct quota limits_of_domain(const struct holding *h)
{
	const struct domain_conf *d = domain_find(h->st->w->conf, domain_of(str_of(h->address)));

	return (struct quota){ (uint64_t)d->quota_bytes, (uint64_t)d->quota_messages };
}

static uint64_t limit(uint64_t own, uint64_t domain)
{
	return own == QUOTA_NONE ? 0 : own ? own : domain;
}

struct quota quota_of(const struct holding *h)
{
	struct quota domain = limits_of_domain(h);

	return (struct quota){ limit(h->settings.quota.bytes, domain.bytes),
		limit(h->settings.quota.messages, domain.messages) };
}

bool quota_is_limited(const struct holding *h)
{
	struct quota q = quota_of(h);

	return q.bytes || q.messages;
}

enum err quota_allows(const struct holding *h, uint64_t bytes, uint64_t messages)
{
	struct quota q = quota_of(h);
	const struct usage *u = &h->usage;

	if (!q.bytes && !q.messages)
		return OK;
	if (u->state != USAGE_KNOWN)
		return ERR_AGAIN;
	if (q.bytes && (u->bytes > q.bytes || bytes > q.bytes - u->bytes))
		return ERR_FULL;
	return q.messages && (u->messages > q.messages || messages > q.messages - u->messages) ? ERR_FULL : OK;
}

/* --- kept true ------------------------------------------------------------------------------------------------------- */

static bool is_counted(const struct mailbox *m)
{
	const struct usage *u = &m->h->usage;

	return u->state == USAGE_KNOWN ||
	       (u->state == USAGE_COUNTING && str_cmp(str_of(m->name), buf_str(&u->counted)) <= 0);
}

void quota_change(struct mailbox *m, int64_t bytes, int64_t messages)
{
	struct usage *u = &m->h->usage;

	if (!is_counted(m))
		return;
	assert((int64_t)u->bytes + bytes >= 0 && (int64_t)u->messages + messages >= 0);
	u->bytes += (uint64_t)bytes;
	u->messages += (uint64_t)messages;
}

void quota_forget(struct holding *h)
{
	buf_free(&h->usage.counted);
	h->usage = (struct usage){ 0 };
}

void quota_changed_elsewhere(struct mailbox *m)
{
	if (is_counted(m))
		quota_forget(m->h);
}

/* --- counting -------------------------------------------------------------------------------------------------------- */

static void count_end(struct task *t, enum err e)
{
	struct counting *c = t->counting;

	t->counting = NULL;
	if (t->h->usage.state == USAGE_COUNTING)
		quota_forget(t->h); /* in the middle */
	buf_free(&c->name);
	holding_led(t);
	c->step(t, e);
}

/* The mailbox that follows the last one counted; NULL: none is left. */
static const char *next_name(const struct holding *h)
{
	struct str last = buf_str(&h->usage.counted);
	size_t at = tree_place(&h->tree, last);

	if (at < h->tree.count && str_eq(str_of(h->tree.leaves[at].name), last))
		at++;
	return at < h->tree.count ? h->tree.leaves[at].name : NULL;
}

static void count(struct task *t);

/* What is gone or damaged for good counts nothing. */
static void count_held(struct task *t, enum err e)
{
	struct counting *c = t->counting;
	struct usage *u = &t->h->usage;

	c->e = e == ERR_AGAIN ? e : OK;
	if (u->state == USAGE_COUNTING) {
		if (!e) {
			struct quota sum = mailbox_sum(c->hold.m);

			u->bytes += sum.bytes;
			u->messages += sum.messages;
		}
		buf_clear(&u->counted);
		buf_add_str(&u->counted, buf_str(&c->name));
	}
	if (!e)
		mailbox_release(&c->hold);
	c->through = true;
	if (!c->running)
		count(t);
}

/* One mailbox after the other; those in memory are there at once. */
static void count(struct task *t)
{
	struct counting *c = t->counting;
	struct usage *u = &t->h->usage;

	c->running = c->through = true;
	while (c->through) {
		const char *name = NULL;

		if (u->state == USAGE_UNKNOWN && c->tries++ < TRIES)
			u->state = USAGE_COUNTING;
		else if (u->state == USAGE_UNKNOWN)
			c->e = ERR_AGAIN;
		if (!c->e && !(name = next_name(t->h))) {
			u->state = USAGE_KNOWN;
			buf_free(&u->counted);
		}
		if (c->e || !name) {
			count_end(t, c->e);
			return;
		}
		c->through = false;
		buf_clear(&c->name);
		buf_add_str(&c->name, str_of(name));
		mailbox_hold_name(t, &c->hold, buf_str(&c->name), false, count_held);
	}
	c->running = false;
}

static void count_lead(struct task *t, enum err e)
{
	if (e || t->h->usage.state == USAGE_KNOWN) /* somebody else counted meanwhile */
		count_end(t, e);
	else
		count(t);
}

void quota_ask(struct task *t, bool all, task_step *step)
{
	struct counting *c;

	assert(!t->leads && !t->holds);
	if (t->h->usage.state == USAGE_KNOWN || (!all && !quota_is_limited(t->h))) {
		step(t, OK);
		return;
	}
	c = t->counting = arena_new(&t->memory, struct counting);
	c->step = step;
	holding_lead(t, count_lead);
}
