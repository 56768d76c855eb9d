/* Connections in clear text: buffers, rests, slow and vanishing peers, the end. */
#include "core/conn.h"
#include "core/conn_inside.h"
#include "t/conn_pair.h"

#define LARGE   (10u << 20)
#define IDLE_MS 1000000
#define MOST_MS 900000 /* of it: the rest may pass in real time on a busy machine */
#define REST_MS 100001

static void test_lines(void)
{
	struct end e;
	struct peer p;

	pair_open(&e, &p, LINES);
	ok(!strncmp(conn_id(e.c), "3-", 2) && strlen(conn_id(e.c)) > 8 && conns_count(worker.conns) == 1,
		"a connection has an id: slot and number");
	peer_says(&p, "HELO a\r\nMAIL FR");
	ok(got(&e, "HELO a\r\n") && conn_unread(e.c) == 7, "the reader takes what it can use and leaves the rest");
	peer_says(&p, "OM:<>\r\n");
	ok(got(&e, "HELO a\r\nMAIL FROM:<>\r\n") && e.inputs == 2, "and sees that again with what follows");
	ok(!conn_unread(e.c) && !e.c->in.bytes, "without unread input there is no memory for it");
	conn_printf(e.c, "%d ", 250);
	conn_write_str(e.c, STR("ok"));
	buf_add_str(conn_out(e.c), STR("\r\n"));
	conn_wrote(e.c);
	ok(recv(p.fd, &(char){ 0 }, 1, 0) < 0 && conn_waiting(e.c) == 8, "what is written waits for the turn's end");
	ok(peer_hears(&p, "250 ok\r\n") && !conn_waiting(e.c), "and leaves then");
	ok(!e.c->out.bytes, "without output there is no memory for it");
	pair_free(&e, &p);
	ok(conns_count(worker.conns) == 0, "a freed connection is gone");
}

static void test_one_call(void)
{
	struct end e = { .habit = KEEP };
	char packet[100];
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
		abort();
	e.c = conn_new(&worker, fds[0], &events, &e);
	for (int i = 0; i < 10; i++)
		conn_write_str(e.c, STR("250 ok\r\n"));
	turn();
	ok(recv(fds[1], packet, sizeof(packet), 0) == 80, "ten replies leave by one system call");
	end_free(&e);
	close(fds[1]);
}

static void test_freeing(void)
{
	struct end e;
	struct peer p;

	pair_open(&e, &p, FREES);
	peer_says(&p, "x");
	ok(!e.c && e.inputs == 1 && e.ends == 0, "a reader may free the connection");
	pair_free(&e, &p);
	pair_open(&e, &p, RESTS);
	peer_says(&p, "x");
	e.habit = FREES;
	conn_resume(e.c);
	ok(e.c, "resuming runs no reader inside the call");
	turns(2);
	ok(!e.c, "a resumed reader may free it too");
	pair_free(&e, &p);
	pair_open(&e, &p, KEEP);
	conn_write_str(e.c, STR("lost"));
	conn_close(e.c);
	end_free(&e);
	turns(2);
	ok(e.ends == 0, "freeing is at once, whatever was to come");
	pair_free(&e, &p);
	conn_free(NULL);
}

static void test_rest(void)
{
	struct end e;
	struct peer p;

	pair_open(&e, &p, RESTS);
	for (int i = 0; i < 50; i++) {
		peer_streams(&p, LARGE);
		turn();
	}
	ok(e.inputs == 1 && conn_unread(e.c) <= CONN_IN_MAX && p.sent < 2 * CONN_IN_MAX + (1u << 20),
		"while the reader rests, a peer that sends without end fills the kernel's buffers and no more");
	ok(!(e.c->io.events & EV_READ), "and the loop is not troubled by it");
	e.habit = STREAM;
	conn_resume(e.c);
	while (not_yet(e.streamed == LARGE))
		peer_streams(&p, LARGE);
	ok(e.streamed == LARGE && !e.torn, "resumed, it gets every byte in order");
	ok(e.most_input <= CONN_IN_MAX, "never more than the limit at once");
	e.habit = RESTS;
	peer_says(&p, "a");
	peer_says(&p, "b");
	conn_resume(e.c);
	conn_rest(e.c);
	turns(3);
	ok(conn_unread(e.c) == 1, "resting again before the turn, it is left alone");
	e.habit = KEEP;
	conn_resume(e.c);
	turns(4);
	ok(got(&e, "ab"), "what came meanwhile waits in the kernel");
	pair_free(&e, &p);

	pair_open(&e, &p, NAPS);
	peer_streams(&p, 10);
	turns(4);
	peer_streams(&p, 20);
	turns(4);
	ok(e.streamed == 10, "a reader that took all and rests is left alone");
	conn_resume(e.c);
	turns(4);
	ok(e.streamed == 20, "and goes on with what came");
	conn_resume(e.c);
	turns(4);
	peer_streams(&p, 30);
	turns(4);
	ok(e.streamed == 30, "or with what comes");
	pair_free(&e, &p);
}

