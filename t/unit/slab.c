/* slab.c - many things of one size: zeroed, apart from each other, and given back. */
#include "core/slab.h"
#include "t/tap.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MANY 5000

struct thing {
	uint64_t number[21];
};

static struct slab slab = { .size = sizeof(struct thing) };
static struct thing *things[MANY];

static bool is_zero(const struct thing *t)
{
	static const struct thing zero;

	return !memcmp(t, &zero, sizeof(zero));
}

static void fill(struct thing *t, uint64_t number)
{
	for (size_t i = 0; i < 21; i++)
		t->number[i] = number;
}

static bool take(size_t from, size_t step)
{
	bool zeroed = true;

	for (size_t i = from; i < MANY; i += step) {
		things[i] = slab_alloc(&slab);
		zeroed &= is_zero(things[i]) && (uintptr_t)things[i] % 16 == 0;
		fill(things[i], i);
	}
	return zeroed;
}

static void give(size_t from, size_t step)
{
	for (size_t i = from; i < MANY; i += step)
		slab_free(&slab, things[i]);
}

static bool whole(void)
{
	for (size_t i = 0; i < MANY; i++)
		for (size_t k = 0; k < 21; k++)
			if (things[i]->number[k] != i)
				return false;
	return true;
}

int main(void)
{
	size_t chunks;

	ok(take(0, 1), "each is zeroed and aligned");
	ok(whole(), "none lies on another");
	chunks = slab.chunks;
	ok(chunks * SLAB_CHUNK_BYTES < 2 * sizeof(struct thing) * MANY, "they take little more than they are");
	give(0, 2);
	ok(take(0, 2), "places that were used are zeroed again");
	ok(whole() && slab.chunks == chunks, "and are taken before new ones");
	give(1, 2);
	give(0, 2);
	ok(slab.chunks <= 1, "chunks without any go back, but for one");
	slab_free(&slab, NULL);
	ok(take(0, 1) && whole(), "it may begin again");
	give(0, 1);
	slab_end(&slab);
	ok(slab.chunks == 0, "at the end nothing is left");
	return done();
}
