/* store_name.c - names that are no accounts: what one is, making and changing it, deleting it.
 * Each is a directory with settings as an account's is, so that nothing else can have its name, and its owner is found as
 * an account's is. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/account/members.h"
#include "storage/mailbox/mailbox.h"
#include "storage/route/domain.h"
#include <stdlib.h>

/* --- what a name is -------------------------------------------------------------------------------------------------- */

struct name_op {
	uint64_t size;
	bool unready; /* there is no room for mail now */
};

static void name_tell_task(struct task *t)
{
	const struct account_settings *s = &t->h->settings;
	struct buf answer = { 0 };

	pack_u8(&answer, (uint8_t)s->kind);
	pack_u8(&answer, s->members_only);
	pack_u8(&answer, s->skip_author);
	pack_u8(&answer, ((const struct name_op *)t->op)->unready);
	pack_str(&answer, t->address);
	pack_str(&answer, s->owner);
	pack_str(&answer, s->to);
	task_end(t, OK, buf_str(&answer));
	buf_free(&answer);
}

/* It is not there: is its domain? One that the configuration names is ours before it is made. */
static void name_domain_known(struct task *t, enum err e)
{
	if (e == ERR_ABSENT && domain_is_named(t->st->w->conf, domain_of(t->address)))
		e = OK;
	task_end(t, e == OK ? ERR_ABSENT : e == ERR_ABSENT ? ERR_DENIED : e, STR_NONE);
}

/* It cannot be a name here, which is no matter where its domain is not ours: longer ones may be. */
static void name_domain_of_none(struct task *t, enum err e)
{
	task_end(t, e == OK ? ERR_MISTAKE : e == ERR_ABSENT || e == ERR_MISTAKE ? ERR_DENIED : e, STR_NONE);
}

static void name_room(struct task *t, enum err e)
{
	struct name_op *o = t->op;

	if (!e)
		e = quota_allows(t->h, o->size ? o->size : 1, 1);
	o->unready = journal_room(t->st->journal, ENTRY_MAIL, o->size) != OK;
	if (e)
		task_end(t, e, STR_NONE);
	else
		name_tell_task(t);
}

static void name_known(struct task *t, enum err e)
{
	if (!e && t->h->settings.kind == KIND_ACCOUNT && ((struct name_op *)t->op)->size != STORE_NO_MAIL)
		quota_ask(t, false, name_room);
	else if (!e)
		name_tell_task(t);
	else if (e == ERR_ABSENT)
		domain_ask(t, domain_of(t->address), name_domain_known);
	else if (e == ERR_MISTAKE)
		domain_ask(t, domain_of(t->address), name_domain_of_none);
	else
		task_end(t, e, STR_NONE);
}

void name_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_SYSTEM);

	if (!t)
		return;
	task_op(t, struct name_op)->size = unpack_u64(&t->args);
	t->any_kind = true;
	if (task_args_end(t))
		task_account(t, name_known);
}

static void name_tell(struct asked *k, enum err e, struct str answer)
{
	struct unpack u = unpack_of(answer);
	struct stored_name n = { .kind = (enum account_kind)unpack_u8(&u) };
	struct str left, *to;

	n.members_only = unpack_u8(&u);
	n.skip_author = unpack_u8(&u);
	n.unready = unpack_u8(&u);
	n.address = unpack_str(&u);
	n.owner = unpack_str(&u);
	left = unpack_str(&u);
	if (!e && !unpack_end(&u))
		e = ERR_AGAIN;
	to = mem_alloc((members_count(left) + 1) * sizeof(*to));
	while (members_next(&left, &to[n.count]))
		n.count++;
	n.to = to;
	k->done.name(k->user, e, e ? NULL : &n);
	free(to);
}

struct call *store_name(struct worker *w, struct str address, uint64_t size, name_done *done, void *user)
{
	struct arena a = { 0 };
	struct str canonical = STR_NONE;
	enum err e = account_canonical(address, &a, &canonical, NULL);
	struct asked *k = ask_new(w, ASKER_SYSTEM, STR_NONE, e ? STR_NONE : canonical);

