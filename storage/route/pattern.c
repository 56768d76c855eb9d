/* pattern.c - see pattern.h.
 * A pattern is found by the part of an address that it must have: without a star by all of it, else by "@domain", one of a
 * domain and those below it by the domain alone. So looking takes one step for the address, one for its domain and one for
 * each domain above, however many patterns there are. */
#include "storage/route/pattern.h"
#include "storage/mail/address.h"
#include "storage/route/idn.h"

struct pattern_entry {
	struct table_node node;
	struct pattern_entry *next; /* of those that fit anywhere */
	struct pattern pattern;
	size_t place;
};

/* --- one ----------------------------------------------------------------------------------------------------------- */

/* A local part that any address may have, were there an x for the star. */
static bool is_local(struct arena *a, const struct pattern *p)
{
	struct str text = str_of(arena_printf(
		a, STR_FMT "%s" STR_FMT "@x.test", STR_ARG(p->before), p->star ? "x" : "", STR_ARG(p->after)));
	struct address_path path;

	return str_find(p->before, '\0') < 0 && str_find(p->after, '\0') < 0 &&
	       !address_mailbox(a, text, ADDRESS_UTF8, &path) && str_starts(text, path.local) &&
	       text.p[path.local.len] == '@';
}

static enum err local_read(struct arena *a, struct str local, struct pattern *p)
{
	char *copy = arena_dup(a, local);
	ptrdiff_t star;

	for (size_t i = 0; i < local.len; i++)
		copy[i] = ascii_lower(copy[i]);
	local.p = copy;
	star = str_find(local, '*');
	p->star = star >= 0 || !local.len;
	p->before = star >= 0 ? str_cut(local, 0, (size_t)star) : local;
	p->after = star >= 0 ? str_cut(local, (size_t)star + 1, local.len) : STR("");
	return is_local(a, p) && str_find(p->after, '*') < 0 ? OK : ERR_MISTAKE;
}

static enum err domain_read(struct arena *a, struct str domain, struct pattern *p)
{
	struct str named;
	enum err e;

	if (str_eq(domain, STR("*"))) {
		p->where = PATTERN_ANY;
		return OK;
	}
	if (domain.len && domain.p[0] == '.') {
		p->where = PATTERN_BELOW;
		domain = str_cut(domain, 1, domain.len);
	}
	if ((e = idn_domain(a, domain, &named)) || (e = address_domain(a, named, 0, &p->domain)))
		return e == ERR_TOO_BIG ? ERR_MISTAKE : e;
	if (p->domain.p[0] == '[' && p->where == PATTERN_BELOW)
		return ERR_MISTAKE;
	p->domain = arena_str(a, p->domain);
	return OK;
}

enum err pattern_read(struct arena *a, struct str text, struct pattern *p)
{
	ptrdiff_t at = str_rfind(text, '@');
	enum err e;

	*p = (struct pattern){ .before = STR(""), .after = STR(""), .domain = STR("") };
	if (str_eq(text, STR("<>")))
		return OK;
	if (str_eq(text, STR("*"))) {
		p->star = true;
		p->where = PATTERN_ANY;
		return OK;
	}
	if (at < 0)
		return ERR_MISTAKE;
	e = local_read(a, str_cut(text, 0, (size_t)at), p);
	return e ? e : domain_read(a, str_cut(text, (size_t)at + 1, text.len), p);
}

static bool is_everything(const struct pattern *p)
{
	return p->star && !p->before.len && !p->after.len && p->where == PATTERN_ANY;
}

static bool domain_fits(const struct pattern *p, struct str domain)
{
	size_t above;

	if (p->where == PATTERN_ANY || str_eq(domain, p->domain))
		return true;
	if (p->where == PATTERN_DOMAIN || domain.len <= p->domain.len)
		return false;
	above = domain.len - p->domain.len;
	return domain.p[above - 1] == '.' && str_eq(str_cut(domain, above, domain.len), p->domain);
}

