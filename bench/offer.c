/* offer.c - strangers with a message each: a connection, a message of 4 kB, QUIT.
 *   offer PORT ACCOUNTS SECONDS RATE
 * Begins RATE of them in a second, whatever becomes of those before (an open loop); with RATE 0 as many as can be, 200 at a
 * time. All goes to 127.0.0.1, from many addresses. Prints name=value lines: begun, taken (250 for the message), put_off
 * (421, 450 to 459), failed (anything else, or no end within 60 s), seconds, p50_us and p99_us from connecting to the
 * 250. */
#include "core/buf.h"
#include "core/mem.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define AT_A_TIME     200 /* where no rate is given */
#define STRANGERS_MAX 20000
#define SAMPLES_MAX   1000000
#define LIMIT_US      60000000
#define BYTES         4096

struct stranger {
	TAILQ_ENTRY(stranger) link; /* oldest first */
	int fd;
	unsigned step, number;
	struct buf in, out;
	int64_t began_us;
};

static struct {
	TAILQ_HEAD(strangers, stranger) all;
	unsigned port, accounts, open;
	int epoll;
	uint64_t begun, taken, put_off, failed;
	struct str message;
	uint32_t *samples;
	size_t sample_count;
} offer = { .all = TAILQ_HEAD_INITIALIZER(offer.all) };

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void end(struct stranger *s)
{
	TAILQ_REMOVE(&offer.all, s, link);
	offer.open--;
	close(s->fd);
	buf_free(&s->in);
	buf_free(&s->out);
	free(s);
}

/* Whoever connects comes from an address of many, so that there are ports enough. */
static void begin(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)offer.port) }, from = to;
	struct stranger *s = mem_new(struct stranger);
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = s };
	int on = 1;

	s->number = (unsigned)offer.begun++;
	s->began_us = now_us();
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	TAILQ_INSERT_TAIL(&offer.all, s, link);
	offer.open++;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	from.sin_addr.s_addr = htonl((127u << 24) + ((s->number % 200 + 1) << 8) + 1);
	from.sin_port = 0;
	setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&from, sizeof(from)) ||
		(connect(s->fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS) ||
		epoll_ctl(offer.epoll, EPOLL_CTL_ADD, s->fd, &e)) {
		perror("offer: connect");
		exit(1);
	}
}

/* The next word to a reply as it was hoped for. */
static void go_on(struct stranger *s)
{
	switch (s->step++) {
	case 0:
		buf_add_str(&s->out, STR("EHLO stranger.test\r\n"));
		break;
	case 1:
		buf_add_str(&s->out, STR("MAIL FROM:<a@far.test>\r\n"));
		break;
	case 2:
		buf_printf(&s->out, "RCPT TO:<test%04u@example.test>\r\n", s->number % offer.accounts);
		break;
	case 3:
		buf_add_str(&s->out, STR("DATA\r\n"));
		break;
	case 4:
		buf_add_str(&s->out, offer.message);
		break;
	case 5:
		offer.taken++;
		if (offer.sample_count < SAMPLES_MAX)
			offer.samples[offer.sample_count++] = (uint32_t)(now_us() - s->began_us);
		buf_add_str(&s->out, STR("QUIT\r\n"));
	}
}

/* False: it is gone. */
static bool hear(struct stranger *s, struct str line)
{
	static const char expected[] = { '2', '2', '2', '2', '3', '2' };

	if (s->step > 5 || (line.len > 3 && line.p[3] == '-'))
		return true;
	if (line.len && line.p[0] == expected[s->step]) {
		go_on(s);
		return true;
	}
	if (str_starts(line, STR("421")) || str_starts(line, STR("45")))
		offer.put_off++;
	else if (offer.failed++ < 5)
		fprintf(stderr, "offer: step %u: " STR_FMT "\n", s->step, STR_ARG(line));
	end(s);
	return false;
}

static void ready(struct stranger *s)
{
	ssize_t n;

	for (;;) {
		ptrdiff_t lf;

		while (buf_len(&s->out) &&
			(n = send(s->fd, buf_data(&s->out), buf_len(&s->out), MSG_NOSIGNAL | MSG_DONTWAIT)) > 0)
			buf_take(&s->out, (size_t)n);
		n = recv(s->fd, buf_room(&s->in, 2048), 2048, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
			return;
		if (n <= 0) {
			if (s->step < 6 && offer.failed++ < 5)
				fprintf(stderr, "offer: step %u: the connection ended\n", s->step);
			end(s);
			return;
		}
		buf_added(&s->in, (size_t)n);
		while ((lf = str_find(buf_str(&s->in), '\n')) >= 0) {
			if (!hear(s, str_cut(buf_str(&s->in), 0, (size_t)lf)))
				return;
			buf_take(&s->in, (size_t)lf + 1);
		}
	}
}

static void wait_some(int ms)
{
	struct epoll_event events[256];
	int count = epoll_wait(offer.epoll, events, 256, ms);

	for (int i = 0; i < count; i++)
		ready(events[i].data.ptr);
	for (struct stranger *s; (s = TAILQ_FIRST(&offer.all)) && now_us() - s->began_us > LIMIT_US; end(s))
		offer.failed += s->step < 6;
}

static void run(unsigned seconds, unsigned rate)
{
	int64_t start_us = now_us(), passed_us;

	while ((passed_us = now_us() - start_us) < (int64_t)seconds * 1000000) {
		while (rate && offer.begun < (uint64_t)passed_us * rate / 1000000) {
			if (offer.open < STRANGERS_MAX) {
				begin();
				continue;
			}
			offer.begun++;
			offer.failed++;
		}
		while (!rate && offer.open < AT_A_TIME)
			begin();
		wait_some(1);
	}
	while (offer.open)
		wait_some(100);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t percentile(double part)
{
	return offer.sample_count ? offer.samples[(size_t)((double)(offer.sample_count - 1) * part)] : 0;
}

int main(int argc, char **argv)
{
	struct rlimit limit = { 2 * STRANGERS_MAX, 2 * STRANGERS_MAX };
	struct buf b = { 0 };
	int64_t start_us = now_us();

	if (argc != 5 || !(offer.accounts = (unsigned)atoi(argv[2]))) {
		fprintf(stderr, "usage: offer PORT ACCOUNTS SECONDS RATE\n");
		return 2;
	}
	setrlimit(RLIMIT_NOFILE, &limit);
	offer.port = (unsigned)atoi(argv[1]);
	offer.samples = mem_alloc(SAMPLES_MAX * sizeof(*offer.samples));
	offer.epoll = epoll_create1(EPOLL_CLOEXEC);
	buf_add_str(&b, STR("From: a@far.test\r\nSubject: offered\r\nMessage-ID: <1@far.test>\r\n\r\n"));
	while (buf_len(&b) < BYTES)
		buf_add_str(&b, STR("The quick brown fox jumps over the lazy dog, and over again.\r\n"));
	buf_add_str(&b, STR(".\r\n"));
	offer.message = buf_str(&b);
	run((unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
	qsort(offer.samples, offer.sample_count, sizeof(*offer.samples), by_size);
	printf("begun=%llu\ntaken=%llu\nput_off=%llu\nfailed=%llu\nseconds=%.3f\np50_us=%u\np99_us=%u\n",
		(unsigned long long)offer.begun, (unsigned long long)offer.taken, (unsigned long long)offer.put_off,
		(unsigned long long)offer.failed, (double)(now_us() - start_us) / 1e6, percentile(0.5),
		percentile(0.99));
	buf_free(&b);
	free(offer.samples);
	return 0;
}
