/* restore_mailbox.c - a mailbox of a backup, copied beside where it is to be and made ready. See restore_parts.h.
 * Its files are copied as long as they were, then read: that tells the UIDs it gave. Then its state file begins anew,
 * with its id, or a fresh one, and the same lines behind it; the last says from where UIDs go on. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/backup/restore_parts.h"
#include "storage/journal/copied.h"
#include "storage/mailbox/mbox_quote.h"
#include "storage/path.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const suffixes[FILE_KINDS] = { ".mbox", MDIR_SUFFIX, ".state" };
static const char *const raw[FILE_KINDS] = { ".mbox", MDIR_SUFFIX, ".state.old" };

#define PIECE      (64u << 10)
#define STEP_BYTES (8u << 20) /* of an mdir's messages in one slice */

static const char *path_with(struct buf *b, const char *folder, const char *stem, const char *suffix)
{
	buf_clear(b);
	buf_printf(b, "%s%s%s%s", folder, *folder ? "/" : "", stem, suffix);
	buf_add_char(b, '\0');
	return buf_data(b);
}

void staged_free(struct staged *s)
{
	file_copy_end(&s->copy);
	mailbox_scan_free(&s->scan);
	buf_free(&s->files);
	free(s->path);
	free(s->stem);
}

void amiss_add(struct buf *amiss, const char *file, const char *what)
{
	static const char more[] = "; and others";

	if (buf_len(amiss) > AMISS_MAX &&
		str_eq(str_cut(buf_str(amiss), buf_len(amiss) - (sizeof(more) - 1), buf_len(amiss)),
			STR("; and others")))
		return;
	if (buf_len(amiss) > AMISS_MAX)
		buf_printf(amiss, "%s", more);
	else
		buf_printf(amiss, "%sthe backup's %s %s", buf_len(amiss) ? "; " : "", file, what);
}

/* It is copied: is it what it was? */
static enum err copy_check(const struct staged *s, int kind, int store, const char *to, struct buf *amiss)
{
	struct buf path = { 0 }, name = { 0 };
	uint64_t cut = 0;
	enum err e = OK;

	path_with(&name, "", s->stem, suffixes[kind]);
	if (s->copy.at < s->lengths[kind])
		amiss_add(amiss, buf_data(&name), "is shorter than it was");
	if (kind == FILE_MBOX && !(e = copied_tail_mend(store, path_with(&path, to, s->stem, raw[kind]), &cut)) && cut)
		amiss_add(amiss, buf_data(&name), "ends in a message that is not whole, which is left out");
	buf_free(&path);
	buf_free(&name);
	return e;
}

/* A file of it, a piece at a time; `next` follows. */
static enum err copy_step(
	struct staged *s, int kind, int from, int store, const char *to, struct buf *amiss, struct buf *why)
{
	struct buf path = { 0 };
	bool done = !s->has[kind];
	enum err e = OK;
	int fd;

	if (!done && !s->copy.path) {
		fd = openat(from, path_with(&path, "", s->stem, suffixes[kind]), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT) {
			amiss_add(amiss, buf_data(&path), "is missing");
			s->has[kind] = false;
			done = true;
		} else if (fd < 0) {
			e = backup_failed(why, "open", buf_data(&path));
		} else {
			path_with(&path, to, s->stem, raw[kind]);
			e = parents_make(store, buf_data(&path), why);
			if (!e)
				e = file_copy_begin(&s->copy, fd, store, buf_data(&path), s->lengths[kind], why);
			else
				close(fd);
		}
	}
	if (!e && !done)
		e = file_copy_step(&s->copy, &done, why);
	if (!e && done && s->copy.path)
		e = copy_check(s, kind, store, to, amiss);
	if (done || e)
		file_copy_end(&s->copy);
	if (!e && done)
		s->stage++;
	buf_free(&path);
	return e;
}

/* A message of an mdir. One that is not whole is left out. */
static enum err message_step(
	struct staged *s, int from, int to, const char *path, uint64_t *length, struct buf *amiss, struct buf *why)
{
	uint64_t was = *length;
	enum err e = parents_make(to, path, why);

	if (!e)
		e = file_small(from, to, path, false, length, why);
	if (e == ERR_ABSENT) {
		*length = 0;
		amiss_add(amiss, path, "is missing");
		return OK;
	}
	if (!e && *length < was) {
		amiss_add(amiss, path, "is shorter than it was, and left out");
		if (unlinkat(to, path, 0) < 0)
			e = backup_failed(why, "unlink", path);
	}
	s->has[FILE_MDIR] |= !e;
	return e;
}

