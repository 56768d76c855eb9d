/* name_change.c - see name_change.h. */
#include "storage/account/name_change.h"
#include "storage/account/members.h"
#include "storage/mail/address.h"

/* Whether the addresses given are all that there will be. */
static bool replaces(const struct name_change *c)
{
	return c->how == NAME_SET && c->kind != KIND_GROUP;
}

static enum err change_list(const struct name_change *c, struct str list, struct arena *a, struct str *changed)
{
	struct buf given = { 0 }, out = { 0 };
	enum err e = members_parse(c->to, &given);

	if (!e && c->how == NAME_MEMBER_DELETE)
		e = members_remove(list, buf_str(&given), &out);
	else if (!e)
		e = members_add(replaces(c) ? STR_NONE : list, buf_str(&given), &out);
	*changed = arena_str(a, buf_str(&out));
	buf_free(&given);
	buf_free(&out);
	return e;
}

/* An alias stands for one, who is somebody else; a forwarder for at least one. */
static bool right_number(const struct name_change *c, const struct account_settings *s)
{
	size_t count = members_count(s->to);

	if (s->kind == KIND_ALIAS && members_have(s->to, c->address))
		return false;
	return s->kind == KIND_ALIAS ? count == 1 : s->kind == KIND_FORWARDER ? count > 0 : true;
}

enum err name_change_apply(
	const struct name_change *c, const struct account_settings *there, struct arena *a, struct account_settings *s)
{
	struct address_path owner;
	enum err e;

	if (c->how == NAME_ADD && there)
		return ERR_EXISTS;
	if (c->how != NAME_ADD && (!there || there->kind != c->kind))
		return ERR_ABSENT;
	*s = there ? *there : (struct account_settings){ .kind = c->kind };
	if (c->kind == KIND_GROUP && (c->how == NAME_ADD || c->how == NAME_SET)) {
		if (c->owner.len && address_mailbox(a, c->owner, ADDRESS_UTF8, &owner))
			return ERR_MISTAKE;
		s->owner = c->owner.len ? address_text(a, &owner) : STR_NONE;
		s->members_only = c->members_only;
		s->skip_author = c->skip_author;
	}
	if ((e = change_list(c, s->to, a, &s->to)))
		return e;
	return right_number(c, s) ? OK : ERR_MISTAKE;
}

bool name_points_to(const struct account_settings *s, struct str addresses, struct arena *a)
{
	struct str left = s->to, member, canonical;

	while (members_next(&left, &member))
		if (!account_canonical(member, a, &canonical, NULL) && members_have(addresses, canonical))
			return true;
	return s->owner.len && !account_canonical(s->owner, a, &canonical, NULL) && members_have(addresses, canonical);
}
