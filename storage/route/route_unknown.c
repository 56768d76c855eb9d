/* route_unknown.c - names of our domains that are not there. */
#include "storage/login.h"
#include "storage/route/rewrite.h"
#include "storage/route/route_inside.h"

/* The forms in which mail was once sent on by way of us: user%elsewhere, elsewhere!user, "user@elsewhere". */
static bool points_elsewhere(struct str local)
{
	return str_find(local, '%') >= 0 || str_find(local, '!') >= 0 || str_find(local, '@') >= 0;
}

/* Behind what else than a + may a detail stand? Then the name before it is asked for, once. */
static bool name_before_detail(struct router *r, struct want *n)
{
	size_t plus = n->asked.p == n->key.p && n->detail.len ? n->local.len - n->detail.len - 1 : n->local.len;

	if (n->asked.p != n->key.p || n->local.p[0] == '"')
		return false;
	for (size_t i = 1; i < plus; i++) {
		if (n->local.p[i] == '+' || !strchr(n->conf->detail, n->local.p[i]))
			continue;
		n->detail = str_cut(n->local, i + 1, n->local.len);
		n->asked = str_of(arena_printf(&r->memory, "%.*s@" STR_FMT, (int)i, n->local.p, STR_ARG(n->domain)));
		route_ask(r, n);
		return true;
	}
	return false;
}

static struct str first_domain(const struct router *r)
{
	const struct login_conf *login = conf_section(r->conf, &login_settings);

	return *login->default_domain ? str_of(login->default_domain) : domain_first(r->conf);
}

/* Every domain has a postmaster (RFC 5321, 4.5.1): where its settings say, else the first domain's. */
static bool to_postmaster(struct router *r, struct want *n)
{
	struct str first = first_domain(r);

	if (!str_eq(n->local, STR("postmaster")))
		return false;
	if (n->conf->postmaster[0]) {
		route_explain(r, "the domain's postmaster is %s", n->conf->postmaster);
		route_want(r, n, str_of(n->conf->postmaster), true);
		return true;
	}
	if (!first.len || str_eq(first, n->domain))
		return false;
	route_explain(r, "the postmaster is that of our first domain");
	route_want(r, n, str_of(arena_printf(&r->memory, "postmaster@" STR_FMT, STR_ARG(first))), true);
	return true;
}

static void to_rule(struct router *r, struct want *n)
{
	const char *rule = n->conf->unknown;
	struct str to;

	route_explain(r, "there is no " STR_FMT "; the rule for such is: %s", STR_ARG(n->key), rule);
	if (!strcmp(rule, DOMAIN_DISCARD)) {
		route_end(r, n, ROUTE_DISCARD, n->address, STR_NONE);
	} else if (strcmp(rule, DOMAIN_REJECT) != 0) {
		to = rewrite_target(&r->memory, str_of(rule), n->local);
		route_want(r, n, to, true);
	} else if (points_elsewhere(n->local)) {
		route_reject(r, n, "550 5.7.1 <" STR_FMT "> is not ours, and we do not relay", STR_ARG(n->address));
	} else {
		route_reject(r, n, "550 5.1.1 <" STR_FMT "> is not known here", STR_ARG(n->address));
	}
}

bool route_unknown(struct router *r, struct want *n)
{
	if (name_before_detail(r, n))
		return false;
	if (r->q.login)
		route_reject(r, n, "550 5.1.1 not an account here");
	else if (!to_postmaster(r, n))
		to_rule(r, n);
	return true;
}
