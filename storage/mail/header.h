/* header.h - the fields of a message's header (RFC 5322, 2.2), read where they lie.
 * A header block is bytes up to and with the blank line, or as far as they go; lines end in CRLF or LF. Walking takes
 * no memory and one pass over the block, whatever is in it, and loses nothing: the `whole` of all fields, one behind
 * the other, is the block up to its blank line. A line that is no field (no colon, no name, a name with a space or a
 * byte beyond ASCII in it, a continuation of nothing) comes as a field without a name. */
#ifndef STORAGE_MAIL_HEADER_H
#define STORAGE_MAIL_HEADER_H

#include "core/arena.h"
#include "core/str.h"

struct header_field {
	struct str name;  /* as written, without the white space some put before the colon; len 0: no field */
	struct str value; /* all behind the colon, folding and all, without the last line end */
	struct str whole; /* name, colon, value and line ends: the bytes as they lie */
};

struct header_walk {
	struct str left;
};

/* Bytes of the header at the front of a message, blank line included; all of them if no line is blank. */
size_t header_size(struct str message);

struct header_walk header_walk(struct str block);

/* The next field; false at the blank line or the end of the bytes. Spans point into the block. */
bool header_next(struct header_walk *w, struct header_field *field);

/* The first field of that name (case does not matter); false if there is none. */
bool header_find(struct str block, const char *name, struct header_field *field);

/* A value on one line: line ends and NULs dropped, white space at both ends too (RFC 5322, 2.2.3). A span of the
 * value itself where that needs no change, else a copy in the arena, never longer than the value. */
struct str header_unfold(struct arena *a, struct str value);

#endif
