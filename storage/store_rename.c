/* store_rename.c - DELETE and RENAME of mailboxes (RFC 3501, 6.3.4 and 6.3.5).
 * Both lead the account's holding and hold the mailboxes alone, so nothing is under way in them. What a rename moves is
 * synced first, for the journal will not write it again. Inferiors go along with a renamed mailbox; one that is deleted
 * leaves its inferiors. Of very many mailboxes some are dealt with in each turn of the loop. Renaming INBOX moves its
 * messages to a new mailbox, in one entry with making that. What a mailbox is for goes with it; subscriptions are to
 * names and stay (6.3.9). The highest UIDVALIDITY outlives the mailboxes that had it. What another program has locked
 * stays as it is: what that does with it would be lost, or stay behind under the old name. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/apply.h"
#include "storage/journal/directories.h"
#include "storage/mailbox/mailbox.h"
#include "storage/path.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define ENTRY_BYTES_EACH 4096 /* of the journal, at most, for one mailbox that is renamed */
#define TURN_MAILBOXES   16   /* that a step of a chore deals with: there may be very many */
#define SYNC_MAILBOXES   64   /* synced, or looked at, in one job */

/* --- common ---------------------------------------------------------------------------------------------------------- */

static struct str path_with(struct buf *b, const char *stem, const char *suffix)
{
	buf_clear(b);
	buf_printf(b, "%s%s", stem, suffix);
	return buf_str(b);
}

/* Mail waits for another program's lock already: who would hold the mailbox alone waits with it. */
static bool is_parked(const struct mailbox *m)
{
	return m && m->parked;
}

/* In the files lane. */
static enum err lock_look(const struct task *t, const struct mailbox *m)
{
	struct buf path = { 0 };
	bool locked = files_locked(journal_files(t->st->journal), path_with(&path, m->stem, ".mbox"));

	buf_free(&path);
	return locked ? ERR_IN_USE : OK;
}

/* --- DELETE ---------------------------------------------------------------------------------------------------------- */

struct deletion {
	struct hold hold;
	struct str name;
	struct labels labels; /* as they will be */
};

static void deleted(struct task *t, enum err e)
{
	struct deletion *d = t->op;
	struct mailbox *m = d->hold.m;

	if (!e) {
		log_info("store", NULL, "mailbox deleted account=%s mailbox=\"%s\" messages=%u", t->h->address, m->name,
			m->seen.messages);
		mailbox_index_remove(m);
		quota_change(m, -(int64_t)m->seen.bytes, -(int64_t)m->seen.messages);
		tree_remove(&t->h->tree, str_of(m->name));
		labels_take(t->h, &d->labels);
		mailbox_gone(m, ERR_ABSENT);
	}
	labels_free(&d->labels);
	task_end(t, e, STR_NONE);
}

static void delete_looked(struct task *t, enum err e)
{
	struct deletion *d = t->op;
	struct mailbox *m = d->hold.m;
	struct buf path = { 0 };
	struct commit *k;

	if (!e)
		e = journal_room(t->st->journal, ENTRY_SMALL, ENTRY_BYTES_EACH + labels_bytes(t->h));
	if (e) {
		task_end(t, e, STR_NONE);
		return;
	}
	k = commit_new(t->st, t);
	entry_settled(commit_entry(k), m->seen.head.id);
	entry_remove(commit_entry(k), path_with(&path, m->stem, mailbox_suffix(m)));
	entry_remove(commit_entry(k), path_with(&path, m->stem, ".state"));
	d->labels = labels_copy(&t->h->tree.labels);
	labels_use(&d->labels, d->name, 0);
	labels_put(t->h, commit_entry(k), &d->labels);
	entry_name(commit_entry(k), t->name, STR_NONE);
	commit_go(k, ENTRY_SMALL, NULL, deleted);
	buf_free(&path);
}

static enum err delete_look(struct task *t)
{
	const struct deletion *d = t->op;

	return lock_look(t, d->hold.m);
}

