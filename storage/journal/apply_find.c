/* apply_find.c - where an entry stands that may have been applied before: in replay, or after a failure half way through.
 * It is looked for at its place, then by the X-UID and the clock of its first message in all of the file, for it may have
 * found another place then, and another program may have rewritten it since. What begins with a NUL is what a power cut
 * left of nobody's.
 *
 * A power cut may also take a message that had found another place, and leave one behind it. In replay it is put back into
 * the gap: where others of the same file were found tells how far it has moved, those before it, or, if there are none,
 * the first behind it that is there. So messages keep their order, and none is written behind one that is half there,
 * which would be whole no more. What is left of the last one at the end of the file is written over. */
#include "core/mem.h"
#include "storage/journal/apply_parts.h"
#include "storage/journal/marks.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HEAD_LOOK  (16u << 10)   /* bytes of what is written that are compared */
#define FIND_PIECE (256u << 10)  /* of a file that is searched */
#define FIND_BACK  (2u * 65536u) /* a message's X-UID is not farther before its X-Postern */
#define AHEAD_LOOK (16u << 20)   /* bytes of the file's end in which entries ahead are looked for */
#define LEFT_LEAST 32            /* bytes of a message that tell that a power cut left them of it and of no other */
#define DISPLACED  1             /* marks: how far the entries of a file have moved is not known ... */
#define MOVED_BY   (UINT64_C(1) << 62) /* ... or is this much less */

/* What the operation's bytes begin with. */
static bool head_read(const struct files *f, const struct operation *op, struct buf *head)
{
	char text[PATH_BYTES_MAX + 1];
	size_t want = op->len < HEAD_LOOK ? (size_t)op->len : HEAD_LOOK;
	ssize_t n;
	int fd;

	if (op->kind == OP_WRITE) {
		buf_add(head, op->bytes.p, op->bytes.len < HEAD_LOOK ? op->bytes.len : HEAD_LOOK);
		return true;
	}
	snprintf(text, sizeof(text), STR_FMT, STR_ARG(op->other));
	if ((fd = openat(f->directory, text, O_RDONLY | O_CLOEXEC)) < 0)
		return true; /* whoever copies it says so */
	n = pread(fd, buf_room(head, want), want, 0);
	close(fd);
	buf_added(head, n > 0 ? (size_t)n : 0);
	return n >= 0;
}

/* Whether `bytes` may be what a power cut left of head: where they differ there was no write, so there is a NUL. */
static bool is_torn(const char *bytes, struct str head)
{
	for (size_t i = 0; i < head.len; i++)
		if (bytes[i] && bytes[i] != head.p[i])
			return false;
	return true;
}

/* How the file goes on from there: 1: as head; -1: with other bytes; 0: with a NUL, with what a power cut left of head, or
 * not at all. */
static int compare_at(int fd, uint64_t at, struct str head)
{
	struct buf b = { 0 };
	ssize_t n = pread(fd, buf_room(&b, head.len), head.len, (off_t)at);
	int same = n > 0 ? -1 : 0;

	if (n > 0 && !memcmp(buf_data(&b), head.p, (size_t)n))
		same = 1;
	else if (n > 0 && (!buf_data(&b)[0] || is_torn(buf_data(&b), str_cut(head, 0, (size_t)n))))
		same = 0;
	buf_free(&b);
	return same;
}

struct finding {
	struct str line; /* X-Postern, or all of what the state file is told */
	struct str uid;  /* X-UID; empty: it need not be there */
	size_t line_at;  /* in the head */
};

static struct str line_of(struct str head, const char *field, size_t *at)
{
	const char *line = memmem(head.p, head.len, field, strlen(field));
	struct str found;
	ptrdiff_t lf;

	if (!line)
		return STR_NONE;
	*at = (size_t)(line - head.p);
	found = str_cut(head, *at, head.len);
	lf = str_find(found, '\n');
	return str_cut(found, 0, lf < 0 ? 0 : (size_t)lf + 1);
}

/* Looks in `text`, which lies at `at` in the file. */
static bool found_in(const struct finding *w, struct str text, uint64_t at, uint64_t *where)
{
	struct str left = text;
	const char *hit;

	while ((hit = memmem(left.p, left.len, w->line.p, w->line.len))) {
		size_t from = (size_t)(hit - text.p), back = from < FIND_BACK ? from : FIND_BACK;
		bool begins = !from ? !at : hit[-1] == '\n';

		if (begins && (!w->uid.len || memmem(hit - back, back, w->uid.p, w->uid.len))) {
			*where = at + from;
			return true;
		}
		left = str_cut(text, from + 1, text.len);
	}
	return false;
}

