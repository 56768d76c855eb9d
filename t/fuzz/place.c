/* Any bytes as journal/place and journal/skip: the store is ours, a copy, or unnoted, and once noted it is ours. The first
 * byte says which file it is. */
#include "core/log.h"
#include "storage/journal/copied.h"
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/dev/shm/postern-fuzz.XXXXXX"; /* no disk takes so many files a second */
static int dir;

static void clean(void)
{
	unlinkat(dir, "journal/place", 0);
	unlinkat(dir, "journal/skip", 0);
	unlinkat(dir, "journal", AT_REMOVEDIR);
	rmdir(directory);
}

static void begin(void)
{
	if (!mkdtemp(directory) || (dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
		mkdirat(dir, "journal", 0700))
		abort();
	log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
	atexit(clean);
}

static void put(const char *name, const uint8_t *bytes, size_t size)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	enum place_is place;
	uint64_t clock, asked;

	if (!size)
		return 0;
	if (!dir)
		begin();
	if (bytes[0] & 1) {
		put("journal/place", bytes + 1, size - 1);
		assert(!place_look(dir, 2, &place) && place <= PLACE_OTHER);
		assert(!place_note(dir, 2));
		assert(!place_look(dir, 2, &place) && place == PLACE_OURS);
	} else {
		put("journal/skip", bytes + 1, size - 1);
		(void)skip_read(dir, &clock);
		assert(!skip_ask(dir) && !skip_read(dir, &asked) && asked);
	}
	return 0;
}
