/* put.c - putting a message into the queue: one entry of the journal has its envelope, its bytes and the ends of
 * others. A message in memory is in the entry; one in a file of the spool gets a link of ours first, in the files
 * lane. A put that ends items of a message which is being moved waits until that is where it goes. */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/mbox.h"
#include "storage/queue/envelope_form.h"
#include "storage/queue/fate_form.h"
#include "storage/queue/parts.h"
#include "storage/spool.h"
#include "storage/table.h"
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#define ENDS_STEP  32   /* items closed in one go */
#define ENTRY_MORE 4096 /* bytes of an entry besides the message's own */

COUNTER(queue_messages, "queue.messages", "messages put into the queue");

struct put {
	struct put *next; /* of those stalled */
	struct queue *q;
	struct call *handle; /* NULL: cancelled */
	struct call *telling;
	queue_put_done *done;
	void *user;
	uint64_t id;
	struct record *record; /* NULL: failed, or its items are open */
	struct buf head;  /* postmark, envelope, lines before the message; the message and its tail, if in memory */
	struct buf texts; /* for the listener */
	struct queue_item **ends;
	uint8_t *states; /* of them, before */
	size_t end_count, closed;
	uint64_t spooled; /* bytes in the file */
	struct buf from, link;
	bool linked;
	struct job job;
	struct chore chore;
	enum err e;
	unsigned users; /* what is still to come */
};

/* --- the end --------------------------------------------------------------------------------------------------------- */

static void put_unuse(struct put *p)
{
	if (--p->users)
		return;
	buf_free(&p->head);
	buf_free(&p->texts);
	buf_free(&p->from);
	buf_free(&p->link);
	free(p->ends);
	free(p->states);
	free(p);
}

static void put_tell(struct put *p, enum err e)
{
	struct call *handle = p->handle;

	p->handle = NULL;
	if (!handle)
		return;
	call_steps_end(handle);
	p->done(p->user, e, e ? 0 : p->id);
}

static void tell_later(void *user, enum err e, struct str answer)
{
	struct put *p = user;

	(void)e;
	(void)answer;
	p->telling = NULL;
	put_tell(p, p->e);
	put_unuse(p);
}

static void drop_link_work(struct job *job)
{
	const struct put *p = container_of(job, struct put, job);

	if (unlinkat(p->q->w->directory, buf_data(&p->link), 0) < 0)
		err_errno("unlink %s", buf_data(&p->link));
}

static void drop_link_done(struct job *job)
{
	put_unuse(container_of(job, struct put, job));
}

/* Nothing of it is there; what it was to end is as it was. Tells in a later turn. */
static void put_fail(struct put *p, enum err e)
{
	struct queue *q = p->q;

	p->e = e;
	free(p->record);
	p->record = NULL;
	for (size_t i = 0; i < p->end_count; i++) {
		p->ends[i]->state = p->states[i];
		q->totals.held += p->states[i] == ITEM_HELD;
	}
	p->end_count = 0;
	changes_go_on(q);
	if (p->linked) {
		p->users++;
		p->job = (struct job){ drop_link_work, drop_link_done, NULL };
		lane_add(q->w->files, &p->job);
	}
	p->telling = call_later(q->w, tell_later, p);
}

/* --- the entry ------------------------------------------------------------------------------------------------------- */

static void told(void *user)
{
	struct put *p = user;

	p->record = NULL;
	put_tell(p, OK);
	put_unuse(p);
}

static void put_open(struct put *p)
{
	struct opening *o = mem_new(struct opening);
	struct queue *q = p->q;

	o->records = mem_copy(&p->record, sizeof(p->record));
	o->count = 1;
	o->texts = p->texts;
	o->done = told;
	o->user = p;
	p->texts = (struct buf){ 0 };
	opening_add(q, o);
}

