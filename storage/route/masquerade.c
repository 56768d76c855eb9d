/* masquerade.c - see masquerade.h. */
#include "storage/route/masquerade.h"
#include "core/mem.h"
#include "storage/route/domain.h"
#include "storage/route/idn.h"
#include "storage/table.h"
#include <stdlib.h>

#define DOMAIN_BYTES_MAX 255

/* --- the configuration's ------------------------------------------------------------------------------------------------ */

struct mask {
	struct table_node node;
	struct str from, to; /* from: ".example.test" for all below */
};

struct masks {
	struct table by_name;
	struct arena memory;
};

static const struct mask *mask_find(const struct masks *m, struct str from)
{
	struct table_node *n = table_first(&m->by_name, str_hash(from));

	while (n && !str_eq(container_of(n, struct mask, node)->from, from))
		n = table_next(n);
	return n ? container_of(n, struct mask, node) : NULL;
}

static void mask_add(struct masks *m, struct str from, struct str to)
{
	bool below = from.len && from.p[0] == '.';
	struct mask *mask;
	struct str name;

	if (idn_domain(&m->memory, str_cut(from, below, from.len), &name))
		return; /* the settings' check has said so */
	if (below)
		name = str_of(arena_printf(&m->memory, "." STR_FMT, STR_ARG(name)));
	if (mask_find(m, name))
		return;
	mask = arena_new(&m->memory, struct mask);
	mask->from = name;
	mask->to = to;
	table_add(&m->by_name, &mask->node, str_hash(name));
}

static void *masks_make(const struct conf *conf)
{
	struct masks *m = mem_new(struct masks);

	for (size_t i = 0; i < conf_titles(conf, &domain_settings); i++) {
		const char *title;
		const struct domain_conf *d = conf_titled(conf, &domain_settings, i, &title);

		for (size_t k = 0; k < d->masquerade.count && strcmp(title, DOMAIN_DEFAULT) != 0; k++)
			mask_add(m, str_of(d->masquerade.items[k]), str_of(title));
	}
	return m;
}

static void masks_free(void *made)
{
	struct masks *m = made;

	table_free(&m->by_name);
	arena_free(&m->memory);
	free(m);
}

static const struct masks *masks_of(const struct conf *conf)
{
	static const struct preparation preparation = { masks_make, masks_free };

	return conf_prepared(conf, &preparation);
}

/* --- domains and addresses ------------------------------------------------------------------------------------------------ */

static const struct mask *mask_of(const struct conf *conf, struct str name)
{
	const struct masks *m = masks_of(conf);
	const struct mask *mask = mask_find(m, name);
	struct str left = name;
	ptrdiff_t dot;

	if (mask)
		return mask;
	while (!mask && (dot = str_find(left, '.')) >= 0) {
		mask = mask_find(m, str_cut(left, (size_t)dot, left.len));
		left = str_cut(left, (size_t)dot + 1, left.len);
	}
	return mask && !domain_is_named(conf, name) ? mask : NULL;
}

/* A header may hold very many: those of ASCII cost no memory. */
struct str masquerade_domain(const struct conf *conf, struct str domain)
{
	char lower[DOMAIN_BYTES_MAX];
	const struct mask *mask = NULL;
	struct arena a = { 0 };
	struct str name;
	bool ascii = true;

	if (!masks_of(conf)->by_name.count || domain.len > DOMAIN_BYTES_MAX)
		return domain;
	for (size_t i = 0; i < domain.len; i++) {
		lower[i] = ascii_lower(domain.p[i]);
		ascii &= (unsigned char)lower[i] < 0x80;
	}
	if (ascii)
		mask = mask_of(conf, (struct str){ lower, domain.len });
	else if (!idn_domain(&a, domain, &name))
		mask = mask_of(conf, name);
	arena_free(&a);
	return mask ? mask->to : domain;
}

