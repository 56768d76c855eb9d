/* calendar.c - items by time: a heap with four children to a node, so that a million of them are ten levels.
 * Always: entry i has nothing earlier among its children 4i+1 to 4i+4; entries[i].item->place == i + 1. */
#include "core/mem.h"
#include "protocols/sending/sending_inside.h"
#include <assert.h>
#include <stdlib.h>

#define CHILDREN    4
#define ENTRIES_MIN 64

static void put(struct calendar *c, size_t at, struct calendar_entry e)
{
	c->entries[at] = e;
	e.item->place = (uint32_t)at + 1;
}

static size_t earliest_child(const struct calendar *c, size_t at)
{
	size_t best = CHILDREN * at + 1, end = best + CHILDREN < c->count ? best + CHILDREN : c->count;

	for (size_t i = best + 1; i < end; i++)
		if (c->entries[i].at_s < c->entries[best].at_s)
			best = i;
	return best;
}

/* Place `at` is free: e goes there, or as far up or down as its time demands. */
static void settle(struct calendar *c, size_t at, struct calendar_entry e)
{
	while (at && e.at_s < c->entries[(at - 1) / CHILDREN].at_s) {
		put(c, at, c->entries[(at - 1) / CHILDREN]);
		at = (at - 1) / CHILDREN;
	}
	for (;;) {
		size_t child = earliest_child(c, at);

		if (child >= c->count || c->entries[child].at_s >= e.at_s)
			break;
		put(c, at, c->entries[child]);
		at = child;
	}
	put(c, at, e);
}

void calendar_put(struct calendar *c, struct queue_item *item, uint32_t at_s)
{
	assert(!item->place);
	if (c->count == c->cap) {
		c->cap = c->cap ? 2 * c->cap : ENTRIES_MIN;
		c->entries = mem_resize(c->entries, c->cap * sizeof(*c->entries));
	}
	c->count++;
	settle(c, c->count - 1, (struct calendar_entry){ at_s, item });
}

void calendar_remove(struct calendar *c, struct queue_item *item)
{
	size_t at = item->place - 1;

	if (!item->place)
		return;
	assert(c->entries[at].item == item);
	item->place = 0;
	if (at < --c->count)
		settle(c, at, c->entries[c->count]);
}

void calendar_free(struct calendar *c)
{
	free(c->entries);
	*c = (struct calendar){ 0 };
}
