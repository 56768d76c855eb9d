/* route.c - see route.h.
 * Addresses that are wanted lie in a row; the first is looked at, and what it stands for comes before the others. The only
 * thing that takes time is asking the owner of a name, once for each; the usual address of an account is one such call. */
#include "core/mem.h"
#include "storage/account/login.h"
#include "storage/mail/address.h"
#include "storage/route/idn.h"
#include "storage/route/relay.h"
#include "storage/route/rewrite.h"
#include "storage/route/route_inside.h"
#include "storage/route/srs.h"
#include <stdlib.h>

#define LEVELS_MAX 20    /* of names that stand for names */
#define LEAVES_MAX 10000 /* that one address may come to */
#define LOOKS_MAX  50000 /* addresses looked at for one */
#define STEP_LOOKS 50    /* of them in one go */
#define STEPS_MAX  1000  /* told */

/* --- what is kept ------------------------------------------------------------------------------------------------------ */

struct seen {
	struct table_node node;
	struct str what;
};

static bool was_met(const struct router *r, struct str what)
{
	struct table_node *n = table_first(&r->seen, str_hash(what));

	while (n && !str_eq(container_of(n, struct seen, node)->what, what))
		n = table_next(n);
	return n != NULL;
}

bool route_met(struct router *r, struct str what)
{
	struct seen *s;

	if (was_met(r, what))
		return true;
	s = arena_new(&r->memory, struct seen);
	s->what = arena_str(&r->memory, what);
	table_add(&r->seen, &s->node, str_hash(s->what));
	return false;
}

void route_explain(struct router *r, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;

	if (!r->q.explain || r->step_count == STEPS_MAX)
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	if (r->step_count == r->step_cap) {
		r->step_cap = r->step_cap ? 2 * r->step_cap : 16;
		r->steps = mem_resize(r->steps, r->step_cap * sizeof(*r->steps));
	}
	r->steps[r->step_count++] = arena_str(&r->memory, buf_str(&text));
	buf_free(&text);
}

struct str route_author(struct router *r)
{
	struct str key, canonical;
	ptrdiff_t at;

	if (r->author_known || !r->q.sender.len || idn_address(&r->memory, r->q.sender, &key))
		return r->author;
	r->author_known = true;
	at = str_rfind(key, '@');
	key = str_of(arena_printf(&r->memory, "%.*s@" STR_FMT, (int)at, key.p,
		STR_ARG(domain_real(r->conf, str_cut(key, (size_t)at + 1, key.len)))));
	r->author = account_canonical(key, &r->memory, &canonical, NULL) ? key : canonical;
	return r->author;
}

void route_end(struct router *r, const struct want *n, enum route_kind kind, struct str address, struct str text)
{
	struct route_leaf *l;

	if (n->skip_author && str_eq(route_author(r), address)) {
		r->skipped = true;
		route_explain(r, "who wrote it gets no copy");
		return;
	}
	if (r->leaf_count == LEAVES_MAX) {
		r->wants = NULL;
		r->leaf_count = 0;
		kind = ROUTE_REJECT;
		address = r->q.address;
		text = str_of(arena_printf(&r->memory, "554 5.4.6 <" STR_FMT "> stands for more than %d addresses",
			STR_ARG(address), LEAVES_MAX));
	}
	if (r->leaf_count == r->leaf_cap) {
		r->leaf_cap = r->leaf_cap ? 2 * r->leaf_cap : 1;
		r->leaves = mem_resize(r->leaves, r->leaf_cap * sizeof(*r->leaves));
	}
	l = &r->leaves[r->leaf_count++];
	*l = (struct route_leaf){ .kind = kind, .text = text, .forwarded = n->forwarded };
	l->address = arena_str(&r->memory, address);
	if (kind == ROUTE_LOCAL)
		l->detail = n->detail;
	l->sender = n->sender;
}

void route_reject(struct router *r, const struct want *n, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	route_end(r, n, ROUTE_REJECT, n->address, arena_str(&r->memory, buf_str(&text)));
	buf_free(&text);
}

void route_again(struct router *r, const struct want *n)
{
	route_explain(r, "whether there is " STR_FMT " cannot be known now", STR_ARG(n->address));
	route_end(r, n, ROUTE_AGAIN, n->address,
		str_of(arena_printf(
			&r->memory, "451 4.3.0 <" STR_FMT "> cannot be had now, try again", STR_ARG(n->address))));
}

static void explain_hop(struct router *r, const struct want *n, const struct next_hop *hop)
{
	struct buf key = { 0 };

	if (!r->q.explain)
		return;
	next_hop_key(hop, &key);
	route_explain(r, STR_FMT " goes on to " STR_FMT "%s" STR_FMT "%s", STR_ARG(n->address), STR_ARG(buf_str(&key)),
		hop->rule.len ? ", as the route \"" : ", as the DNS says", STR_ARG(hop->rule),
		hop->rule.len ? "\" says" : "");
	buf_free(&key);
}

static struct str domain_of_address(struct str address)
{
	return str_cut(address, (size_t)(str_rfind(address, '@') + 1), address.len);
}

