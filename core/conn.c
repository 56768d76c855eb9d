/* conn.c - see conn.h; how it works stands in conn_inside.h. Here is what users call. */
#include "core/conn_inside.h"
#include "core/counter.h"
#include "core/mem.h"
#include "core/proxy.h"
#include "core/tls.h"
#include "core/worker.h"
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HANDSHAKE_MS 60000 /* for the whole of it */
#define CLOSE_MS     10000 /* for what waits when conn_close is called, and the peer's end after ours */

COUNTER(conns_opened, "conn.opened", "connections taken in charge");

struct timers *conn_timers(const struct conn *c)
{
	return c->conns->worker->timers;
}

int64_t conn_now_ms(const struct conn *c)
{
	return timers_now_ms(conn_timers(c));
}

void conn_make_dirty(struct conn *c)
{
	if (!c->dirty.le_prev)
		LIST_INSERT_HEAD(&c->conns->dirty, c, dirty);
}

void conn_make_due(struct conn *c)
{
	struct conns *cs = c->conns;

	if (!c->due.le_prev)
		LIST_INSERT_HEAD(&cs->due, c, due);
	if (!ev_is_active(&cs->next_turn))
		ev_idle_start(cs->worker->loop, &cs->next_turn);
}

void conn_halt(struct conn *c)
{
	ev_io_stop(c->conns->worker->loop, &c->io);
	conn_not_later(c);
	timer_stop(conn_timers(c), &c->timer);
	if (c->dirty.le_prev)
		LIST_REMOVE(c, dirty);
	if (c->due.le_prev)
		LIST_REMOVE(c, due);
	c->dirty.le_prev = c->due.le_prev = NULL;
}

void conn_end(struct conn *c, enum conn_end why, const char *reason)
{
	assert(!c->ended);
	conn_halt(c);
	c->ended = true;
	c->why = c->deaf ? CONN_BROKEN : why;
	if (!c->deaf)
		c->reason = reason;
	buf_free(&c->out);
	conn_make_due(c);
}

int64_t conn_due_ms(const struct conn *c)
{
	if (c->limit_ms)
		return c->limit_ms;
	return c->idle_ms && (!c->resting || c->full) ? c->active_ms + c->idle_ms : -1;
}

void conn_arm(struct conn *c)
{
	int64_t due = conn_due_ms(c);

	if (c->quiet_at_ms && (due < 0 || c->quiet_at_ms < due))
		due = c->quiet_at_ms;

	if (!c->ended && due >= 0 && (!timer_runs(&c->timer) || c->timer.at_ms > due))
		timer_start(conn_timers(c), &c->timer, due - conn_now_ms(c), conn_on_timer, c);
}

/* Who is at the other end. */

