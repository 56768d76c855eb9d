/* names.c - see names.h. */
#include "protocols/cli/names.h"
#include "core/setting_value.h"
#include "storage/account/account.h"
#include "storage/mail/address.h"
#include "storage/mail/prepare.h"
#include "storage/route/domain.h"
#include "storage/route/idn.h"

enum err name_account(struct arena *a, struct str text, struct str *name)
{
	struct str prepared, detail = STR_NONE;
	enum err e = prepare(text, a, &prepared); /* as the names of who logs in are */

	if (!e)
		e = account_canonical(prepared, a, name, &detail);
	return e == ERR_TOO_BIG || (!e && detail.len) ? ERR_MISTAKE : e;
}

enum err name_domain(struct arena *a, struct str text, struct str *name)
{
	struct str named;
	enum err e = idn_domain(a, text, &named);

	if (!e)
		e = address_domain(a, named, 0, name);
	return e == ERR_TOO_BIG ? ERR_MISTAKE : e;
}

struct str name_forms(const struct conf *conf, struct arena *a, struct str name)
{
	size_t at = (size_t)str_rfind(name, '@') + 1;
	const struct domain_conf *domain = domain_find(conf, str_cut(name, at, name.len));
	struct str other, forms;
	struct buf text = { 0 };

	buf_printf(&text, STR_FMT "\n", STR_ARG(name));
	for (size_t i = 0; i < domain->aliases.count; i++)
		if (!idn_domain(a, str_of(domain->aliases.items[i]), &other))
			buf_printf(&text, STR_FMT STR_FMT "\n", STR_ARG(str_cut(name, 0, at)), STR_ARG(other));
	forms = arena_str(a, buf_str(&text));
	buf_free(&text);
	return forms;
}

bool name_order(const char *what, enum account_kind *kind, const char **verb)
{
	for (unsigned k = KIND_ALIAS; k <= KIND_GROUP; k++) {
		struct str word = str_of(account_kind_word((enum account_kind)k));

		if (!str_starts(str_of(what), word) || what[word.len] != '-')
			continue;
		*kind = (enum account_kind)k;
		*verb = what + word.len + 1;
		return true;
	}
	return false;
}

static enum err limit_read(struct str text, enum setting_type type, uint64_t *limit)
{
	const struct setting row = { .name = "quota", .type = type, .min = "1" };
	struct buf word = { 0 }, why = { 0 };
	int64_t value = 0;
	bool good = true;

	buf_add_str(&word, text);
	buf_add_char(&word, '\0');
	if (str_eq(text, STR(QUOTA_UNLIMITED)))
		*limit = QUOTA_NONE;
	else if (str_eq(text, STR(QUOTA_OF_DOMAIN)))
		*limit = 0;
	else if ((good = setting_read(&row, buf_data(&word), &value, &why)))
		*limit = (uint64_t)value;
	buf_free(&word);
	buf_free(&why);
	return good ? OK : ERR_MISTAKE;
}

enum err names_quota(struct str bytes, struct str messages, struct quota *own)
{
	enum err e = limit_read(bytes, SETTING_SIZE, &own->bytes);

	return e ? e : limit_read(messages, SETTING_NUMBER, &own->messages);
}
