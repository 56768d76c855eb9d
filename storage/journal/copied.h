/* copied.h - a store that may not know all that it gave: a copy of one, or one whose journal is missing or damaged.
 * A running store is copied by any tool, file after file. What was acknowledged before the copy began is in it; of what
 * came meanwhile some is, and the original gave UIDs of which the copy knows nothing. So in a copy every mailbox skips
 * UIDS_SKIPPED UIDs when it is next loaded, and its index, read while it was written, is not believed.
 *
 *   journal/place   which file it is itself (inode and time of birth): a copy of it says something else
 *   journal/skip    a clock: mailboxes whose own is lower have yet to skip
 *
 * Both are lines of text. A store without `place` is taken for what it seems to be. */
#ifndef STORAGE_JOURNAL_COPIED_H
#define STORAGE_JOURNAL_COPIED_H

#include "core/err.h"
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

#define UIDS_SKIPPED 10000

enum place_is {
	PLACE_OURS,
	PLACE_UNNOTED, /* ours as far as one can tell; it is to be noted */
	PLACE_OTHER,   /* this is a copy, or a journal is missing */
};
/* How many journals the directory of journals has. It is read from its beginning, and can be then. */
unsigned journals_count(DIR *list);
/* journals: how many are there. */
enum err place_look(int directory, unsigned journals, enum place_is *place);
/* Notes that this is the store, with so many journals. Durable. */
enum err place_note(int directory, unsigned journals);
/* A journal was begun: it is noted, too, if others are. Durable. */
enum err place_raise(int directory);

/* From now on each mailbox skips. Durable. */
enum err skip_ask(int directory);
enum err skip_read(int directory, uint64_t *clock); /* 0: nobody has to */

/* Does the store have mailboxes that were ours once? For one that has no journal at all. */
bool store_has_mailboxes(int directory);

/* The files of a copy may end anywhere. Cut off the mbox of this stem: a last message of ours that is not whole. What is
 * cut stays beside it as <file>.damaged.<n>, and is logged. A message of others that lacks its empty line is whole. cut:
 * how many bytes that was. */
enum err copied_mbox_mend(int directory, const char *stem, uint64_t *cut);
/* The same without cutting: where in its first `length` bytes the part begins that is not whole, or their end. */
enum err copied_whole_end(int directory, const char *stem, uint64_t length, uint64_t *end);
/* As copied_mbox_mend, of a file by its path, which is a state file, whose last line that is, or an mbox. */
enum err copied_tail_mend(int directory, const char *path, uint64_t *cut);

#endif
