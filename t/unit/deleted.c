/* What was deleted goes away, however deep it is, and nothing else does. */
#include "storage/deleted.h"
#include "t/tap.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH 300
#define WIDTH 1500

static void touch(int directory, const char *name)
{
	int fd = openat(directory, name, O_CREAT | O_WRONLY, 0600);

	close(fd);
}

/* A tree of DEPTH levels with a file in each, under deleted/deep. */
static void make_deep(int top)
{
	int fd = openat(top, "deleted", O_RDONLY | O_DIRECTORY);

	for (int i = 0; i < DEPTH; i++) {
		int below;

		mkdirat(fd, "deep", 0700);
		below = openat(fd, "deep", O_RDONLY | O_DIRECTORY);
		close(fd);
		fd = below;
		touch(fd, "file");
	}
	close(fd);
}

int main(void)
{
	char path[] = "/tmp/postern-deleted-XXXXXX";
	int top = open(mkdtemp(path), O_RDONLY | O_DIRECTORY), slices = 0;
	struct stat st;

	ok(!deleted_slice(top), "where nothing was deleted there is nothing to do");
	mkdirat(top, "deleted", 0700);
	mkdirat(top, "kept", 0700);
	touch(top, "kept/file");
	symlinkat("../kept", top, "deleted/link");
	make_deep(top);
	mkdirat(top, "deleted/wide", 0700);
	for (int i = 0; i < WIDTH; i++) {
		char name[64];

		snprintf(name, sizeof(name), "deleted/wide/%d", i);
		touch(top, name);
	}
	while (deleted_slice(top) && slices < 10 * DEPTH)
		slices++;
	ok(slices > 1 && slices < 10 * DEPTH, "it takes several slices, and comes to an end");
	ok(unlinkat(top, "deleted", AT_REMOVEDIR) == 0, "then nothing is left");
	ok(fstatat(top, "kept/file", &st, 0) == 0, "a link is not followed");
	unlinkat(top, "kept/file", 0);
	unlinkat(top, "kept", AT_REMOVEDIR);
	rmdir(path);
	close(top);
	return done();
}
