/* Lists of files in a backup: whatever they hold, what is told of them lies within, and says where a file is. */
#include "storage/backup/backup_files.h"
#include "storage/backup/restore_parts.h"
#include "storage/journal/operation.h"
#include "storage/path.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str left = { (const char *)data, size }, path;
	uint64_t length;

	while (files_next(&left, &length, &path)) {
		struct buf name = { 0 }, again = { 0 };

		if (path.p < (const char *)data || path.p + path.len > (const char *)data + size)
			abort();
		if (operation_path_ok(path) && !stem_to_name(&name, path) && mailbox_name_check(buf_str(&name)))
			abort();
		files_add(&again, length, path);
		if (!buf_len(&again))
			abort();
		buf_free(&name);
		buf_free(&again);
	}
	return 0;
}
