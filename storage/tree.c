/* tree.c - which mailboxes an account has, as its directory tells.
 * Directories are gone through level by level with a list of those still to be read, never by recursion. A mailbox is
 * there if its state file, its mbox or its mdir is. What the account says of names beside is in a file of its own (labels.h). */
#include "core/log.h"
#include "core/mem.h"
#include "storage/holding.h"
#include "storage/mailbox/mdir.h"
#include "storage/path.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define HEAD_BYTES   4096        /* of a state file: its first line is shorter */
#define LABELS_BYTES (64u << 20) /* of the file of labels that are read */
#define STEP_ENTRIES 64          /* of directories, in one step */
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

/* --- renaming -------------------------------------------------------------------------------------------------- */

struct tree_plan {
	struct planned {
		char *name;
		size_t at; /* in the tree */
		bool moved;
	} * leaves;
	size_t count;
};

static int by_planned_name(const void *a, const void *b)
{
	return str_cmp(str_of(((const struct planned *)a)->name), str_of(((const struct planned *)b)->name));
}

struct tree_plan *tree_plan_rename(const struct tree *tree, struct str from, struct str to)
{
	struct tree_plan *plan = mem_new(struct tree_plan);
	struct buf name = { 0 };

	plan->leaves = mem_alloc((tree->count + 1) * sizeof(*plan->leaves));
	for (; plan->count < tree->count; plan->count++) {
		struct planned *p = &plan->leaves[plan->count];
		struct str old;

		*p = (struct planned){ tree->leaves[plan->count].name, plan->count, false };
		old = str_of(p->name);
		if (!str_eq(old, from) && !tree_is_below(old, from))
			continue;
		buf_clear(&name);
		buf_add_str(&name, to);
		buf_add_str(&name, str_cut(old, from.len, old.len));
		p->name = str_dup(buf_str(&name));
		p->moved = true;
	}
	qsort(plan->leaves, plan->count, sizeof(*plan->leaves), by_planned_name);
	buf_free(&name);
	return plan;
}

void tree_take_plan(struct tree *tree, struct tree_plan *plan)
{
	struct leaf *leaves = mem_alloc((plan->count + 1) * sizeof(*leaves));

	assert(plan->count == tree->count);
	for (size_t i = 0; i < plan->count; i++) {
		struct planned *p = &plan->leaves[i];

		leaves[i] = tree->leaves[p->at];
		if (p->moved)
			free(leaves[i].name);
		leaves[i].name = p->name;
		p->moved = false;
	}
	free(tree->leaves);
	tree->leaves = leaves;
	tree->cap = plan->count + 1;
}

