/* token.c - see token.h. */
#include "storage/mail/token.h"
#include <assert.h>

static void add_char(struct buf *out, char c)
{
	if (out && c != '\r' && c != '\n' && c != '\0')
		buf_add_char(out, c);
}

void token_add(struct buf *out, struct str text)
{
	for (size_t from = 0, i = 0; i <= text.len; i++)
		if (i == text.len || text.p[i] == '\r' || text.p[i] == '\n' || text.p[i] == '\0') {
			buf_add_str(out, str_cut(text, from, i));
			from = i + 1;
		}
}

/* A comment, from its "(" on (RFC 5322, 3.2.2). */
static void take_comment(struct str *left, struct buf *out)
{
	size_t depth = 0, i;

	if (out)
		buf_clear(out);
	for (i = 0; i < left->len; i++) {
		char c = left->p[i];

		if (c == '\\' && i + 1 < left->len) {
			add_char(out, left->p[++i]);
			continue;
		}
		if (c == ')' && --depth == 0) {
			i++;
			break;
		}
		if (c != '(' || depth++ > 0)
			add_char(out, c);
	}
	*left = str_cut(*left, i, left->len);
}

bool token_space(struct str *left, struct buf *comment)
{
	const char *start = left->p;

	while (left->len) {
		if (token_is_space(left->p[0]))
			*left = str_cut(*left, 1, left->len);
		else if (left->p[0] == '(')
			take_comment(left, comment);
		else
			break;
	}
	return left->p != start;
}

void token_quoted(struct str *left, struct buf *out)
{
	size_t i;

	assert(left->len && left->p[0] == '"');
	for (i = 1; i < left->len && left->p[i] != '"'; i++) {
		if (left->p[i] == '\\' && i + 1 < left->len)
			i++;
		add_char(out, left->p[i]);
	}
	*left = str_cut(*left, i < left->len ? i + 1 : i, left->len);
}
