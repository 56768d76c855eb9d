/* Connections of our own: whom they reach, what they say when they do not, and TLS as its client. */
#include "core/conn.h"
#include "core/conn_inside.h"
#include "core/core_settings.h"
#include "core/log.h"
#include "core/network.h"
#include "t/certificate.h"
#include "t/conn_pair.h"
#include "t/scratch.h"
#include <netinet/in.h>

#define LIMIT_MS 1000000

/* Somebody who listens: an address, and who came. */
struct host {
	struct ip ip;
	uint16_t port;
	int fd;
};

static struct ip ip_at(const char *text)
{
	struct ip ip;

	if (!ip_read(str_of(text), &ip))
		abort();
	return ip;
}

static struct host listening(const char *address, int backlog)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct host h = { .ip = ip_at(address) };
	bool is_v4 = ip_is_v4(&h.ip);
	struct sockaddr *here = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t len = is_v4 ? sizeof(v4) : sizeof(v6);

	h.fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(h.fd, here, len) || listen(h.fd, backlog) || getsockname(h.fd, here, &len))
		abort();
	h.port = ntohs(is_v4 ? v4.sin_port : v6.sin6_port);
	return h;
}

static void connecting(struct end *e, const struct host *h, const struct ip *from)
{
	*e = (struct end){ .habit = KEEP };
	e->c = conn_connect(&worker, &h->ip, h->port, from, LIMIT_MS, &events, e);
}

