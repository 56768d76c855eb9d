/* dormant.c - what a session keeps of its mailbox while its client is quiet: see selected.h.
 * No view is held, here or, for this session's sake, by the owner; only what the client was told: the UIDs that it counts,
 * as runs of neighbours (a few bytes for most mailboxes), and the clock up to which it knows their flags. When the client
 * speaks the view is asked for again, whatever it is by then (compacted, made by another life of the owner): its places
 * with UIDs that the client counts are the client's numbers. If some of these UIDs are in it no more, they are numbered
 * by a view made of the UIDs alone until their expunge may be told (selected.c: one of another lineage).
 *
 * Whoever idles wants to hear of changes: such a one is in a table here by its mailbox's id, and its worker in one of
 * the owner's (sleepers.c), which says once that the mailbox changed. Once a second it is looked whether owners died, who
 * would not say it any more, and in turn whether other programs wrote to the files of mailboxes that nobody has in memory:
 * at leisure, since the disk may be slow, and not while the worker is overloaded.
 * Always: runs ascend and do not touch; `exists` is their sum. */
#include "core/counter.h"
#include "core/mem.h"
#include "core/overload.h"
#include "storage/journal/apply.h"
#include "storage/journal/operation.h"
#include "storage/mailbox/mdir.h"
#include "storage/path.h"
#include "storage/runs.h"
#include "storage/shared.h"
#include <assert.h>
#include <stdlib.h>

#define DORMANT_EXISTS_MAX 100000 /* messages; going through more of them would hold the loop up */
#define DORMANT_RUNS_BYTES 8192   /* of runs; a mailbox with more holes keeps its view */
#define LOOK_MS            1000
#define LOOK_CHAINS        8192   /* of the table, gone through each time */
#define LOOK_MOST          500    /* files of a list to be looked at, begun at most each time, ... */
#define LOOK_SLICE         16     /* ... by so many in one job ... */
#define LOOK_BUDGET_US     100000 /* ... until they took so long: the disk may be slow; the rest is for the next time */
#define WAKE_MOST          200    /* that are woken each time for their owner's death or after a failure */

COUNTER(looked, "store.looked",
	"files of mailboxes looked at for those who idle, whether other programs wrote to them");

struct dormants {
	struct worker *w;
	struct table table;
	struct timer timer;
	size_t chain;            /* looked at last */
	struct looking *looking; /* mailboxes whose files are being looked at; NULL: none */
	bool in_lane;
};

/* Mailboxes whose files are looked at, slice by slice in the slow lane. */
struct looked {
	uint64_t id;
	uint64_t print; /* 0: not known */
	char *stem;
};

struct looking {
	struct job job;
	struct worker *w;
	size_t count, from, to; /* [from, to): of the slice */
	int64_t took_us;
	struct looked list[LOOK_MOST];
};

static void looking_free(struct looking *l)
{
	for (size_t i = 0; l && i < l->count; i++)
		free(l->list[i].stem);
	free(l);
}

struct dormants *dormants_new(struct worker *w)
{
	struct dormants *all = mem_new(struct dormants);

	all->w = w;
	return all;
}

void dormants_free(struct dormants *all)
{
	if (!all)
		return;
	assert(!all->table.count && !all->in_lane);
	looking_free(all->looking);
	timer_stop(all->w->timers, &all->timer);
	table_free(&all->table);
	free(all);
}

/* --- falling asleep and waking ---------------------------------------------------------------------------------------- */

static struct str runs_of(const struct dormant *d)
{
	return (struct str){ d->bytes + d->name_len, d->runs_len };
}

static uint32_t owner_life(const struct dormant *d)
{
	return atomic_load(&shm_slot(d->w->shm, d->account->owner)->generation);
}

static void look(void *user);

static void owner_tell(const struct dormant *d, enum sleep what)
{
	struct buf event = { 0 };

	pack_u64(&event, d->id);
	pack_u32(&event, d->w->slot);
	pack_u8(&event, (uint8_t)what);
	pack_u64(&event, d->clock);
	pack_u32(&event, d->uidnext);
	event_send(d->w, d->account->owner, &store_calls[EVENT_SLEEP], buf_str(&event));
	buf_free(&event);
}

static struct dormant *dormant_first(const struct dormants *all, uint64_t id)
{
	struct table_node *n = table_first(&all->table, id);

