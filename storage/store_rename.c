/* store_rename.c - DELETE and RENAME of mailboxes (RFC 3501, 6.3.4 and 6.3.5).
 * Both lead the account's holding and hold the mailboxes alone, so nothing is under way in them. What a rename moves is
 * synced first, for the journal will not write it again. Inferiors go along with a renamed mailbox; one that is deleted
 * leaves its inferiors. Renaming INBOX moves its messages to a new mailbox, in one entry with making that. What a mailbox is for goes with it;
 * subscriptions are to names and stay (6.3.9). The highest UIDVALIDITY outlives the mailboxes that had it. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/directories.h"
#include "storage/mailbox/mailbox.h"
#include "storage/path.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define ENTRY_BYTES_EACH 4096 /* of the journal, at most, for one mailbox that is renamed */

/* --- common ---------------------------------------------------------------------------------------------------------- */

static struct str path_with(struct buf *b, const char *stem, const char *suffix)
{
	buf_clear(b);
	buf_printf(b, "%s%s", stem, suffix);
	return buf_str(b);
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

static void delete_held(struct task *t, enum err e)
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
	entry_remove(commit_entry(k), path_with(&path, m->stem, ".mbox"));
	entry_remove(commit_entry(k), path_with(&path, m->stem, ".state"));
	d->labels = labels_copy(&t->h->tree.labels);
	labels_use(&d->labels, d->name, 0);
	labels_put(t->h, commit_entry(k), &d->labels);
	entry_name(commit_entry(k), t->name, STR_NONE);
	commit_go(k, ENTRY_SMALL, NULL, deleted);
	buf_free(&path);
}

static void delete_lead(struct task *t, enum err e)
{
	struct deletion *d = t->op;

	if (!e && mailbox_name_is_inbox(d->name))
		e = ERR_NEVER;
	if (!e && !tree_find(&t->h->tree, d->name))
		e = tree_has_below(&t->h->tree, d->name) ? ERR_NEVER : ERR_ABSENT;
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
};

static void rename_end(struct task *t, enum err e)
{
	struct renaming *r = t->op;

	for (size_t i = 0; i < r->count; i++)
		mailbox_unpin(r->moves[i].m);
	labels_free(&r->labels);
	task_end(t, e, STR_NONE);
}

static void renamed(struct task *t, enum err e)
{
	struct renaming *r = t->op;

	for (size_t i = 0; !e && i < r->count; i++) {
		struct move *v = &r->moves[i];
		struct mailbox *m = v->m;

		log_info("store", NULL, "mailbox renamed account=%s mailbox=\"%s\" to=\"" STR_FMT "\"", t->h->address,
			m->name, STR_ARG(v->to));
		mailbox_index_rename(m, v->to);
		tree_remove(&t->h->tree, str_of(m->name));
		tree_add(&t->h->tree, v->to, m->seen.head.id, m->seen.head.uidvalidity);
		mailbox_rename(m, v->to);
		mailbox_view_drop(m); /* who watches learns the new name with a new view */
	}
	if (!e)
		labels_take(t->h, &r->labels);
	rename_end(t, e);
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

static void rename_synced(struct task *t, enum err e)
{
	struct renaming *r = t->op;
	struct buf from = { 0 }, to = { 0 };
	struct commit *k;

	if (!e)
		e = journal_room(t->st->journal, ENTRY_SMALL, r->count * ENTRY_BYTES_EACH + labels_bytes(t->h));
	if (e) {
		rename_end(t, e);
		return;
	}
	k = commit_new(t->st, t);
	for (size_t i = 0; i < r->count; i++) {
		static const char *const suffixes[] = { ".mbox", ".state" };
		const struct move *v = &r->moves[i];
		struct str stem = str_of(v->to_stem);

		entry_settled(commit_entry(k), v->m->seen.head.id);
		entry_make_directory(commit_entry(k), str_cut(stem, 0, (size_t)str_rfind(stem, '/')));
		for (size_t s = 0; s < 2; s++)
			entry_rename(commit_entry(k), path_with(&from, v->m->stem, suffixes[s]),
				path_with(&to, v->to_stem, suffixes[s]));
	}
	labels_rename(t);
	labels_put(t->h, commit_entry(k), &r->labels);
	entry_name(commit_entry(k), t->name, STR_NONE);
	commit_go(k, ENTRY_SMALL, NULL, renamed);
	buf_free(&from);
	buf_free(&to);
}

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
	else if (fd >= 0 && fsync(fd) < 0)
		e = err_errno("sync %s", buf_data(&path));
	if (fd >= 0)
		close(fd);
	buf_free(&path);
	return e;
}

