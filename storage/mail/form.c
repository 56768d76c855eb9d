/* form.c - see form.h.
 * The encoder sees text and line ends. Text is copied in runs as it comes, but for the head of a line: as long as
 * that can still become a line to quote or to remove it waits in `line`, at most FORM_FIELD_MAX bytes of it. A run of
 * '>' need not wait, however long: it leaves as it is, and the one '>' more follows when "From " does. */
#include "storage/mail/form.h"

#define FROM           STR("From ")
#define PLAIN_LINE_MAX 1000 /* bytes; a longer line takes the slower way (998 are allowed: RFC 5322, 2.1.1) */

enum { /* bits of form.state; none: at the start of a line of the header */
	IN_BODY = 1,
	IN_LINE = 2,    /* the line is decided: its text is copied, or with DROP forgotten */
	DROP = 4,       /* the line is removed; what is folded to it too */
	QUOTES = 8,     /* the line began with '>', and these are written */
	CR_BEFORE = 16, /* the piece before ended in a CR */
	BAD = 32,
};

static const struct {
	struct str name;
	enum form_field field;
} fields[] = {
	{ { "x-uid", 5 }, FORM_UID },
	{ { "status", 6 }, FORM_STATUS },
	{ { "x-status", 8 }, FORM_XSTATUS },
	{ { "x-keywords", 10 }, FORM_KEYWORDS },
	{ { "x-imapbase", 10 }, FORM_BASE },
	{ { "x-imap", 6 }, FORM_FOLDER },
	{ { "x-postern", 9 }, FORM_POSTERN },
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

enum form_field form_field_of(struct str line, bool whole, struct str *value)
{
	char first = line.len ? ascii_lower(line.p[0]) : 'x';
	bool partial = false;

	if (first != 'x' && first != 's') /* nearly all lines leave here */
		return FORM_OTHER;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct str name = fields[i].name;
		size_t at = name.len;

		if (line.len < name.len) {
			partial |= str_starts_nocase(name, line);
			continue;
		}
		if (!str_starts_nocase(line, name))
			continue;
		while (at < line.len && at < FORM_FIELD_MAX && is_blank(line.p[at]))
			at++;
		if (at == FORM_FIELD_MAX)
			continue;
		if (at == line.len) {
			partial = true;
		} else if (line.p[at] == ':') {
			if (value)
				*value = str_trim(str_cut(line, at + 1, line.len));
			return fields[i].field;
		}
	}
	return partial && !whole ? FORM_PARTIAL : FORM_OTHER;
}

static void put(struct form *f, struct str text, struct buf *out)
{
	buf_add_str(out, text);
	f->size.stored += text.len;
	f->size.wire += text.len;
}

/* Bytes of a run of '>' at the front. */
static size_t quote_run(struct str s)
{
	size_t run = 0;

	while (run < s.len && s.p[run] == '>')
		run++;
	return run;
}

enum line { UNDECIDED, KEEP, QUOTE, REMOVE };

/* What becomes of the line that begins with `head`, behind its run of '>' if it has one. */
static enum line decide(const struct form *f, struct str head, bool whole)
{
	if (str_starts(head, FROM))
		return QUOTE;
	if (!whole && head.len < FROM.len && str_starts(FROM, head))
		return UNDECIDED;
	if (f->state & (IN_BODY | QUOTES) || !head.len)
		return KEEP;
	if (is_blank(head.p[0]))
		return f->state & DROP ? REMOVE : KEEP;
	switch (form_field_of(head, whole, NULL)) {
	case FORM_OTHER:
		return KEEP;
	case FORM_PARTIAL:
		return UNDECIDED;
	default:
		return REMOVE;
	}
}

/* Enters the line: the waiting head of it is written or forgotten. */
static void enter(struct form *f, enum line what, struct buf *out)
{
	f->state = (f->state & ~DROP) | IN_LINE;
	if (what == REMOVE)
		f->state |= DROP;
	if (what == QUOTE) {
		buf_add_char(out, '>');
		f->size.stored++;
	}
	if (what != REMOVE)
		put(f, buf_str(&f->line), out);
	buf_clear(&f->line);
}

