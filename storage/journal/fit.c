/* fit.c - see fit.h.
 * How far the writes to a file have moved from where they were is kept by its path, until another file comes there. */
#include "storage/journal/fit.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/holding.h"
#include "storage/journal/copied.h"
#include "storage/journal/marks.h"
#include "storage/mailbox/mdir.h"
#include "storage/mailbox/state.h"
#include "storage/path.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_BYTES 8192                /* in which a file says whose it is */
#define UNMOVED    (UINT64_C(1) << 62) /* marks hold numbers above 0: this plus how far the writes have moved */

struct fits {
	int store;
	bool copy;
	struct marks *moved;       /* by path */
	struct marks *ids;         /* by path: whose file it is, counted from 1 for none */
	struct marks *generations; /* by path, counted from 1 */
	struct marks *lacking;     /* by path: the last entry whose spooled bytes for it are missing, from 1 */
	uint64_t sequence;
	struct str entry;
};

typedef char path_text[PATH_BYTES_MAX + 2]; /* ".state" is longer than ".mbox" */

struct fits *fits_new(int store, bool copy)
{
	struct fits *f = mem_new(struct fits);

	f->store = store;
	f->copy = copy;
	f->moved = marks_new();
	f->ids = marks_new();
	f->generations = marks_new();
	f->lacking = marks_new();
	return f;
}

void fits_free(struct fits *f)
{
	if (!f)
		return;
	marks_free(f->moved);
	marks_free(f->ids);
	marks_free(f->generations);
	marks_free(f->lacking);
	free(f);
}

static void forget(struct fits *f, struct str path)
{
	marks_drop(f->moved, path);
	marks_drop(f->ids, path);
	marks_drop(f->generations, path);
}

static const char *text_of(struct str path, path_text text)
{
	snprintf(text, sizeof(path_text), STR_FMT, STR_ARG(path));
	return text;
}

static bool ends_in(struct str path, const char *suffix)
{
	struct str end = str_of(suffix);

	return path.len > end.len && str_eq(str_cut(path, path.len - end.len, path.len), end);
}

static bool size_of(const struct fits *f, struct str path, uint64_t *size)
{
	path_text text;
	struct stat st;

	*size = 0;
	if (fstatat(f->store, text_of(path, text), &st, AT_SYMLINK_NOFOLLOW))
		return false;
	*size = (uint64_t)st.st_size;
	return true;
}

/* --- whose file it is ------------------------------------------------------------------------------------------------ */

struct identity {
	uint64_t id;
	uint32_t generation;
	bool mdir;
};

static void on_base(void *user, const struct mbox_base *base, struct keywords *k)
{
	struct identity *who = user;

	(void)k;
	who->id = base->id;
	who->generation = base->generation;
}

static void on_message(void *user, const struct message *m)
{
	(void)user, (void)m;
}

static struct str head_read(const struct fits *f, const char *path, char bytes[HEAD_BYTES])
{
	int fd = openat(f->store, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : pread(fd, bytes, HEAD_BYTES, 0);

	if (fd >= 0)
		close(fd);
	return (struct str){ bytes, n > 0 ? (size_t)n : 0 };
}

/* By the first line of a state file, or the first message of an mbox. A file of nobody has id 0. */
static struct identity read_identity(const struct fits *f, const char *path, bool is_mbox)
{
	static const struct state_events none = { 0 };
	static const struct mbox_scan_events events = { .on_base = on_base, .on_message = on_message };
	struct keywords *words = mem_new(struct keywords);
	struct identity who = { 0 };
	char bytes[HEAD_BYTES];
	struct str head = head_read(f, path, bytes);

	if (is_mbox && head.len) {
		struct mbox_scan *reader = mbox_scan_new(0, words, &events, &who);

		if (!mbox_scan_feed(reader, head))
			mbox_scan_end(reader);
		mbox_scan_free(reader);
	} else if (head.len) {
		struct state_head state = { 0 };
		ptrdiff_t lf = str_find(head, '\n');
		enum err e;

		if (lf > 0)
			state_read(str_cut(head, 0, (size_t)lf + 1), &state, words, &none, NULL, &e);
		who = (struct identity){ state.id, state.generation, state.mdir };
	}
	free(words);
	return who;
}

/* An mbox that was another program's, or was brought back under another name, does not say it; its state file does. */
static struct identity identity_of(struct fits *f, struct str path)
{
	struct identity who = { marks_get(f->ids, path), (uint32_t)marks_get(f->generations, path), false };
	bool is_mbox = ends_in(path, ".mbox");
	path_text text;

