/* conn_turn.c - what happens to connections in a turn of the loop: reading, writing, the handshake, telling users.
 * Wherever one of the user's functions has run the connection may be gone: `tell` and all that calls it answer false
 * then.
 *
 * A server that refuses a message while it is being sent may say so and be gone: writing to it fails then, and what it said
 * is read all the same (deaf).
 * The end: conn_close -> output sent -> close_notify, FIN -> (lingering: input thrown away until the peer's FIN, since
 * closing a socket with unread input resets it, and the peer might lose our last words) -> on_end. One that is left
 * (conn_leave) lingers for the peer's FIN without a FIN of ours. */
#include "core/conn_inside.h"
#include "core/counter.h"
#include "core/log.h"
#include "core/tls.h"
#include "core/worker.h"
#include <errno.h>

#define LINGER_MS     2000         /* for the peer's end after ours */
#define SEND_TURN_MAX (256u << 10) /* bytes of one connection; what is left goes in later turns */

COUNTER(bytes_in, "conn.bytes_in", "bytes received, without TLS around them");
COUNTER(bytes_out, "conn.bytes_out", "bytes sent, without TLS around them");
COUNTER(tls_handshakes, "tls.handshakes", "TLS handshakes completed");
COUNTER(tls_resumptions, "tls.resumed", "TLS handshakes that resumed a session");
COUNTER(tls_failures, "tls.failed", "TLS handshakes that failed or took too long");

/* The user's functions: false says that the connection is gone. */

static bool told(struct conns *cs, const struct conn *c)
{
	bool lives = cs->telling == c;

	cs->telling = NULL;
	return lives;
}

static bool tell(struct conn *c, void (*event)(void *user))
{
	struct conns *cs = c->conns;

	if (!event)
		return true;
	cs->telling = c;
	event(c->user);
	return told(cs, c);
}

static bool reader_may_run(const struct conn *c)
{
	return !c->resting && !c->full && !c->opening && !c->shaking && !c->closing && !c->ended;
}

static bool tell_input(struct conn *c)
{
	struct conns *cs = c->conns;

	if (!c->input_due || !reader_may_run(c))
		return true;
	c->input_due = false;
	cs->telling = c;
	c->events->on_input(c->user, &c->in);
	return told(cs, c);
}

/* Input does not move the timer: it fires early, and is then set to what is left. False: on_quiet's user freed it. */
static bool look_quiet(struct conn *c)
{
	int64_t now = conn_now_ms(c);

	if (!c->quiet_at_ms || c->quiet_at_ms > now)
		return true;
	if (c->active_ms + c->quiet_ms > now) {
		c->quiet_at_ms = c->active_ms + c->quiet_ms;
		return true;
	}
	c->quiet_at_ms = 0;
	return c->closing || tell(c, c->events->on_quiet);
}

void conn_on_timer(void *user)
{
	struct conn *c = user;
	int64_t due;

	if (!look_quiet(c))
		return;
	due = conn_due_ms(c);
	if (due < 0 || due > conn_now_ms(c)) {
		conn_arm(c);
	} else if (c->closing) {
		conn_end(c, CONN_CLOSED, NULL);
	} else if (c->opening) {
		conn_end(c, CONN_ABSENT, "no answer in time");
	} else if (c->shaking) {
		counter_add(&tls_failures, 1);
		log_info("tls", conn_id(c), "handshake took too long peer=%s", conn_peer(c));
		conn_end(c, CONN_TLS, "the handshake took too long");
	} else {
		c->active_ms = conn_now_ms(c);
		conn_arm(c);
		tell(c, c->events->on_idle);
	}
}

/* What the loop watches for. */

static bool may_read(const struct conn *c)
{
	return reader_may_run(c) && !c->eof && buf_len(&c->in) < CONN_IN_MAX;
}

static int wanted(const struct conn *c)
{
	if (c->lingering)
		return EV_READ;
	if (c->opening)
		return EV_WRITE;
	if (c->shaking)
		return c->clear_left ? (c->blocked ? EV_WRITE : 0) : c->read_on;
	return (may_read(c) ? c->read_on : 0) | (c->blocked ? c->write_on : 0);
}

