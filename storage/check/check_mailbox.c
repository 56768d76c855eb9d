/* check_mailbox.c - a mailbox is looked over: what its owner, the index and the files say of it.
 *   held with others -> view -> in one turn: what is seen is copied, the index has all of it to come -> index lane: its
 *   record and messages -> slow lane, in slices: the files up to where they were then -> compared -> repaired, if asked
 * Mail comes and flags change meanwhile; only what rewrites the files waits. What cannot be loaded is looked at by its
 * files alone. */
#include "core/mem.h"
#include "storage/check/check_parts.h"
#include "storage/path.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REPAIR_INDEX STR("the index of the mailbox is made anew from its files")
#define REPAIR_FILES STR("the files of the mailbox are written anew, and what is not understood set aside")
#define REPAIR_ASIDE STR("the file is set aside")

struct checking { /* the task's op */
	struct look look;
	struct hold hold;
	bool held;    /* it could be loaded */
	bool loaded;  /* and has a view */
	bool no_mbox; /* there is nothing in the file that could be a message */
	const char *stem;
	struct mailbox_record seen;   /* what the owner has */
	struct mailbox_record record; /* what the index has */
	struct message *view, *indexed;
	size_t count, indexed_count, indexed_cap;
	enum err index_e;
	struct mailbox_scan scan;
	bool done;
	enum err scan_e;
	struct found index_found, files_found; /* mended by a new index; by new files */
};

static void finish(struct task *t, enum err e)
{
	struct checking *c = t->op;

	free(c->view);
	free(c->indexed);
	mailbox_scan_free(&c->scan);
	if (e) {
		found_free(&c->look.found);
		c->look.found = (struct found){ 0 };
	}
	found_end(t, e, &c->look.found);
}

/* --- repairing -------------------------------------------------------------------------------------------------------- */

static struct problem problem_of(const struct checking *c, const char *suffix, char path[PATH_BYTES_MAX + 1])
{
	struct problem p = { .mailbox = c->look.mailbox };

	snprintf(path, PATH_BYTES_MAX + 1, "%s%s", c->stem, suffix);
	p.path = str_of(path);
	return p;
}

/* Adds what was found, now that it is known what became of it. */
static void found_join(struct found *to, struct found *from, enum mend mend)
{
	struct unpack u = unpack_of(buf_str(&from->problems));
	struct problem p;

	for (uint32_t i = 0; i < from->count; i++) {
		unpack_problem(&u, &p);
		p.mend = mend;
		found_add(to, &p);
	}
	to->left_out += from->left_out;
	found_free(from);
	*from = (struct found){ 0 };
}

static void repaired(struct task *t, enum err e)
{
	struct checking *c = t->op;
	bool repair = c->look.task != CHECK_LOOK;

	found_join(&c->look.found, &c->index_found, !repair ? MEND_CAN : e ? MEND_FAILED : MEND_DONE);
	found_join(&c->look.found, &c->files_found, !repair ? MEND_CAN : e ? MEND_FAILED : MEND_DONE);
	finish(t, OK);
}

static void again_held(struct task *t, enum err e)
{
	struct checking *c = t->op;

	if (!e && c->files_found.count)
		compact(t, c->hold.m, repaired);
	else
		repaired(t, e);
}

/* What is in memory and in the index goes, then the mailbox is read again. m is held alone. */
static void forget(struct hold *hold)
{
	struct mailbox *m = hold->m;

	mailbox_put_flush(m);
	mailbox_index_remove(m);
	m->state = MAILBOX_BROKEN;
	mailbox_release(hold);
}

static void read_again(struct task *t, enum err e)
{
	struct checking *c = t->op;

	if (e) {
		repaired(t, e);
		return;
	}
	if (c->hold.held)
		forget(&c->hold);
	mailbox_hold_name(t, &c->hold, c->look.mailbox, true, again_held);
}

