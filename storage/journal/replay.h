/* replay.h - writing to the files again what the journal holds.
 * It first learns what must not be done again: writes to a mailbox before it was settled, and whatever concerned a
 * path before it was moved away or replaced, if that move is done already. Then it does all else in order, entry by
 * entry. Then every file written ends where the journal's last write to it ended: what a crash left behind that was
 * never promised; but in a file of a mailbox what others wrote there meanwhile stays. What is to be written to a mailbox
 * that another program has locked becomes a file of its own (parked.c). */
#ifndef STORAGE_JOURNAL_REPLAY_H
#define STORAGE_JOURNAL_REPLAY_H

#include "storage/journal/apply.h"
#include "storage/journal/base.h"

struct marks;

/* Makes journal directory `dir` (of the store `store`) empty: replays it, syncs, gives it a new base, which is left
 * in *b with the remembered names. ERR_AGAIN: the disk does not allow it now. ERR_NEVER: it
 * is of a later version. One whose base is lost is set aside. */
enum err replay(int store, int dir, struct base *b, struct names *names);
/* The same where the store is a copy (copied.h): what fits into the files is put there (fit.h), also from before the last
 * checkpoint, and no names are remembered. */
enum err replay_copy(int store, int dir, struct base *b, struct names *names);
/* In the files lane of a serving worker, after a failed sync: the writes of entries from..upto, which were all
 * applied but for those in `parked` (by their sequences), are written again by f where they were. */
enum err replay_again(
	int dir, struct files *f, uint64_t life, uint64_t from, uint64_t upto, const struct marks *parked);

/* Saves an entry that cannot be applied as journal/<slot>/aside.<sequence>, with a loud log line. */
enum err entry_set_aside(int dir, uint64_t sequence, struct str operations, const char *why);

#endif
