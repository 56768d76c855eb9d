/* arrival.c - see arrival.h. What a call packs and what its owner makes of it stand together. */
#include "storage/arrival.h"
#include "storage/spool.h"
#include <unistd.h>

#define ENTRY_MORE  4096 /* bytes of the journal, at most as a rule, for a message besides its own */
#define ENTRY_SHARE 2    /* several messages take no more than this part of a journal's segment */

/* --- in a call ------------------------------------------------------------------------------------------------------ */

static uint64_t lines_of(struct str text)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < text.len; i++)
		lines += text.p[i] == '\n';
	return lines;
}

void arrival_pack(struct buf *out, const struct draft *d, struct str before)
{
	const struct form_size *size = draft_size(d);

	pack_str(out, before);
	pack_u64(out, size->stored + before.len);
	pack_u64(out, size->wire + before.len + lines_of(before));
	pack_u64(out, size->header + before.len);
	pack_str(out, draft_file(d));
	pack_str(out, draft_bytes(d));
}

void arrival_pack_file(struct buf *out, uint64_t stored, uint64_t wire, uint64_t header, struct str file)
{
	pack_str(out, STR_NONE);
	pack_u64(out, stored);
	pack_u64(out, wire);
	pack_u64(out, header);
	pack_str(out, file);
	pack_str(out, STR_NONE);
}

void arrival_unpack(struct unpack *u, struct arrival *a)
{
	struct incoming *in = &a->in;

	in->before = unpack_str(u);
	in->stored = unpack_u64(u);
	in->wire = unpack_u64(u);
	in->header = unpack_u64(u);
	a->file = unpack_str(u);
	in->bytes = unpack_str(u);
	if (in->stored > UINT32_MAX || in->wire > UINT32_MAX || in->header > in->stored ||
		in->stored < in->before.len || (!a->file.len && in->stored != in->before.len + in->bytes.len))
		u->bad = true;
}

/* --- at the owner --------------------------------------------------------------------------------------------------- */

static enum err links_make(struct task *t)
{
	struct arrivals *as = t->op;
	enum err e = OK;

	for (size_t i = 0; !e && i < as->count; i++) {
		struct arrival *a = &as->list[i];

		if (!a->file.len)
			continue;
		e = spool_link(t->st->w->directory, a->file, buf_data(&a->link));
		a->linked = !e;
	}
	return e;
}

static enum err links_drop(struct task *t)
{
	const struct arrivals *as = t->op;

	for (size_t i = 0; i < as->count; i++)
		if (as->list[i].linked)
			unlinkat(t->st->w->directory, buf_data(&as->list[i].link), 0);
	return OK;
}

static void linked(struct task *t, enum err e)
{
	struct arrivals *as = t->op;

	for (size_t i = 0; i < as->count; i++)
		if (as->list[i].linked)
			as->list[i].in.spool = str_of(buf_data(&as->list[i].link));
	as->step(t, e == ERR_ABSENT ? ERR_AGAIN : e); /* the asker went away */
}

enum err arrivals_room(const struct task *t)
{
	const struct journal_conf *journal = conf_section(t->st->conf, &journal_settings);
	const struct arrivals *as = t->op;
	uint64_t bytes = 0, entry = 0;

	for (size_t i = 0; i < as->count; i++) {
		bytes += as->list[i].in.stored + ENTRY_MORE;
		entry += as->list[i].in.bytes.len + as->list[i].in.before.len + ENTRY_MORE;
	}
	if (as->count > 1 && entry > (uint64_t)journal->segment / ENTRY_SHARE)
		return ERR_TOO_BIG;
	if (as->hold.held && as->hold.m->uidnext > UINT32_MAX - as->count)
		return ERR_NEVER;
	return journal_room(t->st->journal, ENTRY_MAIL, bytes);
}

uint64_t arrivals_bytes(const struct task *t)
{
	const struct arrivals *as = t->op;
	uint64_t bytes = 0;

	for (size_t i = 0; i < as->count; i++)
		bytes += as->list[i].in.wire;
	return bytes;
}

void arrivals_take(struct task *t, task_step *step)
{
	struct arrivals *as = t->op;
	enum err e = arrivals_room(t);
	bool files = false;

	as->step = step;
	for (size_t i = 0; !e && i < as->count; i++)
		if (as->list[i].file.len) {
			spool_name(t->st->w, &as->list[i].link);
			files = true;
		}
	if (files)
		task_in_lane(t, t->st->w->files, links_make, linked);
	else
		step(t, e);
}

void arrivals_done(struct task *t)
{
	struct arrivals *as = t->op;

	for (size_t i = 0; i < as->count; i++)
		buf_free(&as->list[i].link);
}

static void parted(struct task *t, enum err e)
{
	struct arrivals *as = t->op;

	(void)e;
	arrivals_done(t);
	task_end(t, as->failed, STR_NONE);
}

void arrivals_fail(struct task *t, enum err e)
{
	struct arrivals *as = t->op;
	bool files = false;

	as->failed = e;
	for (size_t i = 0; i < as->count; i++)
		files |= as->list[i].linked;
	if (files)
		task_in_lane(t, t->st->w->files, links_drop, parted);
	else
		parted(t, OK);
}
