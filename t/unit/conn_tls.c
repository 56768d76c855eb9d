/* Connections under TLS: the handshake in any pieces, STARTTLS, large transfers, resumption, the end. */
#include "core/conn.h"
#include "core/conn_inside.h"
#include "core/log.h"
#include "t/conn_pair.h"
#include <openssl/bio.h>

#define LARGE (10u << 20)

static struct tls *tls, *tls_elsewhere; /* two workers' with one ticket key */

static void make_tls(void)
{
	static const uint8_t ticket_key[TLS_TICKET_KEY_BYTES] = "shared by all workers";
	struct buf chain = { 0 }, key = { 0 }, why = { 0 };

	if (tls_self_signed("mail.example.test", &chain, &key) ||
		tls_new(&tls, buf_str(&chain), buf_str(&key), ticket_key, &why) ||
		tls_new(&tls_elsewhere, buf_str(&chain), buf_str(&key), ticket_key, &why))
		abort();
	buf_free(&chain);
	buf_free(&key);
	buf_free(&why);
}

/* A pair with TLS from the first byte; `over_tcp` or not. */
static void tls_pair_open(struct end *e, struct peer *p, enum habit habit, bool over_tcp)
{
	(over_tcp ? pair_open_tcp : pair_open)(e, p, habit);
	if (conn_start_tls(e->c, tls))
		abort();
	p->ssl = client_new(p->fd, 0, NULL);
}

static bool shaken(struct peer *p)
{
	int n = 0;

	while (not_yet(n == 1))
		if ((n = SSL_do_handshake(p->ssl)) != 1 && !client_waits(p->ssl, n))
			return false;
	turns(3);
	return n == 1;
}

static void test_lines(void)
{
	struct end e;
	struct peer p;

	tls_pair_open(&e, &p, LINES, false);
	conn_write_str(e.c, STR("220 hello\r\n"));
	turns(3);
	ok(!conn_secure(e.c) && conn_waiting(e.c) == 11, "what is written waits for the handshake");
	ok(shaken(&p) && e.secures == 1 && conn_secure(e.c), "which is told when it is through");
	ok(!strcmp(conn_cipher(e.c), "TLSv1.3 TLS_AES_128_GCM_SHA256"), "cipher: %s", conn_cipher(e.c));
	ok(peer_hears(&p, "220 hello\r\n"), "then it leaves");
	peer_says(&p, "HELO a\r\nMAIL");
	ok(got(&e, "HELO a\r\n") && conn_unread(e.c) == 4, "lines come in as in clear text");
	pair_free(&e, &p);
}

static void test_large(void)
{
	struct end e;
	struct peer p;

	tls_pair_open(&e, &p, ECHO, true);
	shaken(&p);
	while (not_yet(p.received == LARGE)) {
		peer_streams(&p, LARGE);
		if (e.most_waiting >= CONN_OUT_MAX || p.sent == LARGE) /* first let it jam */
			peer_takes_stream(&p);
	}
	ok(p.received == LARGE && !p.torn, "10 MB there and back, jammed at first");
	ok(e.most_waiting <= CONN_OUT_MAX + PIECE && e.most_input <= CONN_IN_MAX, "with bounded memory");
	pair_free(&e, &p);

	tls_pair_open(&e, &p, STREAM, false);
	shaken(&p);
	e.to_send = LARGE;
	send_more(&e);
	while (not_yet(p.received == LARGE && e.streamed == LARGE)) {
		peer_streams(&p, LARGE);
		peer_takes_stream(&p);
	}
	ok(p.received == LARGE && e.streamed == LARGE && !p.torn && !e.torn, "10 MB each way at once");
	pair_free(&e, &p);
}

static void test_rest(void)
{
	struct end e;
	struct peer p;

	tls_pair_open(&e, &p, RESTS, false);
	shaken(&p);
	for (int i = 0; i < 50; i++) {
		peer_streams(&p, LARGE);
		turn();
	}
	ok(e.inputs == 1 && conn_unread(e.c) <= CONN_IN_MAX && p.sent < 2 * CONN_IN_MAX + (1u << 20),
		"while the reader rests, a peer that sends without end makes nothing grow");
	e.habit = STREAM;
	conn_resume(e.c);
	while (not_yet(e.streamed == LARGE))
		peer_streams(&p, LARGE);
	ok(e.streamed == LARGE && !e.torn, "resumed, it gets every byte, also those that TLS held");
	pair_free(&e, &p);

	for (int naps = 0; naps < 2;
		naps++) { /* five records at once, the last of which fits in the buffer but in part */
		tls_pair_open(&e, &p, naps ? NAPS : STREAM, false);
		shaken(&p);
		peer_streams(&p, 10);
		peer_streams(&p, 10 + 4 * PIECE);
		turn();
		ok(e.streamed == CONN_IN_MAX && tls_pending(e.c->ssl), "part of a record is left");
		turns(3);
		if (naps) {
			ok(e.streamed == CONN_IN_MAX, "for when the reader has rested");
			conn_resume(e.c);
			turns(3);
		}
		ok(e.streamed == 10 + 4 * PIECE && !e.torn, "it is read without anything new on the socket");
		pair_free(&e, &p);
	}
}

