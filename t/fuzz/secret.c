/* Any bytes as login.secret: the first of them are the secret; too few are set aside and another one is made,
 * which stays. */
#include "storage/account/secret.h"
#include "core/log.h"
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[] = "/dev/shm/postern-fuzz.XXXXXX"; /* no disk takes so many files a second */
static int dir;

static void empty(void)
{
	DIR *d = opendir(directory);
	const struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			unlinkat(dir, entry->d_name, 0);
	if (d)
		closedir(d);
}

static void clean(void)
{
	empty();
	rmdir(directory);
}

static void begin(void)
{
	if (!mkdtemp(directory) || (dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
	atexit(clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t secret[SECRET_BYTES], again[SECRET_BYTES];
	int fd;

	if (!dir)
		begin();
	empty();
	fd = openat(dir, SECRET_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
	close(fd);
	assert(!secret_open(dir, secret) && !secret_open(dir, again));
	assert(!memcmp(secret, again, SECRET_BYTES));
	assert(size < SECRET_BYTES || !memcmp(secret, bytes, SECRET_BYTES));
	return 0;
}
