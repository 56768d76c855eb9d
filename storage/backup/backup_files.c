/* backup_files.c - see backup_files.h. */
#include "storage/backup/backup_files.h"
#include "core/log.h"
#include "core/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP_BYTES   (8u << 20)
#define PIECE_BYTES  (1u << 20)
#define LIST_HEAD    STR("postern-files 1\n")
#define LIST_END     STR("end\n")
#define MANIFEST_MAX 300
#define LIST_MAX     (256u << 20)

enum err backup_failed(struct buf *why, const char *what, const char *path)
{
	int number = errno;

	buf_clear(why);
	buf_printf(why, "cannot %s %s: %s", what, path, strerror(number));
	log_error("backup", NULL, STR_FMT, STR_ARG(buf_str(why)));
	return err_of_errno(number);
}

enum err parents_make(int directory, const char *path, struct buf *why)
{
	char *text = str_dup(str_of(path));
	enum err e = OK;

	for (char *slash = strchr(text, '/'); slash && !e; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(directory, text, 0700) && errno != EEXIST)
			e = backup_failed(why, "make directory", text);
		*slash = '/';
	}
	free(text);
	return e;
}

/* --- copying ---------------------------------------------------------------------------------------------------------- */

enum err file_copy_begin(
	struct file_copy *c, int from, int to_directory, const char *path, uint64_t length, struct buf *why)
{
	*c = (struct file_copy){ .from = from, .length = length, .path = str_dup(str_of(path)) };
	c->to = openat(to_directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return c->to < 0 ? backup_failed(why, "make", path) : OK;
}

static ssize_t piece_copy(struct file_copy *c, char *piece)
{
	size_t want = c->length - c->at < PIECE_BYTES ? (size_t)(c->length - c->at) : PIECE_BYTES;
	ssize_t n = pread(c->from, piece, want, (off_t)c->at), done = 0;

	while (n > 0 && done < n) {
		ssize_t written = pwrite(c->to, piece + done, (size_t)(n - done), (off_t)(c->at + (uint64_t)done));

		if (written < 0)
			return -1;
		done += written;
	}
	return n;
}

enum err file_copy_step(struct file_copy *c, bool *done, struct buf *why)
{
	uint64_t until = c->length - c->at < STEP_BYTES ? c->length : c->at + STEP_BYTES;
	char *piece = mem_resize(NULL, PIECE_BYTES);
	ssize_t n = 1;

	while (c->at < until && (n = piece_copy(c, piece)) > 0)
		c->at += (uint64_t)n;
	free(piece);
	if (n < 0)
		return backup_failed(why, "copy", c->path);
	*done = c->at == c->length || !n; /* a file that is shorter is what it is */
	if (*done && !c->later && fsync(c->to) < 0)
		return backup_failed(why, "sync", c->path);
	return OK;
}

void file_copy_end(struct file_copy *c)
{
	if (!c->path)
		return;
	close(c->from);
	if (c->to >= 0)
		close(c->to);
	free(c->path);
	*c = (struct file_copy){ 0 };
}

static bool is_no_link(int number) /* the file system has none, or not between these, or no more of this one */
{
	return number == EXDEV || number == EPERM || number == EMLINK || number == EOPNOTSUPP;
}

static enum err file_open(int directory, const char *path, int *fd, uint64_t *length, struct buf *why)
{
	struct stat st;

	*fd = openat(directory, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0 && errno == ENOENT)
		return ERR_ABSENT;
	if (*fd < 0 || fstat(*fd, &st) < 0) {
		enum err e = backup_failed(why, "open", path);

		if (*fd >= 0)
			close(*fd);
		return e;
	}
	if (*length > (uint64_t)st.st_size)
		*length = (uint64_t)st.st_size;
	return OK;
}

enum err file_link(
	int from, int to, const char *path, bool copies, uint64_t *length, struct file_copy *c, struct buf *why)
{
	int fd, failed;
	enum err e = file_open(from, path, &fd, length, why);

	if (e)
		return e;
	if (copies)
		return file_copy_begin(c, fd, to, path, *length, why);
	failed = linkat(from, path, to, path, 0);
	if (failed && errno == EEXIST) /* the same was asked before */
		failed = unlinkat(to, path, 0) || linkat(from, path, to, path, 0);
	if (failed && is_no_link(errno))
		return file_copy_begin(c, fd, to, path, *length, why);
	if (failed)
		e = backup_failed(why, "link", path);
	close(fd);
	return e;
}

enum err file_small(int from, int to, const char *path, bool later, uint64_t *length, struct buf *why)
{
	struct file_copy c = { 0 };
	bool done = false;
	int fd;
	enum err e;

