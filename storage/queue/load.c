/* load.c - reading a queue's files after a start, in the slow lane, while the worker serves.
 * Of each segment the state file is read whole, then the mbox from envelope to envelope, passing over the messages,
 * whose lengths the envelopes tell. What is not where it should be is damage: it is looked for the next postmark with
 * an envelope behind it (no message holds one: lines that begin with "From " are quoted), and what lies between is
 * left out, with a log line. A segment with damage is never removed. Messages come in chunks; while the listener is
 * told of one the next is being read. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/queue/fates.h"
#include "storage/queue/parts.h"
#include "storage/table.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_MESSAGES 200
#define CHUNK_BYTES    (512u << 10) /* of addresses */
#define CHUNK_ENDED    50000        /* messages passed over because nothing of them is open */
#define CHUNKS         2            /* read and not yet told */
#define PIECE_SMALL    (4u << 10)   /* read at once where messages are long */
#define PIECE          (128u << 10)
#define GAP            (64u << 10) /* that is where they are */

struct load {
	struct job job;
	struct queue *q;
	struct queue_segment **list;
	size_t count, at; /* at: the one being read */
	bool running, stopping;
	unsigned chunks; /* that the listener is being told of */
	int64_t start_us;
	uint64_t messages;

	/* the lane's, as long as it has the job */
	char mbox[QUEUE_PATH_SIZE], state[QUEUE_PATH_SIZE];
	bool begun, ended;
	bool damaged;
	int fd;
	uint64_t size, place; /* place: of the next message */
	uint64_t state_size;
	bool torn;
	struct fates fates;
	struct buf window;
	uint64_t window_at;
	struct arena arena;
	struct record **records; /* the chunk */
	size_t record_count, passed;
	struct buf texts;
};

/* --- in the lane ----------------------------------------------------------------------------------------------------- */

/* Bytes of the mbox from `at` on: at least `want` of them, but for its end. */
static struct str window(struct load *l, uint64_t at, size_t want)
{
	uint64_t end = l->window_at + buf_len(&l->window);
	size_t room;

	if (want > l->size - at)
		want = (size_t)(l->size - at);
	if (at < l->window_at || at + want > end) {
		room = at > end + GAP ? PIECE_SMALL : PIECE;
		room = room > want ? room : want;
		buf_clear(&l->window);
		l->window_at = at;
		buf_room(&l->window, room);
		while (buf_len(&l->window) < want) {
			size_t have = buf_len(&l->window);
			ssize_t n = pread(l->fd, buf_room(&l->window, room - have), room - have, (off_t)(at + have));

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				err_errno("read %s", l->mbox);
			if (n <= 0)
				break;
			buf_added(&l->window, (size_t)n);
		}
	}
	at -= l->window_at;
	return str_cut(buf_str(&l->window), (size_t)at, buf_len(&l->window));
}

/* The next place behind l->place where a message begins, as far as that can be told; the end if there is none. */
static uint64_t find_next(struct load *l)
{
	static const char mark[] = "\n\nFrom ";
	size_t len = sizeof(mark) - 1;
	uint64_t at = l->place;

	while (at + len < l->size) {
		struct str bytes = window(l, at, PIECE);
		const char *found = bytes.len >= len ? memmem(bytes.p, bytes.len, mark, len) : NULL;
		struct envelope_head h;

		if (bytes.len < len)
			break;
		if (!found) {
			at += bytes.len - len + 1;
			continue;
		}
		at += (uint64_t)(found - bytes.p) + 2;
		if (envelope_form_head(window(l, at, ENVELOPE_HEAD_MAX), &h) == ENVELOPE_WELL)
			return at;
	}
	return l->size;
}

static void pass_damage(struct load *l, const char *what)
{
	uint64_t next = find_next(l);

	log_error("queue", NULL, "%s path=%s offset=%llu bytes=%llu", what, l->mbox, (unsigned long long)l->place,
		(unsigned long long)(next - l->place));
	l->damaged = true;
	l->place = next;
}