static void set_watched(struct conn *c, int events)
{
	struct ev_loop *loop = c->conns->worker->loop;

	if (events == (c->io.events & (EV_READ | EV_WRITE)))
		return;
	ev_io_stop(loop, &c->io);
	ev_io_modify(&c->io, events);
	if (events)
		ev_io_start(loop, &c->io);
}

/* Reading is watched on while a reader rests, until input does come: most clients wait for their answer, and two
 * system calls per command are saved. */
static void watch(struct conn *c)
{
	set_watched(c, wanted(c) | (c->io.events & EV_READ));
}

/* After anything has happened: is it over, and if not, what next? */
static void settle(struct conn *c)
{
	if (c->ended)
		return;
	if (!buf_len(&c->in) || c->closing)
		buf_free(&c->in);
	if (c->eof && reader_may_run(c) && !c->input_due && !c->room_due && !buf_len(&c->out)) {
		conn_end(c, CONN_CLOSED, NULL);
		return;
	}
	if (c->ssl && may_read(c) && tls_pending(c->ssl))
		conn_make_due(c);
	watch(c);
}

/* Reading. */

static enum tls_step receive(struct conn *c, size_t room, size_t *len)
{
	char *to = buf_room(&c->in, room);
	enum tls_step step = TLS_DONE;

	if (c->ssl) {
		step = tls_read(c->ssl, to, room, len);
	} else {
		ssize_t n = recv(c->io.fd, to, room, c->careful ? MSG_PEEK : 0);

		if (c->careful && n > 0)
			c->peeked = (uint32_t)n;
		*len = n > 0 ? (size_t)n : 0;
		if (n == 0)
			step = TLS_CLOSED;
		else if (n < 0)
			step = errno == EAGAIN || errno == EINTR ? TLS_WANT_READ : TLS_BROKEN;
	}
	buf_added(&c->in, *len);
	return step;
}

static void borrow_spare(struct conn *c)
{
	struct conns *cs = c->conns;

	buf_room(&cs->spare, CONN_IN_MAX);
	buf_add_str(&cs->spare, buf_str(&c->in));
	buf_free(&c->in);
	c->in = cs->spare;
	cs->spare = (struct buf){ 0 };
	c->lent = true;
}

static void return_spare(struct conn *c)
{
	struct buf spare = c->in;

	c->in = (struct buf){ 0 };
	buf_add_str(&c->in, buf_str(&spare));
	buf_clear(&spare);
	c->conns->spare = spare;
	c->lent = false;
}

/* What went wrong in this step, told while the library and errno know; what is TLS's is logged. NULL: nothing. */
static const char *trouble(const struct conn *c, enum tls_step step, const char *what)
{
	const char *reason;

	if (step == TLS_BROKEN)
		return strerrordesc_np(errno);
	if (step != TLS_FAILED)
		return NULL;
	reason = tls_failure(c->ssl);
	log_info("tls", conn_id(c), "%s peer=%s error=\"%s\"", what, conn_peer(c), reason);
	return reason;
}

static enum conn_end end_of(enum tls_step step)
{
	return step == TLS_FAILED ? CONN_TLS : step == TLS_CLOSED ? CONN_CLOSED : CONN_BROKEN;
}

/* Reads what is there, within the limit, and shows it to the reader. False: he freed the connection. */
static bool take_in(struct conn *c)
{
	size_t len, all = 0;
	const char *reason;
	enum tls_step step;

	borrow_spare(c);
	do { /* in clear text a second call would mostly learn that nothing is left */
		step = receive(c, CONN_IN_MAX - buf_len(&c->in), &len);
		all += len;
	} while (c->ssl && step == TLS_DONE && buf_len(&c->in) < CONN_IN_MAX);
	reason = trouble(c, step, "record layer failed");
	counter_add(&bytes_in, all);
	c->read_on = step == TLS_WANT_WRITE ? EV_WRITE : EV_READ;
	c->eof = step == TLS_CLOSED;
	if (all) {
		c->active_ms = conn_now_ms(c);
		if (c->quiet_ms && !c->quiet_at_ms)
			conn_quiet(c, c->quiet_ms);
		c->input_due = true;
	}
	if (!tell_input(c))
		return false;
	conn_unpeek(c);
	return_spare(c);
	if (step == TLS_BROKEN || step == TLS_FAILED)
		conn_end(c, end_of(step), reason);
	return true;
}

