/* Chores: a step at a time, in rounds, a little in each turn. */
#include "core/chore.h"
#include "t/tap.h"
#include <string.h>
#include <time.h>

#define STEPS_MAX 64

static struct chores *cs;
static char stepped[STEPS_MAX + 1];

struct busy { /* a chore with so many steps to go */
	struct chore chore;
	const char *name;
	unsigned left;
	int64_t us; /* that each takes */
	struct chore *ends;
};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void step(void *user)
{
	struct busy *x = user;
	int64_t end_us = now_us() + x->us;

	strncat(stepped, x->name, STEPS_MAX - strlen(stepped));
	while (now_us() < end_us)
		;
	if (x->ends)
		chore_stop(cs, x->ends);
	if (--x->left)
		chore_start(cs, &x->chore, step, x);
}

static void start(struct busy *x)
{
	chore_start(cs, &x->chore, step, x);
}

static void run_all(void)
{
	while (chores_wait(cs))
		chores_run(cs, now_us());
}

static void test_rounds(void)
{
	struct busy a = { .name = "a", .left = 3 }, b = { .name = "b", .left = 1 }, c = { .name = "c", .left = 2 };

	*stepped = '\0';
	ok(!chores_wait(cs), "without a chore the loop may sleep");
	chores_run(cs, 0);
	start(&a);
	start(&b);
	start(&c);
	start(&a);
	ok(chore_runs(&a.chore) && chores_wait(cs), "what was started runs, and keeps the loop awake");
	run_all();
	ok(!strcmp(stepped, "abcaca"), "all that run are stepped in rounds, whatever is started twice is there once");
	ok(!chore_runs(&a.chore) && !chores_wait(cs), "what does not start itself again is over");
}

static void test_stop(void)
{
	struct busy a = { .name = "a", .left = 2 }, b = { .name = "b", .left = 1 }, c = { .name = "c", .left = 1 };

	*stepped = '\0';
	a.ends = &b.chore;
	start(&a);
	start(&b);
	start(&c);
	chore_stop(cs, &c.chore);
	chore_stop(cs, &c.chore);
	run_all();
	ok(!strcmp(stepped, "aa"), "what is stopped, by whom ever, is not stepped");
}

static void test_allowance(void)
{
	struct busy a = { .name = "a", .left = 3, .us = CHORES_US }, b = { .name = "b", .left = 1 };

	*stepped = '\0';
	start(&a);
	start(&b);
	chores_run(cs, now_us());
	ok(!strcmp(stepped, "a"), "when the allowance of a turn is used up the others wait for the next turn");
	chores_run(cs, now_us());
	ok(!strncmp(stepped, "ab", 2), "where who waited longest comes first");
	*stepped = '\0';
	chores_run(cs, now_us() - 10 * CHORES_US);
	ok(!strcmp(stepped, "a"), "a turn that others have used up has a step all the same");
	run_all();
}

int main(void)
{
	struct busy a = { .name = "a", .left = 1 };

	cs = chores_new();
	test_rounds();
	test_stop();
	test_allowance();
	start(&a);
	chores_free(cs);
	ok(!chore_runs(&a.chore), "in the end nothing runs");
	chores_free(NULL);
	return done();
}
