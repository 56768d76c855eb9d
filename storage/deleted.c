/* deleted.c - see deleted.h.
 * A directory that is not empty is not descended into: what is in it is moved up beside it, and so gets its turn. That
 * takes no more memory or open files for a deep tree than for a flat one, and can stop after any step. */
#include "storage/deleted.h"
#include "core/listing.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/overload.h"
#include "core/worker.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLICE_STEPS 1000  /* files unlinked or moved in one go */
#define PAUSE_MS    200   /* between slices */
#define LOOK_MS     30000 /* between looks when nothing was there */

struct deleted {
	struct job job; /* first */
	struct worker *w;
	struct timer timer;
	int more;
	bool running;
};

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/* Moves what is in the directory `name` up into `top`, under names of its own. */
static void move_up(int top, const char *name, unsigned *steps)
{
	static unsigned moved; /* slices do not overlap */
	DIR *d = listing_open(top, name, O_NOFOLLOW);
	struct dirent *entry;

	while (d && *steps && (entry = readdir(d))) {
		char to[64];

		if (is_dots(entry->d_name))
			continue;
		snprintf(to, sizeof(to), "up-%d-%u", (int)getpid(), ++moved);
		if (renameat2(dirfd(d), entry->d_name, top, to, RENAME_NOREPLACE) && errno != EEXIST)
			log_warn("store", NULL, "cannot move what was deleted name=%s error=\"%s\"", entry->d_name,
				strerror(errno));
		--*steps;
	}
	if (d)
		closedir(d);
}

int deleted_slice(int directory)
{
	DIR *d = listing_open(directory, "deleted", O_NOFOLLOW);
	unsigned steps = SLICE_STEPS;
	struct dirent *entry;
	int more = 0;

	while (d && steps && (entry = readdir(d))) {
		if (is_dots(entry->d_name))
			continue;
		steps--;
		if (!unlinkat(dirfd(d), entry->d_name, 0) || !unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR))
			continue;
		if (errno != ENOTEMPTY && errno != EEXIST) {
			log_warn("store", NULL, "cannot unlink what was deleted name=%s error=\"%s\"", entry->d_name,
				strerror(errno));
			continue;
		}
		more = 1;
		move_up(dirfd(d), entry->d_name, &steps);
	}
	more |= !steps;
	if (d)
		closedir(d);
	return more;
}

static void slice_work(struct job *job)
{
	struct deleted *d = (struct deleted *)job;

	d->more = deleted_slice(d->w->directory);
}

static void look(void *user)
{
	struct deleted *d = user;

	if (overloaded(d->w, OVERLOAD_BACKGROUND)) {
		timer_start(d->w->timers, &d->timer, LOOK_MS, look, d);
		return;
	}
	d->running = true;
	lane_add(d->w->slow, &d->job);
}

static void slice_done(struct job *job)
{
	struct deleted *d = (struct deleted *)job;

	d->running = false;
	timer_start(d->w->timers, &d->timer, d->more ? PAUSE_MS : LOOK_MS, look, d);
}

struct deleted *deleted_start(struct worker *w)
{
	struct deleted *d;

	if (w->slot)
		return NULL;
	d = mem_new(struct deleted);
	d->job = (struct job){ slice_work, slice_done, NULL };
	d->w = w;
	timer_start(w->timers, &d->timer, PAUSE_MS, look, d);
	return d;
}

void deleted_stop(struct deleted *d)
{
	if (!d)
		return;
	while (d->running)
		lane_drain(d->w->slow);
	timer_stop(d->w->timers, &d->timer);
	free(d);
}
