/* store_admin.c - the first administrator among the accounts of a domain: whoever gets its postmaster's mail if nobody else
 * does. Accounts do not know of each other, so their settings are read one after the other; what came of it is known
 * for a minute, for strangers may ask. */
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include <stdlib.h>

#define KNOWN_MS     60000
#define KNOWN_MAX    1000  /* domains remembered; more, and all are forgotten */
#define NAMES_MAX    10000 /* of a domain: more are not looked through */
#define LOOK_AT_ONCE 100   /* settings read at a time */

struct admin {
	struct table_node node;
	char *domain, *address; /* NULL: there is none */
	int64_t until_ms;
};

void admins_free(struct store *st)
{
	struct table_node *n;

	while ((n = table_any(&st->admins))) {
		struct admin *m = container_of(n, struct admin, node);

		table_remove(&st->admins, n);
		free(m->domain);
		free(m->address);
		free(m);
	}
	table_free(&st->admins);
}

static struct admin *admin_find(struct store *st, struct str domain)
{
	struct table_node *n = table_first(&st->admins, str_hash(domain));

	while (n && !str_eq(str_of(container_of(n, struct admin, node)->domain), domain))
		n = table_next(n);
	return n ? container_of(n, struct admin, node) : NULL;
}

static void admin_note(struct store *st, struct str domain, struct str address)
{
	struct admin *m = admin_find(st, domain);

	if (!m) {
		if (st->admins.count >= KNOWN_MAX)
			admins_free(st);
		m = mem_new(struct admin);
		m->domain = str_dup(domain);
		table_add(&st->admins, &m->node, str_hash(domain));
	}
	free(m->address);
	m->address = address.len ? str_dup(address) : NULL;
	m->until_ms = timers_now_ms(st->w->timers) + KNOWN_MS;
}

/* --- looking ------------------------------------------------------------------------------------------------------------ */

struct admin_op {
	struct str *names; /* ours */
	size_t count, looked;
	struct str found; /* one of them */
};

static void name_add(void *user, struct str name)
{
	struct admin_op *o = user;

	if (o->count < NAMES_MAX)
		o->names[o->count++] = (struct str){ mem_copy(name.p, name.len), name.len };
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static enum err names_read(struct task *t)
{
	struct admin_op *o = t->op;
	enum err e;

	o->names = mem_alloc(NAMES_MAX * sizeof(*o->names));
	e = account_each(t->st->w->directory, domain_of(t->address), name_add, o);
	qsort(o->names, o->count, sizeof(*o->names), by_name);
	return e;
}

static enum err names_look(struct task *t)
{
	struct admin_op *o = t->op;
	struct arena a = { 0 };

	for (unsigned i = 0; i < LOOK_AT_ONCE && o->looked < o->count && !o->found.len; i++) {
		struct str name = o->names[o->looked++];
		struct account_settings s;

		if (!account_read(t->st->w->directory, name, &a, &s) && s.kind == KIND_ACCOUNT && s.admin)
			o->found = name;
		arena_reset(&a);
	}
	arena_free(&a);
	return OK;
}

static void admin_answer(struct task *t, enum err e)
{
	struct admin_op *o = t->op;
	struct buf answer = { 0 };

	if (!e || e == ERR_ABSENT)
		admin_note(t->st, domain_of(t->address), o->found);
	buf_add_str(&answer, o->found);
	for (size_t i = 0; i < o->count; i++)
		free((char *)o->names[i].p);
	free(o->names);
	task_end(t, e ? e : buf_len(&answer) ? OK : ERR_ABSENT, buf_str(&answer));
	buf_free(&answer);
}

static void admin_looked(struct task *t, enum err e)
{
	struct admin_op *o = t->op;

	if (e || o->found.len || o->looked == o->count)
		admin_answer(t, e);
	else
		task_in_lane(t, t->st->w->slow, names_look, admin_looked);
}

void admin_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_SYSTEM);
	const struct admin *m;

	if (!t || !task_args_end(t))
		return;
	m = admin_find(t->st, domain_of(t->address));
	if (m && m->until_ms > timers_now_ms(w->timers)) {
		task_end(t, m->address ? OK : ERR_ABSENT, str_of(m->address));
	} else {
		task_op(t, struct admin_op);
		task_in_lane(t, w->slow, names_read, admin_looked);
	}
}

static void admin_tell(struct asked *k, enum err e, struct str answer)
{
	k->done.recipient(k->user, e, answer);
}

struct call *store_admin(struct worker *w, struct str domain, recipient_done *done, void *user)
{
	struct buf address = { 0 };
	struct asked *k;

	buf_printf(&address, "@" STR_FMT, STR_ARG(domain));
	k = ask_new(w, ASKER_SYSTEM, STR_NONE, buf_str(&address));
	buf_free(&address);
	k->done.recipient = done;
	return ask_send(k, CALL_ADMIN, admin_tell, user);
}
