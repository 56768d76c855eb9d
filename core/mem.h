/* mem.h - memory that is there or the worker is not.
 * Sizes are bounded by configuration before they come here, so want of memory is the machine's failure: the worker
 * logs it and aborts, and the master starts it anew. */
#ifndef CORE_MEM_H
#define CORE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);                  /* zeroed; never NULL; free() it */
void *mem_resize(void *old, size_t size);      /* as realloc; never NULL for size > 0 */
void *mem_copy(const void *bytes, size_t len); /* never NULL, also for len 0 */

#define mem_new(type) ((type *)mem_alloc(sizeof(type)))

#endif
