/* record.c - see record.h. */
#include "core/record.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 64

void record_head(const struct record *r, char head[RECORD_HEAD_BYTES])
{
	char *at = head;

	*at++ = (char)r->kind;
	*at++ = (char)r->filed;
	*at++ = (char)r->e;
	*at++ = 0;
	memcpy(at, &r->type, 4);
	memcpy(at + 4, &r->from_life, 4);
	memcpy(at + 8, &r->to_life, 4);
	memcpy(at + 12, &r->number, 8);
}

bool record_read(struct record *r, struct str bytes)
{
	const unsigned char *at = (const unsigned char *)bytes.p;

	if (bytes.len < RECORD_HEAD_BYTES || at[0] < RECORD_CALL || at[0] > RECORD_EVENT || at[1] > 1 ||
		at[2] >= ERR_KINDS)
		return false;
	r->kind = at[0];
	r->filed = at[1];
	r->e = at[2];
	memcpy(&r->type, at + 4, 4);
	memcpy(&r->from_life, at + 8, 4);
	memcpy(&r->to_life, at + 12, 4);
	memcpy(&r->number, at + 16, 8);
	r->bytes = str_cut(bytes, RECORD_HEAD_BYTES, bytes.len);
	return true;
}

static void path_of(char path[PATH_BYTES], unsigned slot, uint32_t life, uint64_t count)
{
	snprintf(path, PATH_BYTES, RECORD_DIRECTORY "/%u-%" PRIu32 "-%" PRIx64, slot, life, count);
}

enum err record_file(int directory, unsigned slot, uint32_t life, uint64_t count, struct str bytes, struct buf *note)
{
	char path[PATH_BYTES];
	size_t done = 0;
	int fd;

	path_of(path, slot, life, count);
	fd = openat(directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno("make file=%s", path);
	while (done < bytes.len) {
		ssize_t n = write(fd, bytes.p + done, bytes.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			enum err e = err_errno("write file=%s", path);

			close(fd);
			unlinkat(directory, path, 0);
			return e;
		}
		done += (size_t)n;
	}
	close(fd);
	pack_u64(note, count);
	pack_u64(note, bytes.len);
	return OK;
}

enum err record_unfile(int directory, unsigned slot, uint32_t life, struct str note, size_t max, struct buf *bytes)
{
	struct unpack u = unpack_of(note);
	uint64_t count = unpack_u64(&u), len = unpack_u64(&u);
	char path[PATH_BYTES];
	enum err e = OK;
	int fd;

	if (!unpack_end(&u) || len > max)
		return ERR_NEVER;
	path_of(path, slot, life, count);
	fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno("open file=%s", path);
	while (!e && buf_len(bytes) < len) {
		size_t want = len - buf_len(bytes);
		ssize_t n = read(fd, buf_room(bytes, want), want);

		if (n > 0)
			buf_added(bytes, (size_t)n);
		else if (!n)
			e = ERR_NEVER;
		else if (errno != EINTR)
			e = err_errno("read file=%s", path);
	}
	close(fd);
	unlinkat(directory, path, 0);
	return e;
}

void record_unlink(int directory, unsigned slot, uint32_t life, struct str note)
{
	struct unpack u = unpack_of(note);
	uint64_t count = unpack_u64(&u);
	char path[PATH_BYTES];

	path_of(path, slot, life, count);
	unlinkat(directory, path, 0); /* gone already: as good */
}
