/* put.c - putting a message into the queue: one entry of the journal has its envelope, its bytes and the ends of
 * others. Of very many recipients it is made little by little. A message in memory is in the entry; one in a file of the spool gets a link of ours first, in the files
 * lane. A put that ends items of a message which is being moved waits until that is where it goes. */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/mailbox/mbox.h"
#include "storage/queue/envelope_form.h"
#include "storage/queue/fate_form.h"
#include "storage/queue/parts.h"
#include "storage/spool.h"
#include "storage/table.h"
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#define STEP            32   /* recipients dealt with, or items closed, in one go */
#define RECIPIENT_BYTES 100  /* of an envelope, about */
#define ENTRY_MORE      4096 /* bytes of an entry besides the message's own */

COUNTER(queue_messages, "queue.messages", "messages put into the queue");

struct put {
	struct put *next; /* of those stalled */
	struct queue *q;
	struct call *handle; /* NULL: cancelled */
	struct call *telling;
	queue_put_done *done;
	void *user;
	uint64_t id;
	bool preparing; /* by a chore, from what the one who puts it holds */
	struct queue_envelope envelope;
	struct envelope_head h;
	uint32_t at;       /* recipients prepared */
	struct buf before; /* lines before the message, and its bytes if in memory, as long as it is being prepared */
	struct record *record; /* NULL: failed, or its items are open */
	struct buf head;  /* postmark, envelope, lines before the message; the message and its tail, if in memory */
	struct buf texts; /* for the listener */
	struct queue_item **ends;
	uint8_t *states; /* of them, before */
	size_t end_count, closed;
	struct queue_item **warns; /* their `changes` count it while its entry is under way */
	size_t warn_count;
	uint32_t warned_s;
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
	buf_free(&p->before);
	buf_free(&p->head);
	buf_free(&p->texts);
	buf_free(&p->from);
	buf_free(&p->link);
	free(p->ends);
	free(p->warns);
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

/* Nothing of it is there; what it was to end is as it was. */
static void put_undo(struct put *p)
{
	struct queue *q = p->q;

	free(p->record);
	p->record = NULL;
	for (size_t i = 0; i < p->end_count; i++) {
		p->ends[i]->state = p->states[i];
		q->totals.held += p->states[i] == ITEM_HELD;
	}
	p->end_count = 0;
	changes_go_on(q);
}

/* Tells in a later turn. */
static void put_fail(struct put *p, enum err e)
{
	struct queue *q = p->q;

	p->e = e;
	put_undo(p);
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

	for (unsigned i = 0; p->closed < p->end_count && i < STEP; i++)
		item_close(p->q, p->ends[p->closed++]);
	if (p->closed < p->end_count) {
		chore_start(p->q->w->chores, &p->chore, synced_step, p);
	} else {
		p->q->closing--;
		put_open(p);
	}
}

static void warns_end(struct put *p, enum err e)
{
	for (size_t i = 0; i < p->warn_count; i++) {
		p->warns[i]->changes--;
		if (!e)
			p->warns[i]->warned_s = p->warned_s;
	}
	p->warn_count = 0;
}

static void on_synced(void *user, enum err e)
{
	struct put *p = user;

	buf_free(&p->head);
	warns_end(p, e);
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

/* What is on its way to be written of an item that is to be marked comes first. */
static bool is_stalled(const struct put *p)
{
	for (size_t i = 0; i < p->end_count; i++)
		if (record_of(p->ends[i]->message)->moving)
			return true;
	for (size_t i = 0; i < p->warn_count; i++)
		if (p->warns[i]->changes || record_of(p->warns[i]->message)->moving)
			return true;
	return false;
}

static void write_warns(const struct put *p, struct writing *x)
{
	struct buf line = { 0 };

	for (size_t i = 0; i < p->warn_count; i++) {
		struct queue_item *item = p->warns[i];
		struct queue_change c = { .fate = FATE_WAITS,
			.next_s = item->next_s,
			.tries = item->tries,
			.warned_s = p->warned_s,
			.keeps = true,
			.ready_s = item->ready_s,
			.to = queue_item_to(p->q, item) };

		buf_clear(&line);
		fate_print(&line, item->message->id, item->number, &c);
		writing_state(x, item->message->segment, buf_str(&line));
		item->changes++;
	}
	buf_free(&line);
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
	write_warns(p, x);
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

static void link_start(struct put *p)
{
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

/* The first checks and sizes. bytes: of the message, as far as they are in memory. */
static enum err put_begin(struct put *p, const struct queue_put *put, struct str bytes)
{
	const struct queue *q = p->q;
	struct queue_envelope *e = &p->envelope;
	struct form_size size = put->draft ? *draft_size(put->draft) : size_of(bytes);

	*e = *put->envelope;
	assert(e->count && (put->draft || !put->bytes.len || put->bytes.p[put->bytes.len - 1] == '\n'));
	if (e->count > (uint64_t)q->conf.recipients)
		return ERR_TOO_BIG;
	if (!envelope_form_takes(e))
		return ERR_MISTAKE;
	p->h.id = p->id;
	p->h.stored = size.stored + put->before.len;
	p->h.wire = size.wire + put->before.len + lines_of(put->before);
	if (p->h.stored > UINT32_MAX || p->h.wire > UINT32_MAX)
		return ERR_TOO_BIG;
	p->h.header = (uint32_t)(size.header + put->before.len);
	p->h.count = (uint32_t)e->count;
	if (!e->arrived_s)
		e->arrived_s = worker_wall_ms(q->w) / 1000;
	if (put->draft && draft_file(put->draft).len) {
		buf_add_str(&p->from, draft_file(put->draft));
		p->spooled = size.stored;
	}
	buf_room(&p->head, ENVELOPE_HEAD_MAX + e->count * RECIPIENT_BYTES + bytes.len); /* as good as all of it */
	envelope_form_begin(&p->head, e);
	pack_str(&p->texts, e->sender);
	p->record = record_new((uint32_t)e->count);
	return OK;
}

/* Prepares some more recipients. False: there are more. */
static bool put_recipients(struct put *p)
{
	const struct queue_envelope *e = &p->envelope;

	for (unsigned i = 0; i < STEP && p->at < e->count; i++, p->at++) {
		const struct queue_recipient *r = &e->recipients[p->at];

		if (!envelope_form_takes_recipient(r)) {
			p->e = ERR_MISTAKE;
			return true;
		}
		envelope_form_recipient(&p->head, p->at, r);
		record_item(p->record, p->at, e);
		pack_str(&p->texts, r->address);
	}
	return p->at == e->count;
}

static void put_whole(struct put *p, struct str before, struct str bytes)
{
	if (p->e)
		return;
	envelope_form_end(&p->head, &p->h, &p->envelope);
	record_finish(p->record, &p->h, &p->envelope);
	buf_add_str(&p->head, before);
	buf_add_str(&p->head, bytes);
}

static void put_prepared(struct put *p)
{
	p->preparing = false;
	if (p->e) {
		put_fail(p, p->e);
	} else if (p->spooled) {
		link_start(p);
	} else {
		buf_add_str(&p->head, STR(MBOX_TAIL));
		put_go(p);
	}
}

static void prepared_step(void *user)
{
	put_prepared(user);
}

static void prepare_step(void *user)
{
	struct put *p = user;
	bool all = put_recipients(p);

	if (all)
		put_whole(p, buf_str(&p->before), STR_NONE);
	chore_start(p->q->w->chores, &p->chore, all ? prepared_step : prepare_step, p);
}

/* What is being prepared lies in the memory of who gives it up. */
static void dropped(void *user)
{
	struct put *p = user;

	p->handle = NULL;
	if (!p->preparing)
		return;
	chore_stop(p->q->w->chores, &p->chore);
	put_undo(p);
	put_unuse(p);
}

static void ends_take(struct put *p, const struct queue_put *put)
{
	p->ends = mem_copy(put->ends, put->end_count * sizeof(struct queue_item *));
	p->states = mem_alloc(put->end_count);
	p->end_count = put->end_count;
	p->warns = mem_copy(put->warns, put->warn_count * sizeof(struct queue_item *));
	p->warn_count = put->warn_count;
	p->warned_s = put->warned_s;
	for (size_t i = 0; i < p->end_count; i++) {
		assert(p->ends[i]->message && p->ends[i]->state != ITEM_CLOSING);
		p->states[i] = p->ends[i]->state;
		p->q->totals.held -= p->states[i] == ITEM_HELD;
		p->ends[i]->state = ITEM_CLOSING;
	}
}

struct call *queue_put(struct queue *q, const struct queue_put *put, queue_put_done *done, void *user)
{
	struct str bytes = put->draft ? draft_bytes(put->draft) : put->bytes;
	struct put *p = mem_new(struct put);
	enum err e;

	p->q = q;
	p->done = done;
	p->user = user;
	p->users = 1;
	p->handle = call_steps(dropped, p);
	p->id = (uint64_t)q->w->slot << ID_NUMBER_BITS | q->next;
	if ((e = put_begin(p, put, bytes))) {
		put_fail(p, e);
		return p->handle;
	}
	q->next++;
	ends_take(p, put);
	if (p->spooled)
		bytes = STR_NONE;
	if (put_recipients(p)) {
		put_whole(p, put->before, bytes);
		put_prepared(p);
		return p->handle;
	}
	p->preparing = true;
	buf_add_str(&p->before, put->before);
	buf_add_str(&p->before, bytes);
	chore_start(q->w->chores, &p->chore, prepare_step, p);
	return p->handle;
}
