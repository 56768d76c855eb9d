/* call_house.h - workers that ask each other, for tests of calls: types of calls, a directory, engines turned by hand. */
#ifndef T_CALL_HOUSE_H
#define T_CALL_HOUSE_H

#include "core/call.h"
#include "core/counter.h"
#include "core/house.h"
#include "core/worker.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

__attribute__((unused)) static void answer_kept(void)
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

__attribute__((unused)) static unsigned files_left(void)
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

__attribute__((unused)) static void begin(void)
{
	struct shm *shm = shm_new(2, counter_count());

	worker_begin(&a, shm, 0);
	worker_begin(&b, shm, 1);
	kept_count = events = 0;
}

__attribute__((unused)) static void end(void)
{
	worker_end(&a);
	worker_end(&b);
}

__attribute__((unused)) static void turn(unsigned times)
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

__attribute__((unused)) static void loop_turn(struct worker *w, int wait_ms)
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

static bool house_open(void)
{
	char path[64];

	if (!mkdtemp(directory))
		return false;
	snprintf(path, sizeof(path), "%s/run", directory);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/run/tmp", directory);
	mkdir(path, 0700);
	return true;
}

static void house_close(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/run/tmp", directory);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/run", directory);
	rmdir(path);
	rmdir(directory);
}

#endif