	if (who.id || who.generation)
		return (struct identity){ who.id - 1, who.generation - 1, false };
	who = read_identity(f, text_of(path, text), is_mbox);
	if (is_mbox) {
		struct identity state;

		memcpy(text + path.len - 4, "state", 6);
		state = read_identity(f, text, false);
		if (!who.id)
			who.generation = state.generation;
		who.id = state.id ? state.id : who.id;
	}
	marks_raise(f->ids, path, who.id + 1);
	marks_raise(f->generations, path, (uint64_t)who.generation + 1);
	return who;
}

/* Whether the account that path is in has this mailbox under any name. */
static bool is_elsewhere(const struct fits *f, struct str path, uint64_t id)
{
	struct str levels = str_cut(path, sizeof("domains/") - 1, path.len), domain, account;
	struct buf address = { 0 }, host = { 0 };
	struct tree tree = { 0 };
	bool found = false;
	ptrdiff_t slash;

	if ((slash = str_find(levels, '/')) < 0)
		return false;
	domain = str_cut(levels, 0, (size_t)slash);
	levels = str_cut(levels, domain.len + 1, levels.len);
	slash = str_find(levels, '/');
	account = str_cut(levels, 0, slash < 0 ? 0 : (size_t)slash);
	if (!path_file_to_name(&address, account) && !path_file_to_domain(&host, domain)) {
		buf_printf(&address, "@" STR_FMT, STR_ARG(buf_str(&host)));
		if (!tree_read(f->store, buf_str(&address), &tree))
			for (size_t i = 0; i < tree.count; i++)
				found |= tree.leaves[i].id == id;
	}
	tree_free(&tree);
	buf_free(&address);
	buf_free(&host);
	return found;
}

/* A file that is not there begins with this write, unless the mailbox bears another name by now. */
static bool begins(const struct fits *f, const struct operation *op)
{
	struct identity who;
	path_text text;

	if (op->offset || !op->id || !str_starts(op->path, STR("domains/")))
		return !op->offset;
	if (!ends_in(op->path, ".mbox"))
		return !is_elsewhere(f, op->path, op->id);
	text_of(op->path, text);
	memcpy(text + op->path.len - 4, "state", 6);
	who = read_identity(f, text, false);
	return who.id == op->id;
}

/* --- writes ------------------------------------------------------------------------------------------------------------ */

void fits_begin(struct fits *f, uint64_t sequence, struct str entry)
{
	struct unpack u = unpack_of(entry);
	struct operation op;
	uint64_t size;

	f->sequence = sequence;
	f->entry = entry;
	while (f->copy && operation_next(&u, &op))
		if (op.kind == OP_SPOOL && (!size_of(f, op.other, &size) || size < op.len))
			marks_raise(f->lacking, op.path, sequence + 1);
}

/* Nothing follows bytes that are cut off in the middle. */
static enum err tail_mend(const struct fits *f, struct str path, uint64_t *size)
{
	path_text text;
	uint64_t cut = 0;
	enum err e = copied_tail_mend(f->store, text_of(path, text), &cut);

