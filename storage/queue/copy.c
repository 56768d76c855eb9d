/* copy.c - a message open for reading: its envelope, then its bytes.
 * What is in the page cache is read at once (preadv2 with RWF_NOWAIT), all else in the files lane. An open that comes
 * before the bytes are in the file waits for them. A copy has its segment's file, which is not removed meanwhile; where its
 * message is moved to does not matter to it. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/queue/fate_form.h"
#include "storage/queue/parts.h"
#include "storage/table.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define WARM_MAX (64u << 10) /* bytes of an envelope that may be read and taken apart in the loop */

struct line { /* where the last line of an item is */
	uint32_t number, at;
};

struct copying {
	struct queue_copy copy;
	struct copying *next;
	struct queue *q;
	struct queue_segment *segment; /* NULL: not known yet */
	uint64_t offset;
	uint32_t prefix;
	struct queue_recipient *recipients;
	struct arena arena;
	struct buf bytes; /* postmark and envelope */

	/* opening */
	struct call *handle; /* NULL: cancelled, or done */
	struct call *telling;
	queue_open_done *done;
	void *user;
	bool opening, waits; /* waits: for its bytes to be in the file */
	struct line *lines;
	size_t line_count;
	char mbox[QUEUE_PATH_SIZE], state[QUEUE_PATH_SIZE];

	/* a piece */
	void (*on_piece)(void *user);
	void *piece_user;
	uint64_t piece_at;
	size_t piece_len;
	struct buf piece;
	bool has_piece;

	struct job job;
	bool running, freed;
	int fd;
	enum err e;
};

/* --- the end --------------------------------------------------------------------------------------------------------- */

static void copying_free(struct copying *c)
{
	struct copying **at = &c->q->copies;

	if (c->copy.message)
		c->copy.message->users--;
	c->copy.message = NULL;
	c->freed = true;
	if (c->running)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (c->segment)
		segment_copy_closed(c->segment);
	call_cancel(c->telling);
	arena_free(&c->arena);
	buf_free(&c->bytes);
	buf_free(&c->piece);
	free(c->lines);
	free(c);
}

void queue_copy_free(struct queue_copy *copy)
{
	if (copy)
		copying_free(container_of(copy, struct copying, copy));
}

static void open_end(struct copying *c, enum err e)
{
	struct call *handle = c->handle;
	queue_open_done *done = c->done;
	void *user = c->user;

	c->opening = false;
	c->handle = NULL;
	if (!handle) {
		copying_free(c);
		return;
	}
	call_steps_end(handle);
	if (e)
		copying_free(c);
	done(user, e, e ? NULL : &c->copy);
}

static void tell_later(void *user, enum err e, struct str answer)
{
	struct copying *c = user;

	(void)e;
	(void)answer;
	c->telling = NULL;
	open_end(c, c->e);
}

/* --- the envelope ---------------------------------------------------------------------------------------------------- */

/* Takes the envelope apart. ERR_NEVER: it is not what was written there. */
static enum err take_envelope(struct copying *c)
{
	struct queue_copy *copy = &c->copy;
	struct envelope_head h;

	if (envelope_form_head(buf_str(&c->bytes), &h) != ENVELOPE_WELL || h.id != copy->id || h.prefix != c->prefix ||
		!envelope_form_read(buf_str(&c->bytes), &h, &copy->envelope, &c->arena)) {
		log_error("queue", NULL, "a message is not where it should be path=%s offset=%llu", c->mbox,
			(unsigned long long)c->offset);
		return ERR_NEVER;
	}
	c->recipients = (struct queue_recipient *)copy->envelope.recipients; /* in our arena */
	copy->stored = h.stored;
	copy->wire = h.wire;
	copy->header = h.header;
	return OK;
}

static void take_line(struct copying *c, int fd, const struct line *l)
{
	struct queue_recipient *r;
	struct fate f;

	if (l->number >= c->copy.envelope.count || !fate_read_at(fd, l->at, c->copy.id, l->number, &f, &c->arena))
		return;
	r = &c->recipients[l->number];
	r->status = f.status;
	r->reply = f.reply;
	r->remote = f.remote;
}

