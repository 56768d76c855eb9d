/* moved.h - the paths that renames since the last checkpoint took away.
 * Such a path may not be made again before a checkpoint: replay takes its absence to mean that the rename was done
 * (replay.c), and would move the new file in the old one's stead. The journal makes such entries wait. */
#ifndef STORAGE_JOURNAL_MOVED_H
#define STORAGE_JOURNAL_MOVED_H

#include "core/str.h"

#define MOVED_MAX 20000 /* paths; more renames wait for a checkpoint too */

struct moved;

struct moved *moved_new(void);
void moved_free(struct moved *m); /* NULL is fine */

void moved_add(struct moved *m, struct str operations, uint64_t sequence);
void moved_checkpoint(struct moved *m, uint64_t checkpoint); /* forgets entries before it */
/* Whether an entry of these operations must wait for a checkpoint. */
bool moved_blocks(const struct moved *m, struct str operations);
/* Whether an entry makes again what it renamed itself: a mistake of whoever made it. */
bool moved_contradicts(struct str operations);

#endif
