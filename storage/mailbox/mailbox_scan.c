/* mailbox_scan.c - what the files of a mailbox say, from where the index ends or from the start.
 *   head of the state file -> mbox from r.mbox_end -> lines of the state file from r.state_end -> sums
 * The mbox gives messages with the flags of its writing; the state's lines, in their order, are the truth over them. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/apply.h"
#include "storage/journal/dot_lock.h"
#include "storage/mailbox/mailbox.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE          (256u << 10)
#define STEP_BYTES     (16u << 20)         /* of the mbox read in one go */
#define COMPLAINTS_MAX 10                  /* logged one by one; more are counted */
#define CLOCK_MAX      (UINT64_C(1) << 62) /* no clock is ever there */

/* --- what is amiss --------------------------------------------------------------------------------------------------- */

/* Told whoever wants to know; else the log, one by one at first. */
void mailbox_scan_amiss(struct mailbox_scan *s, enum scan_amiss what, uint32_t uid, uint64_t at)
{
	static const char *const texts[] = {
		[SCAN_BYTES] = "bytes of an mbox are no message's and are passed over",
		[SCAN_UID] = "a message that had no UID of its own in its place was given one",
		[SCAN_LINE] = "a line of the state file is not understood",
		[SCAN_NO_MBOX] = "not an mbox",
		[SCAN_FILE] = "a file of an mdir is not one message and is passed over",
		[SCAN_OTHER] = "a file in an mdir is none of its messages",
		[SCAN_NEWER_MBOX] = "the mbox is of a later version, a newer program is needed",
		[SCAN_NEWER_STATE] = "the state file is of a later version, a newer program is needed",
	};
	const char *suffix = what == SCAN_LINE || what == SCAN_NEWER_STATE ? "state" : s->r.head.mdir ? "mdir" : "mbox";

	if (s->on_amiss) {
		s->on_amiss(s->user, what, texts[what], uid, at);
		return;
	}
	if (++s->complaints <= COMPLAINTS_MAX)
		log_warn("store", NULL, "%s account=%s mailbox=\"%s\" uid=%u path=%s.%s offset=%llu", texts[what],
			s->account ? s->account : "-", s->mailbox ? s->mailbox : "-", uid, s->stem, suffix,
			(unsigned long long)at);
}

static void complaints_end(const struct mailbox_scan *s)
{
	if (s->complaints > COMPLAINTS_MAX)
		log_warn("store", NULL, "more is amiss in a mailbox account=%s mailbox=\"%s\" count=%u",
			s->account ? s->account : "-", s->mailbox ? s->mailbox : "-", s->complaints - COMPLAINTS_MAX);
}

/* --- messages --------------------------------------------------------------------------------------------------- */

/* A clock that time cannot have brought about is damaged. */
static void clock_seen(struct mailbox_scan *s, uint64_t clock)
{
	if (s->r.head.clock < clock && clock < CLOCK_MAX)
		s->r.head.clock = clock;
}

