/* master.c - see master.h. */
#include "core/master.h"
#include "core/core_settings.h"
#include "core/counter.h"
#include "core/house.h"
#include "core/log.h"
#include "core/master_inside.h"
#include "core/mem.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 1000  /* how often the workers are looked after */
#define STOP_MS 35000 /* from the order to stop until those who are still there are killed */
#define LOCK_MS 90000 /* a successor waits so long for its predecessor's store */
#define TRY_MS  20    /* and tries so often */

int64_t master_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void master_log_lines(enum level level, const char *what, struct str lines)
{
	while (lines.len) {
		ptrdiff_t end = str_find(lines, '\n');
		size_t len = end < 0 ? lines.len : (size_t)end;

		if (len)
			log_event(level, "core", NULL, "%s: " STR_FMT, what, (int)len, lines.p);
		lines = str_cut(lines, end < 0 ? len : len + 1, lines.len);
	}
}

/* sd_notify(3)'s protocol: a datagram to the socket that the service manager names. */
void manager_tell(const char *fmt, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char text[128];
	socklen_t len;
	va_list ap;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(sa.sun_path))
		return;
	memcpy(sa.sun_path, path, strlen(path));
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		sa.sun_path[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&sa, len) < 0)
		err_errno("tell the service manager");
	if (fd >= 0)
		close(fd);
}

/* --- signals ----------------------------------------------------------------------------------------------------- */

