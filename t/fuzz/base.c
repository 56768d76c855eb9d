/* Any bytes as a journal's base and its copy: they are refused, or names and life are read, and what is written of those is read
 * again. The first byte says whether the CRC of the rest is made right. */
#include "storage/journal/base.h"
#include "core/crc32c.h"
#include "core/log.h"
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BYTES_MAX (64u << 10)

static char directory[] = "/dev/shm/postern-fuzz.XXXXXX"; /* no disk takes so many files a second */
static int dir;

static void clean(void)
{
	unlinkat(dir, "base", 0);
	unlinkat(dir, "base.copy", 0);
	unlinkat(dir, "base.new", 0);
	rmdir(directory);
}

static void begin(void)
{
	if (!mkdtemp(directory) || (dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
	atexit(clean);
}

static void put(const char *name, struct str bytes)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, bytes.p, bytes.len) != (ssize_t)bytes.len)
		abort();
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct names *names, *more;
	struct base b = { 0 }, again = { 0 };
	struct buf file = { 0 };
	bool damaged, right;
	enum err e;

	if (!size || size > BYTES_MAX)
		return 0;
	if (!dir)
		begin();
	right = bytes[0] & 1;
	buf_add(&file, bytes + 1, size - 1);
	if (right)
		pack_u32(&file, crc32c(0, buf_str(&file)));
	names = names_new(NAMES_BYTES_MAX);
	more = names_new(NAMES_BYTES_MAX);
	unlinkat(dir, "base.copy", 0);
	put("base", buf_str(&file));
	e = base_read(dir, &b, names, &damaged);
	assert(!e || (e == ERR_ABSENT && damaged) || e == ERR_NEVER);
	if (!e) {
		assert(!base_renew(dir, &b, names));
		put("base", STR("damaged")); /* then the copy counts */
		assert(!base_read(dir, &again, more, &damaged) && damaged);
		assert(again.life == b.life && again.sequence == b.sequence);
	}
	names_free(names);
	names_free(more);
	buf_free(&file);
	return 0;
}