/* What is forwarded leaves with a sender of ours, so that others need not believe that we may send as somebody else; a
 * bounce finds its way back (srs.h). */
static void rewrite_sender(struct router *r, const struct want *n, struct route_leaf *l)
{
	struct str made, domain = domain_of_address(route_author(r));
	uint8_t key[SECRET_BYTES];

	if (!domain.len || !n->ours.len || !domain_find(r->conf, n->ours)->srs || domain_is_named(r->conf, domain) ||
		str_eq(domain, n->ours))
		return;
	store_secret(r->w, "srs", key);
	if (srs_forward(&r->memory, (struct str){ (const char *)key, sizeof(key) },
		    idn_sendable(&r->memory, r->q.sender), n->ours, worker_wall_ms(r->w) / 1000, &made))
		return;
	r->rewritten = true;
	l->sender = made;
}

void route_remote(struct router *r, const struct want *n, bool relay)
{
	struct next_hop hop;
	struct route_leaf *l;
	size_t before = r->leaf_count;

	if (r->q.login) {
		route_reject(r, n, "550 5.1.1 not an account here");
		return;
	}
	next_hop_find(r->conf, &r->memory, n->address, n->sender.len ? n->sender : r->q.sender, &hop);
	explain_hop(r, n, &hop);
	route_end(r, n, hop.way == HOP_REJECT ? ROUTE_REJECT : ROUTE_REMOTE, n->address, hop.text);
	if (r->leaf_count <= before)
		return;
	l = &r->leaves[r->leaf_count - 1];
	l->forwarded = !relay;
	l->relay = relay;
	l->backup = relay_backs_up(r->conf, n->domain);
	if (!relay && l->kind == ROUTE_REMOTE && !l->sender.len)
		rewrite_sender(r, n, l);
}

/* --- the end ------------------------------------------------------------------------------------------------------------- */

static void router_free(struct router *r)
{
	call_cancel(r->call);
	chore_stop(r->w->chores, &r->chore);
	conf_unref(r->conf);
	table_free(&r->seen);
	free(r->leaves);
	free(r->steps);
	arena_free(&r->memory);
	free(r);
}

static void dropped(void *user)
{
	router_free(user);
}

static void finish(struct router *r);

/* A sender of ours needs no other. */
static void on_sender(void *user, enum err e, const struct stored_name *name)
{
	struct router *r = user;

	(void)name;
	r->call = NULL;
	for (size_t i = 0; i < r->leaf_count && (!e || e == ERR_ABSENT); i++)
		if (srs_is(r->leaves[i].sender))
			r->leaves[i].sender = STR_NONE;
	finish(r);
}

static void finish(struct router *r)
{
	struct route told;

	if (r->rewritten) {
		r->rewritten = false;
		r->call = store_name(r->w, r->q.sender, STORE_NO_MAIL, on_sender, r);
		return;
	}

	if (!r->leaf_count) { /* circles lead nowhere; and who writes to himself alone gets nothing */
		struct want n = { .address = r->q.address };

		if (r->skipped)
			route_end(r, &n, ROUTE_DISCARD, r->q.address, STR_NONE);
		else
			route_reject(r, &n, "550 5.4.6 <" STR_FMT "> leads back to itself", STR_ARG(r->q.address));
	}
	told = (struct route){ r->leaves, r->leaf_count, r->steps, r->step_count };
	call_steps_end(r->handle);
	r->done(r->user, &told);
	router_free(r);
}

/* --- one address after the other --------------------------------------------------------------------------------------- */

struct want *route_want(struct router *r, const struct want *by, struct str address, bool forwarded)
{
	struct want *n = arena_new(&r->memory, struct want);

	n->address = arena_str(&r->memory, address);
	if (by) {
		n->level = by->level + 1;
		n->sender = by->sender;
		n->origin = by->origin;
		n->skip_author = by->skip_author;
		n->forwarded = by->forwarded;
		n->ours = forwarded ? by->domain : by->ours;
	}
	n->forwarded |= forwarded;
	n->next = r->wants;
	r->wants = n;
	return n;
}

/* Its forms: how it is found, and how it would be sent on. False: it is no address. */
static bool read_forms(struct router *r, struct want *n)
{
	ptrdiff_t at = str_rfind(n->address, '@');
	struct address_path path;
	struct str named, text = n->address;

	if (at < 0 || idn_domain(&r->memory, str_cut(text, (size_t)at + 1, text.len), &named))
		return false;
	if (named.p != text.p + at + 1)
		text = str_of(arena_printf(&r->memory, "%.*s@" STR_FMT, (int)at, text.p, STR_ARG(named)));
	if (address_mailbox(&r->memory, text, ADDRESS_UTF8, &path))
		return false;
	named = path.domain;
	path.domain = domain_real(r->conf, named);
	if (!str_eq(path.domain, named))
		route_explain(r, STR_FMT " is another name of " STR_FMT, STR_ARG(named), STR_ARG(path.domain));
	n->address = address_text(&r->memory, &path);
	if (idn_address(&r->memory, n->address, &n->key))
		return false;
	n->local = str_cut(n->key, 0, path.local.len);
	n->domain = str_cut(n->key, path.local.len + 1, n->key.len);
	n->conf = domain_find(r->conf, n->domain);
	n->asked = n->key;
	return true;
}