/* Where in the file, from `at` on, the line stands; -1: it cannot be read. */
static int find(int fd, uint64_t at, const struct finding *w, uint64_t *where)
{
	size_t overlap = FIND_BACK + w->line.len;
	struct buf b = { 0 };
	int found = 0;
	ssize_t n;

	while (!found && (n = pread(fd, buf_room(&b, FIND_PIECE), FIND_PIECE, (off_t)(at + buf_len(&b))))) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			found = -1;
			break;
		}
		buf_added(&b, (size_t)n);
		found = found_in(w, buf_str(&b), at, where);
		if (buf_len(&b) > overlap) {
			at += buf_len(&b) - overlap;
			buf_take(&b, buf_len(&b) - overlap);
		}
	}
	buf_free(&b);
	return found;
}

/* The operation's bytes are not at their place: are they elsewhere, from `from` on? */
static int find_elsewhere(const struct operation *op, struct touched *t, struct str head, uint64_t from)
{
	struct finding w = { .line = op->bytes };
	uint64_t where = 0;
	size_t at;
	int found;

	if (operation_of_mbox(op)) {
		w.line = line_of(head, "X-Postern: ", &w.line_at);
		w.uid = line_of(head, "X-UID: ", &at);
	}
	if (!w.line.len)
		return 0;
	found = find(t->fd, from, &w, &where);
	if (found <= 0)
		return found;
	if (where >= w.line_at && compare_at(t->fd, where - w.line_at, head) >= 0)
		t->shift = where - w.line_at - op->offset;
	else
		t->done = true; /* another program wrote it anew */
	return 1;
}

/* As it follows from where another entry of the file was found: there is a gap for it. */
static bool fits_gap(const struct operation *op, struct touched *t, uint64_t size, struct str head, uint64_t shift)
{
	uint64_t at = op->offset + shift;

	if (at >= size || compare_at(t->fd, at, head) < 0)
		return false;
	t->shift = shift;
	return true;
}

/* Counts the bytes that are the same; false: one differs that is there. */
static bool count_same(const char *there, const char *ours, size_t len, uint64_t *same)
{
	for (size_t i = 0; i < len; i++)
		if (there[i] && there[i] != ours[i])
			return false;
		else
			*same += there[i] != 0;
	return true;
}

/* Whether a part of the message, which need not be its beginning, is left there, and nothing else. */
static bool is_left(const struct files *f, const struct operation *op, int fd, uint64_t at)
{
	uint64_t len = op->kind == OP_WRITE ? op->bytes.len : op->len, done = 0, same = 0;
	struct buf there = { 0 }, ours = { 0 };
	char text[PATH_BYTES_MAX + 1];
	bool fits = true;
	int spool = -1;

	snprintf(text, sizeof(text), STR_FMT, STR_ARG(op->other));
	if (op->kind == OP_SPOOL && (spool = openat(f->directory, text, O_RDONLY | O_CLOEXEC)) < 0)
		return false;
	while (fits && done < len) {
		size_t want = len - done < FIND_PIECE ? (size_t)(len - done) : FIND_PIECE;
		ssize_t n = pread(fd, buf_room(&there, want), want, (off_t)(at + done));
		const char *bytes = op->bytes.p + done;

		if (n <= 0)
			break;
		if (spool >= 0) {
			bytes = buf_room(&ours, want);
			fits = pread(spool, buf_room(&ours, want), (size_t)n, (off_t)done) == n;
		}
		fits = fits && count_same(buf_data(&there), bytes, (size_t)n, &same);
		done += (uint64_t)n;
	}
	if (spool >= 0)
		close(spool);
	buf_free(&there);
	buf_free(&ours);
	return fits && same >= LEFT_LEAST;
}

static bool find_gap(struct files *f, const struct operation *op, struct touched *t, uint64_t size, struct str head)
{
	uint64_t known = f->shifts ? marks_get(f->shifts, op->path) : 0, shift;

	if (!f->shifts)
		return false;
	if (known > DISPLACED && fits_gap(op, t, size, head, known - MOVED_BY))
		return true;
	return operation_of_mbox(op) && f->ahead(f->ahead_user, op->path, &shift) && fits_gap(op, t, size, head, shift);
}