static enum err open_signals(struct master *m)
{
	static const int ours[] = { SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2 };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		sigaddset(&set, ours[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	m->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return m->signals < 0 ? err_errno("make a signalfd") : OK;
}

static int next_signal(struct master *m)
{
	struct signalfd_siginfo info;

	return read(m->signals, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

static void hear_signals(struct master *m)
{
	int signal;

	while ((signal = next_signal(m)))
		switch (signal) {
		case SIGCHLD:
			children_bury(m);
			break;
		case SIGHUP:
			change_ask(m, &(struct asked){ .kind = ORDER_ASK_RELOAD, .asker = NOBODY });
			break;
		case SIGUSR1:
			reload_log(m);
			break;
		case SIGUSR2:
			handover_begin(m);
			break;
		default:
			log_info("core", NULL, "told to stop signal=%d", signal);
			master_state(m, STOPPING);
		}
}

/* Before the loop there is nothing to reload or hand over: other signals are passed over. */
bool master_told_to_end(struct master *m, int wait_ms)
{
	struct pollfd p = { m->signals, POLLIN, 0 };
	int signal;

	poll(&p, 1, wait_ms);
	while ((signal = next_signal(m)))
		if (signal == SIGTERM || signal == SIGINT)
			return true;
	return false;
}

/* --- what workers say ---------------------------------------------------------------------------------------------- */

static void serves(struct master *m, unsigned slot)
{
	struct child *c = &m->children[slot];

	c->serving = true;
	if (m->state != STARTING || !children_all_serving(m))
		return;
	master_state(m, SERVING);
	log_info("core", NULL, "server is ready workers=%u pid=%d", m->workers, (int)getpid());
	manager_tell("READY=1\nMAINPID=%d", (int)getpid());
}

static void heard(struct master *m, unsigned slot, const struct order *o)
{
	struct child *c = &m->children[slot];
	struct asked asked = { o->kind, slot, shm_slot(m->shm, slot)->generation, o->number, o->value };

	switch (o->kind) {
	case ORDER_SERVING:
		serves(m, slot);
		break;
	case ORDER_DONE:
		if (c->owes == o->number)
			c->owes = 0;
		break;
	case ORDER_ASK_CLOCK:
	case ORDER_ASK_RELOAD:
		change_ask(m, &asked);
		break;
	case ORDER_ASK_STOP:
		log_info("core", NULL, "told to stop slot=%u", slot);
		order_send(c->orders, &ORDER(ORDER_TELL, .number = o->number));
		master_state(m, STOPPING);
		break;
	default:
		log_error("core", NULL, "a worker gives orders slot=%u kind=%d", slot, (int)o->kind);
	}
}

static void hear(struct master *m, unsigned slot)
{
	struct child *c = &m->children[slot];
	char bytes[ORDER_TEXT_MAX];
	enum order_came came;
	struct order o;

	while ((came = order_receive(c->orders, &o, bytes)) == ORDER_CAME) {
		if (o.fd >= 0)
			close(o.fd); /* nothing that a worker says needs one */
		heard(m, slot, &o);
	}
	if (came == ORDER_GONE) { /* it dies; SIGCHLD may take its time, if memory is written out */
		close(c->orders);
		c->orders = -1;
	}
}

/* --- the loop ---------------------------------------------------------------------------------------------------- */

void master_state(struct master *m, enum master_state state)
{
	if (state <= m->state)
		return;
	m->state = state;
	m->state_ms = master_now_ms();
	if (state == STOPPING) {
		if (!m->handed_over)
			manager_tell("STOPPING=1");
		for (unsigned i = 0; i < m->workers; i++)
			m->children[i].start_ms = 0;
		children_order(m, &ORDER(ORDER_STOP, .number = ++m->orders));
	} else if (state == ENDING) {
		children_order(m, &ORDER(ORDER_END));
	}
}

static void look(struct master *m)
{
	children_look(m);
	handover_look(m);
	renewal_look(m);
	if (m->state < STOPPING || master_now_ms() - m->state_ms < STOP_MS)
		return;
	for (unsigned i = 0; i < m->workers; i++)
		child_kill(m, i, SIGKILL);
}

static int wait_ms(const struct master *m, int64_t look_ms)
{
	int64_t now_ms = master_now_ms(), until_ms = look_ms;

	for (unsigned i = 0; i < m->workers; i++)
		if (m->children[i].start_ms && m->children[i].start_ms < until_ms)
			until_ms = m->children[i].start_ms;
	return until_ms > now_ms ? (int)(until_ms - now_ms) : 0;
}

static void await(struct master *m, int ms)
{
	struct pollfd fds[WORKERS_MAX + 2];
	unsigned count = 0;

	for (; count < m->workers; count++) /* poll passes over -1 */
		fds[count] = (struct pollfd){ m->children[count].orders, POLLIN, 0 };
	fds[count++] = (struct pollfd){ m->signals, POLLIN, 0 };
	fds[count++] = (struct pollfd){ m->successor_talk, POLLIN, 0 };
	if (poll(fds, count, ms) <= 0)
		return;
	for (unsigned i = 0; i < m->workers; i++)
		if (fds[i].revents)
			hear(m, i);
	if (fds[m->workers + 1].revents)
		handover_heard(m);
	if (fds[m->workers].revents)
		hear_signals(m);
}

static void loop(struct master *m)
{
	int64_t look_ms = master_now_ms() + LOOK_MS;

	while (m->state < ENDING || children_any(m)) {
		children_start_due(m);
		change_turn(m);
		if (m->state == STOPPING && children_all_done(m))
			master_state(m, ENDING);
		if (master_now_ms() >= look_ms) {
			look(m);
			look_ms = master_now_ms() + LOOK_MS;
		}
		if (m->state < ENDING || children_any(m))
			await(m, wait_ms(m, look_ms));
	}
}

/* --- the start --------------------------------------------------------------------------------------------------- */

static unsigned cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

static enum err read_configuration(struct master *m, struct buf *why)
{
	const struct log_conf *log;
	enum err e;
	int log_fd;

	if (!(m->conf = house.conf_read(m->conf_path, why)))
		return ERR_MISTAKE;
	log = conf_section(m->conf, &log_settings);
	log_set_levels(log->levels);
	if ((log_fd = reload_open_log(m->conf, why)) < 0)
		return ERR_AGAIN;
	m->log_fd = log_fd;
	if (getrandom(m->ticket_key, sizeof(m->ticket_key), 0) != sizeof(m->ticket_key))
		abort(); /* cannot be: so few bytes come whole */
	if ((e = owner_find(&m->owner, ((const struct core_conf *)conf_section(m->conf, &core_settings))->user, why)))
		return e;
	m->certs_tried = certs_stamp(m->conf);
	e = certs_read(&m->certs, m->conf, why);
	return e ? e : certs_tls(&m->certs, m->ticket_key, &m->tls, why);
}

/* With a predecessor the lock is its own until it has stopped: all that may fail is done before it is told to. */
static enum err enter(struct master *m, struct buf *why)
{
	const struct core_conf *core = conf_section(m->conf, &core_settings);
	struct listeners inherited = m->listeners;
	bool successor = m->predecessor_talk >= 0;
	int64_t until_ms;
	pid_t holder;
	enum err e;

	if ((m->directory = home_open(core->directory, &m->owner, why)) < 0)
		return ERR_AGAIN;
	if (successor) {
		if ((e = listen_plan(m->conf, m->directory, &m->owner, &inherited, &m->listeners, why)))
			return e;
		listen_close(&inherited, &m->listeners);
		if (!handover_ready(m))
			return ERR_AGAIN;
	}
	until_ms = master_now_ms() + LOCK_MS;
	while ((m->lock = home_lock(m->directory, &m->owner, &holder, why)) < 0) {
		if (!successor || !holder || master_now_ms() > until_ms || master_told_to_end(m, TRY_MS))
			return ERR_EXISTS;
		buf_clear(why);
	}
	if ((e = home_furnish(m->directory, &m->owner, why)))
		return e;
	return successor ? OK : listen_plan(m->conf, m->directory, &m->owner, &inherited, &m->listeners, why);
}

static void begin(struct master *m)
{
	const struct core_conf *core = conf_section(m->conf, &core_settings);

	m->workers = core->workers ? (unsigned)core->workers : cpus();
	if (m->workers > WORKERS_MAX)
		m->workers = WORKERS_MAX;
	m->shm = shm_new(m->workers, counter_count());
	for (unsigned i = 0; i < m->workers; i++) {
		shm_slot(m->shm, i)->generation = 1;
		m->children[i] = (struct child){ .orders = -1, .start_ms = master_now_ms() };
	}
}

static void end(struct master *m)
{
	if (m->lock >= 0 && !m->handed_over)
		listen_remove_local(&m->listeners, m->directory, &m->owner);
	listen_close(&m->listeners, &(struct listeners){ 0 });
	tls_unref(m->tls);
	certs_free(&m->certs);
	conf_unref(m->conf);
	free(m->program);
}

static enum err start(struct master *m)
{
	struct buf why = { 0 };
	enum err e;

	handover_inherit(m);
	e = read_configuration(m, &why);
	if (!e)
		e = enter(m, &why);
	if (e) {
		master_log_lines(LEVEL_ERROR, "cannot start", buf_str(&why));
	} else {
		log_to(m->log_fd);
		log_info("core", NULL, "starts pid=%d file=%s", (int)getpid(), m->conf_path);
		renewal_warn(m);
		e = children_recover(m);
	}
	buf_free(&why);
	return e;
}

int master_run(const char *conf_path, char **argv)
{
	struct master *m = mem_new(struct master);
	int status;

	*m = (struct master){ .conf_path = conf_path,
		.argv = argv,
		.directory = -1,
		.lock = -1,
		.log_fd = 2,
		.successor_talk = -1,
		.predecessor_talk = -1 };
	m->program = realpath("/proc/self/exe", NULL);
	if (open_signals(m) || start(m)) {
		m->status = 1;
	} else {
		begin(m);
		loop(m);
		log_info("core", NULL, "server has stopped pid=%d", (int)getpid());
	}
	status = m->status;
	end(m);
	free(m);
	return status;
}