static enum err files_sync(struct task *t)
{
	const struct renaming *r = t->op;
	enum err e = OK;

	for (size_t i = 0; !e && i < r->count; i++) {
		const char *stem = r->moves[i].m->stem;

		e = file_sync(t->st->w->directory, stem, ".mbox");
		if (!e)
			e = file_sync(t->st->w->directory, stem, ".state");
		if (!e)
			e = directories_sync(t->st->w->directory, str_of(stem));
	}
	return e;
}

static void rename_hold(struct task *t, enum err e)
{
	struct renaming *r = t->op;
	struct move *v = &r->moves[r->held];

	if (e) {
		rename_end(t, e == ERR_ABSENT ? ERR_AGAIN : e);
	} else if (r->held == r->count) {
		task_in_lane(t, t->st->w->slow, files_sync, rename_synced);
	} else {
		r->held++;
		mailbox_hold(t, &v->hold, v->m, true, rename_hold);
	}
}

/* Somebody may have looked for a new name before the tree was known. Once that is found absent nobody looks again. */
static void rename_look(struct task *t, enum err e)
{
	struct renaming *r = t->op;
	struct move *v = &r->moves[r->looked];
	struct mailbox *there;

	if (e && e != ERR_ABSENT) {
		rename_end(t, e);
	} else if (r->looked && r->moves[r->looked - 1].look.held) {
		rename_end(t, ERR_EXISTS);
	} else if (r->looked == r->count) {
		rename_hold(t, OK);
	} else {
		r->looked++;
		if ((there = mailbox_known(t->h, v->to)))
			mailbox_hold(t, &v->look, there, false, rename_look);
		else
			rename_look(t, ERR_ABSENT);
	}
}

static int by_number(const void *a, const void *b)
{
	const struct move *x = a, *y = b;

	return x->m->number < y->m->number ? -1 : x->m->number > y->m->number;
}

/* Where each of them goes; ERR_MISTAKE: to a name that cannot be. */
static enum err moves_make(struct task *t)
{
	struct renaming *r = t->op;
	const struct tree *tree = &t->h->tree;

	for (size_t i = 0; i < tree->count; i++) {
		struct str name = str_of(tree->leaves[i].name);
		struct move *v = &r->moves[r->count];
		struct buf stem = { 0 };
		enum err e;

		if (!str_eq(name, r->from) && !tree_is_below(name, r->from))
			continue;
		v->to = str_of(arena_printf(
			&t->memory, STR_FMT STR_FMT, STR_ARG(r->to), STR_ARG(str_cut(name, r->from.len, name.len))));
		e = mailbox_name_allowed(t->h, v->to, &stem);
		v->to_stem = arena_dup(&t->memory, buf_str(&stem));
		buf_free(&stem);
		if (!e)
			e = mailbox_find(t->h, name, &v->m);
		if (e)
			return e;
		mailbox_pin(v->m);
		r->count++;
	}
	return r->count ? OK : ERR_ABSENT;
}

static void rename_begin(struct task *t)
{
	struct renaming *r = t->op;
	enum err e;

	r->moves = arena_alloc(&t->memory, (t->h->tree.count + 1) * sizeof(*r->moves));
	if ((e = moves_make(t))) {
		rename_end(t, e);
		return;
	}
	qsort(r->moves, r->count, sizeof(*r->moves), by_number);
	rename_look(t, OK);
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