static void delete_held(struct task *t, enum err e)
{
	if (e)
		task_end(t, e, STR_NONE);
	else
		task_in_lane(t, t->st->w->files, delete_look, delete_looked);
}

static void delete_lead(struct task *t, enum err e)
{
	struct deletion *d = t->op;

	if (!e && mailbox_name_is_inbox(d->name))
		e = ERR_NEVER;
	if (!e && !tree_find(&t->h->tree, d->name))
		e = tree_has_below(&t->h->tree, d->name) ? ERR_NEVER : ERR_ABSENT;
	if (!e && is_parked(mailbox_known(t->h, d->name)))
		e = ERR_IN_USE;
	if (e)
		task_end(t, e, STR_NONE);
	else
		mailbox_hold_name(t, &d->hold, d->name, true, delete_held);
}

static void delete_account(struct task *t, enum err e)
{
	if (e)
		task_end(t, e, STR_NONE);
	else
		holding_lead(t, delete_lead);
}

void delete_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_ACCOUNT);
	struct deletion *d;
	struct name name;

	if (!t)
		return;
	d = task_op(t, struct deletion);
	name = unpack_name(&t->args);
	d->name = unpack_str(&t->args);
	if (task_args_end(t) && task_name(t, name))
		task_account(t, delete_account);
}

struct call *store_delete(struct worker *w, const struct account *a, struct str mailbox, store_done *done, void *user)
{
	struct asked *k = ask_as(w, a);

	k->done.store = done;
	ask_name(k, name_next(w));
	pack_str(&k->args, mailbox);
	return ask_send(k, CALL_DELETE, asked_store, user);
}

/* --- RENAME ---------------------------------------------------------------------------------------------------------- */

struct move { /* one mailbox of those renamed */
	struct hold hold, look;
	struct mailbox *m; /* pinned */
	struct str to;
	const char *to_stem;
};

struct renaming {
	struct str from, to;
	struct move *moves; /* in the order of holding */
	size_t count, looked, held;
	struct hold look;     /* of INBOX's new name */
	struct labels labels; /* as they will be */
	struct tree_plan *plan;
	struct commit *commit;
	size_t at; /* of the moves, or of the tree: the next to be dealt with */
	struct chore chore;
	enum err e; /* how it ended */
};

static void rename_on(struct task *t, void (*step)(void *user))
{
	chore_start(t->st->w->chores, &((struct renaming *)t->op)->chore, step, t);
}

static void move_done(struct task *t, struct move *v)
{
	struct mailbox *m = v->m;

	log_info("store", NULL, "mailbox renamed account=%s mailbox=\"%s\" to=\"" STR_FMT "\"", t->h->address, m->name,
		STR_ARG(v->to));
	mailbox_index_rename(m, v->to);
	mailbox_rename(m, v->to);
	mailbox_view_drop(m); /* who watches learns the new name with a new view */
}

/* They are let go of in the other order than they were held. Until all are, nobody finds their new names, nor anything by
 * the old ones. */
static void rename_end_step(void *user)
{
	struct task *t = user;
	struct renaming *r = t->op;

	for (unsigned n = 0; n < TURN_MAILBOXES && r->count; n++) {
		struct move *v = &r->moves[--r->count];

		if (!r->e)
			move_done(t, v);
		if (v->hold.held)
			mailbox_release(&v->hold);
		mailbox_unpin(v->m);
	}
	if (r->count) {
		rename_on(t, rename_end_step);
		return;
	}
	if (!r->e) {
		tree_take_plan(&t->h->tree, r->plan);
		labels_take(t->h, &r->labels);
	}
	labels_free(&r->labels);
	tree_plan_free(r->plan);
	task_end(t, r->e, STR_NONE);
}

static void rename_end(struct task *t, enum err e)
{
	struct renaming *r = t->op;

	r->e = e;
	rename_end_step(t);
}

