/* Any bytes as journal/place and journal/skip: the store is ours, a copy, or unnoted, and once noted it is ours. The first
 * byte says which file it is. */
#include "storage/journal/copied.h"
#include "t/fuzz/folder.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	enum place_is place;
	uint64_t clock, asked;

	if (!size)
		return 0;
	folder_begin();
	if (mkdirat(folder, "journal", 0700) && errno != EEXIST)
		abort();
	if (bytes[0] & 1) {
		folder_put("journal/place", (struct str){ (const char *)bytes + 1, size - 1 });
		assert(!place_look(folder, 2, &place) && place <= PLACE_OTHER);
		assert(!place_note(folder, 2));
		assert(!place_look(folder, 2, &place) && place == PLACE_OURS);
	} else {
		folder_put("journal/skip", (struct str){ (const char *)bytes + 1, size - 1 });
		(void)skip_read(folder, &clock);
		assert(!skip_ask(folder) && !skip_read(folder, &asked) && asked);
	}
	return 0;
}
