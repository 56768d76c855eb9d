/* order.c - see order.h. No block is empty. */
#include "storage/queue/order.h"
#include "core/mem.h"
#include <stdlib.h>

#define BLOCK 510

struct order_block {
	size_t count;
	struct queue_message *messages[BLOCK];
};

/* The last block whose first id is not above `id`; the first block if there is none. */
static size_t block_of(const struct order *o, uint64_t id)
{
	size_t low = 0, high = o->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (o->blocks[middle]->messages[0]->id <= id)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The place of the first id in the block that is not below `id`. */
static size_t place_of(const struct order_block *b, uint64_t id)
{
	size_t low = 0, high = b->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (b->messages[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct order_block *block_insert(struct order *o, size_t at)
{
	struct order_block *b = mem_new(struct order_block);

	if (o->count == o->cap) {
		o->cap = o->cap ? 2 * o->cap : 16;
		o->blocks = mem_resize(o->blocks, o->cap * sizeof(*o->blocks));
	}
	memmove(&o->blocks[at + 1], &o->blocks[at], (o->count - at) * sizeof(*o->blocks));
	o->blocks[at] = b;
	o->count++;
	return b;
}

void order_add(struct order *o, struct queue_message *m)
{
	size_t at = block_of(o, m->id), place;
	struct order_block *b = o->count ? o->blocks[at] : block_insert(o, 0), *half;

	place = place_of(b, m->id);
	if (b->count == BLOCK && place == BLOCK) {
		b = block_insert(o, at + 1);
		place = 0;
	} else if (b->count == BLOCK) {
		half = block_insert(o, at + 1);
		half->count = BLOCK / 2;
		b->count -= half->count;
		memcpy(half->messages, &b->messages[b->count], half->count * sizeof(half->messages[0]));
		if (place > b->count) {
			place -= b->count;
			b = half;
		}
	}
	memmove(&b->messages[place + 1], &b->messages[place], (b->count - place) * sizeof(b->messages[0]));
	b->messages[place] = m;
	b->count++;
}

static struct order_block *find(const struct order *o, uint64_t id, size_t *at, size_t *place)
{
	struct order_block *b;

	if (!o->count)
		return NULL;
	*at = block_of(o, id);
	b = o->blocks[*at];
	*place = place_of(b, id);
	return *place < b->count && b->messages[*place]->id == id ? b : NULL;
}

bool order_remove(struct order *o, uint64_t id)
{
	size_t at, place;
	struct order_block *b = find(o, id, &at, &place);

	if (!b)
		return false;
	b->count--;
	memmove(&b->messages[place], &b->messages[place + 1], (b->count - place) * sizeof(b->messages[0]));
	if (!b->count) {
		free(b);
		o->count--;
		memmove(&o->blocks[at], &o->blocks[at + 1], (o->count - at) * sizeof(*o->blocks));
	}
	return true;
}

struct queue_message *order_pop(struct order *o)
{
	struct order_block *b = o->count ? o->blocks[o->count - 1] : NULL;
	struct queue_message *m = b ? b->messages[--b->count] : NULL;

	if (b && !b->count) {
		free(b);
		o->count--;
	}
	return m;
}

struct queue_message *order_find(const struct order *o, uint64_t id)
{
	size_t at, place;
	struct order_block *b = find(o, id, &at, &place);

	return b ? b->messages[place] : NULL;
}

struct queue_message *order_after(const struct order *o, uint64_t id)
{
	size_t at, place;

	if (!o->count || id == UINT64_MAX)
		return NULL;
	at = block_of(o, id + 1);
	place = place_of(o->blocks[at], id + 1);
	if (place < o->blocks[at]->count)
		return o->blocks[at]->messages[place];
	return at + 1 < o->count ? o->blocks[at + 1]->messages[0] : NULL;
}

void order_free(struct order *o)
{
	for (size_t i = 0; i < o->count; i++)
		free(o->blocks[i]);
	free(o->blocks);
	*o = (struct order){ 0 };
}
