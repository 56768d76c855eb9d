/* staging.c - see staging.h. */
#include "storage/backup/staging.h"
#include "core/err.h"
#include "core/listing.h"
#include "core/shm.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PREFIX    ".restoring-"
#define PATH_SIZE 1024

void staging_name(struct buf *out, const struct worker *w, uint64_t number)
{
	buf_printf(out, PREFIX "%u-%x-%" PRIx64 "-%" PRIu64, w->slot, shm_slot(w->shm, w->slot)->generation,
		shm_seed(w->shm)[0], number);
}

/* Whether the worker that made it lives; one whose name is not understood is of an earlier program. */
static bool is_used(const struct worker *w, const char *name)
{
	unsigned slot, life;
	uint64_t server, number;

	return sscanf(name, PREFIX "%u-%x-%" SCNx64 "-%" SCNu64, &slot, &life, &server, &number) == 4 &&
	       slot < w->workers && life == shm_slot(w->shm, slot)->generation && server == shm_seed(w->shm)[0];
}

void staging_left(const struct worker *w, const char *domain, void (*each)(void *user, const char *path), void *user)
{
	DIR *d = listing_open(w->directory, domain, 0);
	const struct dirent *entry;
	char path[PATH_SIZE];

	while (d && (entry = readdir(d)))
		if (!strncmp(entry->d_name, PREFIX, sizeof(PREFIX) - 1) && !is_used(w, entry->d_name) &&
			snprintf(path, sizeof(path), "%s/%s", domain, entry->d_name) < (int)sizeof(path))
			each(user, path);
	if (d)
		closedir(d);
}

bool staging_drop(const struct worker *w, const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	char to[PATH_SIZE];

	snprintf(to, sizeof(to), "deleted/%.255s", name + 1);
	if ((!mkdirat(w->directory, "deleted", 0700) || errno == EEXIST) &&
		!renameat(w->directory, path, w->directory, to))
		return true;
	err_errno("set aside path=%s", path);
	return false;
}
