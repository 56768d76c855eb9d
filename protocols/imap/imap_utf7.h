/* imap_utf7.h - mailbox names on IMAP's wire: modified UTF-7 (RFC 3501, 5.1.3), UTF-8 within. */
#ifndef PROTOCOLS_IMAP_UTF7_H
#define PROTOCOLS_IMAP_UTF7_H

#include "core/buf.h"
#include "core/err.h"

/* Appends the UTF-8 form. ERR_MISTAKE: it is not modified UTF-7 as it must be written: 8-bit bytes, a broken or
 * needless base64 run, half a surrogate pair. (UTF-8 as it is, which many clients send, is taken if it is right.) */
enum err utf7_decode(struct str name, struct buf *utf8);
/* Appends the modified UTF-7 form of what is UTF-8. */
void utf7_encode(struct str utf8, struct buf *out);

#endif
