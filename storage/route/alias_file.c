/* alias_file.c - see alias_file.h. Files to be included wait in a list, so nothing calls itself however deep they lie. */
#include "storage/route/alias_file.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/table.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct seen { /* a file as it was when it was read; all 0: it could not be */
	struct seen *next;
	char *path;
	struct timespec changed;
	off_t size;
	ino_t inode;
};

struct name {
	struct table_node node;
	struct alias alias;
};

struct alias_file {
	struct arena memory;
	struct table names;
	struct seen *seen;
};

struct include { /* a file that is to be read */
	struct include *next;
	const char *path;
	unsigned depth;
};

struct reading {
	struct alias_file *file;
	const char *path; /* of the file being read, and the line */
	unsigned line;
	size_t bytes;
	unsigned includes, complaints;
	struct alias_target *targets; /* of the name being read; ours */
	size_t count, cap;
	struct include *waiting;
	bool incomplete;
};

__attribute__((format(printf, 2, 3))) static void complain(struct reading *r, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;

	if (++r->complaints > ALIAS_COMPLAINTS_MAX)
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	log_error("route", NULL, "aliases: %s:%u: " STR_FMT, r->path, r->line, STR_ARG(buf_str(&text)));
	buf_free(&text);
}

/* --- files ------------------------------------------------------------------------------------------------------------ */

static void seen_take(struct seen *s, int fd)
{
	struct stat st = { 0 };

	if (fd >= 0 && fstat(fd, &st))
		st = (struct stat){ 0 };
	s->changed = st.st_ctim;
	s->size = st.st_size;
	s->inode = st.st_ino;
}

