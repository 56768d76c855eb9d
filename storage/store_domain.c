/* store_domain.c - domains: which are ours, adding, deleting, listing.
 * A domain is a directory below domains/. It belongs to the owner of "@domain", who alone makes and removes it; every
 * owner may look whether it is there, and remembers that for a few seconds. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include "storage/path.h"
#include "storage/route/domain.h"
#include <errno.h>
#include <stdlib.h>

#define KNOWN_MS     3000
#define KNOWN_MAX    1000    /* domains remembered; more, and all are forgotten */
#define LIST_MS      3600000 /* for a list: each of very many names may have to be read from a busy disk */
#define LOOK_AT_ONCE 200     /* names whose kind is looked at in one job of the lane */

/* --- which are ours --------------------------------------------------------------------------------------------------- */

struct known {
	struct table_node node;
	char *domain;
	bool there;
	int64_t until_ms;
};

struct question {
	struct str domain;
	void (*step)(struct task *t, enum err e);
};

struct str domain_of(struct str address)
{
	return str_cut(address, (size_t)(str_rfind(address, '@') + 1), address.len);
}

void domains_free(struct store *st)
{
	struct table_node *n;

	while ((n = table_any(&st->domains))) {
		struct known *k = container_of(n, struct known, node);

		table_remove(&st->domains, n);
		free(k->domain);
		free(k);
	}
	table_free(&st->domains);
}

static struct known *known_find(struct store *st, struct str domain)
{
	struct table_node *n = table_first(&st->domains, str_hash(domain));

	while (n && !str_eq(str_of(container_of(n, struct known, node)->domain), domain))
		n = table_next(n);
	return n ? container_of(n, struct known, node) : NULL;
}

static void domain_note(struct store *st, struct str domain, bool there)
{
	struct known *k = known_find(st, domain);

	if (!k) {
		if (st->domains.count >= KNOWN_MAX)
			domains_free(st);
		k = mem_new(struct known);
		k->domain = str_dup(domain);
		table_add(&st->domains, &k->node, str_hash(domain));
	}
	k->there = there;
	k->until_ms = timers_now_ms(st->w->timers) + KNOWN_MS;
}

static enum err domain_look(struct task *t)
{
	return domain_exists(t->st->w->directory, t->question->domain) ? OK : ERR_ABSENT;
}

static void domain_looked(struct task *t, enum err e)
{
	struct question *q = t->question;

	domain_note(t->st, q->domain, !e);
	q->step(t, e);
}

void domain_ask_now(struct task *t, struct str domain, void (*step)(struct task *t, enum err e))
{
	t->question = arena_new(&t->memory, struct question);
	t->question->domain = domain;
	t->question->step = step;
	task_in_lane(t, t->st->w->files, domain_look, domain_looked);
}

void domain_ask(struct task *t, struct str domain, void (*step)(struct task *t, enum err e))
{
	const struct known *k = known_find(t->st, domain);

	if (k && k->until_ms > timers_now_ms(t->st->w->timers))
		step(t, k->there ? OK : ERR_ABSENT);
	else
		domain_ask_now(t, domain, step);
}

/* --- making ----------------------------------------------------------------------------------------------------------- */

static void domain_done(struct task *t, enum err e)
{
	struct str domain = domain_of(t->address);

	if (!e) {
		domain_note(t->st, domain, true);
		log_info("store", NULL, "domain added domain=" STR_FMT, STR_ARG(domain));
	}
	task_end(t, e, STR_NONE);
}

static void domain_make(struct task *t, enum err e)
{
	struct buf path = { 0 };
	struct commit *k;

	if (e == OK)
		e = ERR_EXISTS;
	else if (e == ERR_ABSENT)
		e = path_domain(&path, domain_of(t->address));
	if (e) {
		task_end(t, e, STR_NONE);
		buf_free(&path);
		return;
	}
	k = commit_new(t->st, t);
	buf_add_str(&path, STR("/domain.settings"));
	entry_put(commit_entry(k), buf_str(&path), STR("version = 1\n"));
	if (t->named_link)
		entry_name(commit_entry(k), t->name, STR_NONE);
	commit_go(k, ENTRY_SMALL, NULL, domain_done);
	buf_free(&path);
}

void domains_declared(struct store *st)
{
	size_t count = conf_titles(st->conf, &domain_settings);

	for (size_t i = 0; i < count; i++) {
		struct buf address = { 0 };
		const char *title;

		conf_titled(st->conf, &domain_settings, i, &title);
		if (!strcmp(title, DOMAIN_DEFAULT))
			continue;
		buf_printf(&address, "@%s", title);
		if (store_owner(st, buf_str(&address)) == st->w->slot) {
			struct task *t = task_own(st, buf_str(&address), NULL);

			domain_ask_now(t, domain_of(t->address), domain_make);
		}
		buf_free(&address);
	}
}

