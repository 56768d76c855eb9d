/* marks.c - see marks.h.
 * Chains in a table of a power of two that doubles when it holds as many marks as chains. */
#include "storage/journal/marks.h"
#include "core/mem.h"
#include <stdlib.h>

#define CHAINS_MIN 64

struct mark {
	struct mark *next;
	uint64_t hash, number;
	struct str key; /* its bytes lie behind the struct */
};

struct marks {
	struct mark **chains;
	size_t chain_count, count;
};

struct marks *marks_new(void)
{
	struct marks *m = mem_new(struct marks);

	m->chain_count = CHAINS_MIN;
	m->chains = mem_alloc(CHAINS_MIN * sizeof(*m->chains));
	return m;
}

void marks_free(struct marks *m)
{
	if (!m)
		return;
	marks_drop_below(m, UINT64_MAX);
	free(m->chains);
	free(m);
}

size_t marks_count(const struct marks *m)
{
	return m->count;
}

/* The link that leads to the key's mark, or to NULL where it would be. */
static struct mark **link_of(const struct marks *m, struct str key, uint64_t hash)
{
	struct mark **at = &m->chains[hash & (m->chain_count - 1)];

	while (*at && ((*at)->hash != hash || !str_eq((*at)->key, key)))
		at = &(*at)->next;
	return at;
}

static void grow(struct marks *m)
{
	size_t count = m->chain_count * 2;
	struct mark **chains = mem_alloc(count * sizeof(*chains)), *mark;

	for (size_t i = 0; i < m->chain_count; i++)
		while ((mark = m->chains[i])) {
			m->chains[i] = mark->next;
			mark->next = chains[mark->hash & (count - 1)];
			chains[mark->hash & (count - 1)] = mark;
		}
	free(m->chains);
	m->chains = chains;
	m->chain_count = count;
}

void marks_raise(struct marks *m, struct str key, uint64_t number)
{
	uint64_t hash = str_hash(key);
	struct mark **at = link_of(m, key, hash), *mark = *at;

	if (!mark) {
		if (m->count == m->chain_count) {
			grow(m);
			at = link_of(m, key, hash);
		}
		mark = mem_alloc(sizeof(*mark) + key.len);
		memcpy(mark + 1, key.p, key.len);
		mark->key = (struct str){ (char *)(mark + 1), key.len };
		mark->hash = hash;
		*at = mark;
		m->count++;
	}
	if (mark->number < number)
		mark->number = number;
}

uint64_t marks_get(const struct marks *m, struct str key)
{
	struct mark *mark = m->count ? *link_of(m, key, str_hash(key)) : NULL;

	return mark ? mark->number : 0;
}

static void unlink_mark(struct marks *m, struct mark **at)
{
	struct mark *mark = *at;

	*at = mark->next;
	free(mark);
	m->count--;
}

void marks_drop(struct marks *m, struct str key)
{
	struct mark **at = link_of(m, key, str_hash(key));

	if (*at)
		unlink_mark(m, at);
}

void marks_drop_below(struct marks *m, uint64_t number)
{
	for (size_t i = 0; m->count && i < m->chain_count; i++)
		for (struct mark **at = &m->chains[i]; *at;)
			if ((*at)->number < number)
				unlink_mark(m, at);
			else
				at = &(*at)->next;
}

void marks_each(const struct marks *m, void (*each)(void *user, struct str key, uint64_t number), void *user)
{
	for (size_t i = 0; i < m->chain_count; i++)
		for (const struct mark *mark = m->chains[i]; mark; mark = mark->next)
			each(user, mark->key, mark->number);
}

uint64_t marks_of_path(const struct marks *m, struct str path)
{
	uint64_t highest = 0;

	for (ptrdiff_t end = (ptrdiff_t)path.len; m->count && end > 0;
		end = str_rfind(str_cut(path, 0, (size_t)end), '/')) {
		uint64_t number = marks_get(m, str_cut(path, 0, (size_t)end));

		if (number > highest)
			highest = number;
	}
	return highest;
}

void marks_raise_parents(struct marks *m, struct str path, uint64_t number)
{
	for (ptrdiff_t end = str_rfind(path, '/'); end > 0; end = str_rfind(str_cut(path, 0, (size_t)end), '/'))
		marks_raise(m, str_cut(path, 0, (size_t)end), number);
}