static enum err read_all(int fd, uint64_t at, size_t len, struct buf *out)
{
	while (len) {
		ssize_t n = pread(fd, buf_room(out, len), len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno("read a queue's file");
		if (!n)
			return ERR_NEVER;
		buf_added(out, (size_t)n);
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return OK;
}

static void open_work(struct job *job)
{
	struct copying *c = container_of(job, struct copying, job);
	int directory = c->q->w->directory, state;

	if (c->fd < 0)
		c->fd = openat(directory, c->mbox, O_RDONLY | O_CLOEXEC);
	c->e = c->fd < 0 ? err_errno("open %s", c->mbox) : read_all(c->fd, c->offset, c->prefix, &c->bytes);
	if (!c->e)
		c->e = take_envelope(c);
	if (c->e || !c->line_count)
		return;
	state = openat(directory, c->state, O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; state >= 0 && i < c->line_count; i++)
		take_line(c, state, &c->lines[i]);
	if (state >= 0)
		close(state);
}

static void open_worked(struct job *job)
{
	struct copying *c = container_of(job, struct copying, job);

	c->running = false;
	if (c->segment->fd < 0)
		c->segment->fd = c->fd;
	else if (c->fd != c->segment->fd && c->fd >= 0)
		close(c->fd);
	open_end(c, c->e);
}

/* The lines that tell how the last tries went. */
static void lines_take(struct copying *c, struct record *r)
{
	const uint32_t *lines = record_lines(r);

	for (uint32_t i = 0; i < r->m.count; i++)
		c->line_count += lines[i] && r->m.items[i].message;
	if (!c->line_count)
		return;
	c->lines = mem_alloc(c->line_count * sizeof(*c->lines));
	c->line_count = 0;
	for (uint32_t i = 0; i < r->m.count; i++)
		if (lines[i] && r->m.items[i].message)
			c->lines[c->line_count++] = (struct line){ i, lines[i] };
}

static bool read_now(struct copying *c)
{
	struct iovec part = { buf_room(&c->bytes, c->prefix), c->prefix };

	if (c->segment->fd < 0 || c->line_count || c->prefix > WARM_MAX ||
		preadv2(c->segment->fd, &part, 1, (off_t)c->offset, RWF_NOWAIT) != (ssize_t)c->prefix)
		return false;
	buf_added(&c->bytes, c->prefix);
	return true;
}

static void open_go(struct copying *c)
{
	struct record *r = record_of(c->copy.message);

	c->waits = false;
	c->segment = r->m.segment;
	segment_copy_opened(c->segment);
	c->offset = r->offset;
	c->prefix = r->prefix;
	segment_path(c->segment, ".mbox", c->mbox);
	segment_path(c->segment, ".state", c->state);
	lines_take(c, r);
	if (read_now(c)) {
		c->e = take_envelope(c);
		c->telling = call_later(c->q->w, tell_later, c);
		return;
	}
	c->fd = c->segment->fd;
	c->running = true;
	c->job = (struct job){ open_work, open_worked, NULL };
	lane_add(c->q->w->files, &c->job);
}

static void dropped(void *user)
{
	struct copying *c = user;

	c->handle = NULL;
	if (!c->running)
		copying_free(c);
}

struct call *queue_open(struct queue *q, struct queue_message *m, queue_open_done *done, void *user)
{
	struct copying *c = mem_new(struct copying);

	assert(m->users < UINT16_MAX);
	c->q = q;
	c->fd = -1;
	c->done = done;
	c->user = user;
	c->opening = true;
	c->copy.id = m->id;
	c->copy.message = m;
	m->users++;
	c->next = q->copies;
	q->copies = c;
	c->handle = call_steps(dropped, c);
	if (record_of(m)->applied)
		open_go(c);
	else
		c->waits = true;
	return c->handle;
}

void copies_go_on(struct queue *q, const struct record *r)
{
	for (struct copying *c = q->copies; c && r->m.users; c = c->next)
		if (c->waits && c->copy.message == &r->m)
			open_go(c);
}

void copies_forget(struct queue *q, const struct queue_message *m)
{
	for (struct copying *c = q->copies; c && m->users; c = c->next) {
		if (c->copy.message != m)
			continue;
		c->copy.message = NULL;
		if (!c->waits)
			continue;
		c->waits = false;
		c->e = ERR_ABSENT;
		c->telling = call_later(q->w, tell_later, c);
	}
}

/* --- bytes ----------------------------------------------------------------------------------------------------------- */

static void piece_work(struct job *job)
{
	struct copying *c = container_of(job, struct copying, job);

	c->e = read_all(c->fd, c->offset + c->prefix + c->piece_at, c->piece_len, &c->piece);
	if (c->e == ERR_NEVER)
		log_error("queue", NULL, "a message ends before its end path=%s offset=%llu", c->mbox,
			(unsigned long long)c->offset);
}

static void piece_worked(struct job *job)
{
	struct copying *c = container_of(job, struct copying, job);

	c->running = false;
	if (c->freed) {
		copying_free(c);
		return;
	}
	c->has_piece = true;
	c->on_piece(c->piece_user);
}

/* True: the lane has read it. */
static bool piece_take(struct copying *c, uint64_t at, struct buf *out, enum err *e)
{
	bool is = c->has_piece && c->piece_at == at;

	if (is) {
		*e = c->e;
		if (!c->e)
			buf_add_str(out, buf_str(&c->piece));
	}
	if (c->has_piece)
		buf_clear(&c->piece);
	c->has_piece = false;
	return is;
}

bool queue_copy_read(
	struct queue_copy *copy, uint64_t at, struct buf *out, enum err *e, void (*on_piece)(void *user), void *user)
{
	struct copying *c = container_of(copy, struct copying, copy);
	size_t want = copy->stored - at < QUEUE_PIECE ? (size_t)(copy->stored - at) : QUEUE_PIECE;
	struct iovec part;
	ssize_t n;

	assert(at <= copy->stored && !c->running);
	*e = OK;
	if (!want || piece_take(c, at, out, e))
		return true;
	part = (struct iovec){ buf_room(out, want), want };
	n = preadv2(c->segment->fd, &part, 1, (off_t)(c->offset + c->prefix + at), RWF_NOWAIT);
	if (n > 0) {
		buf_added(out, (size_t)n);
		return true;
	}
	c->on_piece = on_piece;
	c->piece_user = user;
	c->piece_at = at;
	c->piece_len = want;
	c->fd = c->segment->fd;
	c->running = true;
	c->job = (struct job){ piece_work, piece_worked, NULL };
	lane_add(c->q->w->files, &c->job);
	return false;
}
