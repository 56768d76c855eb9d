/* mailbox.c - the mailboxes in memory: finding, holding, letting go. See mailbox.h. */
#include "storage/mailbox/mailbox.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/path.h"
#include <assert.h>
#include <stdlib.h>

#define PARKED_WAIT_MS 10000 /* for another program to give up its lock */

#define UNUSED_MS  60000 /* mailboxes that nobody used for so long leave memory ... */
#define SWEEP_MS   500   /* ... so often ... */
#define SWEEP_MOST 64    /* ... so many */
#define TRIM_MS    60000 /* between two times that memory freed so is given back to the system */

/* --- memory ------------------------------------------------------------------------------------------------------ */

static void idle_remove(struct mailbox *m)
{
	struct store *st = m->st;

	*(m->idle_prev ? &m->idle_prev->idle_next : &st->mailboxes_idle_first) = m->idle_next;
	*(m->idle_next ? &m->idle_next->idle_prev : &st->mailboxes_idle_last) = m->idle_prev;
	m->idle_next = m->idle_prev = NULL;
}

static void sweep(void *user);

static void idle_add(struct mailbox *m)
{
	struct store *st = m->st;

	m->idle_ms = timers_now_ms(st->w->timers);
	if (!timer_runs(&st->sweep_timer))
		timer_start(st->w->timers, &st->sweep_timer, UNUSED_MS, sweep, st);

	m->idle_prev = st->mailboxes_idle_last;
	*(m->idle_prev ? &m->idle_prev->idle_next : &st->mailboxes_idle_first) = m;
	st->mailboxes_idle_last = m;
}

static void tables_remove(struct mailbox *m)
{
	if (m->state == MAILBOX_GONE)
		return;
	table_remove(&m->st->mailboxes, &m->by_name);
	if (m->has_id)
		table_remove(&m->st->mailboxes_by_id, &m->by_id);
	m->has_id = false;
	m->state = MAILBOX_GONE;
}

static void mailbox_free(struct mailbox *m)
{
	struct store *st = m->st;

	assert(!m->waiting && !m->changes && !m->making && !m->shared && !m->alone && !m->watchers && !m->news);
	if (!mailbox_view_keep(m)) {
		tables_remove(m); /* and so is no news for those that sleep */
		mailbox_view_drop(m);
	}
	tables_remove(m);
	timer_stop(m->st->w->timers, &m->compact_timer);
	timer_stop(m->st->w->timers, &m->parked_timer);
	mailbox_put_free(m);
	holding_unpin(m->h);
	free(m->latest);
	free(m->gone);
	free(m->name);
	free(m->stem);
	slab_free(&st->mailbox_slab, m);
}

void mailbox_pin(struct mailbox *m)
{
	if (!m->pins++ && m->state != MAILBOX_GONE)
		idle_remove(m);
}

void mailbox_unpin(struct mailbox *m)
{
	struct store *st = m->st;

	assert(m->pins > 0);
	if (--m->pins)
		return;
	if (m->state == MAILBOX_GONE) {
		mailbox_free(m);
		return;
	}
	idle_add(m);
	while (st->mailboxes_idle_first && st->mailboxes.count > (size_t)st->settings->open_mailboxes) {
		struct mailbox *oldest = st->mailboxes_idle_first;

		idle_remove(oldest);
		mailbox_free(oldest);
	}
}

static void trim_work(struct job *job)
{
	(void)job;
	mem_trim();
}

static void trim_done(struct job *job)
{
	free(job);
}

static void trim(struct store *st)
{
	struct job *job = mem_new(struct job);

	job->work = trim_work;
	job->done = trim_done;
	st->trimmed_ms = timers_now_ms(st->w->timers);
	st->trim_due = false;
	lane_add(st->w->slow, job);
}

void memory_is_freed(struct store *st)
{
	st->trim_due = true;
	if (!timer_runs(&st->sweep_timer))
		timer_start(st->w->timers, &st->sweep_timer, SWEEP_MS, sweep, st);
}

/* Mailboxes that nobody used for a while leave memory, but for those that are to be written anew first. */
static void sweep(void *user)
{
	struct store *st = user;
	int64_t now = timers_now_ms(st->w->timers);
	unsigned count = 0;
	struct mailbox *m;

	while ((m = st->mailboxes_idle_first) && m->idle_ms + UNUSED_MS <= now && count++ < SWEEP_MOST) {
		idle_remove(m);
		if (timer_runs(&m->compact_timer))
			idle_add(m);
		else
			mailbox_free(m);
	}
	st->trim_due |= count > 0;
	if (!count && st->trim_due && st->trimmed_ms + TRIM_MS <= now)
		trim(st);
	m = st->mailboxes_idle_first;
	if (st->trim_due || (m && m->idle_ms + UNUSED_MS <= now + SWEEP_MS))
		timer_start(st->w->timers, &st->sweep_timer, SWEEP_MS, sweep, st);
	else if (m)
		timer_start(st->w->timers, &st->sweep_timer, m->idle_ms + UNUSED_MS - now, sweep, st);
}