/* A client whose bytes go to the socket one by one: it writes to memory, and we carry. */
static bool carry(struct peer *p, BIO *from, BIO *to)
{
	char bytes[PIECE];
	ssize_t n;

	if (BIO_read(from, bytes, 1) == 1 && send(p->fd, bytes, 1, MSG_NOSIGNAL) != 1)
		return false;
	n = recv(p->fd, bytes, sizeof(bytes), 0);
	return n < 0 || (n > 0 && BIO_write(to, bytes, (int)n) == n);
}

static void test_bytewise(uint16_t version)
{
	BIO *from = BIO_new(BIO_s_mem()), *to = BIO_new(BIO_s_mem());
	char answer[16];
	bool whole = true;
	struct end e;
	struct peer p;

	BIO_set_mem_eof_return(to, -1);
	BIO_set_mem_eof_return(from, -1);
	pair_open(&e, &p, ECHO);
	if (conn_start_tls(e.c, tls))
		abort();
	p.ssl = client_new(p.fd, version, NULL);
	SSL_set_bio(p.ssl, to, from);
	while (not_yet(SSL_do_handshake(p.ssl) == 1 && e.secures) && whole)
		whole = carry(&p, from, to);
	ok(whole && conn_secure(e.c), "a handshake of %s byte by byte", SSL_get_version(p.ssl));
	SSL_write(p.ssl, "NOOP\r\n", 6);
	while (not_yet(SSL_read(p.ssl, answer, sizeof(answer)) == 6) && whole)
		whole = carry(&p, from, to);
	ok(whole && !memcmp(answer, "NOOP\r\n", 6), "and a record");
	pair_free(&e, &p);
}

static void test_starttls(void)
{
	struct end e;
	struct peer p;

	pair_open(&e, &p, SECURE);
	e.tls = tls;
	peer_says(&p, "STARTTLS\r\n");
	conn_write_str(e.c, STR("250 secret\r\n"));
	turns(3);
	ok(e.tls_err == OK && peer_hears(&p, "220 go ahead\r\n"), "the answer to STARTTLS leaves in clear text");
	ok(recv(p.fd, &(char){ 0 }, 1, 0) < 0 && conn_waiting(e.c) == 12, "what is written after it does not");
	p.ssl = client_new(p.fd, 0, NULL);
	ok(shaken(&p) && peer_hears(&p, "250 secret\r\n"), "but under TLS");
	peer_says(&p, "EHLO a\r\n");
	ok(got(&e, "EHLO a\r\n"), "as does what comes");
	pair_free(&e, &p);

	pair_open(&e, &p, SECURE);
	e.tls = tls;
	peer_says(&p, "STARTTLS\r\nRCPT TO:<injected@example.test>\r\n");
	ok(e.tls_err == ERR_MISTAKE && !e.c->ssl, "input behind STARTTLS is told, and TLS does not start");
	pair_free(&e, &p);

	pair_open(&e, &p, KEEP);
	e.to_send = CONN_OUT_MAX;
	send_more(&e);
	turns(2);
	ok(conn_waiting(e.c) > 0 && conn_start_tls(e.c, tls) == OK, "TLS may start while the socket is full");
	conn_write_str(e.c, STR("after"));
	peer_takes_stream(&p);
	while (not_yet(p.received == CONN_OUT_MAX))
		peer_takes_stream(&p);
	turns(3);
	p.ssl = client_new(p.fd, 0, NULL);
	ok(!p.torn && shaken(&p) && peer_hears(&p, "after"), "each byte then leaves as it was meant");
	pair_free(&e, &p);
}

