/* path.c - see path.h. What is appended to out is cut off again when a name is refused. */
#include "storage/path.h"
#include "storage/mail/percent.h"
#include "storage/mail/utf8.h"

#define LEVEL_BYTES_MAX 200 /* of one level as written; a file system takes 255, and ".mbox.new" follows */
#define SUFFIX_MAX      16  /* bytes kept free behind a stem */

static bool is_plain(unsigned char c)
{
	return c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr(" -_+@,", c));
}

/* Characters that no name may hold: C0, DEL, and C1, which UTF-8 writes as C2 80 to C2 9F (RFC 5198, 2). */
static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c == 0x7f || (c == 0xc2 && i + 1 < s.len && (unsigned char)s.p[i + 1] < 0xa0))
			return true;
	}
	return false;
}

/* dots: a '.' that is not the first byte stays itself. */
static enum err add_level(struct buf *out, struct str level, bool dots)
{
	size_t before = buf_len(out);

	if (!level.len || level.len > LEVEL_BYTES_MAX || has_control(level) || !utf8_valid(level))
		return ERR_MISTAKE;
	for (size_t i = 0; i < level.len; i++) {
		char c = level.p[i];
		bool edge = i == 0 || i == level.len - 1;

		if ((is_plain((unsigned char)c) && !(edge && c == ' ')) || (dots && c == '.' && i > 0))
			buf_add_char(out, c);
		else
			percent_add(out, c);
	}
	if (buf_len(out) - before <= LEVEL_BYTES_MAX)
		return OK;
	buf_cut(out, before);
	return ERR_MISTAKE;
}

/* What add_level wrote, back. That nothing else is taken is shown by writing it again. */
static enum err read_level(struct buf *out, struct str file, bool dots)
{
	size_t before = buf_len(out);
	struct buf again = { 0 };
	struct str name;
	enum err e;

	if (file.len > LEVEL_BYTES_MAX)
		return ERR_MISTAKE;
	percent_decode(out, file);
	name = str_cut(buf_str(out), before, buf_len(out));
	e = add_level(&again, name, dots);
	if (!e && !str_eq(buf_str(&again), file))
		e = ERR_MISTAKE;
	if (e)
		buf_cut(out, before);
	buf_free(&again);
	return e;
}

enum err path_name_to_file(struct buf *out, struct str level)
{
	return add_level(out, level, false);
}

enum err path_file_to_name(struct buf *out, struct str file)
{
	return read_level(out, file, false);
}

enum err path_domain(struct buf *out, struct str domain)
{
	size_t before = buf_len(out);
	enum err e;

	buf_add_str(out, STR("domains/"));
	e = add_level(out, domain, true);
	if (e)
		buf_cut(out, before);
	return e;
}

enum err path_file_to_domain(struct buf *out, struct str file)
{
	return read_level(out, file, true);
}

enum err path_account(struct buf *out, struct str address)
{
	size_t before = buf_len(out);
	ptrdiff_t at = str_rfind(address, '@');
	enum err e;

	if (at < 0)
		return ERR_MISTAKE;
	e = path_domain(out, str_cut(address, (size_t)at + 1, address.len));
	if (e)
		return e;
	buf_add_char(out, '/');
	e = add_level(out, str_cut(address, 0, (size_t)at), false);
	if (e)
		buf_cut(out, before);
	return e;
}

/* Appends the levels of a mailbox name, each with a '/' before it. */
static enum err add_levels(struct buf *out, struct str mailbox)
{
	struct str left = mailbox_name_is_inbox(mailbox) ? STR("INBOX") : mailbox;

	if (mailbox.len > MAILBOX_NAME_MAX)
		return ERR_MISTAKE;
	for (unsigned depth = 1; depth <= MAILBOX_DEPTH_MAX; depth++) {
		ptrdiff_t slash = str_find(left, '/');
		enum err e;

		buf_add_char(out, '/');
		e = add_level(out, slash < 0 ? left : str_cut(left, 0, (size_t)slash), false);
		if (e || slash < 0)
			return e;
		left = str_cut(left, (size_t)slash + 1, left.len);
	}
	return ERR_MISTAKE;
}

enum err path_mailbox(struct buf *out, struct str address, struct str mailbox)
{
	size_t before = buf_len(out);
	enum err e = path_account(out, address);

	if (!e)
		e = add_levels(out, mailbox);
	if (!e && buf_len(out) - before > PATH_BYTES_MAX - SUFFIX_MAX)
		e = ERR_MISTAKE;
	if (e)
		buf_cut(out, before);
	return e;
}

enum err mailbox_name_check(struct str mailbox)
{
	struct buf written = { 0 };
	enum err e = add_levels(&written, mailbox);

	buf_free(&written);
	return e;
}

bool mailbox_name_is_inbox(struct str mailbox)
{
	return str_eq_nocase(mailbox, STR("INBOX"));
}

unsigned shard_of(struct str address, unsigned shards)
{
	return (unsigned)(str_hash(address) % shards);
}

enum err stem_to_name(struct buf *name, struct str stem)
{
	ptrdiff_t slash;

	for (;;) {
		slash = str_find(stem, '/');
		if (path_file_to_name(name, str_cut(stem, 0, slash < 0 ? stem.len : (size_t)slash)))
			return ERR_MISTAKE;
		if (slash < 0)
			return mailbox_name_check(buf_str(name));
		buf_add_char(name, '/');
		stem = str_cut(stem, (size_t)slash + 1, stem.len);
	}
}
