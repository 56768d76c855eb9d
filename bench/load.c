/* load.c - a client for benchmarks: many connections, one thread, one scenario, and what it took.
 *   load smtp  PORT CONNECTIONS MESSAGES ACCOUNTS   messages of the sizes below, one transaction after the other
 *   load lmtp  PORT CONNECTIONS MESSAGES ACCOUNTS   the same by LMTP
 *   load relay PORT CONNECTIONS MESSAGES DOMAINS    by SMTP to addresses elsewhere, at d0001.test and so on
 *   load fetch PORT CONNECTIONS ROUNDS ITEMS        IMAP: SELECT, then `FETCH 1:* ITEMS` so often
 *   load pop3  PORT CONNECTIONS SESSIONS            POP3: USER PASS STAT UIDL LIST, RETR of all, QUIT
 *   load idle  PORT CONNECTIONS                     IMAP: LOGIN SELECT IDLE; says "ready", ends with its input
 * Connection n of fetch, pop3 and idle is account n modulo ACCOUNTS (environment, 10) of DOMAIN (example.test),
 * password PASSWORD (secret). With TLS=1 in the environment connections begin with TLS; with SIZE=1000 every message
 * has 1,000 bytes; with DEAD=100 each hundredth of relay is for d0000.test. All goes to 127.0.0.1. Prints name=value
 * lines: done, failed, seconds, rate, bytes, p50_us and p99_us of the wait that ends each operation. */
#include "core/buf.h"
#include "core/mem.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX    1000000
#define SILENCE_MAX_MS 60000 /* without any event: something hangs */
#define OPENED_AT_ONCE 100   /* connections opened and not yet greeted, or not yet at rest */

struct client {
	int fd;
	unsigned number;
	SSL *ssl; /* NULL in clear text */
	struct buf in, out;
	unsigned step, rounds, left, message;
	bool ended, body, greeted; /* body: within a multi-line answer */
	int64_t asked_us;
};

struct scenario {
	const char *name;
	int args;
	void (*on_line)(struct client *c, struct str line); /* from the server, without its line end */
};

static struct {
	const struct scenario *scenario;
	unsigned port, connections, target, accounts, started, ready, greeted, ended;
	const char *items, *domain, *password;
	unsigned dead; /* each so many; 0: none */
	SSL_CTX *tls;
	int epoll;
	uint64_t done, failed, bytes;
	uint32_t *samples;
	size_t sample_count;
} load;

static const char *setting(const char *name, const char *def)
{
	const char *value = getenv(name);

	return value && *value ? value : def;
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

__attribute__((format(printf, 2, 3))) static void say(struct client *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&c->out, fmt, ap);
	va_end(ap);
	c->asked_us = now_us();
}

/* An operation is through. */
static void count(struct client *c)
{
	load.done++;
	if (load.sample_count < SAMPLES_MAX)
		load.samples[load.sample_count++] = (uint32_t)(now_us() - c->asked_us);
}

static void end(struct client *c)
{
	if (c->ended)
		return;
	c->ended = true;
	load.ended++;
	load.greeted += !c->greeted;
	if (c->ssl)
		SSL_free(c->ssl);
	close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
}

static void fail(struct client *c, struct str line)
{
	if (load.failed++ < 5)
		fprintf(stderr, "load: %s: connection %u, step %u: " STR_FMT "\n", load.scenario->name, c->number,
			c->step, STR_ARG(line));
	end(c);
}

/* ---- smtp ---- */

static struct str messages[4];                                                /* dot-stuffed and ended */
static const unsigned char size_table[10] = { 0, 1, 1, 1, 1, 1, 2, 2, 2, 3 }; /* 20 kB on average */

