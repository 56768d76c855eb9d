/* header.c - see header.h. */
#include "storage/mail/header.h"

/* Bytes of the first line, its line end included. */
static size_t line_size(struct str s)
{
	ptrdiff_t lf = str_find(s, '\n');

	return lf < 0 ? s.len : (size_t)lf + 1;
}

static bool is_blank(struct str s)
{
	return s.len && (s.p[0] == '\n' || (s.len > 1 && s.p[0] == '\r' && s.p[1] == '\n'));
}

static bool is_folded(struct str s) /* begins with a continuation of the line before */
{
	return s.len && (s.p[0] == ' ' || s.p[0] == '\t');
}

size_t header_size(struct str message)
{
	struct str left = message;

	while (left.len) {
		bool blank = is_blank(left);

		left = str_cut(left, line_size(left), left.len);
		if (blank)
			break;
	}
	return message.len - left.len;
}

struct header_walk header_walk(struct str block)
{
	return (struct header_walk){ block };
}

static struct str without_line_end(struct str s)
{
	if (s.len && s.p[s.len - 1] == '\n')
		s.len--;
	if (s.len && s.p[s.len - 1] == '\r')
		s.len--;
	return s;
}

/* The length of the name at the front of a field's first line, 0 if it has none; *colon is where its colon stands.
 * White space before the colon is of old (RFC 5322, 4.5). */
static size_t name_size(struct str line, size_t *colon)
{
	size_t len = 0, i;

	while (len < line.len && line.p[len] > ' ' && line.p[len] < 0x7f && line.p[len] != ':')
		len++;
	for (i = len; i < line.len && (line.p[i] == ' ' || line.p[i] == '\t');)
		i++;
	*colon = i;
	return i < line.len && line.p[i] == ':' ? len : 0;
}

bool header_next(struct header_walk *w, struct header_field *field)
{
	struct str line;
	size_t size, name, colon;

	if (!w->left.len || is_blank(w->left))
		return false;
	size = line_size(w->left);
	line = str_cut(w->left, 0, size);
	while (is_folded(str_cut(w->left, size, w->left.len)))
		size += line_size(str_cut(w->left, size, w->left.len));
	field->whole = str_cut(w->left, 0, size);
	w->left = str_cut(w->left, size, w->left.len);

	name = name_size(line, &colon);
	field->name = str_cut(line, 0, name);
	field->value = without_line_end(name ? str_cut(field->whole, colon + 1, size) : field->whole);
	return true;
}

bool header_find(struct str block, const char *name, struct header_field *field)
{
	struct header_walk w = header_walk(block);

	while (header_next(&w, field))
		if (str_eq_nocase(field->name, str_of(name)))
			return true;
	return false;
}

struct str header_unfold(struct arena *a, struct str value)
{
	struct str s = str_trim(value);
	size_t len = 0;
	char *copy;

	if (str_find(s, '\n') < 0 && str_find(s, '\r') < 0 && str_find(s, '\0') < 0)
		return s;
	copy = arena_alloc(a, s.len + 1);
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0')
			copy[len++] = s.p[i];
	return (struct str){ copy, len };
}
