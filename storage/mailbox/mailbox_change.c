/* mailbox_change.c - changes of mailboxes, from fixed to seen. See mailbox.h.
 *   commit_new, commit_change, change_... , commit_go   in one turn: UIDs, places and clock are given, the entry made
 *   synced    it is durable: a delivery is answered
 *   applied   the files say so; changes of a mailbox are now seen in their order
 * What only changes messages that are there, by flags or by expunging them, is seen when it is synced, before it is applied;
 * with relaxed durability that says no more than that it is written. What gives UIDs is not seen so early: one that was seen is
 * never given again, and its bytes are to be read.
 * A change that cannot be made durable takes with it what was built on it: the mailbox is read again from its files
 * before anything new begins, and gives no UID or clock a second time. */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/mail/print.h"
#include "storage/mailbox/mailbox.h"
#include <assert.h>
#include <stdlib.h>

COUNTER(flag_changes, "store.flag_changes", "messages whose flags or keywords were changed");
COUNTER(expunges, "store.expunges", "messages expunged");

struct settled { /* a task that waits until a change is seen */
	struct settled *next;
	struct task *t;
	task_step *step;
};

struct change {
	struct change *next;  /* of its mailbox */
	struct change *other; /* of its commit */
	struct commit *commit;
	struct mailbox *m;
	bool applied, failed;
	bool shown; /* seen before it is applied */

	struct message *messages; /* as they are from now on, by UID */
	uint32_t *places;         /* theirs in the view; NULL: they are appended */
	size_t count, cap;
	int64_t messages_more, unseen_more, deleted_more, bytes_more, garbage_more;

	uint32_t file;     /* of an mdir: that which is being written, by its UID */
	uint64_t file_end; /* its bytes so far */

	uint32_t uidnext; /* of the mailbox, when this is applied */
	uint64_t mbox_end, state_end, clock;
	struct settled *settled, **settled_last;
};

struct commit {
	struct store *st;
	struct entry *entry;
	struct task *t;
	task_step *synced, *seen;
	struct change *changes, **changes_last;
	bool early;            /* it may be seen when it is written to the journal */
	bool written;          /* it is */
	bool held;             /* whoever waits until it is seen waits for more than its changes */
	unsigned unseen, left; /* changes not yet seen; not yet through, and whoever looks at them */
	bool durable;          /* or all that is promised of it */
	enum err e;
};

/* --- what will be ------------------------------------------------------------------------------------------------- */

struct latest {       /* flags of a message whose change is under way */
	uint32_t uid; /* 0: free */
	uint32_t flags;
	uint64_t keywords;
};

static struct latest *latest_slot(const struct mailbox *m, uint32_t uid)
{
	size_t at = (uid * UINT32_C(2654435761)) & (m->latest_cap - 1);

	while (m->latest[at].uid && m->latest[at].uid != uid)
		at = (at + 1) & (m->latest_cap - 1);
	return &m->latest[at];
}

static void latest_set(struct mailbox *m, const struct message *msg)
{
	struct latest *l;

	if (2 * m->latest_count >= m->latest_cap) {
		struct latest *old = m->latest;
		size_t count = m->latest_cap;

		m->latest_cap = count ? 2 * count : 64;
		m->latest = mem_alloc(m->latest_cap * sizeof(*m->latest));
		for (size_t i = 0; i < count; i++)
			if (old[i].uid)
				*latest_slot(m, old[i].uid) = old[i];
		free(old);
	}
	l = latest_slot(m, msg->uid);
	m->latest_count += !l->uid;
	*l = (struct latest){ msg->uid, msg->flags, msg->keywords };
}

void mailbox_message(const struct mailbox *m, uint32_t place, struct message *msg)
{
	const struct latest *l;

	view_message(m->view, place, msg);
	if (m->latest_count && (l = latest_slot(m, msg->uid))->uid) {
		msg->flags = l->flags;
		msg->keywords = l->keywords;
	}
}

struct quota mailbox_sum(const struct mailbox *m)
{
	struct quota sum = { m->seen.bytes, m->seen.messages };

	for (const struct change *c = m->changes; c; c = c->next)
		if (!c->failed) {
			sum.bytes += (uint64_t)c->bytes_more;
			sum.messages += (uint64_t)c->messages_more;
		}
	return sum;
}

