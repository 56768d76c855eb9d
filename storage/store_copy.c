/* store_copy.c - COPY and MOVE within an account: one entry of the journal for the whole command.
 * The target is held alone from before the UIDs are given until the entry is made. The source is shared, which keeps
 * the generation of its file; for a move it is held alone too, or flags set meanwhile would be lost. What the target
 * gets, prefixes and all, is made in a lane: in memory if it is short, else as a synced file of the spool. A move
 * expunges the originals in the same entry. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include "storage/mailbox/mbox_quote.h"
#include "storage/spool.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define MEMORY_MAX    (4u << 20) /* more is made as a file, in the slow lane */
#define PIECE         (256u << 10)
#define PREFIX_MAX    (64u << 10)
#define SEGMENT_SHARE 8    /* nor is an entry more than this part of a journal's segment */
#define NAMED_ANSWER  8192 /* a longer answer is not kept for a second try: that one learns no UIDs */
#define ENTRY_EACH    512  /* bytes of the journal for a message, at most, beside its own */

struct copying {
	struct hold source_hold, target_hold;
	struct mailbox *source, *target; /* pinned */
	uint64_t source_id;              /* 0: whatever bears the name */
	struct uid_range *uids;
	size_t uid_count;
	bool move;
	struct str makes;          /* the name of the target, which is made by this; "": it is there */
	const struct name *change; /* done by this */
	task_step *step;           /* told at the end, when the task has the answer */
	struct buf answer;
	enum err e;

	struct message *from, *to; /* the originals, and what becomes of them */
	uint32_t *places;          /* of the originals in their view */
	size_t count, cap;

	/* the lane's */
	int directory, fd;
	struct buf path; /* of the source; of an mdir its stem */
	bool from_mdir, to_mdir;
	struct keywords words;
	struct mbox_base base;
	struct buf bytes; /* what the target gets, or the piece of it not yet in the spool */
	struct buf piece; /* what is to be quoted */
	struct buf spool; /* "" : it is in memory; for an mdir a file for each message, with its number behind this */
	size_t spools;    /* so many */
	int spool_fd;
	uint64_t length;
};

/* --- the end ----------------------------------------------------------------------------------------------------------- */

static void copying_end(struct task *t, enum err e)
{
	struct copying *c = t->copying;

	(void)e;
	if (c->makes.len && c->target_hold.held) /* it was not made */
		mailbox_gone(c->target, ERR_ABSENT);
	if (c->source_hold.held)
		mailbox_release(&c->source_hold);
	if (c->target_hold.held)
		mailbox_release(&c->target_hold);
	mailbox_unpin(c->source);
	if (c->target)
		mailbox_unpin(c->target);
	free(c->from);
	free(c->to);
	free(c->places);
	buf_free(&c->path);
	buf_free(&c->bytes);
	buf_free(&c->piece);
	buf_free(&c->spool);
	t->answer = arena_str(&t->memory, buf_str(&c->answer));
	buf_free(&c->answer);
	c->step(t, c->e);
}

/* The n-th message's. */
static char *spool_path(const struct copying *c, size_t n)
{
	struct buf path = { 0 };
	char *text;

	buf_printf(&path, "%s", buf_data(&c->spool));
	if (c->to_mdir)
		buf_printf(&path, ".%zu", n);
	text = str_dup(buf_str(&path));
	buf_free(&path);
	return text;
}

static enum err spool_drop(struct task *t)
{
	const struct copying *c = t->copying;

	for (size_t i = 0; i < c->spools; i++) {
		char *path = spool_path(c, i);

		unlinkat(c->directory, path, 0);
		free(path);
	}
	return OK;
}

static void copying_fail(struct task *t, enum err e)
{
	struct copying *c = t->copying;

	c->e = e;
	if (buf_len(&c->spool))
		task_in_lane(t, t->st->w->files, spool_drop, copying_end);
	else
		copying_end(t, OK);
}

static void copied_seen(struct task *t, enum err e)
{
	if (e) {
		copying_fail(t, e);
		return;
	}
	if (t->copying->makes.len)
		mailbox_made(t->copying->target);
	copying_end(t, OK);
}

/* --- in the lane --------------------------------------------------------------------------------------------------------- */

static enum err spool_write(struct copying *c)
{
	while (buf_len(&c->bytes)) {
		ssize_t n = write(c->spool_fd, buf_data(&c->bytes), buf_len(&c->bytes));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno("write %s", buf_data(&c->spool));
		buf_take(&c->bytes, (size_t)n);
	}
	return OK;
}