static void keep_texts(struct load *l, const struct queue_item *item, struct str address)
{
	pack_str(&l->texts, address);
	if (item->to)
		pack_str(&l->texts, str_of(l->fates.tos[item->to - 1]));
}

static void keep(struct load *l, const struct envelope_head *h, const struct queue_envelope *e)
{
	struct record *r = record_from(h, e);

	r->offset = l->place;
	r->applied = true;
	if (!fates_apply(&l->fates, r)) {
		free(r);
		l->passed++;
		return;
	}
	pack_str(&l->texts, e->sender);
	for (uint32_t i = 0; i < r->m.count; i++)
		if (r->m.items[i].message)
			keep_texts(l, &r->m.items[i], e->recipients[i].address);
	l->records[l->record_count++] = r;
}

static void read_message(struct load *l)
{
	struct queue_envelope e;
	struct envelope_head h;
	enum envelope_told told = envelope_form_head(window(l, l->place, ENVELOPE_HEAD_MAX), &h);
	uint64_t end = l->place + h.prefix + h.stored + 1;
	struct str bytes;

	if (told == ENVELOPE_NEWER) {
		pass_damage(l, "a message is of a later version, it waits for that");
		return;
	}
	if (told != ENVELOPE_WELL || end > l->size) {
		pass_damage(l, "damaged, left out");
		return;
	}
	bytes = window(l, l->place, h.prefix);
	if (bytes.len < h.prefix || !envelope_form_read(bytes, &h, &e, &l->arena))
		pass_damage(l, "an envelope is damaged, left out");
	else {
		keep(l, &h, &e);
		l->place = end;
	}
	arena_reset(&l->arena);
}

static void segment_begin(struct load *l)
{
	struct stat st;
	enum err e;

	l->begun = true;
	l->ended = l->damaged = false;
	l->size = l->place = l->window_at = 0;
	buf_clear(&l->window);
	e = fates_read(&l->fates, l->q->w->directory, l->state);
	l->state_size = l->fates.size;
	l->torn = l->fates.torn;
	if (l->fates.newer)
		log_error("queue", NULL, "of a later version, its messages wait for that path=%s", l->state);
	if (l->fates.newer || (e && e != ERR_ABSENT)) {
		l->damaged = l->ended = true;
		return;
	}
	l->fd = openat(l->q->w->directory, l->mbox, O_RDONLY | O_CLOEXEC);
	if (l->fd < 0 && errno == ENOENT) {
		l->ended = true;
	} else if (l->fd < 0 || fstat(l->fd, &st) < 0) {
		err_errno("open %s", l->mbox);
		l->damaged = l->ended = true;
	} else {
		l->size = (uint64_t)st.st_size;
	}
}

static void load_work(struct job *job)
{
	struct load *l = container_of(job, struct load, job);

	if (!l->begun)
		segment_begin(l);
	while (!l->ended && l->record_count < CHUNK_MESSAGES && buf_len(&l->texts) < CHUNK_BYTES &&
		l->passed < CHUNK_ENDED) {
		if (l->place < l->size)
			read_message(l);
		else
			l->ended = true;
	}
	if (l->ended)
		fates_free(&l->fates);
	if (l->ended && l->fd >= 0) {
		close(l->fd);
		l->fd = -1;
	}
}

/* --- in the loop ----------------------------------------------------------------------------------------------------- */

static void load_free(struct load *l)
{
	l->q->load = NULL;
	if (l->fd >= 0)
		close(l->fd);
	for (size_t i = 0; i < l->record_count; i++)
		free(l->records[i]);
	free(l->records);
	fates_free(&l->fates);
	buf_free(&l->window);
	buf_free(&l->texts);
	arena_free(&l->arena);
	free(l->list);
	free(l);
}

static void load_done(struct job *job);

