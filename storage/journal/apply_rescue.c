/* apply_rescue.c - an mbox that was replaced by its next generation may be written to all the same: by a program that had it
 * open and waited for its lock. For a while it is looked at, and what it has grown by goes to the end of the file that
 * has its name now, as that program meant it: when nobody writes to it any more, what was in it before is as it was, and
 * what it has grown by is mail. Else that program wrote it anew, by what it knew of it: no place in another file is right
 * for that, so all of it is kept beside the mailbox, for somebody to look at. Its room on the disk is given back only then:
 * at once, as good as, where there is little. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/apply_parts.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#define RESCUE_US     60000000
#define RESCUE_LOW_US 2000000 /* who waited for our lock has it by then */
#define LOW_BYTES     (256u << 20)
#define RESCUES_MAX   64
#define PIECE         (64u << 10)
#define ASIDE_MAX     1000 /* files kept beside one mailbox */

struct rescue {
	struct rescue *next;
	char *path;
	uint64_t id;
	int fd;
	uint64_t size;       /* what is beyond it was not dealt with */
	uint64_t end;        /* a hash of the last PIECE before that */
	struct stamp looked; /* as it was when it was looked at last */
	struct stamp dealt;  /* the same when nothing was left to do */
	int64_t until_us;
};

int rescue_begin(const struct files *f, struct str path)
{
	for (size_t i = 0; i < f->touched_count; i++)
		if (f->touched[i].locked && f->touched[i].fd >= 0 && str_eq(f->touched[i].path, path))
			return fcntl(f->touched[i].fd, F_DUPFD_CLOEXEC, 0);
	return -1;
}

static void rescue_free(struct rescue *r)
{
	close(r->fd);
	free(r->path);
	free(r);
}

static uint64_t hash_of_end(int fd, uint64_t size)
{
	size_t want = size < PIECE ? (size_t)size : PIECE;
	char *piece = mem_alloc(PIECE);
	ssize_t n = pread(fd, piece, want, (off_t)(size - want));
	uint64_t hash = str_hash((struct str){ piece, n > 0 ? (size_t)n : 0 });

	free(piece);
	return hash;
}

void rescue_keep(struct files *f, int fd, struct str path)
{
	struct rescue *r, **at = &f->rescues;
	struct stat st;
	size_t count = 0;

	if (fd < 0)
		return;
	file_lock(fd, F_UNLCK);
	if (fstat(fd, &st) < 0) {
		close(fd);
		return;
	}
	r = mem_new(struct rescue);
	r->path = str_dup(path);
	r->id = f->settled_id;
	r->fd = fd;
	r->size = (uint64_t)st.st_size;
	r->end = hash_of_end(fd, r->size);
	r->looked = r->dealt = stamp_of(&st);
	r->until_us = monotonic_us() + RESCUE_US;
	r->next = f->rescues;
	f->rescues = r;
	for (; *at && count < RESCUES_MAX; count++)
		at = &(*at)->next;
	while ((r = *at)) {
		*at = r->next;
		rescue_free(r);
	}
}

void rescue_drop(struct files *f, int fd)
{
	(void)f;
	if (fd >= 0)
		close(fd); /* the file's other descriptor has its lock still */
}

void rescue_rename(struct files *f, struct str from, struct str to)
{
	for (struct rescue *r = f->rescues; r; r = r->next)
		if (str_eq(str_of(r->path), from)) {
			free(r->path);
			r->path = str_dup(to);
		}
}

/* Reads what there is beyond r->size, to write it behind all that is in the file of its name. */
static bool rescue_copy(struct files *f, struct rescue *r, uint64_t size)
{
	struct operation op = { .kind = OP_WRITE, .path = str_of(r->path), .id = r->id, .offset = UINT64_MAX >> 2 };
	char *piece = mem_alloc(PIECE);
	bool good = true;
	uint64_t at;

	for (uint64_t from = r->size; good && from < size;) {
		ssize_t n = pread(r->fd, piece, size - from < PIECE ? (size_t)(size - from) : PIECE, (off_t)from);
		int fd = n > 0 ? mailbox_place(f, &op, &at) : -1;

		good = fd >= 0 && file_write_at(fd, (struct str){ piece, (size_t)n }, at) == 0;
		from += n > 0 ? (uint64_t)n : 0;
		op.offset += n > 0 ? (uint64_t)n : 0;
	}
	free(piece);
	return good;
}

