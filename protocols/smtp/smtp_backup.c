/* smtp_backup.c - see smtp_backup.h. */
#include "protocols/smtp/smtp_backup.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "protocols/smtp/smtp_callout.h"
#include "storage/route/relay.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (256u << 20) /* bytes of it that are read */
#define LOOK_MS  5000         /* between two looks whether it has changed */

/* --- the list ---------------------------------------------------------------------------------------------------- */

struct list {
	struct buf bytes; /* lower case, lines ended by NUL */
	uint32_t *lines;  /* where they begin, in order of their bytes */
	size_t count, room;
	struct timespec changed;
	off_t size;
};

static void list_free(struct list *l)
{
	buf_free(&l->bytes);
	free(l->lines);
	*l = (struct list){ 0 };
}

static int by_text(const void *a, const void *b, void *bytes)
{
	return strcmp((const char *)bytes + *(const uint32_t *)a, (const char *)bytes + *(const uint32_t *)b);
}

static bool list_has(const struct list *l, struct str address)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = str_cmp(str_of(buf_data(&l->bytes) + l->lines[middle]), address);

		if (!order)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static void list_add(struct list *l, struct str line)
{
	ptrdiff_t comment = str_find(line, '#');

	line = str_trim(str_cut(line, 0, comment < 0 ? line.len : (size_t)comment));
	if (!line.len)
		return;
	if (l->count == l->room) {
		l->room = l->room ? 2 * l->room : 64;
		l->lines = mem_resize(l->lines, l->room * sizeof(*l->lines));
	}
	l->lines[l->count++] = (uint32_t)buf_len(&l->bytes);
	for (size_t i = 0; i < line.len; i++)
		buf_add_char(&l->bytes, ascii_lower(line.p[i]));
	buf_add_char(&l->bytes, '\0');
}

static enum err read_all(int fd, struct buf *text, const char *path)
{
	ssize_t n;

	do {
		n = read(fd, buf_room(text, 1u << 16), 1u << 16);
		if (n > 0)
			buf_added(text, (size_t)n);
	} while ((n > 0 || (n < 0 && errno == EINTR)) && buf_len(text) <= FILE_MAX);
	if (n < 0)
		return err_errno("read %s", path);
	if (buf_len(text) > FILE_MAX) {
		log_error("smtp", NULL, "too large, not read: %s", path);
		return ERR_TOO_BIG;
	}
	return OK;
}

/* --- reading it, in the lane ------------------------------------------------------------------------------------- */

struct reading {
	struct job job;
	char *path;
	struct list before,
		list; /* before: what is known, so that it is not read for nothing; its text is not looked at */
	bool same;
	enum err e;
};

static enum err read_list(struct reading *r)
{
	int fd = open(r->path, O_RDONLY | O_CLOEXEC);
	struct buf text = { 0 };
	struct stat about;
	enum err e = OK;

	if (fd < 0 || fstat(fd, &about) < 0) {
		e = err_errno("open %s", r->path);
	} else if (about.st_size == r->before.size &&
		   !memcmp(&about.st_mtim, &r->before.changed, sizeof(about.st_mtim))) {
		r->same = true;
	} else if (!(e = read_all(fd, &text, r->path))) {
		struct str left = buf_str(&text);

		while (left.len) {
			ptrdiff_t lf = str_find(left, '\n');
			size_t len = lf < 0 ? left.len : (size_t)lf;

			list_add(&r->list, str_cut(left, 0, len));
			left = str_cut(left, lf < 0 ? len : len + 1, left.len);
		}
		if (r->list.count)
			qsort_r(r->list.lines, r->list.count, sizeof(*r->list.lines), by_text,
				buf_data(&r->list.bytes));
		r->list.changed = about.st_mtim;
		r->list.size = about.st_size;
	}
	buf_free(&text);
	if (fd >= 0)
		close(fd);
	return e;
}

