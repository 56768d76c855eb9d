/* slab.c - see slab.h.
 * A chunk begins at a multiple of its size, so that the chunk of a piece is known by the piece's address. It opens with its
 * struct; of the pieces behind that `begun` have been used at least once, and pages beyond these were never touched.
 * Always: (1) a chunk is in `open` if it has room; (2) at most one chunk has no piece in use. */
#include "core/slab.h"
#include "core/log.h"
#include "core/mem.h"
#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(SANITIZED)
#define SANITIZED 1
#endif

#ifdef SANITIZED /* which watches each piece that malloc gives */

void *slab_alloc(struct slab *s)
{
	return mem_alloc(s->size);
}

void slab_free(struct slab *s, void *piece)
{
	(void)s;
	free(piece);
}

void slab_end(struct slab *s)
{
	(void)s;
}

#else

struct free_piece {
	struct free_piece *next;
};

struct slab_chunk {
	LIST_ENTRY(slab_chunk) open;
	struct free_piece *free; /* that were used before */
	uint32_t begun, used, room;
	alignas(max_align_t) char bytes[];
};

static size_t step_of(const struct slab *s)
{
	return (s->size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

/* Twice as much is asked for, of which what lies outside the multiples goes back at once. */
static struct slab_chunk *chunk_new(struct slab *s)
{
	char *all = mmap(NULL, 2 * SLAB_CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before = -(uintptr_t)all & (SLAB_CHUNK_BYTES - 1);
	struct slab_chunk *c = (void *)(all + before);

	if (all == MAP_FAILED) {
		log_error("core", NULL, "out of memory size=%d", SLAB_CHUNK_BYTES);
		abort();
	}
	if (before)
		munmap(all, before);
	munmap(all + before + SLAB_CHUNK_BYTES, SLAB_CHUNK_BYTES - before);
	c->room = (uint32_t)((SLAB_CHUNK_BYTES - sizeof(*c)) / step_of(s));
	assert(c->room >= SLAB_LEAST);
	LIST_INSERT_HEAD(&s->open, c, open);
	s->chunks++;
	s->empty++;
	return c;
}

static void chunk_free(struct slab *s, struct slab_chunk *c)
{
	LIST_REMOVE(c, open);
	s->chunks--;
	munmap(c, SLAB_CHUNK_BYTES);
}

void *slab_alloc(struct slab *s)
{
	struct slab_chunk *c = LIST_FIRST(&s->open);
	void *piece;

	if (!c)
		c = chunk_new(s);
	s->empty -= !c->used;
	if ((piece = c->free)) {
		c->free = c->free->next;
		memset(piece, 0, s->size);
	} else {
		piece = c->bytes + c->begun++ * step_of(s);
	}
	if (++c->used == c->room)
		LIST_REMOVE(c, open);
	return piece;
}

void slab_free(struct slab *s, void *piece)
{
	struct slab_chunk *c = (void *)((uintptr_t)piece & ~(uintptr_t)(SLAB_CHUNK_BYTES - 1));
	struct free_piece *f = piece;

	if (!piece)
		return;
	assert(c->used && ((char *)piece - c->bytes) % (ptrdiff_t)step_of(s) == 0);
	if (c->used-- == c->room)
		LIST_INSERT_HEAD(&s->open, c, open);
	f->next = c->free;
	c->free = f;
	if (c->used)
		return;
	if (s->empty)
		chunk_free(s, c);
	else
		s->empty++;
}

void slab_end(struct slab *s)
{
	assert(s->chunks == s->empty);
	if (s->empty)
		chunk_free(s, LIST_FIRST(&s->open));
	s->empty = 0;
}

#endif
