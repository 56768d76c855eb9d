/* mailbox_foreign.c - other programs write to mailboxes, too: how it is noticed, and that the mailbox is read again.
 *   before a write   the files lane finds the file other than we left it (apply_mailbox.c)
 *   SELECT, STATUS   it is looked at, unless that was done a moment ago
 *   while selected   once a second as many as LOOK_MOST mailboxes are looked at, in turn
 * What was under way is in the file by then, if perhaps not where it was to be. The mailbox is loaded again with what was
 * known of it (mailbox_match.c); sessions get another view and compare. */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/apply.h"
#include "storage/mailbox/mailbox.h"
#include <stdlib.h>

#define LOOK_MS     1000
#define REREAD_MS   60000 /* between two times that readers have a mailbox read again */
#define LOOK_MOST   500   /* mailboxes in one second */
#define LOOK_CHAINS 8192  /* of the table of mailboxes that are gone through for them */

COUNTER(rereads, "store.rereads", "mailboxes that other programs changed");

void mailbox_is_foreign(struct mailbox *m)
{
	m->foreign = true;
	if (m->state != MAILBOX_READY)
		return;
	counter_add(&rereads, 1);
	log_info("store", NULL, "another program changed a mailbox, it is read again account=%s mailbox=\"%s\"",
		m->h->address, m->name);
	m->state = MAILBOX_BROKEN;
	mailbox_turn(m);
}

/* A reader found other bytes than its view says. If that goes on it is damage that reading does not mend. */
void reread_handle(struct worker *w, struct request *rq, struct str args)
{
	struct unpack u = unpack_of(args);
	uint64_t id = unpack_u64(&u);
	struct mailbox *m = w->store && unpack_end(&u) ? mailbox_by_id(w->store, id) : NULL;
	int64_t now = timers_now_ms(w->timers);

	(void)rq;
	if (!m || m->state != MAILBOX_READY || (m->reread_ms && now - m->reread_ms < REREAD_MS))
		return;
	m->reread_ms = now;
	mailbox_is_foreign(m);
}

static void on_changed(void *user, uint64_t id)
{
	struct mailbox *m = mailbox_by_id(user, id);

	if (m)
		mailbox_is_foreign(m);
}

static void on_parked(void *user, uint64_t id, bool is_parked)
{
	struct mailbox *m = mailbox_by_id(user, id);

	if (!m)
		return;
	if (is_parked)
		log_info("store", NULL, "a mailbox is locked by another program account=%s mailbox=\"%s\"",
			m->h->address, m->name);
	mailbox_is_parked(m, is_parked);
}

/* --- looking --------------------------------------------------------------------------------------------------------- */

struct look {
	struct job job;
	struct store *st;
	struct files *files;
	struct looked {
		uint64_t id;
		char *mbox, *state;
		bool same;
	} * list;
	size_t count;
	struct task *t; /* NULL: nobody waits */
	task_step *step;
};

static char *path_of(const struct mailbox *m, const char *suffix)
{
	struct buf path = { 0 };
	char *copy;

	buf_printf(&path, "%s%s", m->stem, suffix);
	copy = str_dup(buf_str(&path));
	buf_free(&path);
	return copy;
}

static void look_work(struct job *job)
{
	struct look *l = container_of(job, struct look, job);

	for (size_t i = 0; i < l->count; i++)
		l->list[i].same = files_same(l->files, str_of(l->list[i].mbox)) &&
		                  files_same(l->files, str_of(l->list[i].state));
}

static void look_done(struct job *job)
{
	struct look *l = container_of(job, struct look, job);
	struct task *t = l->t;
	task_step *step = l->step;

	l->st->looking--;
	for (size_t i = 0; i < l->count; i++) {
		if (!l->list[i].same)
			on_changed(l->st, l->list[i].id);
		free(l->list[i].mbox);
		free(l->list[i].state);
	}
	free(l->list);
	free(l);
	if (t)
		step(t, OK);
}

static struct look *look_new(struct store *st, size_t most)
{
	struct look *l = mem_new(struct look);

	l->st = st;
	l->files = journal_files(st->journal);
	l->list = mem_alloc(most * sizeof(*l->list));
	return l;
}

static void look_add(struct look *l, struct mailbox *m)
{
	m->looked_ms = timers_now_ms(l->st->w->timers);
	l->list[l->count++] = (struct looked){ m->seen.head.id, path_of(m, mailbox_suffix(m)), path_of(m, ".state"),
		true };
}

static void look_send(struct look *l)
{
	l->st->looking++;
	l->job = (struct job){ .work = look_work, .done = look_done };
	lane_add(l->st->w->files, &l->job);
}

static bool is_due(const struct mailbox *m)
{
	return m->state == MAILBOX_READY && m->has_id && timers_now_ms(m->st->w->timers) - m->looked_ms >= LOOK_MS;
}

void mailbox_look(struct task *t, struct mailbox *m, task_step *step)
{
	struct look *l;

	if (!m || !is_due(m)) { /* one that is loaded is looked at then */
		step(t, OK);
		return;
	}
	l = look_new(t->st, 1);
	l->t = t;
	l->step = step;
	look_add(l, m);
	look_send(l);
}

void mailbox_look_now(struct mailbox *m)
{
	struct look *l;

	if (!m || m->st->stop || m->state != MAILBOX_READY || !m->has_id)
		return;
	l = look_new(m->st, 1);
	look_add(l, m);
	look_send(l);
}

static void look_round(void *user)
{
	struct store *st = user;
	const struct table *all = &st->mailboxes;
	struct look *l = look_new(st, LOOK_MOST);

	for (size_t n = 0; n < all->chain_count && n < LOOK_CHAINS && l->count < LOOK_MOST; n++) {
		st->look_chain = (st->look_chain + 1) % all->chain_count;
		for (struct table_node *at = all->chains[st->look_chain]; at && l->count < LOOK_MOST; at = at->next) {
			struct mailbox *m = container_of(at, struct mailbox, by_name);

			if (m->watcher_count && is_due(m))
				look_add(l, m);
		}
	}
	timer_start(st->w->timers, &st->look_timer, LOOK_MS, look_round, st);
	if (l->count) {
		look_send(l);
	} else {
		free(l->list);
		free(l);
	}
}

void foreign_start(struct store *st)
{
	files_lock_mailboxes(journal_files(st->journal), st->settings->lock_mailboxes, st->settings->dot_locks);
	journal_watch(st->journal, on_changed, on_parked, st);
	timer_start(st->w->timers, &st->look_timer, LOOK_MS, look_round, st);
}

void foreign_stop(struct store *st)
{
	timer_stop(st->w->timers, &st->look_timer);
}