/* What the mailboxes are for goes with them. */
static void labels_rename(struct task *t)
{
	struct renaming *r = t->op;
	struct labels *l = &r->labels;

	*l = labels_copy(&t->h->tree.labels);
	for (size_t i = 0; i < r->count; i++) {
		struct str from = str_of(r->moves[i].m->name);
		const struct label *label = labels_find(l, from);

		if (!label || !label->uses)
			continue;
		labels_use(l, r->moves[i].to, label->uses);
		labels_use(l, from, 0);
	}
}

static bool is_same_directory(struct str a, struct str b)
{
	return str_eq(str_cut(a, 0, (size_t)str_rfind(a, '/')), str_cut(b, 0, (size_t)str_rfind(b, '/')));
}

/* The directory that its files come to, unless that of the one before is the same. */
static void entry_directory(struct entry *entry, const struct renaming *r, size_t i)
{
	struct str stem = str_of(r->moves[i].to_stem);

	if (!i || !is_same_directory(stem, str_of(r->moves[i - 1].to_stem)))
		entry_make_directory(entry, str_cut(stem, 0, (size_t)str_rfind(stem, '/')));
}

static enum err files_sync(struct task *t);

/* In the slow lane: the mailboxes are held alone, and say the same until this is through. */
static enum err entry_fill(struct task *t)
{
	struct renaming *r = t->op;
	struct entry *entry = commit_entry(r->commit);
	struct buf from = { 0 }, to = { 0 };

	for (size_t i = 0; i < r->count; i++) {
		const struct move *v = &r->moves[i];
		const char *const suffixes[] = { mailbox_suffix(v->m), ".state" };

		entry_settled(entry, v->m->seen.head.id);
		entry_directory(entry, r, i);
		for (size_t s = 0; s < 2; s++)
			entry_rename(entry, path_with(&from, v->m->stem, suffixes[s]),
				path_with(&to, v->to_stem, suffixes[s]));
	}
	buf_free(&from);
	buf_free(&to);
	return OK;
}

static void rename_filled(struct task *t, enum err e)
{
	struct renaming *r = t->op;

	(void)e;
	labels_rename(t);
	labels_put(t->h, commit_entry(r->commit), &r->labels);
	entry_name(commit_entry(r->commit), t->name, STR_NONE);
	commit_go(r->commit, ENTRY_SMALL, NULL, rename_end);
}

/* In the files lane: some of them. */
static enum err locks_look(struct task *t)
{
	struct renaming *r = t->op;
	enum err e = OK;

	for (unsigned n = 0; !e && n < SYNC_MAILBOXES && r->at < r->count; n++)
		e = lock_look(t, r->moves[r->at++].m);
	return e;
}

static void rename_looked(struct task *t, enum err e)
{
	struct renaming *r = t->op;

	if (!e && r->at < r->count) {
		task_in_lane(t, t->st->w->files, locks_look, rename_looked);
		return;
	}
	if (!e)
		e = journal_room(t->st->journal, ENTRY_SMALL, r->count * ENTRY_BYTES_EACH + labels_bytes(t->h));
	if (e) {
		rename_end(t, e);
		return;
	}
	r->commit = commit_new(t->st, t);
	task_in_lane(t, t->st->w->slow, entry_fill, rename_filled);
}

static void rename_synced(struct task *t, enum err e)
{
	struct renaming *r = t->op;

	if (!e && r->at < r->count) {
		task_in_lane(t, t->st->w->slow, files_sync, rename_synced);
		return;
	}
	r->at = 0;
	rename_looked(t, e);
}

/* Of an mdir, all that is in it. */
static enum err file_sync(int directory, const char *stem, const char *suffix)
{
	struct buf path = { 0 };
	enum err e = OK;
	int fd;

