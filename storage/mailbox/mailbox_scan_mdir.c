/* mailbox_scan_mdir.c - what the files of an mdir say. See mailbox_scan.c.
 * A file's name is the message's UID. What was known of a message holds if its file has the length that it had; all
 * others are read. Files of other names are a message that somebody put there: they are given a UID, and its name. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE      (256u << 10)
#define STEP_BYTES (16u << 20) /* read in one go */
#define STEP_FILES 2000        /* looked at in one go */

/* --- one file -------------------------------------------------------------------------------------------------------- */

struct file_read {
	struct mailbox_scan *s;
	struct mbox_base base;
	struct message m;
	unsigned messages;
};

static void on_base(void *user, const struct mbox_base *base, struct keywords *k)
{
	struct file_read *f = user;

	(void)k;
	f->base = *base;
}

static void on_message(void *user, const struct message *m)
{
	struct file_read *f = user;

	f->m = *m;
	f->messages++;
}

/* The message in an open file, which is to have that UID. ERR_ABSENT: it holds no message, or more than one. */
static enum err file_read(struct mailbox_scan *s, int fd, uint32_t uid, struct file_read *f)
{
	static const struct mbox_scan_events events = { .on_base = on_base, .on_message = on_message, .any_uid = true };
	struct mbox_scan *reader;
	struct mbox_bare bare;
	char *piece = mem_resize(NULL, PIECE);
	enum err e = OK;
	uint64_t at = 0;
	ssize_t n = 1;

	*f = (struct file_read){ .s = s };
	reader = mbox_scan_new(0, &s->r.keywords, &events, f);
	while (!e && n > 0) {
		n = pread(fd, piece, PIECE, (off_t)at);
		if (n < 0)
			e = err_errno("read %s" MDIR_SUFFIX "/%u", s->stem, uid);
		else
			e = mbox_scan_feed(reader, (struct str){ piece, (size_t)n });
		at += n > 0 ? (uint64_t)n : 0;
	}
	s->at += at;
	if (!e)
		e = mbox_scan_end(reader);
	if (e == ERR_NEVER || (!e && (f->messages != 1 || f->m.offset)))
		e = ERR_ABSENT;
	if (!e && f->m.uid != uid) {
		mbox_scan_bare(reader, &bare);
		mbox_message_bare(&f->m, &bare);
		f->m.uid = uid;
	}
	mbox_scan_free(reader);
	free(piece);
	return e;
}

static void base_take(struct mailbox_scan *s, const struct mbox_base *base)
{
	struct state_head *h = &s->r.head;

	if (!base->id)
		return;
	s->has_base = true;
	s->newer |= base->version > MBOX_VERSION;
	if (!s->has_head) {
		h->id = base->id;
		h->uidvalidity = base->uidvalidity;
	}
	if (!s->has_head && h->generation < base->generation)
		h->generation = base->generation;
}

static void message_take(struct mailbox_scan *s, struct message *m)
{
	mailbox_scan_add(s, m);
	if (s->r.head.uidnext <= m->uid)
		s->r.head.uidnext = m->uid + 1;
}

/* It keeps its number, for somebody to look at. */
static enum err set_aside(struct mailbox_scan *s, uint32_t uid)
{
	struct buf from = { 0 }, to = { 0 };
	enum err e = OK;

	mdir_path(&from, s->stem, uid);
	buf_printf(&to, "%s.damaged", buf_data(&from));
	buf_add_char(&to, '\0');
	if (renameat2(s->directory, buf_data(&from), s->directory, buf_data(&to), RENAME_NOREPLACE) < 0)
		e = err_errno("set aside %s", buf_data(&from));
	else
		s->r.mbox_end--;
	if (s->r.head.uidnext <= uid)
		s->r.head.uidnext = uid + 1;
	buf_free(&from);
	buf_free(&to);
	return e;
}

/* A file that is not as it was is read. */
static enum err file_look(struct mailbox_scan *s, uint32_t uid)
{
	const struct message *known = s->known ? mailbox_known_message(s->known, uid) : NULL;
	int fd = mdir_open(s->directory, s->stem, uid);
	struct file_read f;
	struct stat st;
	enum err e;

