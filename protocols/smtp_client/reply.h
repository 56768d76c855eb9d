/* reply.h - the syntax of SMTP's replies (RFC 5321, 4.2): a stranger's bytes in, spans out, no I/O. */
#ifndef PROTOCOLS_SMTP_CLIENT_REPLY_H
#define PROTOCOLS_SMTP_CLIENT_REPLY_H

#include "core/buf.h"

#define REPLY_LINE_MAX  2000  /* bytes of a line with its end; RFC 5321 has 512 (4.5.3.1.5), some write more */
#define REPLY_LINES_MAX 100   /* of a reply */
#define REPLY_MAX       32768 /* bytes of a reply */
#define REPLY_WORDS_MAX 1000  /* bytes of it that are kept, for the queue and for reports */

struct reply {
	unsigned code;     /* 200 to 599 */
	struct str lines;  /* all of it, as it came */
	struct str status; /* "5.1.1" (RFC 2034), of the code's class; "" without */
};

/* The reply at the front of bytes: how many bytes it took; 0: more must come; -1: this can never be one. Lines may end in
 * LF alone. */
ptrdiff_t reply_parse(struct str bytes, struct reply *r);

/* Takes the next line of `left`, which begins as r.lines, without code and line end; false: there is none. */
bool reply_line(struct str *left, struct str *text);

/* Adds the reply as people are told it: lines joined by LF, without other control characters, cut at REPLY_WORDS_MAX. */
void reply_words(const struct reply *r, struct buf *out);
/* The same of any bytes, as of what is no reply. */
void reply_clean(struct str bytes, struct buf *out);

static inline unsigned reply_class(const struct reply *r)
{
	return r->code / 100;
}

#endif
