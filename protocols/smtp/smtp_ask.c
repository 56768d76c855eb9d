/* smtp_ask.c - VRFY and EXPN (RFC 5321, 3.5): strangers and users learn nothing by them, whatever is here (7.3); an
 * administrator is told what the router makes of an address. */
#include "protocols/smtp/smtp_session.h"

#define LEAVES_MAX 1000 /* that are told */

static void tell_leaves(struct smtp *s, const struct route *route)
{
	size_t count = route->count < LEAVES_MAX ? route->count : LEAVES_MAX;

	for (size_t i = 0; i < count; i++) {
		const struct route_leaf *leaf = &route->leaves[i];
		const char *what = leaf->kind == ROUTE_DISCARD                               ? " thrown away"
		                   : leaf->kind == ROUTE_LOCAL || leaf->kind == ROUTE_REMOTE ? ""
		                                                                             : " cannot have mail";

		smtp_reply(s, "250%c2.1.5 <" STR_FMT ">%s", i + 1 < count ? '-' : ' ', STR_ARG(leaf->address), what);
	}
}

static void routed(void *user, const struct route *route)
{
	struct smtp *s = user;
	const struct route_leaf *first = &route->leaves[0];

	s->waiting = NULL;
	if (route->count == 1 && (first->kind == ROUTE_REJECT || first->kind == ROUTE_AGAIN))
		smtp_reply(s, STR_FMT, STR_ARG(first->text));
	else
		tell_leaves(s, route);
	smtp_resume(s, DONE);
}

/* "alice", "alice@example.test", "<alice@example.test>"; a name may stand before it, which is not looked at. */
static enum next find(struct smtp *s, struct str what)
{
	struct arena a = { 0 };
	struct address_path path;
	ptrdiff_t open = str_rfind(what, '<');
	struct route_question q = { 0 };

	if (open >= 0 && what.p[what.len - 1] == '>')
		what = str_cut(what, (size_t)open + 1, what.len - 1);
	if (str_find(what, '@') < 0)
		what = str_of(arena_printf(&a, STR_FMT "@%s", STR_ARG(what), s->login_conf->default_domain));
	if (address_mailbox(&a, what, ADDRESS_UTF8, &path)) {
		smtp_wrong(s, "501 5.1.3 that is no address");
	} else {
		q.address = address_text(&a, &path);
		s->waiting = route_find(s->worker, &q, routed, s);
	}
	arena_free(&a);
	return s->waiting ? WAIT : DONE;
}

enum next smtp_vrfy(struct smtp *s, struct str rest)
{
	if (!rest.len)
		return smtp_wrong(s, "501 5.5.4 syntax: VRFY address");
	if (s->account && s->account->admin)
		return find(s, rest);
	return smtp_reply(s, "252 2.1.5 send some mail, we will try to deliver it");
}

enum next smtp_expn(struct smtp *s, struct str rest)
{
	if (!rest.len)
		return smtp_wrong(s, "501 5.5.4 syntax: EXPN address");
	if (s->account && s->account->admin)
		return find(s, rest);
	return smtp_reply(s, "252 2.1.5 no list is shown here; mail to it is taken if it can be delivered");
}
