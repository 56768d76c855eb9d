/* parked.c - entries that wait for another program's lock, each in a file of its own in the journal's directory, so that
 * the journal need not keep its segments for them. Whoever opens the journal next goes on trying them. */
#include "core/listing.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/journal_parts.h"
#include "storage/journal/operation.h"
#include "storage/journal/saved.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX (1u << 30) /* no segment is longer, nor an entry in it */

static struct parked_mailbox *mailbox_of(const struct journal *j, uint64_t id)
{
	for (size_t i = 0; i < j->parked_count; i++)
		if (j->parked_mailboxes[i].id == id)
			return &j->parked_mailboxes[i];
	return NULL;
}

bool journal_is_parked(const struct journal *j, uint64_t id)
{
	return mailbox_of(j, id) != NULL;
}

static void count_one(struct journal *j, uint64_t id, bool is_parked)
{
	struct parked_mailbox *p = mailbox_of(j, id);

	if (!p && is_parked) {
		j->parked_mailboxes = mem_resize(j->parked_mailboxes, (j->parked_count + 1) * sizeof(*p));
		p = &j->parked_mailboxes[j->parked_count++];
		*p = (struct parked_mailbox){ .id = id };
	}
	p->writes += is_parked ? 1 : -1;
	if (!p->writes)
		*p = j->parked_mailboxes[--j->parked_count];
	else if (p->writes > 1 || !is_parked)
		return;
	if (j->on_parked)
		j->on_parked(j->watching, id, is_parked);
}

void parked_tell(struct journal *j, const struct entry *e, bool is_parked)
{
	struct unpack u = unpack_of(buf_str(&e->operations));
	struct operation op;

	while (operation_next(&u, &op))
		if (operation_of_mailbox(&op))
			count_one(j, op.id, is_parked);
}

struct filing {
	struct filing *next;
	uint64_t sequence;
	struct buf operations;
};

struct filing *filing_new(const struct entry *e, struct filing *next)
{
	struct filing *f = mem_new(struct filing);

	f->next = next;
	f->sequence = e->sequence;
	buf_add_str(&f->operations, buf_str(&e->operations));
	return f;
}

void filing_free(struct filing *f)
{
	while (f) {
		struct filing *next = f->next;

		buf_free(&f->operations);
		free(f);
		f = next;
	}
}

static void name_of(uint64_t sequence, char name[40])
{
	snprintf(name, 40, PARKED "%llu", (unsigned long long)sequence);
}

enum err parked_write(int dir, uint64_t sequence, struct str operations)
{
	char name[40];

	name_of(sequence, name);
	return saved_write(dir, name, operations) ? ERR_AGAIN : OK;
}

enum err filing_write(int dir, const struct filing *f)
{
	enum err e = OK;

	for (const struct filing *at = f; at && !e; at = at->next)
		e = parked_write(dir, at->sequence, buf_str(&at->operations));
	if (f && !e && fsync(dir) < 0)
		e = err_errno("sync the journal's directory");
	return e ? ERR_AGAIN : OK;
}

void parked_unlink(int dir, uint64_t sequence)
{
	char name[40];

	name_of(sequence, name);
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		err_errno("unlink %s", name);
}

static int by_sequence(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static enum err list(int dir, uint64_t **sequences, size_t *count)
{
	DIR *d = listing_open(dir, ".", 0);
	const struct dirent *entry;
	uint64_t sequence;

	if (!d)
		return err_errno("read the journal's directory");
	while ((entry = readdir(d))) {
		struct str name = str_of(entry->d_name);

		if (!str_starts(name, STR(PARKED)) || !str_u64(str_cut(name, sizeof(PARKED) - 1, name.len), &sequence))
			continue;
		*sequences = mem_resize(*sequences, (*count + 1) * sizeof(**sequences));
		(*sequences)[(*count)++] = sequence;
	}
	closedir(d);
	if (*count)
		qsort(*sequences, *count, sizeof(**sequences), by_sequence);
	return OK;
}

static enum err read_file(int dir, uint64_t sequence, struct buf *out)
{
	char name[40];
	struct stat st;
	enum err e = OK;
	int fd;

	name_of(sequence, name);
	buf_clear(out);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		e = err_errno("open %s", name);
	else if ((uint64_t)st.st_size > FILE_BYTES_MAX)
		e = ERR_NEVER;
	else if (pread(fd, buf_room(out, (size_t)st.st_size), (size_t)st.st_size, 0) != (ssize_t)st.st_size)
		e = err_errno("read %s", name);
	else
		buf_added(out, (size_t)st.st_size);
	if (fd >= 0)
		close(fd);
	return e;
}

/* One that is damaged is left to somebody who looks at it. If a power cut did it, the entry is in the journal still. */
static enum err set_aside(int dir, uint64_t sequence)
{
	char name[40], to[64];

	name_of(sequence, name);
	snprintf(to, sizeof(to), "%s.damaged", name);
	log_error("journal", NULL, "an entry that was parked is damaged, it is set aside file=%s aside=%s", name, to);
	return renameat(dir, name, dir, to) < 0 ? err_errno("set aside %s", name) : OK;
}

enum err parked_each(
	int dir, enum err (*each)(void *user, uint64_t sequence, struct str entry), void *user, bool *damaged)
{
	uint64_t *sequences = NULL;
	struct buf file = { 0 };
	struct str operations;
	size_t count = 0;
	enum err e = list(dir, &sequences, &count);

	for (size_t i = 0; !e && i < count; i++) {
		if ((e = read_file(dir, sequences[i], &file)))
			break;
		switch (saved_parse(buf_str(&file), &operations)) {
		case SAVED_WELL:
			e = each(user, sequences[i], operations);
			break;
		case SAVED_DAMAGED:
			e = set_aside(dir, sequences[i]);
			*damaged = true;
			break;
		default:
			log_error("journal", NULL, "an entry that was parked is of a later version file=" PARKED "%llu",
				(unsigned long long)sequences[i]);
			e = ERR_NEVER;
		}
	}
	buf_free(&file);
	free(sequences);
	return e;
}
