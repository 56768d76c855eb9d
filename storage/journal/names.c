/* names.c - see names.h.
 * Each name is in two lists: its chain of the hash table and the row of all, by age. The table is allocated once:
 * names are spread over it by their number, which counts up within a life. */
#include "storage/journal/names.h"
#include "core/mem.h"
#include "storage/store.h"
#include <assert.h>
#include <stdlib.h>

#define CHAINS 16384 /* a power of two */

struct known {
	struct known *next_in_chain, *older, *newer;
	struct name name;
	struct str answer; /* its bytes lie behind the struct */
};

struct names {
	struct known *chains[CHAINS];
	struct known *oldest, *newest;
	size_t count, bytes, bytes_max;
};

struct names *names_new(size_t bytes_max)
{
	struct names *n = mem_new(struct names);

	assert(bytes_max >= NAME_BYTES + NAME_ANSWER_MAX);
	n->bytes_max = bytes_max;
	return n;
}

void names_free(struct names *n)
{
	if (n)
		names_clear(n);
	free(n);
}

size_t names_count(const struct names *n)
{
	return n->count;
}

static size_t chain_of(struct name name)
{
	return (size_t)((name.life ^ name.life >> 32) + name.number) & (CHAINS - 1);
}

static struct known *find(const struct names *n, struct name name)
{
	struct known *k = n->chains[chain_of(name)];

	while (k && (k->name.life != name.life || k->name.number != name.number))
		k = k->next_in_chain;
	return k;
}

static void drop(struct names *n, struct known *k)
{
	struct known **at = &n->chains[chain_of(k->name)];

	while (*at != k)
		at = &(*at)->next_in_chain;
	*at = k->next_in_chain;
	*(k->older ? &k->older->newer : &n->oldest) = k->newer;
	*(k->newer ? &k->newer->older : &n->newest) = k->older;
	n->count--;
	n->bytes -= NAME_BYTES + k->answer.len;
	free(k);
}

size_t names_add(struct names *n, struct name name, struct str answer)
{
	struct known *k = mem_alloc(sizeof(*k) + answer.len);
	struct known **chain = &n->chains[chain_of(name)];
	size_t dropped = 0;

	assert(answer.len <= NAME_ANSWER_MAX);
	names_forget(n, name);
	for (; n->bytes + NAME_BYTES + answer.len > n->bytes_max; dropped++)
		drop(n, n->oldest);
	k->name = name;
	if (answer.len)
		memcpy(k + 1, answer.p, answer.len);
	k->answer = (struct str){ (char *)(k + 1), answer.len };
	k->next_in_chain = *chain;
	*chain = k;
	k->older = n->newest;
	*(n->newest ? &n->newest->newer : &n->oldest) = k;
	n->newest = k;
	n->count++;
	n->bytes += NAME_BYTES + answer.len;
	return dropped;
}

bool names_find(const struct names *n, struct name name, struct str *answer)
{
	const struct known *k = find(n, name);

	if (k)
		*answer = k->answer;
	return k != NULL;
}

void names_forget(struct names *n, struct name name)
{
	struct known *k = find(n, name);

	if (k)
		drop(n, k);
}

void names_forget_life(struct names *n, uint64_t life)
{
	for (struct known *k = n->oldest, *next; k; k = next) {
		next = k->newer;
		if (k->name.life == life && !name_lasts(k->name))
			drop(n, k);
	}
}

void names_clear(struct names *n)
{
	while (n->oldest)
		drop(n, n->oldest);
}

void names_each(const struct names *n, void (*each)(void *user, struct name name, struct str answer), void *user)
{
	for (const struct known *k = n->oldest; k; k = k->newer)
		each(user, k->name, k->answer);
}
