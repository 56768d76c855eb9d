/* replay.c - see replay.h.
 * What was done before the crash is told by what is there when replay begins, before it changes anything:
 *   - a rename was done if nothing is at its old place. The journal lets nobody make that path again before a
 *     checkpoint (moved.h), and what is renamed was durable before.
 *   - a remove was done if nothing is there, or if something is kept there: durable content that came later and that
 *     replay would not make again, by a rename that was done or by writes settled since. Otherwise it is done again,
 *     and whatever came later is made again after it.
 * What came before a move that was done, at the path it took away or replaced, is void. Marks hold sequences counted
 * from 1, so that 0 is none.
 * In a copy all that is a guess: each operation is compared with the files (fit.h), and of what is settled only writes
 * to mailboxes are done again.
 *
 * A message that another program took out of an mbox looks as one that a power cut took: until the mailbox was read again
 * and its next generation settled what came before, replay writes it once more. No mail is lost for that. */
#include "storage/journal/replay.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/copied.h"
#include "storage/journal/fit.h"
#include "storage/journal/journal_parts.h"
#include "storage/journal/marks.h"
#include "storage/journal/note.h"
#include "storage/journal/operation.h"
#include "storage/journal/saved.h"
#include "storage/journal/scan.h"
#include "storage/path.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AHEAD_MAX   200                 /* entries that are looked for to know where one before them belongs */
#define AHEAD_ASK   16                  /* times, for one file, as long as one is found */
#define AHEAD_BYTES (UINT64_C(1) << 30) /* read for that in all: a start does not wait longer */

struct replay {
	int store, dir;
	struct scan *scan;
	struct files *files;
	struct names *names; /* NULL: they are known */
	struct note note;
	struct fits *fits;
	bool copy;
	uint64_t checkpoint; /* what comes before was settled */
	bool at_start;       /* false: in a serving worker's lane: all moves are done, nothing is noted or set aside */
	struct marks *settled; /* by mailbox id: the last entry that says so */
	struct marks *moved;   /* by path: the last move, done already, that took it away or put another in its place */
	struct marks *kept;    /* by path: the last entry whose content there is not made again, in it or below */
	struct marks *ends;    /* by path: where the last write to it ends, counted from 1 */
	struct marks *spools;  /* to be unlinked */
	struct marks *held;    /* at the start: mailboxes that others have locked */
	struct marks *late;    /* at the start: new generations that come too late, by sequence, counted from 1 */
	struct marks *asked;   /* by path: how often entries ahead were looked for */
	uint64_t ahead_left;   /* of AHEAD_BYTES */
	struct marks *filed;   /* the same of entries in files of their own that are applied now */
	const struct marks *parked;
	uint64_t sequence; /* being replayed */
	uint64_t applied;
	bool removes;   /* there are such */
	bool set_aside; /* one was at least */
	enum err error;
};

static struct str id_key(const uint64_t *id)
{
	return (struct str){ (const char *)id, sizeof(*id) };
}

static struct str sequence_key(const uint64_t *sequence)
{
	return id_key(sequence);
}

