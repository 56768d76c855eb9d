/* Any bytes as the file of a parked entry, beside one that is whole: that one is told, by its number, whatever the other
 * holds, unless that is of a later version; what is damaged is set aside, and then it is not there any more. */
#include "core/house.h"
#include "storage/journal/journal_parts.h"
#include "t/fuzz/folder.h"
#include <assert.h>

#define BYTES_MAX (64u << 10)
#define ANY       7 /* its number */
#define WHOLE     12

static const struct settings *const no_settings[] = { NULL };
static const struct call_type *const no_calls[] = { NULL };
const struct house house = { .settings = no_settings, .calls = no_calls };

struct told {
	unsigned any, whole;
};

static enum err tell(void *user, uint64_t sequence, struct str entry)
{
	struct told *t = user;

	assert(sequence == ANY || sequence == WHOLE);
	assert(sequence == ANY || str_eq(entry, STR("whole")));
	assert(!t->whole); /* by their numbers */
	t->any += sequence == ANY;
	t->whole += sequence == WHOLE;
	return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct told first = { 0 }, second = { 0 }, third = { 0 };
	bool damaged = false, again = false;
	enum err e;

	if (size > BYTES_MAX)
		return 0;
	folder_begin();
	folder_put(PARKED "7", (struct str){ (const char *)bytes, size });
	folder_put(PARKED "none", STR("no number"));
	assert(!parked_write(folder, WHOLE, STR("whole")));
	e = parked_each(folder, tell, &first, &damaged);
	assert(e == OK || e == ERR_NEVER);
	assert(e ? !first.whole && !damaged : first.whole == 1 && first.any == !damaged);
	assert(parked_each(folder, tell, &second, &again) == e && !again);
	assert(second.any == first.any && second.whole == first.whole);
	parked_unlink(folder, ANY);
	assert(!parked_each(folder, tell, &third, &again) && third.whole == 1 && !third.any);
	return 0;
}
