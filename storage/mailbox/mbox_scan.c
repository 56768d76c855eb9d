/* mbox_scan.c - reading an mbox: see mbox.h.
 * The file is taken line by line, in place; only a line that is cut by the end of a piece has its beginning copied. Of
 * the text of a body no more is looked at than the first byte of each line. A message ends when the next begins, so
 * what was counted of it is told then, less the empty line between the two.
 * The fields that end up in a message's prefix are those right behind its postmark, up to and with X-Postern if it is
 * among them: what comes behind that is the message, however much it looks like one of them. If an X-UID among them
 * is not the message's UID, for it was copied from another mailbox, the postmark alone is the prefix: mbox_is_message
 * holds for whatever UID the message is given. */
#include "core/mem.h"
#include "storage/mail/print.h"
#include "storage/mailbox/mbox.h"
#include <stdlib.h>

#define LINE_LOOK_MAX  16384 /* bytes of a line that are looked at; our longest, of 64 keywords, has 6,500 */
#define INNER_LOOK_MAX 32768 /* bytes behind a postmark in which our X-Postern is looked for: two such lines and more */

struct mbox_scan {
	struct keywords *k;
	const struct mbox_scan_events *ev;
	void *user;
	enum err failed;

	uint64_t at;       /* where the line begins that is being read */
	uint64_t cut;      /* bytes of it that came in earlier pieces */
	struct buf head;   /* the first of these, a run of '>' at their start as one */
	bool ends_in_cr;   /* what came of it last */
	unsigned blank;    /* bytes of the line before if it is empty; 1: there is none */
	bool in_message;   /* false before the first postmark */
	bool in_header;    /* of the message; its prefix is a part of that */
	bool in_prefix;    /* all lines since the postmark are of the prefix */
	bool folder;       /* it is no message, but UW programs' place for the base */
	bool may_be_first; /* the message is the first of the file, whose base counts */
	bool has_base;

	enum form_field field; /* of the line before, for one that is folded to it */
	struct mbox_base base;
	struct message m; /* what is known of the message: offset, date, and what the fields say */
	uint64_t postmark_end;
	uint64_t message_at; /* behind its prefix */
	uint64_t header_end;
	uint64_t length; /* its Content-Length; 0: none */
	enum { UNKNOWN, RIGHT, WRONG } length_is;
	uint64_t lines, quotes; /* behind the prefix: what tells the size on the wire */
	uint64_t prefix_lines;  /* behind the postmark */
	bool own_uid;           /* the message's X-UID is in the prefix */
	bool other_uid;         /* there is one in the prefix that is not the message's */
	uint32_t last_uid;
	struct print print;
	bool strays;    /* fields of the mailbox stand behind the prefix */
	bool ours;      /* it has our X-Postern: all of its text that needs it is quoted */
	bool was_ours;  /* it has one anywhere in its header: another program may have put a field before it */
	uint64_t maybe; /* bytes of the line before if it may be a postmark, though no empty line is before it */
	bool maybe_crlf;
	int64_t maybe_date;
	struct buf inner; /* a postmark within a Content-Length, and its header so far; empty: there is none */
	uint64_t inner_lines, inner_quotes; /* as they were before it */
	unsigned inner_blank;
	uint64_t hole;        /* bytes of NUL at the start of the line that is being read */
	uint64_t passed_over; /* bytes that are of no message */
	uint64_t passed_at;   /* where the first of them are */
};

struct mbox_scan *mbox_scan_new(uint64_t offset, struct keywords *k, const struct mbox_scan_events *ev, void *user)
{
	struct mbox_scan *s = mem_new(struct mbox_scan);

	s->k = k;
	s->ev = ev;
	s->user = user;
	s->at = offset;
	s->blank = 1;
	s->may_be_first = offset == 0;
	return s;
}

void mbox_scan_free(struct mbox_scan *s)
{
	if (!s)
		return;
	buf_free(&s->head);
	buf_free(&s->inner);
	free(s);
}

static uint64_t read_keywords(struct keywords *k, struct str value)
{
	uint64_t bits = 0;
	struct str word;

	while ((word = str_word(&value)).len) {
		int bit = keywords_bit(k, word);

		if (bit >= 0)
			bits |= UINT64_C(1) << bit;
	}
	return bits;
}