static int accepted(const struct host *h)
{
	int fd = -1;

	while (not_yet(fd >= 0))
		fd = accept4(h->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	return fd;
}

static bool over(struct end *e, enum conn_end why)
{
	while (not_yet(e->ends))
		;
	printf("# %s\n", conn_reason(e->c));
	return e->ends == 1 && e->why == why && !e->opens;
}

static void test_reaching(const char *address)
{
	struct host h = listening(address, 8);
	struct peer p;
	struct end e;

	connecting(&e, &h, NULL);
	conn_write_str(e.c, STR("early "));
	ok(!e.opens && !strcmp(conn_peer(e.c), address), "%s: a connection is begun, and knows to whom", address);
	p = (struct peer){ .fd = accepted(&h) };
	while (not_yet(e.opens))
		;
	conn_write_str(e.c, STR("late"));
	ok(e.opens == 1 && peer_hears(&p, "early late"), "once it is open, what was written before leaves first");
	ok(!strcmp(conn_peer(e.c), address) && !strcmp(conn_here(e.c), address) && conn_from_loopback(e.c),
		"both ends are known");
	peer_says(&p, "220 hello\r\n");
	ok(got(&e, "220 hello\r\n"), "and what the other side says comes in");
	clock_moves(LIMIT_MS + 1);
	ok(!e.ends, "the limit was for connecting alone");
	peer_free(&p);
	while (not_yet(e.ends))
		;
	ok(e.why == CONN_CLOSED && e.opens == 1, "it ends when the other side ends it");
	end_free(&e);
	close(h.fd);
}

static void test_from(void)
{
	struct host h = listening("127.0.0.1", 8);
	struct ip here = ip_at("127.0.0.9"), strange = ip_at("192.0.2.77");
	struct sockaddr_in seen = { 0 };
	socklen_t len = sizeof(seen);
	struct end e;
	int fd;

	connecting(&e, &h, &here);
	fd = accepted(&h);
	getpeername(fd, (struct sockaddr *)&seen, &len);
	ok(seen.sin_addr.s_addr == htonl(0x7f000009), "it comes from the address that was wanted");
	close(fd);
	end_free(&e);
	connecting(&e, &h, &strange);
	ok(e.ends == 0, "what goes wrong at once is told later");
	ok(over(&e, CONN_ABSENT) && strstr(conn_reason(e.c), "assign"), "an address that is not ours is none");
	end_free(&e);
	close(h.fd);
}

static void test_nobody(void)
{
	struct host h = listening("127.0.0.1", 0);
	struct end e, waiting[8];
	size_t count = 0;

	close(h.fd);
	connecting(&e, &h, NULL);
	ok(over(&e, CONN_ABSENT) && !strcmp(conn_reason(e.c), "Connection refused"), "nobody listens");
	end_free(&e);

	h = listening("127.0.0.1", 0);
	do { /* nobody accepts: soon the kernel does not answer any more */
		connecting(&waiting[count], &h, NULL);
		for (int64_t until = timers_now_ms(worker.timers) + 300;
			!waiting[count].opens && timers_now_ms(worker.timers) < until;)
			turn();
	} while (waiting[count++].opens && count < 8);
	e = waiting[--count];
	ok(!waiting[count].opens && !waiting[count].ends, "somebody does not answer");
	clock_moves(LIMIT_MS + 1);
	ok(over(&waiting[count], CONN_ABSENT) && !strcmp(conn_reason(waiting[count].c), "no answer in time"),
		"and is given up at the limit");
	end_free(&waiting[count]);
	connecting(&waiting[count], &h, NULL);
	conn_write_str(waiting[count].c, STR("lost"));
	conn_close(waiting[count].c);
	clock_moves(20000);
	ok(over(&waiting[count], CONN_CLOSED), "one that is closed before it was open ends soon");
	end_free(&waiting[count]);
	connecting(&waiting[count], &h, NULL);
	end_free(&waiting[count]);
	turns(3);
	ok(!waiting[count].ends, "and one that is freed is gone at once");
	while (count)
		end_free(&waiting[--count]);
	close(h.fd);
}

static void test_leaving(void)
{
	struct host h = listening("127.0.0.1", 8);
	struct peer p;
	struct end e;

	connecting(&e, &h, NULL);
	p = (struct peer){ .fd = accepted(&h) };
	while (not_yet(e.opens))
		;
	conn_write_str(e.c, STR("QUIT\r\n"));
	conn_leave(e.c);
	ok(peer_hears(&p, "QUIT\r\n") && conns_count(worker.conns) == 1, "one that is left says its last words");
	turns(3);
	ok(recv(p.fd, &(char){ 0 }, 1, 0) < 0 && !conns_left, "and waits for the other side to end it");
	peer_says(&p, "221 bye\r\n");
	peer_free(&p);
	while (not_yet(!conns_count(worker.conns)))
		;
	ok(!conns_count(worker.conns) && !e.inputs && !e.ends, "then it is gone, and nobody hears of it");
	ok(conns_left == 1, "but who counts connections of an address");

	connecting(&e, &h, NULL);
	p = (struct peer){ .fd = accepted(&h) };
	while (not_yet(e.opens))
		;
	conn_leave(e.c);
	turns(3);
	clock_moves(20000);
	while (not_yet(!conns_count(worker.conns)))
		;
	ok(!conns_count(worker.conns) && conns_left == 2, "one whose other side does not end it goes all the same");
	peer_free(&p);
	close(h.fd);
}

/* The other side says why it takes no more, and goes without having read what was sent. */
static void test_last_words(void)
{
	struct host h = listening("127.0.0.1", 8);
	struct end e;
	int fd;

	connecting(&e, &h, NULL);
	fd = accepted(&h);
	while (not_yet(e.opens))
		;
	conn_rest(e.c);
	conn_write_str(e.c, STR("a message"));
	turns(3);
	ok(send(fd, "554 no\r\n", 8, MSG_NOSIGNAL) == 8, "the other side refuses");
	close(fd); /* with input unread: a reset */
	conn_write_str(e.c, STR("more of it"));
	turns(3);
	conn_write_str(e.c, STR("and more"));
	turns(3);
	conn_resume(e.c);
	while (not_yet(e.ends))
		;
	ok(got(&e, "554 no\r\n") && e.why == CONN_BROKEN, "what it said before it went is heard, then the end");
	end_free(&e);
	close(h.fd);
}

/* --- TLS ---------------------------------------------------------------------------------------------------------- */

static struct tls *serving(const struct made *m)
{
	static const uint8_t ticket_key[TLS_TICKET_KEY_BYTES] = "a ticket key";
	struct buf why = { 0 };
	struct tls *t;

	if (tls_new(&t, buf_str(&m->chain), buf_str(&m->key_text), ticket_key, &why))
		abort();
	return t;
}

struct both {
	struct end client, server;
	struct host host;
};

/* We connect to a server of ours that shows what `t` has. True: both think it secure. */
static bool shake(struct both *b, struct tls *t, const char *name, bool verify)
{
	b->host = listening("127.0.0.1", 8);
	connecting(&b->client, &b->host, NULL);
	b->server = (struct end){ .habit = KEEP };
	b->server.c = conn_new(&worker, accepted(&b->host), &events, &b->server);
	while (not_yet(b->client.opens))
		;
	if (conn_start_tls(b->server.c, t) || conn_start_tls_client(b->client.c, str_of(name), verify))
		abort();
	conn_write_str(b->client.c, STR("hello"));
	while (not_yet((b->client.secures || b->client.ends) && (b->server.secures || b->server.ends)))
		;
	turns(4);
	return b->client.secures && b->server.secures && conn_secure(b->client.c) && !b->client.ends;
}

static void both_free(struct both *b)
{
	end_free(&b->client);
	end_free(&b->server);
	close(b->host.fd);
}

static void test_any(const struct made *m)
{
	struct tls *t = serving(m);
	struct both b;

	ok(shake(&b, t, "other.test", false), "whose certificate it is does not matter unless it is verified");
	while (not_yet(buf_len(&b.server.got) == 5))
		;
	ok(got(&b.server, "hello"), "what was written meanwhile arrives");
	conn_write_str(b.server.c, STR("250 ok\r\n"));
	while (not_yet(buf_len(&b.client.got) == 8))
		;
	ok(got(&b.client, "250 ok\r\n") && !conn_client_name(b.client.c).len && *conn_cipher(b.client.c), "and back");
	both_free(&b);
	ok(shake(&b, t, "other.test", false) && tls_resumed(b.client.c->ssl), "the next time the session is taken up");
	both_free(&b);
	ok(shake(&b, t, "third.test", false) && !tls_resumed(b.client.c->ssl), "but with that host alone");
	both_free(&b);
	ok(shake(&b, t, "127.0.0.1", false), "an address will do as well");
	both_free(&b);
	ok(shake(&b, t, "not a name", false), "or a word that is no name");
	both_free(&b);
	tls_unref(t);
}

static void verified(const struct made *m, const char *name, const char *reason, const char *what)
{
	struct tls *t = serving(m);
	struct both b;
	bool good = shake(&b, t, name, true);

	if (!reason)
		ok(good, "%s", what);
	else
		ok(!good && b.client.why == CONN_TLS && strstr(conn_reason(b.client.c), reason), "%s: %s", what,
			conn_reason(b.client.c));
	both_free(&b);
	tls_unref(t);
}

static void trust(const char *file, const struct buf *pem)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", scratch_path, file);
	f = fopen(path, "w");
	if (buf_len(pem))
		fwrite(buf_data(pem), 1, buf_len(pem), f);
	fclose(f);
}

