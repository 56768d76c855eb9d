/* A program in which nothing counts: there is no section then, and it must still link. */
#include "core/counter.h"
#include "t/tap.h"

int main(void)
{
	uint64_t row[1] = { 0 };

	counter_use(row);
	ok(counter_count() == 0, "there are no counters");
	return done();
}
