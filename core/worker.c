/* worker.c - see worker.h.
 * A turn of the loop: sleep until something is ready - its handlers - timers due - calls - chores - what was written
 * leaves.
 * Stop, in two steps, for a worker without sessions of its own may still be asked by another's: ORDER_STOP, farewell,
 * all sessions gone, told to the master; when every worker said so, ORDER_END: the store settles, and exit. */
#include "core/worker.h"
#include "core/bus.h"
#include "core/conn.h"
#include "core/core_settings.h"
#include "core/counter.h"
#include "core/house.h"
#include "core/limit.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/tls.h"
#include "core/worker_inside.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SECOND_MS 1000
#define STOP_MS   30000  /* from the order to stop until exit, whoever is still there */
#define LAG_US    100000 /* the loop's lag is an average over about so long */
#define LONG_US   5000   /* of processor time: no turn should take more */
#define LOOK_US   1000   /* turns that took so much are logged for whoever wants to know */

COUNTER(long_turns, "loop.long_turns", "turns of a loop that took over 5 ms of processor time");

int64_t worker_wall_ms(const struct worker *w)
{
	return timers_wall_ms(w->timers);
}

static struct slot *own_slot(const struct body *b)
{
	return shm_slot(b->w.shm, b->w.slot);
}

static int64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* --- the turn ---------------------------------------------------------------------------------------------------- */

/* Lag is how long a thing that comes waits for the loop: nothing while it sleeps, at most the turn while it works. */
static void lag_add(struct body *b, int64_t lag_us, int64_t lasted_us)
{
	double share = (double)lasted_us / (double)(lasted_us + LAG_US);

	b->lag_us += ((double)lag_us - b->lag_us) * share;
}

/* The same with the lanes that clients wait for, for what decides what yields. */
static void strain_take(struct body *b, int64_t lag_us, int64_t lasted_us, int64_t now_us)
{
	int64_t files_us = lane_wait_us(b->w.files, now_us), index_us = lane_wait_us(b->w.index, now_us);

	if (lag_us < files_us)
		lag_us = files_us;
	if (lag_us < index_us)
		lag_us = index_us;
	strain_add(&b->strain, lag_us, lasted_us);
	strain_look(&b->strain, &b->w, now_us);
}

static void lag_count_sleep(struct slot *slot, int64_t slept_us)
{
	slot->lags_us[0] += (uint64_t)slept_us;
}

static void lag_count(struct slot *slot, int64_t turn_us)
{
	unsigned place = 1;

	while ((uint64_t)turn_us > lag_upto_us(place))
		place++;
	slot->lags_us[place] += (uint64_t)turn_us;
	if (turn_us > slot->lag_max_us)
		slot->lag_max_us = (uint32_t)turn_us;
}

/* What the turn took of the processor, whoever else wants it: lag tells of those, too. It cannot be more than it lasted,
 * whatever the clock of a virtual machine says whose processor was taken away meanwhile. */
static void cost_look(struct body *b, int64_t lasted_us)
{
	int64_t used_us = cpu_us(), turn_us = used_us - b->used_us;

	b->used_us = used_us;
	if (turn_us > lasted_us)
		turn_us = lasted_us;
	if (turn_us <= LOOK_US)
		return;
	if (turn_us > LONG_US)
		counter_add(&long_turns, 1);
	log_debug("loop", NULL, "a turn took long slot=%u us=%lld", b->w.slot, (long long)turn_us);
}

static void on_before(struct ev_loop *loop, struct ev_prepare *p, int events)
{
	struct body *b = p->data;
	struct slot *slot = own_slot(b);
	int64_t next_ms = timers_next_ms(b->w.timers), turn_us;

	(void)events;
	lag_count_sleep(slot, b->woke_us - b->slept_us);
	b->slept_us = monotonic_us();
	turn_us = b->slept_us - b->woke_us;
	lag_add(b, turn_us, turn_us);
	cost_look(b, turn_us);
	slot->turned_ms = b->slept_us / 1000;
	slot->connections = (uint32_t)conns_count(b->w.conns);
	slot->lag_us = (uint32_t)b->lag_us;
	lag_count(slot, turn_us);
	strain_take(b, turn_us, turn_us, b->slept_us);
	ev_timer_stop(loop, &b->next);
	if (next_ms < 0)
		return;
	ev_now_update(loop);
	ev_timer_set(&b->next, (double)next_ms / 1000, 0);
	ev_timer_start(loop, &b->next);
}

