/* move.c - the few messages left in old segments are moved to the newest, in the background, a batch at a time.
 * A pass goes through all messages by id and takes those in segments of which little is left. A batch is read in the
 * files lane and put into one entry: bytes and state there, "moved" here. The id stays the same, for the envelope
 * tells it. While a message is in a batch its changes wait (change.c), and so does a put that ends one of its items;
 * none with a change under way is taken. So nothing happens to it between the look and the entry, and its record
 * stays. */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/queue/fate_form.h"
#include "storage/queue/parts.h"
#include "storage/table.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SEVERAL        4            /* segments with little left: fewer are left alone */
#define SHARE          4            /* little: less than this part of a segment's bytes */
#define BATCH_MESSAGES 256          /* at most in an entry */
#define BATCH_BYTES    (256u << 10) /* the same; what is longer stays where it is */
#define LINE_BYTES     100          /* of a state line, about */
#define REPLY_BYTES    1500         /* of one with a reply in it, about */
#define LOOK_MESSAGES  32           /* looked at in one go */

COUNTER(queue_moved, "queue.moved", "waiting messages moved out of old segments");

struct mover { /* a message of the batch */
	struct record *record;
	struct queue_segment *from;
	uint64_t offset;
	uint32_t prefix, stored;
	uint32_t *lines; /* where the last lines are, by item; NULL: nowhere */
	uint32_t count;
	size_t at;          /* of its bytes in the batch's */
	struct fate *fates; /* by item, what these say */
	uint64_t id;
	struct queue_segment *to;
};

struct move {
	struct job job;
	struct queue *q;
	uint64_t after; /* ids up to this were looked at */
	struct chore chore;
	bool running, writing, ending;

	struct mover movers[BATCH_MESSAGES];
	size_t count;
	uint64_t bytes_count;
	struct buf bytes;
	struct arena arena; /* of the fates */
	bool damaged;
};

static void batch_look(void *user);

/* --- what to move ---------------------------------------------------------------------------------------------------- */

static bool has_little(const struct queue *q, const struct queue_segment *s)
{
	uint64_t all = s->mbox_end + s->state_end, segment = (uint64_t)q->conf.segment;

	return s != q->current && s->read && !s->damaged && s->messages &&
	       s->living < (all > segment ? all : segment) / SHARE;
}

/* Of an entry that moves it, about. */
static uint64_t bytes_of(struct record *r)
{
	uint64_t bytes = r->prefix + (uint64_t)r->m.stored + 1 + r->open * LINE_BYTES;

	for (uint32_t i = 0; i < r->m.count; i++)
		bytes += record_lines(r)[i] ? REPLY_BYTES : 0;
	return bytes;
}

static bool may_move(struct record *r)
{
	if (!r->m.segment->emptying || !r->applied || r->moving || bytes_of(r) > BATCH_BYTES)
		return false;
	for (uint32_t i = 0; i < r->m.count; i++)
		if (r->m.items[i].message && (r->m.items[i].changes || r->m.items[i].state == ITEM_CLOSING))
			return false;
	return true;
}

static void mover_add(struct move *v, struct record *r)
{
	struct mover *o = &v->movers[v->count++];
	const uint32_t *lines = record_lines(r);
	bool has_lines = false;

	for (uint32_t i = 0; i < r->m.count; i++)
		has_lines |= lines[i] != 0;
	*o = (struct mover){ .record = r,
		.from = r->m.segment,
		.offset = r->offset,
		.prefix = r->prefix,
		.stored = r->m.stored,
		.count = r->m.count,
		.id = r->m.id,
		.lines = has_lines ? mem_copy(lines, r->m.count * sizeof(*lines)) : NULL };
	r->moving = true;
	segment_copy_opened(o->from);
	v->bytes_count += bytes_of(r);
}

static void batch_end(struct move *v)
{
	for (size_t i = 0; i < v->count; i++) {
		free(v->movers[i].lines);
		free(v->movers[i].fates);
		segment_copy_closed(v->movers[i].from);
	}
	v->count = 0;
	v->bytes_count = 0;
	buf_clear(&v->bytes);
	arena_free(&v->arena);
}

static void move_free(struct move *v)
{
	struct queue *q = v->q;

	for (struct queue_segment *s = q->segments; s; s = s->next)
		s->emptying = false;
	chore_stop(q->w->chores, &v->chore);
	buf_free(&v->bytes);
	arena_free(&v->arena);
	q->move = NULL;
	free(v);
	tidy_look(q);
}

/* --- in the lane ----------------------------------------------------------------------------------------------------- */

