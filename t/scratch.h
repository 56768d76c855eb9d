/* scratch.h - a directory for one test, gone when it ends. */
#ifndef T_SCRATCH_H
#define T_SCRATCH_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char scratch_path[] = "/tmp/scratch-XXXXXX";

/* Opens it; -1 if there can be none. */
static int scratch_open(void)
{
	return mkdtemp(scratch_path) ? open(scratch_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static int scratch_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void scratch_close(int directory)
{
	close(directory);
	nftw(scratch_path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
