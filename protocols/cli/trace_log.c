/* trace_log.c - see trace_log.h. */
#include "protocols/cli/trace_log.h"
#include "core/mem.h"
#include "storage/mail/token.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX   1000 /* of one log */
#define PIECE_BYTES (1u << 20)
#define LINE_BYTES  (64u << 10) /* a longer line is none of ours */
#define TAIL_BYTES  LINE_BYTES  /* where the last line is looked for */
#define TIME_LEN    24          /* 2026-11-23T05:40:43.123Z */

/* --- lines ----------------------------------------------------------------------------------------------------------- */

static struct str take_word(struct str *left)
{
	ptrdiff_t blank = str_find(*left, ' ');
	struct str word = str_cut(*left, 0, blank < 0 ? left->len : (size_t)blank);

	*left = str_cut(*left, blank < 0 ? left->len : word.len + 1, left->len);
	return word;
}

/* Bytes of "key=" at the front, 0: it is none. */
static size_t key_size(struct str text)
{
	size_t len = 0;

	while (len < text.len && (token_is_alpha(text.p[len]) || text.p[len] == '_'))
		len++;
	return len && len < text.len && text.p[len] == '=' ? len + 1 : 0;
}

static bool is_time(struct str word)
{
	return word.len == TIME_LEN && word.p[10] == 'T' && word.p[TIME_LEN - 1] == 'Z' && token_is_digit(*word.p);
}

bool log_line_read(struct str line, struct log_line *l)
{
	struct str left = line;
	size_t at = 0;

	l->time = take_word(&left);
	l->level = take_word(&left);
	l->component = take_word(&left);
	l->id = take_word(&left);
	if (!is_time(l->time) || !l->id.len)
		return false;
	while (at < left.len && !((!at || left.p[at - 1] == ' ') && key_size(str_cut(left, at, left.len))))
		at++;
	l->event = str_trim(str_cut(left, 0, at));
	l->fields = str_cut(left, at, left.len);
	return true;
}

/* Where a value between signs ends, behind the closing one: a backslash stands before each that is a part of it. */
static size_t closed_size(struct str text, char close)
{
	for (size_t i = 1; i < text.len; i++)
		if (text.p[i] == '\\')
			i++;
		else if (text.p[i] == close)
			return i + 1;
	return text.len;
}

/* Whether it ends with the sign, and not with a backslash before that. */
static bool ends_with(struct str text, char close)
{
	size_t slashes = 0;

	while (slashes + 2 < text.len && text.p[text.len - 2 - slashes] == '\\')
		slashes++;
	return text.p[text.len - 1] == close && slashes % 2 == 0;
}

static size_t word_size(struct str text)
{
	ptrdiff_t blank = str_find(text, ' ');

	return blank < 0 ? text.len : (size_t)blank;
}

bool log_field_next(struct str *left, struct str *key, struct str *value)
{
	size_t size;
	char first, close;

	while (left->len && !key_size(*left))
		take_word(left);
	if (!left->len)
		return false;
	*key = str_cut(*left, 0, key_size(*left) - 1);
	*left = str_cut(*left, key->len + 1, left->len);
	first = left->len ? *left->p : ' ';
	close = first == '"' ? '"' : first == '<' ? '>' : '\0';
	size = close ? closed_size(*left, close) : word_size(*left);
	*value = str_cut(*left, 0, size);
	if (close) /* a line that was cut may lack the end */
		*value = str_cut(*value, 1, size - (size > 1 && ends_with(*value, close)));
	*left = str_cut(*left, size, left->len);
	*left = str_cut(*left, left->len > 0, left->len);
	return true;
}

bool log_field(struct str fields, const char *key, struct str *value)
{
	struct str name;

	while (log_field_next(&fields, &name, value))
		if (str_eq(name, str_of(key)))
			return true;
	return false;
}

void log_value(struct str value, struct buf *out)
{
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] == '\\' && i + 1 < value.len && strchr("\\\">", value.p[i + 1]))
			i++;
		buf_add_char(out, value.p[i]);
	}
}

/* --- files ----------------------------------------------------------------------------------------------------------- */

struct trace_log {
	int fds[FILES_MAX]; /* the newest first */
	off_t sizes[FILES_MAX];
	unsigned count;
	char end[TIME_LEN + 1];
};

static bool add_file(struct trace_log *t, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return false;
	}
	t->fds[t->count] = fd;
	t->sizes[t->count++] = st.st_size;
	return true;
}

static void find_end(struct trace_log *t, unsigned place)
{
	off_t from = t->sizes[place] > (off_t)TAIL_BYTES ? t->sizes[place] - (off_t)TAIL_BYTES : 0;
	struct buf tail = { 0 };
	struct log_line l;
	struct str left;
	ssize_t n = pread(t->fds[place], buf_room(&tail, TAIL_BYTES), TAIL_BYTES, from);
	ptrdiff_t end;

	buf_added(&tail, n > 0 ? (size_t)n : 0);
	for (left = buf_str(&tail); (end = str_find(left, '\n')) >= 0; left = str_cut(left, (size_t)end + 1, left.len))
		if (log_line_read(str_cut(left, 0, (size_t)end), &l))
			memcpy(t->end, l.time.p, TIME_LEN);
	buf_free(&tail);
}

enum err trace_log_open(struct trace_log **out, const char *path, struct buf *why)
{
	struct trace_log *t = mem_new(struct trace_log);
	struct buf older = { 0 };
	enum err e = OK;

	if (!add_file(t, path)) {
		e = err_of_errno(errno);
		buf_printf(why, "%s: %s", path, strerror(errno));
		free(t);
		t = NULL;
	}
	while (t && t->count < FILES_MAX) {
		buf_clear(&older);
		buf_printf(&older, "%s.%u%c", path, t->count, 0);
		if (!add_file(t, buf_data(&older)))
			break;
	}
	for (unsigned i = 0; t && i < t->count && !*t->end; i++)
		find_end(t, i);
	buf_free(&older);
	*out = t;
	return e;
}

void trace_log_free(struct trace_log *t)
{
	if (!t)
		return;
	while (t->count)
		close(t->fds[--t->count]);
	free(t);
}

struct str trace_log_end(const struct trace_log *t)
{
	return str_of(t->end);
}

/* Takes whole lines from the front of the buffer. */
static void take_lines(struct buf *in, void (*take)(void *user, const struct log_line *l), void *user)
{
	struct log_line l;
	ptrdiff_t end;

	while ((end = str_find(buf_str(in), '\n')) >= 0) {
		if (log_line_read(str_cut(buf_str(in), 0, (size_t)end), &l))
			take(user, &l);
		buf_take(in, (size_t)end + 1);
	}
	if (buf_len(in) > LINE_BYTES)
		buf_clear(in);
}

void trace_log_each(const struct trace_log *t, void (*take)(void *user, const struct log_line *l), void *user)
{
	struct buf in = { 0 };

	for (unsigned i = t->count; i-- > 0;) {
		off_t at = 0;
		ssize_t n = 1;

		buf_clear(&in);
		while (n > 0 && at < t->sizes[i]) {
			size_t want = t->sizes[i] - at < (off_t)PIECE_BYTES ? (size_t)(t->sizes[i] - at) : PIECE_BYTES;

			n = pread(t->fds[i], buf_room(&in, want), want, at);
			buf_added(&in, n > 0 ? (size_t)n : 0);
			at += n > 0 ? n : 0;
			take_lines(&in, take, user);
		}
	}
	buf_free(&in);
}
