/* tree.c - which mailboxes an account has, as its directory tells.
 * Directories are gone through level by level with a list of those still to be read, never by recursion. A mailbox is
 * there if its state file or its mbox is. What the account says of names beside is in a file of its own (labels.h). */
#include "core/log.h"
#include "core/mem.h"
#include "storage/holding.h"
#include "storage/path.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define HEAD_BYTES   4096        /* of a state file: its first line is shorter */
#define LABELS_BYTES (64u << 20) /* of the file of labels that are read */
#define LEAVES_MAX   100000      /* mailboxes of an account; settings allow fewer to be made */

size_t tree_place(const struct tree *tree, struct str name)
{
	size_t low = 0, high = tree->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (str_cmp(str_of(tree->leaves[middle].name), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct leaf *tree_find(const struct tree *tree, struct str name)
{
	size_t at = tree_place(tree, name);

	return at < tree->count && str_eq(str_of(tree->leaves[at].name), name) ? &tree->leaves[at] : NULL;
}

static struct leaf *leaf_of(struct tree *tree, struct str name)
{
	size_t at = tree_place(tree, name);

	if (at < tree->count && str_eq(str_of(tree->leaves[at].name), name))
		return &tree->leaves[at];
	if (tree->count == tree->cap) {
		tree->cap = tree->cap ? 2 * tree->cap : 8;
		tree->leaves = mem_resize(tree->leaves, tree->cap * sizeof(*tree->leaves));
	}
	memmove(&tree->leaves[at + 1], &tree->leaves[at], (tree->count - at) * sizeof(*tree->leaves));
	tree->count++;
	tree->leaves[at] = (struct leaf){ .name = str_dup(name) };
	return &tree->leaves[at];
}

void tree_add(struct tree *tree, struct str name, uint64_t id, uint32_t uidvalidity)
{
	struct leaf *l = leaf_of(tree, name);

	l->id = id;
	l->uidvalidity = uidvalidity;
	if (tree->uidvalidity < uidvalidity)
		tree->uidvalidity = uidvalidity;
}

void tree_remove(struct tree *tree, struct str name)
{
	struct leaf *l = tree_find(tree, name);

	if (!l)
		return;
	free(l->name);
	tree->count--;
	memmove(l, l + 1, (size_t)(&tree->leaves[tree->count] - l) * sizeof(*l));
}

bool tree_is_below(struct str name, struct str above)
{
	return name.len > above.len && name.p[above.len] == '/' && str_starts(name, above);
}

bool tree_has_below(const struct tree *tree, struct str name)
{
	/* "a/..." does not stand right behind "a": "a b" and "a-b" come before it */
	for (size_t at = tree_place(tree, name); at < tree->count; at++) {
		struct str other = str_of(tree->leaves[at].name);

		if (tree_is_below(other, name))
			return true;
		if (!str_starts(other, name))
			return false;
	}
	return false;
}

void tree_free(struct tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		free(tree->leaves[i].name);
	free(tree->leaves);
	labels_free(&tree->labels);
	*tree = (struct tree){ 0 };
}

/* --- reading --------------------------------------------------------------------------------------------------- */

struct folder { /* a directory still to be read */
	struct folder *next;
	char *path, *name; /* name: of the mailbox level it belongs to; "" at the top */
	unsigned depth;
};

struct walk {
	int directory;
	struct tree *tree;
	struct folder *folders;
	struct buf name, bytes;
};

static void folder_add(struct walk *walk, struct str path, struct str name, unsigned depth)
{
	struct folder *l = mem_new(struct folder);

	l->path = str_dup(path);
	l->name = str_dup(name);
	l->depth = depth;
	l->next = walk->folders;
	walk->folders = l;
}

static enum err file_read(int at, const char *path, size_t max, struct buf *out)
{
	int fd = openat(at, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	buf_clear(out);
	if (fd < 0)
		return errno == ENOENT ? ERR_ABSENT : err_errno("open %s", path);
	do {
		buf_added(out, (size_t)n);
		n = read(fd, buf_room(out, 4096), 4096);
	} while (n > 0 && buf_len(out) < max);
	close(fd);
	return n < 0 ? err_errno("read %s", path) : OK;
}

static void on_uids(void *user, const struct uid_range *uids, size_t count, uint64_t clock)
{
	(void)user, (void)uids, (void)count, (void)clock;
}

static void on_flags(
	void *user, const struct uid_range *uids, size_t count, uint32_t flags, uint64_t keywords, uint64_t clock)
{
	(void)flags, (void)keywords;
	on_uids(user, uids, count, clock);
}

static void on_set(void *user, struct str name, struct str value, uint64_t clock)
{
	(void)user, (void)name, (void)value, (void)clock;
}

/* A mailbox's file was met: its state file says what a list of mailboxes needs, and a lone mbox nothing. */
static enum err leaf_read(struct walk *walk, int at, const char *file, struct str name)
{
	static const struct state_events events = { on_flags, on_uids, on_set, NULL };
	struct str suffix = STR(".state"), whole = str_of(file);
	struct leaf *l = leaf_of(walk->tree, name);
	struct state_head head = { 0 };
	struct keywords *words;
	enum err e, refused;

	if (!str_eq(str_cut(whole, whole.len - suffix.len, whole.len), suffix))
		return OK;
	if ((e = file_read(at, file, HEAD_BYTES, &walk->bytes)))
		return e == ERR_ABSENT ? OK : e;
	words = mem_new(struct keywords);
	state_read(buf_str(&walk->bytes), &head, words, &events, NULL, &refused);
	free(words);
	l->id = head.id;
	l->uidvalidity = head.uidvalidity;
	if (walk->tree->uidvalidity < l->uidvalidity)
		walk->tree->uidvalidity = l->uidvalidity;
	return OK;
}

/* Appends the mailbox that a file or directory of this level stands for to walk->name. False: none of ours. */
static bool name_of(struct walk *walk, const struct folder *l, struct str file, struct str suffix)
{
	buf_clear(&walk->name);
	if (file.len <= suffix.len || !str_eq(str_cut(file, file.len - suffix.len, file.len), suffix))
		return false;
	if (*l->name)
		buf_printf(&walk->name, "%s/", l->name);
	return !path_file_to_name(&walk->name, str_cut(file, 0, file.len - suffix.len)) &&
	       !mailbox_name_check(buf_str(&walk->name));
}

static enum err folder_read(struct walk *walk, const struct folder *l)
{
	int fd = openat(walk->directory, l->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	enum err e = OK;
	DIR *dir;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return OK;
	if (fd < 0 || !(dir = fdopendir(fd))) {
		e = err_errno("open %s", l->path);
		if (fd >= 0)
			close(fd);
		return e;
	}
	while (!e && (entry = readdir(dir))) {
		struct str file = str_of(entry->d_name);

		if (name_of(walk, l, file, STR(".state")) || name_of(walk, l, file, STR(".mbox"))) {
			e = walk->tree->count < LEAVES_MAX ? leaf_read(walk, fd, entry->d_name, buf_str(&walk->name))
			                                   : ERR_TOO_BIG;
		} else if (str_find(file, '.') < 0 && name_of(walk, l, file, STR("")) && l->depth < MAILBOX_DEPTH_MAX) {
			struct buf path = { 0 };

			buf_printf(&path, "%s/%s", l->path, entry->d_name);
			folder_add(walk, buf_str(&path), buf_str(&walk->name), l->depth + 1);
			buf_free(&path);
		}
	}
	closedir(dir);
	return e;
}

static enum err labels_file_read(struct walk *walk, const char *account)
{
	struct buf path = { 0 };
	enum err e;

	buf_printf(&path, "%s" TREE_FILE, account);
	buf_add_char(&path, '\0');
	e = file_read(walk->directory, buf_data(&path), LABELS_BYTES, &walk->bytes);
	if (!e)
		e = labels_read(&walk->tree->labels, buf_str(&walk->bytes), &walk->tree->uidvalidity);
	if (e == ERR_NEVER)
		log_error("store", NULL, "labels are of a later version, a newer program is needed path=%s",
			buf_data(&path));
	else if (!e && buf_len(&walk->tree->labels.rest))
		log_warn("store", NULL, "lines are not understood, they stay as they are path=%s bytes=%zu",
			buf_data(&path), buf_len(&walk->tree->labels.rest));
	buf_free(&path);
	return e == ERR_ABSENT ? OK : e;
}

enum err tree_read(int directory, struct str address, struct tree *tree)
{
	struct walk walk = { .directory = directory, .tree = tree };
	struct buf path = { 0 };
	enum err e = path_account(&path, address);

	*tree = (struct tree){ 0 };
	if (!e) {
		folder_add(&walk, buf_str(&path), STR_NONE, 1);
		e = labels_file_read(&walk, walk.folders->path);
	}
	while (walk.folders) {
		struct folder *l = walk.folders;

		walk.folders = l->next;
		if (!e)
			e = folder_read(&walk, l);
		free(l->path);
		free(l->name);
		free(l);
	}
	buf_free(&walk.name);
	buf_free(&walk.bytes);
	buf_free(&path);
	if (e)
		tree_free(tree);
	return e;
}
