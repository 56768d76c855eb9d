/* selected_read.c - the bytes of messages, read from the mbox without its owner: see selected.h.
 * The mbox is opened in the files lane when it is first read, and kept with the view. It may by then be of a newer
 * generation than the view: the first message's base tells. Then the newer view is asked for and the message looked up
 * there by its UID. In an mdir each message has its own file, of which one is kept open here; reads in the lane open
 * their own. */
#include "core/lane.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/shared.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define PREFIX_MAX 8192       /* longer prefixes than that are read in the lane only */
#define BASE_MAX   (64 << 10) /* bytes at the start of an mbox in which its base is looked for */
#define TRIES      3
#define AHEAD      (2 << 20) /* bytes of the mbox that are fetched from the disk when one message after the other is read */

/* Where the message is now: the view that knows it, and what that says. False: none knows more than its UID. */
static bool find(const struct selected *s, uint32_t uid, struct mapped **in, struct message *m)
{
	struct mapped *const views[] = { s->sh->latest, s->base };

	for (size_t i = 0; i < 2; i++) {
		struct view_head h;
		uint32_t place;

		if (!views[i])
			continue;
		view_read_head(views[i]->view, &h);
		place = view_place(views[i]->view, uid);
		if (place >= h.count)
			continue;
		view_message(views[i]->view, place, m);
		*in = views[i];
		if (m->uid == uid && m->offset != MESSAGE_NOWHERE)
			return true;
	}
	return false;
}

static size_t wanted(const struct message *m, uint32_t at, size_t len)
{
	if (at >= m->stored)
		return 0;
	return len < m->stored - at ? len : m->stored - at;
}

/* Another program may have written the mbox anew in place. So of whatever is read it is looked whether the prefix is there,
 * and behind it, if it goes beyond the header, the next message or the end of the file; a header ends in an empty line. */
struct look {
	uint64_t at;
	struct str expected; /* empty: nothing */
};

static struct look look_behind(const struct message *m, uint32_t at, size_t want)
{
	uint64_t text = m->offset + m->prefix;

	if (at + want > m->header)
		return (struct look){ text + m->stored, STR(MBOX_TAIL "From ") };
	if (at + want == m->header && m->header > 1 && m->header < m->stored)
		return (struct look){ text + m->header - 2, STR("\n\n") };
	return (struct look){ 0, STR_NONE };
}

/* read: what was read of the text, from `from` of the file on. -1: it cannot be read now; 0: it is another's. */
static int is_expected(int fd, const struct look *l, struct str read, uint64_t from, int flags)
{
	char bytes[16];
	struct iovec part = { bytes, l->expected.len };
	ssize_t n = (ssize_t)l->expected.len;

	if (l->at >= from && l->at + l->expected.len <= from + read.len)
		memcpy(bytes, read.p + (l->at - from), l->expected.len);
	else
		n = preadv2(fd, &part, 1, (off_t)l->at, flags);
	if (n < 0)
		return -1;
	if (l->expected.p[1] == 'F' && n > 1 &&
		bytes[0] == 'F') /* others' messages may have no empty line behind them, */
		return memcmp(bytes, "From ", (size_t)n < 5 ? (size_t)n : 5) == 0;
	if (n > 1 && bytes[0] == '\r') /* or lines that end in CRLF */
		return bytes[1] == '\n' && (n < 3 || memcmp(bytes + 2, "From ", (size_t)n - 2) == 0);
	if (l->expected.p[1] == 'F' && n > 1 && bytes[0] == '\n' && bytes[1] == '\0')
		return 1;                                    /* what was behind it is lost: a hole */
	return memcmp(bytes, l->expected.p, (size_t)n) == 0; /* the file may end there */
}

