/* Any bytes as a value of the index: what is read of them is written the same, and nothing of it leads beyond itself. */
#include "storage/index/index_form.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str value = { (const char *)bytes, size };
	struct mailbox_record *r = calloc(1, sizeof(*r));
	struct message m = { 0 };
	struct buf again = { 0 };

	if (index_unpack_message(value, &m)) {
		index_pack_message(&again, &m);
		assert(str_eq(buf_str(&again), value));
	}
	buf_clear(&again);
	if (index_unpack_record(value, r)) {
		assert(r->keywords.count <= KEYWORDS_MAX);
		for (unsigned i = 0; i < r->keywords.count; i++)
			assert(keywords_find(&r->keywords, str_of(r->keywords.word[i])) == (int)i);
		index_pack_record(&again, r);
		assert(str_eq(buf_str(&again), value));
	}
	buf_free(&again);
	free(r);
	return 0;
}