static enum err spool_open(struct copying *c)
{
	char *path = spool_path(c, c->spools);
	enum err e = OK;

	c->spool_fd = openat(c->directory, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (c->spool_fd < 0)
		e = err_errno("make %s", path);
	else
		c->spools++;
	free(path);
	return e;
}

/* All of it is durable, but for its name. */
static enum err spool_close(struct copying *c)
{
	enum err e = spool_write(c);

	if (!e && fdatasync(c->spool_fd) < 0)
		e = ERR_AGAIN;
	close(c->spool_fd);
	c->spool_fd = -1;
	return e;
}

/* Appends bytes of the source to what the target gets. q: they are quoted; NULL: as they are. */
static enum err bytes_copy(struct copying *c, uint64_t at, uint64_t len, struct mbox_quoting *q)
{
	struct buf *to = q ? &c->piece : &c->bytes;

	while (len) {
		size_t want = len < PIECE ? (size_t)len : PIECE;
		ssize_t n = pread(c->fd, buf_room(to, want), want, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? err_errno("read %s", buf_data(&c->path)) : ERR_AGAIN;
		buf_added(to, (size_t)n);
		if (q) {
			mbox_quote(q, buf_str(to), &c->bytes);
			buf_clear(to);
		}
		at += (uint64_t)n;
		len -= (uint64_t)n;
		if (buf_len(&c->spool) && buf_len(&c->bytes) >= PIECE && spool_write(c))
			return ERR_AGAIN;
	}
	return OK;
}

/* Who sent the original, by its postmark; also looks whether it is the message that its view says. */
static enum err sender_read(struct copying *c, const struct message *m, struct buf *prefix, struct str *sender)
{
	ptrdiff_t lf;
	int64_t date;

	buf_clear(prefix);
	if (m->prefix > PREFIX_MAX ||
		pread(c->fd, buf_room(prefix, m->prefix), m->prefix, (off_t)m->offset) != (ssize_t)m->prefix)
		return ERR_AGAIN;
	buf_added(prefix, m->prefix);
	if (!mbox_is_message(buf_str(prefix), m))
		return ERR_AGAIN;
	lf = str_find(buf_str(prefix), '\n');
	if (lf < 0 || !mbox_postmark(str_cut(buf_str(prefix), 0, (size_t)lf), sender, &date))
		*sender = STR_NONE;
	return OK;
}

/* The text of a message that another program wrote. */
static enum err others_copy(struct copying *c, const struct message *from, struct message *to)
{
	uint64_t at = from->offset + from->prefix;
	struct mbox_quoting q = { 0 };
	enum err e = bytes_copy(c, at, from->header, NULL);

	if (!e)
		e = bytes_copy(c, at + from->header, from->stored - from->header, &q);
	mbox_quote_end(&q, &c->bytes);
	if (!e && q.added > UINT32_MAX - to->stored)
		return ERR_TOO_BIG;
	to->stored += (uint32_t)q.added;
	return e;
}

static enum err message_copy(struct copying *c, const struct message *from, struct message *to, struct buf *prefix)
{
	size_t before = buf_len(&c->bytes);
	struct str sender;
	enum err e = sender_read(c, from, prefix, &sender);

	if (e) {
		log_error("store", NULL, "a message is not where it should be path=%s uid=%u", buf_data(&c->path),
			from->uid);
		return e;
	}
	mbox_prefix(&c->bytes, to, sender, &c->words, to->offset && !c->to_mdir ? NULL : &c->base);
	to->prefix = (uint32_t)(buf_len(&c->bytes) - before);
	if (mbox_prefix_is_ours(buf_str(prefix)))
		e = bytes_copy(c, from->offset + from->prefix, from->stored, NULL);
	else
		e = others_copy(c, from, to);
	buf_add_str(&c->bytes, STR(MBOX_TAIL));
	return e;
}

/* Its file, and for an mdir one of the spool, if there is to be one. */
static enum err message_files(struct copying *c, const struct message *from)
{
	if (c->from_mdir) {
		if (c->fd >= 0)
			close(c->fd);
		c->fd = mdir_open(c->directory, buf_data(&c->path), from->uid);
		if (c->fd < 0)
			return err_errno("open %s" MDIR_SUFFIX "/%u", buf_data(&c->path), from->uid);
	}
	return c->to_mdir && buf_len(&c->spool) ? spool_open(c) : OK;
}

static uint64_t length_of(const struct message *m)
{
	return m->prefix + (uint64_t)m->stored + sizeof(MBOX_TAIL) - 1;
}

static enum err messages_copy(struct copying *c)
{
	uint64_t start = c->to[0].offset, at = start;
	struct buf prefix = { 0 };
	enum err e = OK;

