/* apply_parts.h - what the parts of apply.h share; nobody else includes it.
 *   apply.c           what an operation does
 *   apply_rescue.c    what others write to an mbox that was just replaced
 *   apply_mailbox.c   where it does it, in files that other programs write to as well
 *   apply_find.c      where it did it before, in such files */
#ifndef STORAGE_JOURNAL_APPLY_PARTS_H
#define STORAGE_JOURNAL_APPLY_PARTS_H

#include "core/buf.h"
#include "core/timers.h"
#include "storage/journal/apply.h"
#include "storage/journal/operation.h"
#include "storage/path.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_OPEN_MAX   128
#define FILES_OPEN_LEAST 16 /* where a process may have few descriptors: more than an entry touches */
#define FILES_OPEN_SHARE 16 /* of these one in so many is ours */
#define TOUCHED_MAX      8  /* files of mailboxes in one entry: of two mailboxes, at most, there are two each */

struct open_file {
	char *path; /* NULL: this place is free */
	uint64_t hash, used;
	int fd;
};

struct filesystem {
	dev_t device;
	int fd;
};

struct known { /* a file of a mailbox as we left it */
	uint64_t hash;
	struct stamp stamp;
	bool put_back; /* somebody put an older one in its place since files_put_back was asked */
};

struct touched { /* a file of a mailbox that the entry being applied writes to */
	struct str path;
	uint64_t id;
	int fd;
	bool locked;
	bool placed;    /* its first operation has found its place */
	bool done;      /* what the entry has for it was there already */
	uint64_t shift; /* added to each offset, modulo 2^64 */
};

struct files {
	int directory;
	struct open_file open[FILES_OPEN_MAX];
	size_t open_most; /* of these places are used */
	uint64_t uses;
	struct filesystem *systems;
	size_t system_count;
	unsigned removed; /* makes names below deleted/ unique */
	int failed_errno; /* of the failure logged last; 0: all was well since */
	int64_t failed_us;

	_Atomic bool lock; /* mailboxes are locked while they are written to */
	_Atomic bool dot_locks;
	bool all_again; /* all entries were applied before */
	bool again;     /* the entry may have been applied before, or a part of it */
	struct touched touched[TOUCHED_MAX];
	size_t touched_count;
	struct str dots[TOUCHED_MAX]; /* mboxes whose lock files we made */
	size_t dot_count;
	struct str watched[TOUCHED_MAX]; /* mboxes that had none when they were claimed */
	size_t watched_count;
	bool disturbed;
	struct marks *shifts; /* replay alone: by path: how far its entries have moved (apply_find.c) */
	files_ahead *ahead;
	void *ahead_user;
	struct known *known;    /* by hash; one may have taken another's place */
	struct rescue *rescues; /* files just replaced */
	uint64_t settled_id;    /* of the entry being applied */
	struct buf changed;     /* ids, of mailboxes in which others were found to have written */
};

/* apply.c */
enum err files_failed(struct files *f, const char *what, struct str path); /* logs errno, and answers its kind */
enum {
	OPEN_NAMED = 1, /* it is looked whether the path is still that file's */
	OPEN_THERE = 2, /* it is not made */
};
/* The open file of this path, made if it is not there; -1: errno says why. */
int files_open(struct files *f, struct str path, unsigned how, struct stat *st);
int file_write_at(int fd, struct str bytes, uint64_t offset);

/* apply_mailbox.c */
#define PLACE_DONE (-2)
/* The open file and the place in it for an operation on a file of a mailbox. -1: errno says why not; PLACE_DONE: there is
 * nothing to do. */
int mailbox_place(struct files *f, const struct operation *op, uint64_t *at);

/* apply_find.c: 1: t says where it is, or is to be; 0: nowhere; -1: nobody knows. size: of the file. */
int find_again(struct files *f, const struct operation *op, struct touched *t, uint64_t size);
void find_remember(struct files *f, const struct operation *op, const struct touched *t); /* its place was found */

/* An operation on a message of an mdir: before it is done (false: others wrote there, and nobody is
 * told of that yet) and behind it. */
bool mdir_before(struct files *f, const struct operation *op);
void mdir_behind(struct files *f, const struct operation *op, bool told);

/* apply_rescue.c */
int rescue_begin(
	const struct files *f, struct str path); /* the file at path is about to be replaced; -1: it is not ours */
void rescue_keep(struct files *f, int fd, struct str path); /* it was; gives up its lock */
void rescue_drop(struct files *f, int fd);                  /* it was not */
void rescue_rename(struct files *f, struct str from, struct str to);
void rescues_free(struct files *f);

#endif
