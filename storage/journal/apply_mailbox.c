/* apply_mailbox.c - where an operation writes in a file of a mailbox, to which other programs write as well.
 * As long as nobody else did, that is the place that the entry says. It is known by the file's stamp as we left it, or,
 * if that was forgotten, by its size: the entry's place is its end. Else whatever the entry has is put at the file's end,
 * as any program that delivers mail would, and the mailbox's owner is told that it has to be read again.
 *
 * An entry that may have been applied before (in replay; after a failure half way through) is looked for first: at its
 * place, then by the X-UID and the clock of its first message in all of the file, for it may have found another place
 * then, and another program may have rewritten it since. What begins with a NUL is what a power cut left of nobody's. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/apply_parts.h"
#include "storage/journal/dot_lock.h"
#include "storage/mailbox/mbox.h"
#include <errno.h>
#include <string.h>

#define KNOWN_MAX  16384         /* files whose stamp is remembered */
#define HEAD_LOOK  (16u << 10)   /* bytes of what is written that are compared */
#define FIND_PIECE (256u << 10)  /* of a file that is searched */
#define FIND_BACK  (2u * 65536u) /* a message's X-UID is not farther before its X-Postern */

/* --- stamps ----------------------------------------------------------------------------------------------------------- */

struct stamp stamp_of(const struct stat *st)
{
	return (struct stamp){ st->st_ino, (uint64_t)st->st_size,
		(uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec };
}

bool stamp_same(const struct stamp *a, const struct stamp *b)
{
	return a->inode == b->inode && a->size == b->size && a->mtime_ns == b->mtime_ns;
}

static const char *text_of(struct str path, char text[PATH_BYTES_MAX + 1])
{
	memcpy(text, path.p, path.len);
	text[path.len] = '\0';
	return text;
}

enum err stamp_read(int directory, struct str path, struct stamp *stamp)
{
	char text[PATH_BYTES_MAX + 1];
	struct stat st;

	*stamp = (struct stamp){ 0 };
	if (fstatat(directory, text_of(path, text), &st, 0) == 0)
		*stamp = stamp_of(&st);
	else if (errno != ENOENT && errno != ENOTDIR)
		return err_errno("look at %s", text);
	return OK;
}

static struct known *known_place(struct files *f, uint64_t hash)
{
	if (!f->known)
		f->known = mem_alloc(KNOWN_MAX * sizeof(*f->known));
	return &f->known[hash % KNOWN_MAX];
}

static const struct stamp *known_stamp(struct files *f, struct str path)
{
	uint64_t hash = str_hash(path);
	const struct known *k = known_place(f, hash);

	return k->hash == hash ? &k->stamp : NULL;
}

void files_know(struct files *f, struct str path, const struct stamp *stamp)
{
	uint64_t hash = str_hash(path);
	struct known *k = known_place(f, hash);

	if (stamp)
		*k = (struct known){ hash, *stamp };
	else if (k->hash == hash)
		*k = (struct known){ 0 };
}

bool files_same(struct files *f, struct str path)
{
	const struct stamp *known = known_stamp(f, path);
	struct stamp now;

	return !known || stamp_read(f->directory, path, &now) || stamp_same(known, &now);
}

static void changed(struct files *f, uint64_t id)
{
	size_t len = buf_len(&f->changed);

	if (len < sizeof(id) || memcmp(buf_data(&f->changed) + len - sizeof(id), &id, sizeof(id)))
		buf_add(&f->changed, &id, sizeof(id));
}

void files_take_changed(struct files *f, struct buf *out)
{
	buf_add_str(out, buf_str(&f->changed));
	buf_clear(&f->changed);
}

/* --- locks -------------------------------------------------------------------------------------------------------------- */

void files_write_again(struct files *f, bool again)
{
	f->all_again = again;
}

void files_lock_mailboxes(struct files *f, bool lock, bool dot_locks)
{
	f->lock = lock;
	f->dot_locks = dot_locks;
}

/* Without waiting. Locks of this kind belong to the open file: none is lost when somebody else of this process closes the
 * file, and they meet those that other programs take with fcntl. False: somebody has it. */
bool file_lock(int fd, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

	while (fcntl(fd, F_OFD_SETLK, &lock) < 0)
		if (errno == EAGAIN || errno == EACCES)
			return false;
		else if (errno != EINTR)
			break; /* a file system without locks: nobody has any */
	return true;
}

static struct touched *touch(struct files *f, struct str path, uint64_t id, unsigned how)
{
	struct touched *t;
	struct stat st;
	int fd;