/* The address "@domain" that its owner is found by. */
static struct asked *ask_domain(struct worker *w, struct str domain, enum err *e)
{
	struct buf address = { 0 }, path = { 0 };
	struct asked *k;

	buf_add_char(&address, '@');
	for (size_t i = 0; i < domain.len; i++)
		buf_add_char(&address, ascii_lower(domain.p[i]));
	*e = path_domain(&path, str_cut(buf_str(&address), 1, buf_len(&address)));
	k = ask_new(w, ASKER_CONTROL, STR_NONE, buf_str(&address));
	buf_free(&address);
	buf_free(&path);
	return k;
}

static struct call *ask_about_domain(struct asked *k, enum err e, unsigned type, void *user)
{
	return e ? ask_refuse(k, e, asked_store, user) : ask_send(k, type, asked_store, user);
}

void domain_add_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_CONTROL);
	struct name name;

	if (!t)
		return;
	name = unpack_name(&t->args);
	if (task_args_end(t) && task_name(t, name))
		domain_ask_now(t, domain_of(t->address), domain_make);
}

struct call *store_domain_add(struct worker *w, struct str domain, store_done *done, void *user)
{
	enum err e;
	struct asked *k = ask_domain(w, domain, &e);

	k->done.store = done;
	ask_name(k, name_next(w));
	return ask_about_domain(k, e, CALL_DOMAIN_ADD, user);
}

/* --- deleting --------------------------------------------------------------------------------------------------------- */

static void note_any(void *user, struct str address)
{
	(void)address;
	*(bool *)user = true;
}

static enum err domain_is_empty(struct task *t)
{
	bool any = false;
	enum err e = account_each(t->st->w->directory, domain_of(t->address), note_any, &any);

	return e ? e : any ? ERR_EXISTS : OK;
}

static void domain_gone(struct task *t, enum err e)
{
	if (!e) {
		domain_note(t->st, domain_of(t->address), false);
		log_info("store", NULL, "domain deleted domain=" STR_FMT, STR_ARG(domain_of(t->address)));
	}
	task_end(t, e, STR_NONE);
}

static void domain_remove(struct task *t, enum err e)
{
	struct buf path = { 0 };
	struct commit *k;

	if (!e)
		e = path_domain(&path, domain_of(t->address));
	if (e) {
		task_end(t, e, STR_NONE);
		buf_free(&path);
		return;
	}
	k = commit_new(t->st, t);
	entry_remove(commit_entry(k), buf_str(&path));
	entry_name(commit_entry(k), t->name, STR_NONE);
	commit_go(k, ENTRY_SMALL, NULL, domain_gone);
	buf_free(&path);
}

void domain_delete_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_CONTROL);
	struct name name;

	if (!t)
		return;
	name = unpack_name(&t->args);
	if (task_args_end(t) && task_name(t, name))
		task_in_lane(t, w->files, domain_is_empty, domain_remove);
}

struct call *store_domain_delete(struct worker *w, struct str domain, store_done *done, void *user)
{
	enum err e;
	struct asked *k = ask_domain(w, domain, &e);

	k->done.store = done;
	ask_name(k, name_next(w));
	return ask_about_domain(k, e, CALL_DOMAIN_DELETE, user);
}

/* --- lists ------------------------------------------------------------------------------------------------------------ */

struct names_list {
	bool accounts;          /* of the domain; else domains */
	enum account_kind kind; /* of the domain's names: those of this kind alone, */
	struct str to;          /* or those that stand for one of these; "" : by kind */
	struct str *names;
	size_t count, cap;
	size_t looked, kept; /* of the names: so many were looked at, and those at the front are of the kind */
	struct buf answer;
};