static bool is_there(int store, struct str path)
{
	char text[PATH_BYTES_MAX + 1];
	struct stat st;

	snprintf(text, sizeof(text), STR_FMT, STR_ARG(path));
	return fstatat(store, text, &st, AT_SYMLINK_NOFOLLOW) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static void keep(struct replay *r, struct str path, uint64_t sequence)
{
	marks_raise(r->kept, path, sequence + 1);
	marks_raise_parents(r->kept, path, sequence + 1);
}

static enum err learn(void *user, uint64_t sequence, struct str entry)
{
	struct unpack u = unpack_of(entry);
	struct replay *r = user;
	struct operation op;
	bool late = r->at_start && !r->copy && files_too_late(r->files, entry, true);

	if (late)
		marks_raise(r->late, sequence_key(&sequence), 1);
	while (operation_next(&u, &op))
		switch (op.kind) {
		case OP_SETTLED:
			if (!r->copy &&
				!late) /* late: its files are not what it knew: a power cut may have changed them */
				marks_raise(r->settled, id_key(&op.id), sequence + 1);
			break;
		case OP_RENAME:
			if ((r->at_start && is_there(r->store, op.path)) || (r->copy && fits_is_generation(&op)))
				break;
			marks_raise(r->moved, op.path, sequence + 1);
			marks_raise(r->moved, op.other, sequence + 1);
			keep(r, op.other, sequence);
			break;
		case OP_REMOVE:
			r->removes = true;
			break;
		case OP_SPOOL:
			marks_raise(r->spools, op.other, 1);
			break;
		case OP_NAMES_ALL:
			if (r->names)
				names_clear(r->names);
			break;
		case OP_NAME:
			if (r->names)
				names_add(r->names, op.name, op.bytes);
			break;
		default:
			break;
		}
	return OK;
}

static bool is_settled(const struct replay *r, const struct operation *op, uint64_t sequence)
{
	return (op->kind == OP_WRITE || op->kind == OP_SPOOL) && op->id &&
	       marks_get(r->settled, id_key(&op->id)) > sequence + 1;
}

static enum err learn_kept(void *user, uint64_t sequence, struct str entry)
{
	struct unpack u = unpack_of(entry);
	struct operation op;

	while (operation_next(&u, &op))
		if (is_settled(user, &op, sequence))
			keep(user, op.path, sequence);
	return OK;
}

static enum err learn_removed(void *user, uint64_t sequence, struct str entry)
{
	struct unpack u = unpack_of(entry);
	struct replay *r = user;
	struct operation op;

	while (operation_next(&u, &op))
		if (op.kind == OP_REMOVE &&
			(!r->at_start || marks_get(r->kept, op.path) > sequence + 1 || !is_there(r->store, op.path)))
			marks_raise(r->moved, op.path, sequence + 1);
	return OK;
}

static bool is_void(const struct replay *r, const struct operation *op)
{
	if (is_settled(r, op, r->sequence) || (op->path.len && marks_of_path(r->moved, op->path) > r->sequence + 1))
		return true;
	if (op->kind == OP_RENAME)
		return !r->at_start;
	return op->kind == OP_REMOVE && (!r->at_start || marks_get(r->kept, op->path) > r->sequence + 1);
}

/* A mailbox was renamed and then given a new generation, and of the two moves a power cut left the second: what is at the old
 * place still is what the generation replaced. */
static void supersede(const struct replay *r, struct operation *op)
{
	if (op->kind == OP_RENAME && r->at_start && !r->copy && path_is_mailbox(op->path) &&
		path_is_mailbox(op->other) && marks_get(r->moved, op->other) > r->sequence + 1 &&
		is_there(r->store, op->path) && is_there(r->store, op->other))
		*op = (struct operation){ .kind = OP_REMOVE, .path = op->path };
}

static void keep_end(struct replay *r, const struct operation *op)
{
	switch (op->kind) {
	case OP_WRITE:
	case OP_SPOOL:
		marks_raise(r->ends, op->path, op->offset + op->len + op->bytes.len + 1);
		break;
	case OP_RENAME:
		marks_drop(r->ends, op->other);
		__attribute__((fallthrough));
	case OP_REMOVE:
	case OP_PUT:
		marks_drop(r->ends, op->path);
		break;
	default:
		break;
	}
}

/* Whether the operation is to be done to the files as they are; of a write it may change the place. */
static bool does_fit(struct replay *r, struct operation *op, enum err *e)
{
	bool settled = r->sequence < r->checkpoint;

	if (!r->at_start)
		return true;
	switch (op->kind) {
	case OP_WRITE:
	case OP_SPOOL:
		return fits_write(r->fits, op, settled, e);
	case OP_RENAME:
		return fits_rename(r->fits, op);
	case OP_REMOVE:
		return !settled && fits_remove(r->fits, op);
	default:
		return !settled;
	}
}

struct ahead {
	struct replay *r;
	struct str path;
	uint64_t shift;
	unsigned left;
	bool surely;
};

/* Not OK ends it: ERR_ABSENT: the file is another from here on. */
static enum err look_ahead(void *user, uint64_t sequence, struct str entry)
{
	struct unpack u = unpack_of(entry);
	struct ahead *a = user;
	struct operation op;

	a->r->ahead_left -= entry.len < a->r->ahead_left ? entry.len : a->r->ahead_left;
	if (sequence <= a->r->sequence)
		return OK;
	while (operation_next(&u, &op)) {
		bool is_write = op.kind == OP_WRITE || op.kind == OP_SPOOL;

		if (op.kind != OP_NAME && !is_write && (str_eq(op.path, a->path) || str_eq(op.other, a->path)))
			return ERR_ABSENT;
		if (!is_write || !str_eq(op.path, a->path) || is_settled(a->r, &op, sequence))
			continue;
		if (!a->left-- || !a->r->ahead_left)
			return ERR_ABSENT;
		if (files_find(a->r->files, &op, a->surely, &a->r->ahead_left, &a->shift))
			return ERR_EXISTS;
	}
	return OK;
}

static bool ahead(void *user, struct str path, uint64_t *shift)
{
	struct replay *r = user;
	struct scan again = *r->scan; /* it is being read already */
	struct ahead a = { r, path, 0, AHEAD_MAX, true };
	uint64_t asked = marks_get(r->asked, path);
	enum err e;

	if (asked >= AHEAD_ASK || !r->ahead_left)
		return false;
	again.bytes = (struct buf){ 0 };
	if ((e = scan_each(&again, UINT64_MAX, look_ahead, &a)) != ERR_EXISTS) {
		a.surely = false;
		a.left = AHEAD_MAX;
		e = scan_each(&again, UINT64_MAX, look_ahead, &a);
	}
	buf_free(&again.bytes);
	if (!r->ahead_left)
		log_warn("journal", NULL, "so much is missing that what follows it is looked for no more bytes=%llu",
			(unsigned long long)AHEAD_BYTES);
	marks_raise(r->asked, path, e == ERR_EXISTS ? asked + 1 : AHEAD_ASK);
	*shift = a.shift;
	return e == ERR_EXISTS;
}

/* Behind a new generation that came too late, or perhaps did before the crash, entries are where the old one had room. */
static void displaced(struct replay *r, const struct operation *op, bool late)
{
	files_displaced(r->files, op->other, fits_is_generation(op) && (late || !is_there(r->store, op->path)));
	marks_drop(r->asked, op->other);
}

/* As apply_operations, but for what is void or does not fit. What comes too late stays where it is, to be written over one
 * day: if half of it were gone when the power fails once more, it would look as if it had taken its place. */
static enum err apply_valid(struct replay *r, struct str entry)
{
	bool late = marks_get(r->late, sequence_key(&r->sequence)) > 0;
	struct unpack u = unpack_of(entry);
	enum err e = OK, worst = OK;
	struct operation op;

	if (r->at_start)
		fits_begin(r->fits, r->sequence, entry);
	while ((!e || e == ERR_NEVER) && operation_next(&u, &op)) {
		if (op.kind == OP_RENAME && r->at_start && !r->copy)
			displaced(r, &op, late);
		if (is_void(r, &op) || (late && op.kind == OP_RENAME) || files_keeps_form(r->files, entry, &op) ||
			!does_fit(r, &op, &e))
			continue;
		supersede(r, &op);
		if ((e = apply_operation(r->files, &op)))
			worst = e;
		else
			keep_end(r, &op);
	}
	files_release(r->files);
	return u.bad ? ERR_NEVER : worst;
}

static enum err put_aside(struct replay *r, struct str entry, const char *why)
{
	r->set_aside = true;
	return entry_set_aside(r->dir, r->sequence, entry, why);
}

static void note_spools(struct replay *r, struct str entry, bool unlink)
{
	struct unpack u = unpack_of(entry);
	struct operation op;

	while (operation_next(&u, &op))
		if (op.kind == OP_SPOOL && unlink)
			marks_raise(r->spools, op.other, 1);
		else if (op.kind == OP_SPOOL)
			marks_drop(r->spools, op.other);
}

/* At the start: another program has locked a mailbox that the entry writes to, or an earlier one that waits for that. */
static enum err park(struct replay *r, struct str entry)
{
	entry_hold(r->held, entry);
	note_spools(r, entry, false);
	return parked_write(r->dir, r->sequence, entry);
}

static bool is_locked(struct replay *r, struct str entry)
{
	return entry_is_held(r->held, entry) || !files_claim(r->files, entry, true);
}

static enum err apply_again(void *user, uint64_t sequence, struct str entry)
{
	struct replay *r = user;
	enum err e;

	r->sequence = sequence;
	if (!r->at_start && marks_get(r->parked, sequence_key(&sequence)))
		return OK;
	if (r->at_start && note_kills(&r->note, sequence))
		return put_aside(r, entry, "it killed replay twice");
	if (r->at_start)
		note_begin(&r->note, sequence);
	if (r->at_start && is_locked(r, entry))
		return park(r, entry);
	e = apply_valid(r, entry);
	r->applied++;
	if (e != ERR_NEVER)
		return e;
	return r->at_start ? put_aside(r, entry, "it cannot be applied") : OK; /* a serving worker's was before */
}

/* An entry that was parked: before all that is in the journal still. */
static enum err apply_parked(void *user, uint64_t sequence, struct str entry)
{
	struct replay *r = user;
	enum err e;

	r->sequence = sequence;
	if (is_locked(r, entry)) {
		entry_hold(r->held, entry);
		note_spools(r, entry, false);
		return OK;
	}
	e = apply_valid(r, entry);
	if (e == ERR_NEVER)
		e = put_aside(r, entry, "it cannot be applied");
	else if (!e)
		note_spools(r, entry, true);
	if (!e)
		marks_raise(r->filed, sequence_key(&sequence), sequence + 1);
	return e;
}

static void unlink_filed(void *user, struct str key, uint64_t number)
{
	const struct replay *r = user;

	(void)key;
	parked_unlink(r->dir, number - 1);
}

static void cut_file(void *user, struct str path, uint64_t end)
{
	struct replay *r = user;

	if (!r->error && !files_moved(r->files, path))
		r->error = files_cut(r->files, path, end - 1);
}

static void unlink_spool(void *user, struct str path, uint64_t number)
{
	const struct replay *r = user;
	char text[PATH_BYTES_MAX + 1];

	(void)number;
	snprintf(text, sizeof(text), STR_FMT, STR_ARG(path));
	if (unlinkat(r->store, text, 0) < 0 && errno != ENOENT)
		log_warn("journal", NULL, "cannot unlink spooled bytes path=%s error=\"%s\"", text, strerror(errno));
}

static void replay_begin(struct replay *r)
{
	r->settled = marks_new();
	r->moved = marks_new();
	r->kept = marks_new();
	r->ends = marks_new();
	r->spools = marks_new();
	r->held = marks_new();
	r->late = marks_new();
	r->asked = marks_new();
	r->ahead_left = AHEAD_BYTES;
	r->filed = marks_new();
}

static void replay_end(struct replay *r)
{
	marks_free(r->settled);
	marks_free(r->moved);
	marks_free(r->kept);
	marks_free(r->ends);
	marks_free(r->spools);
	marks_free(r->held);
	marks_free(r->late);
	marks_free(r->asked);
	marks_free(r->filed);
}

static enum err passes(struct replay *r, struct scan *s, uint64_t upto)
{
	enum err e = scan_each(s, upto, learn, r);

	if (!e && r->removes && !(e = scan_each(s, upto, learn_kept, r)))
		e = scan_each(s, upto, learn_removed, r);
	if (!e && r->at_start)
		e = parked_each(r->dir, apply_parked, r, &r->set_aside);
	return e ? e : scan_each(s, upto, apply_again, r);
}

static enum err sync_all(struct files *f)
{
	struct sync_list l;
	enum err e = files_sync_list(f, &l);

	return e ? e : sync_list_run(&l);
}

/* Everything that the scan found is in its files and durable when this answers OK. */
static enum err replay_scanned(struct replay *r, struct scan *s, uint64_t life)
{
	enum err e;

	note_open(&r->note, r->dir, life);
	r->files = files_new(r->store);
	r->fits = fits_new(r->store, r->copy);
	r->checkpoint = s->checkpoint;
	if (!r->copy)
		files_look_ahead(r->files, ahead, r);
	files_lock_mailboxes(r->files, true, false); /* a power cut would leave ours behind */
	e = passes(r, s, UINT64_MAX);
	if (!e && !s->lost && !r->set_aside && !r->copy) { /* else a file may rightly be longer than we know */
		marks_each(r->ends, cut_file, r);
		e = r->error;
	}
	if (!e)
		e = sync_all(r->files);
	if (!e && marks_count(r->held) && fsync(r->dir) < 0)
		e = err_errno("sync the journal's directory");
	files_free(r->files);
	fits_free(r->fits);
	note_end(&r->note);
	if (!e && (s->lost || r->set_aside)) /* who knows which UIDs were given there */
		e = skip_ask(r->store);
	return e;
}

/* Segments of which nobody knows where they begin are kept for whoever can make something of them. */
static enum err set_aside_all(int dir, const struct segment_file *files, size_t count)
{
	long long now = (long long)time(NULL);
	char from[40], to[80];

	for (size_t i = 0; i <= count; i++) {
		if (i < count)
			snprintf(from, sizeof(from), "segment.%08u", files[i].number);
		else
			snprintf(from, sizeof(from), "base");
		snprintf(to, sizeof(to), "%s.damaged.%llx", from, (unsigned long long)now);
		if (renameat(dir, from, dir, to) < 0 && errno != ENOENT)
			return err_errno("set aside %s", from);
	}
	return OK;
}

static enum err begin_new(int store, int dir, struct base *b, const struct names *names, bool damaged)
{
	struct segment_file *files;
	size_t count;
	enum err e = segments_open(dir, &files, &count);

	if (e)
		return e;
	if (count || damaged) { /* the base is written before the first of them */
		log_error("journal", NULL,
			"THE BASE IS %s: THE JOURNAL IS SET ASIDE, what was in it alone is in segments=%zu and not "
			"served",
			damaged ? "DAMAGED" : "MISSING", count);
		e = set_aside_all(dir, files, count);
		if (!e)
			e = skip_ask(store);
	}
	segments_close(files, count);
	*b = (struct base){ 0 };
	return e ? e : base_renew(dir, b, names);
}

static enum err replay_as(int store, int dir, struct base *b, struct names *names, bool copy)
{
	struct replay r = { .store = store, .dir = dir, .names = names, .at_start = true, .copy = copy };
	struct scan s = { 0 };
	bool damaged;
	enum err e = base_read(dir, b, names, &damaged);

	if (e == ERR_ABSENT)
		return begin_new(store, dir, b, names, damaged);
	if (e)
		return e;
	replay_begin(&r);
	r.scan = &s;
	e = copy ? scan_read_all(&s, dir, b->life, b->sequence) : scan_read(&s, dir, b->life, b->sequence);
	if (!e)
		e = replay_scanned(&r, &s, b->life);
	if (copy)
		names_clear(names); /* the queue, too, is of another moment, and gives its names anew */
	if (!e) {
		b->sequence = s.next;
		e = base_renew(dir, b, names);
	}
	if (!e) {
		unlinkat(dir, NOTE_NAME, 0);
		marks_each(r.filed, unlink_filed, &r);
		if (!r.set_aside) /* what is set aside may need its own */
			marks_each(r.spools, unlink_spool, &r);
		if (s.count)
			log_info("journal", NULL, "replayed entries=%llu checkpoint=%llu lost=%llu",
				(unsigned long long)r.applied, (unsigned long long)s.checkpoint,
				(unsigned long long)s.lost);
	}
	scan_free(&s);
	replay_end(&r);
	return e;
}

enum err replay(int store, int dir, struct base *b, struct names *names)
{
	return replay_as(store, dir, b, names, false);
}

enum err replay_copy(int store, int dir, struct base *b, struct names *names)
{
	return replay_as(store, dir, b, names, true);
}

enum err replay_again(int dir, struct files *f, uint64_t life, uint64_t from, uint64_t upto, const struct marks *parked)
{
	struct replay r = { .dir = dir, .files = f, .parked = parked };
	struct scan s = { 0 };
	enum err e;

	files_write_again(f, true);
	replay_begin(&r);
	if (!(e = scan_read(&s, dir, life, from)))
		e = passes(&r, &s, upto);
	files_write_again(f, false);
	scan_free(&s);
	replay_end(&r);
	return e;
}

enum err entry_set_aside(int dir, uint64_t sequence, struct str operations, const char *why)
{
	char name[40];
	enum err e;

	snprintf(name, sizeof(name), "aside.%llu", (unsigned long long)sequence);
	e = saved_write(dir, name, operations) ? ERR_AGAIN : OK;
	log_error("journal", NULL, "AN ENTRY IS SET ASIDE file=%s bytes=%zu why=\"%s\"", name, operations.len, why);
	return e;
}