bool selected_read_now(struct selected *s, const struct message *told, uint32_t at, size_t len, struct buf *out)
{
	struct mapped *in;
	struct message m;
	char prefix[PREFIX_MAX];
	struct iovec parts[2];
	struct look behind;
	size_t want;
	ssize_t n;

	if (!find(s, told->uid, &in, &m) || in->fd < 0 || m.prefix > sizeof(prefix) ||
		(in->mdir && in->fd_uid != m.uid))
		return false;
	want = wanted(&m, at, len);
	behind = look_behind(&m, at, want);
	parts[0] = (struct iovec){ prefix, m.prefix };
	parts[1] = (struct iovec){ buf_room(out, want), want };
	n = preadv2(in->fd, parts, at ? 1 : 2, (off_t)m.offset, RWF_NOWAIT);
	if (at && n == (ssize_t)m.prefix) {
		ssize_t more = preadv2(in->fd, parts + 1, 1, (off_t)(m.offset + m.prefix + at), RWF_NOWAIT);

		n = more < 0 ? -1 : n + more;
	}
	if (n != (ssize_t)(m.prefix + want) || !mbox_is_message((struct str){ prefix, m.prefix }, &m))
		return false;
	if (behind.expected.len && is_expected(in->fd, &behind, (struct str){ parts[1].iov_base, want },
					   m.offset + m.prefix + at, RWF_NOWAIT) != 1)
		return false;
	buf_added(out, want);
	return true;
}

/* --- in the files lane ---------------------------------------------------------------------------------------------- */

struct read {
	struct job job;
	struct selected *s;
	struct call *handle; /* NULL: cancelled, and s is not touched any more */
	struct call *waiting;
	call_done *done;
	void *user;
	uint32_t uid, at;
	size_t len;
	unsigned tries;

	struct mapped *in; /* a reference */
	struct message m;
	int directory;
	char *path; /* to be opened; NULL: it is open */
	int fd;
	bool goes_on; /* somewhat behind what was last read so */
	struct buf bytes;
	enum err e; /* ERR_ABSENT: the file is not of the view's generation */
};

static void on_base(void *user, const struct mbox_base *base, struct keywords *k)
{
	(void)k;
	*(struct mbox_base *)user = *base;
}

static void on_message(void *user, const struct message *m)
{
	(void)user;
	(void)m;
}

/* Whether the file is of that generation, as far as it says. */
static bool is_of(int fd, uint32_t generation)
{
	static const struct mbox_scan_events events = { on_base, on_message, false, NULL };
	struct keywords *words = mem_new(struct keywords);
	struct mbox_base base = { 0 };
	struct mbox_scan *scan = mbox_scan_new(0, words, &events, &base);
	char *bytes = mem_resize(NULL, BASE_MAX);
	ssize_t n = pread(fd, bytes, BASE_MAX, 0);

	if (n > 0 && !mbox_scan_feed(scan, (struct str){ bytes, (size_t)n }))
		mbox_scan_end(scan);
	mbox_scan_free(scan);
	free(bytes);
	free(words);
	return !base.id || base.generation == generation;
}

static enum err open_mbox(struct read *r)
{
	r->fd = openat(r->directory, r->path, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? ERR_ABSENT : err_errno("open %s", r->path);
	return r->in->mdir || is_of(r->fd, r->in->generation) ? OK : ERR_ABSENT;
}

static enum err read_at(const struct read *r, uint64_t from, size_t want, struct buf *out)
{
	size_t done = 0;

