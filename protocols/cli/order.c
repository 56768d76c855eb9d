/* order.c - see order.h. */
#include "protocols/cli/order.h"
#include "protocols/cli/client.h"
#include "protocols/cli/names.h"
#include <stdio.h>

/* What an error means to whoever gave the order, and what to do next. */
struct words {
	const char *what;
	enum err e;
	const char *text;
};

static const struct words account_words[] = {
	{ "domain-add", ERR_EXISTS, "this domain is there already" },
	{ "domain-add", ERR_MISTAKE, "this is no name of a domain" },
	{ "domain-delete", ERR_ABSENT, "there is no such domain; `postern domain list` shows those that are" },
	{ "domain-delete", ERR_EXISTS,
		"the domain has accounts, or other names: delete them first; `list` of account, alias, forwarder and "
		"group shows them" },
	{ "domain-delete", ERR_MISTAKE, "this is no name of a domain" },
	{ "account-add", ERR_EXISTS,
		"this account is there already, or another thing of this name; `postern account passwd` changes an "
		"account's password" },
	{ "account-add", ERR_ABSENT, "its domain is not kept here; `postern domain add` makes it" },
	{ "account-add", ERR_MISTAKE,
		"the address is not USER@DOMAIN, the password empty or too long, or the hash unknown" },
	{ "account-passwd", ERR_ABSENT, "there is no such account; `postern account add` makes one" },
	{ "account-passwd", ERR_MISTAKE,
		"the address is not USER@DOMAIN, the password empty or too long, or the hash unknown" },
	{ "account-delete", ERR_ABSENT, "there is no such account; `postern account list` shows those that are" },
	{ "account-delete", ERR_MISTAKE, "this is no USER@DOMAIN" },
	{ "account-quota", ERR_ABSENT, "there is no such account; `postern account list` shows those that are" },
	{ "account-quota", ERR_MISTAKE,
		"the address is not USER@DOMAIN, or a limit is no size such as 500M, no number, and neither none nor "
		"domain" },
	{ "account-list", ERR_ABSENT, "there is no such domain; `postern domain list` shows those that are" },
	{ "account-list", ERR_MISTAKE, "this is no name of a domain" },
	{ 0 },
};

/* By the verb alone: the same for aliases, forwarders and groups. */
static const struct words name_words[] = {
	{ "add", ERR_EXISTS, "there is something of this name already" },
	{ "add", ERR_ABSENT, "its domain is not kept here; `postern domain add` makes it" },
	{ "add", ERR_DENIED, "an alias stands for an account here, and the domain given is not kept here" },
	{ "add", ERR_MISTAKE, "the name or an address is not USER@DOMAIN, or an alias is to stand for itself" },
	{ "add", ERR_TOO_BIG, "these are more addresses than one may have (10000)" },
	{ "set", ERR_DENIED, "an alias stands for an account here, and the domain given is not kept here" },
	{ "set", ERR_MISTAKE, "the name or an address is not USER@DOMAIN, or an alias is to stand for itself" },
	{ "member-add", ERR_MISTAKE, "the name or a member is not USER@DOMAIN" },
	{ "member-add", ERR_TOO_BIG, "these are more members than a group may have (10000)" },
	{ "member-delete", ERR_ABSENT, "there is no such group, or one of these is not in it" },
	{ "member-delete", ERR_MISTAKE, "the name or a member is not USER@DOMAIN" },
	{ "list", ERR_ABSENT, "there is no such domain; `postern domain list` shows those that are" },
	{ "list", ERR_MISTAKE, "this is no name of a domain" },
	{ "", ERR_ABSENT, "there is no such name; `list` shows those that are" },
	{ "", ERR_MISTAKE, "this is no USER@DOMAIN" },
	{ 0 },
};

/* A row of "" fits every order. */
static const char *words_find(const struct words *rows, const char *what, enum err e)
{
	for (; rows->what; rows++)
		if (rows->e == e && (!*rows->what || !strcmp(rows->what, what)))
			return rows->text;
	return e == ERR_AGAIN ? "cannot be done now; the server's log says why" : err_text(e);
}

static const char *words_for(const char *what, enum err e)
{
	enum account_kind kind;
	const char *verb;

	return name_order(what, &kind, &verb) ? words_find(name_words, verb, e) : words_find(account_words, what, e);
}

int order_do(struct admin *a, const struct order *o, struct buf *names)
{
	struct buf why = { 0 };
	enum err e = admin_do(a, o, names, &why);

	if (e)
		client_complain(STR_FMT "%s%s%s" STR_FMT, STR_ARG(o->name), o->name.len ? ": " : "",
			words_for(o->what, e), buf_len(&why) ? ": " : "", STR_ARG(buf_str(&why)));
	buf_free(&why);
	return e ? EXIT_FAILED : EXIT_FINE;
}

int order_misused(const char *command, const char *what)
{
	client_complain("%s: %s; `postern %s --help` tells how it is used", command, what, command);
	return EXIT_USAGE;
}

int order_do_one(const char *conf_path, const struct order *o, struct buf *names)
{
	int status;
	struct admin *a = admin_open(conf_path, &status);

	if (a)
		status = order_do(a, o, names);
	if (names)
		fwrite(buf_data(names), 1, buf_len(names), stdout);
	admin_free(a);
	return status;
}

static bool take_line(struct str *left, struct str *line)
{
	ptrdiff_t end = str_find(*left, '\n');

	if (end < 0)
		return false;
	*line = str_cut(*left, 0, (size_t)end);
	*left = str_cut(*left, (size_t)end + 1, left->len);
	return true;
}

/* The order for each domain in turn; domain NULL: of all. */
static int do_domains(struct admin *a, struct order *o, const char *domain, struct buf *names)
{
	struct order all = { .what = "domain-list" };
	struct buf domains = { 0 };
	struct str left;
	int status = domain ? EXIT_FINE : order_do(a, &all, &domains);

	if (domain)
		buf_printf(&domains, "%s\n", domain);
	left = buf_str(&domains);
	while (!status && take_line(&left, &o->name))
		status = order_do(a, o, names);
	buf_free(&domains);
	return status;
}

int order_tell_pointers(struct admin *a, struct str account)
{
	struct order o = { .what = "names-to", .to = account };
	struct buf names = { 0 };
	int status = do_domains(a, &o, NULL, &names);
	struct str left = buf_str(&names), name;

	while (take_line(&left, &name))
		printf(STR_FMT " still points to " STR_FMT "\n", STR_ARG(name), STR_ARG(account));
	buf_free(&names);
	return status;
}

int order_list(const char *what, const char *conf_path, const char *domain)
{
	struct order o = { .what = what };
	struct buf names = { 0 };
	int status;
	struct admin *a = admin_open(conf_path, &status);

	if (a)
		status = do_domains(a, &o, domain, &names);
	if (buf_len(&names))
		fwrite(buf_data(&names), 1, buf_len(&names), stdout);
	buf_free(&names);
	admin_free(a);
	return status;
}
