/* children.c - the master's workers: forked, watched, buried, started again.
 * Life after life, in this order: waitpid - the generation raised - all others woken - the back-off - fork. A record
 * for or from the dead life can so be told from the next one's. */
#include "core/counter.h"
#include "core/house.h"
#include "core/log.h"
#include "core/master_inside.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STALE_LOOKS   10    /* seconds without a turn of the loop before a worker is ended */
#define STALE_KILL    13    /* and before SIGKILL, if SIGABRT did not do */
#define START_MS      60000 /* until a new worker must serve */
#define EARLY_MS      3000  /* one who lived longer is started again at once */
#define RECOVER_TRIES 5     /* the store's settling may be killed so often by what it finds; it sets that aside */

static const int64_t back_off_ms[] = { 0, 1000, 2000, 4000, 8000, 16000, 30000 };

#define BACK_OFFS (sizeof(back_off_ms) / sizeof(*back_off_ms))

static const char *type_name(uint32_t running)
{
	uint32_t place = 0;

	for (const struct call_type *const *table = house.calls; *table; table++)
		for (const struct call_type *type = *table; type->name; type++)
			if (++place == running)
				return type->name;
	return "-";
}

/* --- birth ------------------------------------------------------------------------------------------------------- */

static void signals_as_at_birth(void)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE };
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN); /* a terminal's ^C goes to all of us; the master says what to do */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

bool child_fork(struct master *m, pid_t *pid)
{
	pid_t parent = getpid();

	*pid = fork();
	if (*pid < 0)
		err_errno("fork");
	if (*pid)
		return false;
	signals_as_at_birth();
	close(m->signals);
	close_if_open(m->successor_talk);
	close_if_open(m->predecessor_talk);
	for (unsigned i = 0; i < m->workers; i++)
		close_if_open(m->children[i].orders); /* or they would not see the master's end */
	if (owner_become(&m->owner))
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the change of user, which would undo it */
	if (getppid() != parent)
		_exit(1);
	return true;
}

static void start_failed(struct master *m, unsigned slot)
{
	m->children[slot].start_ms = master_now_ms() + 1000;
}

static void child_start(struct master *m, unsigned slot)
{
	struct slot *s = shm_slot(m->shm, slot);
	struct child *c = &m->children[slot];
	int ends[2];

	c->start_ms = 0;
	if (orders_pair(ends)) {
		start_failed(m, slot);
		return;
	}
	s->state = SLOT_STARTING;
	s->starts++;
	s->started_ms = (int64_t)time(NULL) * 1000 + m->clock_ms;
	s->turned_ms = 0;
	s->lag_max_us = 0;
	for (unsigned i = 0; i < LAGS; i++)
		s->lags_us[i] = 0;
	if (child_fork(m, &c->pid)) {
		struct birth birth = { .shm = m->shm,
			.slot = slot,
			.conf = m->conf,
			.tls = m->tls,
			.ticket_key = m->ticket_key,
			.listeners = &m->listeners,
			.directory = m->directory,
			.log_fd = m->log_fd,
			.orders = ends[1],
			.clock_ms = m->clock_ms };

		close(ends[0]);
		exit(worker_run(&birth));
	}
	close(ends[1]);
	if (c->pid < 0) {
		c->pid = 0;
		s->state = SLOT_EMPTY;
		close(ends[0]);
		start_failed(m, slot);
		return;
	}
	s->pid = c->pid;
	c->orders = ends[0];
	c->serving = c->ending = false;
	c->started_ms = master_now_ms();
	c->turned_ms = 0;
	c->stale = 0;
	c->owes = 0;
}

void children_start_due(struct master *m)
{
	int64_t now_ms = master_now_ms();

	for (unsigned i = 0; i < m->workers; i++)
		if (m->children[i].start_ms && m->children[i].start_ms <= now_ms)
			child_start(m, i);
}

/* --- death ------------------------------------------------------------------------------------------------------- */

static void log_death(const struct master *m, unsigned slot, int status)
{
	const struct child *c = &m->children[slot];
	const char *running = type_name(shm_slot(m->shm, slot)->running);

	if (WIFSIGNALED(status))
		log_error("core", NULL, "worker died slot=%u pid=%d signal=%d running=%s", slot, (int)c->pid,
			WTERMSIG(status), running);
	else if (WEXITSTATUS(status) || !c->ending)
		log_error(
			"core", NULL, "worker ended slot=%u pid=%d status=%d", slot, (int)c->pid, WEXITSTATUS(status));
	else
		log_info("core", NULL, "worker stopped slot=%u pid=%d", slot, (int)c->pid);
}

static void slot_clear(struct slot *s)
{
	s->state = SLOT_EMPTY;
	s->pid = 0;
	s->running = 0;
	s->connections = 0;
	s->lag_us = 0;
	s->overload = 0;
	for (unsigned i = 0; i < 4; i++)
		s->lane_depth[i] = 0;
}

