/* store_account.c - accounts: making and changing them, deleting them. Other names are deleted as they are. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/account/login.h"
#include "storage/account/password.h"
#include "storage/mailbox/mailbox.h"
#include "storage/path.h"
#include <stdlib.h>
#include <string.h>

#define SETTINGS_FILE "/account.settings"

static struct str settings_path(struct buf *path, struct str address)
{
	if (!path_account(path, address))
		buf_add_str(path, STR(SETTINGS_FILE));
	return buf_str(path);
}

void account_put(struct entry *e, struct str address, const struct account_settings *s)
{
	struct buf path = { 0 }, text = { 0 };

	account_settings_print(s, &text);
	entry_put(e, settings_path(&path, address), buf_str(&text));
	buf_free(&path);
	buf_free(&text);
}

/* --- making and changing -------------------------------------------------------------------------------------------------- */

struct change_op {
	struct str password, hash;
	bool create, admin;
	struct arena memory; /* the lane's */
	enum hash_cost cost;
	struct account_settings settings;
};

static void change_end(struct task *t, enum err e)
{
	struct change_op *c = t->op;

	explicit_bzero((char *)c->password.p, c->password.len); /* it does not stay in memory that is given back */
	if (!e) {
		holding_set(t->h, &c->settings);
		log_info("store", NULL, "account %s account=" STR_FMT, c->create ? "made" : "changed",
			STR_ARG(t->address));
	}
	arena_free(&c->memory);
	task_end(t, e, STR_NONE);
}

static void change_hashed(struct task *t, enum err e)
{
	struct change_op *c = t->op;
	struct commit *k;

	if (!e)
		e = journal_room(t->st->journal, ENTRY_SMALL, 0);
	if (e) {
		change_end(t, e);
		return;
	}
	c->settings.quota_warned = t->h->settings.quota_warned; /* mail may have come meanwhile */
	k = commit_new(t->st, t);
	account_put(commit_entry(k), t->address, &c->settings);
	entry_name(commit_entry(k), t->name, STR_NONE);
	commit_go(k, ENTRY_SMALL, NULL, change_end);
}

static enum err change_work(struct task *t)
{
	struct change_op *c = t->op;
	enum err e = OK;

	if (c->password.len) {
		e = password_hash(c->password, c->cost, &c->memory, &c->settings.password);
		if (!e)
			e = password_scram_sha_256(c->password, c->cost, &c->memory, &c->settings.scram_sha_256);
	} else if (c->hash.len && !(e = password_crypt_check(c->hash))) {
		c->settings.password = c->hash;
		c->settings.scram_sha_256 = STR_NONE;
	}
	return e;
}

static void change_domain(struct task *t, enum err e)
{
	struct change_op *c = t->op;

	c->cost = (enum hash_cost)t->st->login->hash;
	if (e)
		change_end(t, e);
	else
		task_in_lane(t, t->st->w->slow, change_work, change_hashed);
}

static void change_lead(struct task *t, enum err e)
{
	struct change_op *c = t->op;
	bool there = t->h->state == HOLDING_PRESENT;

	if (!e && c->create && there)
		e = ERR_EXISTS;
	else if (!e && !c->create && (!there || t->h->settings.kind != KIND_ACCOUNT))
		e = ERR_ABSENT;
	if (e) {
		change_end(t, e);
		return;
	}
	if (there) {
		c->settings = account_settings_copy(&t->memory, &t->h->settings);
		change_domain(t, OK);
	} else {
		c->settings.admin = c->admin;
		domain_ask_now(t, domain_of(t->address), change_domain);
	}
}

static void change_account(struct task *t, enum err e)
{
	if (e && e != ERR_ABSENT)
		change_end(t, e);
	else
		holding_lead(t, change_lead);
}

void account_change_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_CONTROL);
	struct change_op *c;
	struct name name;

	if (!t)
		return;
	c = task_op(t, struct change_op);
	name = unpack_name(&t->args);
	c->password = unpack_str(&t->args);
	c->hash = unpack_str(&t->args);
	c->create = unpack_u8(&t->args);
	c->admin = unpack_u8(&t->args);
	t->founds = true;
	if (task_args_end(t) && task_name(t, name))
		task_account(t, change_account);
}

/* An account is named without detail: "alice+x@..." is none. */
static struct asked *ask_control(struct worker *w, struct str address, enum err *e)
{
	struct arena a = { 0 };
	struct str canonical = STR_NONE, detail = STR_NONE;
	struct asked *k;

	*e = account_canonical(address, &a, &canonical, &detail);
	if (!*e && detail.len)
		*e = ERR_MISTAKE;
	k = ask_new(w, ASKER_CONTROL, STR_NONE, *e ? STR_NONE : canonical);
	arena_free(&a);
	return k;
}

