/* Counters: the linker's section is an array, and each process adds to its own row of it. */
#include "core/counter.h"
#include "t/tap.h"
#include <stdlib.h>
#include <string.h>

COUNTER(apples, "test.apples", "apples counted");
COUNTER(pears, "test.pears", "pears counted");
COUNTER(plums, "test.plums", "plums counted");

static size_t place_of(const char *name)
{
	for (size_t i = 0; i < counter_count(); i++)
		if (!strcmp(counter_at(i)->name, name))
			return i;
	return SIZE_MAX;
}

int main(void)
{
	uint64_t *rows[2];
	bool whole = counter_count() >= 3;

	for (size_t i = 0; i < counter_count(); i++)
		whole = whole && counter_at(i)->name && counter_at(i)->text && counter_at(i)->unused == 0;
	ok(whole, "every place of the section is a counter");
	ok(counter_at(place_of("test.pears")) == &pears, "a counter is found at its place");
	counter_add(&apples, 1);
	for (int i = 0; i < 2; i++)
		if (!(rows[i] = calloc(counter_count(), sizeof(uint64_t))))
			return 1;
	counter_use(rows[0]);
	counter_add(&apples, 2);
	counter_add(&apples, 3);
	counter_add(&plums, 1);
	ok(rows[0][place_of("test.apples")] == 5, "what is counted adds up; before there was a row it was lost");
	ok(rows[0][place_of("test.plums")] == 1 && rows[0][place_of("test.pears")] == 0, "each in its own cell");
	counter_use(rows[1]);
	counter_add(&apples, 7);
	counter_use(NULL);
	counter_add(&apples, 100);
	ok(rows[0][place_of("test.apples")] == 5 && rows[1][place_of("test.apples")] == 7, "each process in its row");
	for (int i = 0; i < 2; i++)
		free(rows[i]);
	return done();
}
