/* Any bytes as a backup's manifest, or as a list of its files on the disk: it is refused, or it is read. */
#include "core/buf.h"
#include "storage/backup/backup_files.h"
#include "t/fuzz/folder.h"
#include <assert.h>
#include <string.h>

#define BYTES_MAX (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str all = { (const char *)bytes, size };
	struct buf list = { 0 };
	bool copy;
	enum err e;

	if (size > BYTES_MAX)
		return 0;
	folder_begin();
	folder_put(BACKUP_MANIFEST, all);
	e = manifest_read(folder, &copy);
	assert(e == OK || e == ERR_NEVER);
	assert(e || (str_starts(all, STR("postern-backup")) && memchr(all.p, '\n', all.len)));
	folder_put("files", all);
	e = files_read(folder, "files", &list);
	assert(e == OK || e == ERR_NEVER);
	assert(buf_len(&list) <= size);
	buf_free(&list);
	return 0;
}
