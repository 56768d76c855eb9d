/* note.c - see note.h. The file is the struct's four numbers, packed, written by one pwrite. */
#include "storage/journal/note.h"
#include "core/log.h"
#include "core/pack.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define BYTES 32

static void note_write(struct note *n)
{
	struct buf b = { 0 };

	pack_u64(&b, n->life);
	pack_u64(&b, n->current);
	pack_u64(&b, n->suspect);
	pack_u64(&b, n->deaths);
	if (n->fd >= 0 && pwrite(n->fd, buf_data(&b), BYTES, 0) != BYTES)
		log_error("journal", NULL, "cannot note what is replayed error=\"%s\"", strerror(errno));
	buf_free(&b);
}

static void note_read(struct note *n)
{
	char bytes[BYTES];
	struct unpack u = unpack_of((struct str){ bytes, BYTES });

	if (pread(n->fd, bytes, BYTES, 0) != BYTES || unpack_u64(&u) != n->life)
		return;
	n->current = unpack_u64(&u);
	n->suspect = unpack_u64(&u);
	n->deaths = unpack_u64(&u);
}

void note_open(struct note *n, int dir, uint64_t life)
{
	*n = (struct note){ .fd = openat(dir, NOTE_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600), .life = life };
	if (n->fd < 0) {
		log_error("journal", NULL, "cannot note what is replayed error=\"%s\"", strerror(errno));
		return;
	}
	note_read(n);
	if (n->current) {
		n->deaths = n->current == n->suspect ? n->deaths + 1 : 1;
		n->suspect = n->current;
		n->current = 0;
		log_warn("journal", NULL, "a replay died sequence=%llu deaths=%llu", (unsigned long long)n->suspect - 1,
			(unsigned long long)n->deaths);
	}
	note_write(n);
}

bool note_kills(const struct note *n, uint64_t sequence)
{
	return n->suspect == sequence + 1 && n->deaths >= NOTE_DEATHS;
}

void note_begin(struct note *n, uint64_t sequence)
{
	n->current = sequence + 1;
	note_write(n);
}

void note_end(struct note *n)
{
	n->current = 0;
	note_write(n);
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}