static void on_after(struct ev_loop *loop, struct ev_check *c, int events)
{
	struct body *b = c->data;

	(void)loop, (void)events;
	b->woke_us = monotonic_us();
	lag_add(b, 0, b->woke_us - b->slept_us);
	strain_take(b, 0, b->woke_us - b->slept_us, b->woke_us);
	timers_turn(b->w.timers);
	calls_wake(b->w.calls);
	bell_wake(&b->bell);
}

static void on_next(struct ev_loop *loop, struct ev_timer *t, int events)
{
	(void)loop, (void)t, (void)events; /* that the loop turns is enough */
}

static void read_wakes(int fd)
{
	uint64_t wakes;

	while (read(fd, &wakes, sizeof(wakes)) < 0 && errno == EINTR)
		;
}

static void on_wake(struct ev_loop *loop, struct ev_io *io, int events)
{
	(void)loop, (void)events;
	read_wakes(io->fd);
}

static void on_lanes(struct ev_loop *loop, struct ev_io *io, int events)
{
	(void)loop, (void)events;
	read_wakes(io->fd); /* they are collected when the next turn begins */
}

static void lanes_collect(struct worker *w)
{
	lane_collect(w->journal);
	lane_collect(w->files);
	lane_collect(w->index);
	lane_collect(w->slow);
	lane_collect(w->sync);
}

static void lanes_wake(struct worker *w)
{
	lane_wake(w->journal);
	lane_wake(w->files);
	lane_wake(w->index);
	lane_wake(w->slow);
	lane_wake(w->sync);
}

static void on_second(void *user)
{
	struct body *b = user;
	struct worker *w = &b->w;
	struct slot *slot = own_slot(b);
	struct lane *lanes[] = { w->journal, w->files, w->index, w->slow };

	for (unsigned i = 0; i < 4; i++)
		slot->lane_depth[i] = (uint32_t)lane_depth(lanes[i]);
	timer_start(w->timers, &b->second, SECOND_MS, on_second, b);
}

