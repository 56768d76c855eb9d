/* mailbox_renew.c - a mailbox that another program wrote to is written anew while it is being loaded, so that its files
 * say what was found out: which message has which UID, which flags.
 *   slow: the next generation from the scan's messages -> an entry of the journal puts it in its place, as long as that is
 *   still the file that was read
 * Nobody holds the mailbox, nothing is under way. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/apply.h"
#include "storage/mailbox/generation.h"
#include "storage/mailbox/mailbox.h"
#include <stdlib.h>

#define ENTRY_BYTES 8192

struct renewal {
	struct job job;
	struct mailbox *m;
	struct mailbox_scan *s;
	struct generation *generation;
	uint32_t *headers;
	char *mbox;
	struct state_head head;
	bool done;
	enum err e;
	void (*step)(void *user, enum err e);
	void *user;
};

static void renewal_end(struct renewal *r, enum err e)
{
	void (*step)(void *user, enum err e) = r->step;
	void *user = r->user;

	generation_free(r->generation);
	free(r->headers);
	free(r->mbox);
	free(r);
	step(user, e);
}

/* The new files are in their place, unless the mbox was changed once more before that. */
static void placed(void *user, enum err e)
{
	struct renewal *r = user;
	struct mailbox_scan *s = r->s;
	struct generation_result result;

	(void)e;
	if (r->m->foreign) {
		renewal_end(r, ERR_AGAIN);
		return;
	}
	generation_result(r->generation, &result);
	if (s->count)
		memcpy(s->messages, result.messages, s->count * sizeof(*s->messages));
	s->r.head = result.head;
	s->r.mbox_end = result.mbox_end;
	s->r.state_end = result.state_end;
	s->has_head = true;
	s->untidy = false;
	s->lacks = 0;
	mailbox_scan_sum(s);
	renewal_end(r, OK);
}

static void synced(void *user, enum err e)
{
	if (e)
		renewal_end(user, e);
}

static void place(struct renewal *r)
{
	static const char *const suffixes[] = { ".mbox", ".state" };
	struct entry *entry = entry_new();
	struct buf from = { 0 }, to = { 0 };

	entry_settled(entry, r->head.id);
	entry_expect(entry, str_of(r->mbox), &r->s->stamp);
	for (size_t i = 0; i < 2; i++) {
		buf_clear(&from);
		buf_clear(&to);
		generation_path(r->generation, suffixes[i], &from);
		buf_printf(&to, "%s%s", r->m->stem, suffixes[i]);
		entry_rename(entry, buf_str(&from), buf_str(&to));
	}
	r->m->foreign = false;
	journal_append(r->m->st->journal, entry, ENTRY_SMALL, synced, placed, r);
	buf_free(&from);
	buf_free(&to);
}

static void slice_work(struct job *job)
{
	struct renewal *r = container_of(job, struct renewal, job);
	const struct mailbox_scan *s = r->s;

	r->e = OK;
	if (!r->generation) {
		r->e = generation_new(&r->generation, s->directory, str_of(s->stem), &r->head, false, &s->r.keywords,
			s->messages, s->count);
		if (!r->e)
			generation_tidy(r->generation, r->headers);
		if (!r->e) {
			struct stamp now = generation_stamp(r->generation);

			r->e = stamp_same(&now, &s->stamp) ? OK : ERR_AGAIN; /* not what was read */
		}
	}
	if (!r->e)
		r->e = generation_step(r->generation, &r->done);
}

static void slice_done(struct job *job)
{
	struct renewal *r = container_of(job, struct renewal, job);

	if (!r->e && r->done)
		r->e = journal_room(r->m->st->journal, ENTRY_SMALL, ENTRY_BYTES);
	if (r->e)
		renewal_end(r, r->e);
	else if (r->done)
		place(r);
	else
		lane_add(r->m->st->w->slow, &r->job);
}

/* Only what is not expunged is written. */
static void leave_out(struct mailbox_scan *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++)
		if (!(s->messages[i].flags & FLAG_EXPUNGED))
			s->messages[kept++] = s->messages[i];
	s->count = kept;
}

void mailbox_renew(struct mailbox *m, struct mailbox_scan *s, void (*step)(void *user, enum err e), void *user)
{
	struct renewal *r = mem_new(struct renewal);
	struct buf path = { 0 };

	leave_out(s);
	buf_printf(&path, "%s.mbox", m->stem);
	r->mbox = str_dup(buf_str(&path));
	buf_free(&path);
	r->m = m;
	r->s = s;
	r->head = s->r.head;
	r->head.generation = mailbox_generation(m, s->r.head.generation);
	r->headers = mem_alloc((s->count + 1) * sizeof(*r->headers));
	for (size_t i = 0; i < s->count; i++) {
		const struct message *old = mailbox_known_message(s->known, s->messages[i].uid);

		r->headers[i] = old ? old->header : 0;
	}
	r->step = step;
	r->user = user;
	r->job = (struct job){ .work = slice_work, .done = slice_done };
	lane_add(m->st->w->slow, &r->job);
}