bool pattern_matches(const struct pattern *p, struct str address, struct str *star)
{
	ptrdiff_t at = str_rfind(address, '@');
	struct str local = at < 0 ? STR("") : str_cut(address, 0, (size_t)at);
	size_t around = p->before.len + p->after.len;

	if (star)
		*star = STR("");
	if (at < 0 && !is_everything(p))
		return !address.len && !p->star && !p->before.len && !p->domain.len && p->where == PATTERN_DOMAIN;
	if (!domain_fits(p, str_cut(address, (size_t)(at + 1), address.len)))
		return false;
	if (!p->star)
		return str_eq(local, p->before);
	if (local.len < around || !str_starts(local, p->before) ||
		!str_eq(str_cut(local, local.len - p->after.len, local.len), p->after))
		return false;
	if (star)
		*star = str_cut(local, p->before.len, local.len - p->after.len);
	return true;
}

bool patterns_check(
	const struct setting_list *list, const char *section, const char *title, const char *name, struct buf *why)
{
	struct arena a = { 0 };
	struct pattern p;
	bool good = true;

	for (size_t i = 0; i < list->count; i++) {
		if (!pattern_read(&a, str_of(list->items[i]), &p))
			continue;
		buf_printf(why,
			"%s \"%s\": %s: \"%s\" is no pattern such as \"alice@example.test\", \"*@example.test\", "
			"\"sales-*@example.test\", \"*@.example.test\", \"info@*\" or \"*\"\n",
			section, title, name, list->items[i]);
		good = false;
	}
	arena_free(&a);
	return good;
}

/* --- many ---------------------------------------------------------------------------------------------------------- */

static struct str key_of(const struct pattern *p, struct arena *a)
{
	if (p->where == PATTERN_BELOW)
		return p->domain;
	if (!p->domain.len)
		return STR(""); /* <> */
	return str_of(arena_printf(a, STR_FMT "@" STR_FMT, STR_ARG(p->star ? STR("") : p->before), STR_ARG(p->domain)));
}

void patterns_add(struct patterns *ps, struct arena *a, const struct pattern *p, size_t place)
{
	struct pattern_entry *e = arena_new(a, struct pattern_entry);

	e->pattern = *p;
	e->place = place;
	if (p->where == PATTERN_ANY) {
		if (!ps->anywhere_end)
			ps->anywhere_end = &ps->anywhere;
		*ps->anywhere_end = e;
		ps->anywhere_end = &e->next;
	} else {
		table_add(&ps->by_name, &e->node, str_hash(key_of(p, a)));
	}
}

struct looking {
	const struct patterns *in;
	struct str address;
	size_t best; /* the lowest place so far */
	bool (*takes)(void *user, size_t place);
	void *user;
};

static void look_at(struct looking *l, const struct pattern_entry *e)
{
	if (e->place < l->best && pattern_matches(&e->pattern, l->address, NULL) &&
		(!l->takes || l->takes(l->user, e->place)))
		l->best = e->place;
}

static void look_by(struct looking *l, struct str key)
{
	for (const struct table_node *n = table_first(&l->in->by_name, str_hash(key)); n; n = table_next(n))
		look_at(l, container_of(n, struct pattern_entry, node));
}

size_t patterns_find(const struct patterns *ps, struct str address, size_t below,
	bool (*takes)(void *user, size_t place), void *user)
{
	struct looking l = { ps, address, below, takes, user };
	ptrdiff_t at = str_rfind(address, '@'), dot = at;

	if (ps->by_name.count) {
		look_by(&l, address);
		if (at > 0)
			look_by(&l, str_cut(address, (size_t)at, address.len));
		while (dot >= 0) {
			struct str rest = str_cut(address, (size_t)(at = dot) + 1, address.len);

			look_by(&l, rest);
			dot = str_find(rest, '.');
			dot = dot < 0 ? -1 : at + 1 + dot;
		}
	}
	for (const struct pattern_entry *e = ps->anywhere; e && e->place < l.best; e = e->next)
		look_at(&l, e);
	return l.best < below ? l.best : PATTERN_NOWHERE;
}

void patterns_free(struct patterns *ps)
{
	table_free(&ps->by_name);
}