	for (size_t i = 0; !e && i < c->count; i++) {
		c->to[i].offset = c->to_mdir ? 0 : at;
		e = message_files(c, &c->from[i]);
		if (!e)
			e = message_copy(c, &c->from[i], &c->to[i], &prefix);
		if (!e && c->to_mdir && c->spool_fd >= 0)
			e = spool_close(c);
		at += length_of(&c->to[i]);
	}
	buf_free(&prefix);
	c->length = at - start;
	return e;
}

static enum err copy_work(struct task *t)
{
	struct copying *c = t->copying;
	enum err e = OK;

	c->spool_fd = c->fd = -1;
	if (!c->from_mdir && (c->fd = openat(c->directory, buf_data(&c->path), O_RDONLY | O_CLOEXEC)) < 0)
		return err_errno("open %s", buf_data(&c->path));
	if (buf_len(&c->spool) && !c->to_mdir)
		e = spool_open(c);
	if (!e)
		e = messages_copy(c);
	if (!e && c->spool_fd >= 0)
		e = spool_close(c);
	if (!e && c->spools && spool_sync(c->directory))
		e = ERR_AGAIN;
	if (c->fd >= 0)
		close(c->fd);
	if (c->spool_fd >= 0)
		close(c->spool_fd);
	return e;
}

/* --- the change ------------------------------------------------------------------------------------------------------------ */

static void answer_make(struct copying *c)
{
	struct uid_range *from = mem_alloc(c->count * sizeof(*from)), to = { c->to[0].uid, c->to[c->count - 1].uid };
	size_t count = 0;

	for (size_t i = 0; i < c->count; i++)
		if (count && from[count - 1].last + 1 == c->from[i].uid)
			from[count - 1].last++;
		else
			from[count++] = (struct uid_range){ c->from[i].uid, c->from[i].uid };
	ranges_pack(&c->answer, from, count);
	ranges_pack(&c->answer, &to, 1);
	free(from);
}

static void answer_name(const struct copying *c, struct commit *k)
{
	struct buf none = { 0 };

	if (buf_len(&c->answer) <= NAMED_ANSWER) {
		entry_name(commit_entry(k), *c->change, buf_str(&c->answer));
		return;
	}
	buf_add(&none, buf_data(&c->answer), sizeof(uint64_t) + sizeof(uint32_t)); /* id and UIDVALIDITY */
	ranges_pack(&none, NULL, 0);
	ranges_pack(&none, NULL, 0);
	entry_name(commit_entry(k), *c->change, buf_str(&none));
	buf_free(&none);
}

static void originals_expunge(struct copying *c, struct commit *k)
{
	for (size_t i = 0; i < c->count; i++)
		c->from[i].flags |= FLAG_EXPUNGED;
	change_messages(commit_change(k, c->source), c->from, c->places, c->count);
}

/* A move takes away as much as it adds, in the same entry. */
static enum err copies_allowed(const struct task *t)
{
	const struct copying *c = t->copying;
	uint64_t bytes = 0;