	buf_printf(&path, "%s%s", stem, suffix);
	buf_add_char(&path, '\0');
	fd = openat(directory, buf_data(&path), O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		e = err_errno("open %s", buf_data(&path));
	else if (fd >= 0 && (strcmp(suffix, MDIR_SUFFIX) ? fsync(fd) : syncfs(fd)) < 0)
		e = err_errno("sync %s", buf_data(&path));
	if (fd >= 0)
		close(fd);
	buf_free(&path);
	return e;
}

/* In the slow lane: some of them. A directory is synced when those that are in it one after the other have been. */
static enum err files_sync(struct task *t)
{
	struct renaming *r = t->op;
	int directory = t->st->w->directory;
	enum err e = OK;

	if (!r->plan)
		r->plan = tree_plan_rename(&t->h->tree, r->from, r->to);
	for (unsigned n = 0; !e && n < SYNC_MAILBOXES && r->at < r->count; n++) {
		const struct mailbox *m = r->moves[r->at++].m;
		struct str stem = str_of(m->stem);

		e = file_sync(directory, stem.p, mailbox_suffix(m));
		if (!e)
			e = file_sync(directory, stem.p, ".state");
		if (!e && (r->at == r->count || !is_same_directory(stem, str_of(r->moves[r->at].m->stem))))
			e = directories_sync(directory, stem);
	}
	return e;
}

static void rename_hold(struct task *t, enum err e);

static void rename_hold_step(void *user)
{
	struct task *t = user;
	struct renaming *r = t->op;
	struct move *v = &r->moves[r->held++];

	mailbox_hold(t, &v->hold, v->m, true, rename_hold);
}

/* Most are held at once, so that one would be held from within the other: the stack is not to grow with their number. */
static void rename_hold(struct task *t, enum err e)
{
	struct renaming *r = t->op;

	if (e) {
		rename_end(t, e == ERR_ABSENT ? ERR_AGAIN : e);
	} else if (r->held == r->count) {
		r->at = 0;
		task_in_lane(t, t->st->w->slow, files_sync, rename_synced);
	} else if (r->held % TURN_MAILBOXES) {
		rename_hold_step(t);
	} else {
		rename_on(t, rename_hold_step);
	}
}

static void rename_look(struct task *t, enum err e);

static void rename_look_step(void *user)
{
	struct task *t = user;
	struct renaming *r = t->op;
	struct move *v = &r->moves[r->looked++];
	struct mailbox *there = mailbox_known(t->h, v->to);

	if (there)
		mailbox_hold(t, &v->look, there, false, rename_look);
	else
		rename_look(t, ERR_ABSENT);
}

/* Somebody may have looked for a new name before the tree was known. Once that is found absent nobody looks again. */
static void rename_look(struct task *t, enum err e)
{
	struct renaming *r = t->op;

	if (e && e != ERR_ABSENT)
		rename_end(t, e);
	else if (r->looked && r->moves[r->looked - 1].look.held)
		rename_end(t, ERR_EXISTS);
	else if (r->looked == r->count)
		rename_hold(t, OK);
	else if (r->looked % TURN_MAILBOXES)
		rename_look_step(t);
	else
		rename_on(t, rename_look_step);
}

static int by_number(const void *a, const void *b)
{
	const struct move *x = a, *y = b;

	return x->m->number < y->m->number ? -1 : x->m->number > y->m->number;
}

/* Where it goes; ERR_MISTAKE: to a name that cannot be. */
static enum err move_make(struct task *t, struct str name)
{
	struct renaming *r = t->op;
	struct move *v = &r->moves[r->count];
	struct buf stem = { 0 };
	enum err e;

