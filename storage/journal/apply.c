/* apply.c - see apply.h.
 * Files written to are kept open, up to FILES_OPEN_MAX, fewer where few descriptors may be open, the one longest
 * unused making room. A file that was renamed, replaced or removed by an operation is closed first, one that somebody
 * else unlinked is noticed by its link count.
 * For each file system ever touched one descriptor stays open from before the first write on: syncfs tells a
 * descriptor only of errors that happened since it was opened. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/apply_parts.h"
#include "storage/journal/marks.h"
#include "storage/journal/operation.h"
#include "storage/mailbox/mdir.h"
#include "storage/path.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COPY_BYTES     (256u << 10)
#define FILE_MODE      0600
#define DIRECTORY_MODE 0700
#define LOG_AGAIN_US   60000000
#define PUT_SUFFIX     ".new"
#define DELETED        "deleted"

typedef char path_text[PATH_BYTES_MAX + sizeof(PUT_SUFFIX)];

static void close_file(struct open_file *o)
{
	free(o->path);
	o->path = NULL;
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}

void files_free(struct files *f)
{
	if (!f)
		return;
	rescues_free(f);
	for (size_t i = 0; i < FILES_OPEN_MAX; i++)
		if (f->open[i].path)
			close_file(&f->open[i]);
	for (size_t i = 0; i < f->system_count; i++)
		close(f->systems[i].fd);
	free(f->systems);
	free(f->known);
	marks_free(f->shifts);
	buf_free(&f->changed);
	free(f);
}

/* Logs what errno says of it, unless the same was logged a moment ago: whoever tries again does so each second. */
enum err files_failed(struct files *f, const char *what, struct str path)
{
	int number = errno;
	int64_t now = monotonic_us();

	if (f->failed_errno != number || now - f->failed_us >= LOG_AGAIN_US) {
		log_error("journal", NULL, "cannot %s path=" STR_FMT " error=\"%s\"", what, STR_ARG(path),
			strerror(number));
		f->failed_us = now;
	}
	f->failed_errno = number;
	return number ? err_of_errno(number) : ERR_AGAIN;
}

static char *text_of(struct str path, path_text room)
{
	assert(path.len <= PATH_BYTES_MAX);
	memcpy(room, path.p, path.len);
	room[path.len] = 0;
	return room;
}

