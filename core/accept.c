/* accept.c - see accept.h. */
#include "core/accept.h"
#include "core/conn.h"
#include "core/core_settings.h"
#include "core/counter.h"
#include "core/limit.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/proxied.h"
#include "core/worker.h"
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define BATCH        4     /* accepted per wake-up of a listener, at most */
#define BATCH_RESTED 16    /* and after a rest, when the others may be worse off than we */
#define REST_MS      20    /* left to the others */
#define NO_ROOM_MS   100   /* out of descriptors: until it is tried again */
#define LOG_MS       10000 /* and until it is logged again */
#define KEPT_SHARE   4     /* of the descriptors one in so many is for files and connections of our own */
#define SHARE_MORE   2     /* connections above an eighth more than the average that are still a fair share */
#define LAG_US       20000 /* a loop that lags so much, and twice as much as the best, rests */

COUNTER(connections_accepted, "connections.accepted", "connections taken in");
COUNTER(connections_rests, "connections.rests", "times that new connections were left to other workers");

struct door {
	struct ev_io io; /* first: libev gives us its address */
	struct door *next;
	struct accepts *accepts;
	const struct service *service;
	char *address;
	struct networks balancers; /* as the role's configuration has them */
};

struct accepts {
	struct worker *w;
	struct conf *conf; /* the doors' balancers are from this one; ours */
	struct proxied_list *proxied;
	struct door *doors;
	struct timer rest;
	bool rested; /* the next wake-up takes what there is */
	int64_t logged_ms;
	int most;  /* descriptors for what comes are below this */
	bool near; /* one came close to it: it is looked before others are taken */
};

static void rest_over(void *user)
{
	struct accepts *a = user;

	a->rested = true;
	for (struct door *d = a->doors; d; d = d->next)
		ev_io_start(a->w->loop, &d->io);
}

static void rest(struct accepts *a, int64_t ms)
{
	for (struct door *d = a->doors; d; d = d->next)
		ev_io_stop(a->w->loop, &d->io);
	timer_start(a->w->timers, &a->rest, ms, rest_over, a);
}

/* Whether another worker would serve a new connection better. */
static bool others_first(const struct worker *w)
{
	uint32_t lag = shm_slot(w->shm, w->slot)->lag_us, least = UINT32_MAX;
	uint64_t mine = conns_count(w->conns), sum = 0, serving = 0;

	for (unsigned i = 0; i < w->workers; i++) {
		const struct slot *slot = shm_slot(w->shm, i);

		if (slot->state != SLOT_SERVING)
			continue;
		serving++;
		sum += i == w->slot ? mine : slot->connections; /* its slot tells ours when the turn is over */
		if (i != w->slot && slot->lag_us < least)
			least = slot->lag_us;
	}
	if (serving < 2)
		return false;
	return mine > sum / serving + sum / serving / 8 + SHARE_MORE || (lag > LAG_US && least < lag / 2);
}

/* Descriptors are given from below: the next one tells how many there are. A client that waits to be taken in is better
 * off than one whose mailbox cannot be opened. */
static bool has_room(struct accepts *a, int door)
{
	int next;

	if (!a->near)
		return true;
	next = fcntl(door, F_DUPFD_CLOEXEC, 0);
	if (next >= 0)
		close(next);
	errno = EMFILE;
	a->near = next < 0 || next >= a->most / 2;
	return next >= 0 && next < a->most;
}

static void no_room(struct accepts *a, const struct door *d)
{
	int64_t now_ms = timers_now_ms(a->w->timers);

	if (!a->logged_ms || now_ms - a->logged_ms > LOG_MS) {
		err_errno("accept role=%s address=%s", d->service->role, d->address);
		a->logged_ms = now_ms;
	}
	rest(a, NO_ROOM_MS);
}

/* --- one that came ----------------------------------------------------------------------------------------------- */

