/* Timers: what is due fires, once, in order, and the clock may be moved. */
#include "core/timers.h"
#include "t/tap.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MANY 1000

static struct timers *ts;
static char fired[64];
static struct timer other;

static void note(void *user)
{
	strncat(fired, user, sizeof(fired) - strlen(fired) - 1);
}

static void note_and_start(void *user)
{
	note(user);
	timer_start(ts, &other, 0, note, "new ");
}

static void note_and_stop(void *user)
{
	note(user);
	timer_stop(ts, &other);
}

static void test_order(void)
{
	struct timer a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

	*fired = '\0';
	ok(timers_next_ms(ts) == -1, "without a timer nothing is ever due");
	timer_start(ts, &a, 2000, note, "a");
	timer_start(ts, &b, 1000, note, "b");
	timer_start(ts, &c, 2000, note, "c");
	timer_start(ts, &d, 2000, note, "d");
	ok(timers_next_ms(ts) > 900 && timers_next_ms(ts) <= 1000, "the next is the earliest, not the first started");
	timers_run(ts);
	ok(!*fired, "nothing fires before its time");
	timers_shift(ts, 1000);
	ok(timers_next_ms(ts) == 0, "once the clock has moved there it is due");
	timers_run(ts);
	ok(!strcmp(fired, "b") && !timer_runs(&b), "and it alone fires, and runs no longer");
	timers_shift(ts, 1000);
	timers_run(ts);
	ok(!strcmp(fired, "bacd"), "those of one time fire in the order of their starts");
	timers_shift(ts, 100000);
	timers_run(ts);
	ok(!strcmp(fired, "bacd"), "a timer fires once");
}

static void test_move(void)
{
	struct timer a = { 0 }, b = { 0 };

	*fired = '\0';
	timer_start(ts, &a, 10, note, "a");
	timer_start(ts, &b, 20, note, "b");
	timer_start(ts, &a, 30, note, "A");
	timers_shift(ts, 25);
	timers_run(ts);
	ok(!strcmp(fired, "b"), "starting a running timer moves it");
	timer_stop(ts, &a);
	timer_stop(ts, &a);
	timers_shift(ts, 100);
	timers_run(ts);
	ok(!strcmp(fired, "b") && !timer_runs(&a), "a stopped timer does not fire, and stops twice without harm");
	timer_start(ts, &a, -5, note, "a");
	timers_run(ts);
	ok(!strcmp(fired, "ba"), "a time that has passed is due now");
}

static void test_inside(void)
{
	struct timer a = { 0 };

	*fired = '\0';
	timer_start(ts, &a, 0, note_and_start, "a ");
	timers_run(ts);
	ok(!strcmp(fired, "a "), "what a timer starts waits for the next turn, even if due at once");
	timers_run(ts);
	ok(!strcmp(fired, "a new "), "and fires then");
	timer_start(ts, &a, 0, note_and_stop, "stop ");
	timer_start(ts, &other, 0, note, "never");
	timers_run(ts);
	ok(!strcmp(fired, "a new stop "), "a timer may stop another that is due with it");
}

static int64_t last_at;
static unsigned in_order;

static void check_order(void *user)
{
	struct timer *t = user;

	in_order += t->at_ms >= last_at;
	last_at = t->at_ms;
}

static void test_many(void)
{
	static struct timer many[MANY];
	unsigned stopped = 0;

	srand(1);
	for (unsigned i = 0; i < MANY; i++)
		timer_start(ts, &many[i], rand() % 500, check_order, &many[i]);
	for (unsigned i = 0; i < MANY; i++) {
		if (rand() % 3 == 0) {
			timer_stop(ts, &many[i]);
			stopped++;
		} else if (rand() % 2) {
			timer_start(ts, &many[i], rand() % 500, check_order, &many[i]);
		}
	}
	timers_shift(ts, 500);
	timers_run(ts);
	ok(in_order == MANY - stopped, "of many started, moved and stopped, those that run all fire in order");
	ok(timers_next_ms(ts) == -1, "and none is left");
}

static void test_clock(void)
{
	int64_t now = timers_now_ms(ts), wall = timers_wall_ms(ts);
	struct timespec t;
	int64_t real;

	timers_shift(ts, 1801000);
	ok(timers_now_ms(ts) - now >= 1801000 && timers_now_ms(ts) - now < 1811000, "the clock jumps");
	ok(timers_wall_ms(ts) - wall >= 1801000 && timers_wall_ms(ts) - wall < 1811000, "and the wall clock with it");
	clock_gettime(CLOCK_REALTIME, &t);
	real = (int64_t)t.tv_sec * 1000;
	timers_free(ts);
	ts = timers_new();
	timers_turn(ts);
	ok(llabs(timers_wall_ms(ts) - real) < 10000, "new timers go by the machine's clock");
}

int main(void)
{
	struct timer left = { 0 };

	ts = timers_new();
	test_order();
	test_move();
	test_inside();
	test_many();
	test_clock();
	timer_start(ts, &left, 5, note, "x");
	timers_free(ts);
	ok(!timer_runs(&left), "timers that run at the end just stop");
	timers_free(NULL);
	return done();
}
