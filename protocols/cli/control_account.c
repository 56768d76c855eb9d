/* control_account.c - requests about domains and accounts: a name is checked, then each is one call of the store, which
 * copies what it is given. */
#include "protocols/cli/control_session.h"
#include "protocols/cli/names.h"
#include "storage/store.h"

static void written_anew(struct control *c, enum err e, struct str absent, struct str again)
{
	c->waiting = NULL;
	control_end(c, e, e == ERR_ABSENT ? absent : e == ERR_AGAIN ? again : STR_NONE);
}

static void settled(void *user, enum err e)
{
	written_anew(
		user, e, STR("there is no such account"), STR("not all of it could be written anew; the log says why"));
}

/* Whoever is logged in to the account no longer may be: it is gone, or who knew its old password may be in there. */
static void shut_out(void *user, enum err e)
{
	struct control *c = user;
	struct arena memory = { 0 };
	struct str name;

	c->waiting = NULL;
	if (e || name_account(&memory, control_text(c, "name"), &name))
		control_end(c, e, STR_NONE);
	else
		control_kick_account(c, name);
	arena_free(&memory);
}

static void tell_limit(struct control *c, const char *what, uint64_t used, uint64_t limit)
{
	struct buf text = { 0 };

	buf_add_number(&text, used);
	if (limit)
		buf_printf(&text, " of %llu", (unsigned long long)limit);
	else
		buf_printf(&text, ", no limit");
	control_item(c, json_pack("{s:s, s:o}", "setting", what, "value", control_json(buf_str(&text))));
	buf_free(&text);
}

static void quota_told(void *user, enum err e, const struct quota_status *q)
{
	struct control *c = user;

	c->waiting = NULL;
	if (!e) {
		tell_limit(c, "bytes", q->used.bytes, q->limit.bytes);
		tell_limit(c, "messages", q->used.messages, q->limit.messages);
	}
	control_end(c, e, STR_NONE);
}

static struct call *ask_domain_add(struct control *c, struct str name)
{
	return store_domain_add(c->worker, name, control_changed, c);
}

static struct call *ask_domain_delete(struct control *c, struct str name)
{
	return store_domain_delete(c->worker, name, control_changed, c);
}

static struct call *ask_account_change(struct control *c, struct str name, bool create)
{
	struct account_change change = {
		.address = name,
		.password = control_text(c, "password"),
		.hash = control_text(c, "hash"),
		.create = create,
		.admin = json_is_true(json_object_get(c->request, "admin")),
	};

	return store_account_change(c->worker, &change, create ? control_changed : shut_out, c);
}

static struct call *ask_account_add(struct control *c, struct str name)
{
	return ask_account_change(c, name, true);
}

static struct call *ask_account_passwd(struct control *c, struct str name)
{
	return ask_account_change(c, name, false);
}

static struct call *ask_account_delete(struct control *c, struct str name)
{
	return store_account_delete(c->worker, name, shut_out, c);
}

static struct call *ask_account_settle(struct control *c, struct str name)
{
	return store_settle(c->worker, name, settled, c);
}

static void converted(void *user, enum err e)
{
	written_anew(user, e, STR("there is no such account or mailbox"),
		STR("the mailbox stays as it was; the log says why"));
}

static struct call *ask_mailbox_convert(struct control *c, struct str name)
{
	bool mdir = str_eq(control_text(c, "format"), STR("mdir"));

	return store_convert(
		c->worker, name, control_text(c, "mailbox"), mdir ? FORMAT_MDIR : FORMAT_MBOX, converted, c);
}

static struct call *ask_account_list(struct control *c, struct str name)
{
	return store_account_list(c->worker, name, control_listed, c);
}

/* The names of a domain that point to the account "to". */
static struct call *ask_names_to(struct control *c, struct str domain)
{
	struct arena memory = { 0 };
	struct str name = STR_NONE, forms;
	struct call *call;

	name_account(&memory, control_text(c, "to"), &name);
	forms = name_forms(c->worker->conf, &memory, name);
	call = store_names_to(c->worker, domain, forms, control_listed, c);
	arena_free(&memory);
	return call;
}

static void handle_domain_add(struct control *c)
{
	control_with_name(c, name_domain, ask_domain_add);
}

static void handle_domain_delete(struct control *c)
{
	control_with_name(c, name_domain, ask_domain_delete);
}

static void handle_domain_list(struct control *c)
{
	c->waiting = store_domain_list(c->worker, control_listed, c);
}

static void handle_account_add(struct control *c)
{
	control_with_name(c, name_account, ask_account_add);
}

static void handle_account_passwd(struct control *c)
{
	control_with_name(c, name_account, ask_account_passwd);
}

static void handle_account_delete(struct control *c)
{
	control_with_name(c, name_account, ask_account_delete);
}

static void handle_mailbox_convert(struct control *c)
{
	control_with_name(c, name_account, ask_mailbox_convert);
}

static void handle_account_settle(struct control *c)
{
	control_with_name(c, name_account, ask_account_settle);
}

static void handle_account_quota(struct control *c)
{
	struct str bytes = control_text(c, "bytes"), messages = control_text(c, "messages");
	struct arena memory = { 0 };
	struct quota own = { 0 };
	struct str name;
	enum err e = name_account(&memory, control_text(c, "name"), &name);

	if (!e && bytes.len)
		e = names_quota(bytes, messages, &own);
	if (e)
		control_error(c, e, STR_NONE);
	else
		c->waiting = store_quota_change(c->worker, name, bytes.len ? &own : NULL, quota_told, c);
	arena_free(&memory);
}

static void handle_account_list(struct control *c)
{
	control_with_name(c, name_domain, ask_account_list);
}

static void handle_names_to(struct control *c)
{
	control_with_name(c, name_domain, ask_names_to);
}

const struct control_request control_account_requests[] = {
	{ "domain-add", handle_domain_add },
	{ "domain-delete", handle_domain_delete },
	{ "domain-list", handle_domain_list },
	{ "account-add", handle_account_add },
	{ "account-passwd", handle_account_passwd },
	{ "account-delete", handle_account_delete },
	{ "account-quota", handle_account_quota },
	{ "account-list", handle_account_list },
	{ "names-to", handle_names_to },
	{ "account-settle", handle_account_settle },
	{ "mailbox-convert", handle_mailbox_convert },
	{ 0 },
};
