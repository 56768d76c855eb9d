/* store_restore.c - the owner puts in its place what was made ready beside it (restore_parts.h): each time one entry of
 * the journal, so it is there whole or not at all. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/backup/restore_parts.h"
#include "storage/journal/copied.h"
#include "storage/path.h"
#include "storage/quota.h"
#include <stdlib.h>

#define ENTRY_BYTES 16384 /* of the journal, at most, for a mailbox */

static const char *const suffixes[FILE_KINDS] = { ".mbox", MDIR_SUFFIX, ".state" };

/* --- an account ---------------------------------------------------------------------------------------------------------- */

struct account_put {
	struct str staging;
};

static void account_end(struct task *t, enum err e)
{
	if (!e) {
		holding_set(t->h, NULL);
		t->h->state = HOLDING_UNKNOWN; /* its files say what it is */
		log_info("store", NULL, "account brought back account=" STR_FMT, STR_ARG(t->address));
	}
	task_end(t, e, STR_NONE);
}

static void account_place(struct task *t, enum err e)
{
	struct account_put *p = t->op;
	struct buf path = { 0 };
	struct commit *k;

	if (!e)
		e = journal_room(t->st->journal, ENTRY_SMALL, ENTRY_BYTES);
	if (!e)
		e = path_account(&path, t->address);
	if (e) {
		task_end(t, e, STR_NONE);
	} else {
		k = commit_new(t->st, t);
		entry_rename(commit_entry(k), p->staging, buf_str(&path));
		entry_name(commit_entry(k), t->name, STR_NONE);
		commit_go(k, ENTRY_SMALL, NULL, account_end);
	}
	buf_free(&path);
}

static void account_lead(struct task *t, enum err e)
{
	if (!e && t->h->state == HOLDING_PRESENT)
		e = ERR_EXISTS;
	if (e)
		task_end(t, e, STR_NONE);
	else
		domain_ask_now(t, domain_of(t->address), account_place);
}

static void account_known(struct task *t, enum err e)
{
	if (e && e != ERR_ABSENT)
		task_end(t, e, STR_NONE);
	else
		holding_lead(t, account_lead);
}

void restore_account_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_CONTROL);
	struct account_put *p;
	struct name name;

	if (!t)
		return;
	p = task_op(t, struct account_put);
	name = unpack_name(&t->args);
	p->staging = unpack_str(&t->args);
	t->founds = true;
	t->any_kind = true;
	if (task_args_end(t) && task_name(t, name))
		task_account(t, account_known);
}

struct call *store_restore_account(
	struct worker *w, struct str address, struct str staging, store_done *done, void *user)
{
	struct asked *k = ask_new(w, ASKER_CONTROL, STR_NONE, address);

	k->done.store = done;
	ask_name(k, name_next(w));
	pack_str(&k->args, staging);
	return ask_send(k, CALL_RESTORE_ACCOUNT, asked_store, user);
}

/* --- a mailbox ------------------------------------------------------------------------------------------------------------ */

struct mailbox_put {
	struct hold hold;
	struct str staging; /* the stem of its files */
	struct str name;    /* that it gets */
	bool has[FILE_KINDS];
	uint64_t id, state_end;
	uint32_t uidvalidity, uidnext, generation;
	enum restore_how how;
	bool replaces;
};

static void mailbox_end(struct task *t, enum err e)
{
	struct mailbox_put *p = t->op;
	struct mailbox *m = p->hold.m;

	if (!e) {
		if (p->replaces) {
			mailbox_index_remove(m);
			tree_remove(&t->h->tree, p->name);
			mailbox_gone(m, ERR_ABSENT);
		}
		tree_add(&t->h->tree, p->name, p->id, p->uidvalidity);
		quota_forget(t->h);
		log_info("store", NULL, "mailbox brought back account=%s mailbox=\"" STR_FMT "\"", t->h->address,
			STR_ARG(p->name));
	}
	task_end(t, e, p->name);
}

/* What the one that goes has given since is not given again. */
static void uids_raise(struct mailbox_put *p, struct entry *entry, struct str path)
{
	const struct mailbox *m = p->hold.m;
	struct file_ref file = { path, p->id, p->generation };
	struct buf line = { 0 }, number = { 0 };

	if (m->uidnext > p->uidnext) {
		buf_printf(&number, "%u", m->uidnext);
		state_print_set(&line, STR("uidnext"), buf_str(&number), m->clock + 1);
		entry_write(entry, &file, p->state_end, buf_str(&line));
	}
	buf_free(&line);
	buf_free(&number);
}

