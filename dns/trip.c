/* trip.c - see trip.h. The only file that knows c-ares.
 * A channel of c-ares is made for each trip, with one server and one try: which server comes next, how long to wait and
 * whether an error is worth another try is decided above. Told all its options it reads no file but /dev/urandom. What
 * its 1.18 does that one must know:
 *   - it may call back from inside ares_send, and must not be destroyed by that: here a call back only takes notes;
 *   - replies by UDP of more than 512 octets are taken for cut unless ARES_FLAG_EDNS is set, which is why it is. Then a
 *     FORMERR without OPT makes it send once more without the last 11 octets, which are our OPT, and drop EDNS from the
 *     channel: for this trip, as it should be, since the channel is ours alone;
 *   - without ARES_FLAG_NOCHECKRESP it would keep SERVFAIL, NOTIMP and REFUSED to itself;
 *   - its own clock cannot be moved: its timeout is out of reach, and ours cancels. */
#include "dns/trip.h"
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "dns/message.h"
#include <ares.h>
#include <assert.h>
#include <ev.h>
#include <stdlib.h>

#define SOCKETS_MAX     4       /* of a trip: UDP, then TCP */
#define ARES_TIMEOUT_MS 3600000 /* ours is shorter */
#define LOOKUPS         "b"     /* no hosts file */

COUNTER(trips, "dns.queries", "DNS queries sent to resolvers");
COUNTER(trips_silent, "dns.timeouts", "DNS queries that were not answered in time");
COUNTER(trips_refused, "dns.refused", "DNS queries for which no resolver was there");

struct dns_trip {
	struct worker *worker;
	ares_channel channel;
	struct ev_io sockets[SOCKETS_MAX];
	struct timer limit;
	dns_trip_done *done;
	void *user;
	bool ended; /* c-ares called back: */
	enum dns_trip_end end;
	char *reply; /* ours */
	size_t len;
};

/* Runs done unless the trip goes on; what called this looks at the trip no more. */
static void tell(struct dns_trip *t)
{
	if (!t->ended)
		return;
	timer_stop(t->worker->timers, &t->limit);
	counter_add(&trips_refused, t->end == DNS_TRIP_REFUSED);
	t->done(t->user, t->end, (struct str){ t->reply, t->len });
}

static void called_back(void *user, int status, int timeouts, unsigned char *bytes, int len)
{
	struct dns_trip *t = user;

	(void)timeouts;
	if (t->ended) /* being freed */
		return;
	t->ended = true;
	t->end = status == ARES_SUCCESS ? DNS_TRIP_REPLY : DNS_TRIP_REFUSED;
	if (status != ARES_SUCCESS)
		return;
	t->reply = mem_copy(bytes, (size_t)len);
	t->len = (size_t)len;
}

static void on_ready(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct dns_trip *t = io->data;

	(void)loop;
	ares_process_fd(
		t->channel, events & EV_READ ? io->fd : ARES_SOCKET_BAD, events & EV_WRITE ? io->fd : ARES_SOCKET_BAD);
	tell(t);
}

/* The one that watches fd; else a free one. */
static struct ev_io *watcher(struct dns_trip *t, int fd)
{
	struct ev_io *free_one = NULL;

	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		if (ev_is_active(&t->sockets[i]) && t->sockets[i].fd == fd)
			return &t->sockets[i];
		if (!ev_is_active(&t->sockets[i]))
			free_one = &t->sockets[i];
	}
	return free_one;
}

/* c-ares tells of a socket: what it waits for there, or by nothing that it closes it. */
static void on_socket(void *user, ares_socket_t fd, int readable, int writable)
{
	struct dns_trip *t = user;
	struct ev_io *io = watcher(t, fd);

	assert(io);
	ev_io_stop(t->worker->loop, io);
	if (!readable && !writable)
		return;
	ev_io_init(io, on_ready, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	io->data = t;
	ev_io_start(t->worker->loop, io);
}

static void over(void *user)
{
	struct dns_trip *t = user;

	if (!t->ended) {
		t->ended = true;
		t->end = DNS_TRIP_SILENT;
		counter_add(&trips_silent, 1);
	}
	tell(t);
}

static bool channel_open(struct dns_trip *t, const struct sockaddr_storage *server, bool tcp)
{
	struct ares_options options = {
		.flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
		         (tcp ? ARES_FLAG_USEVC : 0),
		.timeout = ARES_TIMEOUT_MS,
		.tries = 1,
		.ndots = 1,
		.lookups = (char[]){ LOOKUPS },
		.ednspsz = DNS_UDP_MAX,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = t,
	};
	int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_LOOKUPS |
	            ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB | ARES_OPT_SERVERS | ARES_OPT_DOMAINS |
	            ARES_OPT_SORTLIST | ARES_OPT_NOROTATE;
	struct in_addr nobody = { 0 };
	struct ares_addr_port_node node = { .family = server->ss_family };
	int port, status;

	if (server->ss_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)server;

		memcpy(&node.addr.addr6, &six->sin6_addr, sizeof(node.addr.addr6));
		port = ntohs(six->sin6_port);
	} else {
		node.addr.addr4 = ((const struct sockaddr_in *)server)->sin_addr;
		port = ntohs(((const struct sockaddr_in *)server)->sin_port);
	}
	node.udp_port = node.tcp_port = port;
	options.servers = &nobody; /* one must be given or a file is read; it is replaced at once */
	options.nservers = 1;
	status = ares_init_options(&t->channel, &options, given);
	if (!status)
		status = ares_set_servers_ports(t->channel, &node);
	if (status)
		log_error("dns", NULL, "c-ares: %s", ares_strerror(status));
	return !status;
}

struct dns_trip *dns_trip_new(struct worker *w, const struct sockaddr_storage *server, bool tcp, struct str query,
	int64_t timeout_ms, dns_trip_done *done, void *user)
{
	struct dns_trip *t = mem_new(struct dns_trip);

	t->worker = w;
	t->done = done;
	t->user = user;
	counter_add(&trips, 1);
	if (channel_open(t, server, tcp)) {
		ares_send(t->channel, (const unsigned char *)query.p, (int)query.len, called_back, t);
	} else {
		t->ended = true;
		t->end = DNS_TRIP_REFUSED;
	}
	timer_start(w->timers, &t->limit, t->ended ? 0 : timeout_ms, over, t);
	return t;
}

void dns_trip_free(struct dns_trip *t)
{
	if (!t)
		return;
	t->ended = true;
	timer_stop(t->worker->timers, &t->limit);
	if (t->channel)
		ares_destroy(t->channel);
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		ev_io_stop(t->worker->loop, &t->sockets[i]);
	free(t->reply);
	free(t);
}

void dns_trips_begin(void)
{
	if (ares_library_init(ARES_LIB_INIT_ALL))
		abort(); /* cannot be, but for want of memory */
}

void dns_trips_end(void)
{
	ares_library_cleanup();
}