void mailbox_scan_add(struct mailbox_scan *s, const struct message *m)
{
	struct message *added;

	if (s->count == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->messages = mem_resize(s->messages, s->cap * sizeof(*s->messages));
		s->changed = mem_resize(s->changed, s->cap * sizeof(*s->changed));
	}
	s->changed[s->count] = true;
	added = &s->messages[s->count++];
	*added = *m;
	if (!added->clock || added->clock >= CLOCK_MAX)
		added->clock = s->r.head.clock + 1;
	clock_seen(s, added->clock);
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

/* --- the mbox --------------------------------------------------------------------------------------------------- */

static void on_base(void *user, const struct mbox_base *base, struct keywords *k)
{
	struct mailbox_scan *s = user;

	(void)k;
	s->has_base = base->id != 0;
	s->newer = s->has_base && base->version > MBOX_VERSION;
	if (!s->has_head) {
		s->r.head.id = base->id;
		s->r.head.uidvalidity = base->uidvalidity;
	}
	if (base->folder)
		s->r.mbox_end = base->folder;
	if (s->has_base && s->r.head.generation < base->generation)
		s->r.head.generation = base->generation;
	if (s->r.head.uidnext <= base->last_uid && base->last_uid < UINT32_MAX)
		s->r.head.uidnext = base->last_uid + 1;
}

static void on_message(void *user, const struct message *m)
{
	struct mailbox_scan *s = user;
	size_t at = s->count - s->first;

	if (s->count == UINT32_MAX - 1)
		return;
	s->disorder |= m->uid <= (s->count ? s->messages[s->count - 1].uid : 0) || m->uid == UINT32_MAX;
	if (at == s->bare_cap) {
		s->bare_cap = at ? 2 * at : 64;
		s->bare = mem_resize(s->bare, s->bare_cap * sizeof(*s->bare));
	}
	mbox_scan_bare(s->reader, &s->bare[at]);
	mailbox_scan_add(s, m);
	s->r.mbox_end = m->offset + m->prefix + m->stored + sizeof(MBOX_TAIL) - 1;
}

static bool may_end(void *user, uint64_t at)
{
	const struct mailbox_scan *s = user;
	char bytes[MBOX_LOOK];
	size_t want = sizeof(bytes);
	ssize_t n;

	if (!at || at > s->mbox_size)
		return false;
	if (s->mbox_size - (at - 1) < want)
		want = (size_t)(s->mbox_size - (at - 1));
	n = pread(s->mbox, bytes, want, (off_t)at - 1);
	return n > 0 && mbox_may_end((struct str){ bytes, (size_t)n }, at - 1 + (uint64_t)n == s->mbox_size);
}

/* A foreign mbox may end without an empty line, or within a line: what it lacks is written before the next message,
 * and the last message is told as it will be then. */
static void end_look(struct mailbox_scan *s)
{
	char last[2] = "\n\n";
	struct message *m = s->count ? &s->messages[s->count - 1] : NULL;

	if (s->r.mbox_end + 1 == s->mbox_size) /* an empty line of CRLF */
		s->r.mbox_end = s->mbox_size;
	if (s->r.mbox_end <= s->mbox_size || pread(s->mbox, last, 2, (off_t)s->mbox_size - 2) != 2)
		return;
	s->lacks = last[1] == '\n' ? 1 : 2;
	if (s->lacks == 2 && m) {
		m->stored++;
		m->wire += last[1] == '\r' ? 1 : 2;
	}
	s->r.mbox_end += s->lacks == 2;
}

static void uids_settle(struct mailbox_scan *s)
{
	s->uidnext = s->r.head.uidnext;
	if (s->known)
		mailbox_match_uids(s);
	else if (s->disorder)
		mailbox_uids_settle(s, s->first);
	else if (s->count > s->first && s->r.head.uidnext <= s->messages[s->count - 1].uid)
		s->r.head.uidnext = s->messages[s->count - 1].uid + 1;
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
	fd = openat(s->directory, buf_data(&path), O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* it may be a pipe */
	if (fd < 0)
		*e = errno == ENOENT || errno == ENOTDIR ? ERR_ABSENT : err_errno("open %s", buf_data(&path));
	else if (fstat(fd, &st) < 0)
		*e = err_errno("stat %s", buf_data(&path));
	else if (!S_ISREG(st.st_mode))
		*e = ERR_NEVER;
	else
		*size = (uint64_t)st.st_size < max ? (uint64_t)st.st_size : max;
	buf_free(&path);
	return fd;
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

static void on_amiss(void *user, size_t at, struct str line)
{
	struct mailbox_scan *s = user;

	(void)line;
	mailbox_scan_amiss(s, SCAN_LINE, 0, s->r.state_end + at);
}

static enum err state_piece(struct mailbox_scan *s, uint64_t at, struct buf *bytes)
{
	size_t want = s->state_size - at < PIECE ? (size_t)(s->state_size - at) : PIECE;
	ssize_t n = pread(s->state, buf_room(bytes, want), want, (off_t)at);

	if (n < 0)
		return err_errno("read %s.state", s->stem);
	buf_added(bytes, (size_t)n);
	return n ? OK : ERR_ABSENT;
}

/* The first line, if it is a head, is taken before the mbox is read. */
static enum err head_read(struct mailbox_scan *s)
{
	static const struct state_events none = { 0 };
	struct state_head head = { 0 };
	struct buf bytes = { 0 };
	enum err e = state_piece(s, 0, &bytes);
	ptrdiff_t lf = str_find(buf_str(&bytes), '\n');

	if (!e && lf > 0 && str_starts(buf_str(&bytes), STR("postern-state ")))
		state_read(str_cut(buf_str(&bytes), 0, (size_t)lf + 1), &head, &s->r.keywords, &none, NULL, &e);
	if (e == ERR_NEVER)
		mailbox_scan_amiss(s, SCAN_NEWER_STATE, 0, 0);
	if (!e && head.id) {
		s->has_head = true;
		s->r.head = head;
		s->r.state_end = (uint64_t)lf + 1;
	}
	buf_free(&bytes);
	return e == ERR_ABSENT ? OK : e;
}

static enum err lines_read(struct mailbox_scan *s)
{
	static const struct state_events events = { on_flags, on_expunge, on_set, on_amiss };
	uint64_t at = s->r.state_end;
	struct state_head head = { 0 };
	struct buf bytes = { 0 };
	enum err e = OK;

	while (!e && at < s->state_size) {
		size_t had = buf_len(&bytes), used;

		e = state_piece(s, at, &bytes);
		at += buf_len(&bytes) - had;
		if (e)
			break;
		used = state_read(buf_str(&bytes), &head, &s->r.keywords, &events, s, &e);
		buf_take(&bytes, used);
		s->r.state_end += used;
	}
	buf_free(&bytes);
	return e == ERR_ABSENT ? OK : e;
}

/* --- all -------------------------------------------------------------------------------------------------------- */

void mailbox_scan_sum(struct mailbox_scan *s)
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
		/* not: what is left is */
		r->garbage += r->head.mdir ? 1 : m->prefix + (uint64_t)m->stored + sizeof(MBOX_TAIL) - 1;
	}
	r->garbage = r->mbox_end > r->garbage ? r->mbox_end - r->garbage : 0;
}

static bool is_there(const struct mailbox_scan *s, const char *suffix)
{
	struct buf path = { 0 };
	struct stat st;
	bool is;

	buf_printf(&path, "%s%s", s->stem, suffix);
	buf_add_char(&path, '\0');
	is = !fstatat(s->directory, buf_data(&path), &st, 0);
	buf_free(&path);
	return is;
}

bool mailbox_scan_is_mdir(const struct mailbox_scan *s, const struct state_head *head)
{
	bool mdir = is_there(s, MDIR_SUFFIX);

	return mdir == is_there(s, ".mbox") ? head->mdir : mdir;
}

/* By another program. What it wrote while the mbox was read shows at the end: there this is asked once more. */
static bool is_dot_locked(const struct mailbox_scan *s)
{
	struct buf path = { 0 };
	bool is;

	buf_printf(&path, "%s.mbox", s->stem);
	is = dot_lock_look(s->directory, buf_str(&path)) == DOT_OTHERS;
	buf_free(&path);
	return is;
}

static bool was_disturbed(const struct mailbox_scan *s)
{
	struct stamp now;
	struct stat st;

	if (!s->lock || s->mbox < 0)
		return false;
	if (is_dot_locked(s) || fstat(s->mbox, &st) < 0)
		return true;
	now = stamp_of(&st);
	return !stamp_same(&now, &s->stamp);
}

static enum err begin(struct mailbox_scan *s)
{
	static const struct mbox_scan_events events = { on_base, on_message, true, may_end };
	enum err e, mbox_e;
	struct stat st;

	s->begun = true;
	s->whole = !s->r.state_end && !s->r.mbox_end;
	s->first = s->count;
	if (!s->changed && s->cap)
		s->changed = mem_alloc(s->cap * sizeof(*s->changed));
	s->state = file_open(s, ".state", s->state_max, &s->state_size, &e);
	s->mbox = -1;
	if (!e && s->whole && s->state_size)
		e = head_read(s);
	if (s->whole) {
		bool mdir = mailbox_scan_is_mdir(s, &s->r.head);

		s->untidy |= s->has_head && mdir != s->r.head.mdir;
		s->r.head.mdir = mdir;
	}
	if (s->r.head.mdir && (!e || e == ERR_ABSENT))
		return mdir_scan_begin(s);
	s->mbox = file_open(s, ".mbox", s->mbox_max, &s->mbox_size, &mbox_e);
	if (e == ERR_ABSENT && !mbox_e)
		e = OK;
	if (!e && mbox_e != ERR_ABSENT)
		e = mbox_e;
	s->at = s->r.mbox_end;
	if (s->mbox >= 0 && !fstat(s->mbox, &st))
		s->stamp = stamp_of(&st);
	if (!e && s->lock && s->mbox >= 0 && (is_dot_locked(s) || !file_lock(s->mbox, F_RDLCK)))
		e = ERR_AGAIN;
	if (!e && s->mbox_size > s->at)
		s->reader = mbox_scan_new(s->at, &s->r.keywords, &events, s);
	return e;
}

static enum err newer_mbox(struct mailbox_scan *s)
{
	mailbox_scan_amiss(s, SCAN_NEWER_MBOX, 0, 0);
	return ERR_NEVER;
}

/* Some more of the mbox. */
static enum err mbox_read(struct mailbox_scan *s)
{
	uint64_t until = s->mbox_size - s->at < STEP_BYTES ? s->mbox_size : s->at + STEP_BYTES;
	char *piece = mem_resize(NULL, PIECE);
	ssize_t n = 1;
	enum err e = OK;

	while (!e && n > 0 && s->at < until) {
		size_t want = until - s->at < PIECE ? (size_t)(until - s->at) : PIECE;

		n = pread(s->mbox, piece, want, (off_t)s->at);
		if (n < 0)
			e = err_errno("read %s.mbox", s->stem);
		if (n <= 0)
			break;
		s->at += (uint64_t)n;
		e = mbox_scan_feed(s->reader, (struct str){ piece, (size_t)n });
		if (!e && s->newer)
			e = newer_mbox(s);
	}
	if (n == 0) /* it is shorter than it was */
		s->mbox_size = s->at;
	free(piece);
	return e;
}

/* All of the mbox is read. */
static enum err mbox_ended(struct mailbox_scan *s)
{
	enum err e = mbox_scan_end(s->reader);
	uint64_t at;

	if (!e && s->newer) /* it has one message */
		return newer_mbox(s);
	if (mbox_scan_passed_over(s->reader, &at)) {
		s->untidy = true;
		mailbox_scan_amiss(s, e ? SCAN_NO_MBOX : SCAN_BYTES, 0, at);
	}
	end_look(s);
	uids_settle(s);
	return e;
}

static enum err end(struct mailbox_scan *s)
{
	enum err e = s->reader ? mbox_ended(s) : OK;

	if (!e && s->state >= 0)
		e = lines_read(s);
	if (!e && s->r.head.mdir)
		e = mdir_scan_end(s);
	else if (!e && s->known)
		mailbox_match_flags(s);
	if (!s->r.head.uidnext)
		s->r.head.uidnext = 1;
	if (!s->uidnext)
		s->uidnext = 1;
	if (s->whole)
		s->r.recent = s->r.head.uidnext;
	mailbox_scan_sum(s);
	complaints_end(s);
	return e;
}

enum err mailbox_scan_step(struct mailbox_scan *s, bool *done)
{
	enum err e = s->begun ? OK : begin(s);

	if (!e && s->r.head.mdir)
		e = mdir_scan_read(s);
	else if (!e && s->reader && s->at < s->mbox_size)
		e = mbox_read(s);
	*done = e || (s->r.head.mdir ? s->next_file == s->files.count : !s->reader || s->at >= s->mbox_size);
	if (!e && *done)
		e = was_disturbed(s) ? ERR_AGAIN : end(s);
	if (*done)
		mailbox_scan_close(s);
	return e;
}

enum err mailbox_scan_files(struct mailbox_scan *s)
{
	bool done = false;
	enum err e = OK;

	while (!e && !done)
		e = mailbox_scan_step(s, &done);
	return e;
}

void mailbox_scan_close(struct mailbox_scan *s)
{
	if (!s->begun)
		return;
	if (s->state >= 0)
		close(s->state);
	if (s->mbox >= 0)
		close(s->mbox);
	s->state = s->mbox = -1;
	mbox_scan_free(s->reader);
	s->reader = NULL;
	mdir_list_free(&s->files);
	free(s->bare);
	s->bare = NULL;
	s->bare_cap = 0;
}

void mailbox_scan_free(struct mailbox_scan *s)
{
	mailbox_scan_close(s);
	free(s->messages);
	free(s->changed);
	s->messages = NULL;
	s->changed = NULL;
}
