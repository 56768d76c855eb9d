/* generation.c - see generation.h.
 * What is written gathers in `out` and leaves in large pieces; only the text of a large message goes from file to file
 * by itself. Every message is looked at before it is copied: a file that is not what its owner thinks is left alone. */
#include "storage/mailbox/generation.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/apply.h"
#include "storage/journal/directories.h"
#include "storage/mail/print.h"
#include "storage/mailbox/mbox_quote.h"
#include "storage/mailbox/mdir.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STEP_BYTES  (8 << 20) /* written by one step */
#define PIECE_BYTES (1 << 20) /* written by one system call */
#define SMALL_BYTES (1 << 18) /* text that is read along with its prefix */

struct generation {
	int directory;
	char *stem;
	int from, to; /* the old mbox and the new; -1: closed */
	bool done;
	struct state_head head;
	bool from_mdir; /* head says what it is to be */
	struct stamp stamp;
	const struct keywords *k;
	const struct message *old;
	const uint32_t *headers; /* generation_tidy; NULL: messages stay as they are */
	const uint32_t *gone;    /* generation_gone */
	size_t gone_count;
	struct message *new;
	size_t count, next; /* messages; the next to begin */

	struct buf out;     /* to be written at `written` */
	struct buf in;      /* bytes of the old file; one piece */
	uint64_t written;   /* bytes of the new file */
	uint64_t ended;     /* bytes of those before it */
	uint64_t state_end; /* bytes of the new state file */
	uint64_t left_from; /* where in the old file the rest of a large message lies ... */
	uint64_t left;      /* ... and how much of it there is */
	bool ends_line;     /* the message being copied ends in a line end */
	bool quotes;        /* it is another program's: what is left of its body is quoted */
	struct mbox_quoting quoting;
};

void generation_path(const struct generation *g, const char *suffix, struct buf *out)
{
	buf_printf(out, "%s%s.%x", g->stem, suffix, g->head.generation);
}

static char *path_with(const struct generation *g, const char *suffix, bool is_new)
{
	struct buf b = { 0 };
	char *path;

	if (is_new)
		generation_path(g, suffix, &b);
	else
		buf_printf(&b, "%s%s", g->stem, suffix);
	path = str_dup(buf_str(&b));
	buf_free(&b);
	return path;
}

static enum err open_file(const struct generation *g, int *fd, const char *suffix, int flags)
{
	char *path = path_with(g, suffix, flags != O_RDONLY);
	enum err e = OK;

	*fd = openat(g->directory, path, flags | O_CLOEXEC, 0600);
	if (*fd < 0)
		e = errno == ENOENT ? ERR_ABSENT : err_errno("open path=%s", path);
	free(path);
	return e;
}