static void mailbox_place(struct task *t)
{
	struct mailbox_put *p = t->op;
	struct buf from = { 0 }, to = { 0 }, stem = { 0 };
	struct commit *k;
	enum err e = mailbox_name_allowed(t->h, p->name, &stem);

	if (!e)
		e = journal_room(t->st->journal, ENTRY_SMALL, ENTRY_BYTES);
	if (e) {
		buf_free(&stem);
		task_end(t, e, STR_NONE);
		return;
	}
	k = commit_new(t->st, t);
	if (p->replaces)
		entry_settled(commit_entry(k), p->hold.m->seen.head.id);
	entry_make_directory(commit_entry(k), str_cut(buf_str(&stem), 0, (size_t)str_rfind(buf_str(&stem), '/')));
	for (size_t i = 0; i < FILE_KINDS; i++) {
		buf_clear(&from);
		buf_clear(&to);
		buf_printf(&from, STR_FMT "%s", STR_ARG(p->staging), suffixes[i]);
		buf_printf(&to, STR_FMT "%s", STR_ARG(buf_str(&stem)), suffixes[i]);
		if (p->has[i])
			entry_rename(commit_entry(k), buf_str(&from), buf_str(&to));
	}
	for (size_t i = 0; p->replaces && i < FILE_KINDS; i++) { /* of the other form, once this one is there */
		buf_clear(&to);
		buf_printf(&to, STR_FMT "%s", STR_ARG(buf_str(&stem)), suffixes[i]);
		if (!p->has[i])
			entry_remove(commit_entry(k), buf_str(&to));
	}
	if (p->replaces)
		uids_raise(p, commit_entry(k), buf_str(&to));
	entry_name(commit_entry(k), t->name, p->name);
	commit_go(k, ENTRY_SMALL, NULL, mailbox_end);
	buf_free(&from);
	buf_free(&to);
	buf_free(&stem);
}

static void mailbox_held(struct task *t, enum err e)
{
	struct mailbox_put *p = t->op;

	if (e == ERR_ABSENT && !p->replaces) { /* somebody looked for it while it was not there */
		mailbox_place(t);
	} else if (e || !p->replaces) {
		task_end(t, e ? e : ERR_EXISTS, STR_NONE);
	} else {
		mailbox_place(t);
	}
}

static void mailbox_lead(struct task *t, enum err e)
{
	struct mailbox_put *p = t->op;
	struct mailbox *known;
	bool there;

	if (e) {
		task_end(t, e, STR_NONE);
		return;
	}
	p->name = mailbox_canonical(p->name);
	there = tree_find(&t->h->tree, p->name);
	if (there && p->how == RESTORE_BESIDE) {
		p->name = str_of(arena_printf(&t->memory, RESTORED STR_FMT, STR_ARG(p->name)));
		there = tree_find(&t->h->tree, p->name);
	}
	p->replaces = there && p->how == RESTORE_REPLACE;
	known = mailbox_known(t->h, p->name);
	if (there && !p->replaces)
		task_end(t, ERR_EXISTS, p->name);
	else if (!there && t->h->tree.count >= (size_t)t->st->settings->mailboxes_per_account)
		task_end(t, ERR_TOO_BIG, STR_NONE);
	else if (p->replaces)
		mailbox_hold_name(t, &p->hold, p->name, true, mailbox_held);
	else if (known)
		mailbox_hold(t, &p->hold, known, false, mailbox_held);
	else
		mailbox_place(t);
}

static void mailbox_account(struct task *t, enum err e)
{
	if (e)
		task_end(t, e, STR_NONE);
	else
		holding_lead(t, mailbox_lead);
}

void restore_mailbox_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_CONTROL);
	struct mailbox_put *p;
	struct name name;

	if (!t)
		return;
	p = task_op(t, struct mailbox_put);
	name = unpack_name(&t->args);
	p->staging = unpack_str(&t->args);
	p->name = unpack_str(&t->args);
	p->how = (enum restore_how)unpack_u8(&t->args);
	for (size_t i = 0; i < FILE_KINDS; i++)
		p->has[i] = unpack_u8(&t->args);
	p->id = unpack_u64(&t->args);
	p->state_end = unpack_u64(&t->args);
	p->uidvalidity = unpack_u32(&t->args);
	p->uidnext = unpack_u32(&t->args);
	p->generation = unpack_u32(&t->args);
	if (task_args_end(t) && task_name(t, name))
		task_account(t, mailbox_account);
}

static void mailbox_tell(struct asked *k, enum err e, struct str answer)
{
	k->done.put(k->user, e, answer);
}

struct call *store_restore_mailbox(struct worker *w, struct str address, struct str staging, const struct staged *s,
	struct str mailbox, enum restore_how how, put_back_done *done, void *user)
{
	struct asked *k = ask_new(w, ASKER_CONTROL, STR_NONE, address);

	k->done.put = done;
	ask_name(k, name_next(w));
	pack_str(&k->args, staging);
	pack_str(&k->args, mailbox);
	pack_u8(&k->args, (uint8_t)how);
	for (size_t i = 0; i < FILE_KINDS; i++)
		pack_u8(&k->args, s->has[i]);
	pack_u64(&k->args, s->id);
	pack_u64(&k->args, s->state_end);
	pack_u32(&k->args, s->uidvalidity);
	pack_u32(&k->args, s->uidnext);
	pack_u32(&k->args, s->scan.r.head.generation);
	return ask_send(k, CALL_RESTORE_MAILBOX, mailbox_tell, user);
}
