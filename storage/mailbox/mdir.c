/* mdir.c - see mdir.h. */
#include "storage/mailbox/mdir.h"
#include "core/log.h"
#include "core/mem.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define OTHERS_MAX (64u << 10) /* bytes of names that are none of ours; more are found when those are gone */
#define SETTLE_S   2           /* a file is taken in when it has been as it is for so long */
#define AHEAD_S    3600        /* one that is older than time itself by more is no younger tomorrow */

static void folder_path(struct buf *out, const char *stem)
{
	buf_printf(out, "%s" MDIR_SUFFIX, stem);
	buf_add_char(out, '\0');
}

void mdir_path(struct buf *out, const char *stem, uint32_t uid)
{
	buf_printf(out, "%s" MDIR_SUFFIX "/%" PRIu32, stem, uid);
	buf_add_char(out, '\0');
	buf_cut(out, buf_len(out) - 1);
}

int mdir_open(int directory, const char *stem, uint32_t uid)
{
	struct buf path = { 0 };
	int fd, number;

	mdir_path(&path, stem, uid);
	fd = openat(directory, buf_data(&path), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	number = errno;
	buf_free(&path);
	errno = number;
	return fd;
}

bool mdir_uid(struct str name, uint32_t *uid)
{
	return name.len && name.p[0] != '0' && str_u32(name, uid) && *uid < UINT32_MAX;
}

bool mdir_is_file(struct str path, struct str *folder)
{
	static const struct str suffix = { MDIR_SUFFIX, sizeof(MDIR_SUFFIX) - 1 };
	ptrdiff_t slash = str_rfind(path, '/');
	uint32_t uid;

	if (slash < 0 || !mdir_uid(str_cut(path, (size_t)slash + 1, path.len), &uid))
		return false;
	*folder = str_cut(path, 0, (size_t)slash);
	return folder->len > suffix.len && str_eq(str_cut(*folder, folder->len - suffix.len, folder->len), suffix);
}

bool mdir_other_form(struct str one, struct str other)
{
	struct str mdir = STR(MDIR_SUFFIX), mbox = STR(".mbox"), a, b;

	if (one.len != other.len || one.len <= mdir.len || memcmp(one.p, other.p, one.len - mdir.len))
		return false;
	a = str_cut(one, one.len - mdir.len, one.len);
	b = str_cut(other, other.len - mbox.len, other.len);
	return (str_eq(a, mdir) && str_eq(b, mbox)) || (str_eq(a, mbox) && str_eq(b, mdir));
}

static int by_uid(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void name_add(struct mdir_list *l, size_t *cap, const char *name)
{
	uint32_t uid;

	if (!mdir_uid(str_of(name), &uid)) {
		if (name[0] != '.' && !strstr(name, ".damaged") && buf_len(&l->others) < OTHERS_MAX)
			buf_add(&l->others, name, strlen(name) + 1);
		return;
	}
	if (l->count == *cap) {
		*cap = *cap ? 2 * *cap : 64;
		l->uids = mem_resize(l->uids, *cap * sizeof(*l->uids));
	}
	l->uids[l->count++] = uid;
}

enum err mdir_list_read(int directory, const char *stem, struct mdir_list *l)
{
	struct buf path = { 0 };
	const struct dirent *entry;
	enum err e = OK;
	size_t cap = 0;
	DIR *d = NULL;
	int fd;

	*l = (struct mdir_list){ 0 };
	folder_path(&path, stem);
	fd = openat(directory, buf_data(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		e = ERR_ABSENT;
	} else if (fd < 0 || !(d = fdopendir(fd))) {
		e = err_errno("open %s" MDIR_SUFFIX, stem);
		if (fd >= 0)
			close(fd);
	}
	errno = 0;
	while (d && (entry = readdir(d)))
		name_add(l, &cap, entry->d_name);
	if (d && errno)
		e = err_errno("read %s" MDIR_SUFFIX, stem);
	if (d)
		closedir(d);
	buf_free(&path);
	if (l->count > 1)
		qsort(l->uids, l->count, sizeof(*l->uids), by_uid);
	return e;
}

void mdir_list_free(struct mdir_list *l)
{
	free(l->uids);
	buf_free(&l->others);
	*l = (struct mdir_list){ 0 };
}

bool mdir_is_settled(const struct stat *st)
{
	int64_t age = (int64_t)time(NULL) - st->st_mtime;

	return age >= SETTLE_S || age < -AHEAD_S;
}

bool mdir_is_settling(int directory, const char *stem)
{
	struct mdir_list list;
	struct buf path = { 0 };
	bool is = false;
	enum err e = mdir_list_read(directory, stem, &list);
	struct str left = buf_str(&list.others);

	while (!e && !is && left.len) {
		const char *name = left.p;
		struct stat st;

		left = str_cut(left, strlen(name) + 1, left.len);
		buf_clear(&path);
		buf_printf(&path, "%s" MDIR_SUFFIX "/%s", stem, name);
		buf_add_char(&path, '\0');
		is = !fstatat(directory, buf_data(&path), &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode) &&
		     !mdir_is_settled(&st);
	}
	buf_free(&path);
	mdir_list_free(&list);
	return is;
}

void mdir_drop(int directory, const char *folder)
{
	int fd = openat(directory, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (fd >= 0 && !d)
		close(fd);
	while (d && (entry = readdir(d)))
		unlinkat(dirfd(d), entry->d_name, 0);
	if (d)
		closedir(d);
	unlinkat(directory, folder, AT_REMOVEDIR);
}

/* A file or directory of each would be as good, but there may be many, and most are durable long since. */
enum err mdir_sync(int directory, const char *folder)
{
	int fd = openat(directory, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e = OK;

	if (fd < 0 && errno != ENOENT)
		e = err_errno("open %s", folder);
	else if (fd >= 0 && syncfs(fd) < 0)
		e = err_errno("sync %s", folder);
	if (fd >= 0)
		close(fd);
	return e ? ERR_AGAIN : OK;
}
