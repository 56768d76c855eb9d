/* batch.c - see batch.h. */
#include "storage/journal/batch.h"
#include "core/crc32c.h"
#include <assert.h>

#define MAGIC             0x4e4a5350 /* "PSJN" */
#define VERSION           1
#define VERSION_RELAXED   2
#define CRC_AT            (BATCH_HEAD - 4)
#define HEAD_ENTRIES(len) ((len) / BATCH_ENTRY_HEAD) /* no more entries than that fit in so many bytes */

static void head_pack(struct buf *out, const struct batch_head *h)
{
	pack_u32(out, MAGIC);
	pack_u32(out, h->relaxed ? VERSION_RELAXED : VERSION);
	pack_u64(out, h->life);
	pack_u64(out, h->sequence);
	pack_u64(out, h->synced);
	pack_u64(out, h->checkpoint);
	pack_u32(out, h->count);
	pack_u32(out, h->length);
}

bool batch_read_head(struct str bytes, uint64_t life, struct batch_head *h)
{
	struct unpack u = unpack_of(bytes);
	bool ours = unpack_u32(&u) == MAGIC;
	uint32_t version;

	version = unpack_u32(&u);
	ours &= version > 0;
	h->relaxed = version == VERSION_RELAXED;
	h->newer = version > VERSION_RELAXED;
	h->life = unpack_u64(&u);
	h->sequence = unpack_u64(&u);
	h->synced = unpack_u64(&u);
	h->checkpoint = unpack_u64(&u);
	h->count = unpack_u32(&u);
	h->length = unpack_u32(&u);
	return ours && !u.bad && h->life == life && h->synced <= h->sequence && h->checkpoint <= h->synced &&
	       h->sequence < UINT64_MAX - h->count && h->count <= HEAD_ENTRIES(h->length);
}

static uint32_t crc_of(struct str head, struct str entries)
{
	return crc32c(crc32c(0, str_cut(head, 0, CRC_AT)), entries);
}

void batch_begin(struct buf *out)
{
	assert(!buf_len(out));
	memset(buf_room(out, BATCH_HEAD), 0, BATCH_HEAD);
	buf_added(out, BATCH_HEAD);
}

void batch_add(struct buf *out, struct str entry)
{
	pack_str(out, entry);
}

void batch_seal(struct buf *out, struct batch_head *h, uint32_t count)
{
	struct buf head = { 0 };
	size_t size = buf_len(out), whole = batch_size(size - BATCH_HEAD);

	assert(size >= BATCH_HEAD && size - BATCH_HEAD <= UINT32_MAX);
	h->count = count;
	h->length = (uint32_t)(size - BATCH_HEAD);
	head_pack(&head, h);
	pack_u32(&head, crc_of(buf_str(&head), str_cut(buf_str(out), BATCH_HEAD, size)));
	assert(buf_len(&head) == BATCH_HEAD);
	memcpy(buf_data(out), buf_data(&head), BATCH_HEAD);
	buf_free(&head);
	memset(buf_room(out, whole - size), 0, whole - size);
	buf_added(out, whole - size);
}

bool batch_read(struct str bytes, const struct batch_head *h, struct unpack *entries)
{
	struct unpack crc;
	struct str body;

	if (bytes.len < BATCH_HEAD + (uint64_t)h->length)
		return false;
	crc = unpack_of(str_cut(bytes, CRC_AT, BATCH_HEAD));
	body = str_cut(bytes, BATCH_HEAD, BATCH_HEAD + (size_t)h->length);
	*entries = unpack_of(body);
	return unpack_u32(&crc) == crc_of(str_cut(bytes, 0, BATCH_HEAD), body);
}
