/* segment.c - see segment.h. */
#include "storage/journal/segment.h"
#include "core/listing.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_PREFIX    "segment."
#define NAME_MAX_BYTES 32
#define ZEROS          (64u << 10)

static const char *name_of(unsigned number, char name[NAME_MAX_BYTES])
{
	snprintf(name, NAME_MAX_BYTES, NAME_PREFIX "%08u", number);
	return name;
}

static enum err failed(const char *what, const char *name)
{
	int number = errno;

	log_error("journal", NULL, "cannot %s a segment name=%s error=\"%s\"", what, name, strerror(number));
	return number ? err_of_errno(number) : ERR_AGAIN;
}

static int by_number(const void *a, const void *b)
{
	unsigned x = ((const struct segment_file *)a)->number, y = ((const struct segment_file *)b)->number;

	return (x > y) - (x < y);
}

static enum err segment_open(int dir, const char *name, struct segment_file *s)
{
	struct stat st;

	if ((s->fd = openat(dir, name, O_RDWR | O_CLOEXEC)) < 0 || fstat(s->fd, &st) < 0) {
		enum err e = failed("open", name);

		if (s->fd >= 0)
			close(s->fd);
		return e;
	}
	s->size = (uint64_t)st.st_size;
	return OK;
}

enum err segments_open(int dir, struct segment_file **files, size_t *count)
{
	DIR *list = listing_open(dir, ".", 0);
	struct dirent *entry;
	enum err e = OK;

	*files = NULL;
	*count = 0;
	if (!list)
		return failed("look for", NAME_PREFIX);
	while (!e && (entry = readdir(list))) {
		struct str name = str_of(entry->d_name), prefix = STR(NAME_PREFIX);
		struct segment_file s;

		if (!str_starts(name, prefix) || !str_u32(str_cut(name, prefix.len, name.len), &s.number) ||
			(e = segment_open(dir, entry->d_name, &s)))
			continue;
		*files = mem_resize(*files, (*count + 1) * sizeof(**files));
		(*files)[(*count)++] = s;
	}
	closedir(list);
	if (e) {
		segments_close(*files, *count);
		*files = NULL;
		*count = 0;
	} else if (*count)
		qsort(*files, *count, sizeof(**files), by_number);
	return e;
}

void segments_close(struct segment_file *files, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (files[i].fd >= 0)
			close(files[i].fd);
	free(files);
}

enum err segment_remove(int dir, unsigned number)
{
	char name[NAME_MAX_BYTES];

	return unlinkat(dir, name_of(number, name), 0) < 0 && errno != ENOENT ? failed("remove", name) : OK;
}

enum err segment_step(struct segment_making *m)
{
	static const char zeros[ZEROS];
	uint64_t until = m->at + SEGMENT_STEP < m->size ? m->at + SEGMENT_STEP : m->size;
	char name[NAME_MAX_BYTES];
	enum err e;

	assert(m->at < m->size);
	name_of(m->number, name);
	if (m->fd < 0 && (m->fd = openat(m->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
		return failed("make", name);
	while (m->at < until) {
		size_t piece = until - m->at < ZEROS ? until - m->at : ZEROS;
		ssize_t n = pwrite(m->fd, zeros, piece, (off_t)m->at);

		if (n < 0 && errno != EINTR)
			break;
		m->at += n > 0 ? (uint64_t)n : 0;
	}
	if (m->at == until && (m->at < m->size || (fdatasync(m->fd) == 0 && fsync(m->dir) == 0)))
		return OK;
	e = failed("write zeros to", name);
	close(m->fd);
	unlinkat(m->dir, name, 0);
	m->fd = -1;
	m->at = 0;
	return e;
}
