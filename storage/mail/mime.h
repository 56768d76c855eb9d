/* mime.h - the structure of a message (RFC 2045, 2046), found in one pass over its bytes.
 * The bytes come in any pieces, in the form in which a client sees them (CRLF; bare LF works too), and the tree is the
 * same however they were cut. All positions count bytes as fed, from 0. Every message has a tree: what is broken, or
 * beyond the limits, is the opaque body of a leaf, never an error. Memory is the tree, in the caller's arena, and one
 * header; both are bounded by the limits, whatever is fed.
 *
 * Always: a MULTIPART has at least one child, a MESSAGE exactly one, a LEAF none; only a MULTIPART has the type
 * multipart, only a MESSAGE message/rfc822 or message/global. A child lies within its parent's body; siblings stand
 * in order and do not overlap. */
#ifndef STORAGE_MAIL_MIME_H
#define STORAGE_MAIL_MIME_H

#include "storage/mail/content.h"
#include "storage/mail/envelope.h"

#define MIME_BOUNDARY_MAX 250 /* octets; RFC 2046 allows 70, some write more; beyond, it is none */

struct mime_limits {
	unsigned depth;      /* parts one inside the other */
	unsigned parts;      /* of the tree */
	unsigned fields;     /* of a header; later ones are not looked at */
	size_t header_bytes; /* of a header; later ones are not looked at */
	size_t kept_bytes;   /* of the arena; once they are used, no more headers are looked at */
};
extern const struct mime_limits mime_limits; /* what suits a server: a few megabytes at the very most */

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE };

/* A part; or a message, the one fed as well as the child of a MESSAGE. */
struct mime_part {
	struct mime_part *parent, *first, *last, *next; /* first and last child; next sibling */
	unsigned number;                                /* among its siblings, from 1 */
	unsigned depth;                                 /* the root has 1 */
	enum mime_kind kind;
	struct content content;
	struct envelope *envelope;     /* of a message; else NULL */
	uint64_t header_start;         /* its header, blank line included, ends where the body starts */
	uint64_t body_start, body_end; /* without the line end that belongs to a delimiter behind it */
	uint64_t lines;                /* line ends in the body */
	struct str boundary;           /* the parser's: of an open MULTIPART */
};

struct mime; /* a parse under way */

/* The limits must outlive it. What the caller takes from the arena meanwhile counts as kept. */
struct mime *mime_new(struct arena *a, const struct mime_limits *limits);
void mime_feed(struct mime *m, const void *bytes, size_t len);
const struct mime_part *mime_end(struct mime *m); /* the root; the parse is freed, the tree lives in the arena */
void mime_free(struct mime *m);                   /* gives a parse up; NULL is fine */

/* The next part in the order of their numbers, children first; NULL after the last of root's. */
const struct mime_part *mime_next(const struct mime_part *root, const struct mime_part *part);

/* The part that a section's numbers mean (RFC 3501, 6.4.5), 1.2.3 as { 1, 2, 3 }; no numbers: the root. NULL: none.
 * Part 1 of a message that is no multipart is its body; below a MESSAGE the numbers are its content's. */
const struct mime_part *mime_find(const struct mime_part *root, const unsigned *numbers, size_t count);

enum mime_section {
	MIME_WHOLE,   /* [] and [n]: the message; a part's body */
	MIME_HEADER,  /* [HEADER] and [n.HEADER]: a message's; of a part only if it is a MESSAGE */
	MIME_TEXT,    /* [TEXT] and [n.TEXT]: the body of the same */
	MIME_HEADERS, /* [n.MIME]: the part's own header */
};

/* Where the bytes of a section are: [*start, *end). False: there is none such. */
bool mime_section(const struct mime_part *root, const unsigned *numbers, size_t count, enum mime_section section,
	uint64_t *start, uint64_t *end);

#endif