/* Text of one line, whole or a part of it. */
static void take_text(struct form *f, struct str text, struct buf *out)
{
	if (!(f->state & IN_LINE) && !buf_len(&f->line) && text.len && text.p[0] == '>') {
		size_t run = quote_run(text);

		put(f, str_cut(text, 0, run), out);
		f->state |= QUOTES;
		text = str_cut(text, run, text.len);
	}
	while (!(f->state & IN_LINE) && text.len) {
		enum line what = UNDECIDED;
		size_t more = FORM_FIELD_MAX - buf_len(&f->line);

		if (!buf_len(&f->line)) /* mostly the piece has enough of the line to tell */
			what = decide(f, text, false);
		if (what == UNDECIDED) {
			more = more < text.len ? more : text.len;
			buf_add(&f->line, text.p, more);
			text = str_cut(text, more, text.len);
			what = decide(f, buf_str(&f->line), false);
		}
		if (what != UNDECIDED)
			enter(f, what, out);
	}
	if (!(f->state & DROP))
		put(f, text, out);
}

static void take_line_end(struct form *f, struct buf *out)
{
	bool blank = !(f->state & (IN_LINE | QUOTES)) && !buf_len(&f->line);

	if (!(f->state & IN_LINE))
		enter(f, decide(f, buf_str(&f->line), true), out);
	if (!(f->state & DROP)) {
		buf_add_char(out, '\n');
		f->size.stored++;
		f->size.wire += 2;
		f->size.lines++;
	}
	if (blank && !(f->state & IN_BODY)) {
		f->state |= IN_BODY;
		f->size.header = f->size.stored;
		f->size.wire_header = f->size.wire;
	}
	f->state &= ~(IN_LINE | QUOTES);
}

/* In the strict rule a line ends at an LF with a CR before it, and neither stands anywhere else. Answers the line's bytes
 * with its end, 0 if they are not right. */
static size_t strict_line(struct form *f, struct str bytes, struct buf *out)
{
	const char *lf = memchr(bytes.p, '\n', bytes.len);
	size_t text = lf ? (size_t)(lf - bytes.p) : bytes.len;
	bool had_cr = f->state & CR_BEFORE;
	const char *cr = memchr(bytes.p, '\r', text);

	f->state &= ~CR_BEFORE;
	if (had_cr && !(lf && text == 0))
		return 0;
	if (!had_cr && lf && !cr)
		return 0;
	if (cr && cr != bytes.p + text - 1)
		return 0;
	take_text(f, str_cut(bytes, 0, text - (cr ? 1 : 0)), out);
	if (!lf) {
		if (cr)
			f->state |= CR_BEFORE;
		return text;
	}
	take_line_end(f, out);
	return text + 1;
}

/* In the other rule a CR ends a line, and so does an LF, but not one right behind a CR. `*lf` is the next LF of the
 * piece, or its end: kept, so that many bare CRs do not each look for it. */
static size_t loose_line(struct form *f, struct str bytes, const char **lf, struct buf *out)
{
	bool had_cr = f->state & CR_BEFORE;
	const char *end;

	f->state &= ~CR_BEFORE;
	if (had_cr && bytes.p[0] == '\n')
		return 1;
	if (*lf < bytes.p) {
		*lf = memchr(bytes.p, '\n', bytes.len);
		if (!*lf)
			*lf = bytes.p + bytes.len;
	}
	end = memchr(bytes.p, '\r', (size_t)(*lf - bytes.p));
	if (end)
		f->state |= CR_BEFORE;
	else
		end = *lf;
	take_text(f, (struct str){ bytes.p, (size_t)(end - bytes.p) }, out);
	if (end == bytes.p + bytes.len)
		return bytes.len;
	take_line_end(f, out);
	return (size_t)(end - bytes.p) + 1;
}

/* Most lines by far: whole in this piece, of the body, and nothing to quote. Either rule takes them as they are. Answers
 * the line's bytes with its end, 0 if it is another kind. */
