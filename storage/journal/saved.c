/* saved.c - see saved.h. */
#include "storage/journal/saved.h"
#include "core/crc32c.h"
#include "core/pack.h"
#include "storage/journal/operation.h"
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAGIC      "postern-entry"
#define MAGIC_LEN  (sizeof(MAGIC) - 1)
#define VERSION    1
#define HEAD_BYTES (MAGIC_LEN + 2 * sizeof(uint32_t))

_Static_assert((int)OP_KIND_END <= 'p', "no operation begins as the head does");

enum saved_is saved_parse(struct str file, struct str *operations)
{
	struct unpack u;
	uint32_t version, crc;

	*operations = file;
	if (!str_starts(file, STR(MAGIC)))
		return SAVED_WELL;
	u = unpack_of(str_cut(file, MAGIC_LEN, file.len));
	version = unpack_u32(&u);
	crc = unpack_u32(&u);
	*operations = u.left;
	if (!u.bad && version > VERSION)
		return SAVED_NEWER;
	return !u.bad && version == VERSION && crc == crc32c(0, u.left) ? SAVED_WELL : SAVED_DAMAGED;
}

enum err saved_write(int dir, const char *name, struct str operations)
{
	struct buf head = { 0 };
	struct iovec parts[2];
	enum err e = OK;
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	buf_add_str(&head, STR(MAGIC));
	pack_u32(&head, VERSION);
	pack_u32(&head, crc32c(0, operations));
	parts[0] = (struct iovec){ buf_data(&head), buf_len(&head) };
	parts[1] = (struct iovec){ (char *)operations.p, operations.len };
	if (fd < 0 || writev(fd, parts, 2) != (ssize_t)(HEAD_BYTES + operations.len) || fsync(fd) < 0)
		e = err_errno("save an entry file=%s", name);
	if (fd >= 0)
		close(fd);
	buf_free(&head);
	return e;
}