/* The next job, if there is room for what it brings; or the end. */
static void load_go_on(struct load *l)
{
	struct queue *q = l->q;

	if (l->running || l->stopping || l->chunks >= CHUNKS)
		return;
	if (l->at < l->count) {
		if (!l->begun) {
			segment_path(l->list[l->at], ".mbox", l->mbox);
			segment_path(l->list[l->at], ".state", l->state);
		}
		l->records = mem_alloc(CHUNK_MESSAGES * sizeof(*l->records));
		l->running = true;
		l->job = (struct job){ load_work, load_done, NULL };
		lane_add(q->w->slow, &l->job);
	} else if (!l->chunks) {
		if (l->count)
			log_info("queue", NULL, "read messages=%llu segments=%zu ms=%lld",
				(unsigned long long)l->messages, l->count,
				(long long)((monotonic_us() - l->start_us) / 1000));
		q->totals.reading = false;
		answers_all_found(q->answers);
		load_free(l);
	}
}

static void chunk_told(void *user)
{
	struct queue *q = user;

	if (!q->load)
		return;
	q->load->chunks--;
	load_go_on(q->load);
}

static void chunk_open(struct load *l)
{
	struct opening *o = mem_new(struct opening);

	o->records = l->records;
	o->count = l->record_count;
	o->texts = l->texts;
	o->done = chunk_told;
	o->user = l->q;
	l->messages += l->record_count;
	l->records = NULL;
	l->record_count = 0;
	l->texts = (struct buf){ 0 };
	l->chunks++;
	opening_add(l->q, o);
}

/* What the lane found out of the segment, when its first chunk has come. */
static void segment_known(const struct load *l, struct queue_segment *s)
{
	s->mbox_end = s->mbox_synced = l->size;
	s->state_end = s->state_synced = l->state_size;
	s->torn = l->torn;
	s->known = true;
}

static void segment_read(struct load *l, struct queue_segment *s)
{
	s->read = true;
	s->damaged = l->damaged;
	l->begun = false;
	l->at++;
}

static void load_done(struct job *job)
{
	struct load *l = container_of(job, struct load, job);
	struct queue_segment *s = l->list[l->at];
	struct queue *q = l->q;
	bool ended = l->ended;

	l->running = false;
	l->passed = 0;
	if (!s->known)
		segment_known(l, s);
	for (size_t i = 0; i < l->record_count; i++) {
		l->records[i]->m.segment = s;
		record_add(q, l->records[i]);
	}
	if (ended)
		segment_read(l, s);
	if (!l->record_count) {
		free(l->records);
		l->records = NULL;
	} else {
		chunk_open(l);
	}
	if (ended)
		tidy_look(q);
	if (q->load)
		load_go_on(q->load);
}

static int by_name(const void *a, const void *b)
{
	const struct queue_segment *const *x = a, *const *y = b;

	return (*x)->name < (*y)->name ? -1 : (*x)->name > (*y)->name;
}

static void begin(void *user)
{
	load_go_on(((struct queue *)user)->load);
}

void load_start(struct queue *q)
{
	struct load *l = mem_new(struct load);

	l->q = q;
	l->fd = -1;
	l->start_us = monotonic_us();
	for (const struct queue_segment *s = q->segments; s; s = s->next)
		l->count++;
	l->list = mem_alloc(l->count * sizeof(*l->list));
	for (struct queue_segment *s = q->segments; s; s = s->next)
		l->list[l->at++] = s;
	l->at = 0;
	qsort(l->list, l->count, sizeof(*l->list), by_name);
	q->load = l;
	q->totals.reading = true;
	timer_start(q->w->timers, &q->load_timer, 0, begin, q);
}

void load_stop(struct queue *q)
{
	timer_stop(q->w->timers, &q->load_timer);
	if (!q->load)
		return;
	q->load->stopping = true;
	while (q->load->running)
		lane_drain(q->w->slow);
	load_free(q->load);
}
