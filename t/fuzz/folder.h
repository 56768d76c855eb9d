/* folder.h - a folder for the files of a fuzz target, in memory: no disk takes so many files a second. It goes at the end. */
#ifndef T_FUZZ_FOLDER_H
#define T_FUZZ_FOLDER_H

#include "core/log.h"
#include "core/str.h"
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder_path[] = "/dev/shm/postern-fuzz.XXXXXX";
static int folder; /* open; 0: not yet */

static int folder_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void folder_remove(void)
{
	nftw(folder_path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Does nothing the second time. The log goes nowhere. */
static void folder_begin(void)
{
	if (folder)
		return;
	if (!mkdtemp(folder_path) || (folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
	atexit(folder_remove);
}

__attribute__((unused)) static void folder_put(const char *name, struct str bytes)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || (bytes.len && write(fd, bytes.p, bytes.len) != (ssize_t)bytes.len))
		abort();
	close(fd);
}

#endif