static void make_messages(void)
{
	static const size_t sizes[4] = { 1024, 4096, 16384, 131072 };
	size_t size = (size_t)atoi(setting("SIZE", "0"));

	for (size_t i = 0; i < 4; i++) {
		struct buf b = { 0 };

		buf_printf(&b,
			"From: sender@example.test\r\nTo: somebody@example.test\r\nSubject: load\r\n"
			"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <load-%zu@example.test>\r\n\r\n",
			i);
		while (buf_len(&b) < (size ? size : sizes[i]))
			buf_printf(&b, "%08zx The quick brown fox jumps over the lazy dog, and over again.\r\n",
				buf_len(&b));
		buf_add_str(&b, STR(".\r\n"));
		messages[i] = buf_str(&b);
	}
}

/* Each account gets messages of every size. */
static unsigned recipient(unsigned message)
{
	return (message + message / load.accounts) % load.accounts;
}

static void next_message(struct client *c)
{
	if (load.started >= load.target) {
		c->step = 9;
		say(c, "QUIT\r\n");
		return;
	}
	c->message = load.started++;
	c->step = 2;
	say(c, "MAIL FROM:<sender@example.test>\r\n");
}

/* Where it goes: an account here, or anybody at one of the destinations. */
static void say_recipient(struct client *c)
{
	unsigned number = recipient(c->message);

	if (strcmp(load.scenario->name, "relay"))
		say(c, "RCPT TO:<test%04u@%s>\r\n", number, load.domain);
	else
		say(c, "RCPT TO:<u%u@d%04u.test>\r\n", c->message,
			load.dead && c->message % load.dead == 0 ? 0 : number + 1);
}

static void smtp_line(struct client *c, struct str line)
{
	static const char *const expected[] = { "220", "250", "250", "250", "354", "250" };

	if (c->step == 9) {
		end(c);
		return;
	}
	if (line.len >= 4 && line.p[3] == '-')
		return;
	if (!str_starts(line, str_of(expected[c->step]))) {
		fail(c, line);
		return;
	}
	switch (c->step++) {
	case 0:
		say(c, "%s load.example.test\r\n", strcmp(load.scenario->name, "lmtp") ? "EHLO" : "LHLO");
		break;
	case 2:
		say_recipient(c);
		break;
	case 3:
		say(c, "DATA\r\n");
		break;
	case 4:
		buf_add_str(&c->out, messages[size_table[c->message % 10]]);
		load.bytes += messages[size_table[c->message % 10]].len;
		c->asked_us = now_us();
		break;
	case 5:
		count(c);
		next_message(c);
		break;
	default:
		next_message(c);
	}
}

/* ---- IMAP ---- */

static bool is_tagged(struct str line)
{
	return str_starts(line, STR("a "));
}

static void login(struct client *c)
{
	say(c, "a LOGIN test%04u@%s %s\r\n", c->number % load.accounts, load.domain, load.password);
	c->step = 1;
}

static void fetch_line(struct client *c, struct str line)
{
	load.bytes += line.len + 2;
	if (c->step == 0) {
		login(c);
		return;
	}
	if (!is_tagged(line))
		return;
	if (!str_starts(line, STR("a OK"))) {
		fail(c, line);
		return;
	}
	if (c->step++ == 1) {
		say(c, "a SELECT INBOX\r\n");
		return;
	}
	if (c->step > 3)
		count(c);
	if (c->rounds++ == load.target)
		end(c);
	else
		say(c, "a FETCH 1:* %s\r\n", load.items);
}

static void idle_line(struct client *c, struct str line)
{
	if (c->step == 0) {
		login(c);
	} else if (c->step == 3 && str_starts(line, STR("+"))) {
		count(c);
		if (++load.ready == load.connections) {
			printf("ready\n");
			fflush(stdout);
		}
	} else if (is_tagged(line)) {
		if (!str_starts(line, STR("a OK")))
			fail(c, line);
		else if (c->step++ == 1)
			say(c, "a SELECT INBOX\r\n");
		else
			say(c, "a IDLE\r\n");
	}
}

/* ---- POP3 ---- */