static void turn(struct body *b)
{
	struct worker *w = &b->w;
	bool busy;

	if (bell_heard(&b->bell))
		lanes_collect(w);
	timers_turn(w->timers);
	timers_run(w->timers);
	calls_turn(w->calls);
	lanes_wake(w); /* somebody waits for these, and nobody for chores */
	chores_run(w->chores, b->woke_us);
	if (b->stop_number && !w->sessions) {
		log_info("core", NULL, "no session is left slot=%u", w->slot);
		worker_tell(b, &ORDER(ORDER_DONE, .number = b->stop_number));
		b->stop_number = 0;
	}
	lanes_wake(w);
	busy = b->ended || chores_wait(w->chores) || timers_next_ms(w->timers) == 0 || !bell_sleep(&b->bell) ||
	       !calls_sleep(w->calls);
	ev_run(w->loop, busy ? EVRUN_NOWAIT : EVRUN_ONCE);
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

void worker_leave(struct body *b, int status)
{
	b->ended = true;
	b->status = status;
}

static void over_limit(void *user)
{
	struct body *b = user;
	unsigned sessions = 0;

	for (struct session *s = b->w.sessions; s; s = s->next)
		sessions++;
	log_warn("core", NULL, "stop takes too long, ends now slot=%u sessions=%u", b->w.slot, sessions);
	_exit(0); /* as after a crash: the journal has everything that was promised */
}

void worker_stop_sessions(struct body *b, uint64_t number)
{
	struct session *s, *next;

	b->stop_number = number;
	if (b->w.stopping)
		return;
	b->w.stopping = true;
	own_slot(b)->state = SLOT_STOPPING;
	timer_start(b->w.timers, &b->limit, STOP_MS, over_limit, b);
	accepts_free(b->accepts);
	b->accepts = NULL;
	for (s = b->w.sessions; s; s = next) {
		next = s->next;
		s->farewell(s, "the server stops");
	}
}

static void settled(struct worker *w)
{
	worker_leave((struct body *)w, 0);
}

void worker_settle(struct body *b)
{
	house.worker_stop(&b->w, settled);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void watch(struct body *b)
{
	struct worker *w = &b->w;

	ev_prepare_init(&b->before, on_before);
	b->before.data = b;
	ev_set_priority(&b->before, EV_MINPRI);
	ev_prepare_start(w->loop, &b->before);
	ev_check_init(&b->after, on_after);
	b->after.data = b;
	ev_set_priority(&b->after, EV_MAXPRI);
	ev_check_start(w->loop, &b->after);
	ev_timer_init(&b->next, on_next, 0, 0);
	ev_io_init(&b->wake, on_wake, shm_wake_fd(w->shm, w->slot), EV_READ);
	ev_io_start(w->loop, &b->wake);
	ev_io_init(&b->lanes, on_lanes, b->lanes_fd, EV_READ);
	ev_io_start(w->loop, &b->lanes);
}

static void body_begin(struct body *b, const struct birth *birth)
{
	struct worker *w = &b->w;

	*b = (struct body){ .birth = birth, .log_fd = birth->log_fd, .clock_ms = birth->clock_ms };
	w->shm = birth->shm;
	w->slot = birth->slot;
	w->workers = shm_workers(birth->shm);
	w->conf = conf_ref(birth->conf);
	w->tls = birth->tls ? tls_ref(birth->tls) : NULL;
	w->directory = birth->directory;
	counter_use(shm_counters(w->shm, w->slot));
	if (!(w->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV)) ||
		(b->lanes_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0) {
		err_errno("make an event loop");
		abort();
	}
	w->timers = timers_new();
	timers_shift(w->timers, birth->clock_ms);
	w->chores = chores_new();
	w->journal = lane_new("journal", b->lanes_fd);
	w->files = lane_new("files", b->lanes_fd);
	w->index = lane_new("index", b->lanes_fd);
	w->slow = lane_new("slow", b->lanes_fd);
	w->sync = lane_new("sync", b->lanes_fd);
	lane_bell(w->journal, &b->bell);
	lane_bell(w->files, &b->bell);
	lane_bell(w->index, &b->bell);
	lane_bell(w->slow, &b->bell);
	lane_bell(w->sync, &b->bell);
	w->calls = calls_new(w);
	watch(b); /* before conns: of the same priority, and libev runs first what was started last */
	w->conns = conns_new(w);
	w->limits = limits_new();
	b->accepts = accepts_new(w);
	b->slept_us = b->woke_us = monotonic_us();
	worker_orders_begin(b);
	on_second(b);
}

static void body_end(struct body *b)
{
	struct worker *w = &b->w;

	accepts_free(b->accepts);
	worker_orders_end(b);
	limits_free(w->limits);
	conns_free(w->conns);
	calls_free(w->calls);
	lane_free(w->journal);
	lane_free(w->files);
	lane_free(w->index);
	lane_free(w->slow);
	lane_free(w->sync);
	chores_free(w->chores);
	timers_free(w->timers);
	ev_loop_destroy(w->loop);
	close(b->lanes_fd);
	tls_unref(w->tls);
	conf_unref(w->conf);
}

int worker_run(const struct birth *birth)
{
	const struct listeners *listeners = birth->listeners;
	struct body *b = mem_new(struct body);
	int status;

	raise_file_limit();
	bus_guard();
	mem_keep();
	body_begin(b, birth);
	if (house.worker_start(&b->w)) {
		log_error("core", NULL, "the store cannot be opened slot=%u", birth->slot);
		worker_leave(b, 1);
	} else {
		own_slot(b)->state = SLOT_SERVING;
		for (size_t i = 0; i < listeners->count; i++)
			accepts_add(b->accepts, listeners->items[i].service, listeners->items[i].address,
				listeners->items[i].fd);
		worker_tell(b, &ORDER(ORDER_SERVING));
		log_info("core", NULL, "serves slot=%u pid=%d", birth->slot, (int)getpid());
	}
	b->used_us = cpu_us();
	while (!b->ended)
		turn(b);
	own_slot(b)->state = SLOT_EMPTY;
	status = b->status;
	if (!b->w.sessions) { /* else lanes may still ring the bell until the process ends */
		body_end(b);
		free(b);
	}
	return status;
}