	if (fd < 0 && errno == ENOENT)
		return OK; /* it went meanwhile */
	if (fd < 0 || fstat(fd, &st) < 0) {
		e = err_errno("open %s" MDIR_SUFFIX "/%u", s->stem, uid);
		if (fd >= 0)
			close(fd);
		return e;
	}
	if (known && (uint64_t)st.st_size == known->prefix + (uint64_t)known->stored + sizeof(MBOX_TAIL) - 1) {
		f.m = *known;
		message_take(s, &f.m);
		e = OK;
	} else {
		e = S_ISREG(st.st_mode) ? file_read(s, fd, uid, &f) : ERR_ABSENT;
		if (!e)
			base_take(s, &f.base);
		if (!e) {
			s->news += s->known != NULL;
			message_take(s, &f.m);
		}
	}
	close(fd);
	if (e == ERR_ABSENT) {
		mailbox_scan_amiss(s, SCAN_FILE, uid, 0);
		e = s->adopts ? set_aside(s, uid) : OK;
	}
	return e;
}

/* --- the directory --------------------------------------------------------------------------------------------------- */

enum err mdir_scan_begin(struct mailbox_scan *s)
{
	enum err e = mdir_list_read(s->directory, s->stem, &s->files);

	if (e == ERR_ABSENT && s->state >= 0)
		e = OK; /* it never had a message, or somebody removed them all */
	while (!e && s->uid_end && s->files.count && s->files.uids[s->files.count - 1] >= s->uid_end)
		s->files.count--;
	s->r.mbox_end = s->files.count;
	return e;
}

enum err mdir_scan_read(struct mailbox_scan *s)
{
	uint64_t begun = s->at;
	enum err e = OK;

	for (unsigned files = 0; !e && s->next_file < s->files.count && files < STEP_FILES; files++) {
		if (s->at - begun >= STEP_BYTES)
			break;
		e = file_look(s, s->files.uids[s->next_file++]);
	}
	if (!e && s->newer) {
		mailbox_scan_amiss(s, SCAN_NEWER_MBOX, 0, 0);
		e = ERR_NEVER;
	}
	return e;
}

/* The message of that file gets a UID, and the file its name. */
static enum err file_name(struct mailbox_scan *s, const char *from, struct message *m)
{
	struct buf to = { 0 };
	enum err e = OK;

	mdir_path(&to, s->stem, m->uid);
	if (renameat2(s->directory, from, s->directory, buf_data(&to), RENAME_NOREPLACE) < 0) {
		e = err_errno("rename %s", from);
	} else {
		log_info("store", NULL, "a file was put into a mailbox account=%s mailbox=\"%s\" file=%s uid=%u",
			s->account ? s->account : "-", s->mailbox ? s->mailbox : "-", from, m->uid);
		m->clock = s->r.head.clock + 1;
		s->r.head.clock = m->clock;
		message_take(s, m);
		s->r.mbox_end++;
		s->news++;
	}
	buf_free(&to);
	return e;
}

/* What was given to a message of which the files do not tell yet, or never will, is not given again. */
static uint32_t next_uid(const struct mailbox_scan *s)
{
	uint32_t next = s->r.head.uidnext;

	return s->known && s->known->uidnext > next ? s->known->uidnext : next;
}

/* Somebody put a message there. ERR_ABSENT: it is none and stays where it is; so does one that may not be whole yet. */
static enum err file_adopt(struct mailbox_scan *s, const char *name)
{
	struct buf path = { 0 };
	struct file_read f;
	enum err e = ERR_ABSENT;
	struct stat st;
	bool settled = true;
	int fd;

	buf_printf(&path, "%s" MDIR_SUFFIX "/%s", s->stem, name);
	buf_add_char(&path, '\0');
	fd = openat(s->directory, buf_data(&path), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode)) {
		settled = mdir_is_settled(&st);
		e = settled ? file_read(s, fd, next_uid(s), &f) : OK;
	}
	if (fd >= 0)
		close(fd);
	if (!e && settled)
		e = file_name(s, buf_data(&path), &f.m);
	buf_free(&path);
	return e;
}

enum err mdir_scan_end(struct mailbox_scan *s)
{
	struct str left = buf_str(&s->files.others);

	s->uidnext = s->r.head.uidnext;
	while (left.len) {
		const char *name = left.p;

		left = str_cut(left, strlen(name) + 1, left.len);
		if (next_uid(s) >= UINT32_MAX - 1 || !s->adopts || file_adopt(s, name))
			mailbox_scan_amiss(s, SCAN_OTHER, 0, 0);
	}
	for (size_t i = 0, at = 0; s->known && i < s->known->count; i++) {
		while (at < s->count && s->messages[at].uid < s->known->messages[i].uid)
			at++;
		s->gone += at == s->count || s->messages[at].uid != s->known->messages[i].uid;
	}
	return OK;
}
