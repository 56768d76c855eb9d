/* compact.c - new generations: a mailbox's files are written anew without what is expunged, flags folded in.
 *   held alone -> view -> generation.h writes beside the old files, slice by slice in the slow lane -> an entry of the
 *   journal puts them in their place -> index and view are made anew
 * Of an mdir only the state file is written anew; files of what is expunged go with that entry.
 * Changes wait meanwhile. Readers of the old generation keep its file and its view as long as they have them open. It is
 * due when enough of the mbox is garbage, or the state file has grown long; a mailbox that is selected is left alone for a
 * while first, and none is begun while the worker is overloaded. */
#include "core/chore.h"
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/overload.h"
#include "storage/mailbox/generation.h"
#include "storage/mailbox/mailbox.h"
#include <stdlib.h>

#define GARBAGE_MIN   (64u << 10) /* bytes of the mbox that are worth it */
#define STATE_MIN     (64u << 10) /* the same of the state file ... */
#define STATE_MESSAGE 64          /* ... which may have so many for each message */
#define QUIET_MS      2000        /* it begins so long after it became due */
#define SELECTED_MS   300000      /* or so long, while it is selected */
#define ENTRY_BYTES   8192
#define LOOKS         2048 /* at messages, in a turn */
#define REMOVES_MAX   1000 /* files of an mdir that go at a time */
#define REMOVE_BYTES  40   /* of the entry for each, beside its path */

COUNTER(compactions, "store.compactions", "mailboxes written anew");

struct compaction {
	struct hold hold; /* of a compaction by ourselves */
	struct mailbox *m;
	task_step *step;
	bool mdir;                  /* the form that it gets */
	uint32_t *gone;             /* of an mdir: m->gone as it was; ours */
	size_t gone_count, removes; /* of these the first go now */
	struct state_head head;
	struct keywords words;
	struct message *messages;
	size_t count;
	uint64_t lineage; /* of the view that they are taken from */
	uint32_t place;   /* of it, the next to be looked at */
	struct chore chore;
	struct generation *generation;
	bool done;
};

static void compaction_end(struct task *t, enum err e)
{
	struct compaction *c = t->compaction;
	struct mailbox *m = c->m;

	if (e) {
		log_warn("store", NULL, "not written anew account=%s mailbox=\"%s\" reason=\"%s\"", m->h->address,
			m->name, err_text(e));
		m->garbage_kept = m->seen.garbage + m->seen.state_end;
		m->untidy = false; /* not again before it is loaded again */
	}
	generation_free(c->generation);
	free(c->messages);
	free(c->gone);
	t->compaction = NULL;
	c->step(t, e);
}

/* The new files are in their place. */
static void placed(struct task *t, enum err e)
{
	struct compaction *c = t->compaction;
	struct mailbox *m = c->m;
	struct generation_result r;

	if (!e && m->state != MAILBOX_READY) /* another program wrote to it meanwhile */
		e = ERR_AGAIN;
	if (!e) {
		generation_result(c->generation, &r);
		log_info("store", NULL, "written anew account=%s mailbox=\"%s\" generation=%u bytes=%llu before=%llu",
			m->h->address, m->name, r.head.generation, (unsigned long long)r.mbox_end,
			(unsigned long long)m->seen.mbox_end);
		counter_add(&compactions, 1);
		m->seen.head = r.head;
		m->gone_count = 0;
		for (size_t i = c->removes; i < c->gone_count; i++)
			mailbox_file_gone(m, c->gone[i]);
		m->seen.mbox_end = r.mbox_end + m->gone_count;
		m->seen.state_end = r.state_end;
		m->seen.garbage = m->gone_count;
		m->garbage_kept = 0;
		m->untidy = false;
		mailbox_fix(m);
		mailbox_put_whole(m, generation_take(c->generation), c->count);
		mailbox_view_drop(m);
	}
	compaction_end(t, e);
}

