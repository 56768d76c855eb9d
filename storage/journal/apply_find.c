/* apply_find.c - whether the message that an entry has is in an mbox from which another program took our headers.
 * It is looked for by its postmark, and compared line by line as far as it was read; lines that mail programs write and
 * take away, those that begin with X- among them, do not count. One that has an X-Postern is itself, and no other. Of equal
 * messages each entry finds its own, so that none is taken for done that was never written. */
#include "core/mem.h"
#include "storage/journal/apply_parts.h"
#include "storage/journal/marks.h"
#include <errno.h>
#include <string.h>

#define PIECE        (256u << 10)
#define POSTMARK_MAX 1024

struct looking {
	struct files *files;
	const struct operation *op;
	int fd;
	struct str postmark; /* with its line end */
	struct str head;
	struct buf lines; /* of head that count */
};

static bool counts(struct str line)
{
	static const char *const passing[] = { "X-", "Status:", "Content-Length:", "Lines:", " ", "\t" };

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (str_starts_nocase(line, str_of(passing[i])))
			return false;
	return true;
}

/* Whole lines only. */
static void lines_that_count(struct str text, struct buf *out)
{
	ptrdiff_t lf;

	for (; (lf = str_find(text, '\n')) >= 0; text = str_cut(text, (size_t)lf + 1, text.len))
		if (counts(str_cut(text, 0, (size_t)lf + 1)))
			buf_add_str(out, str_cut(text, 0, (size_t)lf + 1));
}

static bool has_postern(struct str text)
{
	const char *end = memmem(text.p, text.len, "\n\n", 2);

	return memmem(text.p, end ? (size_t)(end - text.p) : text.len, "\nX-Postern: ", 12) != NULL;
}

/* Whether the message at that place is the one, and no other entry's. */
static bool is_there(const struct looking *l, uint64_t at)
{
	uint64_t place[2] = { str_hash(l->op->path), at }, taken;
	struct str key = { (const char *)place, sizeof(place) };
	struct buf b = { 0 }, lines = { 0 };
	bool same = false;
	ssize_t n;

	if (!l->files->found)
		l->files->found = marks_new();
	taken = marks_get(l->files->found, key);
	if (taken && taken != l->op->offset + 1)
		return false;
	n = pread(l->fd, buf_room(&b, l->head.len), l->head.len, (off_t)at);
	buf_added(&b, n > 0 ? (size_t)n : 0);
	if (!has_postern(buf_str(&b))) {
		lines_that_count(buf_str(&b), &lines);
		same = str_starts(buf_str(&lines), buf_str(&l->lines));
	}
	if (same)
		marks_raise(l->files->found, key, l->op->offset + 1);
	buf_free(&b);
	buf_free(&lines);
	return same;
}

/* Looks in `text`, which lies at `at` in the file. */
static bool is_in(const struct looking *l, struct str text, uint64_t at)
{
	struct str left = text;
	const char *hit;

	while ((hit = memmem(left.p, left.len, l->postmark.p, l->postmark.len))) {
		size_t from = (size_t)(hit - text.p);

		if ((from ? hit[-1] == '\n' : !at) && is_there(l, at + from))
			return true;
		left = str_cut(text, from + 1, text.len);
	}
	return false;
}

int find_bare(struct files *f, const struct operation *op, int fd, struct str head)
{
	ptrdiff_t lf = str_find(head, '\n');
	struct looking l = { .files = f, .op = op, .fd = fd, .head = head };
	struct buf b = { 0 };
	uint64_t at = 0;
	int found = 0;
	ssize_t n = 1;

	if (!str_starts(head, STR("From ")) || lf < 0 || lf >= POSTMARK_MAX)
		return 0;
	l.postmark = str_cut(head, 0, (size_t)lf + 1);
	lines_that_count(head, &l.lines);
	while (!found && n) {
		n = pread(fd, buf_room(&b, PIECE), PIECE, (off_t)(at + buf_len(&b)));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			found = -1;
			break;
		}
		buf_added(&b, (size_t)n);
		found = is_in(&l, buf_str(&b), at);
		if (buf_len(&b) > POSTMARK_MAX) { /* a postmark, and what is before it */
			at += buf_len(&b) - POSTMARK_MAX;
			buf_take(&b, buf_len(&b) - POSTMARK_MAX);
		}
	}
	buf_free(&b);
	buf_free(&l.lines);
	return found;
}
