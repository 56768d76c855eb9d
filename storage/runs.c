/* runs.c - see runs.h. */
#include "storage/runs.h"
#include <assert.h>

static void number_add(struct buf *out, uint32_t number)
{
	for (; number >= 0x80; number >>= 7)
		buf_add_char(out, (char)(number | 0x80));
	buf_add_char(out, (char)number);
}

static uint32_t number_take(struct str *bytes)
{
	uint32_t number = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		assert(bytes->len && shift < 32);
		byte = (uint8_t)bytes->p[0];
		*bytes = str_cut(*bytes, 1, bytes->len);
		number |= (uint32_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte >= 0x80);
	return number;
}

void runs_add(struct runs *r, uint32_t uid)
{
	assert(uid > r->last && uid > r->end);
	if (r->last && uid == r->last + 1) {
		r->last = uid;
		return;
	}
	runs_finish(r);
	r->first = r->last = uid;
}

void runs_finish(struct runs *r)
{
	if (!r->last)
		return;
	number_add(&r->bytes, r->first - r->end);
	number_add(&r->bytes, r->last - r->first);
	r->end = r->last;
	r->last = 0;
}

bool runs_next(struct str *bytes, uint32_t *end, struct run *run)
{
	if (!bytes->len)
		return false;
	run->first = *end + number_take(bytes);
	run->last = *end = run->first + number_take(bytes);
	return true;
}
