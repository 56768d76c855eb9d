/* form.h - the stored form of a message, and back.
 * On the wire lines end in CRLF. In an mbox they end in LF, a line that begins with any number of '>' and "From " has
 * one '>' more (mboxrd), and header fields of the mailbox's own (X-UID, Status, X-Status, X-Keywords, X-IMAPbase,
 * X-IMAP, X-Postern) are not there: a message that arrives bearing them has them removed, folded lines included.
 * Encoding takes bytes in any pieces; the result does not depend on how they were cut. A message that does not end
 * in a line end is given one. Decoding gives exactly what came, but for those two; an LF that has its CR already, which only
 * files of other programs have, is left as it is. */
#ifndef STORAGE_MAIL_FORM_H
#define STORAGE_MAIL_FORM_H

#include "core/buf.h"
#include "core/err.h"

enum form_lines {
	FORM_STRICT,    /* a bare CR, a bare LF or a NUL is ERR_MISTAKE */
	FORM_NORMALISE, /* each bare CR or LF is a line end; a NUL is ERR_MISTAKE */
};

struct form_size {
	uint64_t stored;      /* bytes as stored */
	uint64_t wire;        /* bytes with CRLF: RFC822.SIZE */
	uint64_t header;      /* stored bytes of the header, its blank line included; all if there is none */
	uint64_t wire_header; /* the same with CRLF */
	uint64_t lines;
};

struct form { /* an encoder; zeroed but for `lines` is a new one */
	enum form_lines rule;
	struct form_size size;
	struct buf line; /* the line so far, while it may still need quoting or removing */
	unsigned state;
};

enum err form_feed(struct form *f, struct str bytes, struct buf *out);
enum err form_end(struct form *f, struct buf *out); /* the size is final then */
void form_free(struct form *f);

/* Decoding. `at_line_start` starts true and is carried between pieces; a piece may end anywhere but the caller keeps back
 * what form_decode did not take (part of ">From " or a CR at its end, never more than 5 bytes): it answers how many bytes it took.
 * last: nothing follows, take all. */
size_t form_decode(struct str stored, bool *at_line_start, bool last, struct buf *out);

/* Whether a line of a header is one of the mailbox's own fields: their names in any case, white space, a colon. Name
 * and colon stand in the line's first FORM_FIELD_MAX bytes, or the line is not one. *value, if wanted, is trimmed. */
enum form_field {
	FORM_OTHER,
	FORM_UID,      /* X-UID */
	FORM_STATUS,   /* Status */
	FORM_XSTATUS,  /* X-Status */
	FORM_KEYWORDS, /* X-Keywords */
	FORM_BASE,     /* X-IMAPbase */
	FORM_FOLDER,   /* X-IMAP: the same, in a first message that is none but this */
	FORM_POSTERN,  /* X-Postern */
	FORM_PARTIAL,  /* the line is too short to tell: only if it is not whole */
};
#define FORM_FIELD_MAX 32
enum form_field form_field_of(struct str line, bool whole, struct str *value);

#endif