static void read_work(struct job *job)
{
	struct reading *r = (struct reading *)job;

	r->e = read_list(r);
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

struct question {
	struct question *next;
	struct call *handle, *later;
	struct str address, domain, plain; /* plain: without a detail */
	struct arena memory;
	store_done *done;
	void *user;
};

static struct { /* this process's, which is a worker */
	char *path;
	struct list list;
	enum err e;
	bool busy, known; /* known: it was read, or could not be, at looked_ms */
	int64_t looked_ms;
	struct question *waiting;
} state;

static enum err answer(const struct question *q)
{
	if (state.e)
		return ERR_AGAIN;
	return list_has(&state.list, q->address) || list_has(&state.list, q->plain) || list_has(&state.list, q->domain)
	               ? OK
	               : ERR_ABSENT;
}

static void question_free(struct question *q)
{
	call_cancel(q->later);
	arena_free(&q->memory);
	free(q);
}

static void tell(struct question *q)
{
	store_done *done = q->done;
	void *user = q->user;
	enum err e = answer(q);

	call_steps_end(q->handle);
	question_free(q);
	done(user, e);
}

static void tell_later(void *user, enum err e, struct str text)
{
	struct question *q = user;

	(void)e, (void)text;
	q->later = NULL;
	tell(q);
}

static void read_done(struct job *job)
{
	struct reading *r = (struct reading *)job;
	struct question *q;

	if (!r->same) {
		list_free(&state.list);
		state.list = r->list;
	}
	state.e = r->e;
	free(state.path);
	state.path = r->path;
	free(r);
	state.known = true;
	state.busy = false;
	while ((q = state.waiting)) {
		state.waiting = q->next;
		tell(q);
	}
}

static void begin_reading(struct worker *w, const char *path)
{
	struct reading *r = mem_new(struct reading);

	r->job = (struct job){ .work = read_work, .done = read_done };
	r->path = str_dup(str_of(path));
	if (state.known && !state.e && !strcmp(state.path, path)) {
		r->before.changed = state.list.changed;
		r->before.size = state.list.size;
	}
	state.busy = true;
	state.looked_ms = worker_wall_ms(w);
	lane_add(w->files, &r->job);
}

static void dropped(void *user)
{
	struct question *q = user, **at = &state.waiting;

	while (*at && *at != q)
		at = &(*at)->next;
	if (*at)
		*at = q->next;
	question_free(q);
}

static struct question *question_new(struct str address, store_done *done, void *user)
{
	struct question *q = mem_new(struct question);
	ptrdiff_t at = str_rfind(address, '@'), plus = str_find(address, '+');
	char *text = arena_dup(&q->memory, address);

	for (size_t i = 0; i < address.len; i++)
		text[i] = ascii_lower(text[i]);
	q->address = q->plain = (struct str){ text, address.len };
	q->domain = str_cut(q->address, at < 0 ? 0 : (size_t)at, address.len);
	if (plus > 0 && plus < at)
		q->plain = str_of(arena_printf(&q->memory, "%.*s" STR_FMT, (int)plus, text, STR_ARG(q->domain)));
	q->done = done;
	q->user = user;
	q->handle = call_steps(dropped, q);
	return q;
}

struct call *smtp_backup_ask(
	struct worker *w, const struct conf *conf, struct str address, store_done *done, void *user)
{
	const struct relay_conf *relay = conf_section(conf, &relay_settings);
	struct question *q;
	bool fresh = state.known && worker_wall_ms(w) < state.looked_ms + LOOK_MS &&
	             !strcmp(state.path, relay->recipients);

	if (!*relay->recipients)
		return smtp_callout(w, conf, address, done, user);
	q = question_new(address, done, user);
	if (fresh && !state.busy) {
		q->later = call_later(w, tell_later, q);
		return q->handle;
	}
	q->next = state.waiting;
	state.waiting = q;
	if (!state.busy)
		begin_reading(w, relay->recipients);
	return q->handle;
}