static void test_full_input(void)
{
	struct end e;
	struct peer p;

	pair_open(&e, &p, LINES); /* and no line comes */
	for (int i = 0; i < 50; i++) {
		peer_streams(&p, LARGE);
		turn();
	}
	ok(conn_unread(e.c) <= CONN_IN_MAX, "a reader that takes nothing makes nothing grow");
	pair_free(&e, &p);
}

static void test_fairness(void)
{
	struct end a, b;
	struct peer p, q;
	size_t before;

	pair_open(&a, &p, STREAM);
	pair_open(&b, &q, STREAM);
	peer_streams(&p, LARGE);
	peer_streams(&q, LARGE);
	turn();
	before = a.streamed;
	ok(before > 0 && before <= CONN_IN_MAX && b.streamed > 0, "a turn takes 64 KiB at most, and serves everybody");
	turn();
	ok(a.streamed - before <= CONN_IN_MAX, "the next takes on");
	pair_free(&a, &p);
	pair_free(&b, &q);
}

static void test_slow_peer(void)
{
	struct end e;
	struct peer p;

	pair_open(&e, &p, KEEP);
	e.to_send = LARGE;
	send_more(&e);
	ok(!conn_has_room(e.c) && e.sent < LARGE, "what waits has a limit, which the writer asks for");
	peer_says(&p, "NOOP\r\n");
	turns(5);
	ok(e.inputs == 0, "while it waits the reader is not called");
	while (not_yet(p.received == LARGE))
		peer_takes_stream(&p);
	ok(p.received == LARGE && !p.torn, "a peer that reads slowly gets every byte in order");
	ok(e.rooms > 10 && e.most_waiting <= CONN_OUT_MAX + PIECE, "the writer hears of room, again and again");
	turns(3);
	ok(got(&e, "NOOP\r\n"), "and the reader runs again");
	pair_free(&e, &p);
}

static void test_much(void)
{
	struct end e;
	struct peer p;

	pair_open(&e, &p, MUCH);
	peer_says(&p,
		"a hundred short commands, each with a long answer, come in one piece and are served as there is room");
	while (not_yet(p.received == 100 * PIECE))
		peer_takes_stream(&p);
	ok(p.received == 100 * PIECE && !p.torn,
		"a reader that stopped for want of room is called again without new input");
	ok(e.inputs > 3 && e.most_waiting <= CONN_OUT_MAX + PIECE, "as often as it takes");
	pair_free(&e, &p);
}

static void test_echo(void)
{
	struct end e;
	struct peer p;

	pair_open_tcp(&e, &p, ECHO);
	while (not_yet(p.received == LARGE)) {
		peer_streams(&p, LARGE);
		if (e.most_waiting >= CONN_OUT_MAX || p.sent == LARGE) /* first let it jam */
			peer_takes_stream(&p);
	}
	ok(p.received == LARGE && !p.torn, "10 MB there and back over TCP, jammed at first");
	ok(e.most_waiting <= CONN_OUT_MAX + PIECE, "with bounded memory");
	pair_free(&e, &p);
}