/* Writes the address as text; true: it is this machine's own. */
static bool describe(const struct sockaddr_storage *a, char text[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
	struct in_addr address;

	switch (a->ss_family) {
	case AF_UNIX:
		snprintf(text, INET6_ADDRSTRLEN, "local");
		return true;
	case AF_INET:
		address = v4->sin_addr;
		break;
	case AF_INET6:
		if (!IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
			inet_ntop(AF_INET6, &v6->sin6_addr, text, INET6_ADDRSTRLEN);
			return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
		}
		memcpy(&address, &v6->sin6_addr.s6_addr[12], sizeof(address));
		break;
	default:
		snprintf(text, INET6_ADDRSTRLEN, "unknown");
		return false;
	}
	inet_ntop(AF_INET, &address, text, INET6_ADDRSTRLEN);
	return ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
}

void conn_note_addresses(struct conn *c)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNSPEC }, here = { .ss_family = AF_UNSPEC };
	socklen_t peer_len = sizeof(peer), here_len = sizeof(here);
	char peer_text[INET6_ADDRSTRLEN], here_text[INET6_ADDRSTRLEN];
	int on = 1;

	if (getpeername(c->io.fd, (struct sockaddr *)&peer, &peer_len) < 0)
		peer.ss_family = AF_UNSPEC; /* it has gone already, as reading will tell */
	if (getsockname(c->io.fd, (struct sockaddr *)&here, &here_len) < 0)
		here.ss_family = AF_UNSPEC;
	if (c->conns->introduced) {
		peer = c->conns->introduced->peer;
		here = c->conns->introduced->here;
	}
	c->loopback = describe(&peer, peer_text) && !c->conns->introduced; /* another machine's loopback is not ours */
	describe(&here, here_text);
	conn_name(c, conn_id(c), peer_text, here_text);
	if (here.ss_family != AF_UNIX) /* we flush once per turn and have nothing more to say then */
		setsockopt(c->io.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void conn_name(struct conn *c, const char *id, const char *peer, const char *here)
{
	struct buf names = { 0 };
	char *old = c->names;

	buf_add(&names, id, strlen(id) + 1);
	buf_add(&names, peer, strlen(peer) + 1);
	buf_add(&names, here, strlen(here) + 1);
	c->names = mem_copy(buf_data(&names), buf_len(&names));
	buf_free(&names);
	free(old);
}

struct conn *conn_make(struct worker *w, const struct conn_events *events, void *user)
{
	char id[CONN_ID_BYTES];
	struct conns *cs = w->conns;
	struct conn *c = slab_alloc(&cs->slab);

	c->conns = cs;
	c->events = events;
	c->user = user;
	c->active_ms = timers_now_ms(w->timers);
	c->read_on = EV_READ;
	c->write_on = EV_WRITE;
	snprintf(id, sizeof(id), "%u-%llx", w->slot, (unsigned long long)++cs->number);
	conn_name(c, id, "", "");
	cs->count++;
	counter_add(&conns_opened, 1);
	return c;
}

struct conn *conn_new(struct worker *w, int fd, const struct conn_events *events, void *user)
{
	struct conn *c = conn_make(w, events, user);

	ev_io_init(&c->io, conn_on_io, fd, EV_READ);
	c->io.data = c;
	ev_io_start(w->loop, &c->io);
	conn_note_addresses(c);
	return c;
}

void conn_careful(struct conn *c, bool careful)
{
	c->careful = careful;
}

void conn_unpeek(struct conn *c)
{
	while (c->peeked) {
		ssize_t n = recv(c->io.fd, NULL, c->peeked, MSG_TRUNC | MSG_DONTWAIT);

		if (n <= 0 && errno != EINTR)
			c->peeked = 0; /* it was reset meanwhile */
		else if (n > 0)
			c->peeked -= (uint32_t)n;
	}
}

void conn_free(struct conn *c)
{
	if (!c)
		return;
	conn_halt(c);
	conn_unpeek(c);
	if (c->leaving.le_prev)
		LIST_REMOVE(c, leaving);
	if (c->conns->telling == c)
		c->conns->telling = NULL;
	buf_free(&c->in);
	buf_free(&c->out);
	tls_free(c->ssl);
	free(c->cipher);
	free(c->client);
	if (c->io.fd >= 0)
		close(c->io.fd);
	c->conns->count--;
	if (c->leaving.le_prev && c->events->on_left)
		c->events->on_left(c->conns->worker, str_of(conn_peer(c)));
	free(c->names);
	slab_free(&c->conns->slab, c);
}

void conn_close(struct conn *c)
{
	if (c->closing || c->ended)
		return;
	c->closing = true; /* unread input is freed in the next turn: a reader may be at it just now */
	c->limit_ms = conn_now_ms(c) + CLOSE_MS;
	conn_arm(c);
	conn_make_due(c);
	if (!c->blocked)
		conn_make_dirty(c);
}

void conn_leave(struct conn *c)
{
	LIST_INSERT_HEAD(&c->conns->leaving, c, leaving);
	if (c->ended)
		conn_make_due(c); /* if its end was told already */
	else
		conn_close(c);
}

struct buf *conn_out(struct conn *c)
{
	return &c->out;
}

void conn_wrote(struct conn *c)
{
	if (c->ended || c->lingering || c->deaf) {
		buf_free(&c->out);
		return;
	}
	if (buf_len(&c->out) >= CONN_OUT_MAX && !c->full) {
		c->full = true;
		c->active_ms = conn_now_ms(c);
		conn_arm(c);
	}
	if (!c->blocked)
		conn_make_dirty(c);
}

void conn_write(struct conn *c, const void *bytes, size_t len)
{
	buf_add(&c->out, bytes, len);
	conn_wrote(c);
}

void conn_write_str(struct conn *c, struct str s)
{
	conn_write(c, s.p, s.len);
}

void conn_printf(struct conn *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&c->out, fmt, ap);
	va_end(ap);
	conn_wrote(c);
}

size_t conn_waiting(const struct conn *c)
{
	return buf_len(&c->out);
}

bool conn_has_room(const struct conn *c)
{
	return conn_waiting(c) < CONN_OUT_MAX;
}

void conn_rest(struct conn *c)
{
	c->resting = true;
}