void mailbox_fix(struct mailbox *m)
{
	assert(!m->changes);
	m->uidnext = m->seen.head.uidnext;
	m->mbox_end = m->seen.mbox_end;
	m->state_end = m->seen.state_end;
	m->clock = m->seen.head.clock;
}

/* --- fixing ------------------------------------------------------------------------------------------------------- */

struct commit *commit_new(struct store *st, struct task *t)
{
	struct commit *k = mem_new(struct commit);

	k->st = st;
	k->t = t;
	k->entry = entry_new();
	k->changes_last = &k->changes;
	return k;
}

struct entry *commit_entry(struct commit *k)
{
	return k->entry;
}

struct change *commit_change(struct commit *k, struct mailbox *m)
{
	uint64_t now = (uint64_t)store_seconds(m->st) << 16;

	return commit_change_at(k, m, m->clock + 1 > now ? m->clock + 1 : now);
}

struct change *commit_change_at(struct commit *k, struct mailbox *m, uint64_t clock)
{
	struct change *c = mem_new(struct change);

	assert(m->state == MAILBOX_READY && clock > m->clock);
	c->commit = k;
	c->m = m;
	c->settled_last = &c->settled;
	*k->changes_last = c;
	k->changes_last = &c->other;
	*m->changes_last = c;
	m->changes_last = &c->next;
	k->left++;
	mailbox_pin(m);
	c->clock = m->clock = clock;
	return c;
}

/* Where bytes of messages go: behind those before them; *end is moved by whoever writes them. */
static struct file_ref mbox_file(struct change *c, struct buf *path, uint64_t **end)
{
	struct mailbox *m = c->m;
	struct file_ref file = mailbox_file(m, ".mbox", path);

	*end = &m->mbox_end;
	if (m->seen.head.mdir) {
		buf_clear(path);
		mdir_path(path, m->stem, c->file);
		file.path = buf_str(path);
		*end = &c->file_end;
	}
	return file;
}

static void mbox_write(struct change *c, struct str bytes)
{
	struct buf path = { 0 };
	uint64_t *end;
	struct file_ref file = mbox_file(c, &path, &end);

	entry_write(c->commit->entry, &file, *end, bytes);
	*end += bytes.len;
	buf_free(&path);
}

static void mbox_write_spool(struct change *c, struct str spool, uint64_t len)
{
	struct buf path = { 0 };
	uint64_t *end;
	struct file_ref file = mbox_file(c, &path, &end);

	entry_write_spool(c->commit->entry, &file, *end, spool, len);
	*end += len;
	buf_free(&path);
}

/* A message begins: in an mdir that is a file. */
static void mbox_begin(struct change *c, uint32_t uid)
{
	if (!c->m->seen.head.mdir)
		return;
	c->file = uid;
	c->file_end = 0;
	c->m->mbox_end++;
}

static void state_write(struct change *c, struct str lines)
{
	struct buf path = { 0 };
	struct file_ref file = mailbox_file(c->m, ".state", &path);

	entry_write(c->commit->entry, &file, c->m->state_end, lines);
	c->m->state_end += lines.len;
	buf_free(&path);
}

static void message_keep(struct change *c, const struct message *msg)
{
	if (c->count == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 1;
		c->messages = mem_resize(c->messages, c->cap * sizeof(*c->messages));
	}
	c->messages[c->count++] = *msg;
}

/* Counts a message that is appended. */
static void message_more(struct change *c, const struct message *msg)
{
	message_keep(c, msg);
	c->messages_more++;
	c->unseen_more += !(msg->flags & FLAG_SEEN);
	c->deleted_more += (msg->flags & FLAG_DELETED) != 0;
	c->bytes_more += msg->wire;
}

void change_run(struct change *c, const struct message *messages, size_t count, struct str spool, struct str bytes,
	uint64_t length)
{
	struct mailbox *m = c->m;

	assert(count && messages[0].uid == m->uidnext);
	assert(m->seen.head.mdir ? count == 1 : messages[0].offset == m->mbox_end);
	assert(messages[0].clock == c->clock);
	for (size_t i = 0; i < count; i++)
		message_more(c, &messages[i]);
	m->uidnext = messages[count - 1].uid + 1;
	mbox_begin(c, messages[0].uid);
	if (spool.len)
		mbox_write_spool(c, spool, length);
	else
		mbox_write(c, bytes);
}

