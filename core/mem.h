/* mem.h - memory that is there or the worker is not.
 * Sizes are bounded by configuration before they come here, so want of memory is the machine's failure: the worker
 * logs it and aborts, and the master starts it anew. */
#ifndef CORE_MEM_H
#define CORE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);                  /* zeroed; never NULL; free() it */
void *mem_resize(void *old, size_t size);      /* as realloc; never NULL for size > 0 */
void *mem_copy(const void *bytes, size_t len); /* never NULL, also for len 0 */

/* For a process that serves for long: of what it frees at the end of its heap it keeps so much for what comes next.
 * Else the buffers of each larger message are had from the kernel, zeroed page by page, and given back. */
#define MEM_KEPT_MAX (1 << 20)
void mem_keep(void);
void mem_trim(void); /* what is free anywhere goes back to the system; takes a while, for a lane */

#define mem_new(type) ((type *)mem_alloc(sizeof(type)))

#endif
