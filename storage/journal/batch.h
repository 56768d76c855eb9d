/* batch.h - what one write to the journal looks like: a head, then entries, a length before each.
 *   magic version life sequence synced checkpoint count length crc | length of entry, entry | ... | zeros to 4 KiB
 * The CRC covers the head and the entries. With it a batch proves that it is whole, where it belongs (sequence) and
 * that it is of this journal's present life: `life` is a random number, made anew whenever the journal starts empty,
 * that no stranger whose mail is in the journal can know. So old batches in a segment used again, and bytes in a
 * message that look like a batch, are never taken for one. Nothing here does I/O.
 * Version 1 was synced before the next was written. Version 2 was not (durability = relaxed): what lies between
 * `synced` and `sequence` is in batches on their way to the disk. If one of these is missing, all ends there. */
#ifndef STORAGE_JOURNAL_BATCH_H
#define STORAGE_JOURNAL_BATCH_H

#include "core/pack.h"

#define BATCH_HEAD  52
#define BATCH_ALIGN 4096 /* a batch begins where no earlier one has bytes in the same block */

struct batch_head {
	uint64_t life;
	uint64_t sequence;   /* of its first entry; the others count on */
	uint64_t synced;     /* all before this was synced; what lies between this and `sequence` failed and is void,
	                      * but if it is relaxed: that is written, and may be missing */
	uint64_t checkpoint; /* all before this is durable in the files */
	uint32_t count;      /* entries */
	uint32_t length;     /* bytes of the entries with their lengths */
	bool relaxed;
	bool newer; /* of a later version: nothing can be said of the entries */
};

static inline uint64_t batch_end(const struct batch_head *h) /* the sequence behind its last entry */
{
	return h->sequence + h->count;
}

static inline uint64_t batch_size(uint64_t length) /* bytes in the segment */
{
	return (BATCH_HEAD + length + BATCH_ALIGN - 1) / BATCH_ALIGN * BATCH_ALIGN;
}

#define BATCH_ENTRY_HEAD 4 /* bytes that an entry takes besides its own */

/* Making one: batch_begin leaves room for the head in an empty buffer, batch_add adds entries, batch_seal fills in
 * the head (its count and length too) and adds the zeros. */
void batch_begin(struct buf *out);
void batch_add(struct buf *out, struct str entry);
void batch_seal(struct buf *out, struct batch_head *h, uint32_t count);

/* Reading one: true if these bytes (BATCH_HEAD of them at least) could begin a batch of this life. */
bool batch_read_head(struct str bytes, uint64_t life, struct batch_head *h);
/* `bytes` begins with the head that h was read from: whether there is all of it and the CRC agrees. The entries are
 * left in *entries, to be taken by unpack_str, h->count times. */
bool batch_read(struct str bytes, const struct batch_head *h, struct unpack *entries);

#endif
