/* pack.c - see pack.h. */
#include "core/pack.h"

static void pack_int(struct buf *b, uint64_t v, size_t size)
{
	unsigned char *at = (unsigned char *)buf_room(b, size);

	for (size_t i = 0; i < size; i++, v >>= 8)
		at[i] = (unsigned char)v;
	buf_added(b, size);
}

void pack_u8(struct buf *b, uint8_t v)
{
	pack_int(b, v, 1);
}

void pack_u32(struct buf *b, uint32_t v)
{
	pack_int(b, v, 4);
}

void pack_u64(struct buf *b, uint64_t v)
{
	pack_int(b, v, 8);
}

void pack_str(struct buf *b, struct str s)
{
	pack_u32(b, (uint32_t)s.len);
	buf_add_str(b, s);
}

static struct str unpack_bytes(struct unpack *u, size_t len)
{
	struct str bytes = { u->left.p, len };

	if (u->bad || u->left.len < len) {
		u->bad = true;
		return STR_NONE;
	}
	u->left.p += len;
	u->left.len -= len;
	return bytes;
}

static uint64_t unpack_int(struct unpack *u, size_t size)
{
	struct str bytes = unpack_bytes(u, size);
	uint64_t v = 0;

	for (size_t i = bytes.len; i-- > 0;)
		v = v << 8 | (unsigned char)bytes.p[i];
	return v;
}

uint8_t unpack_u8(struct unpack *u)
{
	return (uint8_t)unpack_int(u, 1);
}

uint32_t unpack_u32(struct unpack *u)
{
	return (uint32_t)unpack_int(u, 4);
}

uint64_t unpack_u64(struct unpack *u)
{
	return unpack_int(u, 8);
}

struct str unpack_str(struct unpack *u)
{
	return unpack_bytes(u, unpack_u32(u));
}

bool unpack_end(const struct unpack *u)
{
	return !u->bad && !u->left.len;
}
