/* scan.h - finding what a journal holds: every good batch in its segments, in order.
 * Segments are read from end to end: after a block that begins no good batch the next one is looked at. So a torn or
 * damaged batch hides nothing behind it. A batch that is missing though a later one says that it was synced is
 * damage: it is logged and costs itself. What is missing at the end was never promised; so is, with relaxed durability,
 * what follows the first batch that did not reach the disk. */
#ifndef STORAGE_JOURNAL_SCAN_H
#define STORAGE_JOURNAL_SCAN_H

#include "core/err.h"
#include "storage/journal/batch.h"
#include "storage/journal/segment.h"

struct scan_batch {
	struct batch_head head;
	size_t file; /* in files */
	uint64_t offset;
};

struct scan {
	struct segment_file *files;
	size_t file_count;
	struct scan_batch
		*batches; /* that are good, not void and, unless `all`, not wholly below `checkpoint`; by sequence */
	size_t count;
	uint64_t checkpoint; /* what comes before is durable in its files */
	uint64_t next;       /* beyond any sequence found */
	uint64_t lost;       /* entries that damage cost */
	bool newer;          /* there is a batch of a later version */
	bool all;            /* batches below `checkpoint` are there too, as far as they are not overwritten */
	struct buf bytes;    /* of the batch read last */
};

/* life, from: as the base says. scan_free ends it in any case. ERR_NEVER: a batch is of a later version. */
enum err scan_read(struct scan *s, int dir, uint64_t life, uint64_t from);
enum err scan_read_all(struct scan *s, int dir, uint64_t life, uint64_t from); /* with what is settled */
/* Each entry from `checkpoint` (unless `all`) on and below `upto`, in order, until one call does not answer OK: that is answered
 * then. */
enum err scan_each(
	struct scan *s, uint64_t upto, enum err (*each)(void *user, uint64_t sequence, struct str entry), void *user);
void scan_free(struct scan *s);

#endif
