/* Address lists and paths of any bytes. The first byte says what a path may be. */
#include "storage/mail/address.h"
#include "core/buf.h"
#include <assert.h>

#define LIST_MAX 50

static void read_list(struct arena *a, struct str value)
{
	unsigned count = 0, groups = 0;

	for (const struct address *address = address_list(a, value, LIST_MAX); address; address = address->next) {
		count++;
		groups += address->kind == ADDRESS_GROUP;
		groups -= address->kind == ADDRESS_GROUP_END;
		assert(groups <= 1);
		assert((address->kind == ADDRESS_MAILBOX) == (address->local.p && address->host.p));
		assert(!address->name.p || address->name.len);
	}
	assert(groups == 0 && count <= LIST_MAX + 1);
}

static void read_path(struct arena *a, struct str text, unsigned allow)
{
	struct address_path path, again;
	struct str left = text;

	if (address_path(a, &left, allow, &path))
		return;
	assert(left.p > text.p && left.p[-1] == '>');
	assert(path.local.len <= ADDRESS_LOCAL_MAX && path.domain.len <= ADDRESS_DOMAIN_MAX);
	text = address_text(a, &path);
	assert(text.len <= ADDRESS_MAX && address_canonical(a, &path).len == text.len);
	if (path.domain.len) { /* what was read is written so that it is read the same */
		assert(!address_mailbox(a, text, allow, &again));
		assert(str_eq(again.local, path.local) && str_eq(again.domain, path.domain));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str text = { (const char *)bytes, size };
	struct arena a = { 0 };
	struct str domain;

	if (!size)
		return 0;
	read_path(&a, str_cut(text, 1, size), bytes[0] & (ADDRESS_UTF8 | ADDRESS_NULL | ADDRESS_BARE));
	read_list(&a, str_cut(text, 1, size));
	address_domain(&a, str_cut(text, 1, size), bytes[0], &domain);
	arena_free(&a);
	return 0;
}
