/* imap_parse.c - see imap_parse.h. */
#include "protocols/imap/imap_parse.h"

#define LITERAL_DIGITS_MAX 10 /* RFC 3501, 9: number is 32 bits */

/* Whether the line (without its CRLF) ends in a literal's announcement. -1: in one that cannot be. */
static int ends_in_literal(struct str line, struct imap_parser *p)
{
	ptrdiff_t open = str_rfind(line, '{');
	struct str digits;
	uint32_t len;

	if (open < 0 || !line.len || line.p[line.len - 1] != '}')
		return 0;
	digits = str_cut(line, (size_t)open + 1, line.len - 1);
	p->synchronising = !(digits.len && digits.p[digits.len - 1] == '+');
	if (!p->synchronising)
		digits.len--;
	if (!digits.len)
		return 0;
	for (size_t i = 0; i < digits.len; i++)
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return 0; /* a brace in a quoted string */
	if (digits.len > LITERAL_DIGITS_MAX || !str_u32(digits, &len))
		return -1;
	p->literal_len = len;
	p->binary = open > 0 && line.p[open - 1] == '~';
	return 1;
}

ptrdiff_t imap_parse(struct imap_parser *p, struct str bytes)
{
	struct str left = str_cut(bytes, p->scanned, bytes.len), line;
	ptrdiff_t lf;
	int literal;

	p->announced = false;
	if (p->literal) {
		if (left.len < p->literal_len)
			return 0;
		p->scanned += (size_t)p->literal_len;
		p->literal = false;
		left = str_cut(left, (size_t)p->literal_len, left.len);
	}
	if ((lf = str_find(left, '\n')) < 0)
		return 0; /* the line is looked at again when it is longer: lines are short and bounded */
	line = str_cut(left, 0, (size_t)lf);
	if (!line.len || line.p[--line.len] != '\r' || str_find(line, '\0') >= 0 || str_find(line, '\r') >= 0)
		return -1;
	if ((literal = ends_in_literal(line, p)) < 0)
		return -1;
	p->scanned += (size_t)lf + 1;
	p->literal = p->announced = literal;
	return literal ? 0 : (ptrdiff_t)p->scanned;
}
