/* state.h - what changed in a mailbox since its mbox was written: lines of text beside it, in NAME.state.
 *   postern-state 1 id=<hex> generation=<n> uidvalidity=<n> uidnext=<n> clock=<n>    (2, and form=mdir: of an mdir)
 *   flags <uids> <flags> <keywords> <clock>        1:3,7 SA $Forwarded,work 123456     ("-" for none)
 *   expunge <uids> <clock>
 *   set <name>=<value> <clock>                     uidnext; annotations later
 * Flags are S(een) A(nswered) F(lagged) D(eleted) T (draft). In keywords, names and values what would end or split
 * them is written %XX. A line is absolute: read twice it says the same as once, and lines about messages that are not
 * there say nothing. So an older state file beside a newer mbox does no harm. The first line is made with the mailbox;
 * a line that cannot be understood is told, skipped, and costs itself. A higher version than 2 is refused. */
#ifndef STORAGE_MAILBOX_STATE_H
#define STORAGE_MAILBOX_STATE_H

#include "storage/mailbox/mbox.h"

struct state_head {
	uint64_t id;
	uint32_t generation;
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t clock;
	bool mdir; /* mdir.h; else there is an mbox */
};

struct uid_range {
	uint32_t first, last;
};

void state_print_head(struct buf *out, const struct state_head *h);
/* One line for messages that all get these flags and keywords. uids: ascending, not empty; neighbours are merged. */
void state_print_flags(struct buf *out, const struct uid_range *uids, size_t count, uint32_t flags, uint64_t keywords,
	const struct keywords *k, uint64_t clock);
void state_print_expunge(struct buf *out, const struct uid_range *uids, size_t count, uint64_t clock);
void state_print_set(struct buf *out, struct str name, struct str value, uint64_t clock);

struct state_events { /* NULL: the reader does not care */
	void (*on_flags)(void *user, const struct uid_range *uids, size_t count, uint32_t flags, uint64_t keywords,
		uint64_t clock);
	void (*on_expunge)(void *user, const struct uid_range *uids, size_t count, uint64_t clock);
	void (*on_set)(void *user, struct str name, struct str value, uint64_t clock);
	void (*on_amiss)(void *user, size_t at, struct str line); /* not understood, `at` bytes behind the first */
};

/* Reads lines from `bytes` (the whole file, or its tail from a line's start on); the head, if the bytes begin with one, goes
 * to *head, else *head is left alone. UIDs told are ascending ranges that do not touch; keywords that are new get a
 * place in k, those that get none are left out. Answers how many bytes were whole lines; a torn last line is left.
 * ERR_NEVER through *e: refused, nothing was told. */
size_t state_read(struct str bytes, struct state_head *head, struct keywords *k, const struct state_events *ev,
	void *user, enum err *e);

#endif
