/* rewrite.c - see rewrite.h. */
#include "storage/route/rewrite.h"
#include "core/mem.h"
#include "storage/mail/address.h"
#include "storage/route/idn.h"
#include "storage/route/pattern.h"
#include <stdlib.h>

struct rewrite_conf {
	const char *from, *to;
};

bool rewrite_target_good(struct str target)
{
	struct address_path path;
	struct arena a = { 0 };
	struct pattern p;
	struct str made;
	bool good;

	if (str_find(target, '*') >= 0)
		good = !pattern_read(&a, target, &p) && p.where == PATTERN_DOMAIN && p.domain.len;
	else
		good = !idn_address(&a, target, &made) && !address_mailbox(&a, made, ADDRESS_UTF8, &path);
	arena_free(&a);
	return good;
}

struct str rewrite_target(struct arena *a, struct str target, struct str star)
{
	ptrdiff_t at = str_find(target, '*');

	if (at < 0)
		return target;
	return str_of(arena_printf(a, "%.*s" STR_FMT STR_FMT, (int)at, target.p, STR_ARG(star),
		STR_ARG(str_cut(target, (size_t)at + 1, target.len))));
}

static const struct setting rows[] = {
	{ "from", SETTING_TEXT, "", NULL, NULL, offsetof(struct rewrite_conf, from),
		"Which addresses: " PATTERN_FORMS ".", 0 },
	{ "to", SETTING_TEXT, "", NULL, NULL, offsetof(struct rewrite_conf, to),
		"The address that they are; a * in it stands for what the * of from stood for: \"*@crm.test\".", 0 },
	{ 0 },
};

static bool check(const void *values, const char *title, struct buf *why)
{
	const struct rewrite_conf *conf = values;
	struct arena a = { 0 };
	struct pattern p;
	bool good = true;

	if (pattern_read(&a, str_of(conf->from), &p)) {
		buf_printf(why, "rewrite \"%s\": from: \"%s\" is not a pattern like \"sales-*@example.test\"\n", title,
			conf->from);
		good = false;
	} else if (!p.star && strchr(conf->to, '*')) {
		buf_printf(why, "rewrite \"%s\": to: there is no * in from that it could stand for\n", title);
		good = false;
	}
	if (!rewrite_target_good(str_of(conf->to))) {
		buf_printf(why, "rewrite \"%s\": to: \"%s\" is not an address, nor one like \"*@crm.test\"\n", title,
			conf->to);
		good = false;
	}
	arena_free(&a);
	return good;
}

const struct settings rewrite_settings = { .section = "rewrite",
	.titled = true,
	.size = sizeof(struct rewrite_conf),
	.rows = rows,
	.text = "Addresses of recipients that are other addresses; the first that fits is taken.",
	.check = check };

/* --- those of a snapshot --------------------------------------------------------------------------------------------- */

struct rewrites {
	struct arena memory;
	struct patterns patterns;
	struct rule {
		struct pattern from;
		struct str to;
		const char *title;
	} * rules;
};

static void *rewrites_make(const struct conf *conf)
{
	struct rewrites *rs = mem_new(struct rewrites);
	size_t count = conf_titles(conf, &rewrite_settings);

	rs->rules = arena_alloc(&rs->memory, count * sizeof(*rs->rules));
	for (size_t i = 0; i < count; i++) {
		struct rule *r = &rs->rules[i];
		const struct rewrite_conf *rc = conf_titled(conf, &rewrite_settings, i, &r->title);

		r->to = str_of(rc->to);
		if (!pattern_read(&rs->memory, str_of(rc->from), &r->from))
			patterns_add(&rs->patterns, &rs->memory, &r->from, i);
	}
	return rs;
}

static void rewrites_free(void *made)
{
	struct rewrites *rs = made;

	patterns_free(&rs->patterns);
	arena_free(&rs->memory);
	free(rs);
}

static const struct preparation rewrites_prepared = { rewrites_make, rewrites_free };

bool rewrite_address(const struct conf *conf, struct arena *a, struct str address, struct str *out, const char **title)
{
	const struct rewrites *rs = conf_prepared(conf, &rewrites_prepared);
	size_t place = patterns_find(&rs->patterns, address, PATTERN_NOWHERE, NULL, NULL);
	struct str star;

	if (place == PATTERN_NOWHERE)
		return false;
	pattern_matches(&rs->rules[place].from, address, &star);
	*out = rewrite_target(a, rs->rules[place].to, star);
	*title = rs->rules[place].title;
	return true;
}
