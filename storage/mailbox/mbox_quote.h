/* mbox_quote.h - what another program wrote is copied to where each message has our own prefix: there a line of a body that
 * begins with "From " is quoted (mboxrd), as its reader takes for granted. In a file whose messages end where their
 * Content-Length says, and in many a careless one, it is not. What a client gets stays the same, byte for byte. */
#ifndef STORAGE_MAILBOX_MBOX_QUOTE_H
#define STORAGE_MAILBOX_MBOX_QUOTE_H

#include "core/buf.h"

struct mbox_quoting {     /* zeroed: at the beginning of a body */
	unsigned matched; /* bytes of "From " at the start of a line, which are kept back */
	uint64_t added;
};

/* Whether a prefix is of our making: the text behind it has all quotes that it needs. */
bool mbox_prefix_is_ours(struct str prefix);

/* Appends the next piece of a body, of any size, to out. */
void mbox_quote(struct mbox_quoting *q, struct str bytes, struct buf *out);
void mbox_quote_end(struct mbox_quoting *q, struct buf *out); /* appends what was kept back */

#endif