static uint32_t read_status(struct str value)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < value.len; i++)
		switch (value.p[i]) {
		case 'R':
			flags |= FLAG_SEEN;
			break;
		case 'A':
			flags |= FLAG_ANSWERED;
			break;
		case 'F':
			flags |= FLAG_FLAGGED;
			break;
		case 'D':
			flags |= FLAG_DELETED;
			break;
		case 'T':
			flags |= FLAG_DRAFT;
			break;
		}
	return flags;
}

/* "1795412443 0000000007 $Forwarded work"; what is folded to it has more keywords. */
static void read_base(struct mbox_scan *s, struct str value, bool folded)
{
	struct str validity, last;

	if (!s->may_be_first)
		return;
	if (!folded) {
		validity = str_word(&value);
		last = str_word(&value);
		if (!str_u32(validity, &s->base.uidvalidity) || !str_u32(last, &s->base.last_uid))
			return;
		s->has_base = true;
	}
	if (s->has_base)
		read_keywords(s->k, value);
}

static void read_postern(struct mbox_scan *s, struct str value)
{
	struct str word;

	while ((word = str_word(&value)).len) {
		if (str_starts(word, STR("clock=")))
			str_hex(str_cut(word, 6, word.len), &s->m.clock);
		else if (str_starts(word, STR("id=")))
			str_hex(str_cut(word, 3, word.len), &s->base.id);
		else if (str_starts(word, STR("generation=")))
			str_u32(str_cut(word, 11, word.len), &s->base.generation);
		else if (str_starts(word, STR("version=")))
			str_u32(str_cut(word, 8, word.len), &s->base.version);
	}
}

static void read_field(struct mbox_scan *s, enum form_field field, struct str value, bool folded)
{
	uint32_t uid;

	switch (field) {
	case FORM_UID:
		if (!s->m.uid && str_u32(value, &uid) && uid > (s->ev->any_uid ? 0 : s->last_uid)) {
			s->m.uid = uid;
			s->own_uid = s->in_prefix;
		} else {
			s->other_uid |= s->in_prefix;
		}
		break;
	case FORM_STATUS:
	case FORM_XSTATUS:
		s->m.flags |= read_status(value);
		break;
	case FORM_KEYWORDS:
		s->m.keywords |= read_keywords(s->k, value);
		break;
	case FORM_BASE:
	case FORM_FOLDER:
		s->folder |= s->may_be_first && field == FORM_FOLDER;
		read_base(s, value, folded);
		break;
	case FORM_POSTERN:
		s->ours |= s->in_prefix;
		s->was_ours = true;
		read_postern(s, value);
		break;
	default:
		break;
	}
}

static void read_length(struct mbox_scan *s, struct str line)
{
	struct str name = STR("Content-Length:");
	uint64_t length;

	if (str_starts_nocase(line, name) && str_u64(str_trim(str_cut(line, name.len, line.len)), &length))
		s->length = length;
}

/* Bytes of a line that is empty, 0: it is not. */
static unsigned blank_line(struct str line)
{
	return line.p[0] == '\n' ? 1 : str_eq(line, STR("\r\n")) ? 2 : 0;
}

/* A line of the header of `len` bytes; line has the first of them. True: it is one of the prefix. `ends`: whether it
 * ends in an LF alone, which is two bytes on the wire. */
static bool header_line(struct mbox_scan *s, struct str line, uint64_t len, bool torn, bool ends)
{
	struct str value;
	enum form_field field;
	bool folded = line.p[0] == ' ' || line.p[0] == '\t';

	if (blank_line(line)) {
		s->in_header = s->in_prefix = false;
		s->header_end = s->at + len;
		return false;
	}
	field = folded ? s->field : form_field_of(line, true, &value);
	print_line(&s->print, line);
	if (field == FORM_OTHER && !folded)
		read_length(s, line);
	if (field != FORM_OTHER)
		read_field(s, field, folded ? str_trim(line) : value, folded);
	s->in_prefix = s->in_prefix && !torn && field != FORM_OTHER && s->at + len - s->m.offset <= MBOX_PREFIX_MAX;
	if (!s->in_prefix) {
		s->strays |= field != FORM_OTHER;
		s->field = field;
		return false;
	}
	s->message_at = s->at + len;
	s->prefix_lines += ends;
	s->in_prefix = field != FORM_POSTERN;
	s->field = field == FORM_POSTERN ? FORM_OTHER : field;
	return true;
}