static void close_file(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void unlink_file(const struct generation *g, const char *suffix)
{
	char *path = path_with(g, suffix, true);

	unlinkat(g->directory, path, 0);
	free(path);
}

/* The new directory, if there is one. */
static void folder_drop(const struct generation *g)
{
	char *path = path_with(g, MDIR_SUFFIX, true);

	mdir_drop(g->directory, path);
	free(path);
}

/* The old file stays beside the new one, for what it has that is not understood. */
static enum err set_aside(const struct generation *g, const char *suffix, const char *why)
{
	struct buf aside = { 0 };
	char *path = path_with(g, suffix, false);
	enum err e = OK;

	buf_printf(&aside, "%s%s.damaged.%x", g->stem, suffix, g->head.generation);
	buf_add_char(&aside, '\0');
	if (linkat(g->directory, path, g->directory, buf_data(&aside), 0) && errno != EEXIST) {
		err_errno("set aside path=%s", path);
		e = ERR_AGAIN;
	} else {
		log_warn("store", NULL, "%s, the file is kept path=%s aside=%s", why, path, buf_data(&aside));
	}
	free(path);
	buf_free(&aside);
	return e;
}

static void on_amiss(void *user, size_t at, struct str line)
{
	(void)at, (void)line;
	*(bool *)user = true;
}

/* Whether the old state file has a line that is not understood. */
static enum err state_look(const struct generation *g, bool *damaged)
{
	static const struct state_events events = { .on_amiss = on_amiss };
	struct keywords *words = mem_new(struct keywords);
	struct state_head head;
	struct buf bytes = { 0 };
	ssize_t n = 1;
	uint64_t at = 0;
	int fd;
	enum err e = open_file(g, &fd, ".state", O_RDONLY);

	while (!e && n > 0) {
		n = pread(fd, buf_room(&bytes, PIECE_BYTES), PIECE_BYTES, (off_t)at);
		at += n > 0 ? (uint64_t)n : 0;
		buf_added(&bytes, n > 0 ? (size_t)n : 0);
		buf_take(&bytes, state_read(buf_str(&bytes), &head, words, &events, damaged, &e));
	}
	close_file(&fd);
	buf_free(&bytes);
	free(words);
	return e == ERR_ABSENT ? OK : e;
}

/* What is not understood is not thrown away with the old files. */
static enum err keep_damaged(const struct generation *g)
{
	char begins[5];
	bool damaged = false;
	enum err e = state_look(g, &damaged);

	if (!e && damaged)
		e = set_aside(g, ".state", "a line of a state file is not understood");
	if (!e && !g->from_mdir && pread(g->from, begins, sizeof(begins), 0) > 0 &&
		!str_eq((struct str){ begins, sizeof(begins) }, STR("From ")))
		e = set_aside(g, ".mbox", "damaged before its first message");
	return e;
}

/* The new directory; what an earlier one of this name left there is no message's. */
static enum err folder_make(const struct generation *g)
{
	char *path = path_with(g, MDIR_SUFFIX, true);
	enum err e = OK;

	folder_drop(g);
	if (mkdirat(g->directory, path, 0700) < 0)
		e = err_errno("make %s", path);
	free(path);
	return e;
}

/* What is read, and what is written. */
static enum err files_open(struct generation *g)
{
	struct stat st;
	enum err e = OK;

	if (g->from_mdir) {
		char *path = path_with(g, MDIR_SUFFIX, false);

		e = stamp_read(g->directory, str_of(path), &g->stamp);
		free(path);
	} else {
		e = open_file(g, &g->from, ".mbox", O_RDONLY);
		if (e == ERR_ABSENT && !g->count) /* somebody removed it: the next one is empty */
			e = OK;
	}
	if (!e)
		e = keep_damaged(g);
	if (!e && g->head.mdir && !g->from_mdir && folder_make(g))
		e = ERR_AGAIN;
	if (!e && !g->head.mdir && open_file(g, &g->to, ".mbox", O_WRONLY | O_CREAT | O_TRUNC))
		e = ERR_AGAIN;
	if (!e && g->from >= 0 && fstat(g->from, &st) < 0)
		e = err_errno("stat mbox stem=%s", g->stem);
	else if (!e && g->from >= 0)
		g->stamp = stamp_of(&st);
	return e;
}

enum err generation_new(struct generation **out, int directory, struct str stem, const struct state_head *head,
	bool mdir, const struct keywords *k, const struct message *messages, size_t count)
{
	struct generation *g = mem_new(struct generation);
	enum err e;

	g->directory = directory;
	g->stem = str_dup(stem);
	g->from = g->to = -1;
	g->head = *head;
	g->head.generation++;
	g->head.mdir = mdir;
	g->from_mdir = head->mdir;
	g->k = k;
	g->old = messages;
	g->count = count;
	g->new = mem_copy(messages, count * sizeof(*messages));
	e = files_open(g);
	if (e)
		generation_free(g);
	*out = e ? NULL : g;
	return e;
}

struct stamp generation_stamp(const struct generation *g)
{
	return g->stamp;
}

void generation_tidy(struct generation *g, const uint32_t *headers)
{
	g->headers = headers;
}

void generation_gone(struct generation *g, const uint32_t *uids, size_t count)
{
	g->gone = uids;
	g->gone_count = count;
}

void generation_free(struct generation *g)
{
	if (!g)
		return;
	if (!g->done) {
		if (!g->head.mdir && g->to >= 0)
			unlink_file(g, ".mbox");
		if (g->head.mdir && !g->from_mdir)
			folder_drop(g);
		unlink_file(g, ".state");
	}
	close_file(&g->from);
	close_file(&g->to);
	buf_free(&g->out);
	buf_free(&g->in);
	free(g->new);
	free(g->stem);
	free(g);
}

/* Room and errors of the disk are for later: ERR_AGAIN. */
static enum err write_all(const struct generation *g, int fd, struct str bytes, uint64_t at)
{
	while (bytes.len) {
		ssize_t n = pwrite(fd, bytes.p, bytes.len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err_errno("write generation stem=%s", g->stem);
			return ERR_AGAIN;
		}
		bytes = str_cut(bytes, (size_t)n, bytes.len);
		at += (uint64_t)n;
	}
	return OK;
}

static enum err flush(struct generation *g)
{
	enum err e = write_all(g, g->to, buf_str(&g->out), g->written);

	g->written += buf_len(&g->out);
	buf_clear(&g->out);
	return e;
}

static enum err not_as_told(const struct generation *g, uint64_t at)
{
	log_error("store", NULL, "mbox is not what is known of it stem=%s at=%llu", g->stem, (unsigned long long)at);
	return ERR_NEVER;
}

/* Bytes of the old file into g->in. */
static enum err read_in(struct generation *g, uint64_t at, size_t len)
{
	buf_clear(&g->in);
	while (buf_len(&g->in) < len) {
		size_t more = len - buf_len(&g->in);
		ssize_t n = pread(g->from, buf_room(&g->in, more), more, (off_t)(at + buf_len(&g->in)));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_errno("read mbox stem=%s", g->stem);
			return ERR_AGAIN;
		}
		if (!n)
			return not_as_told(g, at);
		buf_added(&g->in, (size_t)n);
	}
	return OK;
}