/* A fifo is not waited for. */
static int file_open(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static enum err read_text(struct reading *r, int fd, size_t size, struct buf *text)
{
	ssize_t n = 1;

	if (size > ALIAS_FILE_BYTES_MAX - r->bytes) {
		complain(r, "the files are over %u bytes", ALIAS_FILE_BYTES_MAX);
		return ERR_TOO_BIG;
	}
	while (buf_len(text) < size && n > 0)
		if ((n = read(fd, buf_room(text, size - buf_len(text)), size - buf_len(text))) > 0)
			buf_added(text, (size_t)n);
	r->bytes += buf_len(text);
	if (n < 0)
		complain(r, "cannot be read: %s", strerror(errno));
	return n < 0 ? ERR_AGAIN : OK;
}

/* The text of the file at r->path. What is seen of it is kept whether it can be read or not. */
static enum err file_read(struct reading *r, struct buf *text)
{
	struct seen *s = arena_new(&r->file->memory, struct seen);
	int fd = file_open(r->path);
	struct stat st;
	enum err e = ERR_AGAIN;

	r->line = 0;
	s->path = arena_dup(&r->file->memory, str_of(r->path));
	s->next = r->file->seen;
	r->file->seen = s;
	if (fd < 0 || fstat(fd, &st)) {
		complain(r, "cannot be read: %s", strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		complain(r, "is no regular file");
	} else {
		seen_take(s, fd);
		e = read_text(r, fd, (size_t)st.st_size, text);
	}
	if (fd >= 0)
		close(fd);
	return e;
}

/* --- names ------------------------------------------------------------------------------------------------------------- */

static void include_add(struct reading *r, struct str path, unsigned depth)
{
	struct include *i;

	if (depth > ALIAS_DEPTH_MAX || r->includes++ >= ALIAS_INCLUDES_MAX) {
		complain(r, "too many files are included, or too deep: " STR_FMT, STR_ARG(path));
		r->incomplete = true;
		return;
	}
	i = arena_new(&r->file->memory, struct include);
	i->path = arena_dup(&r->file->memory, path);
	i->depth = depth;
	i->next = r->waiting;
	r->waiting = i;
}

static void targets_take(struct reading *r, struct str list, unsigned depth)
{
	struct alias_target t;
	enum err e;

	while ((e = alias_target(&r->file->memory, &list, &t)) != ERR_ABSENT) {
		if (e) {
			complain(r, "neither an address nor anything else known: " STR_FMT, STR_ARG(t.text));
		} else if (t.kind == ALIAS_INCLUDE) {
			include_add(r, t.text, depth + 1);
		} else {
			if (r->count == r->cap) {
				r->cap = r->cap ? 2 * r->cap : 16;
				r->targets = mem_resize(r->targets, r->cap * sizeof(*r->targets));
			}
			t.included = depth > 0;
			r->targets[r->count++] = t;
		}
	}
}

/* What the name being read stands for by files. */
static void includes_read(struct reading *r)
{
	const char *path = r->path;
	unsigned line = r->line;

	while (r->waiting) {
		struct include *i = r->waiting;
		struct alias_reader reader = { .plain = true };
		struct buf text = { 0 };
		struct str list;

		r->waiting = i->next;
		r->path = i->path;
		if (file_read(r, &text))
			r->incomplete = true;
		reader.left = buf_str(&text);
		while (alias_read(&reader, &list)) {
			r->line = reader.begin;
			targets_take(r, list, i->depth);
		}
		alias_reader_free(&reader);
		buf_free(&text);
	}
	r->path = path;
	r->line = line;
}

static struct name *name_find(const struct alias_file *f, struct str key)
{
	struct table_node *n = table_first(&f->names, str_hash(key));

	while (n && !str_eq(container_of(n, struct name, node)->alias.name, key))
		n = table_next(n);
	return n ? container_of(n, struct name, node) : NULL;
}

static void name_add(struct reading *r, struct str key)
{
	struct arena *a = &r->file->memory;
	struct name *n = arena_new(a, struct name);
	struct alias_target *targets = arena_alloc(a, r->count * sizeof(*targets) + 1);

	for (size_t i = 0; i < r->count; i++) {
		targets[i] = r->targets[i];
		if (targets[i].kind == ALIAS_ADDRESS && str_eq_nocase(targets[i].text, key))
			targets[i].plain = true;
	}
	n->alias = (struct alias){ key, targets, r->count, STR_NONE, r->incomplete };
	table_add(&r->file->names, &n->node, str_hash(key));
}

static void line_take(struct reading *r, struct str line)
{
	struct str key, list;

	r->count = 0;
	r->incomplete = false;
	if (alias_name(&r->file->memory, line, &key, &list)) {
		complain(r, "no `name: addresses` line: " STR_FMT,
			STR_ARG(str_cut(line, 0, line.len < 200 ? line.len : 200)));
		return;
	}
	if (name_find(r->file, key)) {
		complain(r, "the name is there already, the first counts: " STR_FMT, STR_ARG(key));
		return;
	}
	targets_take(r, list, 0);
	includes_read(r);
	if (!r->count && !r->incomplete)
		complain(r, "the name stands for nothing: " STR_FMT, STR_ARG(key));
	name_add(r, key);
}

/* Who owns which list, once all names are known. */
static void owners_find(struct reading *r)
{
	for (size_t i = 0; i < r->file->names.chain_count; i++)
		for (struct table_node *node = r->file->names.chains[i]; node; node = node->next) {
			struct alias *list = &container_of(node, struct name, node)->alias;
			char text[512];
			struct name *owner;

			if (list->name.len + 6 > sizeof(text))
				continue;
			memcpy(text, "owner-", 6);
			memcpy(text + 6, list->name.p, list->name.len);
			if ((owner = name_find(r->file, (struct str){ text, list->name.len + 6 })))
				list->owner = owner->alias.name;
		}
}

struct alias_file *alias_file_read(const char *path)
{
	struct reading r = { .file = mem_new(struct alias_file), .path = path };
	struct alias_reader reader = { 0 };
	struct buf text = { 0 };
	struct str line;
	enum err e = file_read(&r, &text);

	reader.left = buf_str(&text);
	while (!e && alias_read(&reader, &line)) {
		r.line = reader.begin;
		line_take(&r, line);
	}
	owners_find(&r);
	if (r.complaints > ALIAS_COMPLAINTS_MAX)
		log_error(
			"route", NULL, "aliases: %s: and %u more mistakes", path, r.complaints - ALIAS_COMPLAINTS_MAX);
	alias_reader_free(&reader);
	buf_free(&text);
	free(r.targets);
	if (e) {
		alias_file_free(r.file);
		return NULL;
	}
	return r.file;
}

bool alias_file_changed(const struct alias_file *f)
{
	for (const struct seen *s = f->seen; s; s = s->next) {
		int fd = file_open(s->path);
		struct seen now = { 0 };

		seen_take(&now, fd);
		if (fd >= 0)
			close(fd);
		if (now.inode != s->inode || now.size != s->size || now.changed.tv_sec != s->changed.tv_sec ||
			now.changed.tv_nsec != s->changed.tv_nsec)
			return true;
	}
	return false;
}

const struct alias *alias_file_find(const struct alias_file *f, struct str key)
{
	const struct name *n = name_find(f, key);

	return n ? &n->alias : NULL;
}

size_t alias_file_count(const struct alias_file *f)
{
	return f->names.count;
}

void alias_file_free(struct alias_file *f)
{
	if (!f)
		return;
	table_free(&f->names);
	arena_free(&f->memory);
	free(f);
}
