/* Calls between workers that run by themselves: a thread each, then processes that are killed. */
#include "t/call_house.h"
#include "t/tap.h"
#include <pthread.h>
#include <sys/wait.h>

/* --- a thread each ------------------------------------------------------------------------------------------------ */

#define THREADS     3
#define EACH        20000
#define UNDER_WAY_N 400

static struct worker crowd[THREADS];
static _Atomic unsigned finished;

struct asker {
	struct worker *w;
	unsigned sent, good, bad;
};

static void asker_next(struct asker *s);

static void asker_done(void *user, enum err e, struct str answer)
{
	struct asker *s = user;
	unsigned number;

	if (e || answer.len < sizeof(number))
		s->bad++;
	else
		s->good++;
	asker_next(s);
	if (s->good + s->bad == EACH)
		finished++;
}

static void asker_next(struct asker *s)
{
	static const char filler[3000];
	char bytes[3000 + sizeof(unsigned)];
	size_t len = s->sent % 50 ? s->sent % 60 : 3000;

	if (s->sent == EACH)
		return;
	memcpy(bytes, &s->sent, sizeof(unsigned));
	memcpy(bytes + sizeof(unsigned), filler, len);
	call_send(s->w, s->sent++ % THREADS, &types[ECHO], (struct str){ bytes, sizeof(unsigned) + len },
		CALL_DEADLINE_MS, asker_done, s);
}

static void *crowd_thread(void *user)
{
	struct asker s = { .w = user };

	for (unsigned i = 0; i < UNDER_WAY_N; i++)
		asker_next(&s);
	while (finished < THREADS)
		loop_turn(s.w, 50);
	return (void *)(uintptr_t)s.good;
}

static void test_threads(void)
{
	struct shm *shm = shm_new(THREADS, counter_count());
	pthread_t threads[THREADS];
	bool good = true;

	finished = 0;
	for (unsigned i = 0; i < THREADS; i++)
		worker_begin(&crowd[i], shm, i);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, crowd_thread, &crowd[i]);
	for (unsigned i = 0; i < THREADS; i++) {
		void *count;

		pthread_join(threads[i], &count);
		good &= (uintptr_t)count == EACH;
	}
	ok(good, "%d workers ask each other %d times each and have every answer once", THREADS, EACH);
	for (unsigned i = 0; i < THREADS; i++)
		worker_end(&crowd[i]);
}

/* --- processes that are killed ------------------------------------------------------------------------------------ */

static pid_t owner_start(struct shm *shm)
{
	pid_t pid = fork();

	if (!pid) {
		worker_begin(&b, shm, 1);
		for (;;)
			loop_turn(&b, 50);
	}
	return pid;
}

static pid_t owner_again(struct shm *shm, pid_t pid)
{
	waitpid(pid, NULL, 0);
	atomic_fetch_add(&shm_slot(shm, 1)->generation, 1);
	pid = owner_start(shm);
	shm_wake(shm, 0);
	return pid;
}

static void test_killed(void)
{
	enum { ROUNDS = 20, BATCH = 150 };
	struct shm *shm = shm_new(2, counter_count());
	unsigned answered = 0, failed = 0;
	struct heard h = { 0 };
	pid_t pid;

	worker_begin(&a, shm, 0);
	pid = owner_start(shm);
	for (unsigned round = 0; round < ROUNDS; round++) {
		static struct heard many[BATCH];

		memset(many, 0, sizeof(many));
		for (unsigned i = 0; i < BATCH; i++) {
			ask(1, ECHO, STR("x"), &many[i]);
			if (i == round * 7)
				loop_turn(&a, 2);
		}
		kill(pid, SIGKILL);
		pid = owner_again(shm, pid);
		while (calls_waiting(a.calls))
			loop_turn(&a, 2);
		for (unsigned i = 0; i < BATCH; i++) {
			answered += many[i].times == 1 && many[i].e == OK;
			failed += many[i].times != 1 || many[i].e != OK;
			buf_free(&many[i].answer);
		}
	}
	ok(answered == ROUNDS * BATCH && !failed, "every call is answered though its owner was killed %d times",
		ROUNDS);
	ask(1, DIE, STR("x"), &h);
	for (unsigned lives = 0; lives < 2; lives++) {
		calls_turn(a.calls);
		calls_sleep(a.calls);
		waitpid(pid, NULL, 0);
		ok(atomic_load(&shm_slot(shm, 1)->running) == DIE + 1, "the slot tells which call killed its owner");
		pid = owner_again(shm, pid);
	}
	while (!h.times)
		loop_turn(&a, 2);
	ok(heard(&h, ERR_AGAIN, STR_NONE), "a call that kills its owner twice does not do it a third time");
	ask(1, ECHO, STR("x"), &h);
	while (!h.times)
		loop_turn(&a, 2);
	ok(heard(&h, OK, STR("x")), "which then serves others");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	worker_end(&a);
}

int main(void)
{
	if (!house_open())
		return 1;
	test_killed();
	test_threads();
	house_close();
	return done();
}