uint32_t change_append(struct change *c, const struct incoming *in)
{
	struct mailbox *m = c->m;
	struct message msg = {
		.uid = m->uidnext++,
		.flags = in->flags & FLAG_SYSTEM,
		.written = in->flags & FLAG_SYSTEM,
		.keywords = in->keywords,
		.clock = c->clock,
		.offset = m->seen.head.mdir ? 0 : m->mbox_end,
		.stored = (uint32_t)in->stored,
		.wire = (uint32_t)in->wire,
		.header = (uint32_t)in->header,
		.date = in->date,
	};
	const struct state_head *h = &m->seen.head;
	struct mbox_base base = { h->uidvalidity, msg.uid, h->id, h->generation, 0, 0 };
	struct buf b = { 0 };

	assert(in->stored <= UINT32_MAX && in->wire <= UINT32_MAX && !c->places);
	mbox_begin(c, msg.uid);
	mbox_prefix(&b, &msg, in->sender, &m->seen.keywords, msg.offset ? NULL : &base);
	msg.prefix = (uint32_t)buf_len(&b);
	buf_add_str(&b, in->before);
	if (in->spool.len) {
		mbox_write(c, buf_str(&b));
		mbox_write_spool(c, in->spool, in->stored - in->before.len);
		buf_clear(&b);
	} else {
		assert(in->before.len + in->bytes.len == in->stored);
		buf_add_str(&b, in->bytes);
		if (in->header <= in->stored)
			msg.print = print_of(str_cut(buf_str(&b), msg.prefix, msg.prefix + in->header));
	}
	buf_add_str(&b, STR(MBOX_TAIL));
	mbox_write(c, buf_str(&b));
	buf_free(&b);
	assert((m->seen.head.mdir ? c->file_end : m->mbox_end) ==
		msg.offset + msg.prefix + msg.stored + sizeof(MBOX_TAIL) - 1);
	message_more(c, &msg);
	return msg.uid;
}

void change_line_ends(struct change *c, unsigned count)
{
	struct str ends = { "\n\n", count };

	assert(count <= 2);
	c->m->mbox_end -= count;
	mbox_write(c, ends);
}

void change_head(struct change *c, uint32_t uidnext)
{
	struct state_head head = c->m->seen.head;
	struct buf line = { 0 };

	assert(!c->m->state_end);
	head.uidnext = uidnext;
	head.clock = c->clock;
	state_print_head(&line, &head);
	state_write(c, buf_str(&line));
	buf_free(&line);
}

void change_uidnext(struct change *c)
{
	struct buf line = { 0 }, value = { 0 };

	buf_printf(&value, "%u", c->m->uidnext);
	state_print_set(&line, STR("uidnext"), buf_str(&value), c->clock);
	state_write(c, buf_str(&line));
	buf_free(&line);
	buf_free(&value);
}

/* --- flags and expunges ------------------------------------------------------------------------------------------- */

static int64_t mbox_bytes(const struct message *msg)
{
	return msg->prefix + (int64_t)msg->stored + (int64_t)sizeof(MBOX_TAIL) - 1;
}

void change_messages(struct change *c, const struct message *messages, const uint32_t *places, size_t count)
{
	struct mailbox *m = c->m;
	bool expunge = count && messages[0].flags & FLAG_EXPUNGED;
	struct buf lines = { 0 };

	assert(count && !c->messages);
	c->messages = mem_copy(messages, count * sizeof(*messages));
	c->places = mem_copy(places, count * sizeof(*places));
	c->count = c->cap = count;
	mailbox_lines(m, messages, places, count, c->clock, &lines);
	state_write(c, buf_str(&lines));
	buf_free(&lines);
	for (size_t i = 0; i < count; i++) {
		struct message *msg = &c->messages[i], old;

		mailbox_message(m, places[i], &old);
		assert(old.uid == msg->uid && !(old.flags & FLAG_EXPUNGED));
		assert(!(msg->flags & FLAG_EXPUNGED) == !expunge);
		msg->clock = c->clock;
		c->unseen_more -= !(old.flags & FLAG_SEEN);
		c->deleted_more -= (old.flags & FLAG_DELETED) != 0;
		if (expunge) {
			c->messages_more--;
			c->bytes_more -= msg->wire;
			c->garbage_more += m->seen.head.mdir ? 1 : mbox_bytes(msg);
		} else {
			c->unseen_more += !(msg->flags & FLAG_SEEN);
			c->deleted_more += (msg->flags & FLAG_DELETED) != 0;
		}
		latest_set(m, msg);
	}
	counter_add(expunge ? &expunges : &flag_changes, count);
}

