/* How a worker's lag is measured: averaged, as parts of the time, and in its lanes. What yields then: t/core/overload.py. */
#include "core/overload.h"
#include "core/lane.h"
#include "core/shm.h"
#include "t/tap.h"
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MS 1000 /* in microseconds */

static void test_average(void)
{
	struct strain s = { 0 };

	strain_add(&s, 0, 5000 * MS);
	strain_add(&s, 300 * MS, 300 * MS);
	ok(s.lag_us < 100 * MS, "one long turn is no overload");
	for (unsigned i = 0; i < 20; i++)
		strain_add(&s, 300 * MS, 300 * MS);
	ok(s.lag_us > 290 * MS, "many of them are");
	for (unsigned i = 0; i < 2000; i++)
		strain_add(&s, 1 * MS, 1 * MS);
	ok(s.lag_us < 100 * MS && s.lag_us > 1 * MS, "which is forgotten in seconds");
}

static void test_parts(void)
{
	struct slot s = { .lag_max_us = 90 * MS };

	ok(slot_lag_us(&s, 0.5) == 0, "a worker that has just begun never lagged");
	s.lags_us[0] = 90000 * MS; /* slept */
	s.lags_us[3] = 9500 * MS;  /* in turns of up to 1 ms */
	s.lags_us[10] = 500 * MS;  /* and of up to 128 ms */
	ok(slot_lag_us(&s, 0.5) == 0 && slot_lag_us(&s, 0.99) == 1 * MS, "most of the time no more than a millisecond");
	ok(slot_lag_us(&s, 0.999) == 90 * MS, "and never more than the worst turn");
	s.lags_us[LAGS - 1] = 1;
	s.lag_max_us = 3600u * 1000 * MS;
	ok(slot_lag_us(&s, 1) == s.lag_max_us, "however long that was");
	ok(lag_upto_us(1) == 250 && lag_upto_us(LAGS - 2) == 2048 * MS,
		"from a quarter of a millisecond to two seconds");
}

static pthread_barrier_t both;

static void wait_work(struct job *job)
{
	(void)job;
	pthread_barrier_wait(&both); /* it has begun */
	pthread_barrier_wait(&both); /* and may end */
}

static void nothing(struct job *job)
{
	(void)job;
}

static void test_lane(void)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct lane *l = lane_new("files", fd);
	struct job one = { .work = wait_work, .done = nothing }, two = one;

	pthread_barrier_init(&both, NULL, 2);
	ok(lane_wait_us(l, 1000) == 0, "nobody waits for a lane that idles");
	lane_add(l, &one);
	pthread_barrier_wait(&both);
	ok(lane_wait_us(l, 2000) == 0, "nor for one whose only job is under way, however long that takes");
	lane_add(l, &two);
	lane_wait_us(l, 3000);
	ok(lane_wait_us(l, 3000 + 70 * MS) == 70 * MS, "a job behind it waits from then on");
	pthread_barrier_wait(&both);
	pthread_barrier_wait(&both); /* the second has begun */
	ok(lane_wait_us(l, 3000 + 80 * MS) == 80 * MS, "until it is begun");
	ok(lane_wait_us(l, 3000 + 90 * MS) == 0, "then nobody waits");
	pthread_barrier_wait(&both);
	lane_free(l);
	close(fd);
}

int main(void)
{
	test_average();
	test_parts();
	test_lane();
	return done();
}
