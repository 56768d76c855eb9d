/* scan.c - see scan.h. */
#include "storage/journal/scan.h"
#include "core/log.h"
#include "core/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Reads len bytes, fewer at the end of the file. False: the disk cannot read them; they count as damaged. */
static bool read_at(int fd, uint64_t offset, size_t len, struct buf *out)
{
	buf_clear(out);
	while (buf_len(out) < len) {
		ssize_t n = pread(
			fd, buf_room(out, len - buf_len(out)), len - buf_len(out), (off_t)(offset + buf_len(out)));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			log_error("journal", NULL, "cannot read a segment offset=%llu error=\"%s\"",
				(unsigned long long)offset, strerror(errno));
		if (n < 0)
			return false;
		if (n == 0)
			break;
		buf_added(out, (size_t)n);
	}
	return true;
}

static void found(struct scan *s, const struct batch_head *h, size_t file, uint64_t offset)
{
	if (!(s->count & (s->count - 1))) /* full at each power of two */
		s->batches = mem_resize(s->batches, (s->count ? s->count * 2 : 1) * sizeof(*s->batches));
	s->batches[s->count++] = (struct scan_batch){ *h, file, offset };
	if (batch_end(h) > s->next)
		s->next = batch_end(h);
}

static void scan_segment(struct scan *s, size_t place, uint64_t life)
{
	const struct segment_file *f = &s->files[place];
	struct batch_head h;
	struct unpack entries;
	uint64_t offset = 0;

	posix_fadvise(f->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	while (offset + BATCH_HEAD <= f->size)
		if (read_at(f->fd, offset, BATCH_HEAD, &s->bytes) && batch_read_head(buf_str(&s->bytes), life, &h) &&
			batch_size(h.length) <= f->size - offset &&
			read_at(f->fd, offset, BATCH_HEAD + (size_t)h.length, &s->bytes) &&
			batch_read(buf_str(&s->bytes), &h, &entries)) {
			s->newer |= h.newer;
			found(s, &h, place, offset);
			offset += batch_size(h.length);
		} else
			offset += BATCH_ALIGN;
}

static int by_sequence(const void *a, const void *b)
{
	const struct batch_head *x = &((const struct scan_batch *)a)->head, *y = &((const struct scan_batch *)b)->head;

	if (x->sequence != y->sequence)
		return x->sequence < y->sequence ? -1 : 1;
	return (batch_end(x) > batch_end(y)) - (batch_end(x) < batch_end(y));
}

/* Drops what a later batch says failed, and the second of two that are the same: what could not be synced was written
 * once more. Heads that say so are few: one for each failed write. */
static void drop_void(struct scan *s)
{
	uint64_t(*failed)[2] = NULL;
	size_t failures = 0, kept = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct batch_head *h = &s->batches[i].head;

		if (h->synced < h->sequence && !h->relaxed) {
			failed = mem_resize(failed, (failures + 1) * sizeof(*failed));
			failed[failures][0] = h->synced;
			failed[failures++][1] = h->sequence;
		}
	}
	for (size_t i = 0; i < s->count; i++) {
		const struct batch_head *h = &s->batches[i].head;
		const struct batch_head *last = kept ? &s->batches[kept - 1].head : NULL;
		bool keep = !last || h->sequence != last->sequence || batch_end(h) != batch_end(last);

		for (size_t k = 0; keep && k < failures; k++)
			keep = h->sequence < failed[k][0] || h->sequence >= failed[k][1];
		if (keep)
			s->batches[kept++] = s->batches[i];
	}
	s->count = kept;
	free(failed);
}

/* Whoever was told before the sync was told of what comes behind a hole, too: that is the end. Nothing was used again
 * from there on, since no checkpoint was synced behind it. */
static void end_at_hole(struct scan *s)
{
	uint64_t synced = 0, expected = s->checkpoint;
	size_t i;

	for (i = 0; i < s->count; i++)
		synced = s->batches[i].head.synced > synced ? s->batches[i].head.synced : synced;
	for (i = 0; i < s->count; i++) {
		const struct batch_head *h = &s->batches[i].head;

		if (h->relaxed && h->sequence > expected && h->sequence > synced)
			break;
		expected = batch_end(h);
	}
	s->count = i;
}

/* What comes before the last checkpoint is in its files. */
static void drop_settled(struct scan *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++)
		if (s->batches[i].head.checkpoint > s->checkpoint)
			s->checkpoint = s->batches[i].head.checkpoint;
	for (size_t i = 0; i < s->count; i++)
		if (s->all || batch_end(&s->batches[i].head) > s->checkpoint)
			s->batches[kept++] = s->batches[i];
	s->count = kept;
}

/* Entries between the batches that a later batch says were synced. */
static void count_lost(struct scan *s)
{
	uint64_t expected = s->checkpoint;

	for (size_t i = 0; i < s->count; i++) {
		const struct batch_head *h = &s->batches[i].head;

		if (batch_end(h) <= s->checkpoint)
			continue;
		if (h->synced > expected) {
			log_error("journal", NULL, "damaged: entries are lost first=%llu count=%llu",
				(unsigned long long)expected, (unsigned long long)(h->synced - expected));
			s->lost += h->synced - expected;
		}
		expected = batch_end(h);
	}
}

static enum err read_segments(struct scan *s, int dir, uint64_t life)
{
	enum err e;

	if ((e = segments_open(dir, &s->files, &s->file_count)))
		return e;
	for (size_t i = 0; i < s->file_count; i++)
		scan_segment(s, i, life);
	if (s->count)
		qsort(s->batches, s->count, sizeof(*s->batches), by_sequence);
	if (s->newer) {
		log_error("journal", NULL, "the journal has batches of a later version: a newer program is needed");
		return ERR_NEVER;
	}
	drop_void(s);
	end_at_hole(s);
	drop_settled(s);
	count_lost(s);
	return OK;
}

enum err scan_read(struct scan *s, int dir, uint64_t life, uint64_t from)
{
	*s = (struct scan){ .checkpoint = from, .next = from };
	return read_segments(s, dir, life);
}

enum err scan_read_all(struct scan *s, int dir, uint64_t life, uint64_t from)
{
	*s = (struct scan){ .checkpoint = from, .next = from, .all = true };
	return read_segments(s, dir, life);
}

enum err scan_each(
	struct scan *s, uint64_t upto, enum err (*each)(void *user, uint64_t sequence, struct str entry), void *user)
{
	enum err e = OK;

	for (size_t i = 0; i < s->count && !e; i++) {
		const struct scan_batch *b = &s->batches[i];
		struct unpack entries;

		if (b->head.sequence >= upto)
			break;
		if (!read_at(s->files[b->file].fd, b->offset, BATCH_HEAD + (size_t)b->head.length, &s->bytes) ||
			!batch_read(buf_str(&s->bytes), &b->head, &entries)) {
			log_error("journal", NULL, "a batch that was good is bad now first=%llu",
				(unsigned long long)b->head.sequence);
			return ERR_AGAIN;
		}
		for (uint64_t n = b->head.sequence; n < batch_end(&b->head) && n < upto && !e; n++) {
			struct str entry = unpack_str(&entries);

			if (s->all || n >= s->checkpoint)
				e = each(user, n, entry);
		}
	}
	return e;
}

void scan_free(struct scan *s)
{
	segments_close(s->files, s->file_count);
	free(s->batches);
	buf_free(&s->bytes);
	*s = (struct scan){ 0 };
}
