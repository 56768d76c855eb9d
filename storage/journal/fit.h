/* fit.h - where a write of the journal belongs in files that are not as it left them.
 * A store that was copied while it ran has each file as of another moment: an mbox may be shorter than the journal says,
 * of an earlier generation or a later one, under the name it had before, or gone. What the journal holds is put where it
 * fits, and nothing that is there is damaged:
 *   - a write behind the end of a file goes to its end, and those that follow it behind it: there are no holes;
 *   - a write to a later generation than the file's goes to its end, one to an earlier generation is in it;
 *   - a write to a mailbox that is not there under this name, or a message whose spooled bytes are gone, is left out.
 * Messages and lines of state bear all that they say in themselves, so their place in the file says nothing. */
#ifndef STORAGE_JOURNAL_FIT_H
#define STORAGE_JOURNAL_FIT_H

#include "core/err.h"
#include "storage/journal/operation.h"

struct fits; /* what is known of the files */

/* store: its directory. copy: it is one; else only the first rule holds, for a journal with damage. */
struct fits *fits_new(int store, bool copy);
void fits_free(struct fits *f); /* NULL is fine */

/* Before the operations of each entry, which they are. */
void fits_begin(struct fits *f, uint64_t sequence, struct str entry);
/* Whether it is to be done; then op->offset says where. For OP_WRITE and OP_SPOOL. settled: it was, by the original's
 * word. */
bool fits_write(struct fits *f, struct operation *op, bool settled, enum err *e);
/* The same of OP_RENAME and OP_REMOVE in a copy. */
bool fits_rename(struct fits *f, const struct operation *op);
bool fits_remove(struct fits *f, const struct operation *op);
/* A new generation takes the place of the old: <path> is <other>.<number>. */
bool fits_is_generation(const struct operation *op);

#endif
