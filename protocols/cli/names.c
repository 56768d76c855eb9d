/* names.c - see names.h. */
#include "protocols/cli/names.h"
#include "storage/account.h"
#include "storage/address.h"

enum err name_account(struct arena *a, struct str text, struct str *name)
{
	struct str detail;
	enum err e = account_canonical(text, a, name, &detail);

	return e == ERR_TOO_BIG || (!e && detail.len) ? ERR_MISTAKE : e;
}

enum err name_domain(struct arena *a, struct str text, struct str *name)
{
	enum err e = address_domain(a, text, ADDRESS_UTF8, name);

	return e == ERR_TOO_BIG ? ERR_MISTAKE : e;
}
