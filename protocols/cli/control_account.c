/* control_account.c - requests about domains and accounts: each is one call of the store (store.h). */
#include "protocols/cli/control_session.h"
#include "storage/store.h"

static void changed(void *user, enum err e)
{
	struct control *c = user;

	c->waiting = NULL;
	control_end(c, e, STR_NONE);
}

static void listed(void *user, enum err e, const struct str *names, size_t count)
{
	struct control *c = user;

	c->waiting = NULL;
	for (size_t i = 0; !e && i < count; i++)
		control_item(c, json_pack("{s:o}", "name", control_json(names[i])));
	control_end(c, e, STR_NONE);
}

static void handle_domain_add(struct control *c)
{
	c->waiting = store_domain_add(c->worker, control_text(c, "name"), changed, c);
}

static void handle_domain_delete(struct control *c)
{
	c->waiting = store_domain_delete(c->worker, control_text(c, "name"), changed, c);
}

static void handle_domain_list(struct control *c)
{
	c->waiting = store_domain_list(c->worker, listed, c);
}

static void change_account(struct control *c, bool create)
{
	struct account_change change = {
		.address = control_text(c, "name"),
		.password = control_text(c, "password"),
		.hash = control_text(c, "hash"),
		.create = create,
		.admin = json_is_true(json_object_get(c->request, "admin")),
	};

	c->waiting = store_account_change(c->worker, &change, changed, c);
}

static void handle_account_add(struct control *c)
{
	change_account(c, true);
}

static void handle_account_passwd(struct control *c)
{
	change_account(c, false);
}

static void handle_account_delete(struct control *c)
{
	c->waiting = store_account_delete(c->worker, control_text(c, "name"), changed, c);
}

static void handle_account_list(struct control *c)
{
	c->waiting = store_account_list(c->worker, control_text(c, "name"), listed, c);
}

const struct control_request control_account_requests[] = {
	{ "domain-add", handle_domain_add },
	{ "domain-delete", handle_domain_delete },
	{ "domain-list", handle_domain_list },
	{ "account-add", handle_account_add },
	{ "account-passwd", handle_account_passwd },
	{ "account-delete", handle_account_delete },
	{ "account-list", handle_account_list },
	{ 0 },
};
