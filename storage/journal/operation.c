/* operation.c - see operation.h.
 * A packed operation is its kind and then whatever `fields` says of that kind, in the order of the bits. */
#include "storage/journal/operation.h"
#include "storage/journal/names.h"
#include "storage/path.h"
#include <assert.h>

#define FILE_BYTES_MAX ((uint64_t)1 << 62) /* offsets and lengths that off_t can hold, also added up */

enum { PATH = 1, OTHER = 2, ID = 4, GENERATION = 8, OFFSET = 16, LEN = 32, BYTES = 64, NAME = 128 };

static const unsigned fields[OP_KIND_END] = {
	[OP_WRITE] = PATH | ID | GENERATION | OFFSET | BYTES,
	[OP_SPOOL] = PATH | OTHER | ID | GENERATION | OFFSET | LEN,
	[OP_PUT] = PATH | BYTES,
	[OP_DIRECTORY] = PATH,
	[OP_RENAME] = PATH | OTHER,
	[OP_REMOVE] = PATH,
	[OP_SETTLED] = ID,
	[OP_NAME] = BYTES | NAME,
	[OP_NAMES_ALL] = 0,
	[OP_EXPECT] = PATH | ID | OFFSET | LEN,
};

bool operation_path_ok(struct str path)
{
	if (!path.len || path.len > PATH_BYTES_MAX || memchr(path.p, 0, path.len))
		return false;
	for (;;) {
		ptrdiff_t slash = str_find(path, '/');
		struct str level = str_cut(path, 0, slash < 0 ? path.len : (size_t)slash);

		if (!level.len || str_eq(level, STR(".")) || str_eq(level, STR("..")))
			return false;
		if (slash < 0)
			return true;
		path = str_cut(path, (size_t)slash + 1, path.len);
	}
}

void operation_pack(struct buf *out, const struct operation *op)
{
	unsigned has = fields[op->kind];

	assert(op->kind > 0 && op->kind < OP_KIND_END);
	assert(!(has & PATH) || operation_path_ok(op->path));
	assert(!(has & OTHER) || operation_path_ok(op->other));
	assert(!(has & NAME) || op->bytes.len <= NAME_ANSWER_MAX);
	assert(op->offset < FILE_BYTES_MAX && op->len < FILE_BYTES_MAX && op->bytes.len <= UINT32_MAX);
	pack_u8(out, (uint8_t)op->kind);
	if (has & PATH)
		pack_str(out, op->path);
	if (has & OTHER)
		pack_str(out, op->other);
	if (has & ID)
		pack_u64(out, op->id);
	if (has & GENERATION)
		pack_u32(out, op->generation);
	if (has & OFFSET)
		pack_u64(out, op->offset);
	if (has & LEN)
		pack_u64(out, op->len);
	if (has & BYTES)
		pack_str(out, op->bytes);
	if (has & NAME) {
		pack_u64(out, op->name.life);
		pack_u64(out, op->name.number);
	}
}

bool operation_next(struct unpack *u, struct operation *op)
{
	unsigned has;

	*op = (struct operation){ 0 };
	if (u->bad || !u->left.len)
		return false;
	op->kind = unpack_u8(u);
	if (op->kind == 0 || op->kind >= OP_KIND_END) {
		u->bad = true;
		return false;
	}
	has = fields[op->kind];
	if (has & PATH)
		op->path = unpack_str(u);
	if (has & OTHER)
		op->other = unpack_str(u);
	if (has & ID)
		op->id = unpack_u64(u);
	if (has & GENERATION)
		op->generation = unpack_u32(u);
	if (has & OFFSET)
		op->offset = unpack_u64(u);
	if (has & LEN)
		op->len = unpack_u64(u);
	if (has & BYTES)
		op->bytes = unpack_str(u);
	if (has & NAME) {
		op->name.life = unpack_u64(u);
		op->name.number = unpack_u64(u);
	}
	if ((has & PATH && !operation_path_ok(op->path)) || (has & OTHER && !operation_path_ok(op->other)) ||
		(has & NAME && op->bytes.len > NAME_ANSWER_MAX) || op->offset >= FILE_BYTES_MAX ||
		op->len >= FILE_BYTES_MAX)
		u->bad = true;
	return !u->bad;
}

bool ends_in(struct str s, struct str suffix)
{
	return s.len >= suffix.len && !memcmp(s.p + s.len - suffix.len, suffix.p, suffix.len);
}

bool path_is_mailbox(struct str path)
{
	return str_starts(path, STR("domains/")) && (ends_in(path, STR(".mbox")) || ends_in(path, STR(".state")));
}

bool operation_of_mbox(const struct operation *op)
{
	return op->id && (op->kind == OP_WRITE || op->kind == OP_SPOOL) && ends_in(op->path, STR(".mbox"));
}

bool operation_of_mailbox(const struct operation *op)
{
	return operation_of_mbox(op) || (op->id && op->kind == OP_WRITE && ends_in(op->path, STR(".state")));
}

void operation_pack_expect(struct buf *out, struct str path, const struct stamp *stamp)
{
	operation_pack(out, &(struct operation){ .kind = OP_EXPECT,
				    .path = path,
				    .id = stamp->inode,
				    .offset = stamp->size,
				    .len = stamp->mtime_ns });
}

struct stamp operation_stamp(const struct operation *op)
{
	return (struct stamp){ op->id, op->offset, op->len };
}
