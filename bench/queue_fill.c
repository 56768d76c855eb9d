/* queue_fill.c - a queue full of mail for a benchmark, written as a server would have left it.
 *   queue_fill DIR WORKERS MESSAGES DESTINATIONS
 * DIR is a server's store, and the server does not run. Each worker gets its share: messages of one recipient, all of
 * the same moment, in turn for d0000.test, d0001.test ...; a round of them from test0000, the next from postmaster. */
#include "core/mem.h"
#include "storage/queue/envelope_form.h"
#include "storage/queue/parts.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SEGMENT (64u << 20)
#define PIECE   (1u << 20)

static const char message[] = "Subject: news\nFrom: test0000@example.test\nDate: Mon, 23 Nov 2026 05:40:43 +0000\n\n"
			      "What is new, in a few words that are the same for everybody. They wait to be sent.\n";

struct segment {
	const char *directory;
	unsigned worker;
	int fd;
	uint64_t length;
	struct buf out;
};

static void fail(const char *what)
{
	fprintf(stderr, "queue_fill: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void flush(struct segment *s)
{
	struct str left = buf_str(&s->out);

	while (left.len) {
		ssize_t n = write(s->fd, left.p, left.len);

		if (n < 0)
			fail("write");
		left = str_cut(left, (size_t)n, left.len);
	}
	s->length += buf_len(&s->out);
	buf_clear(&s->out);
}

static void segment_end(struct segment *s)
{
	if (s->fd < 0)
		return;
	flush(s);
	close(s->fd);
	s->fd = -1;
}

static void segment_begin(struct segment *s, uint64_t number)
{
	char path[4096];

	segment_end(s);
	snprintf(path, sizeof(path), "%s/queue/%u/%012" PRIx64 ".mbox", s->directory, s->worker, number);
	s->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (s->fd < 0)
		fail(path);
	s->length = 0;
}

static void add(struct segment *s, uint64_t number, struct str sender, unsigned destination, time_t now)
{
	char address[64];
	int len = snprintf(address, sizeof(address), "recipient%" PRIu64 "@d%04u.test", number, destination);
	struct queue_recipient to = { .address = { address, (size_t)len } };
	struct queue_envelope e = { .sender = sender,
		.id = STR("0-13a4b5c6d7.1"),
		.account = sender,
		.peer = STR("192.0.2.1"),
		.arrived_s = now,
		.recipients = &to,
		.count = 1 };
	struct envelope_head h = { .id = (uint64_t)s->worker << ID_NUMBER_BITS | number,
		.stored = sizeof(message) - 1,
		.header = (uint32_t)(strstr(message, "\n\n") + 2 - message),
		.count = 1 };

	h.wire = h.stored;
	for (const char *c = message; *c; c++)
		h.wire += *c == '\n';
	envelope_form_print(&s->out, &h, &e);
	buf_add(&s->out, message, h.stored);
	buf_add_char(&s->out, '\n');
	if (buf_len(&s->out) >= PIECE)
		flush(s);
}

int main(int argc, char **argv)
{
	static const struct str senders[] = { STR("test0000@example.test"), STR("postmaster@example.test") };
	unsigned workers, messages, destinations;
	time_t now = time(NULL);
	char path[4096];

	if (argc != 5 || !(workers = (unsigned)atoi(argv[2])) || !(destinations = (unsigned)atoi(argv[4]))) {
		fprintf(stderr, "queue_fill DIR WORKERS MESSAGES DESTINATIONS\n");
		return 2;
	}
	messages = (unsigned)atoi(argv[3]);
	snprintf(path, sizeof(path), "%s/queue", argv[1]);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		fail(path);
	for (unsigned w = 0; w < workers; w++) {
		struct segment s = { argv[1], w, -1, 0, { 0 } };
		uint64_t number = 1u << 20; /* above all that this store may have given already */

		snprintf(path, sizeof(path), "%s/queue/%u", argv[1], w);
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			fail(path);
		for (unsigned i = w; i < messages; i += workers, number++) {
			if (s.fd < 0 || s.length + buf_len(&s.out) > SEGMENT - PIECE)
				segment_begin(&s, number);
			add(&s, number, senders[i / workers / destinations % 2], i / workers % destinations, now);
		}
		segment_end(&s);
		buf_free(&s.out);
	}
	return 0;
}
