/* imap_write.h - texts as IMAP's responses have them (RFC 3501, 9). */
#ifndef PROTOCOLS_IMAP_WRITE_H
#define PROTOCOLS_IMAP_WRITE_H

#include "core/buf.h"
#include "storage/mailbox/state.h"

#define QUOTED_BYTES_MAX 1000 /* longer strings are literals: some clients read quoted ones line by line */

void imap_write_string(struct buf *out, struct str s);  /* quoted if it can be, else a literal */
void imap_write_nstring(struct buf *out, struct str s); /* NIL for p NULL */
void imap_write_astring(struct buf *out, struct str s); /* as it is, if it can be */
void imap_write_mailbox(struct buf *out, struct str utf8);
void imap_write_ranges(struct buf *out, const struct uid_range *ranges, size_t count);

#endif