/* Tells the message that ends at s->at. */
static void finish(struct mbox_scan *s)
{
	uint64_t end = s->at - s->blank; /* the empty line is no part of the message */
	uint64_t stored, wire, header;

	if (s->other_uid) {
		s->message_at = s->postmark_end;
		s->lines += s->prefix_lines;
	}
	stored = end - s->message_at;
	wire = stored + s->lines - (s->blank == 1) - s->quotes;
	header = (s->in_header || s->header_end > end ? end : s->header_end) - s->message_at;
	if (stored > UINT32_MAX || wire > UINT32_MAX) {
		s->failed = ERR_NEVER;
		return;
	}
	s->m.prefix = (uint32_t)(s->message_at - s->m.offset);
	s->m.stored = (uint32_t)stored;
	s->m.wire = (uint32_t)wire;
	s->m.header = (uint32_t)header;
	s->m.written = s->m.flags;
	s->m.print = print_end(&s->print);
	if (s->m.uid)
		s->last_uid = s->m.uid;
	if (s->folder)
		s->base.folder = s->m.offset + s->m.prefix + stored + (s->blank ? s->blank : 1);
	if (s->has_base && s->may_be_first)
		s->ev->on_base(s->user, &s->base, s->k);
	if (!s->folder)
		s->ev->on_message(s->user, &s->m);
	s->may_be_first = s->folder = false;
}

static void begin(struct mbox_scan *s, uint64_t len, int64_t date)
{
	s->m = (struct message){ .offset = s->at, .date = date };
	s->message_at = s->postmark_end = s->at + len;
	s->in_message = s->in_header = s->in_prefix = true;
	s->field = FORM_OTHER;
	s->lines = s->quotes = s->prefix_lines = s->length = 0;
	s->length_is = UNKNOWN;
	s->own_uid = s->other_uid = s->strays = s->ours = s->was_ours = false;
	s->print = (struct print){ 0 };
	s->blank = 0;
	s->at += len;
}

/* Whether a line is one that mboxrd quotes: decoding takes a '>' of it away. */
static bool is_quoted(struct str line)
{
	size_t run = 0;

	while (run < line.len && line.p[run] == '>')
		run++;
	return run && str_starts(str_cut(line, run, line.len), STR("From "));
}

/* Where the message ends by its Content-Length; 0: it does not say so, or is not believed. */
static uint64_t content_end(const struct mbox_scan *s)
{
	uint64_t end = s->header_end + s->length;
	bool says = s->in_message && !s->in_header && !s->was_ours && s->length && s->ev->may_end;

	return says && end > s->length ? end : 0;
}

/* Whether the line that begins now is within that. */
static bool is_content(struct mbox_scan *s)
{
	uint64_t end = content_end(s);

	if (s->at >= end)
		return false;
	if (s->length_is == UNKNOWN)
		s->length_is = s->ev->may_end(s->user, end) ? RIGHT : WRONG;
	return s->length_is == RIGHT;
}

bool mbox_may_end(struct str bytes, bool all)
{
	struct str line, sender;
	ptrdiff_t lf;
	int64_t date;

	if (!bytes.len || bytes.p[0] != '\n')
		return false;
	for (unsigned tries = 0; tries < 2; tries++) { /* there, or behind an empty line */
		bytes = str_cut(bytes, tries && bytes.p[0] == '\r' ? 2 : 1, bytes.len);
		if (!bytes.len)
			return all;
		lf = str_find(bytes, '\n');
		line = str_cut(bytes, 0, lf < 0 ? 0 : (size_t)lf);
		if (lf > 0 && mbox_postmark(line, &sender, &date))
			return true;
		if (lf < 0 || lf > 1 || (lf == 1 && bytes.p[0] != '\r'))
			return false;
	}
	return false;
}

static void pass_over(struct mbox_scan *s, uint64_t bytes)
{
	if (!s->passed_over)
		s->passed_at = s->at;
	s->passed_over += bytes;
	s->at += bytes;
}

/* A file that lost something in its middle has a hole there: `hole` bytes of NUL between two messages, which are nobody's.
 * rest: the line behind them. No Content-Length was meant to count them. */
static bool pass_hole(struct mbox_scan *s, struct str rest, uint64_t hole)
{
	struct str sender;
	int64_t date;

	if (!mbox_postmark(rest, &sender, &date))
		return false;
	if (s->in_message)
		finish(s);
	s->in_message = false;
	pass_over(s, hole);
	return true;
}

/* "Name: ..." */
static bool is_field(struct str line)
{
	size_t len = 0;

	while (len < line.len && line.p[len] > ' ' && line.p[len] < 0x7f && line.p[len] != ':')
		len++;
	return len && str_starts(str_cut(line, len, line.len), STR(": "));
}

