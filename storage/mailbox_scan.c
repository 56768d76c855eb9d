/* mailbox_scan.c - what the files of a mailbox say, from where the index ends or from the start.
 *   head of the state file -> mbox from r.mbox_end -> lines of the state file from r.state_end -> sums
 * The mbox gives messages with the flags of its writing; the state's lines, in their order, are the truth over them. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/mailbox.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (256u << 10)

/* --- messages --------------------------------------------------------------------------------------------------- */

static void message_add(struct mailbox_scan *s, const struct message *m)
{
	if (s->count == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->messages = mem_resize(s->messages, s->cap * sizeof(*s->messages));
		s->changed = mem_resize(s->changed, s->cap * sizeof(*s->changed));
	}
	s->messages[s->count] = *m;
	s->changed[s->count] = true;
	s->count++;
}

/* The place of the first message whose UID is uid or higher. */
static size_t place_of(const struct mailbox_scan *s, uint32_t uid)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->messages[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void clock_seen(struct mailbox_scan *s, uint64_t clock)
{
	if (s->r.head.clock < clock)
		s->r.head.clock = clock;
}

/* --- the mbox --------------------------------------------------------------------------------------------------- */

static void on_base(void *user, const struct mbox_base *base, struct keywords *k)
{
	struct mailbox_scan *s = user;

	(void)k;
	s->has_base = base->id != 0;
	if (!s->has_head) {
		s->r.head.id = base->id;
		s->r.head.uidvalidity = base->uidvalidity;
	}
	if (s->has_base && s->r.head.generation < base->generation)
		s->r.head.generation = base->generation;
	if (s->r.head.uidnext <= base->last_uid && base->last_uid < UINT32_MAX)
		s->r.head.uidnext = base->last_uid + 1;
}

static void on_message(void *user, const struct message *told)
{
	struct mailbox_scan *s = user;
	struct message m = *told;
	uint32_t last = s->count ? s->messages[s->count - 1].uid : 0;

	if (s->count == UINT32_MAX - 1)
		return;
	if (m.uid <= last || m.uid == UINT32_MAX) /* a stranger's: the next one free */
		m.uid = s->r.head.uidnext > last ? s->r.head.uidnext : last + 1;
	if (s->r.head.uidnext <= m.uid)
		s->r.head.uidnext = m.uid + 1;
	if (!m.clock)
		m.clock = s->r.head.clock + 1;
	clock_seen(s, m.clock);
	message_add(s, &m);
	s->r.mbox_end = m.offset + m.prefix + m.stored + sizeof(MBOX_TAIL) - 1;
}

/* A foreign mbox may end without an empty line, or within a line: what it lacks is written before the next message,
 * and the last message is told as it will be then. */
static void end_look(struct mailbox_scan *s, int fd, uint64_t size)
{
	char last[2] = "\n\n";
	struct message *m = s->count ? &s->messages[s->count - 1] : NULL;

	if (!m || s->r.mbox_end <= size || pread(fd, last, 2, (off_t)size - 2) != 2)
		return;
	s->lacks = last[1] == '\n' ? 1 : 2;
	if (s->lacks == 2) {
		m->stored++;
		m->wire += 2;
		s->r.mbox_end++;
	}
}

static enum err mbox_feed(struct mailbox_scan *s, int fd, struct mbox_scan *reader, uint64_t size)
{
	char *piece = mem_resize(NULL, PIECE);
	uint64_t at = s->r.mbox_end;
	enum err e = OK;

	while (!e && at < size) {
		size_t want = size - at < PIECE ? (size_t)(size - at) : PIECE;
		ssize_t n = pread(fd, piece, want, (off_t)at);

		if (n < 0)
			e = err_errno("read %s.mbox", s->stem);
		if (n <= 0)
			break;
		at += (uint64_t)n;
		e = mbox_scan_feed(reader, (struct str){ piece, (size_t)n });
	}
	free(piece);
	return e ? e : mbox_scan_end(reader);
}

static int file_open(const struct mailbox_scan *s, const char *suffix, uint64_t max, uint64_t *size, enum err *e)
{
	struct buf path = { 0 };
	struct stat st;
	int fd;

	buf_printf(&path, "%s%s", s->stem, suffix);
	buf_add_char(&path, '\0');
	*size = 0;
	*e = OK;
	fd = openat(s->directory, buf_data(&path), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		*e = errno == ENOENT || errno == ENOTDIR ? ERR_ABSENT : err_errno("open %s", buf_data(&path));
	else if (fstat(fd, &st) < 0)
		*e = err_errno("stat %s", buf_data(&path));
	else
		*size = (uint64_t)st.st_size < max ? (uint64_t)st.st_size : max;
	buf_free(&path);
	return fd;
}

static enum err mbox_read(struct mailbox_scan *s)
{
	static const struct mbox_scan_events events = { on_base, on_message };
	uint64_t size;
	enum err e;
	int fd = file_open(s, ".mbox", s->mbox_max, &size, &e);

	if (!e && size > s->r.mbox_end) {
		struct mbox_scan *reader = mbox_scan_new(s->r.mbox_end, &s->r.keywords, &events, s);

		e = mbox_feed(s, fd, reader, size);
		if (e == ERR_NEVER)
			log_error("store", NULL, "not an mbox path=%s.mbox", s->stem);
		mbox_scan_free(reader);
		end_look(s, fd, size);
	}
	if (fd >= 0)
		close(fd);
	return e;
}

/* --- the state file --------------------------------------------------------------------------------------------- */

static void on_flags(
	void *user, const struct uid_range *uids, size_t count, uint32_t flags, uint64_t keywords, uint64_t clock)
{
	struct mailbox_scan *s = user;

	clock_seen(s, clock);
	for (size_t i = 0; i < count; i++)
		for (size_t at = place_of(s, uids[i].first); at < s->count && s->messages[at].uid <= uids[i].last;
			at++) {
			struct message *m = &s->messages[at];

			m->flags = (m->flags & FLAG_EXPUNGED) | flags;
			m->keywords = keywords;
			m->clock = clock;
			s->changed[at] = true;
		}
}

static void on_expunge(void *user, const struct uid_range *uids, size_t count, uint64_t clock)
{
	struct mailbox_scan *s = user;

	clock_seen(s, clock);
	for (size_t i = 0; i < count; i++)
		for (size_t at = place_of(s, uids[i].first); at < s->count && s->messages[at].uid <= uids[i].last;
			at++) {
			s->messages[at].flags |= FLAG_EXPUNGED;
			s->messages[at].clock = clock;
			s->changed[at] = true;
		}
}

static void on_set(void *user, struct str name, struct str value, uint64_t clock)
{
	struct mailbox_scan *s = user;
	uint32_t uidnext;

	clock_seen(s, clock);
	if (str_eq(name, STR("uidnext")) && str_u32(value, &uidnext) && s->r.head.uidnext < uidnext)
		s->r.head.uidnext = uidnext;
}

/* Reads on from r.state_end; with `first` only until a line was read: the head, if there is one. */
static enum err lines_read(struct mailbox_scan *s, int fd, uint64_t size, bool first)
{
	static const struct state_events events = { on_flags, on_expunge, on_set };
	uint64_t at = s->r.state_end;
	struct state_head head = { 0 };
	struct buf bytes = { 0 };
	enum err e = OK;
	ssize_t n = 1;

	while (!e && n > 0 && at < size) {
		size_t want = size - at < PIECE ? (size_t)(size - at) : PIECE, used;
		ptrdiff_t lf;

		n = pread(fd, buf_room(&bytes, want), want, (off_t)at);
		if (n < 0)
			e = err_errno("read %s.state", s->stem);
		if (n <= 0)
			break;
		buf_added(&bytes, (size_t)n);
		at += (uint64_t)n;
		if (first && (lf = str_find(buf_str(&bytes), '\n')) < 0)
			continue;
		if (first)
			buf_cut(&bytes, (size_t)lf + 1);
		used = state_read(buf_str(&bytes), &head, &s->r.keywords, &events, s, &e);
		buf_take(&bytes, used);
		s->r.state_end += used;
		if (first)
			break;
	}
	if (first && !e && head.id) {
		s->has_head = true;
		s->r.head = head;
	}
	buf_free(&bytes);
	return e;
}

/* --- all -------------------------------------------------------------------------------------------------------- */

static void sum_up(struct mailbox_scan *s)
{
	struct mailbox_record *r = &s->r;

	r->messages = r->unseen = r->deleted = r->recents = 0;
	r->bytes = r->garbage = 0;
	for (size_t i = 0; i < s->count; i++) {
		const struct message *m = &s->messages[i];

		if (m->flags & FLAG_EXPUNGED)
			continue;
		r->messages++;
		r->unseen += !(m->flags & FLAG_SEEN);
		r->deleted += (m->flags & FLAG_DELETED) != 0;
		r->recents += m->uid >= r->recent;
		r->bytes += m->wire;
		r->garbage += m->prefix + (uint64_t)m->stored + sizeof(MBOX_TAIL) - 1; /* not: what is left is */
	}
	r->garbage = r->mbox_end > r->garbage ? r->mbox_end - r->garbage : 0;
}

enum err mailbox_scan_files(struct mailbox_scan *s)
{
	bool whole = !s->r.state_end && !s->r.mbox_end;
	uint64_t size;
	enum err e, mbox_e = OK;
	int fd = file_open(s, ".state", s->state_max, &size, &e);
	bool absent = e == ERR_ABSENT;

	if (!s->changed && s->cap)
		s->changed = mem_alloc(s->cap * sizeof(*s->changed));
	if (!e && whole)
		e = lines_read(s, fd, size, true);
	if (!e || absent)
		mbox_e = mbox_read(s);
	if (!e && (!mbox_e || mbox_e == ERR_ABSENT))
		e = lines_read(s, fd, size, false);
	if (fd >= 0)
		close(fd);
	if (absent && mbox_e == ERR_ABSENT)
		return ERR_ABSENT;
	if (absent)
		e = OK;
	if (!e && mbox_e != ERR_ABSENT)
		e = mbox_e;
	if (!s->r.head.uidnext)
		s->r.head.uidnext = 1;
	if (whole)
		s->r.recent = s->r.head.uidnext;
	sum_up(s);
	return e;
}

void mailbox_scan_free(struct mailbox_scan *s)
{
	free(s->messages);
	free(s->changed);
	s->messages = NULL;
	s->changed = NULL;
}