/* What ends with it closes first. */
static void synced_step(void *user)
{
	struct put *p = user;

	for (unsigned i = 0; p->closed < p->end_count && i < ENDS_STEP; i++)
		item_close(p->q, p->ends[p->closed++]);
	if (p->closed < p->end_count) {
		chore_start(p->q->w->chores, &p->chore, synced_step, p);
	} else {
		p->q->closing--;
		put_open(p);
	}
}

static void on_synced(void *user, enum err e)
{
	struct put *p = user;

	if (e) {
		p->users--; /* it will not be applied */
		put_fail(p, e);
		return;
	}
	counter_add(&queue_messages, 1);
	record_add(p->q, p->record);
	p->q->closing++;
	synced_step(p);
}

static void on_applied(void *user, enum err e)
{
	struct put *p = user;
	struct queue_message *m = p->record ? &p->record->m : queue_find(p->q, p->id);

	(void)e;
	if (m) {
		record_of(m)->applied = true;
		copies_go_on(p->q, record_of(m));
	}
	put_unuse(p);
}

static bool is_stalled(const struct put *p)
{
	for (size_t i = 0; i < p->end_count; i++)
		if (record_of(p->ends[i]->message)->moving)
			return true;
	return false;
}

static void write_ends(const struct put *p, struct writing *x)
{
	struct buf line = { 0 };

	for (size_t i = 0; i < p->end_count; i++) {
		const struct queue_message *m = p->ends[i]->message;

		buf_clear(&line);
		fate_print_ended(&line, m->id, p->ends[i]->number, p->ends[i]->number);
		writing_state(x, m->segment, buf_str(&line));
	}
	buf_free(&line);
}

static void put_go(struct put *p)
{
	struct record *r = p->record;
	struct queue *q = p->q;
	uint64_t bytes = buf_len(&p->head) + p->spooled + p->linked;
	struct writing *x;
	enum err e;

	if (is_stalled(p)) {
		p->next = q->stalled;
		q->stalled = p;
		return;
	}
	if ((e = queue_room(q, bytes + ENTRY_MORE))) {
		put_fail(p, e);
		return;
	}
	r->m.segment = segment_for(q, p->id, bytes);
	r->offset = r->m.segment->mbox_end;
	x = writing_new(q);
	writing_mbox(x, r->m.segment, buf_str(&p->head));
	if (p->linked) {
		writing_spool(x, r->m.segment, str_of(buf_data(&p->link)), p->spooled);
		writing_mbox(x, r->m.segment, STR(MBOX_TAIL));
	}
	assert(r->m.segment->mbox_end == r->offset + r->prefix + r->m.stored + sizeof(MBOX_TAIL) - 1);
	write_ends(p, x);
	buf_free(&p->head);
	p->users++;
	writing_go(x, ENTRY_MAIL, on_synced, on_applied, p);
}

void puts_go_on(struct queue *q)
{
	struct put *stalled = q->stalled;

	q->stalled = NULL;
	while (stalled) {
		struct put *p = stalled;

		stalled = p->next;
		put_go(p);
	}
}

/* --- a file ---------------------------------------------------------------------------------------------------------- */

static void link_work(struct job *job)
{
	struct put *p = container_of(job, struct put, job);

	p->e = spool_link(p->q->w->directory, buf_str(&p->from), buf_data(&p->link));
}

static void link_done(struct job *job)
{
	struct put *p = container_of(job, struct put, job);

	p->linked = !p->e;
	if (p->e)
		put_fail(p, ERR_AGAIN);
	else
		put_go(p);
}

static void link_start(struct put *p, struct str file)
{
	buf_add_str(&p->from, file);
	spool_name(p->q->w, &p->link);
	p->job = (struct job){ link_work, link_done, NULL };
	lane_add(p->q->w->files, &p->job);
}

/* --- putting --------------------------------------------------------------------------------------------------------- */

static uint64_t lines_of(struct str text)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < text.len; i++)
		lines += text.p[i] == '\n';
	return lines;
}

