/* Lanes: jobs run in a thread of their own, in order, and come back to the loop. */
#include "core/lane.h"
#include "t/tap.h"
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MANY 2000

struct task {
	struct job job;
	int number, result;
	bool all_blocked;
	pthread_t ran_in;
};

static struct lane *lane;
static int wake_fd, last_done, in_order, added_again;
static sem_t gate, reached;

static void work(struct job *job)
{
	struct task *t = (struct task *)job;
	sigset_t blocked;

	t->result = t->number * 2;
	t->ran_in = pthread_self();
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	t->all_blocked = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGCHLD);
}

static void collected(struct job *job)
{
	struct task *t = (struct task *)job;

	in_order += t->number == last_done + 1 && t->result == 2 * t->number;
	last_done = t->number;
}

static void collected_and_freed(struct job *job)
{
	collected(job);
	free(job);
}

static void add_again(struct job *job)
{
	if (added_again++ < 3)
		lane_add(lane, job);
}

static bool woken(int wait_ms)
{
	struct pollfd p = { .fd = wake_fd, .events = POLLIN };

	return poll(&p, 1, wait_ms) == 1;
}

static uint64_t wakes(void)
{
	uint64_t count = 0;

	return read(wake_fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void test_one(void)
{
	struct task t = { .job = { .work = work, .done = collected }, .number = 1 };
	sigset_t blocked;

	ok(lane_collect(lane) == 0 && lane_depth(lane) == 0, "a new lane has nothing to collect");
	lane_add(lane, &t.job);
	ok(lane_depth(lane) == 1, "a job counts until it is collected");
	ok(woken(10000), "a finished job wakes the loop");
	ok(last_done == 0, "its end is not told before the loop collects");
	ok(wakes() == 1 && lane_collect(lane) == 1 && last_done == 1, "then it is, in the loop");
	ok(t.result == 2 && !pthread_equal(t.ran_in, pthread_self()), "the work was done in another thread");
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	ok(t.all_blocked && !sigismember(&blocked, SIGTERM), "signals are blocked there, not here");
	ok(lane_depth(lane) == 0 && !woken(0), "nothing is left");
}

static void reach_and_wait(struct job *job)
{
	(void)job;
	sem_post(&reached);
	sem_wait(&gate);
}

static void test_wakes(void)
{
	struct task a = { .job = { .work = work, .done = collected }, .number = 2 };
	struct task b = { .job = { .work = work, .done = collected }, .number = 3 };
	struct job third = { .work = reach_and_wait, .done = add_again };

	added_again = 3; /* not again */
	in_order = 0;
	lane_add(lane, &a.job);
	lane_add(lane, &b.job);
	lane_add(lane, &third);
	sem_wait(&reached);
	ok(wakes() == 1 && !woken(0), "a job that finishes beside one not yet collected does not wake again");
	ok(lane_collect(lane) == 2 && in_order == 2, "both are collected at once, in order");
	sem_post(&gate);
	ok(woken(10000) && wakes() == 1, "after that the next one wakes");
	ok(lane_depth(lane) == 1 && lane_collect(lane) == 1, "and is collected");
}

static void test_drain(void)
{
	struct job job = { .work = reach_and_wait, .done = add_again };

	added_again = 0;
	lane_add(lane, &job);
	for (int i = 0; i < 4; i++)
		sem_post(&gate);
	lane_drain(lane);
	ok(added_again == 4 && !lane_depth(lane), "a job may be added again by its own end, and draining knows");
}

static void test_many(void)
{
	last_done = in_order = 0;
	wakes();
	for (int i = 1; i <= MANY; i++) {
		struct task *t = calloc(1, sizeof(*t));

		if (!t)
			abort();
		*t = (struct task){ .job = { .work = work, .done = collected_and_freed }, .number = i };
		lane_add(lane, &t->job);
		if (i % 100 == 0)
			lane_collect(lane);
	}
	while (lane_depth(lane))
		if (woken(10000) && wakes())
			lane_collect(lane);
		else
			break;
	ok(in_order == MANY, "many jobs come back in the order they were added, none without a wake");
}

static void test_bell(void)
{
	struct task one = { .job = { .work = work, .done = collected } }, two = one, three = one;
	struct job busy = { .work = reach_and_wait, .done = add_again };
	struct bell bell = { 0 };
	struct lane *plain = lane;

	added_again = 3; /* not again */
	lane = lane_new("bell", wake_fd);
	lane_bell(lane, &bell);
	wakes();
	lane_add(lane, &busy);
	lane_wake(lane);
	sem_wait(&reached);
	lane_add(lane, &one.job);
	ok(!bell_heard(&bell) && bell_sleep(&bell), "the loop may sleep while nothing is finished");
	sem_post(&gate);
	ok(woken(10000) && wakes() == 1, "and is woken then");
	while (lane_depth(lane))
		if (bell_heard(&bell))
			lane_collect(lane);
		else
			lane_wake(lane);
	ok(!woken(0), "while it is awake the bell is enough");

	lane_add(lane, &one.job);
	lane_wake(lane);
	while (!bell.rung)
		sched_yield();
	ok(!bell_sleep(&bell) && !bell.sleeping && !woken(0), "with a job to collect it is not to sleep");
	ok(bell_heard(&bell) && !bell_heard(&bell) && lane_collect(lane) == 1, "each ring is heard once");

	lane_add_quiet(lane, &one.job);
	lane_add_quiet(lane, &two.job);
	lane_wake(lane);
	ok(!lane_wait_us(lane, 1000) && !lane_wait_us(lane, 9000000) && !bell.rung,
		"quiet jobs wait for others, and do not count as waiting");
	in_order = last_done = 0;
	one.number = 1;
	two.number = 2;
	three.number = 3;
	lane_add(lane, &three.job);
	lane_wake(lane);
	while (lane_depth(lane))
		if (bell_heard(&bell))
			lane_collect(lane);
	ok(in_order == 3, "the next one wakes the lane for all, in order");
	lane_add_quiet(lane, &one.job);
	lane_wake_all(lane);
	while (!bell_heard(&bell))
		sched_yield();
	ok(lane_collect(lane) == 1, "or somebody says that they are due");
	lane_add_quiet(lane, &one.job);
	lane_free(lane);
	ok(one.result == 2, "a quiet job is not lost at the end");
	lane = plain;
}

/* The loop sleeps whenever it may, as a worker's does: a wake that were lost would leave it asleep. */
static void test_bell_many(void)
{
	struct bell bell = { 0 };
	struct lane *plain = lane;
	bool lost = false;

	lane = lane_new("bell", wake_fd);
	lane_bell(lane, &bell);
	last_done = in_order = 0;
	for (int i = 1; i <= MANY && !lost; i++) {
		struct task *t = calloc(1, sizeof(*t));

		if (!t)
			abort();
		*t = (struct task){ .job = { .work = work, .done = collected_and_freed }, .number = i };
		if (i % 3)
			lane_add_quiet(lane, &t->job);
		else
			lane_add(lane, &t->job);
		lane_wake(lane);
		while (i % 3 == 0 && lane_depth(lane) && !lost) {
			lost = bell_sleep(&bell) && !woken(10000);
			wakes();
			bell_wake(&bell);
			if (bell_heard(&bell))
				lane_collect(lane);
		}
	}
	lane_free(lane);
	ok(!lost && in_order == MANY, "a loop that sleeps whenever it may is woken for all");
	lane = plain;
}

int main(void)
{
	struct task last = { .job = { .work = work, .done = collected }, .number = MANY + 1 };

	wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	sem_init(&gate, 0, 0);
	sem_init(&reached, 0, 0);
	lane = lane_new("files", wake_fd);
	test_one();
	test_wakes();
	test_drain();
	test_many();
	test_bell();
	test_bell_many();
	lane_add(lane, &last.job);
	lane_free(lane);
	ok(last_done == MANY + 1, "ending a lane loses no job");
	lane_free(NULL);
	return done();
}
