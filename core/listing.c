/* listing.c - see listing.h. */
#include "core/listing.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

DIR *listing_open(int at, const char *path, int flags)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	int number = errno;

	if (fd >= 0 && !list)
		close(fd);
	errno = number;
	return list;
}