/* Sizes of bytes in stored form that no encoder has counted. */
static struct form_size size_of(struct str bytes)
{
	struct form_size size = { .stored = bytes.len, .header = bytes.len };
	bool in_header = true;

	for (size_t at = 0; at < bytes.len;) {
		ptrdiff_t lf = str_find(str_cut(bytes, at, bytes.len), '\n');
		size_t end = lf < 0 ? bytes.len : at + (size_t)lf + 1, run = at;

		while (run < end && bytes.p[run] == '>')
			run++;
		if (run > at && str_starts(str_cut(bytes, run, end), STR("From ")))
			size.wire--;
		if (in_header && bytes.p[at] == '\n') {
			in_header = false;
			size.header = end;
		}
		at = end;
	}
	size.wire += size.stored + lines_of(bytes);
	return size;
}

/* The message's memory, its bytes as far as they are in memory, and what the listener is to be told. */
static enum err put_prepare(struct put *p, const struct queue_put *put)
{
	struct queue *q = p->q;
	struct queue_envelope e = *put->envelope;
	struct str bytes = put->draft ? draft_bytes(put->draft) : put->bytes;
	struct form_size size = put->draft ? *draft_size(put->draft) : size_of(bytes);
	struct envelope_head h = { .id = p->id };

	h.stored = size.stored + put->before.len;
	h.wire = size.wire + put->before.len + lines_of(put->before);
	if (h.stored > UINT32_MAX || h.wire > UINT32_MAX)
		return ERR_TOO_BIG;
	h.header = (uint32_t)(size.header + put->before.len);
	h.count = (uint32_t)e.count;
	if (!e.arrived_s)
		e.arrived_s = worker_wall_ms(q->w) / 1000;
	envelope_form_print(&p->head, &h, &e);
	buf_add_str(&p->head, put->before);
	p->record = record_from(&h, &e);
	pack_str(&p->texts, e.sender);
	for (size_t i = 0; i < e.count; i++)
		pack_str(&p->texts, e.recipients[i].address);
	p->spooled = size.stored;
	if (put->draft && draft_file(put->draft).len)
		return OK;
	p->spooled = 0;
	buf_add_str(&p->head, bytes);
	buf_add_str(&p->head, STR(MBOX_TAIL));
	return OK;
}

static enum err put_check(const struct queue *q, const struct queue_put *put)
{
	const struct queue_envelope *e = put->envelope;

	assert(e->count && (put->draft || !put->bytes.len || put->bytes.p[put->bytes.len - 1] == '\n'));
	if (e->count > (uint64_t)q->conf.recipients)
		return ERR_TOO_BIG;
	if (!envelope_form_takes(e))
		return ERR_MISTAKE;
	return OK;
}

static void dropped(void *user)
{
	((struct put *)user)->handle = NULL;
}

struct call *queue_put(struct queue *q, const struct queue_put *put, queue_put_done *done, void *user)
{
	struct put *p = mem_new(struct put);
	enum err e;

	p->q = q;
	p->done = done;
	p->user = user;
	p->users = 1;
	p->handle = call_steps(dropped, p);
	if ((e = put_check(q, put))) {
		put_fail(p, e);
		return p->handle;
	}
	p->id = (uint64_t)q->w->slot << ID_NUMBER_BITS | q->next++;
	p->ends = mem_copy(put->ends, put->end_count * sizeof(struct queue_item *));
	p->states = mem_alloc(put->end_count);
	p->end_count = put->end_count;
	for (size_t i = 0; i < p->end_count; i++) {
		assert(p->ends[i]->message && p->ends[i]->state != ITEM_CLOSING);
		p->states[i] = p->ends[i]->state;
		q->totals.held -= p->states[i] == ITEM_HELD;
		p->ends[i]->state = ITEM_CLOSING;
	}
	if ((e = put_prepare(p, put)))
		put_fail(p, e);
	else if (p->spooled)
		link_start(p, draft_file(put->draft));
	else
		put_go(p);
	return p->handle;
}