void tree_plan_free(struct tree_plan *plan)
{
	for (size_t i = 0; plan && i < plan->count; i++)
		if (plan->leaves[i].moved)
			free(plan->leaves[i].name);
	if (plan)
		free(plan->leaves);
	free(plan);
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

struct tree_walk {
	int directory;
	struct tree *tree;
	struct folder *folders;
	struct folder *folder; /* being read */
	int fd;                /* of it; -1: it is not open */
	struct buf entries;    /* of it, each with a NUL behind it, */
	size_t at;             /* and the next of them */
	struct buf name, bytes;
	enum err e;
};

static void folder_add(struct tree_walk *walk, struct str path, struct str name, unsigned depth)
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

/* A mailbox's file was met: its state file says what a list of mailboxes needs, and a lone mbox nothing. */
static enum err leaf_read(struct tree_walk *walk, int at, const char *file, struct str name)
{
	static const struct state_events none = { 0 };
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
	state_read(buf_str(&walk->bytes), &head, words, &none, NULL, &refused);
	free(words);
	l->id = head.id;
	l->uidvalidity = head.uidvalidity;
	if (walk->tree->uidvalidity < l->uidvalidity)
		walk->tree->uidvalidity = l->uidvalidity;
	return OK;
}

/* Appends the mailbox that a file or directory of this level stands for to walk->name. False: none of ours. */
static bool name_of(struct tree_walk *walk, const struct folder *l, struct str file, struct str suffix)
{
	buf_clear(&walk->name);
	if (file.len <= suffix.len || !str_eq(str_cut(file, file.len - suffix.len, file.len), suffix))
		return false;
	if (*l->name)
		buf_printf(&walk->name, "%s/", l->name);
	return !path_file_to_name(&walk->name, str_cut(file, 0, file.len - suffix.len)) &&
	       !mailbox_name_check(buf_str(&walk->name));
}

/* All at once: a file that is replaced meanwhile might be missed. */
static enum err entries_read(struct tree_walk *walk)
{
	int fd = openat(walk->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		enum err e = err_errno("read %s", walk->folder->path);

		if (fd >= 0)
			close(fd);
		return e;
	}
	while ((entry = readdir(dir)))
		buf_add(&walk->entries, entry->d_name, strlen(entry->d_name) + 1);
	closedir(dir);
	return OK;
}

/* The next directory, if it is there. */
static enum err folder_open(struct tree_walk *walk)
{
	walk->folder = walk->folders;
	walk->folders = walk->folder->next;
	walk->fd = openat(walk->directory, walk->folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (walk->fd >= 0)
		return entries_read(walk);
	return errno == ENOENT || errno == ENOTDIR ? OK : err_errno("open %s", walk->folder->path);
}

static void folder_close(struct tree_walk *walk)
{
	if (walk->fd >= 0)
		close(walk->fd);
	walk->fd = -1;
	walk->at = 0;
	buf_clear(&walk->entries);
	if (!walk->folder)
		return;
	free(walk->folder->path);
	free(walk->folder->name);
	free(walk->folder);
	walk->folder = NULL;
}

static enum err entry_read(struct tree_walk *walk, const char *entry)
{
	const struct folder *l = walk->folder;
	struct str file = str_of(entry);
	struct buf path = { 0 };

	if (name_of(walk, l, file, STR(".state")) || name_of(walk, l, file, STR(".mbox")) ||
		name_of(walk, l, file, STR(MDIR_SUFFIX)))
		return walk->tree->count < LEAVES_MAX ? leaf_read(walk, walk->fd, entry, buf_str(&walk->name))
		                                      : ERR_TOO_BIG;
	if (str_find(file, '.') < 0 && name_of(walk, l, file, STR("")) && l->depth < MAILBOX_DEPTH_MAX) {
		buf_printf(&path, "%s/%s", l->path, entry);
		folder_add(walk, buf_str(&path), buf_str(&walk->name), l->depth + 1);
		buf_free(&path);
	}
	return OK;
}

static enum err labels_file_read(struct tree_walk *walk, const char *account)
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

struct tree_walk *tree_walk_new(int directory, struct str address, struct tree *tree)
{
	struct tree_walk *walk = mem_new(struct tree_walk);
	struct buf path = { 0 };

	*tree = (struct tree){ 0 };
	walk->fd = -1;
	walk->directory = directory;
	walk->tree = tree;
	if (!(walk->e = path_account(&path, address))) {
		folder_add(walk, buf_str(&path), STR_NONE, 1);
		walk->e = labels_file_read(walk, walk->folders->path);
	}
	buf_free(&path);
	return walk;
}

bool tree_walk_step(struct tree_walk *walk)
{
	for (unsigned n = 0; n < STEP_ENTRIES; n++) {
		if (walk->at < buf_len(&walk->entries)) {
			const char *entry = buf_data(&walk->entries) + walk->at;

			walk->at += strlen(entry) + 1;
			walk->e = entry_read(walk, entry);
		} else {
			folder_close(walk);
			if (!walk->e && walk->folders)
				walk->e = folder_open(walk);
			else
				return true;
		}
		if (walk->e)
			return true;
	}
	return false;
}

enum err tree_walk_end(struct tree_walk *walk)
{
	enum err e = walk->e;

	folder_close(walk);
	while ((walk->folder = walk->folders)) {
		walk->folders = walk->folder->next;
		folder_close(walk);
	}
	buf_free(&walk->entries);
	buf_free(&walk->name);
	buf_free(&walk->bytes);
	if (e)
		tree_free(walk->tree);
	free(walk);
	return e;
}

enum err tree_read(int directory, struct str address, struct tree *tree)
{
	struct tree_walk *walk = tree_walk_new(directory, address, tree);

	while (!tree_walk_step(walk))
		;
	return tree_walk_end(walk);
}