	for (size_t i = 0; i < f->touched_count; i++)
		if (f->touched[i].fd >= 0 && str_eq(f->touched[i].path, path))
			return &f->touched[i];
	if (f->touched_count == TOUCHED_MAX) {
		errno = EMFILE;
		return NULL;
	}
	if ((fd = files_open(f, path, OPEN_NAMED | how, &st)) < 0)
		return NULL;
	t = &f->touched[f->touched_count++];
	*t = (struct touched){ .path = path, .id = id, .fd = fd };
	return t;
}

/* The dot lock comes first: who has it may rename, and only behind it does a path say for certain which file is meant.
 * One of ours that stands there though nobody of us has the mbox locked was left behind, whoever has its pid by now. */
static bool claim_dot_lock(struct files *f, struct str path, uint64_t id)
{
	enum dot_lock is;
	struct touched *t;

	for (size_t i = 0; i < f->dot_count; i++)
		if (str_eq(f->dots[i], path))
			return true;
	is = f->dot_locks && f->dot_count < TOUCHED_MAX ? dot_lock_make(f->directory, path)
	                                                : dot_lock_look(f->directory, path);
	if (is == DOT_HELD)
		f->dots[f->dot_count++] = path;
	else if (is == DOT_FREE && f->watched_count < TOUCHED_MAX)
		f->watched[f->watched_count++] = path;
	else if (is == DOT_OURS && (t = touch(f, path, id, OPEN_THERE)) && (t->locked = file_lock(t->fd, F_WRLCK)))
		dot_lock_drop(f->directory, path); /* the entry is tried again */
	return is == DOT_HELD || is == DOT_FREE;
}

bool files_claim(struct files *f, struct str operations, bool again)
{
	struct unpack u = unpack_of(operations);
	struct operation op;
	bool free = true;

	f->again = again;
	f->disturbed = false;
	while (f->lock && free && operation_next(&u, &op)) {
		struct touched *t;

		if (op.kind == OP_SETTLED)
			f->settled_id = op.id;
		if (op.kind != OP_EXPECT && !operation_of_mbox(&op))
			continue;
		if (!(free = claim_dot_lock(f, op.path, op.kind == OP_EXPECT ? 0 : op.id)))
			break;
		t = touch(f, op.path, op.kind == OP_EXPECT ? 0 : op.id, OPEN_THERE);
		if (t && !t->locked) /* one that is not there has no lock of this kind */
			free = t->locked = file_lock(t->fd, F_WRLCK);
	}
	if (!free)
		files_release(f);
	return free;
}

void files_release(struct files *f)
{
	for (size_t i = 0; i < f->touched_count; i++) {
		struct touched *t = &f->touched[i];
		struct stat st;

		if (t->placed && !fstat(t->fd, &st)) {
			struct stamp stamp = stamp_of(&st);

			files_know(f, t->path, &stamp);
		}
		if (t->locked)
			file_lock(t->fd, F_UNLCK);
	}
	f->touched_count = 0;
	while (f->watched_count)
		if (dot_lock_look(f->directory, f->watched[--f->watched_count]) != DOT_FREE)
			f->disturbed = true;
	while (f->dot_count)
		dot_lock_drop(f->directory, f->dots[--f->dot_count]);
	f->again = false;
}

bool files_disturbed(const struct files *f)
{
	return f->disturbed;
}

/* --- places ------------------------------------------------------------------------------------------------------------- */

/* What the operation's bytes begin with. */
static bool head_read(const struct files *f, const struct operation *op, struct buf *head)
{
	char text[PATH_BYTES_MAX + 1];
	size_t want = op->len < HEAD_LOOK ? (size_t)op->len : HEAD_LOOK;
	ssize_t n;
	int fd;

	if (op->kind == OP_WRITE) {
		buf_add(head, op->bytes.p, op->bytes.len < HEAD_LOOK ? op->bytes.len : HEAD_LOOK);
		return true;
	}
	if ((fd = openat(f->directory, text_of(op->other, text), O_RDONLY | O_CLOEXEC)) < 0)
		return true; /* whoever copies it says so */
	n = pread(fd, buf_room(head, want), want, 0);
	close(fd);
	buf_added(head, n > 0 ? (size_t)n : 0);
	return n >= 0;
}

/* Whether `bytes` may be what a power cut left of head: where they differ there was no write, so there is a NUL. */
static bool is_torn(const char *bytes, struct str head)
{
	for (size_t i = 0; i < head.len; i++)
		if (bytes[i] && bytes[i] != head.p[i])
			return false;
	return true;
}

/* How the file goes on from there: 1: as head; -1: with other bytes; 0: with a NUL, with what a power cut left of head, or
 * not at all. */
static int compare_at(int fd, uint64_t at, struct str head)
{
	struct buf b = { 0 };
	ssize_t n = pread(fd, buf_room(&b, head.len), head.len, (off_t)at);
	int same = n > 0 ? -1 : 0;

	if (n > 0 && !memcmp(buf_data(&b), head.p, (size_t)n))
		same = 1;
	else if (n > 0 && (!buf_data(&b)[0] || is_torn(buf_data(&b), str_cut(head, 0, (size_t)n))))
		same = 0;
	buf_free(&b);
	return same;
}

struct finding {
	struct str line; /* X-Postern, or all of what the state file is told */
	struct str uid;  /* X-UID; empty: it need not be there */
	size_t line_at;  /* in the head */
};

static struct str line_of(struct str head, const char *field, size_t *at)
{
	const char *line = memmem(head.p, head.len, field, strlen(field));
	struct str found;
	ptrdiff_t lf;

