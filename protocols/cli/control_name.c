/* control_name.c - requests about aliases, forwarders and groups: "alias-add", "group-show" ... One is served as another;
 * its first word says what kind of name it is about. */
#include "protocols/cli/control_session.h"
#include "protocols/cli/names.h"
#include "storage/store.h"

static enum account_kind kind_of(const struct control *c)
{
	enum account_kind kind = KIND_ALIAS;
	const char *verb;

	name_order(c->session.doing, &kind, &verb);
	return kind;
}

static void changed(void *user, enum err e)
{
	struct control *c = user;

	c->waiting = NULL;
	control_end(c, e, STR_NONE);
}

static void change(struct control *c, enum name_how how)
{
	struct arena memory = { 0 };
	struct name_change change = {
		.kind = kind_of(c),
		.how = how,
		.to = control_text(c, "to"),
		.owner = control_text(c, "owner"),
		.members_only = json_is_true(json_object_get(c->request, "members_only")),
		.skip_author = json_is_true(json_object_get(c->request, "skip_author")),
	};
	enum err e = name_account(&memory, control_text(c, "name"), &change.address);

	if (e)
		control_error(c, e, STR_NONE);
	else
		c->waiting = store_name_change(c->worker, &change, changed, c);
	arena_free(&memory);
}

static void handle_add(struct control *c)
{
	change(c, NAME_ADD);
}

static void handle_set(struct control *c)
{
	change(c, NAME_SET);
}

static void handle_member_add(struct control *c)
{
	change(c, NAME_MEMBER_ADD);
}

static void handle_member_delete(struct control *c)
{
	change(c, NAME_MEMBER_DELETE);
}

static void handle_delete(struct control *c)
{
	struct arena memory = { 0 };
	struct str name;
	enum err e = name_account(&memory, control_text(c, "name"), &name);

	if (e)
		control_error(c, e, STR_NONE);
	else
		c->waiting = store_name_delete(c->worker, kind_of(c), name, changed, c);
	arena_free(&memory);
}

static void listed(void *user, enum err e, const struct str *names, size_t count)
{
	struct control *c = user;

	c->waiting = NULL;
	for (size_t i = 0; !e && i < count; i++)
		control_item(c, json_pack("{s:o}", "name", control_json(names[i])));
	control_end(c, e, STR_NONE);
}

static void handle_list(struct control *c)
{
	struct arena memory = { 0 };
	struct str domain;
	enum err e = name_domain(&memory, control_text(c, "name"), &domain);

	if (e)
		control_error(c, e, STR_NONE);
	else
		c->waiting = store_name_list(c->worker, kind_of(c), domain, listed, c);
	arena_free(&memory);
}

static void show(struct control *c, const char *setting, struct str value)
{
	if (value.len)
		control_item(c, json_pack("{s:s, s:o}", "setting", setting, "value", control_json(value)));
}

static void shown(void *user, enum err e, const struct stored_name *n)
{
	struct control *c = user;

	c->waiting = NULL;
	if (e == ERR_DENIED || (!e && n->kind != kind_of(c)))
		e = ERR_ABSENT;
	if (!e) {
		show(c, "kind", str_of(account_kind_word(n->kind)));
		show(c, "owner", n->owner);
		show(c, "members_only", n->members_only ? STR("true") : STR_NONE);
		show(c, "skip_author", n->skip_author ? STR("true") : STR_NONE);
		for (size_t i = 0; i < n->count; i++)
			show(c, "to", n->to[i]);
	}
	control_end(c, e, STR_NONE);
}

static void handle_show(struct control *c)
{
	struct arena memory = { 0 };
	struct str name;
	enum err e = name_account(&memory, control_text(c, "name"), &name);

	if (e)
		control_error(c, e, STR_NONE);
	else
		c->waiting = store_name(c->worker, name, STORE_NO_MAIL, shown, c);
	arena_free(&memory);
}

const struct control_request control_name_requests[] = {
	{ "alias-add", handle_add },
	{ "alias-set", handle_set },
	{ "alias-delete", handle_delete },
	{ "alias-show", handle_show },
	{ "alias-list", handle_list },
	{ "forwarder-add", handle_add },
	{ "forwarder-set", handle_set },
	{ "forwarder-delete", handle_delete },
	{ "forwarder-show", handle_show },
	{ "forwarder-list", handle_list },
	{ "group-add", handle_add },
	{ "group-set", handle_set },
	{ "group-member-add", handle_member_add },
	{ "group-member-delete", handle_member_delete },
	{ "group-delete", handle_delete },
	{ "group-show", handle_show },
	{ "group-list", handle_list },
	{ 0 },
};
