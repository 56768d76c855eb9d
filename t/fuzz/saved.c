/* Any bytes as the file of an entry that is parked or was set aside: refused, or operations that can be gone through; and
 * what is written of any bytes is read the same. */
#include "storage/journal/saved.h"
#include "core/pack.h"
#include "storage/journal/operation.h"
#include "t/fuzz/folder.h"
#include <assert.h>
#include <fcntl.h>
#include <unistd.h>

#define BYTES_MAX (64u << 10)

static void written_is_read(struct str operations)
{
	static char bytes[BYTES_MAX + 64];
	struct str again;
	ssize_t n;
	int fd;

	assert(!saved_write(folder, "parked.1", operations));
	fd = openat(folder, "parked.1", O_RDONLY | O_CLOEXEC);
	n = read(fd, bytes, sizeof(bytes));
	close(fd);
	assert(n > 0 && saved_parse((struct str){ bytes, (size_t)n }, &again) == SAVED_WELL);
	assert(str_eq(operations, again));
	bytes[n - 1] ^= 1;
	assert(saved_parse((struct str){ bytes, (size_t)n }, &again) == SAVED_DAMAGED);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str operations;
	struct operation op;

	if (size > BYTES_MAX)
		return 0;
	folder_begin();
	if (saved_parse((struct str){ (const char *)bytes, size }, &operations) == SAVED_WELL) {
		struct unpack u = unpack_of(operations);

		while (operation_next(&u, &op))
			assert(op.kind > 0 && op.kind < OP_KIND_END);
	}
	written_is_read((struct str){ (const char *)bytes, size });
	return 0;
}