/* --- seen --------------------------------------------------------------------------------------------------------- */

static void commit_free(struct commit *k)
{
	struct change *c = k->changes;

	while (c) {
		struct change *other = c->other;

		free(c->messages);
		free(c->places);
		free(c);
		c = other;
	}
	free(k);
}

static void record_raise(struct change *c)
{
	struct mailbox_record *r = &c->m->seen;

	r->head.uidnext = c->uidnext;
	r->head.clock = c->clock;
	r->mbox_end = c->mbox_end;
	r->state_end = c->state_end;
	r->messages = (uint32_t)(r->messages + c->messages_more);
	r->unseen = (uint32_t)(r->unseen + c->unseen_more);
	r->deleted = (uint32_t)(r->deleted + c->deleted_more);
	r->bytes = (uint64_t)((int64_t)r->bytes + c->bytes_more);
	r->garbage = (uint64_t)((int64_t)r->garbage + c->garbage_more);
	if (!c->places && c->count && mailbox_is_claimed(c->m)) {
		r->recent = r->head.uidnext;
		r->recents = 0;
	} else if (!c->places) {
		r->recents += (uint32_t)c->count;
	} else if (c->messages_more < 0) {
		for (size_t i = 0; i < c->count; i++) {
			r->recents -= c->messages[i].uid >= r->recent;
			if (r->head.mdir)
				mailbox_file_gone(c->m, c->messages[i].uid);
		}
	}
}

static void see(struct change *c)
{
	struct mailbox *m = c->m;

	record_raise(c);
	mailbox_put(m, c->messages, c->count);
	if (m->view) {
		if (view_keyword_count(m->view) < m->seen.keywords.count)
			view_keywords_set(m->view, &m->seen.keywords);
		for (size_t i = 0; i < c->count; i++)
			if (!c->places)
				view_add(m->view, &c->messages[i]);
			else if (view_find(m->view, c->messages[i].uid,
					 &c->places[i])) /* it may be another view by now */
				view_change(m->view, c->places[i], &c->messages[i]);
		view_publish(m->view, m->seen.head.uidnext, m->seen.head.clock);
	}
	mailbox_news(m);
}

/* One of the commit's changes is through. */
static void commit_less(struct commit *k)
{
	if (!--k->left)
		commit_free(k);
}

static void look_seen(struct commit *k)
{
	task_step *seen = k->seen;

	if (k->unseen || k->held || k->e || !seen)
		return;
	k->seen = NULL;
	seen(k->t, OK);
}

static void settled_tell(struct change *c, enum err e)
{
	struct settled *settled = c->settled;

	c->settled = NULL;
	c->settled_last = &c->settled;
	while (settled) {
		struct settled *next = settled->next;

		settled->step(settled->t, e);
		settled = next;
	}
}

/* The change is seen, or has failed: who waits for that goes on. */
static void is_seen(struct change *c)
{
	settled_tell(c, c->failed ? ERR_AGAIN : OK);
	c->commit->unseen--;
	look_seen(c->commit);
}

static void through(struct change *c)
{
	struct mailbox *m = c->m;

	m->changes = c->next;
	if (!m->changes) {
		m->changes_last = &m->changes;
		free(m->latest);
		m->latest = NULL;
		m->latest_cap = m->latest_count = 0;
	}
	if (!c->shown)
		is_seen(c);
	commit_less(c->commit);
	mailbox_unpin(m);
}

/* Those that need not be applied to be seen, up to one that does. */
static void show_early(struct mailbox *m)
{
	for (struct change *c = m->changes; c && !m->view_making; c = c->next) {
		if (c->shown)
			continue;
		if (!c->commit->early || !c->commit->written)
			return;
		see(c);
		c->shown = true;
		is_seen(c);
	}
}

bool mailbox_is_ahead(const struct mailbox *m)
{
	bool ahead = false;

	for (const struct change *c = m->changes; c && !ahead; c = c->next)
		ahead = c->shown && !c->applied && !c->failed;
	return ahead;
}