enum { BANNER, USER, PASS, STAT, UIDL, LIST, RETR, QUIT };

/* The answer to a step is whole: asks for the next thing. */
static void pop3_next(struct client *c)
{
	switch (c->step) {
	case BANNER:
		say(c, "USER test%04u@%s\r\n", c->number % load.accounts, load.domain);
		break;
	case USER:
		say(c, "PASS %s\r\n", load.password);
		break;
	case PASS:
		say(c, "STAT\r\n");
		break;
	case STAT:
		say(c, "UIDL\r\n");
		break;
	case UIDL:
		say(c, "LIST\r\n");
		break;
	default:
		if (c->left) {
			c->step = LIST;
			say(c, "RETR %u\r\n", c->left--);
		} else {
			c->step = RETR;
			say(c, "QUIT\r\n");
		}
	}
	c->step++;
}

static void pop3_line(struct client *c, struct str line)
{
	load.bytes += line.len + 2;
	if (c->body) {
		if (!str_eq(line, STR(".")))
			return;
		c->body = false;
	} else if (!str_starts(line, STR("+OK"))) {
		fail(c, line);
		return;
	} else if (c->step == UIDL || c->step == LIST || c->step == RETR) {
		c->body = true;
		return;
	}
	if (c->step == STAT)
		c->left = (unsigned)strtoul(line.p + 4, NULL, 10);
	if (c->step != BANNER)
		count(c); /* every command is one operation */
	if (c->step == QUIT)
		end(c);
	else
		pop3_next(c);
}

/* ---- connections ---- */

static const struct scenario scenarios[] = {
	{ "smtp", 4, smtp_line },
	{ "lmtp", 4, smtp_line },
	{ "relay", 4, smtp_line },
	{ "fetch", 4, fetch_line },
	{ "pop3", 3, pop3_line },
	{ "idle", 2, idle_line },
};

static ssize_t client_read(struct client *c, void *bytes, size_t len)
{
	return c->ssl ? SSL_read(c->ssl, bytes, (int)len) : read(c->fd, bytes, len);
}

static void flush(struct client *c)
{
	while (!c->ended && buf_len(&c->out)) {
		ssize_t n = c->ssl ? SSL_write(c->ssl, buf_data(&c->out), (int)buf_len(&c->out))
		                   : send(c->fd, buf_data(&c->out), buf_len(&c->out), MSG_NOSIGNAL);

		if (n <= 0)
			return; /* edge-triggered: it will be told when there is room */
		buf_take(&c->out, (size_t)n);
	}
}

static void take_lines(struct client *c)
{
	size_t used = 0;

	while (!c->ended) {
		struct str left = str_cut(buf_str(&c->in), used, buf_len(&c->in));
		ptrdiff_t lf = str_find(left, '\n');

		if (lf < 0)
			break;
		used += (size_t)lf + 1;
		load.greeted += !c->greeted;
		c->greeted = true;
		load.scenario->on_line(c, str_cut(left, 0, (size_t)lf - (lf > 0 && left.p[lf - 1] == '\r')));
	}
	if (!c->ended)
		buf_take(&c->in, used);
}

static void on_event(struct client *c)
{
	ssize_t n;

	while (!c->ended && (n = client_read(c, buf_room(&c->in, 65536), 65536)) > 0) {
		buf_added(&c->in, (size_t)n);
		take_lines(c);
		flush(c);
	}
	if (c->ended)
		return;
	if (c->ssl ? SSL_get_error(c->ssl, (int)n) != SSL_ERROR_WANT_READ : n == 0 || errno != EAGAIN)
		fail(c, STR("the server ended the connection"));
	flush(c);
	if (!c->ended && !buf_len(&c->in)) /* thousands of idle ones should not hold memory here */
		buf_free(&c->in);
}