/* What was added begins with a postmark, and nothing else was done to the file. */
static bool is_mail_added(struct rescue *r, uint64_t size)
{
	char begins[5];

	if (size < r->size || hash_of_end(r->fd, r->size) != r->end)
		return false;
	while (pread(r->fd, begins, 1, (off_t)r->size) == 1 && begins[0] == '\n')
		r->size++; /* the end of a message that had one */
	return size <= r->size || (pread(r->fd, begins, sizeof(begins), (off_t)r->size) == sizeof(begins) &&
					  str_eq((struct str){ begins, sizeof(begins) }, STR("From ")));
}

/* Another file beside the mailbox gets all that is in it. */
static bool aside_write(const struct files *f, const struct rescue *r, char aside[PATH_BYTES_MAX + 32])
{
	char *piece = mem_alloc(PIECE);
	uint64_t at = 0;
	ssize_t n = 1;
	int fd = -1;

	for (unsigned number = 1; fd < 0 && number <= ASIDE_MAX; number++) {
		snprintf(aside, PATH_BYTES_MAX + 32, "%s.damaged.%u", r->path, number);
		fd = openat(f->directory, aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	while (fd >= 0 && n > 0) {
		n = pread(r->fd, piece, PIECE, (off_t)at);
		if (n > 0 && file_write_at(fd, (struct str){ piece, (size_t)n }, at) < 0)
			n = -1;
		at += n > 0 ? (uint64_t)n : 0;
	}
	free(piece);
	if (fd >= 0 && fsync(fd) < 0)
		n = -1;
	if (fd >= 0)
		close(fd);
	return fd >= 0 && !n;
}

static void rescue_aside(const struct files *f, struct rescue *r)
{
	char aside[PATH_BYTES_MAX + 32];

	if (aside_write(f, r, aside))
		log_error("journal", NULL, "ANOTHER PROGRAM WROTE ANEW A FILE THAT WAS JUST REPLACED path=%s kept=%s",
			r->path, aside);
	else
		log_error("journal", NULL,
			"ANOTHER PROGRAM WROTE ANEW A FILE THAT WAS JUST REPLACED, and that cannot be kept path=%s "
			"error=\"%s\"",
			r->path, strerror(errno));
	r->until_us = 0;
}

/* Its lock is ours. False: there is something left to do. */
static bool rescue_deal(struct files *f, struct rescue *r, uint64_t size)
{
	struct buf operations = { 0 };

	if (!is_mail_added(r, size)) {
		rescue_aside(f, r);
		return true;
	}
	operation_pack(&operations, &(struct operation){ .kind = OP_WRITE, .path = str_of(r->path), .id = r->id });
	if (size > r->size && files_claim(f, buf_str(&operations), false)) {
		if (rescue_copy(f, r, size)) {
			log_info("journal", NULL, "another program wrote to a file just replaced path=%s bytes=%llu",
				r->path, (unsigned long long)(size - r->size));
			r->size = size;
			r->end = hash_of_end(r->fd, size);
		}
		files_release(f);
	}
	buf_free(&operations);
	return size <= r->size;
}

/* last: it is not looked at again. */
static void rescue_look(struct files *f, struct rescue *r, bool last)
{
	struct stat st;
	struct stamp now;
	bool quiet;

	if (fstat(r->fd, &st) < 0)
		return;
	now = stamp_of(&st);
	quiet = last || stamp_same(&now, &r->looked);
	r->looked = now;
	if (!quiet || stamp_same(&now, &r->dealt) || !file_lock(r->fd, F_WRLCK))
		return;
	if (!fstat(r->fd, &st) && rescue_deal(f, r, (uint64_t)st.st_size))
		r->dealt = stamp_of(&st);
	file_lock(r->fd, F_UNLCK);
}

static bool is_over(const struct rescue *r, int64_t now)
{
	struct statvfs st;
	bool low = !fstatvfs(r->fd, &st) && (uint64_t)st.f_bavail * st.f_frsize < LOW_BYTES + r->size;

	return now >= r->until_us - (low ? RESCUE_US - RESCUE_LOW_US : 0);
}

bool files_rescue(struct files *f)
{
	int64_t now = monotonic_us();
	struct rescue **at = &f->rescues, *r;

	while ((r = *at)) {
		rescue_look(f, r, is_over(r, now));
		if (!is_over(r, now)) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		rescue_free(r);
	}
	return f->rescues != NULL;
}

void rescues_free(struct files *f)
{
	struct rescue *r;

	while ((r = f->rescues)) {
		f->rescues = r->next;
		rescue_look(f, r, true);
		rescue_free(r);
	}
}
