/* Messages with bytes beyond ASCII made ones of 7 bits: whole and in pieces the outcome is the same, holds no such byte, and
 * means what it meant. The first byte is the size of the pieces. */
#include "t/seven_bit.h"
#include <assert.h>

/* A line end of another kind is one to some and content to others. */
static bool has_odd_line_end(struct str in)
{
	for (size_t i = 0; i < in.len; i++)
		if ((in.p[i] == '\n' && (!i || in.p[i - 1] != '\r')) ||
			(in.p[i] == '\r' && (i + 1 == in.len || in.p[i + 1] != '\n')))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data + 1, size ? size - 1 : 0 };
	struct buf whole = { 0 }, pieces = { 0 };
	bool can;

	if (!in.len || in.len > 4096) /* no limit of mime.h is reached */
		return 0;
	can = seven_bit(in, in.len, &whole);
	assert(seven_bit(in, data[0] ? data[0] : 1, &pieces) == can);
	assert(str_eq(buf_str(&whole), buf_str(&pieces)));
	assert(!can || is_seven_bit(buf_str(&whole)));
	if (can && !has_odd_line_end(in))
		assert(means_the_same(in, buf_str(&whole)));
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
