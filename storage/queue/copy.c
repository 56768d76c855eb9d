/* copy.c - a message open for reading: its envelope, then its bytes.
 * What is in the page cache is read at once (preadv2 with RWF_NOWAIT), all else in the files lane. An open that comes
 * before the bytes are in the file waits for them. A copy has its segment's file, which is not removed meanwhile;
 * where its message is moved to does not matter to it. Copies of a message of many recipients share one envelope: the
 * first takes it apart, others wait for that, and what becomes of recipients meanwhile is told all of them. */
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

#define SHARED_MIN 16          /* recipients from which on an envelope is shared */
#define TOLD_MAX   (16u << 20) /* bytes of what the last tries brought: more is not told, for want of memory */

struct line { /* where the last line of an item is */
	uint32_t number, at;
};

struct parsed { /* an envelope taken apart; the lane's until it is told */
	unsigned references;
	struct arena arena;
	size_t used;      /* of it, by the envelope alone */
	struct buf bytes; /* postmark and envelope */
	struct queue_envelope envelope;
	struct queue_recipient *recipients;
	struct envelope_head head;
};

struct copying {
	struct queue_copy copy;
	struct copying *next, **link; /* of all copies */
	struct queue *q;
	struct queue_segment *segment; /* NULL: not known yet */
	uint64_t offset;
	uint32_t prefix;
	struct parsed *parsed; /* NULL: not yet */

	/* opening */
	struct call *handle; /* NULL: cancelled, or done */
	struct call *telling;
	queue_open_done *done;
	void *user;
	bool waits; /* for its bytes to be in the file, or for another that takes the envelope apart */
	bool ready; /* the envelope is whole */
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
	bool running, freed, shares; /* shares: an envelope that another took apart */
	int fd;
	enum err e;
};

/* --- the end --------------------------------------------------------------------------------------------------------- */

static void parsed_unref(struct parsed *p)
{
	if (!p || --p->references)
		return;
	arena_free(&p->arena);
	buf_free(&p->bytes);
	free(p);
}