static void place(struct task *t)
{
	struct compaction *c = t->compaction;
	const char *const suffixes[] = { c->mdir ? MDIR_SUFFIX : ".mbox", ".state" };
	struct commit *k = commit_new(t->st, t);
	struct buf from = { 0 }, to = { 0 };

	struct stamp stamp = generation_stamp(c->generation);

	entry_settled(commit_entry(k), c->head.id);
	buf_printf(&to, "%s%s", c->m->stem, mailbox_suffix(c->m));
	if (!c->head.mdir)
		entry_expect(commit_entry(k), buf_str(&to), &stamp);
	for (size_t i = c->mdir && c->head.mdir ? 1 : 0; i < 2; i++) {
		buf_clear(&from);
		buf_clear(&to);
		generation_path(c->generation, suffixes[i], &from);
		buf_printf(&to, "%s%s", c->m->stem, suffixes[i]);
		entry_rename(commit_entry(k), buf_str(&from), buf_str(&to));
	}
	buf_clear(&to);
	buf_printf(&to, "%s%s", c->m->stem, mailbox_suffix(c->m));
	if (c->mdir != c->head.mdir)
		entry_remove(commit_entry(k), buf_str(&to));
	for (size_t i = 0; c->mdir == c->head.mdir && i < c->removes; i++) {
		buf_clear(&to);
		mdir_path(&to, c->m->stem, c->gone[i]);
		entry_remove(commit_entry(k), buf_str(&to));
	}
	commit_go(k, ENTRY_SMALL, NULL, placed);
	buf_free(&from);
	buf_free(&to);
}

static enum err slice_work(struct task *t)
{
	struct compaction *c = t->compaction;
	enum err e = OK;

	if (!c->generation) {
		e = generation_new(&c->generation, t->st->w->directory, str_of(c->m->stem), &c->head, c->mdir,
			&c->words, c->messages, c->count);
		if (!e)
			generation_gone(c->generation, c->gone + c->removes, c->gone_count - c->removes);
	}
	if (!e)
		e = generation_step(c->generation, &c->done);
	if (e || c->done) {
		free(c->messages); /* of a large mailbox that takes a while */
		c->messages = NULL;
	}
	return e;
}

static void slice_done(struct task *t, enum err e)
{
	struct compaction *c = t->compaction;

	if (!e && !c->head.mdir && generation_stamp(c->generation).size != c->m->seen.mbox_end) {
		mailbox_is_foreign(c->m);
		e = ERR_AGAIN;
	}
	if (!e && c->done)
		e = journal_room(
			t->st->journal, ENTRY_SMALL, ENTRY_BYTES + c->removes * (strlen(c->m->stem) + REMOVE_BYTES));
	if (e)
		compaction_end(t, e);
	else if (c->done)
		place(t);
	else
		task_in_lane(t, t->st->w->slow, slice_work, slice_done);
}

/* What is in the view, a little in each turn of the loop: the mailbox is held alone, and nothing changes. */
static void gather(void *user)
{
	struct task *t = user;
	struct compaction *c = t->compaction;
	const struct view *view = c->m->view;
	struct view_head h = { 0 };

	if (!view || c->m->lineage != c->lineage) { /* another program wrote to it meanwhile, or it is gone */
		compaction_end(t, ERR_AGAIN);
		return;
	}
	view_read_head(view, &h);
	if (!c->messages)
		c->messages = mem_alloc(h.count * sizeof(*c->messages));
	for (unsigned looks = 0; c->place < h.count && looks < LOOKS; looks++, c->place++) {
		struct message m;

		view_message(view, c->place, &m);
		if (!(m.flags & FLAG_EXPUNGED))
			c->messages[c->count++] = m;
	}
	if (c->place < h.count)
		chore_start(t->st->w->chores, &c->chore, gather, t);
	else
		task_in_lane(t, t->st->w->slow, slice_work, slice_done);
}

static void compact_view(struct task *t, enum err e)
{
	struct compaction *c = t->compaction;

	if (e) {
		compaction_end(t, e);
		return;
	}
	c->head = c->m->seen.head;
	c->head.generation = mailbox_generation(c->m, c->head.generation);
	c->words = c->m->seen.keywords;
	c->gone_count = c->removes = c->m->gone_count;
	c->gone = mem_copy(c->m->gone, c->gone_count * sizeof(*c->gone));
	if (c->mdir == c->head.mdir && c->removes > REMOVES_MAX)
		c->removes = REMOVES_MAX;
	c->lineage = c->m->lineage;
	gather(t);
}

uint32_t mailbox_generation(struct mailbox *m, uint32_t at_least)
{
	if (m->generation < at_least)
		m->generation = at_least;
	return m->generation++;
}

void mailbox_file_gone(struct mailbox *m, uint32_t uid)
{
	if (m->gone_count == m->gone_cap) {
		m->gone_cap = m->gone_cap ? 2 * m->gone_cap : 16;
		m->gone = mem_resize(m->gone, m->gone_cap * sizeof(*m->gone));
	}
	m->gone[m->gone_count++] = uid;
}

void compact(struct task *t, struct mailbox *m, task_step *step)
{
	mailbox_convert(t, m, m->seen.head.mdir, step);
}

void mailbox_convert(struct task *t, struct mailbox *m, bool mdir, task_step *step)
{
	struct compaction *c = arena_new(&t->memory, struct compaction);
	bool changes = mdir != m->seen.head.mdir;

	t->compaction = c;
	c->m = m;
	c->step = step;
	c->mdir = mdir;
	if (m->seen.mbox_end || changes)
		mailbox_view(t, m, compact_view);
	else
		compaction_end(t, OK); /* it never had a message */
}

