/* imap_listing.h - what LIST and LSUB are asked for and which names they tell of (RFC 3501, 6.3.8 and 6.3.9; LIST-EXTENDED
 * of RFC 5258; SPECIAL-USE of RFC 6154; LIST-STATUS of RFC 5819). No I/O. */
#ifndef PROTOCOLS_IMAP_LISTING_H
#define PROTOCOLS_IMAP_LISTING_H

#include "protocols/imap/imap_args.h"
#include "protocols/imap/imap_pattern.h"

#define LIST_PATTERNS_MAX 16 /* in one LIST */

enum { /* options of either kind, bits */
	LIST_SUBSCRIBED = 1,
	LIST_REMOTE = 2, /* there are none elsewhere: it changes nothing */
	LIST_RECURSIVE = 4,
	LIST_SPECIAL_USE = 8,
	LIST_CHILDREN = 16, /* told in any case */
};

struct listing {
	bool lsub, extended;
	unsigned selects, returns;
	unsigned status_items; /* 0: no STATUS is wanted (imap_status.c) */
	struct str reference, patterns[LIST_PATTERNS_MAX];
	size_t count;
	struct pattern *compiled[LIST_PATTERNS_MAX];
};

/* What stands behind the command's word; false: a is bad. Spans lie in the command or in its arena. */
bool listing_parse(struct args *a, bool lsub, struct listing *l);
/* Before lines are chosen. False: a pattern is longer than any name, or they are together, and comparing would take long.
 * Either way listing_end frees what it made. */
bool listing_begin(struct listing *l, struct arena *arena);
void listing_end(struct listing *l);

struct listing_line {
	bool told;
	bool noselect;
	bool child_info; /* something below it fits the selection */
};

/* entries are all that the account has, by name. */
struct listing_line listing_line(
	const struct listing *l, const struct mailbox_entry *entries, size_t count, size_t place);
/* "(\HasNoChildren \Sent) "/" "Sent"" and extended data: a LIST response without its word and line end. */
void listing_write(
	const struct listing *l, const struct mailbox_entry *entry, const struct listing_line *line, struct buf *out);

/* imap_status.c: "(MESSAGES UNSEEN)" as bits; 0: a is bad. */
unsigned args_status_items(struct args *a);

#endif