struct str masquerade_address(const struct conf *conf, struct arena *a, struct str address)
{
	ptrdiff_t at = str_rfind(address, '@');
	struct str domain, becomes;

	if (at < 0)
		return address;
	domain = str_cut(address, (size_t)at + 1, address.len);
	becomes = masquerade_domain(conf, domain);
	if (becomes.p == domain.p)
		return address;
	return str_of(arena_printf(a, STR_FMT STR_FMT, STR_ARG(str_cut(address, 0, (size_t)at + 1)), STR_ARG(becomes)));
}

/* --- header fields -------------------------------------------------------------------------------------------------------- */

static bool has_addresses(struct str name)
{
	static const char *const names[] = { "From", "Sender", "Reply-To", "To", "Cc" };

	if (str_starts_nocase(name, STR("Resent-")))
		name = str_cut(name, 7, name.len);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (str_eq_nocase(name, str_of(names[i])))
			return true;
	return false;
}

/* Behind what is in quotes from `at` on. */
static size_t quotes_end(struct str text, size_t at)
{
	for (at++; at < text.len && text.p[at] != '"'; at++)
		if (text.p[at] == '\\' && at + 1 < text.len)
			at++;
	return at < text.len ? at + 1 : text.len;
}

/* Behind a comment; they may lie in one another. */
static size_t comment_end(struct str text, size_t at)
{
	size_t depth = 0;

	for (; at < text.len; at++) {
		if (text.p[at] == '\\' && at + 1 < text.len)
			at++;
		else if (text.p[at] == '(')
			depth++;
		else if (text.p[at] == ')' && !--depth)
			return at + 1;
	}
	return text.len;
}

/* Behind an encoded word; `at` if there is none. */
static size_t encoded_end(struct str text, size_t at)
{
	unsigned marks = 0;

	if (!str_starts(str_cut(text, at, text.len), STR("=?")))
		return at;
	for (size_t i = at + 2; i < text.len && text.p[i] > ' '; i++)
		if (text.p[i] == '?' && ++marks == 3)
			return i + 1 < text.len && text.p[i + 1] == '=' ? i + 2 : at;
	return at;
}

static bool is_domain_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
	       (unsigned char)c >= 0x80;
}

/* Whether a local part may end here; else what follows the @ is of an old source route, or no address. */
static bool ends_local(char c)
{
	return c == '"' || is_domain_char(c) || (c && strchr("!#$%&'*+/=?^_`{|}~", c));
}

/* The domain behind the @ that stands at `at`; the end of it is answered. */
static size_t domain_add(const struct conf *conf, struct str text, size_t at, struct buf *out)
{
	size_t end = at + 1;
	bool whole;

	while (end < text.len && is_domain_char(text.p[end]))
		end++;
	whole = end == text.len || strchr(">,; \t\r\n(", text.p[end]);
	buf_add_char(out, '@');
	if (at && whole && ends_local(text.p[at - 1]))
		buf_add_str(out, masquerade_domain(conf, str_cut(text, at + 1, end)));
	else
		buf_add_str(out, str_cut(text, at + 1, end));
	return end;
}

void masquerade_field(const struct conf *conf, const struct header_field *field, struct buf *out)
{
	struct str text = field->whole;
	size_t at, end;

	if (!has_addresses(field->name) || !masks_of(conf)->by_name.count) {
		buf_add_str(out, text);
		return;
	}
	at = (size_t)(field->value.p - text.p);
	buf_add_str(out, str_cut(text, 0, at));
	for (; at < text.len; at = end) {
		end = text.p[at] == '"'   ? quotes_end(text, at)
		      : text.p[at] == '(' ? comment_end(text, at)
		      : text.p[at] == '=' ? encoded_end(text, at)
		                          : at;
		if (end > at) {
			buf_add_str(out, str_cut(text, at, end));
		} else if (text.p[at] == '@') {
			end = domain_add(conf, text, at, out);
		} else {
			buf_add_char(out, text.p[at]);
			end = at + 1;
		}
	}
}