/* Some programs write a message right behind one that lacks its empty line: a postmark there begins one if nothing is
 * odd about it and a header field follows. In what we wrote it cannot stand: it would be quoted. */
static bool may_begin(struct mbox_scan *s, struct str line, struct str *sender, int64_t *date)
{
	return s->in_message && !s->in_header && !s->ours && mbox_postmark(line, sender, date) && sender->len &&
	       str_find(*sender, ' ') < 0 && !is_content(s);
}

/* The line before was a postmark indeed. */
static void begin_before(struct mbox_scan *s)
{
	s->at -= s->maybe;
	s->lines -= !s->maybe_crlf;
	finish(s);
	begin(s, s->maybe, s->maybe_date);
}

/* A line of the message that is being read. */
static void take_text(struct mbox_scan *s, struct str line, uint64_t len, bool quoted, bool torn, bool crlf)
{
	bool counts = true, ends = !torn && !crlf;

	if (s->in_header)
		counts = !header_line(s, line, len, torn, ends);
	s->lines += counts && ends;
	s->quotes += quoted;
	s->blank = blank_line(line);
	s->at += len;
}

/* Our X-Postern is in the header behind a postmark within a Content-Length: a message of ours begins there. */
static void begin_inner(struct mbox_scan *s)
{
	struct buf inner = s->inner;
	struct str left = buf_str(&inner), sender;
	int64_t date = 0;

	s->inner = (struct buf){ 0 };
	s->at -= left.len;
	s->lines = s->inner_lines;
	s->quotes = s->inner_quotes;
	s->blank = s->inner_blank;
	finish(s);
	for (bool first = true; left.len; first = false) {
		struct str line = str_cut(left, 0, (size_t)str_find(left, '\n') + 1);

		if (first) {
			mbox_postmark(line, &sender, &date);
			begin(s, line.len, date);
		} else {
			take_text(s, line, line.len, false, false, line.len > 1 && line.p[line.len - 2] == '\r');
		}
		left = str_cut(left, line.len, left.len);
	}
	buf_free(&inner);
}

/* The next line of what may be such a header. A run of '>' is none: what is kept of it hangs on how the file is cut. */
static void look_within(struct mbox_scan *s, struct str line, uint64_t len, bool torn)
{
	bool folded = line.p[0] == ' ' || line.p[0] == '\t';
	struct str value;

	if (torn || len != line.len || line.p[0] == '>' || (!folded && !is_field(line)) ||
		buf_len(&s->inner) + line.len > INNER_LOOK_MAX)
		buf_clear(&s->inner);
	else if (!folded && form_field_of(line, true, &value) == FORM_POSTERN)
		begin_inner(s);
	else
		buf_add_str(&s->inner, line);
}

static void keep_postmark(struct mbox_scan *s, struct str line)
{
	buf_clear(&s->inner);
	buf_add_str(&s->inner, line);
	s->inner_lines = s->lines;
	s->inner_quotes = s->quotes;
	s->inner_blank = s->blank;
}

/* A line of `len` bytes, LF included unless `torn`; line has all of them or the first. crlf: it ends so. */
static void take_line(struct mbox_scan *s, struct str line, uint64_t len, bool torn, bool crlf)
{
	bool quoted = is_quoted(line);
	struct str sender;
	int64_t date;

	if (line.len > LINE_LOOK_MAX) /* the same as of a line that came in pieces */
		line.len = LINE_LOOK_MAX;
	if (buf_len(&s->inner))
		look_within(s, line, len, torn);
	if (s->maybe && is_field(line))
		begin_before(s);
	s->maybe = 0;
	if ((s->blank || s->at == content_end(s)) && !torn && mbox_postmark(line, &sender, &date) && !is_content(s)) {
		if (s->in_message)
			finish(s);
		begin(s, len, date);
		return;
	}
	if (!s->in_message) {
		s->blank = blank_line(line);
		pass_over(s, len);
		return;
	}
	if (!s->blank && !torn && may_begin(s, line, &sender, &date)) {
		s->maybe = len;
		s->maybe_crlf = crlf;
		s->maybe_date = date;
	}
	if (!torn && line.len == len && mbox_postmark(line, &sender, &date) && is_content(s))
		keep_postmark(s, line);
	take_text(s, line, len, quoted, torn, crlf);
}

