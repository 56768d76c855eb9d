/* route_alias.c - names that stand in the aliases(5) files of their domain, whatever else they are. */
#include "storage/route/aliases.h"
#include "storage/route/route_inside.h"

static void to_address(struct router *r, const struct want *n, const struct alias_target *t)
{
	struct str address = t->text;
	struct want *more;

	if (str_rfind(address, '@') < 0)
		address = str_of(arena_printf(&r->memory, STR_FMT "@" STR_FMT, STR_ARG(address), STR_ARG(n->domain)));
	more = route_want(r, n, address, true);
	more->plain = t->plain;
}

/* Programs and files get nothing: whoever wants that has a `pipe` and a route to it. */
static void to_nothing(struct router *r, const struct want *n, const struct alias_target *t)
{
	if (t->kind == ALIAS_ERROR) {
		route_end(r, n, t->text.p[0] == '4' ? ROUTE_AGAIN : ROUTE_REJECT, n->address,
			arena_str(&r->memory, t->text));
		return;
	}
	route_explain(r, "a program or a file gets no mail here: " STR_FMT, STR_ARG(t->text));
	route_reject(r, n, "550 5.3.0 <" STR_FMT "> stands for a program or a file", STR_ARG(n->address));
}

static void to_targets(struct router *r, struct want *n, const struct alias *alias)
{
	const struct alias_target *t = alias->targets;
	size_t addresses = 0;

	if (alias->owner.len)
		n->sender = str_of(
			arena_printf(&r->memory, STR_FMT "@" STR_FMT, STR_ARG(alias->owner), STR_ARG(n->domain)));
	for (size_t i = alias->count; i-- > 0;)
		if (t[i].kind == ALIAS_ADDRESS) {
			to_address(r, n, &t[i]);
			addresses++;
		}
	for (size_t i = 0; i < alias->count && !addresses; i++)
		if (t[i].kind != ALIAS_ADDRESS) {
			to_nothing(r, n, &t[i]);
			break;
		}
	if (!alias->count)
		route_reject(r, n, "550 5.1.1 <" STR_FMT "> has no members", STR_ARG(n->address));
}

bool route_alias(struct router *r, struct want *n)
{
	const struct setting_list *files = &n->conf->aliases_files;
	struct str name = str_cut(n->asked, 0, (size_t)str_rfind(n->asked, '@'));
	const struct alias *alias;
	enum err e;

	if (!files->count || n->plain || r->q.login)
		return false;
	e = aliases_find(r->w, files, name, &alias);
	if (e == ERR_ABSENT && n->detail.len && n->asked.p == n->key.p) {
		name.len -= n->detail.len + 1;
		e = aliases_find(r->w, files, name, &alias);
	}
	if (e == ERR_ABSENT)
		return false;
	if (e || alias->incomplete) {
		route_explain(r, "an aliases file cannot be read");
		route_again(r, n);
	} else {
		route_explain(r, STR_FMT " stands in an aliases file", STR_ARG(n->key));
		to_targets(r, n, alias);
	}
	return true;
}