/* Writing. */

static size_t sendable(const struct conn *c)
{
	return c->shaking ? c->clear_left : buf_len(&c->out);
}

static enum tls_step transmit(struct conn *c, size_t *len)
{
	size_t size = sendable(c) < SEND_TURN_MAX ? sendable(c) : SEND_TURN_MAX;
	enum tls_step step = TLS_DONE;

	if (c->ssl && !c->clear_left) {
		step = tls_write(c->ssl, buf_data(&c->out), size, len);
	} else {
		ssize_t n = send(c->io.fd, buf_data(&c->out), size, MSG_NOSIGNAL);

		*len = n > 0 ? (size_t)n : 0;
		if (n < 0)
			step = errno == EAGAIN || errno == EINTR ? TLS_WANT_WRITE : TLS_BROKEN;
		if (c->clear_left)
			c->clear_left -= *len;
	}
	buf_take(&c->out, *len);
	return step;
}

/* All is sent: says so to the peer, and lingers for his end. */
static void shut(struct conn *c)
{
	int64_t linger_until = conn_now_ms(c) + LINGER_MS;

	if (c->ssl && !c->shaking)
		tls_close(c->ssl);
	if (c->eof || (!c->leaving.le_prev && shutdown(c->io.fd, SHUT_WR) < 0)) {
		conn_end(c, CONN_CLOSED, NULL);
		return;
	}
	c->lingering = true;
	if (c->limit_ms > linger_until)
		c->limit_ms = linger_until;
	conn_arm(c);
}

static void flush(struct conn *c)
{
	bool waited = c->blocked;
	enum tls_step step = TLS_DONE;
	size_t len, all = 0;

	while (step == TLS_DONE && sendable(c) && all < SEND_TURN_MAX) {
		step = transmit(c, &len);
		all += len;
	}
	counter_add(&bytes_out, all);
	if (step == TLS_BROKEN && c->outgoing && !c->closing) {
		c->deaf = true;
		c->reason = trouble(c, step, NULL);
		c->blocked = c->full = false;
		buf_free(&c->out);
		return;
	}
	if (step > TLS_WANT_WRITE) {
		conn_end(c, end_of(step), trouble(c, step, "record layer failed"));
		return;
	}
	c->write_on = step == TLS_WANT_READ ? EV_READ : EV_WRITE;
	c->blocked = sendable(c) > 0;
	if (waited && all && !c->full)
		c->active_ms = conn_now_ms(c);
	if (!buf_len(&c->out))
		buf_free(&c->out);
	if (c->full && buf_len(&c->out) < CONN_OUT_MAX / 2) { /* a peer that reads byte by byte does not come so far */
		c->full = false;
		c->active_ms = conn_now_ms(c);
		c->room_due = true;
		c->input_due = buf_len(&c->in) > 0;
		conn_make_due(c);
	}
	if (c->closing && !buf_len(&c->out))
		shut(c);
}

/* What the loop calls. */

/* One step of the handshake. False: on_secure's user freed the connection. */
static bool shake(struct conn *c)
{
	enum tls_step step = tls_handshake(c->ssl);
	struct buf text = { 0 };

	c->read_on = step == TLS_WANT_WRITE ? EV_WRITE : EV_READ;
	if (step == TLS_WANT_READ || step == TLS_WANT_WRITE)
		return true;
	if (step != TLS_DONE) {
		counter_add(&tls_failures, 1);
		conn_end(c, end_of(step), trouble(c, step, "handshake failed"));
		return true;
	}
	c->shaking = false;
	tls_describe(c->ssl, &text);
	c->cipher = str_dup(buf_str(&text));
	buf_clear(&text);
	if (!c->outgoing)
		tls_client_name(c->ssl, &text);
	if (buf_len(&text))
		c->client = str_dup(buf_str(&text));
	buf_free(&text);
	counter_add(&tls_handshakes, 1);
	counter_add(&tls_resumptions, tls_resumed(c->ssl));
	log_debug("tls", conn_id(c), "handshake done cipher=\"%s\" resumed=%d client=\"%s\"", c->cipher,
		tls_resumed(c->ssl), c->client ? c->client : "");
	if (buf_len(&c->out))
		conn_make_dirty(c);
	if (c->closing)
		return true;
	c->limit_ms = 0;
	c->active_ms = conn_now_ms(c);
	conn_arm(c);
	return tell(c, c->events->on_secure);
}

