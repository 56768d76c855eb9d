/* runs.c - UIDs as runs of neighbours: what was put in comes out again, in few bytes. */
#include "storage/runs.h"
#include "core/mem.h"
#include "t/tap.h"
#include <stdlib.h>

static bool same(const uint32_t *uids, size_t count, size_t *bytes)
{
	struct runs runs = { 0 };
	struct str left;
	struct run run;
	uint32_t end = 0;
	size_t at = 0;
	bool good = true;

	for (size_t i = 0; i < count; i++)
		runs_add(&runs, uids[i]);
	runs_finish(&runs);
	left = buf_str(&runs.bytes);
	while (good && runs_next(&left, &end, &run))
		for (uint64_t uid = run.first; good && uid <= run.last; uid++)
			good = at < count && uids[at++] == uid;
	*bytes = buf_len(&runs.bytes);
	buf_free(&runs.bytes);
	return good && at == count;
}

static void test_random(void)
{
	bool good = true;

	srandom(1);
	for (int round = 0; round < 2000 && good; round++) {
		uint32_t uids[200], uid = 0;
		size_t count = (size_t)random() % 200, bytes;
		int shift = (int)(random() % 24);

		for (size_t i = 0; i < count; i++)
			uids[i] = uid += random() % 3 ? 1 : 1 + (uint32_t)(random() % (1 << shift));
		good = same(uids, count, &bytes);
	}
	ok(good, "whatever the gaps");
}

int main(void)
{
	uint32_t edges[] = { 1, 2, 0x7f, 0x80, 0x81, 0x3fff, 0x4000, 0x10000000, UINT32_MAX - 1, UINT32_MAX };
	uint32_t *many = mem_alloc(5000 * sizeof(*many));
	size_t bytes;

	ok(same(NULL, 0, &bytes) && bytes == 0, "none take no bytes");
	ok(same(edges, sizeof(edges) / sizeof(*edges), &bytes),
		"the least, the greatest, and those around a byte more");
	for (uint32_t i = 0; i < 5000; i++)
		many[i] = i + 1;
	ok(same(many, 5000, &bytes) && bytes <= 4, "5,000 neighbours are one run: %zu bytes", bytes);
	for (uint32_t i = 0; i < 5000; i++)
		many[i] = 2 * i + 1;
	ok(same(many, 5000, &bytes) && bytes <= 10000, "every other one: two bytes each, %zu", bytes);
	test_random();
	free(many);
	return done();
}
