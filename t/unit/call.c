/* Calls: an owner is asked, here or in another worker, and there is one answer, whatever happens on the way.
 * First two engines in one thread, turned by hand; then a thread each; then processes that are killed. */
#include "core/call.h"
#include "core/counter.h"
#include "core/house.h"
#include "core/log.h"
#include "core/worker.h"
#include "t/tap.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the house of this test -------------------------------------------------------------------------------------- */

#define KEPT_MAX 2000

static struct request *kept[KEPT_MAX]; /* by `keep`, to be answered by the test */
static unsigned kept_count, events;
static char last_event[64];

static void echo(struct worker *w, struct request *rq, struct str args)
{
	(void)w;
	request_answer(rq, OK, args);
}

static void refuse(struct worker *w, struct request *rq, struct str args)
{
	(void)w, (void)args;
	request_answer(rq, ERR_DENIED, STR("no"));
}

static void keep(struct worker *w, struct request *rq, struct str args)
{
	(void)w, (void)args;
	kept[kept_count++] = rq;
}

static void hear(struct worker *w, struct request *rq, struct str args)
{
	(void)w;
	events += rq == NULL;
	snprintf(last_event, sizeof(last_event), STR_FMT, STR_ARG(args));
}

static void die(struct worker *w, struct request *rq, struct str args)
{
	(void)w, (void)rq, (void)args;
	kill(getpid(), SIGKILL);
}

enum { ECHO, REFUSE, KEEP, HEAR, DIE };
static const struct call_type types[] = {
	{ "echo", echo },
	{ "refuse", refuse },
	{ "keep", keep },
	{ "hear", hear },
	{ "die", die },
	{ 0 },
};
static const struct call_type *const tables[] = { types, NULL };
const struct house house = { .calls = tables };

static void answer_kept(void)
{
	for (unsigned i = 0; i < kept_count; i++)
		request_answer(kept[i], OK, STR("kept"));
	kept_count = 0;
}

/* --- two workers in one thread ------------------------------------------------------------------------------------ */

static char directory[] = "/tmp/postern-call-XXXXXX";

static void worker_begin(struct worker *w, struct shm *shm, unsigned slot)
{
	*w = (struct worker){ .shm = shm, .slot = slot, .workers = shm_workers(shm) };
	w->timers = timers_new();
	w->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w->calls = calls_new(w);
}

static void worker_end(struct worker *w)
{
	calls_free(w->calls);
	timers_free(w->timers);
	close(w->directory);
}

static unsigned files_left(void)
{
	char path[64];
	unsigned count = 0;
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/run/tmp", directory);
	dir = opendir(path);
	while ((d = readdir(dir)))
		count += d->d_name[0] != '.';
	closedir(dir);
	return count;
}

static struct worker a, b; /* slots 0 and 1 */

static void begin(void)
{
	struct shm *shm = shm_new(2, counter_count());

	worker_begin(&a, shm, 0);
	worker_begin(&b, shm, 1);
	kept_count = events = 0;
}

static void end(void)
{
	worker_end(&a);
	worker_end(&b);
}

static void turn(unsigned times)
{
	while (times--) {
		timers_turn(a.timers), timers_run(a.timers), calls_turn(a.calls);
		timers_turn(b.timers), timers_run(b.timers), calls_turn(b.calls);
	}
}

struct heard {
	unsigned times;
	enum err e;
	struct buf answer;
	unsigned *order, place; /* place: the how-manieth of those who share `order` */
};

static void on_done(void *user, enum err e, struct str answer)
{
	struct heard *h = user;

	h->times++;
	h->e = e;
	buf_clear(&h->answer);
	buf_add_str(&h->answer, answer);
	if (h->order)
		h->place = ++*h->order;
}

static bool heard(struct heard *h, enum err e, struct str answer)
{
	bool good = h->times == 1 && h->e == e && str_eq(buf_str(&h->answer), answer);

	buf_free(&h->answer);
	*h = (struct heard){ 0 };
	return good;
}

static struct call *ask(unsigned to, int type, struct str args, struct heard *h)
{
	return call_send(&a, to, &types[type], args, CALL_DEADLINE_MS, on_done, h);
}