static void linger(struct conn *c)
{
	struct buf *scrap = &c->conns->spare;
	ssize_t n = recv(c->io.fd, buf_room(scrap, CONN_IN_MAX), CONN_IN_MAX, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		conn_end(c, CONN_CLOSED, NULL);
}

/* The socket of conn_connect can be written: it is open, or will never be. False: on_open's user freed it. */
static bool finish_opening(struct conn *c)
{
	if (conn_opened(c) != OK)
		return true;
	c->opening = c->blocked = false;
	c->active_ms = conn_now_ms(c);
	if (!c->closing)
		c->limit_ms = 0;
	conn_arm(c);
	if (buf_len(&c->out) || c->closing)
		conn_make_dirty(c);
	return c->closing || tell(c, c->events->on_open);
}

static void serve(struct conn *c, int revents)
{
	int events = wanted(c);

	if (revents & ~events & EV_READ) /* a resting reader's input has come: see watch */
		set_watched(c, events);
	if (c->lingering) {
		linger(c);
	} else if (c->opening) {
		if (!finish_opening(c))
			return;
	} else if (c->shaking && !c->clear_left) {
		if (!shake(c))
			return;
	} else {
		if (c->blocked && revents & c->write_on)
			flush(c);
		if (may_read(c) && revents & c->read_on && !take_in(c))
			return;
	}
	settle(c);
}

/* Those of our own making: one at a time, within the allowance of a turn. */

void conn_not_later(struct conn *c)
{
	if (!c->is_later)
		return;
	c->is_later = false;
	TAILQ_REMOVE(&c->conns->later, c, later);
}

static void serve_later(void *user)
{
	struct conns *cs = user;
	struct conn *c = TAILQ_FIRST(&cs->later);
	int events;

	if (!c)
		return;
	conn_not_later(c);
	if (!TAILQ_EMPTY(&cs->later))
		chore_start(cs->worker->chores, &cs->serving, serve_later, cs);
	events = c->later_events;
	c->later_events = 0;
	if (c->io.events & (EV_READ | EV_WRITE))
		ev_io_start(cs->worker->loop, &c->io); /* in the same turn this is no system call */
	serve(c, events);
}

void conn_on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct conn *c = io->data;
	struct conns *cs = c->conns;

	if (!c->outgoing) {
		serve(c, revents);
		return;
	}
	ev_io_stop(loop, io);
	c->later_events |= (uint8_t)revents;
	if (c->is_later)
		return;
	c->is_later = true;
	TAILQ_INSERT_TAIL(&cs->later, c, later);
	chore_start(cs->worker->chores, &cs->serving, serve_later, cs);
}

void conn_before_sleep(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	struct conns *cs = prepare->data;
	struct conn *c;

	(void)loop, (void)revents;
	while ((c = LIST_FIRST(&cs->dirty))) {
		LIST_REMOVE(c, dirty);
		c->dirty.le_prev = NULL;
		flush(c);
		settle(c);
	}
}

static void attend(struct conn *c)
{
	if (c->ended && c->leaving.le_prev) {
		conn_free(c);
		return;
	}
	if (c->ended) {
		c->events->on_end(c->user, c->why);
		return;
	}
	if (c->room_due) {
		c->room_due = false;
		if (!c->closing && !tell(c, c->events->on_room))
			return;
	}
	if (!tell_input(c))
		return;
	if (c->ssl && may_read(c) && tls_pending(c->ssl) && !take_in(c))
		return;
	settle(c);
}

void conn_next_turn(struct ev_loop *loop, ev_idle *idle, int revents)
{
	struct conns *cs = idle->data;
	struct conn_list now = cs->due; /* what becomes due meanwhile waits for the next turn */
	struct conn *c = LIST_FIRST(&now);

	(void)revents;
	LIST_INIT(&cs->due);
	if (c)
		c->due.le_prev = &LIST_FIRST(&now);
	while ((c = LIST_FIRST(&now))) {
		LIST_REMOVE(c, due);
		c->due.le_prev = NULL;
		attend(c);
	}
	if (LIST_EMPTY(&cs->due))
		ev_idle_stop(loop, idle);
}