	for (size_t i = 0; i < c->count; i++)
		bytes += c->from[i].wire;
	return c->move ? OK : quota_allows(t->h, bytes, c->count);
}

static void copies_add(struct copying *c, struct change *change)
{
	struct str left = buf_str(&c->bytes);
	size_t each = c->to_mdir ? 1 : c->count;

	for (size_t i = 0; i < c->count; i += each) {
		uint64_t length = c->to_mdir ? length_of(&c->to[i]) : c->length;
		char *spool = c->spools ? spool_path(c, i) : NULL;

		change_run(change, &c->to[i], each, spool ? str_of(spool) : STR_NONE,
			str_cut(left, 0, spool ? 0 : (size_t)length), length);
		left = str_cut(left, spool ? 0 : (size_t)length, left.len);
		free(spool);
	}
}

static void copy_made(struct task *t, enum err e)
{
	struct copying *c = t->copying;
	struct commit *k;

	if (!e && c->source->state != MAILBOX_READY)
		e = ERR_AGAIN;
	if (!e)
		e = copies_allowed(t); /* others took it meanwhile */
	if (e) {
		copying_fail(t, e);
		return;
	}
	k = commit_new(t->st, t);
	if (c->count) {
		copies_add(c, commit_change_at(k, c->target, c->to[0].clock));
		answer_make(c);
	}
	if (c->makes.len)
		mailbox_files(k, c->target);
	answer_name(c, k);
	if (c->move && c->count)
		originals_expunge(c, k);
	commit_go(k, ENTRY_MAIL, NULL, copied_seen);
	mailbox_release(&c->target_hold);
	if (c->source != c->target)
		mailbox_release(&c->source_hold);
}

/* --- what is copied -------------------------------------------------------------------------------------------------------- */

static void original_add(struct copying *c, uint32_t place)
{
	struct message m;

	mailbox_message(c->source, place, &m);
	if (m.flags & FLAG_EXPUNGED)
		return;
	if (c->count == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 16;
		c->from = mem_resize(c->from, c->cap * sizeof(*c->from));
		c->places = mem_resize(c->places, c->cap * sizeof(*c->places));
	}
	c->from[c->count] = m;
	c->places[c->count++] = place;
}

static void originals_find(struct copying *c)
{
	const struct view *view = c->source->view;
	struct view_head h;

	view_read_head(view, &h);
	for (size_t i = 0; i < c->uid_count; i++) {
		uint32_t end = c->uids[i].last == UINT32_MAX ? h.count : view_place(view, c->uids[i].last + 1);

		for (uint32_t place = view_place(view, c->uids[i].first); place < end && place < h.count; place++)
			original_add(c, place);
	}
}

/* The bits of the source's keywords as the target's; those that find no place there are lost. */
static uint64_t keywords_map(const struct copying *c, uint64_t bits)
{
	const struct keywords *words = &c->source->seen.keywords;
	uint64_t mapped = 0;

	for (unsigned i = 0; i < words->count; i++)
		if (bits & UINT64_C(1) << i) {
			int bit = keywords_bit(&c->target->seen.keywords, str_of(words->word[i]));

			if (bit >= 0)
				mapped |= UINT64_C(1) << bit;
		}
	return mapped;
}

static enum err copies_plan(struct task *t)
{
	struct copying *c = t->copying;
	struct mailbox *m = c->target;
	const struct state_head *h = &m->seen.head;
	const struct journal_conf *journal = conf_section(t->st->conf, &journal_settings);
	uint64_t now = (uint64_t)store_seconds(t->st) << 16, bytes = 0;

	if (m->uidnext > UINT32_MAX - c->count)
		return ERR_NEVER;
	c->to = mem_copy(c->from, c->count * sizeof(*c->to));
	for (size_t i = 0; i < c->count; i++) {
		c->to[i].uid = m->uidnext + (uint32_t)i;
		c->to[i].offset = m->mbox_end;
		c->to[i].written = c->from[i].flags & FLAG_SYSTEM;
		c->to[i].clock = m->clock + 1 > now ? m->clock + 1 : now;
		c->to[i].keywords = c->from[i].keywords ? keywords_map(c, c->from[i].keywords) : 0;
		bytes += c->from[i].stored + (uint64_t)ENTRY_EACH;
	}
	c->words = m->seen.keywords;
	c->base = (struct mbox_base){ h->uidvalidity, c->to[0].uid, h->id, h->generation, 0, 0 };
	c->directory = t->st->w->directory;
	c->from_mdir = c->source->seen.head.mdir;
	c->to_mdir = h->mdir;
	buf_printf(&c->path, "%s%s", c->source->stem, c->from_mdir ? "" : ".mbox");
	buf_add_char(&c->path, '\0');
	if (bytes > MEMORY_MAX || bytes > (uint64_t)journal->segment / SEGMENT_SHARE)
		spool_name(t->st->w, &c->spool);
	return journal_room(t->st->journal, ENTRY_MAIL, bytes);
}

static void copy_view(struct task *t, enum err e)
{
	struct copying *c = t->copying;

	if (!e && (c->source->state != MAILBOX_READY || c->target->state != MAILBOX_READY))
		e = ERR_AGAIN;
	if (!e) {
		originals_find(c);
		pack_u64(&c->answer, c->target->seen.head.id);
		pack_u32(&c->answer, c->target->seen.head.uidvalidity);
	}
	if (!e && c->count)
		e = copies_allowed(t);
	if (!e && c->count)
		e = copies_plan(t);
	if (e) {
		buf_clear(&c->spool); /* it was not made */
		copying_fail(t, e);
	} else if (!c->count) {
		ranges_pack(&c->answer, NULL, 0);
		ranges_pack(&c->answer, NULL, 0);
		if (c->makes.len)
			copy_made(t, OK);
		else
			copying_end(t, OK);
	} else {
		task_in_lane(t, buf_len(&c->spool) ? t->st->w->slow : t->st->w->files, copy_work, copy_made);
	}
}

static void copy_both_held(struct task *t, enum err e)
{
	struct copying *c = t->copying;

	if (!e && c->source_id && c->source->seen.head.id != c->source_id)
		e = ERR_ABSENT;
	if (e)
		copying_fail(t, e);
	else
		mailbox_view(t, c->source, copy_view);
}

static void copy_one_held(struct task *t, enum err e)
{
	struct copying *c = t->copying;

	if (e)
		copying_fail(t, e);
	else if (c->source->number < c->target->number)
		mailbox_hold(t, &c->target_hold, c->target, true, copy_both_held);
	else
		mailbox_hold(t, &c->source_hold, c->source, c->move, copy_both_held);
}

/* In the order of their numbers. */
static void copy_hold(struct task *t)
{
	struct copying *c = t->copying;

	mailbox_pin(c->source);
	mailbox_pin(c->target);
	if (c->source == c->target)
		mailbox_hold(t, &c->target_hold, c->target, true, copy_both_held);
	else if (c->source->number < c->target->number)
		mailbox_hold(t, &c->source_hold, c->source, c->move, copy_one_held);
	else
		mailbox_hold(t, &c->target_hold, c->target, true, copy_one_held);
}

static struct copying *copying_new(struct task *t, const struct name *change, task_step *step)
{
	struct copying *c = arena_new(&t->memory, struct copying);

