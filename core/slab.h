/* slab.h - memory for very many things of one size that come and go with clients.
 * Each kind lies in chunks of its own and a chunk without any goes back to the system. In malloc's heap what stays (a
 * quiet session) would lie between what goes (what its client's commands needed), and a page of which 40 bytes stay stays
 * whole. Only for the thread that runs the loop. */
#ifndef CORE_SLAB_H
#define CORE_SLAB_H

#include <stddef.h>
#include <sys/queue.h>

#define SLAB_CHUNK_BYTES (64 << 10)
#define SLAB_LEAST       8 /* that a chunk must have room for */

LIST_HEAD(slab_chunks, slab_chunk);

struct slab { /* all else zeroed */
	size_t size;
	struct slab_chunks open; /* chunks that have room */
	size_t chunks, empty;    /* there are; of these, without anything: one is kept */
};

void *slab_alloc(struct slab *s);            /* zeroed; never NULL */
void slab_free(struct slab *s, void *piece); /* NULL is fine */
void slab_end(struct slab *s);               /* no piece is in use */

#endif