/* A foreign mbox may lack its last line end; behind another message it cannot. */
static enum err end_message(struct generation *g)
{
	struct message *m = &g->new[g->next - 1];

	if (g->quotes) {
		mbox_quote_end(&g->quoting, &g->out);
		if (g->quoting.added > UINT32_MAX - m->stored)
			return not_as_told(g, m->offset);
		m->stored += (uint32_t)g->quoting.added;
	}
	if (!g->ends_line) {
		buf_add_char(&g->out, '\n');
		m->stored++;
		m->wire += 2;
		if (m->header + 1 == m->stored)
			m->header++;
	}
	buf_add_str(&g->out, STR(MBOX_TAIL));
	return OK;
}

/* Text of the message, behind `header` bytes of it. */
static void add_text(struct generation *g, struct str text, size_t header)
{
	if (header < text.len && g->quotes) {
		buf_add(&g->out, text.p, header);
		mbox_quote(&g->quoting, str_cut(text, header, text.len), &g->out);
	} else {
		buf_add_str(&g->out, text);
	}
}

/* The prefix of the message at `next`, as it is to be now. */
static void add_prefix(struct generation *g, struct str old_prefix)
{
	struct mbox_base base = { g->head.uidvalidity, g->head.uidnext - 1, g->head.id, g->head.generation, 0, 0 };
	struct message *m = &g->new[g->next];
	size_t before = buf_len(&g->out);
	struct str sender = STR_NONE;
	int64_t date;

	mbox_postmark(str_cut(old_prefix, 0, (size_t)str_find(old_prefix, '\n')), &sender, &date);
	m->offset = g->head.mdir ? 0 : g->written + before;
	m->written = m->flags & FLAG_SYSTEM;
	mbox_prefix(&g->out, m, sender, g->k, g->next && !g->head.mdir ? NULL : &base);
	m->prefix = (uint32_t)(buf_len(&g->out) - before);
}

struct lines_out { /* of a header */
	struct str left;
	bool lengths; /* also those that tell lengths */
	bool leaving; /* the line before was left out */
	size_t lines, bytes;
};

/* The next line that stays; empty: there is none. */
static struct str line_that_stays(struct lines_out *l)
{
	while (l->left.len) {
		ptrdiff_t lf = str_find(l->left, '\n');
		struct str line = str_cut(l->left, 0, lf < 0 ? l->left.len : (size_t)lf + 1), value;
		bool folded = line.p[0] == ' ' || line.p[0] == '\t';

		l->left = str_cut(l->left, line.len, l->left.len);
		if (!folded)
			l->leaving = form_field_of(line, true, &value) != FORM_OTHER ||
			             (l->lengths && print_is_length(line));
		if (!l->leaving)
			return line;
		l->lines++;
		l->bytes += line.len;
	}
	return STR_NONE;
}

static void count_out(struct lines_out *l, struct str header, bool lengths)
{
	*l = (struct lines_out){ .left = header, .lengths = lengths };
	while (line_that_stays(l).len)
		;
}