/* Some of an mdir's messages. */
static enum err mdir_step(struct staged *s, int from, int store, const char *to, struct buf *amiss, struct buf *why)
{
	struct str left = buf_str(&s->files), name;
	struct buf path = { 0 };
	uint64_t length, done = 0;
	enum err e = OK;
	int fd = openat(store, to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return backup_failed(why, "open", to);
	while (!e && done < STEP_BYTES && files_next(&left, &length, &name)) {
		buf_clear(&path);
		buf_add_str(&path, name);
		buf_add_char(&path, '\0');
		e = message_step(s, from, fd, buf_data(&path), &length, amiss, why);
		done += length;
	}
	close(fd);
	buf_free(&path);
	buf_take(&s->files, buf_len(&s->files) - left.len);
	if (!e && !buf_len(&s->files))
		s->stage++;
	return e;
}

/* The scan wants the two files under their own names. */
static enum err scan_step(struct staged *s, int store, const char *to, struct buf *why)
{
	struct buf path = { 0 }, other = { 0 };
	bool done = false;
	enum err e = OK;

	if (!s->path) {
		s->path = str_dup(str_of(path_with(&path, to, s->stem, "")));
		if (s->has[FILE_STATE] && renameat(store, path_with(&path, to, s->stem, raw[FILE_STATE]), store,
						  path_with(&other, to, s->stem, suffixes[FILE_STATE])))
			e = backup_failed(why, "rename", s->path);
		s->scan = (struct mailbox_scan){
			.directory = store, .stem = s->path, .mbox_max = UINT64_MAX, .state_max = UINT64_MAX
		};
	}
	if (!e && (e = mailbox_scan_step(&s->scan, &done)) == ERR_NEVER && !s->fresh) {
		log_warn("backup", NULL, "comes back as it is, for it cannot be read mailbox=%s", s->stem);
		s->stage = STAGE_DONE;
		e = OK;
	} else if (e) {
		buf_clear(why);
		buf_printf(why, "the backup's %s cannot be read: %s", s->stem, err_text(e));
	}
	if (!e && done) {
		s->messages = s->scan.r.messages;
		s->bytes = s->scan.r.bytes;
		s->stage++;
	}
	buf_free(&path);
	buf_free(&other);
	return e;
}

/* All of the old state file but its head. */
static enum err lines_copy(int fd, struct buf *out)
{
	struct buf old = { 0 };
	ptrdiff_t lf;
	ssize_t n = 1;

	while (fd >= 0 && n > 0) {
		n = read(fd, buf_room(&old, PIECE), PIECE);
		buf_added(&old, n > 0 ? (size_t)n : 0);
	}
	lf = str_find(buf_str(&old), '\n');
	if (str_starts(buf_str(&old), STR("postern-state ")) && lf >= 0)
		buf_take(&old, (size_t)lf + 1);
	lf = str_rfind(buf_str(&old), '\n'); /* a line that is cut off is no line */
	buf_add_str(out, str_cut(buf_str(&old), 0, lf < 0 ? 0 : (size_t)lf + 1));
	buf_free(&old);
	return n < 0 ? err_errno("read a state file") : OK;
}

/* UIDs are skipped, since some were given after the backup: one for each second too, so that what is brought back from the
 * same backup again and again does not give the same ones each time. */
static uint32_t uidnext_after(const struct state_head *h)
{
	int64_t since_s = (int64_t)time(NULL) - (int64_t)(h->clock >> 16);
	uint64_t next = h->uidnext + (uint64_t)UIDS_SKIPPED + (uint64_t)(since_s > 0 ? since_s : 0);

	return next < UINT32_MAX ? (uint32_t)next : UINT32_MAX;
}

static enum err head_step(struct staged *s, int store, struct buf *why)
{
	struct state_head *h = &s->scan.r.head, head;
	struct buf text = { 0 }, path = { 0 }, made = { 0 }, number = { 0 };
	const char *state = path_with(&path, "", s->path, suffixes[FILE_STATE]);
	int fd = openat(store, state, O_RDONLY | O_CLOEXEC), new;
	enum err e = OK;

	while (s->fresh || !h->id) {
		if (getrandom(&h->id, sizeof(h->id), 0) != sizeof(h->id))
			h->id = 0;
		s->fresh = s->fresh && !h->id;
	}
	if (!h->uidvalidity)
		h->uidvalidity = (uint32_t)time(NULL);
	s->id = h->id;
	s->uidvalidity = h->uidvalidity;
	s->uidnext = uidnext_after(h);
	head = *h;
	head.uidnext = s->scan.uidnext;
	state_print_head(&text, &head);
	e = lines_copy(fd, &text);
	buf_printf(&number, "%u", s->uidnext);
	state_print_set(&text, STR("uidnext"), buf_str(&number), h->clock + 1);
	s->state_end = buf_len(&text);
	path_with(&made, "", s->path, ".state.new");
	new = openat(store, buf_data(&made), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (!e && (new < 0 || write(new, buf_data(&text), buf_len(&text)) != (ssize_t)buf_len(&text) ||
			  fsync(new) < 0 || renameat(store, buf_data(&made), store, state) < 0))
		e = backup_failed(why, "write", state);
	if (fd >= 0)
		close(fd);
	if (new >= 0)
		close(new);
	s->has[FILE_STATE] = true;
	s->stage = STAGE_DONE;
	buf_free(&text);
	buf_free(&path);
	buf_free(&made);
	buf_free(&number);
	return e;
}

enum err staged_step(struct staged *s, int from, int store, const char *to, struct buf *amiss, struct buf *why)
{
	switch (s->stage) {
	case STAGE_MBOX:
		return copy_step(s, FILE_MBOX, from, store, to, amiss, why);
	case STAGE_MDIR:
		return mdir_step(s, from, store, to, amiss, why);
	case STAGE_STATE:
		return copy_step(s, FILE_STATE, from, store, to, amiss, why);
	case STAGE_SCAN:
		return scan_step(s, store, to, why);
	case STAGE_HEAD:
		return head_step(s, store, why);
	default:
		return OK;
	}
}

/* --- a message --------------------------------------------------------------------------------------------------------- */

enum err message_pick(const struct staged *s, int from, uint32_t uid, struct picked *p, struct buf *why)
{
	struct mailbox_scan scan = { .directory = from,
		.stem = s->stem,
		.mbox_max = s->lengths[FILE_MBOX],
		.state_max = s->lengths[FILE_STATE] };
	enum err e = mailbox_scan_files(&scan);
	uint64_t end = 0;