static void connect_one(unsigned number)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)load.port) };
	struct client *c = mem_new(struct client);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP, .data.ptr = c };
	int on = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->number = number;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to))) {
		fail(c, STR("cannot connect"));
		return;
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	if (load.tls) {
		c->ssl = SSL_new(load.tls);
		SSL_set_fd(c->ssl, c->fd);
		SSL_set_connect_state(c->ssl);
	}
	epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &ev);
}

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void report(int64_t us)
{
	double seconds = (double)us / 1e6;

	qsort(load.samples, load.sample_count, sizeof(*load.samples), by_value);
	printf("done=%llu\nfailed=%llu\nseconds=%.3f\nrate=%.1f\nbytes=%llu\n", (unsigned long long)load.done,
		(unsigned long long)load.failed, seconds, (double)load.done / seconds, (unsigned long long)load.bytes);
	if (load.sample_count)
		printf("p50_us=%u\np99_us=%u\n", load.samples[load.sample_count / 2],
			load.samples[load.sample_count * 99 / 100]);
}

static bool configure(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(scenarios) / sizeof(*scenarios); i++)
		if (!strcmp(argv[1], scenarios[i].name) && argc == scenarios[i].args + 2)
			load.scenario = &scenarios[i];
	if (!load.scenario) {
		fprintf(stderr, "load: smtp|lmtp|relay PORT CONNECTIONS MESSAGES ACCOUNTS | "
				"fetch PORT CONNECTIONS ROUNDS ITEMS | "
				"pop3 PORT CONNECTIONS SESSIONS | idle PORT CONNECTIONS\n");
		return false;
	}
	load.port = (unsigned)atoi(argv[2]);
	load.connections = (unsigned)atoi(argv[3]);
	load.target = argc > 4 ? (unsigned)atoi(argv[4]) : 0;
	load.accounts = (unsigned)atoi(setting("ACCOUNTS", "10"));
	load.domain = setting("DOMAIN", "example.test");
	load.password = setting("PASSWORD", "secret");
	load.dead = (unsigned)atoi(setting("DEAD", "0"));
	if (argc > 5 && load.scenario->on_line == smtp_line)
		load.accounts = (unsigned)atoi(argv[5]);
	else if (argc > 5)
		load.items = argv[5];
	if (getenv("TLS"))
		load.tls = SSL_CTX_new(TLS_client_method());
	return load.connections && load.accounts;
}

/* POP3 sessions end one by one: as many connections as there are sessions, so many at a time. */
static unsigned connections_wanted(void)
{
	return load.scenario->on_line == pop3_line ? load.target : load.connections;
}

static int run(void)
{
	struct epoll_event events[256];
	unsigned opened = 0, wanted = connections_wanted();
	int64_t start = now_us();
	bool idle = load.scenario->on_line == idle_line;

	if (idle)
		epoll_ctl(load.epoll, EPOLL_CTL_ADD, 0, &(struct epoll_event){ .events = EPOLLIN });
	while (load.ended < wanted) {
		int n;

		while (opened < wanted && opened - load.ended < load.connections &&
			opened - (idle ? load.ready + load.ended : load.greeted) < OPENED_AT_ONCE)
			connect_one(opened++);
		if (load.ended == wanted)
			break; /* none could connect */
		n = epoll_wait(load.epoll, events, 256, idle && load.ready == load.connections ? -1 : SILENCE_MAX_MS);
		if (n == 0) {
			fprintf(stderr, "load: nothing has happened for %d s\n", SILENCE_MAX_MS / 1000);
			return 1;
		}
		for (int i = 0; i < n; i++) {
			if (!events[i].data.ptr) /* standard input: the idle ones may go */
				return load.failed != 0;
			on_event(events[i].data.ptr);
		}
	}
	report(now_us() - start);
	return load.failed != 0;
}

int main(int argc, char **argv)
{
	struct rlimit files;

	if (!configure(argc, argv))
		return 2;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	make_messages();
	load.samples = mem_alloc(SAMPLES_MAX * sizeof(*load.samples));
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	return run();
}