static size_t plain_line(struct form *f, struct str bytes, struct buf *out)
{
	const char *lf;
	size_t text;
	char *to;

	if (f->state != IN_BODY || bytes.p[0] == '>' || bytes.p[0] == FROM.p[0] || buf_len(&f->line))
		return 0;
	lf = memchr(bytes.p, '\n', bytes.len < PLAIN_LINE_MAX ? bytes.len : PLAIN_LINE_MAX);
	if (!lf || lf == bytes.p)
		return 0;
	text = (size_t)(lf - bytes.p) - 1;
	if (bytes.p[text] != '\r' || memchr(bytes.p, '\r', text))
		return 0;
	to = buf_room(out, text + 1);
	memcpy(to, bytes.p, text);
	to[text] = '\n';
	buf_added(out, text + 1);
	f->size.stored += text + 1;
	f->size.wire += text + 2;
	f->size.lines++;
	return text + 2;
}

enum err form_feed(struct form *f, struct str bytes, struct buf *out)
{
	const char *lf = NULL;

	if (f->state & BAD)
		return ERR_MISTAKE;
	if (!bytes.len)
		return OK;
	if (memchr(bytes.p, '\0', bytes.len))
		f->state |= BAD;
	buf_room(out, bytes.len); /* once, not by doubling; the few '>' more do not matter */
	while (bytes.len && !(f->state & BAD)) {
		size_t took = plain_line(f, bytes, out);

		if (!took)
			took = f->rule == FORM_STRICT ? strict_line(f, bytes, out) : loose_line(f, bytes, &lf, out);
		if (!took)
			f->state |= BAD;
		bytes = str_cut(bytes, took, bytes.len);
	}
	return f->state & BAD ? ERR_MISTAKE : OK;
}

enum err form_end(struct form *f, struct buf *out)
{
	if (f->rule == FORM_STRICT && f->state & CR_BEFORE)
		f->state |= BAD;
	if (f->state & BAD)
		return ERR_MISTAKE;
	if (f->state & (IN_LINE | QUOTES) || buf_len(&f->line))
		take_line_end(f, out);
	if (!(f->state & IN_BODY)) {
		f->size.header = f->size.stored;
		f->size.wire_header = f->size.wire;
	}
	return OK;
}

void form_free(struct form *f)
{
	buf_free(&f->line);
}

/* At the start of a line: drops the '>' that quotes a "From ". Answers false when more bytes must tell; `*stored` then
 * begins with what must be kept back. All '>' of a run but its last can be given at once: what follows them is told
 * by that last one. */
static bool unquote(struct str *stored, bool last, struct buf *out)
{
	size_t run = quote_run(*stored);
	struct str behind = str_cut(*stored, run, stored->len);

	if (!run)
		return true;
	buf_add(out, stored->p, run - 1);
	*stored = str_cut(*stored, run - 1, stored->len);
	if (str_starts(behind, FROM))
		*stored = behind;
	else if (!last && behind.len < FROM.len && str_starts(FROM, behind))
		return false;
	return true;
}

size_t form_decode(struct str stored, bool *at_line_start, bool last, struct buf *out)
{
	struct str left = stored;

	if (stored.len)
		buf_room(out, stored.len + stored.len / 32); /* the CRs too, of lines as long as usual */
	while (left.len) {
		const char *lf;
		size_t text;
		char *to;
		bool cr; /* the text ends in one, which belongs to the LF */

		if (*at_line_start && left.p[0] == '>' && !unquote(&left, last, out))
			break;
		lf = memchr(left.p, '\n', left.len);
		text = lf ? (size_t)(lf - left.p) : left.len;
		cr = text && left.p[text - 1] == '\r' && (lf || !last);
		to = buf_room(out, text + 2);
		memcpy(to, left.p, text - cr);
		if (lf)
			memcpy(to + text - cr, "\r\n", 2);
		buf_added(out, text - cr + (lf ? 2 : 0));
		*at_line_start = lf || (*at_line_start && text == cr);
		left = str_cut(left, lf ? text + 1 : text - cr, left.len);
		if (!lf)
			break;
	}
	return stored.len - left.len;
}