	if (!line)
		return STR_NONE;
	*at = (size_t)(line - head.p);
	found = str_cut(head, *at, head.len);
	lf = str_find(found, '\n');
	return str_cut(found, 0, lf < 0 ? 0 : (size_t)lf + 1);
}

/* Looks in `text`, which lies at `at` in the file. */
static bool found_in(const struct finding *w, struct str text, uint64_t at, uint64_t *where)
{
	struct str left = text;
	const char *hit;

	while ((hit = memmem(left.p, left.len, w->line.p, w->line.len))) {
		size_t from = (size_t)(hit - text.p), back = from < FIND_BACK ? from : FIND_BACK;
		bool begins = !from ? !at : hit[-1] == '\n';

		if (begins && (!w->uid.len || memmem(hit - back, back, w->uid.p, w->uid.len))) {
			*where = at + from;
			return true;
		}
		left = str_cut(text, from + 1, text.len);
	}
	return false;
}

/* Where in the file the line stands; -1: it cannot be read. */
static int find(int fd, const struct finding *w, uint64_t *where)
{
	size_t overlap = FIND_BACK + w->line.len;
	struct buf b = { 0 };
	uint64_t at = 0;
	int found = 0;
	ssize_t n;

	while (!found && (n = pread(fd, buf_room(&b, FIND_PIECE), FIND_PIECE, (off_t)(at + buf_len(&b))))) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			found = -1;
			break;
		}
		buf_added(&b, (size_t)n);
		found = found_in(w, buf_str(&b), at, where);
		if (buf_len(&b) > overlap) {
			at += buf_len(&b) - overlap;
			buf_take(&b, buf_len(&b) - overlap);
		}
	}
	buf_free(&b);
	return found;
}

/* The operation's bytes are not at their place: are they elsewhere? */
static int find_elsewhere(const struct operation *op, struct touched *t, struct str head)
{
	struct finding w = { .line = op->bytes };
	uint64_t where = 0;
	size_t at;
	int found;

	if (operation_of_mbox(op)) {
		w.line = line_of(head, "X-Postern: ", &w.line_at);
		w.uid = line_of(head, "X-UID: ", &at);
	}
	if (!w.line.len)
		return 0;
	found = find(t->fd, &w, &where);
	if (found <= 0)
		return found;
	if (where >= w.line_at && compare_at(t->fd, where - w.line_at, head) >= 0)
		t->shift = where - w.line_at - op->offset;
	else
		t->done = true; /* another program wrote it anew */
	return 1;
}

/* 1: t says where it is, or is to be; 0: nowhere; -1: nobody knows. */
static int find_again(struct files *f, const struct operation *op, struct touched *t, uint64_t size)
{
	struct buf head = { 0 };
	int found = 0;

	if (!head_read(f, op, &head))
		found = -1;
	else if (size > op->offset)
		found = compare_at(t->fd, op->offset, buf_str(&head)) >= 0;
	if (!found)
		found = find_elsewhere(op, t, buf_str(&head));
	buf_free(&head);
	return found;
}

