/* counter.h - what is counted, for `postern stats`.
 * A module declares a counter beside the code that counts; all of them together make one row per worker in shared
 * memory. A worker adds to its own row only and from its loop only, never from a lane, so no atomic read-modify-write
 * is needed; readers add up the rows.
 *   COUNTER(smtp_messages, "smtp.messages", "messages taken in");
 *   counter_add(&smtp_messages, 1); */
#ifndef CORE_COUNTER_H
#define CORE_COUNTER_H

#include <stddef.h>
#include <stdint.h>

struct counter {
	const char *name, *text;
	uint64_t unused; /* keeps the array in the linker's section regular */
};

#define COUNTER(id, name, text)                                                                                        \
	__attribute__((section("counters"), used, aligned(8))) static const struct counter id = { name, text, 0 }

size_t counter_count(void);
const struct counter *counter_at(size_t place);

/* Whose row this process adds to from now on; NULL at first: what is added then is lost. */
void counter_use(uint64_t *row);
void counter_add(const struct counter *c, uint64_t n);

#endif
