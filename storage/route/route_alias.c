/* route_alias.c - names that stand in the aliases(5) files of their domain, whatever else they are. */
#include "core/log.h"
#include "storage/route/alias_program.h"
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

/* As what is sent on: it is seen when the program brings the message back. */
static void to_program(struct router *r, const struct want *n, struct str name, const struct alias_target *t)
{
	size_t before = r->leaf_count;

	route_explain(r, "a program gets it: " STR_FMT, STR_ARG(t->text));
	route_end(r, n, ROUTE_REMOTE, alias_program_address(&r->memory, name, n->domain, t->text), STR_NONE);
	if (r->leaf_count > before)
		r->leaves[before].forwarded = true;
}

/* A file gets nothing: what is not stored here is a program's business, and the name of one that takes all stands for it. */
static void to_nothing(struct router *r, const struct want *n, const struct alias_target *t)
{
	const char *what = t->kind == ALIAS_PROGRAM ? "program" : "file";

	if (t->kind == ALIAS_ERROR) {
		route_end(r, n, t->text.p[0] == '4' ? ROUTE_AGAIN : ROUTE_REJECT, n->address,
			arena_str(&r->memory, t->text));
		return;
	}
	route_explain(r, "a %s gets no mail here: " STR_FMT, what, STR_ARG(t->text));
	route_reject(r, n, "550 5.3.0 <" STR_FMT "> stands for a %s", STR_ARG(n->address), what);
}

static bool is_nothing(const struct alias_target *t)
{
	return t->kind == ALIAS_FILE && str_eq(t->text, STR("/dev/null"));
}

/* Whether something takes mail; if not, why is told to whoever can change it. */
static bool takes(const struct want *n, const struct alias_target *t)
{
	if (t->kind == ALIAS_ADDRESS || is_nothing(t) || alias_program_may(n->conf, t))
		return true;
	if (t->kind == ALIAS_PROGRAM)
		log_warn("route", NULL,
			"program not run alias=<" STR_FMT "> command=\"" STR_FMT
			"\" setting=domain.aliases_programs wants=%s",
			STR_ARG(n->key), STR_ARG(t->text), t->included ? "all" : "files");
	else if (t->kind == ALIAS_FILE)
		log_warn("route", NULL,
			"file not written alias=<" STR_FMT "> file=\"" STR_FMT "\" instead=account, pipe",
			STR_ARG(n->key), STR_ARG(t->text));
	return false;
}

static void to_target(struct router *r, const struct want *n, struct str name, const struct alias_target *t)
{
	if (t->kind == ALIAS_ADDRESS) {
		to_address(r, n, t);
	} else if (t->kind == ALIAS_PROGRAM) {
		to_program(r, n, name, t);
	} else {
		route_explain(r, "it is thrown away");
		route_end(r, n, ROUTE_DISCARD, n->address, STR_NONE);
	}
}

static void to_targets(struct router *r, struct want *n, struct str name, const struct alias *alias)
{
	const struct alias_target *t = alias->targets;
	size_t taken = 0;

	if (alias->owner.len)
		n->sender = str_of(
			arena_printf(&r->memory, STR_FMT "@" STR_FMT, STR_ARG(alias->owner), STR_ARG(n->domain)));
	for (size_t i = alias->count; i-- > 0;)
		if (takes(n, &t[i])) {
			to_target(r, n, name, &t[i]);
			taken++;
		}
	if (alias->count && !taken)
		to_nothing(r, n, &t[0]);
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
		to_targets(r, n, name, alias);
	}
	return true;
}
