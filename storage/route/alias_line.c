/* alias_line.c - see alias_line.h. */
#include "storage/route/alias_line.h"
#include "storage/mail/address.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next line of the text as it stands there, without its end. */
static bool take_line(struct alias_reader *r, struct str *line)
{
	ptrdiff_t lf = str_find(r->left, '\n');
	size_t len = lf < 0 ? r->left.len : (size_t)lf;

	if (!r->left.len)
		return false;
	*line = str_cut(r->left, 0, len);
	r->left = str_cut(r->left, lf < 0 ? len : len + 1, r->left.len);
	r->number++;
	return true;
}

static bool is_comment(struct str line)
{
	line = str_trim(line);
	return !line.len || line.p[0] == '#';
}

/* Comments between the lines of one thing do not end it. */
static bool goes_on(const struct alias_reader *r)
{
	struct alias_reader ahead = *r;
	struct str line;

	while (take_line(&ahead, &line))
		if (!is_comment(line))
			return is_blank(line.p[0]);
	return false;
}

bool alias_read(struct alias_reader *r, struct str *line)
{
	struct str piece;

	buf_clear(&r->line);
	do {
		if (!take_line(r, &piece))
			return false;
	} while (is_comment(piece));
	r->begin = r->number;
	buf_add_str(&r->line, str_trim(piece));
	while (!r->plain && goes_on(r)) {
		while (take_line(r, &piece) && is_comment(piece))
			;
		buf_add_char(&r->line, ' ');
		buf_add_str(&r->line, str_trim(piece));
	}
	*line = buf_str(&r->line);
	return true;
}

void alias_reader_free(struct alias_reader *r)
{
	buf_free(&r->line);
}

/* The end of what is in quotes from `at` on, behind the closing one; the text's end if there is none. */
static size_t quotes_end(struct str text, size_t at)
{
	for (at++; at < text.len && text.p[at] != '"'; at++)
		if (text.p[at] == '\\' && at + 1 < text.len)
			at++;
	return at < text.len ? at + 1 : text.len;
}

static bool is_quoted(struct str text)
{
	return text.len >= 2 && text.p[0] == '"' && text.p[text.len - 1] == '"' && quotes_end(text, 0) == text.len;
}

static struct str unquoted(struct arena *a, struct str text)
{
	char *plain;
	size_t len = 0;

	if (!is_quoted(text))
		return text;
	plain = arena_alloc(a, text.len);
	for (size_t i = 1; i + 1 < text.len; i++) {
		if (text.p[i] == '\\' && i + 2 < text.len)
			i++;
		plain[len++] = text.p[i];
	}
	return (struct str){ plain, len };
}

struct str alias_key(struct arena *a, struct str local)
{
	struct str plain = unquoted(a, local);
	char *key = arena_alloc(a, plain.len + 1);

	for (size_t i = 0; i < plain.len; i++)
		key[i] = ascii_lower(plain.p[i]);
	return (struct str){ key, plain.len };
}

enum err alias_name(struct arena *a, struct str line, struct str *name, struct str *targets)
{
	size_t end = line.len && line.p[0] == '"' ? quotes_end(line, 0) : 0;
	struct str written;

	while (end < line.len && line.p[end] != ':')
		end++;
	if (end >= line.len)
		return ERR_MISTAKE;
	written = str_trim(str_cut(line, 0, end));
	*name = alias_key(a, written);
	*targets = str_trim(str_cut(line, end + 1, line.len));
	if (!name->len || name->len > ADDRESS_LOCAL_MAX || (written.p[0] == '"') != is_quoted(written))
		return ERR_MISTAKE;
	for (size_t i = 0; i < name->len; i++)
		if ((unsigned char)name->p[i] < ' ' || (written.p[0] != '"' && is_blank(name->p[i])))
			return ERR_MISTAKE;
	return OK;
}

/* What stands before the next comma outside of quotes. */
static struct str take_piece(struct str *left)
{
	size_t at = 0;
	struct str piece;

	while (at < left->len && left->p[at] != ',')
		at = left->p[at] == '"' ? quotes_end(*left, at) : at + 1;
	piece = str_trim(str_cut(*left, 0, at));
	*left = str_cut(*left, at < left->len ? at + 1 : at, left->len);
	return piece;
}

/* An address, with or without domain, in the form that others compare; also "A name <address>". */
static enum err address_take(struct arena *a, struct str text, struct str *address)
{
	size_t open = 0;
	struct address_path path;
	enum err e;

	while (open < text.len && text.p[open] != '<')
		open = text.p[open] == '"' ? quotes_end(text, open) : open + 1;
	if (open < text.len && text.p[text.len - 1] == '>')
		text = str_trim(str_cut(text, open + 1, text.len - 1));
	e = address_mailbox(a, text, ADDRESS_UTF8, &path);
	if (!e) {
		*address = address_text(a, &path);
	} else if (str_find(text, '@') < 0) {
		e = address_mailbox(a, str_of(arena_printf(a, STR_FMT "@a", STR_ARG(text))), ADDRESS_UTF8, &path);
		if (!e)
			*address = path.local;
	}
	return e ? ERR_MISTAKE : OK;
}

/* "error:550 5.1.1 words" or "error:words" -> a reply of one line. */
static enum err error_take(struct arena *a, struct str text, struct str *reply)
{
	bool code = text.len > 3 && (text.p[0] == '4' || text.p[0] == '5') && text.p[3] == ' ';

	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.p[i] < ' ' || (unsigned char)text.p[i] > '~')
			return ERR_MISTAKE;
	for (size_t i = 1; i < 3 && code; i++)
		code = text.p[i] >= '0' && text.p[i] <= '9';
	*reply = code ? text : str_of(arena_printf(a, "550 5.1.1 " STR_FMT, STR_ARG(text)));
	return text.len ? OK : ERR_MISTAKE;
}

enum err alias_target(struct arena *a, struct str *left, struct alias_target *t)
{
	struct str piece = STR_NONE, text;

	while (left->len && !piece.len)
		piece = take_piece(left);
	*t = (struct alias_target){ .text = piece };
	if (!piece.len)
		return ERR_ABSENT;
	piece = arena_str(a, piece);
	t->text = piece;
	text = unquoted(a, piece);
	if (str_starts(text, STR("|"))) {
		t->kind = ALIAS_PROGRAM;
		t->text = unquoted(a, str_trim(str_cut(text, 1, text.len)));
	} else if (str_starts(text, STR("/"))) {
		t->kind = ALIAS_FILE;
		t->text = text;
	} else if (str_starts_nocase(text, STR(":include:"))) {
		t->kind = ALIAS_INCLUDE;
		t->text = unquoted(a, str_trim(str_cut(text, 9, text.len)));
		return t->text.len && t->text.p[0] == '/' && !memchr(t->text.p, 0, t->text.len) ? OK : ERR_MISTAKE;
	} else if (str_starts_nocase(text, STR("error:"))) {
		t->kind = ALIAS_ERROR;
		return error_take(a, str_trim(str_cut(text, 6, text.len)), &t->text);
	} else {
		t->plain = piece.p[0] == '\\';
		return address_take(a, str_cut(piece, t->plain, piece.len), &t->text);
	}
	return t->text.len ? OK : ERR_MISTAKE;
}
