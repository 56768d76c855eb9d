/* conn_pair.h - a connection and its peer for unit tests, both in this thread, over a worker that is only a loop.
 * `struct end` is the server's end with a reader whose habits a test chooses; `struct peer` the client's, in clear
 * text or TLS. Streams are of bytes that tell their place, so that any loss or repetition is seen. */
#ifndef T_CONN_PAIR_H
#define T_CONN_PAIR_H

#include "core/conn.h"
#include "core/tls.h"
#include "core/worker.h"
#include "t/tap.h"
#include "t/tls_client.h"
#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 20000 /* in real time, for what takes many turns */
#define PIECE       16384

static struct worker worker = { .slot = 3 };
static ev_check after_sleep;

static inline void turn_clock(struct ev_loop *loop, ev_check *check, int revents)
{
	(void)loop, (void)check, (void)revents;
	timers_turn(worker.timers);
}

static inline void worker_start(void)
{
	worker.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	worker.timers = timers_new();
	worker.chores = chores_new();
	worker.conns = conns_new(&worker);
	ev_check_init(&after_sleep, turn_clock);
	ev_check_start(worker.loop, &after_sleep);
}

static inline void worker_end(void)
{
	conns_free(worker.conns);
	chores_free(worker.chores);
	timers_free(worker.timers);
	ev_loop_destroy(worker.loop);
}

static inline void turn(void)
{
	timers_turn(worker.timers);
	timers_run(worker.timers);
	chores_run(worker.chores, 0);
	ev_run(worker.loop, EVRUN_NOWAIT);
}

static inline void turns(int count)
{
	while (count--)
		turn();
}

static inline void clock_moves(int64_t ms)
{
	timers_shift(worker.timers, ms);
	turns(4);
}

/* while (not_yet(e.ends)) ...; turns the loop until it is so or patience ends. */
#define not_yet(condition) (!(condition) ? turn_patiently() : (patience_end_ms = 0, false))

static int64_t patience_end_ms; /* real time; 0: nobody is waiting */

static inline bool turn_patiently(void)
{
	struct timespec t;
	int64_t now;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	if (!patience_end_ms)
		patience_end_ms = now + PATIENCE_MS;
	if (now >= patience_end_ms) {
		patience_end_ms = 0;
		return false;
	}
	turn();
	return true;
}

static inline char byte_at(size_t place)
{
	return (char)(place * 31 + (place >> 8) * 7 + (place >> 16));
}

static inline bool is_stream(const char *bytes, size_t len, size_t from)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != byte_at(from + i))
			return false;
	return true;
}

static inline const char *stream_piece(size_t from)
{
	static char piece[PIECE];

	for (size_t i = 0; i < PIECE; i++)
		piece[i] = byte_at(from + i);
	return piece;
}

/* The server's end. */

enum habit {
	KEEP,   /* gathers what it is given in `got` */
	LINES,  /* as KEEP, but takes whole lines only */
	STREAM, /* checks and counts a stream */
	NAPS,   /* as STREAM, then rests */
	MUCH,   /* answers each byte with PIECE of a stream, as far as there is room */
	ECHO,   /* sends back what comes, as far as there is room */
	RESTS,  /* rests without taking */
	FREES,  /* frees the connection */
	CLOSES, /* takes all and closes */
	SECURE, /* answers a line and starts TLS */
};

struct end {
	struct conn *c; /* NULL once freed */
	enum habit habit;
	struct buf got;
	size_t streamed, most_waiting, most_input;
	bool torn; /* the stream was not what was sent */
	int inputs, rooms, idles, quiets, secures, ends, opens;
	enum conn_end why;
	enum err tls_err;
	struct tls *tls;
	size_t to_send; /* sends a stream of so many on_room and in send_more */
	size_t sent;
};

static inline void end_free(struct end *e)
{
	conn_free(e->c);
	e->c = NULL;
	buf_free(&e->got);
}

static inline void send_more(struct end *e)
{
	while (e->sent < e->to_send && conn_has_room(e->c)) {
		size_t len = e->to_send - e->sent < PIECE ? e->to_send - e->sent : PIECE;

		conn_write(e->c, stream_piece(e->sent), len);
		e->sent += len;
	}
	if (conn_waiting(e->c) > e->most_waiting)
		e->most_waiting = conn_waiting(e->c);
}

static inline void echo(struct end *e, struct buf *in)
{
	while (buf_len(in) && conn_has_room(e->c)) {
		size_t len = buf_len(in) < PIECE ? buf_len(in) : PIECE;

		conn_write(e->c, buf_data(in), len);
		buf_take(in, len);
	}
	if (conn_waiting(e->c) > e->most_waiting)
		e->most_waiting = conn_waiting(e->c);
}