static void test_verify(const struct made *authority, const struct made *other)
{
	struct made mail = certificate_make(
		(struct wish){ .name = "x", .others = "DNS:mail.test,DNS:*.wide.test,IP:192.0.2.1" }, authority);
	struct made late = certificate_make(
		(struct wish){ .name = "x", .others = "DNS:mail.test", .days = -1 }, authority);
	struct made user = certificate_make(
		(struct wish){ .name = "x", .others = "DNS:mail.test", .purpose = "clientAuth" }, authority);

	trust("ca", &authority->chain);
	verified(&mail, "mail.test", NULL, "a certificate of the right name is good");
	verified(&mail, "MAIL.test", NULL, "in any case of letters");
	verified(&mail, "a.wide.test", NULL, "a star is one label");
	verified(&mail, "a.b.wide.test", "ostname", "and not two");
	verified(&mail, "wide.test", "ostname", "and not none");
	verified(&mail, "192.0.2.1", NULL, "an address may be in it");
	verified(&mail, "192.0.2.2", "IP", "another is not");
	verified(&mail, "evil.test", "ostname", "another name is not good");
	verified(&late, "mail.test", "expired", "one that is over is not good");
	verified(&user, "mail.test", "purpose", "nor is one for another purpose");
	verified(other, "mail.test", "self signed", "nor one that a stranger certified");
	trust("ca", &other->chain);
	verified(&mail, "mail.test", "issuer", "other authorities are taken up when the file changes");
	trust("ca", &(struct buf){ 0 });
	verified(&mail, "mail.test", "authorities", "without authorities nobody is trusted");
	made_free(&mail);
	made_free(&late);
	made_free(&user);
}

static void test_injected(void)
{
	struct host h = listening("127.0.0.1", 8);
	struct end e;
	struct peer p;

	connecting(&e, &h, NULL);
	e.habit = LINES;
	p = (struct peer){ .fd = accepted(&h) };
	peer_says(&p, "220 go ahead\r\n250 inj");
	while (not_yet(buf_len(&e.got)))
		;
	ok(conn_start_tls_client(e.c, STR("a.test"), false) == ERR_MISTAKE && !conn_secure(e.c),
		"what stands behind the reply to STARTTLS in clear text is not taken into TLS");
	pair_free(&e, &p);
	close(h.fd);
}

static struct conf *conf_trusting(void)
{
	static const struct settings *const tables[] = { &tls_settings, NULL };
	struct conf *conf = conf_new(tables);
	struct buf why = { 0 };
	char path[64];

	snprintf(path, sizeof(path), "%s/ca", scratch_path);
	if (!conf_set(conf, "tls", NULL, "ca", path, &why))
		abort();
	buf_free(&why);
	return conf;
}

int main(void)
{
	struct wish root = { .name = "root", .authority = true }, mail = { .name = "x", .others = "DNS:mail.test" };
	struct made authority = certificate_make(root, NULL), other = certificate_make(mail, NULL);
	int directory = scratch_open();

	log_set_levels("error");
	worker_start();
	worker.conf = conf_trusting();
	test_reaching("127.0.0.1");
	test_reaching("::1");
	test_from();
	test_nobody();
	test_leaving();
	test_last_words();
	test_any(&other);
	test_verify(&authority, &other);
	test_injected();
	conf_unref(worker.conf);
	made_free(&authority);
	made_free(&other);
	worker_end();
	scratch_close(directory);
	return done();
}
