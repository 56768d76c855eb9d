/* table.h - things found by a hash of what they are called.
 * A thing embeds a node; the table holds no thing of its own and compares nothing: whoever looks goes through the
 * nodes of one hash and compares. A zeroed struct table is an empty one. */
#ifndef STORAGE_TABLE_H
#define STORAGE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_node {
	struct table_node *next;
	uint64_t hash;
};

struct table {
	struct table_node **chains;
	size_t chain_count, count;
	size_t bare; /* chains at the front of which none holds a thing, so that emptying it takes no longer than filling */
};

void table_room(struct table *t, size_t count); /* it is empty, and will have so many: it need not grow */
void table_add(struct table *t, struct table_node *n, uint64_t hash);
void table_remove(struct table *t, struct table_node *n); /* it is in the table */
struct table_node *table_first(const struct table *t, uint64_t hash);
struct table_node *table_next(const struct table_node *n); /* the next of the same hash; NULL: no more */
struct table_node *table_any(struct table *t);             /* NULL: it is empty */
void table_free(struct table *t);                          /* the memory of the table, not of the things */

#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

#endif