	if (!str_eq(name, r->from) && !tree_is_below(name, r->from))
		return OK;
	v->to = str_of(arena_printf(
		&t->memory, STR_FMT STR_FMT, STR_ARG(r->to), STR_ARG(str_cut(name, r->from.len, name.len))));
	e = mailbox_name_allowed(t->h, v->to, &stem);
	v->to_stem = arena_dup(&t->memory, buf_str(&stem));
	buf_free(&stem);
	if (!e)
		e = mailbox_find(t->h, name, &v->m);
	if (!e && is_parked(v->m))
		e = ERR_IN_USE;
	if (e)
		return e;
	mailbox_pin(v->m);
	r->count++;
	return OK;
}

static void rename_begin_step(void *user)
{
	struct task *t = user;
	struct renaming *r = t->op;
	const struct tree *tree = &t->h->tree;
	enum err e = OK;

	for (unsigned n = 0; !e && n < TURN_MAILBOXES && r->at < tree->count; n++)
		e = move_make(t, str_of(tree->leaves[r->at++].name));
	if (!e && r->at < tree->count) {
		rename_on(t, rename_begin_step);
		return;
	}
	if (!e && !r->count)
		e = ERR_ABSENT;
	if (e) {
		rename_end(t, e);
		return;
	}
	qsort(r->moves, r->count, sizeof(*r->moves), by_number);
	rename_look(t, OK);
}

static void rename_begin(struct task *t)
{
	struct renaming *r = t->op;

	r->moves = arena_alloc(&t->memory, (t->h->tree.count + 1) * sizeof(*r->moves));
	rename_begin_step(t);
}

/* INBOX: what it holds goes to the new mailbox, itself it stays. */
static void rename_inbox_done(struct task *t, enum err e)
{
	task_end(t, e, STR_NONE);
}

/* As rename_look, for the one new name. */
static void rename_inbox_looked(struct task *t, enum err e)
{
	struct renaming *r = t->op;

	if (!e)
		e = ERR_EXISTS;
	if (e != ERR_ABSENT)
		task_end(t, e, STR_NONE);
	else if (!tree_find(&t->h->tree, INBOX))
		mailbox_create(t, r->to, 0, &t->name, rename_inbox_done);
	else
		move_all(t, INBOX, r->to, &t->name, rename_inbox_done);
}

static void rename_inbox(struct task *t)
{
	struct renaming *r = t->op;
	struct mailbox *there = mailbox_known(t->h, r->to);

	if (there)
		mailbox_hold(t, &r->look, there, false, rename_inbox_looked);
	else
		rename_inbox_looked(t, ERR_ABSENT);
}

static void rename_lead(struct task *t, enum err e)
{
	struct renaming *r = t->op;
	const struct tree *tree = &t->h->tree;

	if (!e && (mailbox_name_is_inbox(r->to) || tree_find(tree, r->to) || tree_has_below(tree, r->to) ||
			  str_eq(r->from, r->to)))
		e = ERR_EXISTS;
	if (!e && tree_is_below(r->to, r->from) && !mailbox_name_is_inbox(r->from))
		e = ERR_NEVER; /* into itself */
	if (e)
		task_end(t, e, STR_NONE);
	else if (mailbox_name_is_inbox(r->from) && tree->count >= (size_t)t->st->settings->mailboxes_per_account)
		task_end(t, ERR_TOO_BIG, STR_NONE);
	else if (mailbox_name_is_inbox(r->from))
		rename_inbox(t);
	else
		rename_begin(t);
}

static void rename_account(struct task *t, enum err e)
{
	struct renaming *r = t->op;
	struct buf stem = { 0 };

	if (!e)
		e = mailbox_name_allowed(t->h, r->to, &stem);
	buf_free(&stem);
	if (e)
		task_end(t, e, STR_NONE);
	else
		holding_lead(t, rename_lead);
}

void rename_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_ACCOUNT);
	struct renaming *r;
	struct name name;

	if (!t)
		return;
	r = task_op(t, struct renaming);
	name = unpack_name(&t->args);
	r->from = mailbox_canonical(unpack_str(&t->args));
	r->to = mailbox_canonical(unpack_str(&t->args));
	if (task_args_end(t) && task_name(t, name))
		task_account(t, rename_account);
}

struct call *store_rename(
	struct worker *w, const struct account *a, struct str from, struct str to, store_done *done, void *user)
{
	struct asked *k = ask_as(w, a);

	k->done.store = done;
	ask_name(k, name_next(w));
	pack_str(&k->args, from);
	pack_str(&k->args, to);
	return ask_send(k, CALL_RENAME, asked_store, user);
}
