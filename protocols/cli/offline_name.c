/* offline_name.c - aliases, forwarders and groups changed in the store's files, while no server runs (admin.h). */
#include "protocols/cli/admin.h"
#include "protocols/cli/lines.h"
#include "protocols/cli/names.h"
#include "storage/account/members.h"
#include "storage/account/name_change.h"
#include "storage/route/domain.h"

struct listing {
	int directory;
	enum account_kind kind;
	struct str to; /* or those that stand for one of these; "" : by kind */
	struct buf *names;
	struct arena memory;
};

/* One that cannot be read is shown among the accounts. */
static void list_name(void *user, struct str name)
{
	struct listing *l = user;
	struct account_settings s = { 0 };

	if (account_read(l->directory, name, &l->memory, &s) != ERR_ABSENT &&
		(l->to.len ? name_points_to(&s, l->to, &l->memory) : s.kind == l->kind)) {
		buf_add_str(l->names, name);
		buf_add_char(l->names, '\n');
	}
	arena_reset(&l->memory);
}

static enum err list(struct listing *l, struct str domain)
{
	enum err e = account_each(l->directory, domain, list_name, l);

	lines_sort(l->names);
	arena_free(&l->memory);
	return e;
}

enum err offline_list(int directory, enum account_kind kind, struct str domain, struct buf *names)
{
	struct listing l = { .directory = directory, .kind = kind, .names = names };

	return list(&l, domain);
}

enum err offline_names_to(int directory, struct str domain, struct str addresses, struct buf *names)
{
	struct listing l = { .directory = directory, .to = addresses, .names = names };

	return list(&l, domain);
}

struct offline_name {
	const struct conf *conf;
	int directory;
	const struct order *order;
	enum account_kind kind;
	struct arena *memory;
	struct str name;              /* in canonical form */
	struct account_settings then; /* as it is */
	enum err there;               /* OK: it is; of any kind */
};

static enum err change(struct offline_name *o, enum name_how how)
{
	const struct order *order = o->order;
	struct name_change c = { .kind = o->kind,
		.how = how,
		.address = o->name,
		.to = order->to,
		.owner = order->owner,
		.members_only = order->members_only,
		.skip_author = order->skip_author };
	struct account_settings s;
	enum err e = name_change_apply(&c, o->there ? NULL : &o->then, o->memory, &s);
	struct str left, member = STR_NONE;

	if (e)
		return e;
	left = s.to;
	if (s.kind == KIND_ALIAS && members_next(&left, &member)) {
		struct str domain = str_cut(member, (size_t)(str_rfind(member, '@') + 1), member.len);

		if (!domain_exists(o->directory, domain_real(o->conf, domain)))
			return ERR_DENIED;
	}
	return account_write(o->directory, o->name, &s);
}

static enum err run(struct offline_name *o, const char *verb, struct buf *names)
{
	if (!strcmp(verb, "add"))
		return change(o, NAME_ADD);
	if (!strcmp(verb, "set"))
		return change(o, NAME_SET);
	if (!strcmp(verb, "member-add"))
		return change(o, NAME_MEMBER_ADD);
	if (!strcmp(verb, "member-delete"))
		return change(o, NAME_MEMBER_DELETE);
	if (o->there || o->then.kind != o->kind)
		return ERR_ABSENT;
	if (!strcmp(verb, "delete"))
		return account_delete(o->directory, o->name);
	if (strcmp(verb, "show"))
		return ERR_MISTAKE;
	account_name_print(&o->then, names);
	return OK;
}

enum err offline_name_do(const struct conf *conf, int directory, const struct order *order, struct buf *names)
{
	struct arena memory = { 0 };
	struct offline_name o = { .conf = conf, .directory = directory, .order = order, .memory = &memory };
	const char *verb = "";
	enum err e;

	name_order(order->what, &o.kind, &verb);
	if (!strcmp(verb, "list")) {
		if (!(e = name_domain(&memory, order->name, &o.name)))
			e = offline_list(directory, o.kind, o.name, names);
	} else if (!(e = name_account(&memory, order->name, &o.name))) {
		o.there = account_read(directory, o.name, &memory, &o.then);
		e = o.there && o.there != ERR_ABSENT ? o.there : run(&o, verb, names);
	}
	arena_free(&memory);
	return e;
}
