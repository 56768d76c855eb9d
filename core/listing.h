/* listing.h - what is in a directory. */
#ifndef CORE_LISTING_H
#define CORE_LISTING_H

#include <dirent.h>

/* Opens the directory at `path` below the directory `at`, to be read and then given to closedir. flags: O_NOFOLLOW, so
 * that its last name may be no symbolic link, or 0. NULL with errno if it cannot be opened. Blocks. */
DIR *listing_open(int at, const char *path, int flags);

#endif
