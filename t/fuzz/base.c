/* Any bytes as a journal's base and its copy: they are refused, or names and life are read, and what is written of those is read
 * again. The first byte says whether the CRC of the rest is made right. */
#include "storage/journal/base.h"
#include "core/crc32c.h"
#include "t/fuzz/folder.h"
#include <assert.h>
#include <unistd.h>

#define BYTES_MAX (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct names *names, *more;
	struct base b = { 0 }, again = { 0 };
	struct buf file = { 0 };
	bool damaged, right;
	enum err e;

	if (!size || size > BYTES_MAX)
		return 0;
	folder_begin();
	right = bytes[0] & 1;
	buf_add(&file, bytes + 1, size - 1);
	if (right)
		pack_u32(&file, crc32c(0, buf_str(&file)));
	names = names_new(NAMES_BYTES_MAX);
	more = names_new(NAMES_BYTES_MAX);
	unlinkat(folder, "base.copy", 0);
	folder_put("base", buf_str(&file));
	e = base_read(folder, &b, names, &damaged);
	assert(!e || (e == ERR_ABSENT && damaged) || e == ERR_NEVER);
	if (!e) {
		assert(!base_renew(folder, &b, names));
		folder_put("base", STR("damaged")); /* then the copy counts */
		assert(!base_read(folder, &again, more, &damaged) && damaged);
		assert(again.life == b.life && again.sequence == b.sequence);
	}
	names_free(names);
	names_free(more);
	buf_free(&file);
	return 0;
}