static inline void on_input(void *user, struct buf *in)
{
	struct end *e = user;
	size_t len = buf_len(in);
	ptrdiff_t last_line;

	e->inputs++;
	if (len > e->most_input)
		e->most_input = len;
	switch (e->habit) {
	case LINES:
		last_line = str_rfind(buf_str(in), '\n');
		len = (size_t)(last_line + 1);
		/* fall through */
	case KEEP:
		buf_add(&e->got, buf_data(in), len);
		buf_take(in, len);
		break;
	case NAPS:
		conn_rest(e->c);
		/* fall through */
	case STREAM:
		e->torn |= !is_stream(buf_data(in), len, e->streamed);
		e->streamed += len;
		buf_take(in, len);
		break;
	case MUCH:
		for (; buf_len(in) && conn_has_room(e->c); buf_take(in, 1)) {
			e->to_send += PIECE;
			send_more(e);
		}
		break;
	case ECHO:
		echo(e, in);
		break;
	case RESTS:
		conn_rest(e->c);
		break;
	case FREES:
		conn_free(e->c);
		e->c = NULL;
		break;
	case CLOSES:
		conn_write_str(e->c, STR("221 bye\r\n"));
		conn_close(e->c);
		buf_take(in, len); /* closing does not pull it from under the reader */
		break;
	case SECURE:
		buf_take(in, (size_t)str_find(buf_str(in), '\n') + 1);
		conn_write_str(e->c, STR("220 go ahead\r\n"));
		e->tls_err = conn_start_tls(e->c, e->tls);
		e->habit = KEEP;
		break;
	}
}

static inline void on_room(void *user)
{
	struct end *e = user;

	e->rooms++;
	send_more(e);
}

static inline void on_idle(void *user)
{
	((struct end *)user)->idles++;
}

static inline void on_quiet(void *user)
{
	((struct end *)user)->quiets++;
}

static inline void on_secure(void *user)
{
	((struct end *)user)->secures++;
}

static inline void on_open(void *user)
{
	((struct end *)user)->opens++;
}

static inline void on_end(void *user, enum conn_end why)
{
	struct end *e = user;

	e->ends++;
	e->why = why;
}

static unsigned conns_left; /* gone after conn_leave */

static inline void on_left(struct worker *w, struct str peer)
{
	(void)w;
	conns_left += str_eq(peer, STR("127.0.0.1"));
}

static const struct conn_events events = { .on_input = on_input,
	.on_room = on_room,
	.on_idle = on_idle,
	.on_quiet = on_quiet,
	.on_secure = on_secure,
	.on_end = on_end,
	.on_open = on_open,
	.on_left = on_left };

/* The client's end. */

struct peer {
	int fd;
	SSL *ssl; /* NULL in clear text */
	size_t sent, received;
	bool torn, eof, broken;
};

static inline void peer_free(struct peer *p)
{
	SSL_free(p->ssl);
	if (p->fd >= 0)
		close(p->fd);
	*p = (struct peer){ .fd = -1 };
}

/* Answers how many bytes went, 0 for none now. */
static inline size_t peer_send(struct peer *p, const char *bytes, size_t len)
{
	ssize_t n = p->ssl ? SSL_write(p->ssl, bytes, (int)len) : send(p->fd, bytes, len, MSG_NOSIGNAL);

	return n > 0 ? (size_t)n : 0;
}

static inline size_t peer_receive(struct peer *p, char *bytes, size_t size)
{
	ssize_t n = p->ssl ? SSL_read(p->ssl, bytes, (int)size) : recv(p->fd, bytes, size, 0);

	if (n == 0)
		p->eof = true;
	else if (n < 0 && (p->ssl ? !client_waits(p->ssl, (int)n) : errno != EAGAIN))
		p->broken = true;
	return n > 0 ? (size_t)n : 0;
}

/* Sends what goes of a stream of `total`; a TLS record that did not go is offered again as it was. */
static inline void peer_streams(struct peer *p, size_t total)
{
	while (p->sent < total) {
		size_t len = total - p->sent < PIECE ? total - p->sent : PIECE;
		size_t n = peer_send(p, stream_piece(p->sent), len);

		p->sent += n;
		if (!n)
			break;
	}
}

static inline void peer_takes_stream(struct peer *p)
{
	char bytes[PIECE];
	size_t n;

	while ((n = peer_receive(p, bytes, sizeof(bytes)))) {
		p->torn |= !is_stream(bytes, n, p->received);
		p->received += n;
	}
}

/* Turns until the peer has got exactly `text`. */
static inline bool peer_hears(struct peer *p, const char *text)
{
	char bytes[256];
	size_t len = 0, wanted = strlen(text);

	while (not_yet(len >= wanted || p->eof || p->broken))
		len += peer_receive(p, bytes + len, wanted - len);
	return len == wanted && !memcmp(bytes, text, len);
}

static inline bool peer_says(struct peer *p, const char *text)
{
	size_t len = 0;

	while (not_yet(len == strlen(text) || p->broken))
		len += peer_send(p, text + len, strlen(text) - len);
	turns(3);
	return len == strlen(text);
}

static inline bool got(const struct end *e, const char *text)
{
	return str_eq(buf_str(&e->got), str_of(text));
}

/* Both ends, of a UNIX or a TCP connection. */

static inline void pair_open(struct end *e, struct peer *p, enum habit habit)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
		abort();
	*p = (struct peer){ .fd = fds[1] };
	*e = (struct end){ .habit = habit };
	e->c = conn_new(&worker, fds[0], &events, e);
}

static inline void pair_open_tcp(struct end *e, struct peer *p, enum habit habit)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(here);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), accepted;

	if (bind(listener, (struct sockaddr *)&here, len) || listen(listener, 1) ||
		getsockname(listener, (struct sockaddr *)&here, &len) || connect(fd, (struct sockaddr *)&here, len) ||
		(accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0)
		abort();
	close(listener);
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		abort();
	*p = (struct peer){ .fd = fd };
	*e = (struct end){ .habit = habit };
	e->c = conn_new(&worker, accepted, &events, e);
}

static inline void pair_free(struct end *e, struct peer *p)
{
	end_free(e);
	peer_free(p);
}

#endif
