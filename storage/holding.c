/* holding.c - see holding.h. */
#include "storage/holding.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include "storage/path.h"
#include <assert.h>
#include <stdlib.h>

#define NAMES_MAX 200000 /* of mailboxes, of accounts kept in memory that nobody uses at the moment */

/* --- the cache -------------------------------------------------------------------------------------------------- */

static void idle_remove(struct holding *h)
{
	*(h->idle_prev ? &h->idle_prev->idle_next : &h->st->holdings_idle_first) = h->idle_next;
	*(h->idle_next ? &h->idle_next->idle_prev : &h->st->holdings_idle_last) = h->idle_prev;
	h->idle_next = h->idle_prev = NULL;
	h->st->holdings_idle_names -= h->tree.count + h->tree.labels.count;
}

static void idle_add(struct holding *h)
{
	h->idle_prev = h->st->holdings_idle_last;
	*(h->idle_prev ? &h->idle_prev->idle_next : &h->st->holdings_idle_first) = h;
	h->st->holdings_idle_last = h;
	h->st->holdings_idle_names += h->tree.count + h->tree.labels.count;
}

static void holding_free(struct holding *h)
{
	struct store *st = h->st;

	assert(!h->waiting && !h->leader && !h->followers);
	table_remove(&st->holdings, &h->node);
	arena_free(&h->memory);
	tree_free(&h->tree);
	quota_forget(h);
	free(h->address);
	slab_free(&st->holding_slab, h);
}

struct holding *holding_pin(struct store *st, struct str address)
{
	uint64_t hash = str_hash(address);
	struct table_node *n = table_first(&st->holdings, hash);
	struct holding *h;

	while (n && !str_eq(str_of(container_of(n, struct holding, node)->address), address))
		n = table_next(n);
	if (n) {
		h = container_of(n, struct holding, node);
		if (!h->pins)
			idle_remove(h);
	} else {
		h = slab_alloc(&st->holding_slab);
		h->st = st;
		h->address = str_dup(address);
		h->shard = shard_of(address, st->shards);
		table_add(&st->holdings, &h->node, hash);
	}
	h->pins++;
	return h;
}

void holding_unpin(struct holding *h)
{
	struct store *st = h->st;

	assert(h->pins > 0);
	if (--h->pins)
		return;
	idle_add(h);
	while (st->holdings_idle_first &&
		(st->holdings.count > (size_t)st->settings->open_accounts || st->holdings_idle_names > NAMES_MAX)) {
		struct holding *oldest = st->holdings_idle_first;

		idle_remove(oldest);
		holding_free(oldest);
	}
}

void holdings_free(struct store *st)
{
	struct table_node *n;

	while ((n = table_any(&st->holdings))) {
		struct holding *h = container_of(n, struct holding, node);

		assert(!h->pins);
		idle_remove(h);
		holding_free(h);
	}
	table_free(&st->holdings);
}

/* --- settings --------------------------------------------------------------------------------------------------- */

struct reading {
	struct job job;
	struct holding *h;
	struct arena memory;
	struct account_settings settings;
	struct tree tree;
	struct tree_walk *walk; /* of the tree, begun */
	enum err e;
};

static struct reading *reading_new(struct holding *h, void (*work)(struct job *), void (*done)(struct job *))
{
	struct reading *r = mem_new(struct reading);

	r->job = (struct job){ .work = work, .done = done };
	r->h = h;
	h->pins++;
	return r;
}

void holding_set(struct holding *h, const struct account_settings *s)
{
	struct arena old = h->memory; /* what s says may lie in it */

	h->memory = (struct arena){ 0 };
	h->state = s ? HOLDING_PRESENT : HOLDING_ABSENT;
	h->settings = (struct account_settings){ 0 };
	h->password.until_ms = 0;
	if (s) {
		arena_room(&h->memory, account_settings_bytes(s));
		h->settings = account_settings_copy(&h->memory, s);
	} else {
		tree_free(&h->tree);
		quota_forget(h);
		h->tree_known = false;
	}
	arena_free(&old);
}

