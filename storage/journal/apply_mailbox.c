/* apply_mailbox.c - where an operation writes in a file of a mailbox, to which other programs write as well.
 * As long as nobody else did, that is the place that the entry says. It is known by the file's stamp as we left it, or,
 * if that was forgotten, by its size: the entry's place is its end. Else whatever the entry has is put at the file's end,
 * as any program that delivers mail would, and the mailbox's owner is told that it has to be read again.
 *
 * An entry that may have been applied before is looked for first (apply_find.c). */
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/apply_parts.h"
#include "storage/journal/dot_lock.h"
#include "storage/mailbox/mdir.h"
#include <errno.h>
#include <string.h>

#define KNOWN_MAX 16384                /* files whose stamp is remembered */
#define OLDER_NS  UINT64_C(2000000000) /* some programs set the times as they were, but for parts of a second */

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
		*k = (struct known){ hash, *stamp, k->hash == hash && k->put_back };
	else if (k->hash == hash)
		*k = (struct known){ 0 };
}

bool files_same(struct files *f, struct str path)
{
	const struct stamp *known = known_stamp(f, path);
	struct stamp now;

	return !known || stamp_read(f->directory, path, &now) || stamp_same(known, &now);
}

/* Its times are older than what we left, and older than its last change. */
static bool is_older(const struct stamp *known, const struct stat *st)
{
	uint64_t mtime = stamp_of(st).mtime_ns + OLDER_NS;
	uint64_t ctime = (uint64_t)st->st_ctim.tv_sec * 1000000000u + (uint64_t)st->st_ctim.tv_nsec;

	return known->inode && mtime < known->mtime_ns && mtime < ctime;
}

bool files_put_back(struct files *f, struct str path)
{
	struct known *k = known_place(f, str_hash(path));
	char text[PATH_BYTES_MAX + 1];
	struct stat st;
	bool is;

	if (k->hash != str_hash(path))
		return false;
	is = k->put_back || (fstatat(f->directory, text_of(path, text), &st, 0) == 0 && is_older(&k->stamp, &st));
	k->put_back = false;
	return is;
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

bool files_locked(struct files *f, struct str path)
{
	char text[PATH_BYTES_MAX + 1];
	bool is = f->lock && dot_lock_look(f->directory, path) == DOT_OTHERS;
	int fd;

	if (is || !f->lock)
		return is;
	fd = openat(f->directory, text_of(path, text), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	is = !file_lock(fd, F_WRLCK);
	close(fd); /* and it is unlocked */
	return is;
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
	if (now.size == op->offset && (!known || !now.size || stamp_same(known, &now)) && !files_moved(f, op->path))
		return true;
	if ((f->again || f->all_again) && (found = find_again(f, op, t, now.size))) {
		find_remember(f, op, t);
		return found > 0;
	}
	if (f->all_again)
		return t->done = true;
	if (known && is_older(known, &st))
		known_place(f, str_hash(op->path))->put_back = true;
	changed(f, op->id);
	log_info("journal", NULL, "another program changed a file path=" STR_FMT " bytes=%llu expected=%llu",
		STR_ARG(op->path), (unsigned long long)now.size, (unsigned long long)op->offset);
	if (!place_at_end(op, t, now.size))
		return false;
	find_remember(f, op, t);
	return true;
}

int mailbox_place(struct files *f, const struct operation *op, uint64_t *at)
{
	struct touched *t = touch(f, op->path, op->id, 0);

	if (!t || (!t->placed && !find_place(f, op, t)))
		return -1;
	*at = op->offset + t->shift;
	return t->done ? PLACE_DONE : t->fd;
}

/* --- mdirs --------------------------------------------------------------------------------------------------------------- */

bool mdir_before(struct files *f, const struct operation *op)
{
	struct str folder;
	bool same = !mdir_is_file(op->path, &folder) || files_same(f, folder);

	if (!same && op->id)
		changed(f, op->id);
	return same || op->id;
}

/* What others did that nobody was told of yet is left to be found. */
void mdir_behind(struct files *f, const struct operation *op, bool told)
{
	struct stamp now;
	struct str folder;

	if (told && mdir_is_file(op->path, &folder) && !stamp_read(f->directory, folder, &now))
		files_know(f, folder, &now);
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

/* A conversion: what it removes is of the other form. A crash may have left that shorter, but not longer. */
static bool is_longer(const struct stamp *was, const struct stamp *now)
{
	return now->size > was->size;
}

bool files_too_late(const struct files *f, struct str operations, bool crashed)
{
	struct unpack u = unpack_of(operations);
	struct operation op, expect = { 0 };

	while (operation_next(&u, &op)) {
		bool removes = op.kind == OP_REMOVE && str_eq(op.path, expect.path);
		struct stamp was, now;

		if (op.kind == OP_EXPECT)
			expect = op;
		if (!expect.kind || !(removes || (op.kind == OP_RENAME && str_eq(op.other, expect.path))))
			continue;
		was = operation_stamp(&expect);
		if (is_begun(f, operations) || stamp_read(f->directory, expect.path, &now))
			return false;
		return removes && crashed ? is_longer(&was, &now) : !stamp_same(&was, &now);
	}
	return false;
}

/* The mailbox keeps the form that it has, for the other is not there: it was given up. */
bool files_keeps_form(const struct files *f, struct str operations, const struct operation *op)
{
	struct unpack u = unpack_of(operations);
	struct operation made;
	struct stamp now;

	while (op->kind == OP_REMOVE && operation_next(&u, &made))
		if (made.kind == OP_RENAME && mdir_other_form(made.other, op->path))
			return stamp_read(f->directory, made.other, &now) || !now.inode;
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

static bool is_mdir(struct str path)
{
	struct str suffix = STR(MDIR_SUFFIX);

	return path.len > suffix.len && str_eq(str_cut(path, path.len - suffix.len, path.len), suffix);
}

static enum err folder_give_up(struct files *f, struct str path)
{
	enum err e = apply_operation(f, &(struct operation){ .kind = OP_REMOVE, .path = path });

	return e ? e : sync_path(f, str_cut(path, 0, (size_t)(str_rfind(path, '/') + 1)), O_DIRECTORY);
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
			if (op.kind == OP_EXPECT && !pass)
				e = sync_path(f, op.path, 0);
			if (op.kind != OP_RENAME)
				continue;
			if (!pass)
				e = sync_path(f, op.other, 0);
			else if (is_mdir(op.other))
				e = folder_give_up(f, op.path);
			else if (unlinkat(f->directory, text_of(op.path, text), 0) < 0 && errno != ENOENT)
				e = err_errno("unlink %s", text);
			else
				e = sync_path(
					f, str_cut(op.path, 0, (size_t)(str_rfind(op.path, '/') + 1)), O_DIRECTORY);
		}
	}
	return e;
}