static void name_add(void *user, struct str name)
{
	struct names_list *l = user;

	if (l->count == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 64;
		l->names = mem_resize(l->names, l->cap * sizeof(*l->names));
	}
	l->names[l->count++] = (struct str){ mem_copy(name.p, name.len), name.len };
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static enum err names_read(struct task *t)
{
	struct names_list *l = t->op;
	int directory = t->st->w->directory;
	enum err e = l->accounts ? account_each(directory, domain_of(t->address), name_add, l)
	                         : domain_each(directory, name_add, l);

	l->kept = l->count;
	if (e && !l->accounts)
		e = e == ERR_ABSENT ? OK : e;
	return e;
}

/* In the lane, too: there may be very many. */
static enum err names_pack(struct task *t)
{
	struct names_list *l = t->op;

	if (l->kept)
		qsort(l->names, l->kept, sizeof(*l->names), by_name);
	pack_u32(&l->answer, (uint32_t)l->kept);
	for (size_t i = 0; i < l->kept; i++)
		pack_str(&l->answer, l->names[i]);
	for (size_t i = 0; i < l->count; i++)
		free((char *)l->names[i].p);
	free(l->names);
	return OK;
}

static void names_packed(struct task *t, enum err e)
{
	struct names_list *l = t->op;
	struct buf answer = l->answer;

	task_end(t, e, buf_str(&answer));
	buf_free(&answer);
}

/* In the lane: some of the names are looked at, and those that are wanted put to the front. One that cannot be read is shown
 * among the accounts. */
static enum err names_look(struct task *t)
{
	struct names_list *l = t->op;
	size_t end = l->count - l->looked < LOOK_AT_ONCE ? l->count : l->looked + LOOK_AT_ONCE;
	struct arena a = { 0 };

	for (; l->looked < end; l->looked++) {
		struct account_settings s = { 0 };
		struct str name = l->names[l->looked];

		if (account_read(t->st->w->directory, name, &a, &s) == ERR_ABSENT ||
			!(l->to.len ? name_points_to(&s, l->to, &a) : s.kind == l->kind)) {
			arena_reset(&a);
			continue;
		}
		l->names[l->looked] = l->names[l->kept];
		l->names[l->kept++] = name;
		arena_reset(&a);
	}
	arena_free(&a);
	return OK;
}

static void names_kinds(struct task *t, enum err e)
{
	const struct names_list *l = t->op;

	if (e) /* then there are no names */
		task_end(t, e, STR_NONE);
	else if (l->looked == l->count)
		task_in_lane(t, t->st->w->slow, names_pack, names_packed);
	else
		task_in_lane(t, t->st->w->slow, names_look, names_kinds);
}

static void names_found(struct task *t, enum err e)
{
	struct names_list *l = t->op;

	if (l->accounts)
		l->kept = 0;
	else
		l->looked = l->count; /* every domain is wanted */
	names_kinds(t, e);
}

static void names_handle(struct worker *w, struct request *rq, struct str args, bool accounts)
{
	struct task *t = task_new(w, rq, args, ASKER_CONTROL);
	struct names_list *l;

	if (!t)
		return;
	l = task_op(t, struct names_list);
	l->accounts = accounts;
	if (accounts) {
		l->kind = (enum account_kind)unpack_u8(&t->args);
		l->to = unpack_str(&t->args);
	}
	if (task_args_end(t))
		task_in_lane(t, w->slow, names_read, names_found);
}

void domain_list_handle(struct worker *w, struct request *rq, struct str args)
{
	names_handle(w, rq, args, false);
}

void account_list_handle(struct worker *w, struct request *rq, struct str args)
{
	names_handle(w, rq, args, true);
}

static void names_tell(struct asked *k, enum err e, struct str answer)
{
	struct unpack u = unpack_of(answer);
	uint32_t count = unpack_u32(&u);
	struct str *names = NULL;

	if (!e && (u.bad || count > answer.len))
		e = ERR_AGAIN;
	if (!e) {
		names = mem_alloc(count * sizeof(*names));
		for (uint32_t i = 0; i < count; i++)
			names[i] = unpack_str(&u);
		if (!unpack_end(&u))
			e = ERR_AGAIN;
	}
	k->done.names(k->user, e, e ? NULL : names, e ? 0 : count);
	free(names);
}

struct call *store_domain_list(struct worker *w, names_done *done, void *user)
{
	struct asked *k = ask_new(w, ASKER_CONTROL, STR_NONE, STR("@"));

	k->done.names = done;
	return ask_send(k, CALL_DOMAIN_LIST, names_tell, user);
}

static struct call *ask_names(
	struct worker *w, struct str domain, enum account_kind kind, struct str to, names_done *done, void *user)
{
	enum err e;
	struct asked *k = ask_domain(w, domain, &e);

	k->done.names = done;
	if (e)
		return ask_refuse(k, e, names_tell, user);
	pack_u8(&k->args, (uint8_t)kind);
	pack_str(&k->args, to);
	return ask_send_until(k, CALL_ACCOUNT_LIST, LIST_MS, names_tell, user);
}

struct call *store_name_list(struct worker *w, enum account_kind kind, struct str domain, names_done *done, void *user)
{
	return ask_names(w, domain, kind, STR_NONE, done, user);
}

struct call *store_names_to(struct worker *w, struct str domain, struct str addresses, names_done *done, void *user)
{
	return ask_names(w, domain, KIND_ACCOUNT, addresses, done, user);
}

struct call *store_account_list(struct worker *w, struct str domain, names_done *done, void *user)
{
	return store_name_list(w, KIND_ACCOUNT, domain, done, user);
}
