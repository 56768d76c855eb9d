/* apply_rescue.c - an mbox that was replaced by its next generation may be written to all the same: by a program that had it
 * open and waited for its lock. For a while it is looked at, and what it has grown by goes to the end of the file that
 * has its name now, as that program meant it. Its room on the disk is given back only then: at once, as good as, where
 * there is little. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/apply_parts.h"
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#define RESCUE_S     60
#define RESCUE_LOW_S 2 /* who waited for our lock has it by then */
#define LOW_BYTES    (256u << 20)
#define RESCUES_MAX  64
#define PIECE        (64u << 10)

struct rescue {
	struct rescue *next;
	char *path;
	uint64_t id;
	int fd;
	uint64_t size;
	time_t until;
};

int rescue_begin(const struct files *f, struct str path)
{
	for (size_t i = 0; i < f->touched_count; i++)
		if (f->touched[i].locked && f->touched[i].fd >= 0 && str_eq(f->touched[i].path, path))
			return fcntl(f->touched[i].fd, F_DUPFD_CLOEXEC, 0);
	return -1;
}

static time_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void rescue_free(struct rescue *r)
{
	close(r->fd);
	free(r->path);
	free(r);
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
	r->until = now_s() + RESCUE_S;
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

static void rescue_look(struct files *f, struct rescue *r)
{
	struct buf operations = { 0 };
	struct stat st;

	if (fstat(r->fd, &st) < 0 || (uint64_t)st.st_size <= r->size || !file_lock(r->fd, F_WRLCK))
		return;
	operation_pack(&operations, &(struct operation){ .kind = OP_WRITE, .path = str_of(r->path), .id = r->id });
	if (!fstat(r->fd, &st) && files_claim(f, buf_str(&operations), false)) {
		if (rescue_copy(f, r, (uint64_t)st.st_size)) {
			log_info("journal", NULL, "another program wrote to a file just replaced path=%s bytes=%llu",
				r->path, (unsigned long long)((uint64_t)st.st_size - r->size));
			r->size = (uint64_t)st.st_size;
		}
		files_release(f);
	}
	file_lock(r->fd, F_UNLCK);
	buf_free(&operations);
}

static bool is_over(const struct rescue *r, time_t now)
{
	struct statvfs st;
	bool low = !fstatvfs(r->fd, &st) && (uint64_t)st.f_bavail * st.f_frsize < LOW_BYTES + r->size;

	return now >= r->until - (low ? RESCUE_S - RESCUE_LOW_S : 0);
}

bool files_rescue(struct files *f)
{
	time_t now = now_s();
	struct rescue **at = &f->rescues, *r;

	while ((r = *at)) {
		rescue_look(f, r);
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

	files_rescue(f);
	while ((r = f->rescues)) {
		f->rescues = r->next;
		rescue_free(r);
	}
}