	return n ? container_of(n, struct dormant, node) : NULL;
}

static struct dormant *dormant_next(struct dormant *d)
{
	struct table_node *n = table_next(&d->node);

	return n ? container_of(n, struct dormant, node) : NULL;
}

static void watch(struct dormant *d, void (*changed)(void *user), void *user)
{
	struct dormants *all = d->w->store->dormants;
	const struct dormant *other;

	d->changed = changed;
	d->changed_user = user;
	d->life = owner_life(d);
	if ((other = dormant_first(all, d->id))) /* one too old wakes us all the same, for nothing */
		d->print = other->print;
	table_add(&all->table, &d->node, d->id);
	owner_tell(d, SLEEP_BEGINS);
	if (!timer_runs(&all->timer))
		timer_start(d->w->timers, &all->timer, LOOK_MS, look, all);
}

void dormant_unwatch(struct dormant *d)
{
	struct dormants *all = d->w->store->dormants;

	if (!d->changed)
		return;
	table_remove(&all->table, &d->node);
	d->changed = NULL;
	if (!dormant_first(all, d->id))
		owner_tell(d, SLEEP_ENDS);
}

static bool runs_write(const struct selected *s, struct runs *runs)
{
	size_t next = 0;

	if (selected_exists(s) > DORMANT_EXISTS_MAX)
		return false;
	for (uint32_t place = 0; place < s->count; place++) {
		if (next < s->gone_count && s->gone[next] == place) {
			next++;
			continue;
		}
		runs_add(runs, view_uid(s->base->view, place));
		if (buf_len(&runs->bytes) > DORMANT_RUNS_BYTES)
			return false;
	}
	runs_finish(runs);
	return true;
}

struct dormant *dormant_new(struct selected *s, const struct account *account, void (*changed)(void *user), void *user)
{
	const struct shared *sh = s->sh;
	struct runs runs = { 0 };
	struct dormant *d = NULL;
	size_t name_len = strlen(sh->name);

	if (sh->latest && !shared_is_stale(sh) && !s->telling && (!changed || !selected_has_news(s)) &&
		name_len <= UINT16_MAX && runs_write(s, &runs)) {
		d = mem_alloc(sizeof(*d) + name_len + buf_len(&runs.bytes));
		*d = (struct dormant){ .w = sh->w,
			.account = account,
			.id = sh->id,
			.clock = s->clock,
			.uidnext = s->uidnext,
			.uidvalidity = selected_uidvalidity(s),
			.recent = s->recent,
			.exists = selected_exists(s),
			.name_len = (uint16_t)name_len,
			.runs_len = (uint16_t)buf_len(&runs.bytes),
			.keywords = (uint8_t)s->keywords,
			.claim = s->claim };
		memcpy(d->bytes, sh->name, name_len);
		if (buf_len(&runs.bytes))
			memcpy(d->bytes + name_len, buf_data(&runs.bytes), buf_len(&runs.bytes));
		if (changed) /* said before the owner hears that nobody has it selected: it still has it in memory */
			watch(d, changed, user);
		selected_free(s);
	}
	buf_free(&runs.bytes);
	return d;
}

void dormant_free(struct dormant *d)
{
	if (!d)
		return;
	dormant_unwatch(d);
	free(d);
}

uint32_t *dormant_uids(const struct dormant *d)
{
	uint32_t *uids = mem_alloc((d->exists + 1) * sizeof(*uids)), end = 0, count = 0;
	struct str bytes = runs_of(d);
	struct run run;

	while (runs_next(&bytes, &end, &run))
		for (uint32_t uid = run.first; uid <= run.last; uid++)
			uids[count++] = uid;
	assert(count == d->exists);
	return uids;
}

/* --- those that watch ------------------------------------------------------------------------------------------------- */

/* May end d, but no other. */
static void stir(struct dormant *d)
{
	d->again = false;
	d->life = owner_life(d);
	d->changed(d->changed_user);
}

void dormants_stir(struct worker *w, uint64_t id)
{
	struct dormant *d = dormant_first(w->store->dormants, id), *next;

	for (; d; d = next) {
		next = dormant_next(d);
		stir(d);
	}
}