	arena_free(&a);
	k->done.name = done;
	if (e)
		return ask_refuse(k, e, name_tell, user);
	pack_u64(&k->args, size);
	return ask_send(k, CALL_NAME, name_tell, user);
}

/* --- making and changing --------------------------------------------------------------------------------------------- */

struct change_op {
	struct name_change change;
	bool there;
	struct account_settings now, then; /* as it is, and as it will be */
	struct arena memory;               /* the lane's */
};

static void change_end(struct task *t, enum err e)
{
	struct change_op *c = t->op;

	if (!e) {
		holding_set(t->h, &c->then);
		log_info("store", NULL, "%s %s name=" STR_FMT, account_kind_word(c->then.kind),
			c->there ? "changed" : "made", STR_ARG(t->address));
	}
	arena_free(&c->memory);
	task_end(t, e, STR_NONE);
}

static void change_commit(struct task *t, enum err e)
{
	struct change_op *c = t->op;
	struct commit *k;

	if (!e)
		e = journal_room(t->st->journal, ENTRY_SMALL, c->then.to.len);
	if (e) {
		change_end(t, e);
		return;
	}
	k = commit_new(t->st, t);
	account_put(commit_entry(k), t->address, &c->then);
	entry_name(commit_entry(k), t->name, STR_NONE);
	commit_go(k, ENTRY_SMALL, NULL, change_end);
}

/* Is the domain of the account that an alias stands for kept here? */
static void change_target(struct task *t, enum err e)
{
	change_commit(t, e == ERR_ABSENT ? ERR_DENIED : e);
}

static enum err change_apply(struct task *t)
{
	struct change_op *c = t->op;

	return name_change_apply(&c->change, c->there ? &c->now : NULL, &c->memory, &c->then);
}

static void change_applied(struct task *t, enum err e)
{
	struct change_op *c = t->op;
	struct str left = c->then.to, member;

	if (!e && c->then.kind == KIND_ALIAS && members_next(&left, &member))
		domain_ask_now(t, domain_real(t->st->conf, domain_of(member)), change_target);
	else
		change_commit(t, e);
}

static void change_domain(struct task *t, enum err e)
{
	if (e)
		change_end(t, e);
	else
		task_in_lane(t, t->st->w->slow, change_apply, change_applied);
}

static void change_lead(struct task *t, enum err e)
{
	struct change_op *c = t->op;

	c->there = t->h->state == HOLDING_PRESENT;
	if (c->there)
		c->now = account_settings_copy(&t->memory, &t->h->settings);
	if (e || c->there)
		change_domain(t, e);
	else
		domain_ask_now(t, domain_of(t->address), change_domain);
}

static void change_known(struct task *t, enum err e)
{
	if (e && e != ERR_ABSENT)
		change_end(t, e);
	else
		holding_lead(t, change_lead);
}

void name_change_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_CONTROL);
	struct name_change *c;
	struct name name;

	if (!t)
		return;
	c = &task_op(t, struct change_op)->change;
	name = unpack_name(&t->args);
	c->kind = (enum account_kind)unpack_u8(&t->args);
	c->how = (enum name_how)unpack_u8(&t->args);
	c->members_only = unpack_u8(&t->args);
	c->skip_author = unpack_u8(&t->args);
	c->to = unpack_str(&t->args);
	c->owner = unpack_str(&t->args);
	c->address = t->address;
	t->founds = t->any_kind = true;
	if (task_args_end(t) && task_name(t, name))
		task_account(t, change_known);
}

struct call *store_name_change(struct worker *w, const struct name_change *c, store_done *done, void *user)
{
	struct asked *k = ask_new(w, ASKER_CONTROL, STR_NONE, c->address);

	k->done.store = done;
	ask_name(k, name_next(w));
	pack_u8(&k->args, (uint8_t)c->kind);
	pack_u8(&k->args, (uint8_t)c->how);
	pack_u8(&k->args, c->members_only);
	pack_u8(&k->args, c->skip_author);
	pack_str(&k->args, c->to);
	pack_str(&k->args, c->owner);
	return ask_send(k, CALL_NAME_CHANGE, asked_store, user);
}
