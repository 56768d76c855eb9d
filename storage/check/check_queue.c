/* check_queue.c - the files of a worker's queue are looked over, one after the other in the slow lane: envelopes, and lines
 * about recipients. They are in use: what stands at the end of a file that was written to just now may not be whole yet,
 * and a file may be gone. What is damaged was left out when the worker read it, and its file stays (queue/load.c). */
#include "core/arena.h"
#include "storage/check/check_parts.h"
#include "storage/queue/envelope_form.h"
#include "storage/queue/fate_form.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PIECE  (128u << 10)
#define JUST_S 10 /* ago: it may be written to now */

struct queue_file {
	int fd;
	uint64_t size;
	bool fresh; /* its end may be under way */
	const char *path;
	struct found *found;
};

static void tell(const struct queue_file *q, uint64_t offset, const char *text)
{
	struct problem p = { .path = str_of(q->path), .offset = offset, .text = str_of(text), .mend = MEND_NONE };

	found_add(q->found, &p);
}

/* Bytes from `at` on, as many as there are of `want`. */
static struct str read_at(const struct queue_file *q, uint64_t at, size_t want, struct buf *b)
{
	ssize_t n;

	buf_clear(b);
	n = pread(q->fd, buf_room(b, want), want, (off_t)at);
	buf_added(b, n > 0 ? (size_t)n : 0);
	return buf_str(b);
}

static enum envelope_told head_at(const struct queue_file *q, uint64_t at, struct envelope_head *h)
{
	struct buf b = { 0 };
	enum envelope_told told = envelope_form_head(read_at(q, at, ENVELOPE_HEAD_MAX, &b), h);

	buf_free(&b);
	return told;
}

static bool envelope_is_good(const struct queue_file *q, uint64_t at, const struct envelope_head *h)
{
	struct queue_envelope e;
	struct arena a = { 0 };
	struct buf b = { 0 };
	struct str bytes = read_at(q, at, h->prefix, &b);
	bool good = bytes.len == h->prefix && envelope_form_read(bytes, h, &e, &a);

	arena_free(&a);
	buf_free(&b);
	return good;
}

/* Where the next envelope begins behind `at`; the file's end: there is none. */
static uint64_t next_envelope(const struct queue_file *q, uint64_t at)
{
	static const char mark[] = "\n\nFrom ";
	size_t len = sizeof(mark) - 1;
	struct buf b = { 0 };
	struct envelope_head h;

	while (at + len < q->size) {
		struct str bytes = read_at(q, at, PIECE, &b);
		const char *found = bytes.len < len ? NULL : memmem(bytes.p, bytes.len, mark, len);

		if (bytes.len < len)
			break;
		at += found ? (uint64_t)(found - bytes.p) + 2 : bytes.len - len + 1;
		if (found && head_at(q, at, &h) == ENVELOPE_WELL) {
			buf_free(&b);
			return at;
		}
	}
	buf_free(&b);
	return q->size;
}

static void look_mbox(const struct queue_file *q)
{
	uint64_t at = 0;

	while (at < q->size) {
		struct envelope_head h = { 0 };
		enum envelope_told told = head_at(q, at, &h);
		uint64_t end = at + h.prefix + h.stored + 1, next;

		if (told == ENVELOPE_WELL && end <= q->size && envelope_is_good(q, at, &h)) {
			at = end;
			continue;
		}
		next = next_envelope(q, at);
		if (next < q->size || !q->fresh)
			tell(q, at,
				told == ENVELOPE_NEWER ? "a message is of a later version, it waits for that"
						       : "a message that waits is damaged: it is left out, and stays");
		at = next;
	}
}

static void look_state(const struct queue_file *q)
{
	struct buf bytes = { 0 }, piece = { 0 };
	uint64_t at = 0, line_at = 0;
	struct fate f;

	while (at < q->size) {
		struct str more = read_at(q, at, PIECE, &piece);
		ptrdiff_t lf;

		if (!more.len)
			break;
		at += more.len;
		buf_add_str(&bytes, more);
		while ((lf = str_find(buf_str(&bytes), '\n')) >= 0) {
			enum fate_told told = fate_read(str_cut(buf_str(&bytes), 0, (size_t)lf), &f, NULL);

			if (told == FATE_NEWER)
				tell(q, line_at, "the file is of a later version, its messages wait for that");
			else if (told == FATE_BAD)
				tell(q, line_at, "a line of the state file is not understood");
			line_at += (uint64_t)lf + 1;
			buf_take(&bytes, (size_t)lf + 1);
		}
		if (buf_len(&bytes) > FATE_LINE_MAX) { /* no line is so long */
			tell(q, line_at, "a line of the state file is not understood");
			line_at += buf_len(&bytes);
			buf_clear(&bytes);
		}
	}
	buf_free(&bytes);
	buf_free(&piece);
}

void look_queue_file(int directory, const char *path, struct found *f)
{
	struct queue_file q = { .path = path, .found = f };
	struct str name = str_of(path), state = STR(".state"), mbox = STR(".mbox");
	struct stat st;

	q.fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	if (q.fd < 0 || fstat(q.fd, &st) || !S_ISREG(st.st_mode)) {
		if (q.fd >= 0)
			close(q.fd);
		return; /* it is gone */
	}
	q.size = (uint64_t)st.st_size;
	q.fresh = time(NULL) - st.st_mtime < JUST_S;
	if (name.len > state.len && str_eq(str_cut(name, name.len - state.len, name.len), state))
		look_state(&q);
	else if (name.len > mbox.len && str_eq(str_cut(name, name.len - mbox.len, name.len), mbox))
		look_mbox(&q);
	close(q.fd);
}
