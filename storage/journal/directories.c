/* directories.c - see directories.h. */
#include "storage/journal/directories.h"
#include "core/log.h"
#include "core/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum err directory_sync(int store, const char *path)
{
	int fd = openat(store, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e = OK;

	if (fd < 0 || fsync(fd) < 0) {
		log_error("store", NULL, "cannot sync a directory path=%s error=\"%s\"", path, strerror(errno));
		e = ERR_AGAIN;
	}
	if (fd >= 0)
		close(fd);
	return e;
}

enum err directories_sync(int store, struct str path)
{
	char *text = str_dup(path), *slash;
	enum err e = OK;

	while (!e && (slash = strrchr(text, '/'))) {
		*slash = 0;
		e = directory_sync(store, text);
	}
	free(text);
	return e ? e : directory_sync(store, ".");
}