static void test_half_closed(void)
{
	struct end e;
	struct peer p;
	char more[16];

	pair_open(&e, &p, RESTS);
	peer_says(&p, "QUIT\r\nrest");
	e.to_send = 1u << 20;
	send_more(&e);
	shutdown(p.fd, SHUT_WR);
	turns(10);
	ok(e.ends == 0, "a peer that has sent its all may still wait for answers");
	while (not_yet(e.sent == e.to_send && p.received == e.to_send))
		peer_takes_stream(&p);
	turns(4);
	ok(p.received == 1u << 20 && !p.torn && e.ends == 0, "which it gets, while the reader rests");
	e.habit = LINES;
	conn_resume(e.c);
	while (not_yet(e.ends))
		;
	ok(got(&e, "QUIT\r\n") && e.ends == 1 && e.why == CONN_CLOSED, "the reader sees its last input, then the end");
	ok(recv(p.fd, more, sizeof(more), 0) < 0, "which closes nothing by itself");
	conn_write_str(e.c, STR("too late"));
	conn_close(e.c);
	conn_resume(e.c);
	clock_moves(100000);
	ok(e.ends == 1 && !conn_waiting(e.c) && recv(p.fd, more, sizeof(more), 0) < 0,
		"after the end nothing happens, whatever is called");
	pair_free(&e, &p);

	pair_open(&e, &p, KEEP);
	e.to_send = CONN_OUT_MAX - PIECE; /* more than the socket takes */
	send_more(&e);
	shutdown(p.fd, SHUT_WR);
	turns(4);
	conn_rest(e.c);
	while (not_yet(p.received == e.to_send))
		peer_takes_stream(&p);
	turns(4);
	ok(e.ends == 0, "an end that came while output waited, too, waits for a reader at rest");
	conn_resume(e.c);
	turns(4);
	ok(e.ends == 1, "which hears of it then");
	pair_free(&e, &p);

	pair_open(&e, &p, KEEP);
	e.to_send = 1u << 20;
	send_more(&e);
	peer_says(&p, "last words");
	shutdown(p.fd, SHUT_WR);
	while (not_yet(e.ends))
		peer_takes_stream(&p);
	ok(got(&e, "last words") && p.received == 1u << 20 && e.why == CONN_CLOSED,
		"full output first: input follows once there is room, the end last of all");
	pair_free(&e, &p);
}

static void test_close(void)
{
	struct end e;
	struct peer p;

	pair_open(&e, &p, CLOSES);
	peer_says(&p, "QUIT\r\nNOOP\r\n");
	ok(peer_hears(&p, "221 bye\r\n") && e.ends == 0, "closing sends what waits");
	while (not_yet(p.eof))
		peer_takes_stream(&p);
	ok(p.eof && e.ends == 0 && e.inputs == 1, "then our end is over, and the reader is not called again");
	conn_close(e.c);
	peer_free(&p);
	turns(3);
	ok(e.ends == 1 && e.why == CONN_CLOSED, "when the peer ends too, it is the end");
	pair_free(&e, &p);

	pair_open(&e, &p, LINES);
	peer_says(&p, "unread");
	conn_close(e.c);
	turns(3);
	ok(!e.c->in.bytes, "input that nobody will read is let go");
	ok(e.ends == 0, "a peer that does not end ...");
	peer_streams(&p, LARGE);
	clock_moves(2001);
	ok(e.ends == 1 && e.inputs == 1, "... is waited for two seconds, its input thrown away");
	pair_free(&e, &p);

	pair_open(&e, &p, KEEP);
	e.to_send = 1u << 20;
	send_more(&e);
	turns(3);
	conn_close(e.c);
	clock_moves(5000);
	ok(e.ends == 0 && conn_waiting(e.c), "a peer that does not read ...");
	clock_moves(5001);
	ok(e.ends == 1 && e.why == CONN_CLOSED && !conn_waiting(e.c), "... is waited for ten");
	pair_free(&e, &p);

	pair_open(&e, &p, KEEP);
	e.to_send = CONN_OUT_MAX;
	send_more(&e);
	conn_close(e.c);
	while (not_yet(p.received == CONN_OUT_MAX && p.eof))
		peer_takes_stream(&p);
	ok(p.received == CONN_OUT_MAX && !p.torn && e.rooms == 0, "one that reads gets all, and no more is asked for");
	pair_free(&e, &p);
}

static void test_last_words(void)
{
	struct end e;
	struct peer p;

	pair_open_tcp(&e, &p, CLOSES);
	for (int i = 0; i < 20; i++) { /* the reply must not be lost to a reset over what is still coming */
		peer_streams(&p, LARGE);
		turn();
	}
	ok(peer_hears(&p, "221 bye\r\n"), "a peer that talks on hears our last words");
	while (not_yet(p.eof || p.broken))
		peer_takes_stream(&p);
	ok(p.eof && !p.broken, "and a proper end");
	shutdown(p.fd, SHUT_WR);
	while (not_yet(e.ends))
		;
	ok(e.why == CONN_CLOSED, "as we do");
	pair_free(&e, &p);
}

static void test_vanishing(void)
{
	struct end e;
	struct peer p;
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	pair_open_tcp(&e, &p, KEEP);
	setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	peer_free(&p);
	while (not_yet(e.ends))
		;
	ok(e.why == CONN_BROKEN, "a reset breaks the connection");
	pair_free(&e, &p);

	pair_open_tcp(&e, &p, RESTS);
	peer_says(&p, "x");
	peer_free(&p);
	turns(3);
	ok(e.ends == 0, "a resting reader is left alone when the peer goes");
	e.to_send = LARGE;
	send_more(&e);
	while (not_yet(e.ends))
		;
	ok(e.why == CONN_BROKEN, "until writing shows it, without a signal");
	turns(10);
	ok(e.ends == 1, "once");
	pair_free(&e, &p);

	pair_open(&e, &p, KEEP);
	peer_free(&p);
	while (not_yet(e.ends))
		;
	ok(e.why == CONN_CLOSED && e.inputs == 0, "a peer that says nothing and goes is a plain end");
	pair_free(&e, &p);
}