struct call *store_account_change(struct worker *w, const struct account_change *c, store_done *done, void *user)
{
	enum err e;
	struct asked *k = ask_control(w, c->address, &e);

	k->done.store = done;
	if (e)
		return ask_refuse(k, e, asked_store, user);
	ask_name(k, name_next(w));
	pack_str(&k->args, c->password);
	pack_str(&k->args, c->hash);
	pack_u8(&k->args, c->create);
	pack_u8(&k->args, c->admin);
	return ask_send(k, CALL_ACCOUNT_CHANGE, asked_store, user);
}

/* --- deleting --------------------------------------------------------------------------------------------------------------- */

struct removal { /* of an account, with its mailboxes in memory; or of another name */
	enum account_kind kind;
	struct mailbox **mailboxes; /* pinned, by number */
	struct hold *holds;
	size_t count, held;
};

static void removal_end(struct task *t, enum err e)
{
	struct removal *r = t->op;

	for (size_t i = 0; i < r->count; i++) {
		if (!e)
			mailbox_gone(r->mailboxes[i], ERR_ABSENT);
		mailbox_unpin(r->mailboxes[i]);
	}
	if (!e) {
		account_index_remove(t->h);
		holding_set(t->h, NULL);
		log_info("store", NULL, "%s deleted %s=" STR_FMT, account_kind_word(r->kind),
			r->kind == KIND_ACCOUNT ? "account" : "name", STR_ARG(t->address));
	} else if (t->leads) {
		t->h->state = HOLDING_PRESENT;
	}
	task_end(t, e, STR_NONE);
}

static void removal_held(struct task *t, enum err e)
{
	struct removal *r = t->op;
	struct buf path = { 0 };
	struct commit *k;

	(void)e; /* one that is gone need not be held */
	if (r->held < r->count) {
		size_t i = r->held++;

		mailbox_hold(t, &r->holds[i], r->mailboxes[i], true, removal_held);
		return;
	}
	k = commit_new(t->st, t);
	for (size_t i = 0; i < t->h->tree.count; i++)
		if (t->h->tree.leaves[i].id)
			entry_settled(commit_entry(k), t->h->tree.leaves[i].id);
	path_account(&path, t->address);
	entry_remove(commit_entry(k), buf_str(&path));
	entry_name(commit_entry(k), t->name, STR_NONE);
	commit_go(k, ENTRY_SMALL, NULL, removal_end);
	buf_free(&path);
}

static int by_number(const void *a, const void *b)
{
	const struct mailbox *x = *(struct mailbox *const *)a, *y = *(struct mailbox *const *)b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static void removal_lead(struct task *t, enum err e)
{
	struct removal *r = t->op;

	if (!e && t->h->settings.kind != r->kind)
		e = ERR_ABSENT;
	if (!e)
		e = journal_room(t->st->journal, ENTRY_SMALL, 0);
	if (e) {
		task_end(t, e, STR_NONE);
		return;
	}
	t->h->state = HOLDING_ABSENT; /* nobody begins anything with it any more */
	r->mailboxes = arena_alloc(&t->memory, (t->h->tree.count + 1) * sizeof(struct mailbox *));
	r->holds = arena_alloc(&t->memory, (t->h->tree.count + 1) * sizeof(*r->holds));
	for (size_t i = 0; i < t->h->tree.count; i++) {
		struct mailbox *m = mailbox_known(t->h, str_of(t->h->tree.leaves[i].name));

		if (!m)
			continue;
		mailbox_pin(m);
		r->mailboxes[r->count++] = m;
	}
	qsort(r->mailboxes, r->count, sizeof(struct mailbox *), by_number);
	removal_held(t, OK);
}

static void removal_account(struct task *t, enum err e)
{
	if (e)
		task_end(t, e, STR_NONE);
	else
		holding_lead(t, removal_lead);
}

void account_delete_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_CONTROL);
	struct name name;

	if (!t)
		return;
	t->any_kind = true;
	name = unpack_name(&t->args);
	task_op(t, struct removal)->kind = (enum account_kind)unpack_u8(&t->args);
	if (task_args_end(t) && task_name(t, name))
		task_account(t, removal_account);
}

struct call *store_name_delete(
	struct worker *w, enum account_kind kind, struct str address, store_done *done, void *user)
{
	enum err e;
	struct asked *k = ask_control(w, address, &e);

	k->done.store = done;
	if (e)
		return ask_refuse(k, e, asked_store, user);
	ask_name(k, name_next(w));
	pack_u8(&k->args, (uint8_t)kind);
	return ask_send(k, CALL_ACCOUNT_DELETE, asked_store, user);
}

struct call *store_account_delete(struct worker *w, struct str address, store_done *done, void *user)
{
	return store_name_delete(w, KIND_ACCOUNT, address, done, user);
}