	t->copying = c;
	c->change = change;
	c->step = step;
	return c;
}

/* The source is held, and nothing happens between making the target and holding it. */
static void move_held(struct task *t, enum err e)
{
	struct copying *c = t->copying;

	if (e) {
		copying_fail(t, e);
		return;
	}
	c->target = mailbox_begin(t->h, c->makes);
	mailbox_pin(c->target);
	mailbox_hold(t, &c->target_hold, c->target, true, copy_both_held);
}

void move_all(struct task *t, struct str from, struct str to, const struct name *change, task_step *step)
{
	struct copying *c = copying_new(t, change, step);
	enum err e = mailbox_find(t->h, from, &c->source);

	c->move = true;
	c->makes = to;
	c->uids = arena_new(&t->memory, struct uid_range);
	*c->uids = (struct uid_range){ 1, UINT32_MAX };
	c->uid_count = 1;
	if (e) {
		step(t, e);
		return;
	}
	mailbox_pin(c->source);
	mailbox_hold(t, &c->source_hold, c->source, true, move_held);
}

/* --- the call ---------------------------------------------------------------------------------------------------------------- */

struct copy {
	struct str source, target;
	struct hold inbox;
	struct uid_range *uids;
	size_t count;
	uint64_t id;
	bool move;
};

static void copy_end(struct task *t, enum err e)
{
	task_end(t, e, e ? STR_NONE : t->answer);
}

static void copy_begin(struct task *t, enum err e)
{
	struct copy *o = t->op;
	struct copying *c;

	if (o->inbox.held)
		mailbox_release(&o->inbox);
	if (e) {
		task_end(t, e, STR_NONE);
		return;
	}
	c = copying_new(t, &t->name, copy_end);
	c->source_id = o->id;
	c->uids = o->uids;
	c->uid_count = o->count;
	c->move = o->move;
	c->source = mailbox_by_id(t->st, o->id);
	if (!c->source || c->source->h != t->h)
		e = mailbox_find(t->h, o->source, &c->source);
	if (!e)
		e = mailbox_find(t->h, o->target, &c->target);
	if (e)
		task_end(t, e, STR_NONE);
	else
		copy_hold(t);
}

static void copy_counted(struct task *t, enum err e)
{
	struct copy *o = t->op;

	if (e)
		task_end(t, e, STR_NONE);
	else if (str_eq(o->target, STR("INBOX"))) /* it is made if need be */
		mailbox_hold_made(t, &o->inbox, o->target, copy_begin);
	else
		copy_begin(t, OK);
}

static void copy_account(struct task *t, enum err e)
{
	if (e || ((struct copy *)t->op)->move)
		copy_counted(t, e);
	else
		quota_ask(t, false, copy_counted);
}

void copy_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_ACCOUNT);
	struct copy *o;
	struct name name;

	if (!t)
		return;
	o = task_op(t, struct copy);
	t->writes = true;
	name = unpack_name(&t->args);
	o->id = unpack_u64(&t->args);
	o->source = unpack_str(&t->args);
	o->target = mailbox_canonical(unpack_str(&t->args));
	o->move = unpack_u8(&t->args);
	o->uids = ranges_unpack(&t->args, &t->memory, &o->count);
	if (task_args_end(t) && task_name(t, name))
		task_account(t, copy_account);
}
