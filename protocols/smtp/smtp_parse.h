/* smtp_parse.h - the syntax of SMTP's command lines (RFC 5321, 4.1.1 and 4.1.2): bytes in, spans out, no I/O. */
#ifndef PROTOCOLS_SMTP_PARSE_H
#define PROTOCOLS_SMTP_PARSE_H

#include "core/arena.h"
#include "storage/mail/address.h"

struct smtp_line {
	struct str verb; /* "MAIL"; spans lie in the bytes parsed */
	struct str rest; /* what follows it, without white space around */
};

/* One line at the front of bytes: how many bytes it took, its CRLF included; 0: more must come; -1: this can never be a
 * line, for it ends in LF alone or has a NUL or a CR within. *size: how many bytes it has with its LF, or so far. */
ptrdiff_t smtp_parse_line(struct str bytes, struct smtp_line *line, size_t *size);

#define SMTP_PARAMETERS_MAX 10

struct smtp_parameter {
	struct str name, value; /* esmtp-keyword, esmtp-value; value "" without one */
};

struct smtp_path_line { /* "FROM:<a@b.test> SIZE=10 BODY=8BITMIME" */
	struct address_path path;
	struct smtp_parameter parameters[SMTP_PARAMETERS_MAX];
	size_t count;
};

/* word: "FROM:" or "TO:". allow: as address_path. ERR_MISTAKE: not of this syntax; ERR_TOO_BIG: too long a path. */
enum err smtp_parse_path(struct str rest, struct str word, unsigned allow, struct arena *a, struct smtp_path_line *out);

/* "1000 LAST": what stands behind BDAT (RFC 3030, 2). False: it is not of this syntax. */
bool smtp_parse_chunk(struct str rest, uint64_t *size, bool *last);

#endif