static void test_simple(void)
{
	struct heard h = { 0 };

	begin();
	for (unsigned to = 0; to < 2; to++) {
		const char *where = to ? "another worker" : "this worker";

		ask(to, ECHO, STR("hello"), &h);
		ok(h.times == 0, "%s: the answer never comes within call_send", where);
		turn(3);
		ok(heard(&h, OK, STR("hello")), "%s: it comes in a later turn", where);
		ask(to, ECHO, STR_NONE, &h);
		turn(3);
		ok(heard(&h, OK, STR_NONE), "%s: arguments and answer may be empty", where);
		ask(to, REFUSE, STR("x"), &h);
		turn(3);
		ok(heard(&h, ERR_DENIED, STR("no")), "%s: an error comes with its bytes", where);
		ask(to, KEEP, STR("x"), &h);
		turn(3);
		ok(h.times == 0 && kept_count == 1 && request_from(kept[0]) == 0 && calls_waiting(a.calls) == 1,
			"%s: the owner may take its time", where);
		answer_kept();
		turn(2);
		ok(heard(&h, OK, STR("kept")) && !calls_waiting(a.calls), "%s: and answer later", where);
		event_send(&a, to, &types[HEAR], STR("news"));
		ok(events == to, "%s: an event is not heard within event_send", where);
		turn(2);
		ok(events == to + 1 && !strcmp(last_event, "news"), "%s: but soon", where);
	}
	end();
}

static void test_later(void)
{
	struct heard h = { 0 };
	struct call *c;

	begin();
	call_later(&a, on_done, &h);
	ok(h.times == 0 && !calls_sleep(a.calls), "what shall run later keeps the loop awake");
	turn(1);
	ok(heard(&h, OK, STR_NONE), "and runs in the next turn");
	c = call_later(&a, on_done, &h);
	call_cancel(c);
	turn(1);
	ok(h.times == 0, "unless cancelled");
	end();
}

static void test_cancel(void)
{
	struct heard h = { 0 };
	struct call *c;

	begin();
	for (unsigned to = 0; to < 2; to++) {
		const char *where = to ? "another worker" : "this worker";

		c = ask(to, KEEP, STR("x"), &h);
		call_cancel(c);
		turn(3);
		ok(kept_count == 1, "%s: a call cancelled at once still runs", where);
		answer_kept();
		turn(3);
		ok(h.times == 0, "%s: but its answer is dropped", where);
		c = ask(to, KEEP, STR("x"), &h);
		turn(3);
		call_cancel(c);
		answer_kept();
		turn(3);
		ok(h.times == 0, "%s: the same for one cancelled while it runs", where);
	}
	c = ask(1, ECHO, STR("x"), &h);
	calls_turn(b.calls);
	call_cancel(c);
	turn(3);
	ok(h.times == 0 && !calls_waiting(a.calls), "and for one whose answer is on its way");
	end();
}

static void drop(void *user)
{
	(*(int *)user)++;
}

static void test_steps(void)
{
	int dropped = 0;

	call_cancel(call_steps(drop, &dropped));
	ok(dropped == 1, "what takes several steps is given up by cancelling its handle");
	call_steps_end(call_steps(drop, &dropped));
	ok(dropped == 1, "and not when it came to its end");
}

static void test_deadline(void)
{
	struct heard h = { 0 };

	begin();
	for (unsigned to = 0; to < 2; to++) {
		const char *where = to ? "another worker" : "this worker";

		ask(to, KEEP, STR("x"), &h);
		turn(3);
		timers_shift(a.timers, CALL_DEADLINE_MS - 1000);
		turn(1);
		ok(h.times == 0, "%s: before the deadline a call waits", where);
		timers_shift(a.timers, 1000);
		turn(1);
		ok(heard(&h, ERR_AGAIN, STR_NONE), "%s: when it passes the answer is `not now`", where);
		answer_kept();
		turn(3);
		ok(h.times == 0 && !calls_waiting(a.calls), "%s: and one that comes later is dropped", where);
	}
	end();
}

static void test_credits(void)
{
	enum { MANY = 600 };
	static struct heard many[MANY];
	struct call *cancelled[10];
	unsigned order = 0, heard_in_order = 0;

	begin();
	for (unsigned i = 0; i < MANY; i++) {
		struct call *c = ask(1, KEEP, STR("x"), &many[i]);

		many[i].order = &order;
		if (i >= 300 && i < 310)
			cancelled[i - 300] = c;
	}
	turn(5);
	ok(kept_count == 256 && calls_waiting(a.calls) == MANY, "256 calls are under way to a peer, more wait");
	for (unsigned i = 0; i < 10; i++)
		call_cancel(cancelled[i]);
	answer_kept();
	turn(5);
	ok(kept_count == 256, "answers make way for the next");
	answer_kept();
	turn(5);
	answer_kept();
	turn(5);
	for (unsigned i = 0; i < MANY; i++)
		heard_in_order += many[i].times == 1 && many[i].place == (i < 300 ? i + 1 : i - 9);
	ok(heard_in_order == MANY - 10 && !calls_waiting(a.calls), "all are answered in their order");
	for (unsigned i = 0; i < MANY; i++)
		buf_free(&many[i].answer);
	for (unsigned i = 0; i < 300; i++) {
		many[i] = (struct heard){ 0 };
		ask(1, KEEP, STR("x"), &many[i]);
	}
	turn(2);
	timers_shift(a.timers, CALL_DEADLINE_MS);
	turn(3);
	ok(many[0].times == 1 && many[299].times == 1 && kept_count == 256,
		"a deadline that passes gives no credit back: the owner still has the call");
	answer_kept();
	turn(3);
	ask(1, ECHO, STR("x"), &many[300]);
	memset(&many[300], 0, sizeof(many[300]));
	turn(3);
	ok(heard(&many[300], OK, STR("x")), "the answer does");
	end();
}

