/* arena.c - see arena.h. */
#include "core/arena.h"
#include "core/mem.h"
#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK_BYTES 2048 /* a piece larger than this has a chunk of its own */

struct arena_chunk {
	struct arena_chunk *next;
	size_t cap, used;
	alignas(max_align_t) char bytes[];
};

static struct arena_chunk *chunk_new(struct arena *a, size_t cap)
{
	struct arena_chunk *c = mem_resize(NULL, sizeof(*c) + cap);

	c->cap = cap;
	c->used = 0;
	c->next = a->chunks;
	a->chunks = c;
	return c;
}

void arena_room(struct arena *a, size_t size)
{
	assert(!a->chunks);
	chunk_new(a, size);
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	struct arena_chunk *c = a->chunks;
	void *piece;

	if (!c || c->cap - c->used < rounded)
		c = chunk_new(a, rounded > CHUNK_BYTES ? rounded : CHUNK_BYTES);
	piece = c->bytes + c->used;
	c->used += rounded;
	a->used += rounded;
	memset(piece, 0, rounded);
	return piece;
}

char *arena_dup(struct arena *a, struct str s)
{
	char *copy = arena_alloc(a, s.len + 1);

	if (s.len)
		memcpy(copy, s.p, s.len);
	return copy;
}

struct str arena_str(struct arena *a, struct str s)
{
	return (struct str){ arena_dup(a, s), s.len };
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	text = arena_alloc(a, (size_t)len + 1);
	va_start(ap, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return text;
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *keep = NULL;

	while (a->chunks) {
		struct arena_chunk *c = a->chunks;

		a->chunks = c->next;
		if (!keep && c->cap == CHUNK_BYTES)
			keep = c;
		else
			free(c);
	}
	if (keep) {
		keep->used = 0;
		keep->next = NULL;
		a->chunks = keep;
	}
	a->used = 0;
}

void arena_free(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *c = a->chunks;

		a->chunks = c->next;
		free(c);
	}
	a->used = 0;
}