static bool read_bytes(int fd, uint64_t at, size_t len, struct buf *out)
{
	while (len) {
		ssize_t n = pread(fd, buf_room(out, len), len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		buf_added(out, (size_t)n);
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

static bool is_it(const struct mover *o, struct str bytes)
{
	struct envelope_head h;

	return envelope_form_head(bytes, &h) == ENVELOPE_WELL && h.id == o->id && h.prefix == o->prefix &&
	       h.stored == o->stored;
}

static void read_lines(struct move *v, struct mover *o)
{
	int directory = v->q->w->directory;
	char path[QUEUE_PATH_SIZE];
	int fd = openat(directory, segment_path(o->from, ".state", path), O_RDONLY | O_CLOEXEC);

	o->fates = mem_alloc(o->count * sizeof(*o->fates));
	for (uint32_t i = 0; fd >= 0 && i < o->count; i++)
		if (o->lines[i])
			fate_read_at(fd, o->lines[i], o->id, i, &o->fates[i], &v->arena);
	if (fd >= 0)
		close(fd);
}

static void read_work(struct job *job)
{
	struct move *v = container_of(job, struct move, job);
	const struct queue_segment *open = NULL;
	char path[QUEUE_PATH_SIZE];
	int fd = -1;

	v->damaged = false;
	for (size_t i = 0; i < v->count && !v->damaged; i++) {
		struct mover *o = &v->movers[i];
		size_t len = o->prefix + (size_t)o->stored + 1;

		if (o->from != open && fd >= 0)
			close(fd);
		if (o->from != open)
			fd = openat(v->q->w->directory, segment_path(o->from, ".mbox", path), O_RDONLY | O_CLOEXEC);
		open = o->from;
		o->at = buf_len(&v->bytes);
		if (fd < 0 || !read_bytes(fd, o->offset, len, &v->bytes) ||
			!is_it(o, str_cut(buf_str(&v->bytes), o->at, buf_len(&v->bytes)))) {
			log_error("queue", NULL, "a message is not where it should be path=%s offset=%llu",
				segment_path(o->from, ".mbox", path), (unsigned long long)o->offset);
			v->damaged = true;
		} else if (o->lines) {
			read_lines(v, o);
		}
	}
	if (fd >= 0)
		close(fd);
}

/* --- the entry ------------------------------------------------------------------------------------------------------- */

/* The messages stay where they are, or are where they should be: what waited for that goes on. */
static void batch_free(struct move *v)
{
	struct queue *q = v->q;

	for (size_t i = 0; i < v->count; i++)
		v->movers[i].record->moving = false;
	batch_end(v);
	changes_go_on(q);
	puts_go_on(q);
}

static void count_place(struct queue_segment *s, const struct mover *o)
{
	s->references++;
	s->messages++;
	s->living += o->prefix + (uint64_t)o->stored + 1;
}

static void count_less(struct queue_segment *s, const struct mover *o)
{
	s->messages--;
	s->living -= o->prefix + (uint64_t)o->stored + 1;
	segment_unref(s);
}

static void go_back(struct mover *o)
{
	struct record *r = o->record;

	r->m.segment = o->from;
	r->offset = o->offset;
	r->applied = true;
	if (o->lines)
		memcpy(record_lines(r), o->lines, o->count * sizeof(*o->lines));
	else
		memset(record_lines(r), 0, o->count * sizeof(*o->lines));
	count_less(o->to, o);
}

struct arrived { /* who can be read when the entry is applied */
	struct queue *q;
	size_t count;
	struct {
		uint64_t id;
		const struct queue_segment *to;
	} messages[BATCH_MESSAGES];
	struct move *move; /* NULL: told */
};

static void on_synced(void *user, enum err e)
{
	struct arrived *a = user;
	struct move *v = a->move;
	struct queue *q = a->q;

	a->move = NULL;
	v->writing = false;
	for (size_t i = 0; i < v->count; i++) {
		struct mover *o = &v->movers[i];

		if (e) {
			go_back(o);
			copies_go_on(q, o->record);
		} else {
			count_less(o->from, o);
			counter_add(&queue_moved, 1);
		}
	}
	batch_free(v);
	if (e)
		free(a);
	if (e || v->ending)
		move_free(v);
	else
		chore_start(q->w->chores, &v->chore, batch_look, v);
}

static void on_applied(void *user, enum err e)
{
	struct arrived *a = user;

	(void)e;
	for (size_t i = 0; i < a->count; i++) {
		struct queue_message *m = queue_find(a->q, a->messages[i].id);

		if (!m || m->segment != a->messages[i].to)
			continue;
		record_of(m)->applied = true;
		copies_go_on(a->q, record_of(m));
	}
	free(a);
}

static void write_item(struct writing *x, const struct mover *o, uint32_t number, struct buf *line)
{
	const struct fate *f = o->fates ? &o->fates[number] : NULL;
	struct record *r = o->record;
	const struct queue_item *item = &r->m.items[number];
	bool texts = f && (f->status.len || f->reply.len || f->remote.len);
	struct queue_change c = { .fate = item->state == ITEM_HELD ? FATE_HELD : FATE_WAITS,
		.next_s = item->next_s,
		.tries = item->tries,
		.warned_s = item->warned_s,
		.ready_s = item->ready_s,
		.to = queue_item_to(r->m.segment->q, item) };
	uint64_t at;

	if (texts) {
		c.status = f->status;
		c.reply = f->reply;
		c.remote = f->remote;
	}
	buf_clear(line);
	fate_print(line, o->id, number, &c);
	at = writing_state(x, o->to, buf_str(line));
	record_lines(r)[number] = texts && at <= UINT32_MAX ? (uint32_t)at : 0;
}

/* What became of its recipients, in the segment it comes to. */
static void write_items(struct writing *x, const struct mover *o)
{
	const struct queue_message *m = &o->record->m;
	struct buf line = { 0 };

	for (uint32_t i = 0; i < m->count; i++) {
		uint32_t first = i;

		if (m->items[i].message) {
			write_item(x, o, i, &line);
			continue;
		}
		while (i + 1 < m->count && !m->items[i + 1].message)
			i++;
		buf_clear(&line);
		fate_print_ended(&line, o->id, first, i);
		writing_state(x, o->to, buf_str(&line));
	}
	buf_clear(&line);
	fate_print_moved(&line, o->id);
	writing_state(x, o->from, buf_str(&line));
	buf_free(&line);
}

static void batch_write(struct move *v)
{
	struct arrived *a = mem_new(struct arrived);
	struct writing *x = writing_new(v->q);

	a->q = v->q;
	a->move = v;
	for (size_t i = 0; i < v->count; i++) {
		struct mover *o = &v->movers[i];
		size_t len = o->prefix + (size_t)o->stored + 1;

		o->to = segment_for(v->q, 0, len);
		count_place(o->to, o);
		o->record->m.segment = o->to;
		o->record->offset = o->to->mbox_end;
		o->record->applied = false;
		writing_mbox(x, o->to, str_cut(buf_str(&v->bytes), o->at, o->at + len));
		write_items(x, o);
		a->messages[a->count].id = o->id;
		a->messages[a->count++].to = o->to;
	}
	v->writing = true;
	writing_go(x, ENTRY_MAIL, on_synced, on_applied, a);
}

static void read_done(struct job *job)
{
	struct move *v = container_of(job, struct move, job);

	v->running = false;
	if (!v->damaged && !v->ending && !queue_room(v->q, v->bytes_count)) {
		batch_write(v);
		return;
	}
	for (size_t i = 0; v->damaged && i < v->count; i++)
		v->movers[i].from->damaged = true;
	batch_free(v);
	if (!v->ending)
		move_free(v);
}

/* --- a pass ---------------------------------------------------------------------------------------------------------- */

static void batch_look(void *user)
{
	struct move *v = user;
	struct queue *q = v->q;
	struct queue_message *m = NULL;

	for (unsigned looks = 0; looks < LOOK_MESSAGES; looks++) {
		if (!(m = queue_after(q, v->after)) || v->count == BATCH_MESSAGES || v->bytes_count >= BATCH_BYTES)
			break;
		v->after = m->id;
		if (may_move(record_of(m)))
			mover_add(v, record_of(m));
	}
	if (v->count) {
		v->running = true;
		v->job = (struct job){ read_work, read_done, NULL };
		lane_add(q->w->files, &v->job);
	} else if (m) {
		chore_start(q->w->chores, &v->chore, batch_look, v);
	} else {
		move_free(v);
	}
}

void move_consider(struct queue *q)
{
	unsigned count = 0;

	if (q->move || q->totals.reading || q->broken || q->stopping)
		return;
	for (const struct queue_segment *s = q->segments; s; s = s->next)
		count += has_little(q, s);
	if (count < SEVERAL)
		return;
	for (struct queue_segment *s = q->segments; s; s = s->next)
		s->emptying = has_little(q, s);
	q->move = mem_new(struct move);
	q->move->q = q;
	batch_look(q->move);
}

void move_stop(struct queue *q)
{
	struct move *v = q->move;

	if (!v)
		return;
	v->ending = true;
	while (v->running)
		lane_drain(q->w->files);
	if (!v->writing)
		move_free(v);
}