static void test_failures(void)
{
	struct end e;
	struct peer p;

	log_set_levels("tls=warn");
	pair_open(&e, &p, KEEP);
	conn_start_tls(e.c, tls);
	clock_moves(30000);
	ok(e.ends == 0, "a handshake may take its time ...");
	clock_moves(30001);
	ok(e.ends == 1 && e.why == CONN_TLS && e.idles == 0, "... of 60 s");
	pair_free(&e, &p);

	pair_open(&e, &p, KEEP);
	conn_start_tls(e.c, tls);
	peer_says(&p, "EHLO a.clear.text.client.example.test\r\n");
	ok(e.ends == 1 && e.why == CONN_TLS && e.inputs == 0, "clear text is no handshake");
	pair_free(&e, &p);

	pair_open(&e, &p, KEEP);
	conn_start_tls(e.c, tls);
	peer_says(&p, "\x16\x03\x01");
	peer_free(&p);
	turns(3);
	ok(e.ends == 1 && e.why == CONN_CLOSED, "a peer may go in the midst of it");
	pair_free(&e, &p);

	pair_open(&e, &p, KEEP);
	conn_start_tls(e.c, tls);
	conn_close(e.c);
	turns(3);
	ok(recv(p.fd, &(char){ 0 }, 1, 0) == 0, "so may we");
	pair_free(&e, &p);

	tls_pair_open(&e, &p, KEEP, false);
	shaken(&p);
	SSL_write(p.ssl, "good", 4);
	if (write(p.fd, "\x17\x03\x03\x00\x20 thirty-two bytes of forged text", 37) != 37)
		abort();
	turns(3);
	ok(got(&e, "good") && e.ends == 1 && e.why == CONN_TLS, "a forged record is the end; what came before counts");
	pair_free(&e, &p);

	tls_pair_open(&e, &p, KEEP, false);
	shaken(&p);
	clock_moves(86400000);
	ok(e.ends == 0 && e.idles == 0, "the limit is the handshake's alone");
	pair_free(&e, &p);
	log_set_levels("info");
}

static void test_resumption(void)
{
	struct end e;
	struct peer p;

	client_forget_session();
	tls_pair_open(&e, &p, KEEP, true);
	conn_write_str(e.c, STR("220"));
	ok(shaken(&p) && peer_hears(&p, "220") && client_session, "a session gives a ticket");
	pair_free(&e, &p);
	pair_open_tcp(&e, &p, KEEP);
	conn_start_tls(e.c, tls_elsewhere);
	p.ssl = client_new(p.fd, 0, client_session);
	ok(shaken(&p) && SSL_session_reused(p.ssl), "by which it resumes on another worker");
	pair_free(&e, &p);
	client_forget_session();
}

static void test_ends(void)
{
	struct end e;
	struct peer p;

	tls_pair_open(&e, &p, CLOSES, false);
	shaken(&p);
	peer_says(&p, "QUIT\r\n");
	ok(peer_hears(&p, "221 bye\r\n"), "closing sends what waits");
	peer_takes_stream(&p);
	ok(p.eof && !p.broken && SSL_get_shutdown(p.ssl) & SSL_RECEIVED_SHUTDOWN, "and close_notify");
	SSL_shutdown(p.ssl);
	shutdown(p.fd, SHUT_WR);
	turns(3);
	ok(e.ends == 1 && e.why == CONN_CLOSED, "and hears the peer's");
	pair_free(&e, &p);

	tls_pair_open(&e, &p, KEEP, false);
	shaken(&p);
	e.to_send = 1u << 20;
	send_more(&e);
	peer_says(&p, "last words");
	SSL_shutdown(p.ssl);
	while (not_yet(e.ends))
		peer_takes_stream(&p);
	ok(got(&e, "last words") && e.sent == e.to_send && e.why == CONN_CLOSED, "close_notify closes one half only");
	pair_free(&e, &p);

	tls_pair_open(&e, &p, KEEP, true);
	shaken(&p);
	peer_says(&p, "bye");
	peer_free(&p);
	while (not_yet(e.ends))
		;
	ok(got(&e, "bye") && e.why == CONN_CLOSED, "a peer gone without close_notify is a plain end");
	pair_free(&e, &p);
}

static struct end *freed_when_secure;

static void free_when_secure(void *user)
{
	(void)user;
	end_free(freed_when_secure);
}

static void test_freed_in_handshake(void)
{
	static const struct conn_events freeing = {
		.on_input = on_input, .on_secure = free_when_secure, .on_end = on_end
	};
	struct end e = { .habit = KEEP };
	struct peer p = { 0 };
	int fds[2];

	freed_when_secure = &e;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
		abort();
	e.c = conn_new(&worker, fds[0], &freeing, &e);
	conn_start_tls(e.c, tls);
	p.fd = fds[1];
	p.ssl = client_new(p.fd, 0, NULL);
	shaken(&p);
	ok(!e.c, "the connection may be freed when it is secure");
	pair_free(&e, &p);
}

int main(void)
{
	worker_start();
	make_tls();
	test_lines();
	test_large();
	test_rest();
	test_bytewise(TLS1_2_VERSION);
	test_bytewise(TLS1_3_VERSION);
	test_starttls();
	test_failures();
	test_resumption();
	test_ends();
	test_freed_in_handshake();
	tls_unref(tls);
	tls_unref(tls_elsewhere);
	worker_end();
	return done();
}