/* What a task learns that waited for the settings. */
static enum err holding_answer(const struct holding *h, const struct task *t)
{
	if (h->state == HOLDING_PRESENT && (h->settings.kind == KIND_ACCOUNT || t->any_kind))
		return OK;
	return ERR_ABSENT;
}

static void settings_work(struct job *job)
{
	struct reading *r = container_of(job, struct reading, job);

	r->e = account_read(r->h->st->w->directory, str_of(r->h->address), &r->memory, &r->settings);
}

static void settings_done(struct job *job)
{
	struct reading *r = container_of(job, struct reading, job);
	struct holding *h = r->h;
	struct task *waiting = h->waiting;

	if (h->state == HOLDING_READING) { /* and not set meanwhile */
		h->state = HOLDING_UNKNOWN;
		if (!r->e || r->e == ERR_ABSENT)
			holding_set(h, r->e ? NULL : &r->settings);
	}
	h->waiting = NULL;
	while (waiting) {
		struct task *t = waiting;

		waiting = t->next;
		t->step(t, h->state == HOLDING_PRESENT || h->state == HOLDING_ABSENT ? holding_answer(h, t)
			   : r->e == ERR_NEVER                                       ? ERR_AGAIN
					       : r->e); /* till somebody mends them */
	}
	arena_free(&r->memory);
	free(r);
	holding_unpin(h);
}

void holding_ask(struct holding *h, struct task *t, task_step *step)
{
	struct task **last = &h->waiting;

	if (h->state == HOLDING_PRESENT || h->state == HOLDING_ABSENT) {
		step(t, holding_answer(h, t));
		return;
	}
	while (*last)
		last = &(*last)->next;
	t->step = step;
	t->next = NULL;
	*last = t;
	if (h->state == HOLDING_UNKNOWN) {
		h->state = HOLDING_READING;
		lane_add(h->st->w->files, &reading_new(h, settings_work, settings_done)->job);
	}
}

/* --- leading ---------------------------------------------------------------------------------------------------- */

static void tree_work(struct job *job)
{
	struct reading *r = container_of(job, struct reading, job);

	if (!r->walk)
		r->walk = tree_walk_new(r->h->st->w->directory, str_of(r->h->address), &r->tree);
	if (!tree_walk_step(r->walk))
		return;
	r->e = tree_walk_end(r->walk);
	r->walk = NULL;
}

static void lead(struct holding *h);

static void tree_done(struct job *job)
{
	struct reading *r = container_of(job, struct reading, job);
	struct holding *h = r->h;
	struct task *t = h->leader;
	enum err e = r->e;

	assert(!h->tree_known && t);
	if (r->walk) { /* there is more; whoever waits in the lane comes first */
		lane_add(h->st->w->files, job);
		return;
	}
	if (!e) {
		h->tree = r->tree;
		h->tree_known = true;
	}
	free(r);
	if (e)
		t->step(t, ERR_AGAIN);
	else
		lead(h);
	holding_unpin(h);
}

static void lead(struct holding *h)
{
	struct task *t = h->leader;

	if (!t->founds && holding_answer(h, t))
		t->step(t, ERR_ABSENT);
	else if (h->tree_known && first_due(h))
		first_make(t);
	else if (h->tree_known)
		t->step(t, OK);
	else
		lane_add(h->st->w->files, &reading_new(h, tree_work, tree_done)->job);
}

void holding_lead(struct task *t, task_step *step)
{
	struct holding *h = t->h;
	struct task **last = &h->followers;

	assert(!t->leads);
	t->step = step;
	t->leads = true;
	if (!h->leader) {
		h->leader = t;
		lead(h);
		return;
	}
	while (*last)
		last = &(*last)->next;
	t->next = NULL;
	*last = t;
}

void holding_led(struct task *t)
{
	struct holding *h = t->h;

	assert(t->leads && h->leader == t);
	t->leads = false;
	h->leader = h->followers;
	if (h->leader) {
		h->followers = h->leader->next;
		lead(h);
	}
}