	*length = UINT64_MAX;
	if ((e = file_open(from, path, &fd, length, why)))
		return e;
	e = file_copy_begin(&c, fd, to, path, *length, why);
	c.later = later;
	while (!e && !done)
		e = file_copy_step(&c, &done, why);
	file_copy_end(&c);
	return e;
}

/* --- the manifest ------------------------------------------------------------------------------------------------------ */

/* It says which file it is. */
enum err manifest_read(int directory, bool *copy)
{
	unsigned long long inode = 0;
	unsigned version = 0;
	char line[MANIFEST_MAX];
	struct stat st;
	int fd = openat(directory, BACKUP_MANIFEST, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	*copy = false;
	if (fd < 0 && errno == ENOENT)
		return ERR_ABSENT;
	if (fd >= 0 && fstat(fd, &st) == 0)
		n = read(fd, line, sizeof(line) - 1);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return err_errno("read " BACKUP_MANIFEST);
	line[n] = '\0';
	if (sscanf(line, "postern-backup %u inode=%llu", &version, &inode) != 2 || version != 1 ||
		!strchr(line, '\n')) {
		log_error("backup", NULL, BACKUP_MANIFEST " is damaged, or of a later version");
		return ERR_NEVER;
	}
	*copy = inode != (unsigned long long)st.st_ino;
	return OK;
}

/* --- lists ------------------------------------------------------------------------------------------------------------- */

void files_add(struct buf *list, uint64_t length, struct str path)
{
	buf_printf(list, "%llu " STR_FMT "\n", (unsigned long long)length, STR_ARG(path));
}

bool files_next(struct str *list, uint64_t *length, struct str *path)
{
	ptrdiff_t lf = str_find(*list, '\n'), space = str_find(*list, ' ');

	if (lf < 0 || space < 0 || space > lf || !str_u64(str_cut(*list, 0, (size_t)space), length))
		return false;
	*path = str_cut(*list, (size_t)space + 1, (size_t)lf);
	*list = str_cut(*list, (size_t)lf + 1, list->len);
	return path->len > 0;
}

enum err files_write(int directory, const char *path, struct str list, struct buf *why)
{
	struct buf text = { 0 };
	int fd = openat(directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	enum err e = OK;

	buf_add_str(&text, LIST_HEAD);
	buf_add_str(&text, list);
	buf_add_str(&text, LIST_END);
	if (fd < 0 || write(fd, buf_data(&text), buf_len(&text)) != (ssize_t)buf_len(&text))
		e = backup_failed(why, "write", path);
	if (fd >= 0)
		close(fd);
	buf_free(&text);
	return e;
}

enum err files_read(int directory, const char *path, struct buf *list)
{
	struct str head = LIST_HEAD, end = LIST_END, text;
	int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	buf_clear(list);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? ERR_ABSENT : err_errno("open %s", path);
	while (n > 0 && buf_len(list) < LIST_MAX) {
		n = read(fd, buf_room(list, 65536), 65536);
		buf_added(list, n > 0 ? (size_t)n : 0);
	}
	close(fd);
	if (n < 0)
		return err_errno("read %s", path);
	text = buf_str(list);
	if (text.len < head.len + end.len || !str_starts(text, head) ||
		!str_eq(str_cut(text, text.len - end.len, text.len), end)) {
		log_error("backup", NULL, "a list of files is not whole, or of a later version path=%s", path);
		return ERR_NEVER;
	}
	buf_cut(list, text.len - end.len);
	buf_take(list, head.len);
	return OK;
}