	while (done < want) {
		ssize_t n = pread(r->fd, buf_room(out, want - done), want - done, (off_t)(from + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno("read a mailbox");
		if (!n)
			return ERR_ABSENT;
		buf_added(out, (size_t)n);
		done += (size_t)n;
	}
	return OK;
}

static enum err read_bytes(struct read *r)
{
	size_t want = wanted(&r->m, r->at, r->len);
	struct look behind = look_behind(&r->m, r->at, want);
	struct buf prefix = { 0 };
	enum err e = read_at(r, r->m.offset, r->m.prefix, &prefix);
	int fits = 1;

	if (!e && !mbox_is_message(buf_str(&prefix), &r->m))
		e = ERR_ABSENT;
	buf_free(&prefix);
	if (!e)
		e = read_at(r, r->m.offset + r->m.prefix + r->at, want, &r->bytes);
	if (!e && behind.expected.len)
		fits = is_expected(r->fd, &behind, buf_str(&r->bytes), r->m.offset + r->m.prefix + r->at, 0);
	if (fits < 0)
		e = err_errno("read a mailbox");
	else if (!fits)
		e = ERR_ABSENT;
	return e;
}

static void read_work(struct job *job)
{
	struct read *r = container_of(job, struct read, job);

	r->e = r->path ? open_mbox(r) : OK;
	if (!r->e && r->goes_on)
		posix_fadvise(r->fd, (off_t)r->m.offset, AHEAD, POSIX_FADV_WILLNEED);
	if (!r->e)
		r->e = read_bytes(r);
}

static void read_free(struct read *r)
{
	mapped_unref(r->in);
	buf_free(&r->bytes);
	free(r->path);
	free(r);
}

static void read_end(struct read *r, enum err e)
{
	struct buf bytes = r->bytes;
	call_done *done = r->done;
	void *user = r->user;

	r->bytes = (struct buf){ 0 };
	call_steps_end(r->handle);
	read_free(r);
	done(user, e, e ? STR_NONE : buf_str(&bytes));
	buf_free(&bytes);
}

static void read_try(struct read *r);

static void not_there(void *user, enum err e, struct str answer)
{
	struct read *r = user;

	(void)e;
	(void)answer;
	r->waiting = NULL;
	read_end(r, ERR_ABSENT);
}

static void try_again(void *user, enum err e)
{
	struct read *r = user;

	(void)e;
	r->waiting = NULL;
	read_try(r);
}

/* The latest view says something else of a message than the file: that is read again, and the next one finds it so. */
static void tell_owner(const struct read *r)
{
	const struct shared *sh = r->s->sh;
	struct buf event = { 0 };

	log_warn("store", NULL, "a message is not where it was account=%s mailbox=\"%s\" uid=%u offset=%llu",
		sh->address, sh->name, r->uid, (unsigned long long)r->m.offset);
	pack_u64(&event, sh->id);
	event_send(sh->w, sh->owner, &store_calls[EVENT_REREAD], buf_str(&event));
	buf_free(&event);
}

static void read_done(struct job *job)
{
	struct read *r = container_of(job, struct read, job);
	bool opened = r->path && r->fd >= 0;

	if (opened && !r->e && r->in->mdir && r->in->fd >= 0) {
		close(r->in->fd);
		r->in->fd = -1;
	}
	if (opened && !r->e && r->in->fd < 0) {
		r->in->fd = r->fd;
		r->in->fd_uid = r->uid;
	} else if (opened)
		close(r->fd);
	if (!r->handle) {
		read_free(r);
		return;
	}
	if (r->e == ERR_ABSENT && ++r->tries < TRIES && r->s->sh->latest) {
		mapped_unref(r->in);
		r->in = NULL;
		r->waiting = ask_newer(r->s->sh, try_again, r);
		return;
	}
	if (r->e == ERR_ABSENT &&
		r->in == r->s->sh->latest) /* else it may well be gone, a file of an mdir with its message */
		tell_owner(r);
	read_end(r, r->e);
}

static void read_try(struct read *r)
{
	struct mapped *in;

	free(r->path);
	r->path = NULL;
	buf_clear(&r->bytes);
	if (!find(r->s, r->uid, &in, &r->m)) { /* not one of this session's, or gone */
		r->waiting = call_later(r->s->sh->w, not_there, r);
		return;
	}
	r->in = mapped_ref(in);
	r->fd = in->mdir ? -1 : in->fd;
	if (r->fd < 0)
		r->path = shared_mbox_path(r->s->sh, in, r->uid);
	r->goes_on = r->m.offset > in->cold_at && r->m.offset <= in->cold_at + 2 * AHEAD;
	in->cold_at = r->m.offset;
	r->job = (struct job){ .work = read_work, .done = read_done };
	lane_add(r->s->sh->w->files, &r->job);
}

static void dropped(void *user)
{
	struct read *r = user;

	r->handle = NULL;
	if (!r->waiting)
		return; /* the lane has it */
	call_cancel(r->waiting);
	read_free(r);
}

struct call *selected_read(
	struct selected *s, const struct message *m, uint32_t at, size_t len, call_done *done, void *user)
{
	struct read *r = mem_new(struct read);
	struct call *handle = call_steps(dropped, r);

	r->s = s;
	r->handle = handle;
	r->done = done;
	r->user = user;
	r->uid = m->uid;
	r->at = at;
	r->len = len;
	r->directory = s->sh->w->directory;
	read_try(r);
	return handle;
}
