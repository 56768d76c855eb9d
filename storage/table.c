/* table.c - see table.h. Chains, in a table of a power of two that doubles when it holds as many things as chains. */
#include "storage/table.h"
#include "core/mem.h"
#include <assert.h>
#include <stdlib.h>

#define CHAINS_MIN 64

static struct table_node **chain_of(const struct table *t, uint64_t hash)
{
	return &t->chains[hash & (t->chain_count - 1)];
}

static void grow(struct table *t)
{
	struct table old = *t;
	struct table_node *n;

	t->chain_count = old.chain_count ? 2 * old.chain_count : CHAINS_MIN;
	t->bare = 0;
	t->chains = mem_alloc(t->chain_count * sizeof(*t->chains));
	for (size_t i = 0; i < old.chain_count; i++)
		while ((n = old.chains[i])) {
			old.chains[i] = n->next;
			n->next = *chain_of(t, n->hash);
			*chain_of(t, n->hash) = n;
		}
	free(old.chains);
}

void table_room(struct table *t, size_t count)
{
	assert(!t->count);
	free(t->chains);
	t->bare = 0;
	for (t->chain_count = CHAINS_MIN; t->chain_count < count;)
		t->chain_count *= 2;
	t->chains = mem_alloc(t->chain_count * sizeof(*t->chains));
}

void table_add(struct table *t, struct table_node *n, uint64_t hash)
{
	if (t->count == t->chain_count)
		grow(t);
	if ((hash & (t->chain_count - 1)) < t->bare)
		t->bare = hash & (t->chain_count - 1);
	n->hash = hash;
	n->next = *chain_of(t, hash);
	*chain_of(t, hash) = n;
	t->count++;
}

void table_remove(struct table *t, struct table_node *n)
{
	struct table_node **at = chain_of(t, n->hash);

	while (*at != n) {
		assert(*at);
		at = &(*at)->next;
	}
	*at = n->next;
	t->count--;
}

static struct table_node *of_hash(struct table_node *n, uint64_t hash)
{
	while (n && n->hash != hash)
		n = n->next;
	return n;
}

struct table_node *table_first(const struct table *t, uint64_t hash)
{
	return t->count ? of_hash(*chain_of(t, hash), hash) : NULL;
}

struct table_node *table_next(const struct table_node *n)
{
	return of_hash(n->next, n->hash);
}

struct table_node *table_any(struct table *t)
{
	if (!t->count)
		return NULL;
	while (!t->chains[t->bare])
		t->bare++;
	return t->chains[t->bare];
}

void table_free(struct table *t)
{
	free(t->chains);
	*t = (struct table){ 0 };
}
