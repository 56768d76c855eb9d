/* counter.c - see counter.h.
 * The linker gathers all counters in the section of that name and marks its ends. Objects in a section with a name
 * of its own are left without guard zones by AddressSanitizer, and aligned(8) keeps the compiler from spacing them
 * out, so the section is an array. A program without any counter has no such section: hence the weak marks. */
#include "core/counter.h"
#include <assert.h>

extern const struct counter __start_counters[] __attribute__((weak));
extern const struct counter __stop_counters[] __attribute__((weak));

static uint64_t *own_row;

size_t counter_count(void)
{
	/* cppcheck-suppress comparePointers */
	return (size_t)(__stop_counters - __start_counters);
}

const struct counter *counter_at(size_t place)
{
	assert(place < counter_count());
	return &__start_counters[place];
}

void counter_use(uint64_t *row)
{
	own_row = row;
}

/* One writer, readers in other processes: a plain sum, stored whole. */
void counter_add(const struct counter *c, uint64_t n)
{
	uint64_t *cell;

	if (!own_row)
		return;
	cell = &own_row[c - __start_counters];
	__atomic_store_n(cell, *cell + n, __ATOMIC_RELAXED);
}
