/* queue_id.c - ids as text: "q0-1f3a" is number 0x1f3a of directory 0. */
#include "storage/queue/parts.h"
#include <inttypes.h>
#include <stdio.h>

const char *queue_id_print(char text[QUEUE_ID_SIZE], uint64_t id)
{
	uint64_t number = id & ((UINT64_C(1) << ID_NUMBER_BITS) - 1);

	snprintf(text, QUEUE_ID_SIZE, "q%u-%" PRIx64, (unsigned)(id >> ID_NUMBER_BITS), number);
	return text;
}

bool queue_id_read(struct str text, uint64_t *id)
{
	ptrdiff_t dash = str_find(text, '-');
	uint32_t directory;
	uint64_t number;

	if (dash < 1 || ascii_lower(text.p[0]) != 'q' || !str_u32(str_cut(text, 1, (size_t)dash), &directory) ||
		directory > UINT16_MAX || !str_hex(str_cut(text, (size_t)dash + 1, text.len), &number) ||
		number >> ID_NUMBER_BITS)
		return false;
	*id = (uint64_t)directory << ID_NUMBER_BITS | number;
	return true;
}
