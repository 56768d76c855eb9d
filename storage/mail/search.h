/* search.h - texts looked for in a message: in fields of its header, in its body, or in all of it.
 * What is compared is what a reader would see: encoded words decoded (RFC 2047), transfer encodings undone, everything in
 * UTF-8 and folded, so that neither case nor the way an accent is written matters (i;unicode-casemap of RFC 5051). The body
 * is its text parts, and the same of the messages in it, with their headers. It is fed in one pass over the wire bytes,
 * in any pieces, once the tree of its parts is known; memory is a piece and the longest text. */
#ifndef STORAGE_MAIL_SEARCH_H
#define STORAGE_MAIL_SEARCH_H

#include "core/buf.h"
#include "storage/mail/mime.h"

enum search_in {
	SEARCH_FIELD,     /* the header's fields of one name */
	SEARCH_ADDRESSES, /* the same; their addresses also as they are written plainly */
	SEARCH_BODY,
	SEARCH_TEXT, /* the body and every header */
};

struct search_text {
	enum search_in in;
	struct str name; /* of the fields */
	struct str text; /* folded; empty: is there in any field of that name, and in every body */
	bool found;      /* set once it is */
};

/* Adds UTF-8 as it is compared. No character changes with what stands beside it. */
void search_fold(struct str utf8, struct buf *out);

/* Looks for texts in a message's own header, a block as header.h has them. */
void search_header(struct search_text *texts, size_t count, struct str block);

/* Looks for those of SEARCH_BODY and SEARCH_TEXT in all of the message but its own header. Texts and tree must outlive it. */
struct search *search_new(struct search_text *texts, size_t count, const struct mime_part *root);
void search_feed(struct search *g, struct str bytes); /* of the message, from its start */
void search_free(struct search *g);                   /* NULL is fine; what was not found by then is not there */

#endif