/* Makes the directories that path is in, where they are missing. */
static int make_parents(struct files *f, struct str path)
{
	path_text text;

	text_of(path, text);
	for (char *slash = strchr(text, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdirat(f->directory, text, DIRECTORY_MODE) && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return 0;
}

/* From now on a sync covers the file system that the directory of path is on; device: the path's, if it is known. */
static int note_filesystem(struct files *f, struct str path, const dev_t *device)
{
	ptrdiff_t slash = str_rfind(path, '/');
	struct stat st;
	path_text text;
	int fd;

	for (size_t i = 0; device && i < f->system_count; i++)
		if (f->systems[i].device == *device)
			return 0;
	fd = openat(f->directory, slash < 0 ? "." : text_of(str_cut(path, 0, (size_t)slash), text),
		O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	for (size_t i = 0; i < f->system_count; i++)
		if (f->systems[i].device == st.st_dev)
			return close(fd);
	f->systems = mem_resize(f->systems, (f->system_count + 1) * sizeof(*f->systems));
	f->systems[f->system_count++] = (struct filesystem){ st.st_dev, fd };
	return 0;
}

static size_t open_most(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur / FILES_OPEN_SHARE >= FILES_OPEN_MAX)
		return FILES_OPEN_MAX;
	return limit.rlim_cur / FILES_OPEN_SHARE > FILES_OPEN_LEAST ? limit.rlim_cur / FILES_OPEN_SHARE
	                                                            : FILES_OPEN_LEAST;
}

struct files *files_new(int directory)
{
	struct files *f = mem_new(struct files);

	f->open_most = open_most();
	f->directory = directory;
	note_filesystem(f, STR("."), NULL); /* tried again before a sync */
	return f;
}

/* Closes the file of this path, and those below it. */
static void forget_open(struct files *f, struct str path)
{
	for (size_t i = 0; i < FILES_OPEN_MAX; i++) {
		struct str open = str_of(f->open[i].path);

		if (!open.len || !str_starts(open, path) || (open.len != path.len && open.p[path.len] != '/'))
			continue;
		for (size_t t = 0; t < f->touched_count; t++)
			if (f->touched[t].fd == f->open[i].fd)
				f->touched[t] = (struct touched){ .path = f->touched[t].path, .fd = -1 };
		close_file(&f->open[i]);
	}
}

static int open_to_write(struct files *f, struct str path, const char *text)
{
	int flags = O_RDWR | O_CREAT | O_CLOEXEC, fd = openat(f->directory, text, flags, FILE_MODE);

	if (fd < 0 && errno == ENOENT && make_parents(f, path) == 0)
		fd = openat(f->directory, text, flags, FILE_MODE);
	return fd;
}

/* Whether that file still bears the path; without `named` it is enough that it bears any. */
static bool is_current(const struct files *f, const struct open_file *o, bool named, struct stat *st)
{
	struct stat now;

	if (fstat(o->fd, st) < 0 || !st->st_nlink)
		return false;
	return !named ||
	       (fstatat(f->directory, o->path, &now, 0) == 0 && now.st_ino == st->st_ino && now.st_dev == st->st_dev);
}

int files_open(struct files *f, struct str path, unsigned how, struct stat *st)
{
	uint64_t hash = str_hash(path);
	struct open_file *o = &f->open[0];
	path_text text;

	for (size_t i = 0; i < f->open_most; i++) {
		if (f->open[i].path && f->open[i].hash == hash && str_eq(str_of(f->open[i].path), path)) {
			o = &f->open[i];
			if (is_current(f, o, how & OPEN_NAMED, st)) {
				o->used = ++f->uses;
				return o->fd;
			}
			break;
		}
		if (!f->open[i].path || (o->path && f->open[i].used < o->used))
			o = &f->open[i];
	}
	if (o->path)
		close_file(o);
	text_of(path, text);
	o->fd = how & OPEN_THERE ? openat(f->directory, text, O_RDWR | O_CLOEXEC) : open_to_write(f, path, text);
	if (o->fd < 0 || fstat(o->fd, st) < 0 || note_filesystem(f, path, &st->st_dev) < 0) {
		int number = errno;

		close_file(o);
		errno = number;
		return -1;
	}
	*o = (struct open_file){ str_dup(path), hash, ++f->uses, o->fd };
	return o->fd;
}

int file_write_at(int fd, struct str bytes, uint64_t offset)
{
	while (bytes.len) {
		ssize_t n = pwrite(fd, bytes.p, bytes.len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		bytes = str_cut(bytes, (size_t)n, bytes.len);
		offset += (uint64_t)n;
	}
	return 0;
}

/* Where it is to be written: -1: errno says why. */
static int file_at(struct files *f, const struct operation *op, uint64_t *at)
{
	struct stat st;
	int fd;

	*at = op->offset;
	if (operation_of_mailbox(op))
		return mailbox_place(f, op, at);
	fd = files_open(f, op->path, 0, &st);
	if (fd >= 0 && (uint64_t)st.st_size < op->offset)
		log_warn("journal", NULL, "a file is shorter than it was path=" STR_FMT " bytes=%llu expected=%llu",
			STR_ARG(op->path), (unsigned long long)st.st_size, (unsigned long long)op->offset);
	return fd;
}

static enum err apply_write(struct files *f, const struct operation *op)
{
	uint64_t at;
	int fd = file_at(f, op, &at);

	if (fd == PLACE_DONE)
		return OK;
	return fd < 0 || file_write_at(fd, op->bytes, at) < 0 ? files_failed(f, "write", op->path) : OK;
}

static enum err apply_spool(struct files *f, const struct operation *op)
{
	path_text text;
	uint64_t done = 0, at;
	int to = file_at(f, op, &at), from;
	ssize_t n = 1;
	char *bytes;

	if (to == PLACE_DONE)
		return OK;
	if (to < 0)
		return files_failed(f, "write", op->path);
	if ((from = openat(f->directory, text_of(op->other, text), O_RDONLY | O_CLOEXEC)) < 0) {
		enum err e = files_failed(f, "open spooled bytes", op->other);

		return e == ERR_ABSENT ? ERR_NEVER : e;
	}
	bytes = mem_alloc(COPY_BYTES);
	while (done < op->len && n > 0) {
		n = pread(from, bytes, op->len - done < COPY_BYTES ? op->len - done : COPY_BYTES, (off_t)done);
		if (n > 0 && file_write_at(to, (struct str){ bytes, (size_t)n }, at + done) < 0)
			n = -1;
		done += n > 0 ? (uint64_t)n : 0;
	}
	free(bytes);
	close(from);
	if (n < 0)
		return files_failed(f, "copy spooled bytes", op->path);
	if (done == op->len)
		return OK;
	log_error("journal", NULL, "spooled bytes are missing path=" STR_FMT " spool=" STR_FMT, STR_ARG(op->path),
		STR_ARG(op->other));
	return ERR_NEVER;
}

/* rename(2) does nothing where both names are the same file already. So a power cut leaves them where the new name was on
 * the disk and the end of the old one, in another directory, was not. st: of that file. */
static int drop_old_name(struct files *f, const char *from, const struct stat *st)
{
	struct stat there;

	if (!S_ISREG(st->st_mode) || st->st_nlink < 2 || fstatat(f->directory, from, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
		there.st_ino != st->st_ino || there.st_dev != st->st_dev)
		return 0;
	return unlinkat(f->directory, from, 0);
}

static enum err apply_put(struct files *f, const struct operation *op)
{
	path_text to, new;
	enum err e = OK;
	struct stat st;
	int fd;

	memcpy(text_of(op->path, new) + op->path.len, PUT_SUFFIX, sizeof(PUT_SUFFIX));
	forget_open(f, op->path);
	if ((fd = open_to_write(f, op->path, new)) < 0)
		return files_failed(f, "make", op->path);
	if (note_filesystem(f, op->path, NULL) < 0 || ftruncate(fd, 0) < 0 || file_write_at(fd, op->bytes, 0) < 0 ||
		renameat(f->directory, new, f->directory, text_of(op->path, to)) < 0 || fstat(fd, &st) < 0 ||
		drop_old_name(f, new, &st) < 0)
		e = files_failed(f, "put", op->path);
	close(fd);
	return e;
}

static enum err apply_directory(struct files *f, const struct operation *op)
{
	path_text text;

	if (make_parents(f, op->path) < 0 ||
		(mkdirat(f->directory, text_of(op->path, text), DIRECTORY_MODE) < 0 && errno != EEXIST) ||
		note_filesystem(f, op->path, NULL) < 0)
		return files_failed(f, "make directory", op->path);
	return OK;
}

static bool absent(void) /* by errno */
{
	return errno == ENOENT || errno == ENOTDIR;
}

static enum err apply_remove(struct files *f, const struct operation *op);

/* A mailbox's folder takes the place of another; other directories that are in the way stay there. */
static int rename_over(struct files *f, const char *from, struct str path)
{
	struct str suffix = STR(MDIR_SUFFIX);
	path_text to;

	text_of(path, to);
	if (renameat(f->directory, from, f->directory, to) == 0)
		return 0;
	if ((errno != ENOTEMPTY && errno != EEXIST) || path.len < suffix.len ||
		!str_eq(str_cut(path, path.len - suffix.len, path.len), suffix))
		return -1;
	if (apply_remove(f, &(struct operation){ .kind = OP_REMOVE, .path = path }))
		return -1;
	return renameat(f->directory, from, f->directory, to);
}

static enum err apply_rename(struct files *f, const struct operation *op)
{
	path_text from;
	struct stat st;
	int old, number;

	if (fstatat(f->directory, text_of(op->path, from), &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (absent() && (note_filesystem(f, op->other, NULL) == 0 || absent()))
			return OK; /* it was done before */
		return files_failed(f, "look at", op->path);
	}
	forget_open(f, op->path);
	old = rescue_begin(f, op->other);
	if (make_parents(f, op->other) == 0 && note_filesystem(f, op->other, NULL) == 0 &&
		rename_over(f, from, op->other) == 0 &&
		(str_eq(op->path, op->other) || drop_old_name(f, from, &st) == 0)) {
		struct stamp stamp = stamp_of(&st);

		forget_open(f, op->other); /* only now: with it goes its lock */
		rescue_rename(f, op->path, op->other);
		rescue_keep(f, old, op->other);
		files_know(f, op->path, NULL);
		files_know(f, op->other, S_ISREG(st.st_mode) ? &stamp : NULL);
		return OK;
	}
	number = errno;
	rescue_drop(f, old);
	errno = number;
	if (errno == ENOTEMPTY || errno == EEXIST) { /* a full directory in the way stays there */
		files_failed(f, "rename over", op->other);
		return ERR_NEVER;
	}
	return files_failed(f, "rename", op->path);
}

/* What is removed only moves: at once, whatever its size, and an administrator can still bring it back. */
static enum err apply_remove(struct files *f, const struct operation *op)
{
	int parents = (int)str_rfind(op->path, '/') + 1, moved;
	char unique[100], to[PATH_BYTES_MAX + sizeof(unique) + 20];
	struct timespec now;
	path_text from;

	forget_open(f, op->path);
	if (note_filesystem(f, op->path, NULL) < 0)
		return absent() ? OK : files_failed(f, "remove", op->path);
	if (mkdirat(f->directory, DELETED, DIRECTORY_MODE) < 0 && errno != EEXIST)
		return files_failed(f, "make directory", STR(DELETED));
	text_of(op->path, from);
	clock_gettime(CLOCK_REALTIME, &now);
	files_know(f, op->path, NULL);
	snprintf(unique, sizeof(unique), "%lld.%09ld.%d.%u", (long long)now.tv_sec, now.tv_nsec, (int)getpid(),
		f->removed++);
	snprintf(to, sizeof(to), DELETED "/%s", unique);
	moved = renameat(f->directory, from, f->directory, to);
	if (moved < 0 && errno == EXDEV) { /* from another file system: it hides beside its old place */
		snprintf(to, sizeof(to), "%.*s." DELETED ".%s", parents, from, unique);
		moved = renameat(f->directory, from, f->directory, to);
	}
	return moved < 0 && !absent() ? files_failed(f, "remove", op->path) : OK; /* not there: it was done before */
}

static enum err do_operation(struct files *f, const struct operation *op)
{
	switch (op->kind) {
	case OP_WRITE:
		return apply_write(f, op);
	case OP_SPOOL:
		return apply_spool(f, op);
	case OP_PUT:
		return apply_put(f, op);
	case OP_DIRECTORY:
		return apply_directory(f, op);
	case OP_RENAME:
		return apply_rename(f, op);
	case OP_REMOVE:
		return apply_remove(f, op);
	default: /* the journal's own */
		return OK;
	}
}

enum err apply_operation(struct files *f, const struct operation *op)
{
	bool told = mdir_before(f, op);
	enum err e = do_operation(f, op);

	mdir_behind(f, op, told);
	return e;
}

enum err apply_operations(struct files *f, struct str operations)
{
	struct unpack u = unpack_of(operations);
	bool late = files_too_late(f, operations, false);
	enum err e = late ? files_give_up(f, operations) : OK, worst = e;
	struct operation op;

	while ((!e || e == ERR_NEVER) && operation_next(&u, &op))
		if (!(late && op.kind == OP_RENAME) && !files_keeps_form(f, operations, &op) &&
			(e = apply_operation(f, &op)))
			worst = e;
	files_release(f);
	if (!worst)
		f->failed_errno = 0;
	if (u.bad) {
		log_error("journal", NULL, "an entry cannot be understood bytes=%zu", operations.len);
		return ERR_NEVER;
	}
	return worst;
}

/* In a file of a mailbox others may have written behind us; a crash leaves nothing there but NULs. */
static bool is_others(int fd, struct str path, uint64_t end)
{
	char next = '\0';

	return path_is_mailbox(path) && pread(fd, &next, 1, (off_t)end) == 1 && next;
}

enum err files_cut(struct files *f, struct str path, uint64_t end)
{
	path_text text;
	struct stat st;
	enum err e = OK;
	int fd = openat(f->directory, text_of(path, text), O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? OK : files_failed(f, "open", path);
	if (fstat(fd, &st) < 0)
		e = files_failed(f, "look at", path);
	else if ((uint64_t)st.st_size > end && !is_others(fd, path, end)) {
		log_warn("journal", NULL, "cut off what the journal does not know path=" STR_FMT " bytes=%llu cut=%llu",
			STR_ARG(path), (unsigned long long)end, (unsigned long long)st.st_size - end);
		if (ftruncate(fd, (off_t)end) < 0)
			e = files_failed(f, "cut", path);
	}
	close(fd);
	return e;
}

enum err files_sync_list(struct files *f, struct sync_list *l)
{
	enum err e = OK;

	if (note_filesystem(f, STR("."), NULL) < 0) /* the store's own, even if nothing was written */
		return files_failed(f, "open", STR("."));
	*l = (struct sync_list){ mem_alloc(f->system_count * sizeof(*l->fds)), 0 };
	for (size_t i = 0; i < f->system_count && !e; i++) {
		l->fds[i] = fcntl(f->systems[i].fd, F_DUPFD_CLOEXEC, 0);
		if (l->fds[i] < 0)
			e = files_failed(f, "have a descriptor for", STR("a sync"));
		else
			l->count++;
	}
	if (e) {
		for (size_t i = 0; i < l->count; i++)
			close(l->fds[i]);
		free(l->fds);
	}
	return e;
}

enum err sync_list_run(struct sync_list *l)
{
	enum err e = OK;

	for (size_t i = 0; i < l->count; i++) {
		if (syncfs(l->fds[i]) < 0) {
			log_error("journal", NULL, "cannot sync a file system error=\"%s\"", strerror(errno));
			e = ERR_AGAIN;
		}
		close(l->fds[i]);
	}
	free(l->fds);
	*l = (struct sync_list){ 0 };
	return e;
}