	*size -= cut;
	return e;
}

/* The writes to this file go on at its end. */
static bool move_to_end(struct fits *f, struct operation *op, uint64_t size, enum err *e)
{
	*e = tail_mend(f, op->path, &size);
	log_warn("journal", NULL,
		"a file is shorter than it was, the next goes to its end path=" STR_FMT " bytes=%llu expected=%llu",
		STR_ARG(op->path), (unsigned long long)size, (unsigned long long)op->offset);
	marks_drop(f->moved, op->path);
	marks_raise(f->moved, op->path, UNMOVED + op->offset - size);
	op->offset = size;
	return !*e;
}

/* In a copy, a message of an mdir is written whole as long as the state file beside says that it is that mailbox's. */
static int compare_mdir(const struct fits *f, const struct operation *op, struct str folder)
{
	struct identity who;
	path_text text;
	size_t stem = folder.len - (sizeof(MDIR_SUFFIX) - 1);

	text_of(folder, text);
	memcpy(text + stem, ".state", sizeof(".state"));
	who = read_identity(f, text, false);
	return who.mdir && who.id == op->id;
}

/* In a copy: 1: it is for this file; 0: not for it, or in it already; -1: for it as it was later. */
static int compare(struct fits *f, const struct operation *op, bool settled, bool exists)
{
	struct identity who;
	struct str folder;

	if (marks_get(f->lacking, op->path) != f->sequence + 1 && mdir_is_file(op->path, &folder))
		return compare_mdir(f, op, folder);
	if (marks_get(f->lacking, op->path) == f->sequence + 1 || (settled && (!op->id || !exists)))
		return 0;
	if (!exists || !op->id)
		return exists || begins(f, op);
	who = identity_of(f, op->path);
	if (who.id != op->id || op->generation < who.generation)
		return 0;
	if (op->generation == who.generation)
		return 1;
	marks_drop(f->generations, op->path);
	marks_raise(f->generations, op->path, (uint64_t)op->generation + 1);
	return -1;
}

bool fits_write(struct fits *f, struct operation *op, bool settled, enum err *e)
{
	uint64_t size, moved = marks_get(f->moved, op->path);
	bool exists = size_of(f, op->path, &size);
	int fits = f->copy ? compare(f, op, settled, exists) : 1;

	*e = OK;
	if (!f->copy && operation_of_mailbox(op)) /* whoever applies it looks for its place */
		return true;
	if (!fits)
		return false;
	if (fits > 0) {
		uint64_t at = op->offset - (moved ? moved - UNMOVED : 0); /* it may have moved either way */

		if (at <= size) {
			op->offset = at;
			return true;
		}
	}
	return move_to_end(f, op, size, e);
}

/* --- moves ------------------------------------------------------------------------------------------------------------- */

/* "Big.mbox" for "Big.mdir" and the other way about. */
static bool other_form(struct str path, path_text text)
{
	bool mbox = ends_in(path, ".mbox");

	text_of(path, text);
	if (mbox || ends_in(path, MDIR_SUFFIX))
		memcpy(text + path.len - 5, mbox ? MDIR_SUFFIX : ".mbox", 5);
	return mbox || ends_in(path, MDIR_SUFFIX);
}

static bool entry_makes(const struct fits *f, struct str path)
{
	struct unpack u = unpack_of(f->entry);
	struct operation op;

	while (operation_next(&u, &op))
		if (op.kind == OP_RENAME && str_eq(op.other, path))
			return true;
	return false;
}

/* A mailbox that changed its form while it was copied stays as it was if that is what the copy has. */
static bool keeps_form(const struct fits *f, struct str path)
{
	path_text other;
	uint64_t size;

	return other_form(path, other) && size_of(f, str_of(other), &size);
}

bool fits_is_generation(const struct operation *op)
{
	return op->kind == OP_RENAME && op->path.len > op->other.len && str_starts(op->path, op->other) &&
	       op->path.p[op->other.len] == '.';
}

/* The entry moves or removes this mailbox: it says so of its id. */
static bool is_meant(const struct fits *f, uint64_t id)
{
	struct unpack u = unpack_of(f->entry);
	struct operation op;

	while (operation_next(&u, &op))
		if (op.kind == OP_SETTLED && op.id == id)
			return true;
	return false;
}

static bool is_of_mailbox(struct str path)
{
	return ends_in(path, ".mbox") || ends_in(path, ".state");
}

static void drop_file(const struct fits *f, struct str path)
{
	path_text text;

	if (unlinkat(f->store, text_of(path, text), 0) < 0 && errno != ENOENT)
		err_errno("unlink %s", text);
}

/* A new generation may have been copied half made: what it replaces is there. A mailbox that was renamed while it was
 * copied may be there twice, or not at all. */
bool fits_rename(struct fits *f, const struct operation *op)
{
	uint64_t size;
	bool from = size_of(f, op->path, &size), to = size_of(f, op->other, &size);
	uint64_t id;

	if (!f->copy)
		return true;
	if (fits_is_generation(op)) {
		if (to && !ends_in(op->other, MDIR_SUFFIX))
			drop_file(f, op->path);
		return !to && !keeps_form(f, op->other);
	}
	if (!from || !is_of_mailbox(op->path))
		return from && !to;
	id = identity_of(f, op->path).id;
	if (!is_meant(f, id))
		return false;
	if (to && identity_of(f, op->other).id == id)
		drop_file(f, op->path);
	forget(f, op->path);
	if (!to)
		forget(f, op->other);
	return !to;
}

bool fits_remove(struct fits *f, const struct operation *op)
{
	bool meant = !f->copy || !is_of_mailbox(op->path) || is_meant(f, identity_of(f, op->path).id);
	path_text other;

	if (f->copy && other_form(op->path, other) && entry_makes(f, str_of(other)) && !keeps_form(f, op->path))
		meant = false;
	if (meant)
		forget(f, op->path);
	return meant;
}