void mailboxes_free(struct store *st)
{
	struct table_node *n;
	struct mailbox *m;

	while ((m = st->news)) {
		st->news = m->news_next;
		m->news = false;
		mailbox_unpin(m);
	}
	while ((n = table_any(&st->mailboxes))) {
		m = container_of(n, struct mailbox, by_name);
		if (m->changes) /* it may show what the files do not say yet */
			mailbox_view_drop(m);
		mailbox_forget_changes(m);
		mailbox_view_forget(m);
		mailbox_unwatch_all(m);
		assert(!m->pins);
		idle_remove(m);
		mailbox_free(m);
	}
	timer_stop(st->w->timers, &st->sweep_timer);
	table_free(&st->mailboxes);
	table_free(&st->mailboxes_by_id);
	views_unlink_now(st);
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

static uint64_t hash_of(const struct holding *h, struct str name)
{
	return str_hash(name) ^ h->node.hash;
}

struct str mailbox_canonical(struct str name)
{
	return mailbox_name_is_inbox(name) ? INBOX : name;
}

struct mailbox *mailbox_make(struct holding *h, struct str name)
{
	struct mailbox *m = slab_alloc(&h->st->mailbox_slab);
	struct buf stem = { 0 };
	enum err e = path_mailbox(&stem, str_of(h->address), name);

	assert(!e); /* mailbox_hold_name looked */
	m->st = h->st;
	m->h = holding_pin(h->st, str_of(h->address));
	m->number = m->st->mailbox_serial++;
	m->name = str_dup(name);
	m->stem = str_dup(buf_str(&stem));
	m->waiting_last = &m->waiting;
	m->changes_last = &m->changes;
	m->parking_last = &m->parking;
	buf_free(&stem);
	table_add(&m->st->mailboxes, &m->by_name, hash_of(h, name));
	idle_add(m);
	return m;
}

struct mailbox *mailbox_known(struct holding *h, struct str name)
{
	for (struct table_node *n = table_first(&h->st->mailboxes, hash_of(h, name)); n; n = table_next(n)) {
		struct mailbox *m = container_of(n, struct mailbox, by_name);

		if (m->h == h && str_eq(str_of(m->name), name))
			return m;
	}
	return NULL;
}

struct mailbox *mailbox_by_id(struct store *st, uint64_t id)
{
	struct table_node *n = table_first(&st->mailboxes_by_id, id);

	return n ? container_of(n, struct mailbox, by_id) : NULL;
}

void mailbox_set_id(struct mailbox *m)
{
	const struct mailbox *other;

	if (m->has_id)
		table_remove(&m->st->mailboxes_by_id, &m->by_id);
	other = mailbox_by_id(m->st, m->seen.head.id);
	if (other)
		log_warn("store", NULL, "two mailboxes of one id account=%s mailbox=\"%s\" other=\"%s\"", m->h->address,
			m->name, other->name);
	table_add(&m->st->mailboxes_by_id, &m->by_id, m->seen.head.id);
	m->has_id = true;
}

void mailbox_rename(struct mailbox *m, struct str name)
{
	struct buf stem = { 0 };
	enum err e = path_mailbox(&stem, str_of(m->h->address), name);

	assert(!e);
	table_remove(&m->st->mailboxes, &m->by_name);
	free(m->name);
	free(m->stem);
	m->name = str_dup(name);
	m->stem = str_dup(buf_str(&stem));
	buf_free(&stem);
	table_add(&m->st->mailboxes, &m->by_name, hash_of(m->h, name));
}

/* --- holding ------------------------------------------------------------------------------------------------------ */

static void hold_forget(struct hold *hold)
{
	struct hold **at = &hold->t->holds;

	while (*at != hold)
		at = &(*at)->next_of_task;
	*at = hold->next_of_task;
	hold->m = NULL;
}

static struct hold *hold_take(struct mailbox *m)
{
	struct hold *hold = m->waiting;

	m->waiting = hold->next;
	if (!m->waiting)
		m->waiting_last = &m->waiting;
	return hold;
}

static void hold_refuse(struct mailbox *m, struct hold *hold, enum err e)
{
	hold_forget(hold);
	mailbox_unpin(m);
	hold->step(hold->t, e);
}

/* It would write to a mailbox that another program has locked: it waits apart, so that others may read. */
static void hold_park(struct mailbox *m, struct hold *hold)
{
	if (m->parked_long) {
		hold_refuse(m, hold, ERR_AGAIN);
		return;
	}
	hold->next = NULL;
	*m->parking_last = hold;
	m->parking_last = &hold->next;
}

/* Those that wait apart wait before all others. */
static void unpark(struct mailbox *m)
{
	if (!m->parking)
		return;
	*m->parking_last = m->waiting;
	if (!m->waiting)
		m->waiting_last = m->parking_last;
	m->waiting = m->parking;
	m->parking = NULL;
	m->parking_last = &m->parking;
}

/* It is locked for so long that nobody waits any more: what is durable is answered, what is not begun is refused. */
static void parked_too_long(void *user)
{
	struct mailbox *m = user;

	log_warn("store", NULL, "a mailbox stays locked by another program account=%s mailbox=\"%s\"", m->h->address,
		m->name);
	m->parked_long = true;
	mailbox_pin(m);
	mailbox_answer_durable(m);
	unpark(m);
	mailbox_turn(m);
	mailbox_unpin(m);
}

void mailbox_is_parked(struct mailbox *m, bool is_parked)
{
	m->parked = is_parked;
	m->parked_long = false;
	timer_stop(m->st->w->timers, &m->parked_timer);
	if (is_parked) {
		timer_start(m->st->w->timers, &m->parked_timer, PARKED_WAIT_MS, parked_too_long, m);
		return;
	}
	unpark(m);
	mailbox_turn(m);
}

/* A broken one is read again as soon as nobody has it. */
static void reload_look(struct mailbox *m)
{
	if (m->state != MAILBOX_BROKEN || m->changes || m->shared || m->alone || m->view_making)
		return;
	mailbox_load(m);
}

void mailbox_turn(struct mailbox *m)
{
	if (m->turning)
		return;
	m->turning = true;
	mailbox_pin(m);
	reload_look(m);
	while (m->state == MAILBOX_READY && m->waiting && !m->alone) {
		struct hold *hold = m->waiting;

		if (m->parked && (hold->alone || hold->t->writes)) {
			hold_park(m, hold_take(m));
			continue;
		}
		if (hold->alone && (m->shared || m->changes))
			break;
		hold_take(m);
		hold->held = true;
		if (hold->alone)
			m->alone = hold;
		else
			m->shared++;
		hold->step(hold->t, OK);
	}
	reload_look(m);
	m->turning = false;
	mailbox_unpin(m);
}

void mailbox_gone(struct mailbox *m, enum err e)
{
	mailbox_pin(m);
	tables_remove(m);
	if (m->watcher_count) {
		mailbox_view_drop(m);
		mailbox_news_now(m);
		mailbox_unwatch_all(m);
	}
	if (m->seen.head.id)
		sleepers_tell(m->st, m->seen.head.id);
	unpark(m);
	while (m->waiting)
		hold_refuse(m, hold_take(m), e);
	mailbox_unpin(m);
}

void mailbox_hold(struct task *t, struct hold *hold, struct mailbox *m, bool alone, task_step *step)
{
	*hold = (struct hold){ .next_of_task = t->holds, .m = m, .t = t, .step = step, .alone = alone };
	if (m->state == MAILBOX_GONE) {
		hold->m = NULL;
		step(t, ERR_ABSENT);
		return;
	}
	t->holds = hold;
	mailbox_pin(m);
	*m->waiting_last = hold;
	m->waiting_last = &hold->next;
	mailbox_turn(m);
}

enum err mailbox_find(struct holding *h, struct str name, struct mailbox **m)
{
	struct buf stem = { 0 };
	bool good = !mailbox_name_check(name) && !path_mailbox(&stem, str_of(h->address), name);

	buf_free(&stem);
	*m = NULL;
	if (!good)
		return ERR_MISTAKE;
	name = mailbox_canonical(name);
	if ((*m = mailbox_known(h, name)))
		return OK;
	if (h->state != HOLDING_PRESENT || (h->tree_known && !tree_find(&h->tree, name)))
		return ERR_ABSENT; /* nor is it looked for while it is being made */
	*m = mailbox_make(h, name);
	mailbox_load(*m);
	return OK;
}

void mailbox_hold_name(struct task *t, struct hold *hold, struct str name, bool alone, task_step *step)
{
	struct mailbox *m;
	enum err e = mailbox_find(t->h, name, &m);

	if (e)
		step(t, e);
	else
		mailbox_hold(t, hold, m, alone, step);
}

void mailbox_hold_id(struct task *t, struct hold *hold, uint64_t id, struct str name, bool alone, task_step *step)
{
	struct mailbox *m = mailbox_by_id(t->st, id);

	if (m && m->h == t->h)
		mailbox_hold(t, hold, m, alone, step);
	else
		mailbox_hold_name(t, hold, name, alone, step);
}

void mailbox_release(struct hold *hold)
{
	struct mailbox *m = hold->m;

	assert(hold->held);
	hold_forget(hold);
	hold->held = false;
	if (hold->alone)
		m->alone = NULL;
	else
		m->shared--;
	mailbox_turn(m);
	mailbox_unpin(m);
}

const char *mailbox_suffix(const struct mailbox *m)
{
	return m->seen.head.mdir ? MDIR_SUFFIX : ".mbox";
}

struct file_ref mailbox_file(const struct mailbox *m, const char *suffix, struct buf *path)
{
	buf_clear(path);
	buf_printf(path, "%s%s", m->stem, suffix);
	return (struct file_ref){ buf_str(path), m->seen.head.id, m->seen.head.generation };
}
