/* imap_set.h - sets of messages as a client writes them (RFC 3501, 9: sequence-set): numbers or UIDs, ranges, `*`. */
#ifndef PROTOCOLS_IMAP_SET_H
#define PROTOCOLS_IMAP_SET_H

#include "protocols/imap/imap_args.h"

#define SET_RANGES_MAX 20000

struct set {
	struct uid_range *ranges;
	size_t count;
};

/* The next argument: ranges as written, in the arena, each with first <= last; `*` is UINT32_MAX. */
void args_set(struct args *a, struct set *set);
void set_join(struct set *set);                  /* ascending, and those that touch or overlap are one */
void set_settle(struct set *set, uint32_t last); /* `*` becomes last, n:* holds it even if n is greater; joined */
bool set_holds(const struct set *set, uint32_t number); /* of a joined one */

#endif
