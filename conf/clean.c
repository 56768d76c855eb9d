/* clean.c - see clean.h. One walk over the bytes; each scan_ function starts at the first byte of its thing and
 * leaves `at` behind the last. */
#include "conf/clean.h"

struct scan {
	struct str text;
	size_t at;
	unsigned line;                     /* of `at`; of what is amiss in the end */
	unsigned opened[CLEAN_BRACES_MAX]; /* lines of the braces that are open */
	unsigned depth;
	struct buf *out, *why;
};

static char peek(const struct scan *s, size_t ahead)
{
	return s->at + ahead < s->text.len ? s->text.p[s->at + ahead] : '\0';
}

static bool amiss(struct scan *s, unsigned line, const char *what)
{
	s->line = line;
	buf_printf(s->why, "%s", what);
	return false;
}

/* Takes one byte into the copy, as it is or as a blank. */
static void take(struct scan *s, bool blank)
{
	char c = s->text.p[s->at++];

	if (c == '\n')
		s->line++;
	buf_add_char(s->out, blank && c != '\n' ? ' ' : c);
}

static bool scan_line_comment(struct scan *s)
{
	while (s->at < s->text.len && peek(s, 0) != '\n')
		take(s, true);
	return true;
}

static bool scan_comment(struct scan *s)
{
	unsigned line = s->line;

	take(s, true);
	take(s, true);
	while (s->at < s->text.len && !(peek(s, 0) == '*' && peek(s, 1) == '/'))
		take(s, true);
	if (s->at == s->text.len)
		return amiss(s, line, "the comment that begins here has no end");
	take(s, true);
	take(s, true);
	return true;
}

static bool scan_quoted(struct scan *s)
{
	char quote = peek(s, 0);
	unsigned line = s->line;

	take(s, false);
	while (s->at < s->text.len && peek(s, 0) != quote && peek(s, 0) != '\n') {
		if (peek(s, 0) == '\\' && s->at + 1 < s->text.len)
			take(s, false);
		take(s, false);
	}
	if (peek(s, 0) != quote)
		return amiss(s, line, "the text that begins here is not closed on its line");
	take(s, false);
	return true;
}

/* ${NAME}, which stands for a variable of the environment. */
static bool scan_variable(struct scan *s)
{
	unsigned line = s->line;

	while (s->at < s->text.len && peek(s, 0) != '}' && peek(s, 0) != '\n')
		take(s, false);
	if (peek(s, 0) != '}')
		return amiss(s, line, "${ is not closed on its line");
	take(s, false);
	return true;
}

static bool scan_brace(struct scan *s)
{
	if (peek(s, 0) == '{') {
		if (s->depth == CLEAN_BRACES_MAX)
			return amiss(s, s->line, "braces are nested too deeply");
		s->opened[s->depth++] = s->line;
	} else if (s->depth == 0) {
		return amiss(s, s->line, "a closing brace without an opening one");
	} else {
		s->depth--;
	}
	take(s, false);
	return true;
}

static bool scan_plain(struct scan *s)
{
	char c = peek(s, 0);

	if (c == '*')
		return amiss(s, s->line, "a stray *: put the text in quotes");
	if (c == '+' && peek(s, 1) != '=')
		return amiss(s, s->line, "a stray +: put the text in quotes");
	if (c == '\r' && peek(s, 1) != '\n')
		return amiss(s, s->line, "a stray carriage return");
	take(s, c == '\r');
	return true;
}

static bool scan_next(struct scan *s)
{
	char c = peek(s, 0), after = peek(s, 1);

	if (c == '#' || (c == '/' && after == '/'))
		return scan_line_comment(s);
	if (c == '/' && after == '*')
		return scan_comment(s);
	if (c == '"' || c == '\'')
		return scan_quoted(s);
	if (c == '$' && after == '{')
		return scan_variable(s);
	if (c == '{' || c == '}')
		return scan_brace(s);
	return scan_plain(s);
}

static bool scan_all(struct scan *s)
{
	const char *nul = s->text.len ? memchr(s->text.p, '\0', s->text.len) : NULL;

	if (nul) {
		for (const char *p = s->text.p; p < nul; p++)
			s->line += *p == '\n';
		return amiss(s, s->line, "a NUL byte: this is not a text file");
	}
	while (s->at < s->text.len)
		if (!scan_next(s))
			return false;
	return !s->depth || amiss(s, s->opened[s->depth - 1], "the brace that opens here is never closed");
}

bool conf_clean(struct str text, struct buf *out, unsigned *line, struct buf *why)
{
	struct scan s = { .text = text, .line = 1, .out = out, .why = why };
	bool fine = scan_all(&s);

	*line = s.line;
	return fine;
}