/* The header of the message just begun, without what does not belong there. */
static void add_header(struct generation *g, struct str header)
{
	struct message *m = &g->new[g->next];
	uint32_t was = g->headers[g->next];
	struct lines_out l, all;
	struct str line;

	count_out(&l, header, false);
	count_out(&all, header, true);
	if (!was || header.len - l.bytes == was || header.len - all.bytes != was)
		all = l;
	m->stored -= (uint32_t)all.bytes;
	m->header -= (uint32_t)all.bytes;
	m->wire -= (uint32_t)(all.bytes + all.lines);
	l = (struct lines_out){ .left = header, .lengths = all.lengths };
	while ((line = line_that_stays(&l)).len)
		buf_add_str(&g->out, line);
}

/* In an mdir each message has its own file. */
static enum err message_files(struct generation *g)
{
	struct buf path = { 0 };
	enum err e = OK;

	if (g->from_mdir) {
		close_file(&g->from);
		g->from = mdir_open(g->directory, g->stem, g->old[g->next].uid);
		if (g->from < 0)
			e = errno == ENOENT ? ERR_NEVER
			                    : err_errno("open uid=%u stem=%s", g->old[g->next].uid, g->stem);
	}
	if (!e && g->head.mdir) {
		generation_path(g, MDIR_SUFFIX, &path);
		buf_printf(&path, "/%u", g->old[g->next].uid);
		buf_add_char(&path, '\0');
		g->to = openat(g->directory, buf_data(&path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (g->to < 0) {
			err_errno("make %s", buf_data(&path));
			e = ERR_AGAIN;
		}
	}
	buf_free(&path);
	return e;
}

/* The message is all there. */
static enum err message_ended(struct generation *g)
{
	enum err e = OK;

	if (!g->head.mdir)
		return OK;
	e = flush(g);
	g->ended += g->written;
	g->written = 0;
	close_file(&g->to);
	return e;
}

/* Takes the next message: its prefix, and of its text all or the beginning. */
static enum err begin_message(struct generation *g)
{
	const struct message *m = &g->old[g->next];
	uint64_t text_at = m->offset + m->prefix;
	size_t text = m->stored < SMALL_BYTES ? m->stored : SMALL_BYTES, header = m->header;
	enum err e;

	assert(!g->next || m->uid > m[-1].uid);
	if (m->prefix > MBOX_PREFIX_MAX)
		return not_as_told(g, m->offset);
	e = message_files(g);
	if (e)
		return e;
	g->ends_line = true;
	if (text < m->stored) {
		e = read_in(g, text_at + m->stored - 1, 1);
		if (e)
			return e;
		g->ends_line = buf_data(&g->in)[0] == '\n';
	}
	e = read_in(g, m->offset, m->prefix + text);
	if (e)
		return e;
	if (!mbox_is_message(buf_str(&g->in), m))
		return not_as_told(g, m->offset);
	add_prefix(g, str_cut(buf_str(&g->in), 0, m->prefix));
	if (g->headers && m->header <= text)
		add_header(g, str_cut(buf_str(&g->in), m->prefix, m->prefix + (size_t)m->header));
	else
		header = 0;
	g->quotes = !mbox_prefix_is_ours(str_cut(buf_str(&g->in), 0, m->prefix));
	g->quoting = (struct mbox_quoting){ 0 };
	add_text(g, str_cut(buf_str(&g->in), m->prefix + header, m->prefix + text), m->header - header);
	if (text == m->stored && text)
		g->ends_line = buf_data(&g->in)[m->prefix + text - 1] == '\n';
	g->left_from = text_at + text;
	g->left = m->stored - text;
	g->next++;
	if (!g->left)
		e = end_message(g);
	return !e && (g->left || buf_len(&g->out) >= PIECE_BYTES) ? flush(g) : e;
}

/* A piece of a large message, by the kernel if it can between these files. */
static enum err copy_piece(struct generation *g)
{
	size_t len = g->left < PIECE_BYTES ? (size_t)g->left : PIECE_BYTES;
	off_t from = (off_t)g->left_from, to = (off_t)g->written;
	ssize_t n = copy_file_range(g->from, &from, g->to, &to, len, 0);
	enum err e = OK;

	if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)) {
		e = read_in(g, g->left_from, len);
		if (!e)
			e = write_all(g, g->to, buf_str(&g->in), g->written);
		n = (ssize_t)len;
	} else if (n < 0 && errno != EINTR) {
		err_errno("copy mbox stem=%s", g->stem);
		return ERR_AGAIN;
	}
	if (!e && !n)
		return not_as_told(g, g->left_from);
	if (e || n < 0)
		return e;
	g->left_from += (uint64_t)n;
	g->written += (uint64_t)n;
	g->left -= (uint64_t)n;
	return g->left ? OK : end_message(g);
}

