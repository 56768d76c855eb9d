/* pack.h - the wire form of our own records (calls, journal, index): little-endian integers, and strings behind a
 * 32-bit length. Writing goes to a struct buf. Reading goes through a struct unpack, which once anything is amiss
 * (too short, a string beyond the end) answers zeros and stays `bad`, so a decoder checks once, at its end. */
#ifndef CORE_PACK_H
#define CORE_PACK_H

#include "core/buf.h"

void pack_u8(struct buf *b, uint8_t v);
void pack_u32(struct buf *b, uint32_t v);
void pack_u64(struct buf *b, uint64_t v);
void pack_str(struct buf *b, struct str s);

struct unpack {
	struct str left;
	bool bad;
};

static inline struct unpack unpack_of(struct str bytes)
{
	return (struct unpack){ bytes, false };
}

uint8_t unpack_u8(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
struct str unpack_str(struct unpack *u); /* a span of the bytes read */
bool unpack_end(const struct unpack *u); /* all was well and nothing is left */

#endif
