/* domain.c - see domain.h. */
#include "storage/route/domain.h"
#include "core/mem.h"
#include "storage/mail/address.h"
#include "storage/path.h"
#include "storage/route/idn.h"
#include "storage/route/pattern.h"
#include "storage/route/rewrite.h"
#include <stdlib.h>

#define DETAIL_MAX 4 /* characters that may stand before a detail */

static const struct setting rows[] = {
	{ "aliases", SETTING_LIST, "", NULL, NULL, offsetof(struct domain_conf, aliases),
		"Other names of the domain: an address there is the same address here.", 0 },
	{ "unknown", SETTING_TEXT, DOMAIN_REJECT, NULL, NULL, offsetof(struct domain_conf, unknown),
		"What becomes of mail for names that are not there: reject, discard, or an address that takes it, in "
		"which a * stands for the name: \"*@old.example.test\".",
		0 },
	{ "postmaster", SETTING_TEXT, "", NULL, NULL, offsetof(struct domain_conf, postmaster),
		"Where mail for the postmaster goes if nobody here has that name; without it, to the first "
		"administrator "
		"among the accounts.",
		0 },
	{ "detail", SETTING_TEXT, "+", NULL, NULL, offsetof(struct domain_conf, detail),
		"What may stand between a name and its detail: mail for alice+lists is alice's. Up to 4 characters.",
		0 },
	{ "senders", SETTING_LIST, "", NULL, NULL, offsetof(struct domain_conf, senders),
		"Whom accounts of the domain may write as, beside themselves and their aliases: { \"alice@example.test "
		"as "
		"info@example.test\", \"*@example.test as *@example.org\" }.",
		0 },
	{ "aliases_files", SETTING_LIST, "", NULL, NULL, offsetof(struct domain_conf, aliases_files),
		"Files in the form of aliases(5), such as /etc/aliases, that hold for names of this domain: see "
		"postern(8).",
		0 },
	{ "aliases_programs", SETTING_CHOICE, "no", NULL, "no|files|all",
		offsetof(struct domain_conf, aliases_programs),
		"Whether programs of those files, \"|command\", are run: no; files, what stands in the files "
		"themselves; all, "
		"also what stands in files that they include, so that whoever may write those runs programs as the "
		"server's user.",
		0 },
	{ "srs", SETTING_BOOL, "yes", NULL, NULL, offsetof(struct domain_conf, srs),
		"What names of the domain forward elsewhere leaves with a sender of this domain, whose bounces find "
		"their "
		"way back (SRS); else with the first sender, which many refuse.",
		0 },
	{ "masquerade", SETTING_LIST, "", NULL, NULL, offsetof(struct domain_conf, masquerade),
		"Domains that become this one in senders' addresses when mail leaves; \".example.test\" is all below "
		"it.",
		0 },
	{ "quota", SETTING_SIZE, "0", "0", NULL, offsetof(struct domain_conf, quota_bytes),
		"What each account of the domain may hold, in bytes as clients see them, unless it has a quota of its "
		"own "
		"(`postern account quota`); 0: no limit.",
		0 },
	{ "quota_messages", SETTING_NUMBER, "0", "0", NULL, offsetof(struct domain_conf, quota_messages),
		"The same in messages.", 0 },
	{ "quota_warning", SETTING_NUMBER, "90", "0", "100", offsetof(struct domain_conf, quota_warning),
		"Percent of the quota from which the account is sent a message that says so; 0: none is sent.", 0 },
	{ 0 },
};

/* --- checks ---------------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static bool wrong(struct buf *why, const char *title, const char *fmt, ...)
{
	va_list ap;

	buf_printf(why, "domain \"%s\": ", title);
	va_start(ap, fmt);
	buf_vprintf(why, fmt, ap);
	va_end(ap);
	buf_add_char(why, '\n');
	return false;
}

static bool name_good(const char *name)
{
	struct buf path = { 0 };
	struct arena a = { 0 };
	struct str made;
	bool good = !idn_domain(&a, str_of(name), &made) && !address_domain(&a, made, 0, &made) && made.p[0] != '[' &&
	            !path_domain(&path, made);

	buf_free(&path);
	arena_free(&a);
	return good;
}

static bool title_check(const char *title, struct buf *why)
{
	if (!strcmp(title, DOMAIN_DEFAULT))
		return true;
	for (const char *c = title; *c; c++)
		if (*c != ascii_lower(*c) || (unsigned char)*c >= 0x80)
			return wrong(why, title, "not a domain name in lower case (of one beyond ASCII its xn-- form)");
	return name_good(title) || wrong(why, title, "not a domain name in lower case");
}

static bool names_check(const struct setting_list *list, const char *title, const char *setting, struct buf *why)
{
	bool good = true;

	for (size_t i = 0; i < list->count; i++) {
		const char *name = list->items[i];

		if (!name_good(!strcmp(setting, "masquerade") && *name == '.' ? name + 1 : name))
			good = wrong(why, title, "%s: \"%s\" is not a domain name", setting, name);
	}
	return good;
}

/* "PATTERN as PATTERN" */
static bool sender_read(struct arena *a, struct str text, struct pattern *account, struct pattern *sender)
{
	struct str from = str_word(&text), as = str_word(&text), to = str_word(&text);

	return str_eq(as, STR("as")) && to.len && !str_trim(text).len && !pattern_read(a, from, account) &&
	       !pattern_read(a, to, sender);
}

static bool senders_check(const struct setting_list *list, const char *title, struct buf *why)
{
	struct pattern account, sender;
	struct arena a = { 0 };
	bool good = true;

	for (size_t i = 0; i < list->count; i++)
		if (!sender_read(&a, str_of(list->items[i]), &account, &sender))
			good = wrong(why, title,
				"senders: \"%s\" is not like \"alice@example.test as info@example.test\"",
				list->items[i]);
	arena_free(&a);
	return good;
}

