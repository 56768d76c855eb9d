/* imap_pattern.h - LIST's patterns (RFC 3501, 6.3.8): `*` is any run of bytes, `%` any run without '/'. */
#ifndef PROTOCOLS_IMAP_PATTERN_H
#define PROTOCOLS_IMAP_PATTERN_H

#include "core/str.h"

#define PATTERN_BYTES_MAX 1023 /* wildcards side by side count once */

/* Whatever the pattern, a name costs no more than its length times a few words: all places in the pattern that the name so
 * far can have come to are kept as bits, and move on together. */
struct pattern;

struct pattern *pattern_new(struct str text);                /* NULL: too long, no mailbox has a name that fits */
bool pattern_fits(const struct pattern *p, struct str name); /* INBOX fits in any case of letters */
void pattern_free(struct pattern *p);                        /* NULL is fine */

#endif