/* Keeps what is looked at of a line that is not whole yet. */
static void keep(struct mbox_scan *s, struct str part)
{
	size_t more;

	if (s->cut == s->hole && part.p[0] == '\0') { /* one of them is looked at */
		size_t run = 0;

		while (run < part.len && part.p[run] == '\0')
			run++;
		s->hole += run;
		s->cut += run - (buf_len(&s->head) ? 0 : 1);
		part = str_cut(part, buf_len(&s->head) ? run : run - 1, part.len);
	}
	s->cut += part.len;
	if (str_eq(buf_str(&s->head), STR(">")))
		while (part.len && part.p[0] == '>')
			part = str_cut(part, 1, part.len);
	while (part.len > 1 && !buf_len(&s->head) && part.p[0] == '>' && part.p[1] == '>')
		part = str_cut(part, 1, part.len);
	more = LINE_LOOK_MAX - buf_len(&s->head);
	buf_add(&s->head, part.p, more < part.len ? more : part.len);
}

/* The line that came in pieces is whole. */
static void take_pieces(struct mbox_scan *s, bool crlf)
{
	struct str line = buf_str(&s->head);
	uint64_t len = s->cut;

	if (s->hole && s->blank && pass_hole(s, str_cut(line, 1, line.len), s->hole)) {
		line = str_cut(line, 1, line.len);
		len -= s->hole;
	}
	take_line(s, line, len, false, crlf);
	s->cut = s->hole = 0;
	buf_clear(&s->head);
}

/* A line that begins with NUL. */
static void take_nul(struct mbox_scan *s, struct str line)
{
	size_t hole = 0;

	while (line.p[hole] == '\0')
		hole++;
	if (s->blank && pass_hole(s, str_cut(line, hole, line.len), hole))
		line = str_cut(line, hole, line.len);
	take_line(s, line, line.len, false, line.len > 1 && line.p[line.len - 2] == '\r');
}

enum err mbox_scan_feed(struct mbox_scan *s, struct str bytes)
{
	while (bytes.len && !s->failed) {
		const char *lf = memchr(bytes.p, '\n', bytes.len);
		size_t len = lf ? (size_t)(lf - bytes.p) + 1 : bytes.len;
		char first = bytes.p[0];
		bool crlf = lf && (len > 1 ? lf[-1] == '\r' : s->ends_in_cr);

		if (!lf || s->cut) {
			keep(s, str_cut(bytes, 0, len));
			if (lf)
				take_pieces(s, crlf);
			s->ends_in_cr = bytes.p[len - 1] == '\r';
		} else if (first == '\0') {
			take_nul(s, str_cut(bytes, 0, len));
		} else if (s->in_message && !s->in_header && first != 'F' && first != '>' && !s->maybe &&
			   !buf_len(&s->inner)) { /* most lines by far */
			s->lines += !crlf;
			s->blank = len == 1u + crlf ? (unsigned)len : 0;
			s->at += len;
		} else {
			take_line(s, str_cut(bytes, 0, len), len, false, crlf);
		}
		bytes = str_cut(bytes, len, bytes.len);
	}
	return s->failed;
}

enum err mbox_scan_end(struct mbox_scan *s)
{
	if (!s->failed && s->cut)
		take_line(s, buf_str(&s->head), s->cut, true, false);
	s->cut = s->hole = 0;
	if (!s->failed && s->in_message)
		finish(s);
	else if (s->passed_over)
		s->failed = ERR_NEVER;
	s->in_message = false;
	return s->failed;
}

uint64_t mbox_scan_passed_over(const struct mbox_scan *s, uint64_t *at)
{
	*at = s->passed_at;
	return s->passed_over;
}

void mbox_scan_bare(const struct mbox_scan *s, struct mbox_bare *bare)
{
	bool whole = !s->own_uid || s->other_uid; /* none there, or cut already */

	bare->prefix = whole ? s->m.prefix : (uint32_t)(s->postmark_end - s->m.offset);
	bare->lines = whole ? 0 : (uint32_t)s->prefix_lines;
	bare->strays = s->strays || s->other_uid;
}

void mbox_message_bare(struct message *m, const struct mbox_bare *bare)
{
	uint32_t more = m->prefix - bare->prefix;

	m->uid = 0;
	if (m->wire > UINT32_MAX - more - bare->lines)
		return; /* nobody can read it */
	m->prefix -= more;
	m->stored += more;
	m->header += more;
	m->wire += more + bare->lines;
}
