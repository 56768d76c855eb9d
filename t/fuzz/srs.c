/* Local parts that may be rewritten senders, of any bytes: nobody but us makes one; senders of any bytes come back. */
#include "storage/route/srs.h"
#include "storage/mail/address.h"
#include <assert.h>

/* Nothing is signed by STRANGE: what KEY signs the fuzzer sees where it is compared, and sends it. */
#define KEY     STR("a key that no seed was made with")
#define STRANGE STR("a key that signs nothing")
#define NOW     1795000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size }, there, back;
	struct arena a = { 0 };
	struct address_path path;

	assert(srs_reverse(&a, STRANGE, text, NOW, &back)); /* or somebody found a hash of 30 bits */
	if (!address_mailbox(&a, text, ADDRESS_UTF8, &path)) {
		text = address_text(&a, &path);
		if (!srs_forward(&a, KEY, text, STR("ours.test"), NOW, &there) && !str_eq(there, text)) {
			assert(!address_mailbox(&a, there, ADDRESS_UTF8, &path));
			assert(!srs_reverse(&a, KEY, path.local, NOW, &back) &&
				!address_mailbox(&a, back, ADDRESS_UTF8, &path));
		}
	}
	arena_free(&a);
	return 0;
}