static void test_long(void)
{
	static const size_t lengths[] = { 65535, 65536, 65537, 1 << 20, CALL_BYTES_MAX };
	struct heard h = { 0 };
	struct buf bytes = { 0 };
	bool good = true;

	begin();
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		buf_clear(&bytes);
		memset(buf_room(&bytes, lengths[i]), 'a' + (int)i, lengths[i]);
		buf_added(&bytes, lengths[i]);
		for (unsigned to = 0; to < 2; to++) {
			ask(to, ECHO, buf_str(&bytes), &h);
			good &= files_left() == (to && lengths[i] > 65536);
			turn(4);
			good &= heard(&h, OK, buf_str(&bytes));
		}
	}
	ok(good, "bytes of any length up to the limit get there and back; over 64 KiB as a file");
	ok(files_left() == 0, "no file is left");
	buf_add_char(&bytes, 'x');
	ask(1, ECHO, buf_str(&bytes), &h);
	turn(2);
	ok(heard(&h, ERR_TOO_BIG, STR_NONE), "more than the limit is refused");
	buf_cut(&bytes, 100000);
	event_send(&a, 1, &types[HEAR], buf_str(&bytes));
	turn(2);
	ok(events == 1 && files_left() == 0, "a long event gets there too");
	close(b.directory);
	b.directory = -1;
	ask(1, ECHO, buf_str(&bytes), &h);
	log_set_levels("error call=error core=error");
	turn(4);
	ok(heard(&h, ERR_AGAIN, STR_NONE), "where a file cannot be read the answer is `not now`");
	b.directory = dup(a.directory);
	unlinkat(a.directory, "run/tmp/0-0-5", 0);
	buf_free(&bytes);
	end();
}

/* Answers of 60,000 bytes: the ring holds about a hundred. */
static void test_room(void)
{
	enum { MANY = 256, LEN = 60000 };
	static struct heard many[MANY];
	static char answer[LEN];
	unsigned good = 0;

	begin();
	for (unsigned i = 0; i < MANY; i++)
		ask(1, KEEP, STR("x"), &many[i]);
	turn(3);
	for (unsigned i = 0; i < MANY; i++) {
		memset(answer, (int)i, LEN);
		request_answer(kept[i], OK, (struct str){ answer, LEN });
		event_send(&b, 0, &types[HEAR], STR("after an answer"));
	}
	for (unsigned i = 0; i < 20; i++)
		turn(1);
	for (unsigned i = 0; i < MANY; i++) {
		memset(answer, (int)i, LEN);
		good += heard(&many[i], OK, (struct str){ answer, LEN });
	}
	ok(good == MANY && events == MANY, "what the ring has no room for waits and arrives");
	for (unsigned i = 0; i < MANY; i++)
		ask(1, ECHO, (struct str){ answer, LEN }, &many[i]);
	for (unsigned i = 0; i < 20; i++)
		turn(1);
	for (unsigned i = good = 0; i < MANY; i++)
		good += heard(&many[i], OK, (struct str){ answer, LEN });
	ok(good == MANY, "also where calls do not fit");
	end();
}

/* What the master does: waitpid, raise the generation, start anew. */
static void b_dies(void)
{
	struct shm *shm = b.shm;

	worker_end(&b);
	for (unsigned i = 0; i < kept_count; i++)
		free(kept[i]);
	kept_count = 0;
	atomic_fetch_add(&shm_slot(shm, 1)->generation, 1);
	worker_begin(&b, shm, 1);
}

