/* copies.c - see copies.h. */
#include "storage/route/copies.h"
#include "core/mem.h"
#include "storage/mail/address.h"
#include "storage/route/idn.h"
#include "storage/route/pattern.h"
#include <stdlib.h>

struct copy_conf {
	struct setting_list senders, recipients, to;
};

static const struct setting rows[] = {
	{ "senders", SETTING_LIST, "", NULL, NULL, offsetof(struct copy_conf, senders),
		"Whose mail: " PATTERN_FORMS "; \"<>\" is mail without a sender. Without it anybody's.", 0 },
	{ "recipients", SETTING_LIST, "", NULL, NULL, offsetof(struct copy_conf, recipients),
		"To whom, in the same form: as he is named, or as the account that this reaches. Without it to "
		"anybody.",
		0 },
	{ "to", SETTING_LIST, "", NULL, NULL, offsetof(struct copy_conf, to), "The addresses that get a copy.", 0 },
	{ 0 },
};

static bool check(const void *values, const char *title, struct buf *why)
{
	const struct copy_conf *conf = values;
	bool good = patterns_check(&conf->senders, "copy", title, "senders", why);
	struct address_path path;
	struct arena a = { 0 };

	good &= patterns_check(&conf->recipients, "copy", title, "recipients", why);
	for (size_t i = 0; i < conf->to.count; i++)
		if (address_mailbox(&a, str_of(conf->to.items[i]), ADDRESS_UTF8, &path)) {
			buf_printf(why, "copy \"%s\": to: \"%s\" is not an address\n", title, conf->to.items[i]);
			good = false;
		}
	arena_free(&a);
	return good;
}

const struct settings copy_settings = { "copy", true, sizeof(struct copy_conf), rows,
	"Mail that others get a copy of, which neither its sender nor its recipients see.", check };

/* --- those of a snapshot --------------------------------------------------------------------------------------------- */

struct fits { /* any, or what one of these patterns fits */
	struct pattern *patterns;
	size_t count;
	bool any;
};

struct copy {
	struct fits senders, recipients;
	struct str *to, *compared; /* as they are written, and as they are compared */
	size_t count;
};

struct copies {
	struct copy *list;
	size_t count;
	struct arena memory;
};

static void fits_make(struct copies *cs, const struct setting_list *list, struct fits *f)
{
	f->any = !list->count;
	f->patterns = arena_alloc(&cs->memory, list->count * sizeof(*f->patterns) + 1);
	for (size_t i = 0; i < list->count; i++)
		if (!pattern_read(&cs->memory, str_of(list->items[i]), &f->patterns[f->count]))
			f->count++;
}

static struct str compared(struct arena *a, struct str address)
{
	struct str made;

	return address.len && !idn_address(a, address, &made) ? made : address;
}

static void copy_make(struct copies *cs, const struct copy_conf *conf, struct copy *c)
{
	struct arena *a = &cs->memory;

	fits_make(cs, &conf->senders, &c->senders);
	fits_make(cs, &conf->recipients, &c->recipients);
	c->count = conf->to.count;
	c->to = arena_alloc(a, c->count * sizeof(*c->to) + 1);
	c->compared = arena_alloc(a, c->count * sizeof(*c->to) + 1);
	for (size_t i = 0; i < c->count; i++) {
		c->to[i] = str_of(conf->to.items[i]);
		c->compared[i] = compared(a, c->to[i]);
	}
}

static void *copies_make(const struct conf *conf)
{
	struct copies *cs = mem_new(struct copies);

	cs->count = conf_titles(conf, &copy_settings);
	cs->list = arena_alloc(&cs->memory, cs->count * sizeof(*cs->list) + 1);
	for (size_t i = 0; i < cs->count; i++) {
		const char *title;

		copy_make(cs, conf_titled(conf, &copy_settings, i, &title), &cs->list[i]);
	}
	return cs;
}

static void copies_free(void *made)
{
	struct copies *cs = made;

	arena_free(&cs->memory);
	free(cs);
}

static const struct copies *copies_of(const struct conf *conf)
{
	static const struct preparation preparation = { copies_make, copies_free };

	return conf_prepared(conf, &preparation);
}

static bool fits(const struct fits *f, struct str address)
{
	for (size_t i = 0; i < f->count; i++)
		if (pattern_matches(&f->patterns[i], address, NULL))
			return true;
	return f->any;
}

static bool fits_one(const struct fits *f, const struct str *addresses, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fits(f, addresses[i]))
			return true;
	return f->any;
}

/* --- asking ------------------------------------------------------------------------------------------------------------ */

static bool among(struct str address, const struct str *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(list[i], address))
			return true;
	return false;
}

struct finding {
	struct str *to, *compared;
	size_t count;
};

static void find(const struct copy *c, const struct str *recipients, size_t count, struct finding *f)
{
	for (size_t i = 0; i < c->count; i++) {
		if (among(c->compared[i], recipients, count) || among(c->compared[i], f->compared, f->count))
			continue;
		f->to[f->count] = c->to[i];
		f->compared[f->count++] = c->compared[i];
	}
}

size_t copies_find(const struct conf *conf, struct arena *a, struct str sender, const struct str *recipients,
	size_t count, const struct str **to)
{
	const struct copies *cs = copies_of(conf);
	struct finding found = { 0 };
	struct str *made, from;
	size_t most = 0;

	*to = NULL;
	if (!cs->count)
		return 0;
	from = compared(a, sender);
	made = arena_alloc(a, count * sizeof(*made) + 1);
	for (size_t i = 0; i < count; i++)
		made[i] = compared(a, recipients[i]);
	for (size_t i = 0; i < cs->count; i++)
		most += cs->list[i].count;
	found.to = arena_alloc(a, most * sizeof(*found.to) + 1);
	found.compared = arena_alloc(a, most * sizeof(*found.to) + 1);
	for (size_t i = 0; i < cs->count; i++) {
		const struct copy *c = &cs->list[i];

		if (fits(&c->senders, from) && fits_one(&c->recipients, made, count))
			find(c, made, count, &found);
	}
	*to = found.to;
	return found.count;
}