void mailbox_publish(struct mailbox *m)
{
	struct change *c;

	mailbox_pin(m);
	mailbox_view_go_on(m);
	while ((c = m->changes) && (c->applied || c->failed) && !m->view_making) {
		if (!c->failed && !c->shown) {
			if (!c->places && c->count && m->view && view_grow(m, (uint32_t)c->count))
				break;
			see(c);
		}
		through(c);
	}
	show_early(m);
	if (m->state == MAILBOX_READY)
		compact_if_due(m);
	mailbox_turn(m);
	mailbox_unpin(m);
}

void mailbox_answer_durable(struct mailbox *m)
{
	for (struct change *c = m->changes; c; c = c->next) {
		struct commit *k = c->commit;
		task_step *seen = k->durable ? k->seen : NULL;

		if (seen) {
			k->seen = NULL;
			seen(k->t, OK);
		}
		if (k->durable)
			settled_tell(c, OK);
	}
}

void mailbox_forget_changes(struct mailbox *m)
{
	struct change *c;

	while ((c = m->changes)) {
		m->changes = c->next;
		c->commit->seen = NULL;
		commit_less(c->commit);
		mailbox_unpin(m);
	}
	m->changes_last = &m->changes;
}

void mailbox_settled(struct task *t, struct mailbox *m, task_step *step)
{
	struct settled *s;
	struct change *last;

	last = m->changes ? container_of(m->changes_last, struct change, next) : NULL;
	if (!last || last->shown) {
		step(t, OK);
		return;
	}
	s = arena_new(&t->memory, struct settled);
	s->t = t;
	s->step = step;
	*last->settled_last = s;
	last->settled_last = &s->next;
}

void mailbox_settled_or_parked(struct task *t, struct mailbox *m, task_step *step)
{
	if (m->parked)
		step(t, OK);
	else
		mailbox_settled(t, m, step);
}

/* --- the journal's word ------------------------------------------------------------------------------------------- */

/* What was built on it, and what was appended until now, fails as well (journal.h). */
static void fail(struct change *c)
{
	struct mailbox *m = c->m;

	if (m->state == MAILBOX_READY) {
		log_error("store", NULL, "a change failed, the mailbox is read again account=%s mailbox=\"%s\"",
			m->h->address, m->name);
		m->state = MAILBOX_BROKEN;
	}
	c->failed = true;
	quota_changed_elsewhere(m);
}

/* Each mailbox sees what it may of the commit's changes; k goes when that is all. */
static void publish_all(struct commit *k)
{
	k->left++;
	for (struct change *c = k->changes; c; c = c->other)
		mailbox_pin(c->m);
	for (struct change *c = k->changes; c; c = c->other) {
		mailbox_publish(c->m);
		mailbox_unpin(c->m);
	}
	k->held = false;
	look_seen(k);
	commit_less(k);
}

static void on_synced(void *user, enum err e)
{
	struct commit *k = user;
	task_step *told = k->synced ? k->synced : k->seen;

	k->e = e;
	k->durable = !e;
	if (!e) {
		if (k->synced)
			k->synced(k->t, OK);
		k->written = true;
		if (k->early)
			publish_all(k);
		return;
	}
	for (struct change *c = k->changes; c; c = c->other)
		fail(c);
	if (told)
		told(k->t, e);
	publish_all(k);
}

static void on_applied(void *user, enum err e)
{
	struct commit *k = user;

	(void)e;
	for (struct change *c = k->changes; c; c = c->other)
		c->applied = true;
	publish_all(k);
}

void commit_go(struct commit *k, enum entry_class class, task_step *synced, task_step *seen)
{
	struct entry *entry = k->entry;
	bool awaited = false; /* by more than its being written */

	for (struct change *c = k->changes; c; c = c->other)
		if (c->file) /* no file would tell of a UID once it is expunged */
			change_uidnext(c);
	k->synced = synced;
	k->seen = seen;
	k->entry = NULL;
	k->held = true;
	k->early = k->changes != NULL;
	for (struct change *c = k->changes; c; c = c->other) {
		k->unseen++;
		k->early &= c->count && c->places;
		awaited |= c->m->changes != c;
		c->uidnext = c->m->uidnext;
		c->mbox_end = c->m->mbox_end;
		c->state_end = c->m->state_end;
		quota_change(c->m, c->bytes_more, c->messages_more);
	}
	if (seen && (awaited || !k->early))
		entry_awaited(entry);
	journal_append(k->st->journal, entry, class, on_synced, on_applied, k);
}