/* The loop as a worker runs it: it may sleep when nothing is to be done, and only then. */
static void test_sleep(void)
{
	struct end e;
	struct peer p;

	pair_open(&e, &p, RESTS);
	peer_says(&p, "x");
	peer_free(&p);
	conn_write_str(e.c, STR("220 is anybody there?\r\n"));
	alarm(PATIENCE_MS / 1000); /* a loop that sleeps on has lost it */
	ev_run(worker.loop, EVRUN_ONCE);
	ok(e.ends == 1, "what is found just before the loop sleeps is told at once");
	alarm(0);
	pair_free(&e, &p);
}

static void test_idle(void)
{
	struct end e;
	struct peer p;

	pair_open(&e, &p, KEEP);
	conn_idle(e.c, IDLE_MS);
	clock_moves(MOST_MS);
	ok(e.idles == 0, "silence is not told before its time");
	peer_says(&p, "x");
	clock_moves(MOST_MS);
	ok(e.idles == 0, "input begins it anew");
	conn_write_str(e.c, STR("* 1 EXISTS\r\n"));
	turns(2);
	clock_moves(REST_MS);
	ok(e.idles == 1, "then it is told, whatever we have said ourselves");
	clock_moves(MOST_MS);
	ok(e.idles == 1, "once ...");
	clock_moves(REST_MS);
	ok(e.idles == 2, "... and again after as long");
	conn_idle(e.c, IDLE_MS / 2);
	clock_moves(IDLE_MS / 2 + 1);
	ok(e.idles == 3, "a shorter time counts at once");
	conn_idle(e.c, 0);
	clock_moves(86400000);
	ok(e.idles == 3, "without a time there is no end to patience");
	conn_idle(e.c, IDLE_MS);
	conn_rest(e.c);
	clock_moves(86400000);
	ok(e.idles == 3, "while the reader rests it is we who are slow");
	conn_resume(e.c);
	clock_moves(MOST_MS);
	ok(e.idles == 3, "from when it resumes ...");
	clock_moves(REST_MS);
	ok(e.idles == 4, "... it counts again");
	conn_rest(e.c);
	clock_moves(MOST_MS);
	e.to_send = LARGE;
	send_more(&e);
	turns(4);
	clock_moves(MOST_MS);
	ok(e.idles == 4, "a reader rests and there is no room any more: the time begins");
	clock_moves(REST_MS);
	ok(e.idles == 5, "and it is the peer who is slow");
	pair_free(&e, &p);
}

static void test_quiet(void)
{
	struct end e;
	struct peer p;

	pair_open(&e, &p, KEEP);
	conn_idle(e.c, 3 * IDLE_MS);
	conn_quiet(e.c, IDLE_MS);
	clock_moves(MOST_MS);
	peer_says(&p, "x");
	clock_moves(MOST_MS);
	ok(e.quiets == 0, "a client who speaks now and then is not quiet");
	clock_moves(REST_MS);
	ok(e.quiets == 1 && e.idles == 0, "one that was silent for the time is");
	clock_moves(IDLE_MS);
	ok(e.quiets == 1, "which is told once ...");
	peer_says(&p, "x");
	clock_moves(MOST_MS);
	ok(e.quiets == 1, "... until the next input ...");
	clock_moves(REST_MS);
	ok(e.quiets == 2, "... and then again");
	conn_quiet(e.c, IDLE_MS);
	clock_moves(IDLE_MS + 1);
	ok(e.quiets == 3 && e.idles == 0, "or whenever that is asked for");
	clock_moves(2 * IDLE_MS);
	ok(e.idles == 1, "who is quiet for long enough is idle");
	pair_free(&e, &p);
}

static void test_idle_and_slow(void)
{
	struct end e;
	struct peer p;
	size_t before;

	pair_open(&e, &p, KEEP);
	conn_idle(e.c, IDLE_MS);
	e.to_send = LARGE;
	send_more(&e);
	turns(2);
	clock_moves(MOST_MS);
	for (before = p.received; p.received == before; turns(2))
		peer_takes_stream(&p);
	clock_moves(MOST_MS);
	ok(e.idles == 0, "a peer that takes its output slowly is not idle");
	clock_moves(REST_MS);
	ok(e.idles == 1, "one that takes none is");
	conn_write_str(e.c, STR("BYE"));
	conn_close(e.c);
	clock_moves(10001);
	ok(e.ends == 1, "and can be closed");
	pair_free(&e, &p);
}