void conn_resume(struct conn *c)
{
	if (!c->resting)
		return;
	c->resting = false;
	c->active_ms = conn_now_ms(c);
	conn_arm(c);
	c->input_due = buf_len(&c->in) > 0;
	if (c->ended)
		return;
	/* Mostly there is nothing to do but to wait for the next command, as the loop does already. */
	if (c->input_due || !(c->io.events & EV_READ) || (c->ssl && tls_pending(c->ssl)))
		conn_make_due(c);
}

size_t conn_unread(const struct conn *c)
{
	return buf_len(&c->in);
}

void conn_idle(struct conn *c, int64_t idle_ms)
{
	c->idle_ms = idle_ms;
	c->active_ms = conn_now_ms(c);
	conn_arm(c);
}

void conn_quiet(struct conn *c, uint32_t quiet_ms)
{
	c->quiet_ms = quiet_ms;
	c->quiet_at_ms = quiet_ms ? conn_now_ms(c) + quiet_ms : 0;
	conn_arm(c);
}

void conn_begin_tls(struct conn *c, struct ssl_st *s)
{
	c->ssl = s;
	c->shaking = true;
	c->clear_left = buf_len(&c->out);
	c->limit_ms = conn_now_ms(c) + HANDSHAKE_MS;
	conn_arm(c);
	conn_make_due(c);
}

enum err conn_start_tls(struct conn *c, struct tls *tls)
{
	assert(!c->ssl);
	if (buf_len(&c->in))
		return ERR_MISTAKE;
	if (c->ended || c->closing)
		return OK; /* on_end comes, on_secure never */
	conn_begin_tls(c, tls_accept(tls, c->io.fd));
	return OK;
}

bool conn_secure(const struct conn *c)
{
	return c->ssl && !c->shaking;
}

const char *conn_cipher(const struct conn *c)
{
	return c->cipher ? c->cipher : "";
}

bool conn_tls_exporter(const struct conn *c, uint8_t out[32])
{
	return conn_secure(c) && tls_exporter(c->ssl, out);
}

struct str conn_client_name(const struct conn *c)
{
	return str_of(c->client);
}

const char *conn_reason(const struct conn *c)
{
	return c->reason ? c->reason : "the connection ended";
}

const char *conn_id(const struct conn *c)
{
	return c->names;
}

const char *conn_peer(const struct conn *c)
{
	return c->names + strlen(c->names) + 1;
}

const char *conn_here(const struct conn *c)
{
	const char *peer = conn_peer(c);

	return peer + strlen(peer) + 1;
}

bool conn_from_loopback(const struct conn *c)
{
	return c->loopback;
}

/* Numbers of connections go on from the milliseconds at which the worker started, so that no id in a log is that of an
 * earlier life's connection. */
static uint64_t first_number(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct conns *conns_new(struct worker *w)
{
	struct conns *cs = mem_new(struct conns);

	cs->worker = w;
	cs->slab.size = sizeof(struct conn);
	cs->number = first_number();
	TAILQ_INIT(&cs->later);
	LIST_INIT(&cs->dirty);
	LIST_INIT(&cs->due);
	LIST_INIT(&cs->leaving);
	ev_prepare_init(&cs->before_sleep, conn_before_sleep);
	ev_set_priority(&cs->before_sleep, EV_MINPRI); /* after all who write in theirs */
	cs->before_sleep.data = cs;
	ev_prepare_start(w->loop, &cs->before_sleep);
	ev_idle_init(&cs->next_turn, conn_next_turn);
	ev_set_priority(&cs->next_turn, EV_MAXPRI); /* each turn, however busy: idle means no event of its priority */
	cs->next_turn.data = cs;
	return cs;
}

void conns_introduce(struct conns *cs, const struct proxy_header *told)
{
	cs->introduced = told;
}

size_t conns_count(const struct conns *cs)
{
	return cs->count;
}

void conns_free(struct conns *cs)
{
	if (!cs)
		return;
	while (!LIST_EMPTY(&cs->leaving))
		conn_free(LIST_FIRST(&cs->leaving));
	assert(!cs->count);
	chore_stop(cs->worker->chores, &cs->serving);
	ev_prepare_stop(cs->worker->loop, &cs->before_sleep);
	ev_idle_stop(cs->worker->loop, &cs->next_turn);
	buf_free(&cs->spare);
	tls_client_free(cs->any);
	tls_client_free(cs->verified);
	slab_end(&cs->slab);
	free(cs);
}
