/* offline.c - domains and accounts changed in the store's files, while no server runs (admin.h). What the store's owner
 * would do by a call is done here by account.h's functions, durable when they answer. */
#include "protocols/cli/admin.h"
#include "protocols/cli/lines.h"
#include "protocols/cli/names.h"
#include "storage/account/account.h"
#include "storage/account/login.h"
#include "storage/account/password.h"

struct offline {
	const struct conf *conf;
	int directory;
	const struct order *order;
	struct arena memory;
	struct str name;   /* in canonical form */
	struct buf *names; /* of lists; NULL for the rest */
};

static enum err canonical_account(struct offline *o)
{
	return name_account(&o->memory, o->order->name, &o->name);
}

static enum err canonical_domain(struct offline *o)
{
	return name_domain(&o->memory, o->order->name, &o->name);
}

static enum err domain_add(struct offline *o)
{
	enum err e = canonical_domain(o);

	if (!e && domain_exists(o->directory, o->name))
		e = ERR_EXISTS;
	return e ? e : domain_write(o->directory, o->name);
}

static enum err domain_remove(struct offline *o)
{
	enum err e = canonical_domain(o);

	if (!e && !domain_exists(o->directory, o->name))
		e = ERR_ABSENT;
	return e ? e : domain_delete(o->directory, o->name);
}

/* What is kept of the order's password, into s. */
static enum err keep_password(struct offline *o, struct account_settings *s)
{
	const struct login_conf *login = conf_section(o->conf, &login_settings);
	enum hash_cost cost = (enum hash_cost)login->hash;
	enum err e;

	if (o->order->hash.len) {
		s->password = o->order->hash;
		s->scram_sha_256 = STR_NONE;
		return password_crypt_check(s->password);
	}
	e = password_hash(o->order->password, cost, &o->memory, &s->password);
	return e ? e : password_scram_sha_256(o->order->password, cost, &o->memory, &s->scram_sha_256);
}

static enum err account_add(struct offline *o)
{
	struct account_settings there, s = { .admin = o->order->admin };
	enum err e = canonical_account(o);

	if (!e) {
		e = account_read(o->directory, o->name, &o->memory, &there);
		e = e == ERR_ABSENT ? OK : e ? e : ERR_EXISTS;
	}
	if (!e)
		e = keep_password(o, &s);
	return e ? e : account_write(o->directory, o->name, &s);
}

static enum err account_passwd(struct offline *o)
{
	struct account_settings s;
	enum err e = canonical_account(o);

	if (!e)
		e = account_read(o->directory, o->name, &o->memory, &s);
	if (!e && s.kind != KIND_ACCOUNT)
		e = ERR_ABSENT;
	if (!e)
		e = keep_password(o, &s);
	return e ? e : account_write(o->directory, o->name, &s);
}

static enum err account_remove(struct offline *o)
{
	struct account_settings s = { 0 };
	enum err e = canonical_account(o);

	if (!e && !account_read(o->directory, o->name, &o->memory, &s) && s.kind != KIND_ACCOUNT)
		e = ERR_ABSENT;
	return e ? e : account_delete(o->directory, o->name);
}

/* What it holds is counted by a server alone. */
static enum err account_quota(struct offline *o)
{
	struct account_settings s;
	enum err e = canonical_account(o);

	if (!e)
		e = account_read(o->directory, o->name, &o->memory, &s);
	if (!e && s.kind != KIND_ACCOUNT)
		e = ERR_ABSENT;
	if (!e && o->order->bytes.len) {
		e = names_quota(o->order->bytes, o->order->messages, &s.quota);
		if (!e)
			e = account_write(o->directory, o->name, &s);
	}
	if (!e)
		account_quota_print(&s, o->names);
	return e;
}

static void note_name(void *user, struct str name)
{
	struct buf *names = user;

	buf_add_str(names, name);
	buf_add_char(names, '\n');
}

static enum err list_domains(struct offline *o)
{
	enum err e = domain_each(o->directory, note_name, o->names);

	lines_sort(o->names);
	return e;
}

static enum err list_accounts(struct offline *o)
{
	enum err e = canonical_domain(o);

	return e ? e : offline_list(o->directory, KIND_ACCOUNT, o->name, o->names);
}

static enum err list_names_to(struct offline *o)
{
	struct str name = STR_NONE;
	enum err e = canonical_domain(o);

	if (!e)
		e = name_account(&o->memory, o->order->to, &name);
	return e ? e : offline_names_to(o->directory, o->name, name_forms(o->conf, &o->memory, name), o->names);
}

enum err offline_do(const struct conf *conf, int directory, const struct order *order, struct buf *names)
{
	static const struct {
		const char *what;
		enum err (*run)(struct offline *o);
	} deeds[] = {
		{ "domain-add", domain_add },
		{ "domain-delete", domain_remove },
		{ "domain-list", list_domains },
		{ "account-add", account_add },
		{ "account-passwd", account_passwd },
		{ "account-delete", account_remove },
		{ "account-quota", account_quota },
		{ "account-list", list_accounts },
		{ "names-to", list_names_to },
	};
	struct offline o = { .conf = conf, .directory = directory, .order = order, .names = names };
	enum account_kind kind;
	const char *verb;
	enum err e = ERR_MISTAKE;

	if (name_order(order->what, &kind, &verb))
		return offline_name_do(conf, directory, order, names);
	for (size_t i = 0; i < sizeof(deeds) / sizeof(*deeds); i++)
		if (!strcmp(deeds[i].what, order->what))
			e = deeds[i].run(&o);
	arena_free(&o.memory);
	return e;
}
