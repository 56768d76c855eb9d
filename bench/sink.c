/* sink.c - where a benchmark's mail goes: takes whatever comes by SMTP, as fast as can be, and counts it.
 *   sink PORT DESTINATIONS
 * Destination n (from 1) listens on 127.1.(n / 250).(n % 250 + 1); destination 0 is dead: its connections are opened by
 * the system, and nobody ever speaks. Prints "ready", then for each line of its input how much came until now, as
 * name=value words: messages, recipients, bytes, connections, destinations (with at least one message). Ends with its
 * input. */
#include "core/buf.h"
#include "core/mem.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESTINATIONS_MAX 10000
#define BACKLOG          1024
#define READ_AT_ONCE     65536

enum state { COMMANDS, CONTENT, CHUNK };

struct place { /* a listening socket, or a connection: the first member tells which */
	int fd;
	bool listens;
	unsigned destination;
	/* Of a connection. */
	enum state state;
	bool last; /* the chunk is */
	uint64_t left;
	unsigned recipients;
	struct buf in, out;
};

static struct {
	int epoll;
	uint64_t messages, recipients, bytes, connections, destinations;
	bool reached[DESTINATIONS_MAX + 1];
} sink;

static const char
	*const offers = "250-sink.test\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n250-8BITMIME\r\n250-CHUNKING\r\n"
			"250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250 SMTPUTF8\r\n";

static void say(struct place *c, const char *reply)
{
	buf_add_str(&c->out, str_of(reply));
}

static void took(struct place *c)
{
	say(c, "250 2.0.0 taken\r\n");
	sink.messages++;
	sink.recipients += c->recipients;
	sink.destinations += !sink.reached[c->destination];
	sink.reached[c->destination] = true;
	c->recipients = 0;
	c->state = COMMANDS;
}

/* False: it said QUIT. */
static bool command(struct place *c, struct str line)
{
	if (str_starts_nocase(line, STR("RCPT"))) {
		c->recipients++;
		say(c, "250 2.1.5 yes\r\n");
	} else if (str_starts_nocase(line, STR("EHLO"))) {
		say(c, offers);
	} else if (str_starts_nocase(line, STR("DATA"))) {
		say(c, "354 go on\r\n");
		c->state = CONTENT;
	} else if (str_starts_nocase(line, STR("BDAT "))) {
		c->left = strtoull(line.p + 5, NULL, 10); /* a line end stands behind the number */
		c->last = line.p[line.len - 1] == 'T' || line.p[line.len - 1] == 't';
		c->state = CHUNK;
	} else if (str_starts_nocase(line, STR("QUIT"))) {
		say(c, "221 2.0.0 bye\r\n");
		return false;
	} else {
		say(c, "250 2.0.0 yes\r\n");
	}
	return true;
}

/* Takes what it can of the input; false: the connection is over. */
static bool take(struct place *c)
{
	for (;;) {
		struct str in = buf_str(&c->in);
		ptrdiff_t lf;
		const char *end;

		switch (c->state) {
		case COMMANDS:
			if ((lf = str_find(in, '\n')) < 0)
				return true;
			if (!command(c, str_trim(str_cut(in, 0, (size_t)lf))))
				return false;
			/* The line end of DATA stays before the content, whose end may be its first line. */
			buf_take(&c->in, (size_t)lf + 1 - (c->state == CONTENT ? 2 : 0));
			break;
		case CONTENT:
			if (!(end = memmem(in.p, in.len, "\r\n.\r\n", 5))) {
				size_t done = in.len > 4 ? in.len - 4 : 0;

				sink.bytes += done;
				buf_take(&c->in, done);
				return true;
			}
			sink.bytes += (uint64_t)(end - in.p);
			buf_take(&c->in, (size_t)(end - in.p) + 5);
			took(c);
			break;
		case CHUNK:
			if (in.len < c->left) {
				c->left -= in.len;
				sink.bytes += in.len;
				buf_clear(&c->in);
				return true;
			}
			sink.bytes += c->left;
			buf_take(&c->in, (size_t)c->left);
			c->state = COMMANDS;
			if (c->last)
				took(c);
			else
				say(c, "250 2.0.0 more\r\n");
		}
	}
}

static void watch(struct place *p)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = p };

	if (epoll_ctl(sink.epoll, EPOLL_CTL_ADD, p->fd, &ev)) {
		perror("sink: epoll");
		exit(1);
	}
}

static void on_accept(struct place *l)
{
	struct place *c;
	int on = 1, fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c = mem_new(struct place);
	c->fd = fd;
	c->destination = l->destination;
	sink.connections++;
	send(fd, "220 sink.test ESMTP\r\n", 21, MSG_NOSIGNAL);
	watch(c);
}

static void on_input(struct place *c)
{
	ssize_t n = read(c->fd, buf_room(&c->in, READ_AT_ONCE), READ_AT_ONCE);
	bool goes_on = n > 0;

	if (goes_on) {
		buf_added(&c->in, (size_t)n);
		goes_on = take(c);
		/* Replies are far shorter than any socket's buffer. */
		if (buf_len(&c->out) && send(c->fd, buf_data(&c->out), buf_len(&c->out), MSG_NOSIGNAL) < 0)
			goes_on = false;
		buf_clear(&c->out);
	}
	if (goes_on)
		return;
	close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

static void listen_at(unsigned destination, unsigned port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct place *l = mem_new(struct place);
	int on = 1;

	at.sin_addr.s_addr = htonl(0x7f010001 + (destination / 250 << 8) + destination % 250);
	l->listens = true;
	l->destination = destination;
	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(l->fd, (struct sockaddr *)&at, sizeof(at)) || listen(l->fd, BACKLOG)) {
		perror("sink: listen");
		exit(1);
	}
	if (destination)
		watch(l);
}

/* False: the input is over. */
static bool tell(void)
{
	char line[64];

	if (read(0, line, sizeof(line)) <= 0)
		return false;
	printf("messages=%llu recipients=%llu bytes=%llu connections=%llu destinations=%llu\n",
		(unsigned long long)sink.messages, (unsigned long long)sink.recipients, (unsigned long long)sink.bytes,
		(unsigned long long)sink.connections, (unsigned long long)sink.destinations);
	fflush(stdout);
	return true;
}

int main(int argc, char **argv)
{
	unsigned port = argc == 3 ? (unsigned)atoi(argv[1]) : 0, count = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
	struct epoll_event events[256];
	struct rlimit files;

	if (!port || !count || count > DESTINATIONS_MAX) {
		fprintf(stderr, "sink: PORT DESTINATIONS\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	sink.epoll = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned n = 0; n <= count; n++)
		listen_at(n, port);
	epoll_ctl(sink.epoll, EPOLL_CTL_ADD, 0, &(struct epoll_event){ .events = EPOLLIN });
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(sink.epoll, events, 256, -1);

		for (int i = 0; i < n; i++) {
			struct place *p = events[i].data.ptr;

			if (!p && !tell())
				return 0;
			if (p && p->listens)
				on_accept(p);
			else if (p)
				on_input(p);
		}
	}
}