/* Behind all that is in the file; a message of others that lacks its line ends is given them. */
static bool place_at_end(const struct operation *op, struct touched *t, uint64_t size)
{
	size_t wants = operation_of_mbox(op) ? 2 : 1, lacks = 0;
	char last[2] = "\n\n";

	if (size && pread(t->fd, last, wants, (off_t)(size < wants ? 0 : size - wants)) < 0)
		return false;
	if (size && last[wants - 1] != '\n')
		lacks = wants;
	else if (size && wants == 2 && last[0] != '\n')
		lacks = 1;
	if (lacks && file_write_at(t->fd, (struct str){ "\n\n", lacks }, size) < 0)
		return false;
	t->shift = size + lacks - op->offset;
	return true;
}

static bool find_place(struct files *f, const struct operation *op, struct touched *t)
{
	const struct stamp *known = known_stamp(f, op->path);
	struct stamp now;
	struct stat st;
	int found = 0;

	if (fstat(t->fd, &st) < 0)
		return false;
	now = stamp_of(&st);
	t->placed = true;
	if (now.size == op->offset && (!known || !now.size || stamp_same(known, &now)))
		return true;
	if ((f->again || f->all_again) && (found = find_again(f, op, t, now.size)))
		return found > 0;
	if (f->all_again)
		return t->done = true;
	changed(f, op->id);
	log_info("journal", NULL, "another program changed a file path=" STR_FMT " bytes=%llu expected=%llu",
		STR_ARG(op->path), (unsigned long long)now.size, (unsigned long long)op->offset);
	return place_at_end(op, t, now.size);
}

int mailbox_place(struct files *f, const struct operation *op, uint64_t *at)
{
	struct touched *t = touch(f, op->path, op->id, 0);

	if (!t || (!t->placed && !find_place(f, op, t)))
		return -1;
	*at = op->offset + t->shift;
	return t->done ? PLACE_DONE : t->fd;
}

/* --- new generations ------------------------------------------------------------------------------------------------- */

/* One of its two files at least took its place before: a power cut may leave the second and not the first. */
static bool is_begun(const struct files *f, struct str operations)
{
	struct unpack u = unpack_of(operations);
	struct operation op;
	struct stamp now;

	while (operation_next(&u, &op))
		if (op.kind == OP_RENAME && (stamp_read(f->directory, op.path, &now) || !now.inode))
			return true;
	return false;
}

bool files_too_late(const struct files *f, struct str operations)
{
	struct unpack u = unpack_of(operations);
	struct operation op, expect = { 0 };

	while (operation_next(&u, &op)) {
		struct stamp was, now;

		if (op.kind == OP_EXPECT)
			expect = op;
		if (op.kind != OP_RENAME || !expect.kind || !str_eq(op.other, expect.path))
			continue;
		was = operation_stamp(&expect);
		return !is_begun(f, operations) && !stamp_read(f->directory, expect.path, &now) &&
		       !stamp_same(&was, &now);
	}
	return false;
}

static enum err sync_path(const struct files *f, struct str path, int flags)
{
	char text[PATH_BYTES_MAX + 1];
	int fd = openat(f->directory, text_of(path, text), flags | O_RDONLY | O_CLOEXEC);
	enum err e = OK;

	if (fd < 0 && errno != ENOENT)
		e = err_errno("open %s", text);
	else if (fd >= 0 && fsync(fd) < 0)
		e = err_errno("sync %s", text);
	if (fd >= 0)
		close(fd);
	return e ? ERR_AGAIN : OK;
}

/* In the order in which nothing is lost: the old files, whose writes replay takes to be settled, are durable first. */
enum err files_give_up(struct files *f, struct str operations)
{
	char text[PATH_BYTES_MAX + 1];
	struct operation op;
	enum err e = OK;

	for (unsigned pass = 0; pass < 2 && !e; pass++) {
		struct unpack u = unpack_of(operations);

		while (!e && operation_next(&u, &op)) {
			if (op.kind == OP_SETTLED && pass)
				changed(f, op.id);
			if (op.kind != OP_RENAME)
				continue;
			if (!pass)
				e = sync_path(f, op.other, 0);
			else if (unlinkat(f->directory, text_of(op.path, text), 0) < 0 && errno != ENOENT)
				e = err_errno("unlink %s", text);
			else
				e = sync_path(
					f, str_cut(op.path, 0, (size_t)(str_rfind(op.path, '/') + 1)), O_DIRECTORY);
		}
	}
	return e;
}
