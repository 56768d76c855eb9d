/* What a damaged or forged journal may hold: a segment is made of pieces of the input and read as replay reads it.
 * A piece is a byte that says how it is meant, two bytes of length, and so many bytes:
 *   0  blocks of a segment as they are
 *   1  the entries of a batch, sealed with a right CRC and the next sequence
 *   2  the same, but one of its bytes is changed then
 *   3  an entry: a row of operations, in a batch of its own */
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/moved.h"
#include "storage/journal/names.h"
#include "storage/journal/operation.h"
#include "storage/journal/scan.h"
#include "t/fuzz/folder.h"
#include <stdlib.h>
#include <unistd.h>

#define LIFE      0x1234
#define BYTES_MAX (256u << 10)

static struct {
	struct moved *moved;
	struct names *names;
	uint64_t last, entries;
} seen;

static enum err each(void *user, uint64_t sequence, struct str entry)
{
	struct unpack u = unpack_of(entry);
	struct operation op;
	struct buf again = { 0 };

	(void)user;
	if (seen.entries++ && sequence <= seen.last) /* each once, in order */
		abort();
	seen.last = sequence;
	moved_blocks(seen.moved, entry);
	while (operation_next(&u, &op)) {
		operation_pack(&again, &op); /* asserts that it could have been packed so */
		if (op.kind == OP_NAME)
			names_add(seen.names, op.name, op.bytes);
	}
	if (!u.bad && !str_eq(buf_str(&again), entry))
		abort();
	moved_add(seen.moved, entry, sequence);
	buf_free(&again);
	return OK;
}

static void add_piece(struct buf *segment, unsigned kind, struct str bytes, uint64_t *sequence)
{
	struct batch_head h = { .life = LIFE, .sequence = *sequence, .synced = *sequence };
	struct unpack u = unpack_of(bytes);
	struct buf batch = { 0 };
	uint32_t count = 1;

	if (kind == 0) {
		buf_add_str(segment, bytes);
	} else {
		batch_begin(&batch);
		if (kind == 3)
			batch_add(&batch, bytes);
		else
			for (buf_add_str(&batch, bytes), count = 0; u.left.len && !u.bad; count++)
				unpack_str(&u);
		if (count > bytes.len / BATCH_ENTRY_HEAD + 1)
			abort();
		batch_seal(&batch, &h, count);
		if (kind == 2)
			buf_data(&batch)[(unsigned char)bytes.p[0] % buf_len(&batch)] ^= 1;
		buf_add_str(segment, buf_str(&batch));
		buf_free(&batch);
		*sequence += count;
	}
	while (buf_len(segment) % BATCH_ALIGN)
		buf_add_char(segment, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str left = { (const char *)data, len };
	struct buf segment = { 0 };
	uint64_t sequence = 0;
	struct scan s;

	if (!folder)
		log_set_levels("error journal=error");
	folder_begin();
	while (left.len > 3 && buf_len(&segment) < BYTES_MAX) {
		unsigned kind = data[left.p - (const char *)data] % 4;
		size_t size = (unsigned char)left.p[1] | (size_t)(unsigned char)left.p[2] << 8;

		left = str_cut(left, 3, left.len);
		size = size < left.len ? size : left.len;
		if (size)
			add_piece(&segment, kind, str_cut(left, 0, size), &sequence);
		left = str_cut(left, size, left.len);
	}
	folder_put("segment.00000001", buf_str(&segment));
	seen.moved = moved_new();
	seen.names = names_new(NAMES_BYTES_MAX);
	seen.entries = 0;
	if (scan_read(&s, folder, LIFE, 0) || scan_each(&s, UINT64_MAX, each, NULL))
		abort();
	scan_free(&s);
	moved_free(seen.moved);
	names_free(seen.names);
	buf_free(&segment);
	return 0;
}
