/* route_name.c - what the owner of a name said that it is. */
#include "storage/route/idn.h"
#include "storage/route/route_inside.h"

/* Whether a text in the form of an address is the author's. */
static bool is_author(struct router *r, struct str address)
{
	struct str author = route_author(r), key;
	ptrdiff_t at;

	if (!author.len || idn_address(&r->memory, address, &key))
		return false;
	at = str_rfind(key, '@');
	return at == str_rfind(author, '@') && !memcmp(key.p, author.p, (size_t)at) &&
	       str_eq(domain_real(r->conf, str_cut(key, (size_t)at + 1, key.len)),
		       str_cut(author, (size_t)at + 1, author.len));
}

static bool may_write(struct router *r, const struct stored_name *name)
{
	bool may = is_author(r, name->owner);

	for (size_t i = 0; i < name->count && !may; i++)
		may = is_author(r, name->to[i]);
	return may;
}

static void go_to_all(struct router *r, struct want *n, const struct stored_name *name)
{
	for (size_t i = name->count; i-- > 0;) /* so that the first is looked at first */
		route_want(r, n, name->to[i], true);
}

/* NULL: he may; else why not. Anybody can write a member's address into an envelope, so it counts only where it is believed. */
static const char *no_member(struct router *r, const struct stored_name *name)
{
	if (!name->members_only)
		return NULL;
	if (!may_write(r, name))
		return "only members may write to";
	return r->q.believed ? NULL : "only members who log in may write to";
}

static void to_group(struct router *r, struct want *n, const struct stored_name *name)
{
	const char *wrong = no_member(r, name);

	route_explain(r, STR_FMT " is a group of %zu", STR_ARG(n->key), name->count);
	if (!name->count) {
		route_reject(r, n, "550 5.1.1 <" STR_FMT "> has no members", STR_ARG(n->address));
	} else if (wrong) {
		route_explain(r, "%s it", wrong);
		route_reject(r, n, "550 5.7.1 %s <" STR_FMT ">", wrong, STR_ARG(n->address));
	} else {
		if (name->owner.len)
			n->sender = arena_str(&r->memory, name->owner);
		n->skip_author |= name->skip_author;
		go_to_all(r, n, name);
	}
}

static void to_account(struct router *r, struct want *n, const struct stored_name *name)
{
	route_explain(r, STR_FMT " is an account here%s" STR_FMT, STR_ARG(name->address),
		n->detail.len ? ", the detail is " : "", STR_ARG(n->detail));
	if (name->unready) {
		route_explain(r, "there is no room for its mail now");
		route_end(r, n, ROUTE_AGAIN, name->address,
			str_of(arena_printf(&r->memory,
				"452 4.3.1 there is no room for mail to <" STR_FMT ">, try again",
				STR_ARG(n->address))));
		return;
	}
	route_end(r, n, ROUTE_LOCAL, name->address, STR_NONE);
}

static void to_named(struct router *r, struct want *n, const struct stored_name *name)
{
	switch (name->kind) {
	case KIND_ACCOUNT:
		to_account(r, n, name);
		break;
	case KIND_ALIAS:
		route_explain(r, STR_FMT " is an alias", STR_ARG(n->key));
		go_to_all(r, n, name);
		break;
	case KIND_FORWARDER:
	case KIND_GROUP:
		if (r->q.login) {
			route_reject(r, n, "550 5.1.1 not an account here");
		} else if (name->kind == KIND_GROUP) {
			to_group(r, n, name);
		} else {
			route_explain(r, STR_FMT " is a forwarder", STR_ARG(n->key));
			go_to_all(r, n, name);
		}
		break;
	}
}

/* What the table made of a name of ours is no relaying: so that name's owner may have to be asked. */
bool route_elsewhere(struct router *r, struct want *n)
{
	struct str domain = str_cut(n->origin, (size_t)(str_rfind(n->origin, '@') + 1), n->origin.len);

	route_met(r, n->domain);
	route_explain(r, STR_FMT " is not a domain of ours", STR_ARG(n->domain));
	if (n->forwarded || !n->origin.len || domain_is_named(r->conf, domain)) {
		route_remote(r, n, !n->forwarded && !n->origin.len);
		return true;
	}
	n->tracing = true;
	n->asked = n->origin;
	route_ask(r, n);
	return false;
}

static bool traced(struct router *r, struct want *n, enum err e)
{
	if (e == ERR_AGAIN)
		route_again(r, n);
	else
		route_remote(r, n, e == ERR_DENIED);
	return true;
}

bool route_name_told(struct router *r, struct want *n, enum err e, const struct stored_name *name)
{
	bool detail = n->local.p[0] != '"' && str_find(n->local, '+') > 0 && n->asked.p == n->key.p;

	if (n->tracing)
		return traced(r, n, e);
	if (!e && detail && !strchr(n->conf->detail, '+'))
		e = ERR_ABSENT; /* the owner left out what is part of the name in this domain */
	if ((!e || e == ERR_ABSENT) && route_alias(r, n))
		return true;
	switch (e) {
	case OK:
		to_named(r, n, name);
		return true;
	case ERR_ABSENT:
		return route_unknown(r, n);
	case ERR_DENIED:
		return route_elsewhere(r, n);
	case ERR_MISTAKE:
		route_explain(r, STR_FMT " cannot be a name here", STR_ARG(n->address));
		route_reject(r, n, "553 5.1.3 <" STR_FMT "> cannot be an address here", STR_ARG(n->address));
		return true;
	case ERR_FULL:
		route_explain(r, STR_FMT " has no room for that", STR_ARG(n->address));
		route_reject(r, n, "552 5.2.2 <" STR_FMT "> has no room", STR_ARG(n->address));
		return true;
	default:
		route_again(r, n);
		return true;
	}
}