/* --- when it is due -------------------------------------------------------------------------------------------------- */

struct compacting {
	struct hold hold;
	struct mailbox *m;
};

static void compacted(struct task *t, enum err e)
{
	struct compacting *c = t->op;

	c->m->compacting = false;
	mailbox_unpin(c->m);
	task_end(t, e, STR_NONE);
}

static void compact_held(struct task *t, enum err e)
{
	struct compacting *c = t->op;

	if (e)
		compacted(t, e);
	else
		compact(t, c->m, compacted);
}

static void compact_account(struct task *t, enum err e)
{
	struct compacting *c = t->op;

	if (e)
		compacted(t, e);
	else
		mailbox_hold(t, &c->hold, c->m, true, compact_held);
}

static bool is_due(const struct mailbox *m)
{
	const struct mailbox_record *r = &m->seen;
	uint64_t share = (uint64_t)m->st->settings->compact_share;

	if (m->untidy)
		return true;
	if (!r->mbox_end || r->garbage + r->state_end <= m->garbage_kept)
		return false;
	return (r->garbage >= (r->head.mdir ? 1 : GARBAGE_MIN) && r->garbage * 100 >= r->mbox_end * share) ||
	       r->state_end > STATE_MIN + (uint64_t)STATE_MESSAGE * r->messages;
}

static void compact_start(void *user)
{
	struct mailbox *m = user;
	struct compacting *c;
	struct task *t;

	if (m->st->stop || m->compacting || m->state != MAILBOX_READY || !is_due(m))
		return;
	if (overloaded(m->st->w, OVERLOAD_BACKGROUND)) {
		timer_start(m->st->w->timers, &m->compact_timer, QUIET_MS, compact_start, m);
		return;
	}
	t = task_own(m->st, str_of(m->h->address), NULL);
	c = task_op(t, struct compacting);
	c->m = m;
	m->compacting = true;
	mailbox_pin(m);
	task_account(t, compact_account);
}

void compact_if_due(struct mailbox *m)
{
	if (timer_runs(&m->compact_timer) || m->compacting || m->st->stop || !is_due(m))
		return;
	timer_start(m->st->w->timers, &m->compact_timer, m->watcher_count ? SELECTED_MS : QUIET_MS, compact_start, m);
}

/* --- settle ------------------------------------------------------------------------------------------------------------ */

struct settling { /* every mailbox of an account, one after the other */
	struct hold hold;
	struct str *names;
	size_t count, next;
	enum err worst;
};

static void settle_next(struct task *t, enum err e);

static void settle_held(struct task *t, enum err e)
{
	struct settling *s = t->op;

	if (e)
		settle_next(t, e);
	else
		compact(t, s->hold.m, settle_next);
}

static void settle_next(struct task *t, enum err e)
{
	struct settling *s = t->op;

	if (s->hold.held)
		mailbox_release(&s->hold);
	if (e)
		s->worst = e;
	if (s->next == s->count)
		task_end(t, s->worst, STR_NONE);
	else
		mailbox_hold_name(t, &s->hold, s->names[s->next++], true, settle_held);
}

static void settle_lead(struct task *t, enum err e)
{
	struct settling *s = t->op;
	const struct tree *tree = &t->h->tree;

	if (e) {
		task_end(t, e, STR_NONE);
		return;
	}
	s->names = arena_alloc(&t->memory, (tree->count + 1) * sizeof(*s->names));
	for (size_t i = 0; i < tree->count; i++)
		s->names[s->count++] = arena_str(&t->memory, str_of(tree->leaves[i].name));
	settle_next(t, OK);
}

static void settle_account(struct task *t, enum err e)
{
	if (e)
		task_end(t, e, STR_NONE);
	else
		holding_lead(t, settle_lead);
}

void settle_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_CONTROL);

	if (!t)
		return;
	task_op(t, struct settling);
	if (task_args_end(t))
		task_account(t, settle_account);
}

struct call *store_settle(struct worker *w, struct str address, store_done *done, void *user)
{
	struct arena a = { 0 };
	struct str canonical = STR_NONE;
	enum err e = account_canonical(address, &a, &canonical, NULL);
	struct asked *k = ask_new(w, ASKER_CONTROL, STR_NONE, e ? STR_NONE : canonical);

	k->done.store = done;
	arena_free(&a);
	return e ? ask_refuse(k, e, asked_store, user) : ask_send(k, CALL_SETTLE, asked_store, user);
}