/* The same of another program's. */
static enum err quote_piece(struct generation *g)
{
	const struct message *m = &g->old[g->next - 1];
	uint64_t done = m->stored - g->left;
	size_t len = g->left < PIECE_BYTES ? (size_t)g->left : PIECE_BYTES;
	enum err e = read_in(g, g->left_from, len);

	if (e)
		return e;
	add_text(g, buf_str(&g->in), m->header > done ? m->header - done : 0);
	g->left_from += len;
	g->left -= len;
	if (!g->left)
		e = end_message(g);
	return e ? e : flush(g);
}

static enum err sync_file(const struct generation *g, int fd)
{
	if (!fsync(fd))
		return OK;
	err_errno("sync generation stem=%s", g->stem);
	return ERR_AGAIN;
}

/* What an mdir's files do not say. */
static void lines_add(const struct generation *g, struct buf *out)
{
	struct uid_range run = { 0, 0 };

	for (size_t i = 0; i < g->count; i++) {
		const struct message *m = &g->old[i], *next = i + 1 < g->count ? m + 1 : NULL;

		run.first = run.first ? run.first : m->uid;
		run.last = m->uid;
		if (next && next->uid == m->uid + 1 && next->flags == m->flags && next->keywords == m->keywords &&
			next->clock == m->clock)
			continue;
		state_print_flags(out, &run, 1, m->flags & FLAG_SYSTEM, m->keywords, g->k, m->clock);
		run.first = 0;
	}
	for (size_t i = 0; i < g->gone_count; i++) {
		run.first = run.first ? run.first : g->gone[i];
		run.last = g->gone[i];
		if (i + 1 < g->gone_count && g->gone[i + 1] == run.last + 1)
			continue;
		state_print_expunge(out, &run, 1, g->head.clock);
		run.first = 0;
	}
}

static enum err write_state(struct generation *g)
{
	struct buf head = { 0 };
	int fd;
	enum err e = open_file(g, &fd, ".state", O_WRONLY | O_CREAT | O_TRUNC);

	state_print_head(&head, &g->head);
	if (g->from_mdir && g->head.mdir)
		lines_add(g, &head);
	g->state_end = buf_len(&head);
	if (!e)
		e = write_all(g, fd, buf_str(&head), 0);
	if (!e)
		e = sync_file(g, fd);
	close_file(&fd);
	buf_free(&head);
	return e ? ERR_AGAIN : OK;
}

/* The new file of messages, or of an mdir all that is in it, is durable. */
static enum err sync_messages(const struct generation *g)
{
	char *folder = path_with(g, MDIR_SUFFIX, !g->from_mdir);
	struct stamp now;
	enum err e = OK;

	if (g->from_mdir && !g->head.mdir) { /* a message that somebody added meanwhile would go with it */
		e = stamp_read(g->directory, str_of(folder), &now);
		if (!e && !stamp_same(&now, &g->stamp))
			e = ERR_AGAIN;
	}
	if (!e && g->head.mdir)
		e = mdir_sync(g->directory, folder);
	else if (!e)
		e = sync_file(g, g->to);
	free(folder);
	return e;
}

enum err generation_step(struct generation *g, bool *done)
{
	uint64_t begun = g->ended + g->written;
	enum err e = OK;

	*done = false;
	if (g->from_mdir && g->head.mdir) /* its messages stay where they are */
		g->next = g->count;
	while (!e && (g->left || g->next < g->count)) {
		if (g->ended + g->written - begun >= STEP_BYTES)
			return OK;
		e = !g->left ? begin_message(g) : g->quotes ? quote_piece(g) : copy_piece(g);
		if (!e && !g->left)
			e = message_ended(g);
	}
	if (!e)
		e = flush(g);
	if (!e)
		e = sync_messages(g);
	if (!e)
		e = write_state(g);
	if (!e)
		e = directories_sync(g->directory, str_of(g->stem));
	*done = g->done = !e;
	return e;
}

void generation_result(const struct generation *g, struct generation_result *r)
{
	assert(g->done);
	r->head = g->head;
	r->messages = g->new;
	r->mbox_end = g->head.mdir ? g->count : g->written;
	r->state_end = g->state_end;
}

struct message *generation_take(struct generation *g)
{
	struct message *messages = g->new;

	g->new = NULL;
	return messages;
}