/* Of the mbox, or of an mdir's folder, in which names come and go. */
static uint64_t print_look(int directory, const char *stem)
{
	static const char *const suffixes[] = { ".mbox", MDIR_SUFFIX };
	struct stamp stamp = { 0 };
	enum err e = OK;

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes) && !e && !stamp.inode; i++) {
		struct buf path = { 0 };

		buf_printf(&path, "%s%s", stem, suffixes[i]);
		e = stamp_read(directory, buf_str(&path), &stamp);
		buf_free(&path);
	}
	return e ? 0 : str_hash((struct str){ (const char *)&stamp, sizeof(stamp) }) | 1;
}

static void look_work(struct job *job)
{
	struct looking *l = container_of(job, struct looking, job);
	int64_t began_us = monotonic_us();

	for (; l->to < l->count && l->to - l->from < LOOK_SLICE; l->to++) {
		struct looked *k = &l->list[l->to];

		k->print = print_look(l->w->directory, k->stem);
	}
	l->took_us += monotonic_us() - began_us;
}

/* All who sleep in a mailbox know the same of its file, whoever of them is the first to go. The owner looked last while
 * the first of them was awake: it does so once more behind our first look, or what was written between the two would be
 * missed. */
static void take_print(struct dormants *all, const struct looked *k)
{
	bool differs = false, first = false;

	if (!k->print)
		return;
	counter_add(&looked, 1);
	for (struct dormant *d = dormant_first(all, k->id); d; d = dormant_next(d)) {
		differs |= d->print && d->print != k->print;
		first |= !d->print;
		d->print = k->print;
	}
	if (differs)
		dormants_stir(all->w, k->id);
	else if (first)
		owner_tell(dormant_first(all, k->id), SLEEP_LOOKED);
}

static void look_done(struct job *job);

/* Others who wait for the lane have their turn between two slices. */
static void look_slice(struct dormants *all)
{
	struct looking *l = all->looking;

	l->from = l->to;
	l->job = (struct job){ .work = look_work, .done = look_done };
	all->in_lane = true;
	all->w->store->looking++;
	lane_add(all->w->slow, &l->job);
}

static void look_done(struct job *job)
{
	struct looking *l = container_of(job, struct looking, job);
	struct dormants *all = l->w->store->dormants;

	all->in_lane = false;
	all->w->store->looking--;
	for (size_t i = l->from; i < l->to; i++)
		take_print(all, &l->list[i]);
	if (l->to == l->count) {
		all->looking = NULL;
		looking_free(l);
	} else if (l->took_us < LOOK_BUDGET_US) {
		look_slice(all);
	}
}

static char *stem_of(const struct dormant *d)
{
	struct buf path = { 0 };
	char *copy = NULL;

	if (!path_mailbox(&path, str_of(d->account->address), (struct str){ d->bytes, d->name_len }))
		copy = str_dup(buf_str(&path));
	buf_free(&path);
	return copy;
}

static void look_add(struct looking *l, const struct dormant *d)
{
	bool is_first = d == dormant_first(l->w->store->dormants, d->id); /* and looks for the others, too */
	char *stem = l->count < LOOK_MOST && is_first ? stem_of(d) : NULL;

	if (stem)
		l->list[l->count++] = (struct looked){ .id = d->id, .stem = stem };
}

static struct looking *looking_new(struct worker *w)
{
	struct looking *l = mem_new(struct looking);

	l->w = w;
	return l;
}

static void look(void *user)
{
	struct dormants *all = user;
	bool yields = overloaded(all->w, OVERLOAD_BACKGROUND);
	struct looking *l = all->looking || yields ? NULL : looking_new(all->w);
	unsigned woken = 0;

	for (size_t n = 0; n < all->table.chain_count && n < LOOK_CHAINS && (!l || l->count < LOOK_MOST); n++) {
		struct table_node *at, *next;

		all->chain = (all->chain + 1) % all->table.chain_count;
		for (at = all->table.chains[all->chain]; at; at = next) {
			struct dormant *d = container_of(at, struct dormant, node);

			next = at->next;
			if (d->again || d->life != owner_life(d)) {
				if (woken++ < WAKE_MOST)
					stir(d);
			} else if (l) {
				look_add(l, d);
			}
		}
	}
	if (l && l->count)
		all->looking = l;
	else
		looking_free(l);
	if (all->looking && !all->in_lane && !yields) {
		all->looking->took_us = 0;
		look_slice(all);
	}
	if (all->table.count)
		timer_start(all->w->timers, &all->timer, LOOK_MS, look, all);
}
