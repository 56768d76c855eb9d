/* plain.c - see plain.h. */
#include "core/plain.h"
#include <stdint.h>

/* Bytes of the character that begins with c (RFC 3629, 3); 0: none does. */
static size_t size_of(unsigned char c)
{
	return c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
}

/* What is never shown: controls, separators, directions. */
static bool is_hidden(uint32_t c)
{
	return c < ' ' || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200e && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

size_t plain_size(struct str s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t size = s.len ? size_of((unsigned char)*s.p) : 0;
	uint32_t c;

	if (!size || size > s.len)
		return 0;
	c = size == 1 ? (unsigned char)*s.p : (unsigned char)*s.p & (0x7fu >> size);
	for (size_t i = 1; i < size; i++) {
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
	}
	return c < least[size] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff || is_hidden(c) ? 0 : size;
}