/* Where the NULs begin that the file ends in. */
static uint64_t nuls_begin(int fd, uint64_t size)
{
	static const char zeros[4096];
	char piece[sizeof(zeros)];

	while (size) {
		size_t want = size < sizeof(piece) ? (size_t)size : sizeof(piece);

		if (pread(fd, piece, want, (off_t)(size - want)) != (ssize_t)want)
			return size;
		if (memcmp(piece, zeros, want)) {
			while (want && !piece[want - 1])
				want--, size--;
			return size;
		}
		size -= want;
	}
	return 0;
}

/* The end of the file is what a power cut left of the message: a part of its beginning and NULs. least: so many bytes of it at
 * least, that tell it from others; 0: NULs alone will do. */
static bool find_tail(const struct operation *op, struct touched *t, uint64_t size, struct str head, size_t least)
{
	uint64_t end = nuls_begin(t->fd, size), from = end > head.len ? end - head.len : 0;
	struct buf b = { 0 };
	ssize_t n = pread(t->fd, buf_room(&b, head.len + 1), (size_t)(end - from), (off_t)from);
	const char *bytes = buf_data(&b);
	bool found = false;

	for (ssize_t i = from ? 2 : 0; i <= n && from + (uint64_t)i < size && !found; i++) {
		bool begins = i ? !bytes[i - 1] || (i > 1 && bytes[i - 1] == '\n' && bytes[i - 2] == '\n') : !from;

		if (begins && (size_t)(n - i) >= least && is_torn(bytes + i, str_cut(head, 0, (size_t)(n - i)))) {
			t->shift = from + (uint64_t)i - op->offset;
			found = true;
		}
	}
	buf_free(&b);
	return found;
}

int find_again(struct files *f, const struct operation *op, struct touched *t, uint64_t size)
{
	uint64_t moved = f->shifts ? marks_get(f->shifts, op->path) : 0;
	struct buf head = { 0 };
	int found = 0, here = -1;

	if (!head_read(f, op, &head))
		found = -1;
	else if (size > op->offset)
		found = (here = compare_at(t->fd, op->offset, buf_str(&head))) >= (moved ? 1 : 0);
	if (!found)
		found = find_elsewhere(op, t, buf_str(&head), 0);
	if (!found && !here && moved == DISPLACED && operation_of_mbox(op))
		found = is_left(f, op, t->fd, op->offset); /* it was not displaced after all */
	if (!found)
		found = find_gap(f, op, t, size, buf_str(&head));
	if (!found && f->shifts && operation_of_mbox(op))
		found = find_tail(op, t, size, buf_str(&head), 0);
	if (!found)
		found = here >= 0 && moved <= DISPLACED;
	buf_free(&head);
	return found;
}

void find_remember(struct files *f, const struct operation *op, const struct touched *t)
{
	if (!f->shifts || t->done || (!t->shift && !marks_get(f->shifts, op->path)))
		return;
	marks_drop(f->shifts, op->path);
	marks_raise(f->shifts, op->path, MOVED_BY + t->shift);
}

void files_look_ahead(struct files *f, files_ahead *ahead, void *user)
{
	f->shifts = marks_new();
	f->ahead = ahead;
	f->ahead_user = user;
}

void files_displaced(struct files *f, struct str path, bool displaced)
{
	marks_drop(f->shifts, path);
	if (displaced)
		marks_raise(f->shifts, path, DISPLACED);
}

bool files_moved(const struct files *f, struct str path)
{
	return f->shifts && marks_get(f->shifts, path);
}

static size_t up_to_uid(struct str head)
{
	size_t at = 0;
	struct str uid = line_of(head, "X-UID: ", &at);

	return uid.len ? at + uid.len : head.len;
}

bool files_find(struct files *f, const struct operation *op, bool surely, uint64_t *left, uint64_t *shift)
{
	struct touched t = { .path = op->path };
	struct buf head = { 0 };
	bool found = false;
	uint64_t size, reads;
	struct stat st;

	t.fd = files_open(f, op->path, OPEN_NAMED | OPEN_THERE, &st);
	size = t.fd < 0 ? 0 : (uint64_t)st.st_size;
	reads = size < AHEAD_LOOK ? size : AHEAD_LOOK;
	*left -= reads < *left ? reads : *left;
	if (size && head_read(f, op, &head) && buf_len(&head))
		found = (operation_of_mbox(op) && size > op->offset && is_left(f, op, t.fd, op->offset)) ||
		        find_elsewhere(op, &t, buf_str(&head), size > AHEAD_LOOK ? size - AHEAD_LOOK : 0) > 0 ||
		        find_tail(op, &t, size, buf_str(&head), surely ? up_to_uid(buf_str(&head)) : 1);
	buf_free(&head);
	*shift = t.shift;
	return found && !t.done;
}