/* The file is durable. */
static void aside_synced(struct task *t, enum err e)
{
	struct checking *c = t->op;
	struct buf from = { 0 }, to = { 0 };
	struct commit *k;

	if (!e)
		e = journal_room(t->st->journal, ENTRY_SMALL, 2 * PATH_BYTES_MAX);
	if (e) {
		repaired(t, e);
		return;
	}
	k = commit_new(t->st, t);
	buf_printf(&from, "%s.mbox", c->stem);
	buf_printf(&to, "%s.mbox.damaged.%llx", c->stem, (unsigned long long)store_seconds(t->st));
	if (c->scan.r.head.id)
		entry_settled(commit_entry(k), c->scan.r.head.id);
	entry_rename(commit_entry(k), buf_str(&from), buf_str(&to));
	commit_go(k, ENTRY_SMALL, NULL, read_again);
	buf_free(&from);
	buf_free(&to);
}

static enum err sync_work(struct task *t)
{
	struct checking *c = t->op;
	char *path = arena_printf(&t->memory, "%s.mbox", c->stem), *slash;
	enum err e = OK;

	for (int i = 0; i < 2 && !e; i++) {
		int fd = openat(t->st->w->directory, path, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || fsync(fd) < 0)
			e = err_errno("sync %s", path);
		if (fd >= 0)
			close(fd);
		if ((slash = strrchr(path, '/')))
			*slash = '\0'; /* then the directory */
	}
	return e;
}

static void alone_held(struct task *t, enum err e)
{
	const struct checking *c = t->op;

	if (!e && c->no_mbox)
		task_in_lane(t, t->st->w->files, sync_work, aside_synced);
	else
		read_again(t, e);
}

static void repair(struct task *t)
{
	struct checking *c = t->op;

	if (c->hold.held)
		mailbox_release(&c->hold);
	if (c->look.task == CHECK_LOOK || (!c->index_found.count && !c->files_found.count))
		repaired(t, OK);
	else if (c->held)
		mailbox_hold_name(t, &c->hold, c->look.mailbox, true, alone_held);
	else
		alone_held(t, OK); /* it cannot be loaded */
}

/* --- looking ---------------------------------------------------------------------------------------------------------- */

static const char *kept_in(const struct checking *c)
{
	return c->scan.r.head.mdir ? MDIR_SUFFIX : ".mbox";
}

static void on_amiss(void *user, enum scan_amiss what, const char *text, uint32_t uid, uint64_t at)
{
	struct checking *c = user;
	bool newer = what == SCAN_NEWER_MBOX || what == SCAN_NEWER_STATE;
	bool state = what == SCAN_LINE || what == SCAN_NEWER_STATE;
	char path[PATH_BYTES_MAX + 1];
	struct problem p = problem_of(c, state ? ".state" : kept_in(c), path);

	c->no_mbox |= what == SCAN_NO_MBOX;
	p.uid = uid;
	p.offset = at;
	p.text = str_of(text);
	p.repair = newer || what == SCAN_OTHER ? STR_NONE : what == SCAN_NO_MBOX ? REPAIR_ASIDE : REPAIR_FILES;
	found_add(newer || what == SCAN_OTHER ? &c->look.found : &c->files_found, &p);
}

static void compare(struct checking *c)
{
	char path[PATH_BYTES_MAX + 1];
	struct comparison files = {
		.known = c->view,
		.known_count = c->count,
		.said = c->scan.messages,
		.said_count = c->scan.count,
		.where = "index",
		.kept = &kept_in(c)[1],
		.problem = problem_of(c, kept_in(c), path),
		.found = &c->index_found,
	};
	struct comparison index = files;

	files.problem.repair = REPAIR_INDEX;
	compare_records(&files, &c->seen, &c->scan.r);
	compare_messages(&files);
	if (c->index_e || c->index_found.count)
		return;
	index.problem.repair = REPAIR_INDEX;
	index.known = c->indexed;
	index.known_count = c->indexed_count;
	compare_records(&index, &c->record, &c->scan.r);
	compare_messages(&index);
}

static enum err scan_slice(struct task *t)
{
	struct checking *c = t->op;

	c->scan_e = mailbox_scan_step(&c->scan, &c->done);
	if (!c->scan_e && c->done && c->loaded)
		compare(c);
	return c->scan_e;
}

