/* mem.c - see mem.h. */
#include "core/mem.h"
#include "core/log.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void *present(void *p, size_t size)
{
	if (!p) {
		log_error("core", NULL, "out of memory size=%zu", size);
		abort();
	}
	return p;
}

void *mem_alloc(size_t size)
{
	return present(calloc(1, size ? size : 1), size);
}

void *mem_resize(void *old, size_t size)
{
	return present(realloc(old, size ? size : 1), size);
}

void *mem_copy(const void *bytes, size_t len)
{
	void *p = present(malloc(len ? len : 1), len);

	if (len)
		memcpy(p, bytes, len);
	return p;
}

void mem_trim(void)
{
	malloc_trim(0);
}

void mem_keep(void)
{
	mallopt(M_TRIM_THRESHOLD, MEM_KEPT_MAX);
	mallopt(M_MMAP_THRESHOLD, MEM_KEPT_MAX);
	mallopt(M_TOP_PAD, MEM_KEPT_MAX / 4);
}