	if (!e)
		e = ERR_ABSENT;
	for (size_t i = 0; e == ERR_ABSENT && i < scan.count; i++)
		if (scan.messages[i].uid == uid && !(scan.messages[i].flags & FLAG_EXPUNGED)) {
			p->message = scan.messages[i];
			p->words = scan.r.keywords;
			e = OK;
		}
	if (!e && !(p->mdir = scan.r.head.mdir))
		e = copied_whole_end(from, scan.stem, s->lengths[FILE_MBOX], &end);
	if (!e && !p->mdir && p->message.offset >= end)
		e = ERR_NEVER;
	if (e) {
		buf_clear(why);
		buf_printf(why,
			e == ERR_ABSENT
				? "the backup has no message of UID %u there"
				: "the backup's mailbox with UID %u cannot be read, or the message is not whole",
			uid);
	}
	mailbox_scan_free(&scan);
	return e;
}

/* Whether it is another program's, so that its text is quoted. */
static bool is_others(int fd, const struct message *m)
{
	struct buf prefix = { 0 };
	bool is = false;

	if (m->prefix <= MBOX_PREFIX_MAX &&
		pread(fd, buf_room(&prefix, m->prefix), m->prefix, (off_t)m->offset) == (ssize_t)m->prefix) {
		buf_added(&prefix, m->prefix);
		is = !mbox_prefix_is_ours(buf_str(&prefix));
	}
	buf_free(&prefix);
	return is;
}

static bool write_out(int to, struct buf *out)
{
	bool good = write(to, buf_data(out), buf_len(out)) == (ssize_t)buf_len(out);

	buf_clear(out);
	return good;
}

/* From fd to `to`. False: errno says why, or the text is not all there. */
static bool text_copy(int fd, int to, struct message *m)
{
	uint64_t at = m->offset + m->prefix, left = m->stored, header = m->header;
	bool others = is_others(fd, m), good = true;
	struct mbox_quoting quoting = { 0 };
	struct buf out = { 0 }, in = { 0 };
	ssize_t n = 1;

	while (good && left && n > 0) {
		uint64_t most = header ? header : left;

		n = pread(fd, buf_room(&in, PIECE), most < PIECE ? (size_t)most : PIECE, (off_t)at);
		if (n <= 0)
			break;
		buf_added(&in, (size_t)n);
		if (others && !header)
			mbox_quote(&quoting, buf_str(&in), &out);
		else
			buf_add_str(&out, buf_str(&in));
		buf_clear(&in);
		good = write_out(to, &out);
		at += (uint64_t)n;
		left -= (uint64_t)n;
		header -= header ? (uint64_t)n : 0;
	}
	if (others)
		mbox_quote_end(&quoting, &out);
	if (!n && left == 1) { /* a foreign mbox may lack its last line end */
		buf_add_char(&out, '\n');
		left = 0;
	}
	good = good && n >= 0 && !left && write_out(to, &out) && quoting.added <= UINT32_MAX - m->stored;
	m->stored += good ? (uint32_t)quoting.added : 0;
	buf_free(&in);
	buf_free(&out);
	return good;
}

enum err message_copy(const struct staged *s, int from, struct picked *p, int store, const char *path, struct buf *why)
{
	struct buf source = { 0 };
	int fd = p->mdir ? mdir_open(from, s->stem, p->message.uid)
	                 : openat(from, path_with(&source, "", s->stem, ".mbox"), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int to = openat(store, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool good = fd >= 0 && to >= 0 && text_copy(fd, to, &p->message) && !fsync(to);

	if (fd >= 0)
		close(fd);
	if (to >= 0)
		close(to);
	buf_free(&source);
	return good ? OK : backup_failed(why, "copy a message to", path);
}