static void slice_done(struct task *t, enum err e)
{
	struct checking *c = t->op;

	if (!e && !c->done) {
		task_in_lane(t, t->st->w->slow, scan_slice, slice_done);
		return;
	}
	c->look.found.bytes = c->scan.at;
	c->look.found.messages = c->scan.r.messages;
	if (e == ERR_AGAIN || e == ERR_ABSENT) {
		found_free(&c->index_found);
		found_free(&c->files_found);
		finish(t, e);
	} else {
		repair(t);
	}
}

static void scan_start(struct task *t)
{
	struct checking *c = t->op;

	c->scan = (struct mailbox_scan){
		.directory = t->st->w->directory,
		.stem = c->stem,
		.mbox_max = c->loaded ? c->seen.mbox_end : UINT64_MAX,
		.uid_end = c->loaded ? c->seen.head.uidnext : 0,
		.state_max = c->loaded ? c->seen.state_end : UINT64_MAX,
		.on_amiss = on_amiss,
		.user = c,
	};
	c->scan.r.keywords = c->seen.keywords; /* they keep their bits */
	task_in_lane(t, t->st->w->slow, scan_slice, slice_done);
}

static void on_indexed(void *user, const struct message *m)
{
	struct checking *c = user;

	if (c->indexed_count == c->indexed_cap) {
		c->indexed_cap = c->indexed_cap ? 2 * c->indexed_cap : 64;
		c->indexed = mem_resize(c->indexed, c->indexed_cap * sizeof(*c->indexed));
	}
	c->indexed[c->indexed_count++] = *m;
}

/* A mailbox that the index does not know is no problem: it is only a cache. */
static enum err index_work(struct task *t)
{
	struct checking *c = t->op;
	unsigned shard = t->h->shard;

	c->index_e = index_get_work(t->st->index, shard, t->address, c->look.mailbox, &c->record);
	if (!c->index_e)
		c->index_e = index_messages_work(t->st->index, shard, c->record.head.id, on_indexed, c);
	return OK;
}

static void index_done(struct task *t, enum err e)
{
	(void)e;
	scan_start(t);
}

static void viewed(struct task *t, enum err e)
{
	struct checking *c = t->op;
	struct mailbox *m = c->hold.m;

	if (e) { /* its files alone */
		scan_start(t);
		return;
	}
	c->loaded = true;
	c->seen = m->seen;
	c->view = mailbox_seen(m, false, &c->count);
	mailbox_put_flush(m);
	task_in_lane(t, t->st->w->index, index_work, index_done);
}

/* --- the index made anew --------------------------------------------------------------------------------------------- */

static void rebuilt(struct task *t, enum err e)
{
	struct checking *c = t->op;

	if (!e) {
		c->look.found.bytes = c->hold.m->seen.mbox_end;
		c->look.found.messages = c->hold.m->seen.messages;
	}
	finish(t, e);
}

static void rebuild_held(struct task *t, enum err e)
{
	struct checking *c = t->op;

	if (e) {
		finish(t, e);
		return;
	}
	forget(&c->hold);
	mailbox_hold_name(t, &c->hold, c->look.mailbox, false, rebuilt);
}

/* --- the beginning ---------------------------------------------------------------------------------------------------- */

static void held(struct task *t, enum err e)
{
	struct checking *c = t->op;

	c->held = !e;
	if (e == ERR_ABSENT)
		finish(t, e);
	else if (e)
		scan_start(t);
	else
		mailbox_view(t, c->hold.m, viewed);
}

static void account_known(struct task *t, enum err e)
{
	struct checking *c = t->op;
	bool rebuilds = c->look.task == CHECK_INDEX;

	if (e)
		finish(t, e);
	else
		mailbox_hold_name(t, &c->hold, c->look.mailbox, rebuilds, rebuilds ? rebuild_held : held);
}

void look_mailbox(struct task *t)
{
	struct look look = *(struct look *)t->op;
	struct checking *c = task_op(t, struct checking);
	struct buf stem = { 0 };

	c->look = look;
	c->look.mailbox = mailbox_canonical(look.mailbox);
	if (path_mailbox(&stem, t->address, c->look.mailbox)) {
		finish(t, ERR_MISTAKE);
	} else {
		buf_add_char(&stem, '\0');
		c->stem = arena_str(&t->memory, buf_str(&stem)).p;
		task_account(t, account_known);
	}
	buf_free(&stem);
}
