/* arena.h - memory of one command or one parse: taken piece by piece, given back all at once.
 * A zeroed struct arena is empty and holds none. Pieces are aligned for any type and zeroed. */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include "core/str.h"

struct arena {
	struct arena_chunk *chunks; /* newest first */
	size_t used;                /* bytes handed out since the last reset, for limits */
};

void *arena_alloc(struct arena *a, size_t size);
void arena_room(struct arena *a, size_t size);  /* it is empty, and what it is for takes so many bytes */
char *arena_dup(struct arena *a, struct str s); /* a copy with a NUL behind it */
struct str arena_str(struct arena *a, struct str s);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_reset(struct arena *a); /* all pieces are gone; at most one chunk is kept for the next */
void arena_free(struct arena *a);  /* all pieces and all memory */

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