static bool detail_good(const char *detail)
{
	for (const char *c = detail; *c; c++)
		if (!strchr("!#$%&*+-./=?^_|~", *c) || c - detail >= DETAIL_MAX)
			return false;
	return true;
}

static bool check(const void *values, const char *title, struct buf *why)
{
	const struct domain_conf *conf = values;
	bool good = title_check(title, why);

	good &= names_check(&conf->aliases, title, "aliases", why);
	good &= names_check(&conf->masquerade, title, "masquerade", why);
	good &= senders_check(&conf->senders, title, why);
	for (size_t i = 0; i < conf->aliases_files.count; i++)
		if (conf->aliases_files.items[i][0] != '/')
			good = wrong(
				why, title, "aliases_files: \"%s\" is not a whole path", conf->aliases_files.items[i]);
	if (!strcmp(title, DOMAIN_DEFAULT) && (conf->aliases.count || conf->masquerade.count))
		good = wrong(why, title, "aliases and masquerade: they are of one domain");
	if (strcmp(conf->unknown, DOMAIN_REJECT) != 0 && strcmp(conf->unknown, DOMAIN_DISCARD) != 0 &&
		!rewrite_target_good(str_of(conf->unknown)))
		good = wrong(why, title, "unknown: \"%s\" is not reject, discard or an address", conf->unknown);
	if (conf->postmaster[0] && (strchr(conf->postmaster, '*') || !rewrite_target_good(str_of(conf->postmaster))))
		good = wrong(why, title, "postmaster: \"%s\" is not an address", conf->postmaster);
	if (!detail_good(conf->detail))
		good = wrong(why, title, "detail: up to %d of !#$%%&*+-./=?^_|~", DETAIL_MAX);
	return good;
}

const struct settings domain_settings = { .section = "domain",
	.titled = true,
	.size = sizeof(struct domain_conf),
	.rows = rows,
	.text = "A domain whose mail we take; it is made if it is not there. \"*\" is for those without a section.",
	.check = check };

/* --- those of a snapshot --------------------------------------------------------------------------------------------- */

struct named {
	struct table_node node;
	struct str name, real;
	const struct domain_conf *conf;
};

struct domains {
	struct table by_name; /* real names first: none is an alias of another */
	struct arena memory;
	struct domain_conf otherwise; /* of domains without a section */
	struct str first;
};

static const struct named *named_find(const struct domains *ds, struct str name)
{
	struct table_node *n = table_first(&ds->by_name, str_hash(name));

	while (n && !str_eq(container_of(n, struct named, node)->name, name))
		n = table_next(n);
	return n ? container_of(n, struct named, node) : NULL;
}

static void named_add(struct domains *ds, struct str name, struct str real, const struct domain_conf *conf)
{
	struct named *n;

	if (named_find(ds, name))
		return;
	n = arena_new(&ds->memory, struct named);
	*n = (struct named){ .name = name, .real = real, .conf = conf };
	table_add(&ds->by_name, &n->node, str_hash(name));
}

static void *domains_make(const struct conf *conf)
{
	struct domains *ds = mem_new(struct domains);
	size_t count = conf_titles(conf, &domain_settings);
	const struct domain_conf *dc;
	const char *title;
	struct str name;

	ds->otherwise = (struct domain_conf){ .detail = "+", .unknown = DOMAIN_REJECT, .postmaster = "", .srs = true };
	for (size_t i = 0; i < count; i++) {
		dc = conf_titled(conf, &domain_settings, i, &title);
		if (!strcmp(title, DOMAIN_DEFAULT)) {
			ds->otherwise = *dc;
			continue;
		}
		if (!ds->first.len)
			ds->first = str_of(title);
		named_add(ds, str_of(title), str_of(title), dc);
	}
	for (size_t i = 0; i < count; i++) {
		dc = conf_titled(conf, &domain_settings, i, &title);
		for (size_t k = 0; k < dc->aliases.count; k++)
			if (!idn_domain(&ds->memory, str_of(dc->aliases.items[k]), &name))
				named_add(ds, name, str_of(title), dc);
	}
	return ds;
}

static void domains_made_free(void *made)
{
	struct domains *ds = made;

	table_free(&ds->by_name);
	arena_free(&ds->memory);
	free(ds);
}

static const struct preparation domains_prepared = { domains_make, domains_made_free };

static const struct domains *domains_of(const struct conf *conf)
{
	return conf_prepared(conf, &domains_prepared);
}

struct str domain_real(const struct conf *conf, struct str domain)
{
	const struct named *n = named_find(domains_of(conf), domain);

	return n ? n->real : domain;
}

const struct domain_conf *domain_find(const struct conf *conf, struct str domain)
{
	const struct domains *ds = domains_of(conf);
	const struct named *n = named_find(ds, domain);

	return n ? n->conf : &ds->otherwise;
}

bool domain_is_named(const struct conf *conf, struct str domain)
{
	return named_find(domains_of(conf), domain) != NULL;
}

struct str domain_first(const struct conf *conf)
{
	return domains_of(conf)->first;
}

bool domain_may_send(const struct conf *conf, struct str account, struct str sender)
{
	ptrdiff_t at = str_rfind(account, '@');
	const struct domain_conf *dc = domain_find(conf, str_cut(account, (size_t)(at + 1), account.len));
	struct pattern who, as;
	struct arena a = { 0 };
	bool may = false;

	for (size_t i = 0; i < dc->senders.count && !may; i++)
		may = sender_read(&a, str_of(dc->senders.items[i]), &who, &as) &&
		      pattern_matches(&who, account, NULL) && pattern_matches(&as, sender, NULL);
	arena_free(&a);
	return may;
}
