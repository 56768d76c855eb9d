/* Reading a directory: what can be opened, and what a caller hears of what cannot. */
#include "core/listing.h"
#include "t/tap.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/postern-listing-XXXXXX";

static bool opens(int at, const char *path, int flags)
{
	DIR *list = listing_open(at, path, flags);

	return list && !closedir(list);
}

int main(void)
{
	int at;

	if (!mkdtemp(directory) || (at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return 1;
	if (mkdirat(at, "real", 0700) || symlinkat("real", at, "link") || mknodat(at, "file", S_IFREG | 0600, 0))
		return 1;
	ok(opens(at, "real", 0) && opens(at, "real", O_NOFOLLOW) && opens(at, ".", 0), "a directory is opened");
	ok(opens(at, "link", 0), "so is one that a symbolic link leads to,");
	ok(!opens(at, "link", O_NOFOLLOW), "unless it may not be a link");
	ok(!opens(at, "absent", 0) && errno == ENOENT, "that there is none is told by errno,");
	ok(!opens(at, "file", 0) && errno == ENOTDIR, "and that it is no directory");
	unlinkat(at, "link", 0);
	unlinkat(at, "file", 0);
	unlinkat(at, "real", AT_REMOVEDIR);
	close(at);
	rmdir(directory);
	return done();
}
