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

static struct call *ask_change(struct control *c, struct str name, enum name_how how)
{
	struct name_change change = {
		.kind = kind_of(c),
		.how = how,
		.address = name,
		.to = control_text(c, "to"),
		.owner = control_text(c, "owner"),
		.members_only = json_is_true(json_object_get(c->request, "members_only")),
		.skip_author = json_is_true(json_object_get(c->request, "skip_author")),
	};

	return store_name_change(c->worker, &change, control_changed, c);
}

static struct call *ask_add(struct control *c, struct str name)
{
	return ask_change(c, name, NAME_ADD);
}

static struct call *ask_set(struct control *c, struct str name)
{
	return ask_change(c, name, NAME_SET);
}

static struct call *ask_member_add(struct control *c, struct str name)
{
	return ask_change(c, name, NAME_MEMBER_ADD);
}

static struct call *ask_member_delete(struct control *c, struct str name)
{
	return ask_change(c, name, NAME_MEMBER_DELETE);
}

static struct call *ask_delete(struct control *c, struct str name)
{
	return store_name_delete(c->worker, kind_of(c), name, control_changed, c);
}

static struct call *ask_list(struct control *c, struct str domain)
{
	return store_name_list(c->worker, kind_of(c), domain, control_listed, c);
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

static struct call *ask_show(struct control *c, struct str name)
{
	return store_name(c->worker, name, 0, shown, c);
}

static void handle_add(struct control *c)
{
	control_with_name(c, name_account, ask_add);
}

static void handle_set(struct control *c)
{
	control_with_name(c, name_account, ask_set);
}

static void handle_member_add(struct control *c)
{
	control_with_name(c, name_account, ask_member_add);
}

static void handle_member_delete(struct control *c)
{
	control_with_name(c, name_account, ask_member_delete);
}

static void handle_delete(struct control *c)
{
	control_with_name(c, name_account, ask_delete);
}

static void handle_list(struct control *c)
{
	control_with_name(c, name_domain, ask_list);
}

static void handle_show(struct control *c)
{
	control_with_name(c, name_account, ask_show);
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