/* What has come is read first: a socket closed over unread bytes resets, and the refusal might be lost. */
static void refuse(struct worker *w, const struct service *service, int fd, const char *why)
{
	struct buf words = { 0 };
	char scrap[4096];

	if (service->refuse && !service->tls && recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT)) {
		service->refuse(w, why, &words);
		if (send(fd, buf_data(&words), buf_len(&words), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
			shutdown(fd, SHUT_WR);
		buf_free(&words);
	}
	close(fd);
}

static void welcome(struct worker *w, const struct service *service, int fd, const struct ip *peer)
{
	const char *why = limit_connect(w, service, peer);

	if (!why && service->put_off)
		why = service->put_off(w, peer);
	if (why)
		refuse(w, service, fd, why);
	else
		service->open(w, service, fd);
}

static void on_proxied(struct worker *w, const struct service *service, int fd, const struct ip *balancer,
	const struct proxy_header *h)
{
	struct ip peer = *balancer;

	if (h->told)
		ip_of(&h->peer, &peer);
	conns_introduce(w->conns, h->told ? h : NULL);
	welcome(w, service, fd, &peer);
	conns_introduce(w->conns, NULL);
}

static void read_balancers(struct worker *w, struct door *d)
{
	const struct listen_conf *listen = w->conf ? conf_find(w->conf, &listen_settings, d->service->role) : NULL;

	networks_free(&d->balancers);
	if (listen)
		networks_read(&d->balancers, &listen->proxy);
}

/* After a reload the balancers may be others. */
static void follow_conf(struct accepts *a)
{
	if (a->conf == a->w->conf)
		return;
	conf_unref(a->conf);
	a->conf = conf_ref(a->w->conf);
	for (struct door *d = a->doors; d; d = d->next)
		read_balancers(a->w, d);
}

static void came(struct door *d, int fd, const struct sockaddr_storage *from)
{
	struct worker *w = d->accepts->w;
	struct ip peer;
	int on = 1;

	counter_add(&connections_accepted, 1);
	if (d->service->local || !ip_of(from, &peer)) {
		d->service->open(w, d->service, fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (networks_have(&d->balancers, &peer))
		proxied_add(d->accepts->proxied, d->service, fd, &peer);
	else
		welcome(w, d->service, fd, &peer);
}

static void on_ready(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct door *d = (struct door *)io;
	struct accepts *a = d->accepts;
	struct worker *w = a->w;
	int batch = a->rested ? BATCH_RESTED : BATCH;
	bool rested = a->rested;

	(void)loop, (void)events;
	a->rested = false;
	follow_conf(a);
	while (batch-- > 0) {
		struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
		socklen_t len = sizeof(from);
		int fd;

		if (!has_room(a, io->fd)) {
			no_room(a, d);
			break;
		}
		if (!rested && others_first(w)) {
			counter_add(&connections_rests, 1);
			rest(a, REST_MS);
			break;
		}
		fd = accept4(io->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
				no_room(a, d);
			if (errno != EINTR && errno != ECONNABORTED)
				break;
			continue;
		}
		a->near = a->near || fd >= a->most / 2;
		came(d, fd, &from);
	}
}

static int descriptors_most(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > INT_MAX)
		return INT_MAX;
	return (int)(limit.rlim_cur - limit.rlim_cur / KEPT_SHARE);
}

struct accepts *accepts_new(struct worker *w)
{
	struct accepts *a = mem_new(struct accepts);

	a->w = w;
	a->most = descriptors_most();
	a->conf = w->conf ? conf_ref(w->conf) : NULL;
	a->proxied = proxied_new(w, on_proxied);
	return a;
}

void accepts_add(struct accepts *a, const struct service *service, const char *address, int fd)
{
	struct door *d = mem_new(struct door);

	d->accepts = a;
	d->service = service;
	d->address = str_dup(str_of(address));
	d->next = a->doors;
	a->doors = d;
	follow_conf(a);
	read_balancers(a->w, d);
	ev_io_init(&d->io, on_ready, fd, EV_READ);
	if (!timer_runs(&a->rest))
		ev_io_start(a->w->loop, &d->io);
}

static void door_close(struct accepts *a, struct door **link)
{
	struct door *d = *link;

	*link = d->next;
	ev_io_stop(a->w->loop, &d->io);
	close(d->io.fd);
	networks_free(&d->balancers);
	free(d->address);
	free(d);
}

void accepts_drop(struct accepts *a, const struct service *service, const char *address)
{
	for (struct door **link = &a->doors; *link; link = &(*link)->next)
		if ((*link)->service == service && !strcmp((*link)->address, address)) {
			door_close(a, link);
			return;
		}
}

void accepts_free(struct accepts *a)
{
	if (!a)
		return;
	timer_stop(a->w->timers, &a->rest);
	while (a->doors)
		door_close(a, &a->doors);
	proxied_free(a->proxied);
	conf_unref(a->conf);
	free(a);
}
