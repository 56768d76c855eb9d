/* route_unknown.c - names of our domains that are not there. */
#include "storage/route/rewrite.h"
#include "storage/route/route_inside.h"
#include "storage/route/srs.h"

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

/* A bounce of what we forwarded goes back to who sent it first (srs.h). False: it is none. */
static bool turned_back(struct router *r, struct want *n)
{
	struct str local = str_cut(n->address, 0, (size_t)str_rfind(n->address, '@')), to;
	uint8_t key[SECRET_BYTES];
	enum err e;

	if (!srs_is(local))
		return false;
	store_secret(r->w, "srs", key);
	e = srs_reverse(
		&r->memory, (struct str){ (const char *)key, sizeof(key) }, local, worker_wall_ms(r->w) / 1000, &to);
	if (e == ERR_MISTAKE)
		return false;
	if (!e) {
		route_explain(r, STR_FMT " is the sender of what we forwarded", STR_ARG(n->address));
		route_want(r, n, to, true);
	} else {
		route_explain(r, STR_FMT " %s", STR_ARG(n->address),
			e == ERR_ABSENT ? "was the sender of what we forwarded, too long ago"
					: "looks like the sender of what we forwarded, but is none");
		route_reject(r, n, "550 5.1.1 <" STR_FMT "> is not known here%s", STR_ARG(n->address),
			e == ERR_ABSENT ? " any more" : "");
	}
	return true;
}

/* Nobody of that domain is: then the first domain's. */
static void to_first_postmaster(struct router *r, struct want *n)
{
	struct str first = route_first_domain(r);

	if (!first.len || str_eq(first, n->domain)) {
		to_rule(r, n);
		return;
	}
	route_explain(r, "the postmaster is that of our first domain");
	route_want(r, n, str_of(arena_printf(&r->memory, "postmaster@" STR_FMT, STR_ARG(first))), true);
}

static void on_admin(void *user, enum err e, struct str admin)
{
	struct router *r = user;

	r->call = NULL;
	if (!e) {
		route_explain(r, "the postmaster is an administrator, " STR_FMT, STR_ARG(admin));
		route_want(r, r->now, admin, true);
	} else if (e == ERR_ABSENT) {
		to_first_postmaster(r, r->now);
	} else {
		route_again(r, r->now);
	}
	route_go(r);
}

/* Every domain has a postmaster (RFC 5321, 4.5.1): whom its settings name, else its first administrator. False: somebody
 * is being asked. */
static bool to_postmaster(struct router *r, struct want *n)
{
	if (!n->conf->postmaster[0]) {
		r->now = n;
		r->call = store_admin(r->w, n->domain, on_admin, r);
		return false;
	}
	route_explain(r, "the domain's postmaster is %s", n->conf->postmaster);
	route_want(r, n, str_of(n->conf->postmaster), true);
	return true;
}

bool route_unknown(struct router *r, struct want *n)
{
	if (name_before_detail(r, n))
		return false;
	if (r->q.login)
		route_reject(r, n, "550 5.1.1 not an account here");
	else if (str_eq(n->local, STR("postmaster")))
		return to_postmaster(r, n);
	else if (!turned_back(r, n))
		to_rule(r, n);
	return true;
}
