/* names.c - see names.h. */
#include "protocols/cli/names.h"
#include "storage/account.h"
#include "storage/address.h"
#include "storage/prepare.h"
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
