/* check_worker.c - what is a worker's own is looked over: its journal, its queue, indexes set aside. */
#include "core/listing.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/shm.h"
#include "storage/check/check_parts.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 512

struct worker_look { /* the task's op */
	struct look look;
	struct buf files; /* of the queue: packed paths, still to be looked at */
	struct unpack left;
};

static void tell(struct found *f, const char *path, uint64_t offset, const char *text, enum mend mend)
{
	struct problem p = { .path = str_of(path), .offset = offset, .text = str_of(text), .mend = mend };

	found_add(f, &p);
}

static void each_name(int directory, const char *path, struct worker_look *l,
	void (*each)(struct worker_look *l, const char *path, struct str name))
{
	DIR *d = listing_open(directory, path, 0);
	const struct dirent *entry;
	char below[PATH_SIZE];

	if (!d) {
		if (errno != ENOENT)
			tell(&l->look.found, path, 0, strerror(errno), MEND_NONE);
		return;
	}
	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
			snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) < (int)sizeof(below))
			each(l, below, str_of(entry->d_name));
	closedir(d);
}

static void look_journal(struct worker_look *l, const char *path, struct str name)
{
	if (str_starts(name, STR("aside.")))
		tell(&l->look.found, path, 0, "an entry of the journal that could not be applied was set aside",
			MEND_NONE);
	else if (memmem(name.p, name.len, ".damaged", 8))
		tell(&l->look.found, path, 0, "this was set aside", MEND_NOTE);
}

static void look_index(struct worker_look *l, const char *path, struct str name)
{
	if (memmem(name.p, name.len, ".bad.", 5))
		tell(&l->look.found, path, 0, "a damaged index was set aside, another was made", MEND_NOTE);
}

static void look_queue(struct worker_look *l, const char *path, struct str name)
{
	(void)name;
	pack_str(&l->files, str_of(path));
}

/* A queue's directories are those of the worker's number, and of workers that are no more. */
static void queues_list(const struct worker *w, struct worker_look *l)
{
	char path[PATH_SIZE];

	for (unsigned number = w->slot; number < WORKERS_MAX; number += w->workers) {
		snprintf(path, sizeof(path), "queue/%u", number);
		each_name(w->directory, path, l, look_queue);
	}
}

static enum err worker_work(struct task *t)
{
	struct worker_look *l = t->op;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "journal/%u", t->st->w->slot);
	each_name(t->st->w->directory, path, l, look_journal);
	if (!t->st->w->slot)
		each_name(t->st->w->directory, "index", l, look_index);
	queues_list(t->st->w, l);
	l->left = unpack_of(buf_str(&l->files));
	return OK;
}

static enum err queue_work(struct task *t)
{
	struct worker_look *l = t->op;

	look_queue_file(t->st->w->directory, arena_dup(&t->memory, unpack_str(&l->left)), &l->look.found);
	return OK;
}

static void worker_done(struct task *t, enum err e)
{
	struct worker_look *l = t->op;

	if (!e && l->left.left.len) {
		task_in_lane(t, t->st->w->slow, queue_work, worker_done);
		return;
	}
	buf_free(&l->files);
	found_end(t, e, &l->look.found);
}

void look_worker_handle(struct worker *w, struct request *rq, struct str args)
{
	struct unpack u = unpack_of(args);
	bool may = unpack_u8(&u) == ASKER_CONTROL;
	struct task *t;

	if (!w->store || w->store->stop || !may) {
		request_answer(rq, may ? ERR_AGAIN : ERR_DENIED, STR_NONE);
		return;
	}
	t = task_own(w->store, STR_NONE, NULL);
	t->rq = rq;
	task_op(t, struct worker_look);
	task_in_lane(t, w->files, worker_work, worker_done);
}