static void copying_free(struct copying *c)
{
	if (c->copy.message)
		c->copy.message->users--;
	c->copy.message = NULL;
	c->freed = true;
	if (c->running)
		return;
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	if (c->segment)
		segment_copy_closed(c->segment);
	call_cancel(c->telling);
	parsed_unref(c->parsed);
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
static enum err take_envelope(const struct copying *c)
{
	struct parsed *p = c->parsed;
	struct envelope_head *h = &p->head;

	if (envelope_form_head(buf_str(&p->bytes), h) != ENVELOPE_WELL || h->id != c->copy.id ||
		h->prefix != c->prefix || !envelope_form_read(buf_str(&p->bytes), h, &p->envelope, &p->arena)) {
		log_error("queue", NULL, "a message is not where it should be path=%s offset=%llu", c->mbox,
			(unsigned long long)c->offset);
		return ERR_NEVER;
	}
	p->recipients = (struct queue_recipient *)p->envelope.recipients; /* in our arena */
	p->used = p->arena.used;
	return OK;
}

static bool may_tell(const struct parsed *p)
{
	return p->arena.used - p->used < TOLD_MAX;
}

static void recipient_tell(struct parsed *p, uint32_t number, const struct fate *f)
{
	if (number >= p->envelope.count)
		return;
	p->recipients[number].status = f->status;
	p->recipients[number].reply = f->reply;
	p->recipients[number].remote = f->remote;
}

static void take_lines(const struct copying *c)
{
	int fd = openat(c->q->w->directory, c->state, O_RDONLY | O_CLOEXEC);
	struct fate f;

	for (size_t i = 0; fd >= 0 && i < c->line_count && may_tell(c->parsed); i++) {
		const struct line *l = &c->lines[i];

		if (fate_read_at(fd, l->at, c->copy.id, l->number, &f, &c->parsed->arena))
			recipient_tell(c->parsed, l->number, &f);
	}
	if (fd >= 0)
		close(fd);
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

	c->e = OK;
	if (c->fd < 0 && (c->fd = openat(c->q->w->directory, c->mbox, O_RDONLY | O_CLOEXEC)) < 0)
		c->e = err_errno("open %s", c->mbox);
	if (c->e || c->shares)
		return;
	c->e = read_all(c->fd, c->offset, c->prefix, &c->parsed->bytes);
	if (!c->e)
		c->e = take_envelope(c);
	if (!c->e && c->line_count)
		take_lines(c);
}

/* It is whole: its copy tells it, and others may share it. */
static void envelope_ready(struct copying *c)
{
	const struct parsed *p = c->parsed;

	c->ready = true;
	c->copy.envelope = p->envelope;
	c->copy.stored = p->head.stored;
	c->copy.wire = p->head.wire;
	c->copy.header = p->head.header;
}

static void open_worked(struct job *job)
{
	struct copying *c = container_of(job, struct copying, job);

	c->running = false;
	if (c->segment->fd < 0)
		c->segment->fd = c->fd;
	else if (c->fd != c->segment->fd && c->fd >= 0)
		close(c->fd);
	if (!c->e)
		envelope_ready(c);
	if (c->copy.message)
		copies_go_on(c->q, record_of(c->copy.message));
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
	struct buf *bytes = &c->parsed->bytes;
	struct iovec part = { buf_room(bytes, c->prefix), c->prefix };

	if (c->segment->fd < 0 || c->line_count || c->prefix > WARM_MAX ||
		preadv2(c->segment->fd, &part, 1, (off_t)c->offset, RWF_NOWAIT) != (ssize_t)c->prefix)
		return false;
	buf_added(bytes, c->prefix);
	return true;
}

/* Another copy that has the envelope, or is about to. */
static struct copying *other_of(const struct copying *c)
{
	const struct queue_message *m = c->copy.message;

	for (struct copying *o = c->q->copies; o && m->count >= SHARED_MIN && m->users > 1; o = o->next)
		if (o != c && o->copy.message == m && (o->ready || (o->running && !o->shares)))
			return o;
	return NULL;
}

static void in_lane(struct copying *c, void (*work)(struct job *job), void (*done)(struct job *job))
{
	c->fd = c->segment->fd;
	c->running = true;
	c->job = (struct job){ work, done, NULL };
	lane_add(c->q->w->files, &c->job);
}

static void open_go(struct copying *c)
{
	struct record *r = record_of(c->copy.message);
	struct copying *other = other_of(c);

	c->waits = other && !other->ready;
	if (c->waits)
		return;
	c->segment = r->m.segment;
	segment_copy_opened(c->segment);
	c->offset = r->offset;
	c->prefix = r->prefix;
	segment_path(c->segment, ".mbox", c->mbox);
	segment_path(c->segment, ".state", c->state);
	c->shares = other != NULL;
	c->parsed = other ? other->parsed : mem_new(struct parsed);
	c->parsed->references++;
	if (!other)
		lines_take(c, r);
	if (other ? c->segment->fd < 0 : !read_now(c)) {
		in_lane(c, open_work, open_worked);
		return;
	}
	c->e = other ? OK : take_envelope(c);
	if (!c->e)
		envelope_ready(c);
	c->telling = call_later(c->q->w, tell_later, c);
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

	c->q = q;
	c->fd = -1;
	c->done = done;
	c->user = user;
	c->copy.id = m->id;
	c->next = q->copies;
	c->link = &q->copies;
	if (c->next)
		c->next->link = &c->next;
	q->copies = c;
	c->handle = call_steps(dropped, c);
	if (m->users == UINT16_MAX) {
		c->e = ERR_AGAIN;
		c->telling = call_later(q->w, tell_later, c);
		return c->handle;
	}
	c->copy.message = m;
	m->users++;
	if (record_of(m)->applied)
		open_go(c);
	else
		c->waits = true;
	return c->handle;
}

void copies_go_on(struct queue *q, const struct record *r)
{
	for (struct copying *c = q->copies; c && r->m.users && r->applied; c = c->next)
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

void copies_tell(struct queue *q, const struct queue_message *m, struct str line)
{
	struct fate f;

	for (struct copying *c = q->copies; c && m->users && m->count >= SHARED_MIN; c = c->next)
		if (c->copy.message == m && c->ready && may_tell(c->parsed) &&
			fate_read(arena_str(&c->parsed->arena, line), &f, &c->parsed->arena) == FATE_WELL) {
			if (!f.keeps)
				recipient_tell(c->parsed, f.first, &f);
			return; /* all that are ready share it */
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
	in_lane(c, piece_work, piece_worked);
	return false;
}