static void test_death(void)
{
	enum { MANY = 300 };
	static struct heard many[MANY];
	static char large[100000];
	struct heard h = { 0 }, g = { 0 };
	unsigned order = 0, in_order = 0;

	begin();
	ask(1, KEEP, STR("x"), &h);
	turn(2);
	b_dies();
	turn(3);
	ok(h.times == 0 && kept_count == 1, "a call whose owner died is sent to its next life");
	answer_kept();
	turn(2);
	ok(heard(&h, OK, STR("kept")), "and answered by it");
	ask(1, KEEP, STR("x"), &h);
	turn(2);
	b_dies();
	turn(2);
	b_dies();
	turn(2);
	ok(heard(&h, ERR_AGAIN, STR_NONE) && kept_count == 0, "when that dies too the answer is `not now`");
	ask(1, KEEP, STR("x"), &h);
	ask(1, KEEP, STR("x"), &g);
	turn(1);
	request_answer(kept[0], OK, STR("last words"));
	kept[0] = kept[--kept_count];
	b_dies();
	turn(2);
	ok(heard(&h, OK, STR("last words")) && g.times == 0, "what it answered before it died counts");
	ok(kept_count == 1, "and is not asked again");
	answer_kept();
	turn(2);
	heard(&g, OK, STR("kept"));
	for (unsigned i = 0; i < MANY; i++) {
		ask(1, ECHO, STR("x"), &many[i]);
		many[i].order = &order;
	}
	b_dies();
	turn(8);
	for (unsigned i = 0; i < MANY; i++) {
		in_order += many[i].times == 1 && many[i].e == OK && many[i].place == i + 1;
		buf_free(&many[i].answer);
	}
	ok(in_order == MANY, "calls in its ring and calls that waited keep their order");
	ask(1, ECHO, (struct str){ large, sizeof(large) }, &h);
	b_dies();
	turn(4);
	ok(heard(&h, OK, (struct str){ large, sizeof(large) }) && files_left() == 0,
		"a long call goes again as a file");
	call_send(&b, 0, &types[KEEP], STR("x"), CALL_DEADLINE_MS, on_done, &h);
	turn(2);
	b_dies();
	call_send(&b, 0, &types[ECHO], STR("new"), CALL_DEADLINE_MS, on_done, &g);
	answer_kept();
	turn(3);
	ok(h.times == 0 && heard(&g, OK, STR("new")), "an answer to a life that ended does not reach the next");
	event_send(&b, 0, &types[HEAR], STR("from the dead"));
	call_send(&b, 0, &types[KEEP], STR("x"), CALL_DEADLINE_MS, on_done, &h);
	events = 0;
	b_dies();
	turn(2);
	ok(kept_count == 0 && events == 1, "what a dead worker asked is not run, what it told is heard");
	end();
}

/* Records are looked at before they are believed. */
static void test_broken(void)
{
	struct heard h = { 0 };
	char bytes[200];
	bool good = true;

	log_set_levels("error call=error");
	begin();
	dup2(open("/dev/null", O_WRONLY), 2);
	srand(2);
	for (unsigned i = 0; i < 2000; i++) {
		size_t len = (size_t)rand() % sizeof(bytes);

		for (size_t k = 0; k < len; k++)
			bytes[k] = (char)(rand() % (i % 3 ? 4 : 256));
		if (i % 5 == 0)
			memset((char *)shm_ring(a.shm, 1, 0) + 192, rand(), 64);
		ring_put(shm_ring(a.shm, 1, 0), (struct str){ bytes, len }, STR_NONE);
		turn(1);
		for (unsigned k = 0; k < kept_count; k++)
			request_answer(kept[k], OK, STR_NONE);
		kept_count = 0;
	}
	ask(1, ECHO, STR("still"), &h);
	turn(3);
	good &= heard(&h, OK, STR("still"));
	ok(good, "records of any bytes do no harm");
	end();
}

static void test_names(void)
{
	struct name first, second, other;

	begin();
	first = name_next(&a);
	second = name_next(&a);
	other = name_next(&b);
	ok(first.life == second.life && second.number == first.number + 1 && other.life != first.life,
		"names count within a life, and each life has its own");
	end();
}

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

static void loop_turn(struct worker *w, int wait_ms)
{
	struct pollfd p = { shm_wake_fd(w->shm, w->slot), POLLIN, 0 };
	uint64_t wakes;

	timers_turn(w->timers);
	timers_run(w->timers);
	calls_turn(w->calls);
	if (calls_sleep(w->calls))
		poll(&p, 1, wait_ms);
	calls_wake(w->calls);
	if (read(p.fd, &wakes, sizeof(wakes)) < 0)
		return; /* nobody woke us */
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
	char path[64];

	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/run", directory);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/run/tmp", directory);
	mkdir(path, 0700);
	test_simple();
	test_later();
	test_cancel();
	test_steps();
	test_deadline();
	test_credits();
	test_long();
	test_room();
	test_death();
	test_names();
	test_killed();
	test_threads();
	test_broken();
	rmdir(path);
	snprintf(path, sizeof(path), "%s/run", directory);
	rmdir(path);
	rmdir(directory);
	return done();
}
