/* token.h - the lexical pieces that structured header fields share (RFC 5322, 3.2): white space with comments in it,
 * and quoted strings. Each takes what it finds at the front of *left and leaves the rest there, so that a parser is a
 * row of such calls. Comments may nest to any depth: it is counted, not recursed. What ends too early ends with the
 * text. CR, LF and NUL never come out: they are folding or damage. */
#ifndef STORAGE_MAIL_TOKEN_H
#define STORAGE_MAIL_TOKEN_H

#include "core/buf.h"
#include "core/str.h"

static inline bool token_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline bool token_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool token_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Takes white space and comments (CFWS); true if there were any. The text of the last comment, without its own
 * parentheses and quoting, replaces what is in `comment`; NULL if nobody wants it. */
bool token_space(struct str *left, struct buf *comment);

/* Takes a quoted string, which *left begins with, and adds what it means to `out`; NULL skips it. */
void token_quoted(struct str *left, struct buf *out);

/* Adds text without CR, LF and NUL. */
void token_add(struct buf *out, struct str text);

#endif