/* What stands behind the first + of a name, if its domain has such details. The owner leaves it out by himself. */
static void read_detail(struct want *n)
{
	ptrdiff_t plus = n->local.p[0] == '"' || !strchr(n->conf->detail, '+') ? -1 : str_find(n->local, '+');

	if (plus > 0)
		n->detail = str_cut(n->local, (size_t)plus + 1, n->local.len);
}

static bool is_rewritten(struct router *r, struct want *n)
{
	struct want *to_it;
	const char *title;
	struct str to;

	if (!rewrite_address(r->conf, &r->memory, n->key, &to, &title))
		return false;
	route_explain(r, STR_FMT " is " STR_FMT ", as the rewrite \"%s\" says", STR_ARG(n->key), STR_ARG(to), title);
	if (!n->forwarded && !n->origin.len)
		n->origin = n->key;
	to_it = route_want(r, n, to, false);
	if (!to_it->ours.len)
		to_it->ours = n->domain;
	return true;
}

/* False: n's owner is asked. */
static bool look(struct router *r, struct want *n)
{
	if (n->level > LEVELS_MAX) {
		route_explain(r, STR_FMT " is too many names within names away", STR_ARG(n->address));
		route_reject(r, n, "550 5.4.6 <" STR_FMT "> leads too far", STR_ARG(r->q.address));
		return true;
	}
	if (!read_forms(r, n)) {
		route_explain(r, STR_FMT " is no address", STR_ARG(n->address));
		route_reject(r, n, "553 5.1.3 <" STR_FMT "> cannot be an address here", STR_ARG(n->address));
		return true;
	}
	if (route_met(r, n->plain ? str_of(arena_printf(&r->memory, "\\" STR_FMT, STR_ARG(n->key))) : n->key)) {
		route_explain(r, STR_FMT " was met already", STR_ARG(n->key));
		return true;
	}
	if (is_rewritten(r, n))
		return true;
	if (n->domain.p[0] == '[' || was_met(r, n->domain)) /* a literal, or a domain known not to be ours */
		return route_elsewhere(r, n);
	read_detail(n);
	route_ask(r, n);
	return false;
}

static void on_name(void *user, enum err e, const struct stored_name *name)
{
	struct router *r = user;

	r->call = NULL;
	if (route_name_told(r, r->now, e, name))
		route_go(r);
}

void route_ask(struct router *r, struct want *n)
{
	r->now = n;
	r->call = store_name(r->w, n->asked, r->q.login ? STORE_NO_MAIL : r->q.size, on_name, r);
}

static void told_later(void *user, enum err e, struct str answer)
{
	struct router *r = user;

	(void)e, (void)answer;
	r->call = NULL;
	finish(r);
}

static void look_step(void *user)
{
	route_go(user);
}

void route_go(struct router *r)
{
	struct want *n;

	for (unsigned looks = 0; (n = r->wants) && looks < STEP_LOOKS; looks++) {
		r->wants = n->next;
		if (r->looks++ == LOOKS_MAX) {
			r->wants = NULL;
			r->leaf_count = 0;
			route_reject(r, n, "554 5.4.6 <" STR_FMT "> stands for too many names", STR_ARG(r->q.address));
		} else if (!look(r, n)) {
			return;
		}
	}
	if (r->wants)
		chore_start(r->w->chores, &r->chore, look_step, r);
	else if (r->inside)
		r->call = call_later(r->w, told_later, r);
	else
		finish(r);
}

/* --- being asked ----------------------------------------------------------------------------------------------------------- */

struct str route_first_domain(const struct router *r)
{
	const struct login_conf *login = conf_section(r->conf, &login_settings);

	return *login->default_domain ? str_of(login->default_domain) : domain_first(r->conf);
}

/* <postmaster> alone is that of the first domain (RFC 5321, 4.5.1). */
static struct str whole_address(struct router *r, struct str address)
{
	struct str first = route_first_domain(r);

	if (r->q.login || !str_eq_nocase(address, STR("postmaster")) || !first.len)
		return address;
	return str_of(arena_printf(&r->memory, "postmaster@" STR_FMT, STR_ARG(first)));
}

struct call *route_find(struct worker *w, const struct route_question *q, route_done *done, void *user)
{
	struct router *r = mem_new(struct router);

	r->w = w;
	r->conf = conf_ref(w->conf);
	r->q = *q;
	r->q.address = whole_address(r, arena_str(&r->memory, q->address));
	r->q.sender = arena_str(&r->memory, q->sender);
	r->done = done;
	r->user = user;
	r->handle = call_steps(dropped, r);
	r->inside = true;
	route_want(r, NULL, r->q.address, false);
	route_go(r);
	r->inside = false;
	return r->handle;
}