static void test_idle_and_dripping(void)
{
	char sip[PIECE];
	int room = PIECE;
	struct end e;
	struct peer p;

	pair_open(&e, &p, KEEP);
	setsockopt(e.c->io.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	conn_idle(e.c, IDLE_MS);
	e.to_send = LARGE;
	for (int i = 0; i < 50; i++) {
		turn();
		send_more(&e);
	}
	for (int i = 0; i < 4; i++) {
		peer_receive(&p, sip, sizeof(sip));
		peer_receive(&p, sip, sizeof(sip));
		clock_moves(MOST_MS);
	}
	ok(e.idles >= 2 && conn_waiting(e.c) < e.most_waiting, "nor is a peer that takes a sip now and then awake");
	pair_free(&e, &p);
}

static struct end *freed_when_idle;

static void free_when_idle(void *user)
{
	(void)user;
	end_free(freed_when_idle);
}

static void test_freed_elsewhere(void)
{
	static const struct conn_events freeing = {
		.on_input = on_input, .on_room = free_when_idle, .on_idle = free_when_idle, .on_end = on_end
	};
	struct end e = { .habit = KEEP };
	int fds[2];

	freed_when_idle = &e;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
		abort();
	e.c = conn_new(&worker, fds[0], &freeing, &e);
	conn_idle(e.c, 1000);
	clock_moves(1001);
	ok(!e.c, "the connection may be freed when it is idle");
	close(fds[1]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
		abort();
	e.c = conn_new(&worker, fds[0], &freeing, &e);
	e.to_send = 2 * CONN_OUT_MAX;
	send_more(&e);
	while (not_yet(!e.c))
		recv(fds[1], (char[PIECE]){ 0 }, PIECE, 0);
	ok(!e.c, "and when there is room again");
	close(fds[1]);
}

/* Connects to `text` of the family and tells what the server's end says of it. */
static void addresses(int family, const char *text, const char *peer, bool loopback, const char *what)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr *to = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t len = family == AF_INET ? sizeof(v4) : sizeof(v6);
	int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(strchr(text, ':') ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct end e = { .habit = KEEP };

	setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int));
	if (bind(listener, to, len) || listen(listener, 1) || getsockname(listener, to, &len)) {
		ok(true, "# skip: %s: this machine has no such family", what);
	} else {
		in_port_t port = family == AF_INET ? v4.sin_port : v6.sin6_port;

		if (strchr(text, ':')) {
			v6.sin6_port = port;
			inet_pton(AF_INET6, text, &v6.sin6_addr);
			to = (struct sockaddr *)&v6;
			len = sizeof(v6);
		} else {
			v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port };
			inet_pton(AF_INET, text, &v4.sin_addr);
			to = (struct sockaddr *)&v4;
			len = sizeof(v4);
		}
		if (connect(fd, to, len))
			abort();
		e.c = conn_new(&worker, accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), &events, &e);
		ok(!strcmp(conn_peer(e.c), peer) && !strcmp(conn_here(e.c), peer) &&
				conn_from_loopback(e.c) == loopback,
			"%s: %s", what, conn_peer(e.c));
		end_free(&e);
	}
	close(fd);
	close(listener);
}

static void test_addresses(void)
{
	struct end e;
	struct peer p;

	addresses(AF_INET, "127.0.0.1", "127.0.0.1", true, "an IPv4 peer has its address");
	addresses(AF_INET6, "::1", "::1", true, "so has one of IPv6");
	addresses(AF_INET6, "127.0.0.1", "127.0.0.1", true, "an IPv4 peer of an IPv6 socket is called as ever");
	pair_open(&e, &p, KEEP);
	ok(!strcmp(conn_peer(e.c), "local") && conn_from_loopback(e.c), "a UNIX socket is local");
	ok(!conn_secure(e.c) && !*conn_cipher(e.c), "clear text has no cipher");
	pair_free(&e, &p);
}

int main(void)
{
	worker_start();
	test_lines();
	test_one_call();
	test_freeing();
	test_rest();
	test_full_input();
	test_fairness();
	test_slow_peer();
	test_much();
	test_echo();
	test_half_closed();
	test_close();
	test_last_words();
	test_vanishing();
	test_sleep();
	test_idle();
	test_idle_and_slow();
	test_quiet();
	test_idle_and_dripping();
	test_freed_elsewhere();
	test_addresses();
	worker_end();
	return done();
}