static void child_died(struct master *m, unsigned slot, int status)
{
	struct child *c = &m->children[slot];
	int64_t now_ms = master_now_ms();
	bool served = c->serving;

	log_death(m, slot, status);
	close_if_open(c->orders);
	slot_clear(shm_slot(m->shm, slot));
	atomic_fetch_add(&shm_slot(m->shm, slot)->generation, 1);
	for (unsigned i = 0; i < m->workers; i++)
		shm_wake(m->shm, i);
	if (now_ms - c->started_ms > EARLY_MS)
		c->early = 0;
	*c = (struct child){ .orders = -1, .early = c->early };
	if (m->state == STARTING && !served && WIFEXITED(status)) {
		log_error("core", NULL, "a worker cannot start, so the server does not");
		m->status = 1;
		master_state(m, STOPPING);
	}
	if (m->state == STARTING || m->state == SERVING) {
		c->start_ms = now_ms + back_off_ms[c->early < BACK_OFFS ? c->early : BACK_OFFS - 1];
		c->early++;
	}
}

void children_bury(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (handover_buried(m, pid, status))
			continue;
		for (unsigned i = 0; i < m->workers; i++)
			if (m->children[i].pid == pid)
				child_died(m, i, status);
	}
}

void child_kill(struct master *m, unsigned slot, int signal)
{
	if (m->children[slot].pid)
		kill(m->children[slot].pid, signal);
}

/* --- watching ---------------------------------------------------------------------------------------------------- */

/* By the worker's own count of turns and ours of looks: neither clocks nor a stop of all of us by a debugger matter. */
static void look(struct master *m, unsigned slot)
{
	struct child *c = &m->children[slot];
	const struct slot *s = shm_slot(m->shm, slot);
	int64_t turned_ms = s->turned_ms;

	if (!c->pid)
		return;
	if (!c->serving && !c->ending && master_now_ms() - c->started_ms > START_MS) {
		log_error("core", NULL, "worker does not come to serve, killed slot=%u pid=%d", slot, (int)c->pid);
		child_kill(m, slot, SIGKILL);
	}
	if (!c->serving || turned_ms != c->turned_ms) {
		c->turned_ms = turned_ms;
		c->stale = 0;
		return;
	}
	c->stale++;
	if (c->stale == STALE_LOOKS) {
		log_error("core", NULL, "worker stands still, ended slot=%u pid=%d running=%s", slot, (int)c->pid,
			type_name(s->running));
		child_kill(m, slot, SIGABRT);
	} else if (c->stale >= STALE_KILL) {
		child_kill(m, slot, SIGKILL);
	}
}

void children_look(struct master *m)
{
	for (unsigned i = 0; i < m->workers; i++)
		look(m, i);
}

/* --- orders ------------------------------------------------------------------------------------------------------ */

void children_order(struct master *m, const struct order *o)
{
	for (unsigned i = 0; i < m->workers; i++) {
		struct child *c = &m->children[i];

		if (c->orders < 0)
			continue;
		if (o->number)
			c->owes = o->number;
		if (o->kind == ORDER_END)
			c->ending = true;
		if (!order_send(c->orders, o)) {
			log_error("core", NULL, "worker takes no orders, killed slot=%u pid=%d", i, (int)c->pid);
			child_kill(m, i, SIGKILL); /* its next life inherits what this one was to be told */
		}
	}
}

bool children_all_done(const struct master *m)
{
	for (unsigned i = 0; i < m->workers; i++)
		if (m->children[i].owes)
			return false;
	return true;
}

bool children_any(const struct master *m)
{
	for (unsigned i = 0; i < m->workers; i++)
		if (m->children[i].pid)
			return true;
	return false;
}

bool children_all_serving(const struct master *m)
{
	for (unsigned i = 0; i < m->workers; i++)
		if (!m->children[i].serving)
			return false;
	return true;
}

/* --- recovery ---------------------------------------------------------------------------------------------------- */

/* A process of its own: what lies in the journals may be anything, and the master must not die of it. */
enum err children_recover(struct master *m)
{
	for (unsigned tries = 1; tries <= RECOVER_TRIES; tries++) {
		int status = 0;
		pid_t pid;

		if (child_fork(m, &pid))
			exit(house.store_recover(m->conf, m->directory) ? 1 : 0);
		if (pid < 0)
			return ERR_AGAIN;
		while (waitpid(pid, &status, WNOHANG) == 0)
			if (master_told_to_end(m, 1000)) {
				kill(pid, SIGKILL);
				waitpid(pid, &status, 0);
				return ERR_AGAIN;
			}
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			return OK;
		log_error("core", NULL, "settling the store %s try=%u", WIFEXITED(status) ? "failed" : "died", tries);
		if (WIFEXITED(status))
			return ERR_AGAIN;
	}
	return ERR_NEVER;
}
