/* Settings of accounts and other names, of any bytes: what is understood of them is printed, and understood the same. */
#include "storage/account/account.h"
#include "core/log.h"
#include "storage/account/members.h"
#include <assert.h>
#include <fcntl.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct account_settings s, again;
	struct buf text = { 0 }, same = { 0 };
	struct arena a = { 0 };

	if (!account_settings_parse((struct str){ (const char *)data, size }, &a, &s)) {
		account_settings_print(&s, &text);
		assert(!account_settings_parse(buf_str(&text), &a, &again) && again.kind == s.kind);
		account_settings_print(&again, &same);
		assert(str_eq(buf_str(&text), buf_str(&same)));
		assert(members_count(again.to) <= MEMBERS_MAX);
	}
	buf_free(&text);
	buf_free(&same);
	arena_free(&a);
	return 0;
}
