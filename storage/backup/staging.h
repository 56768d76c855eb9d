/* staging.h - the folders in which what is brought back is made ready, beside the accounts:
 *   domains/<domain>/.restoring-<worker's slot>-<its life>-<a random word of this server's life>-<number>
 * So everybody can tell whether whoever made one still lives. One that is left over goes when something is brought back
 * in that domain again, and fsck tells of it. Blocking: for lanes. */
#ifndef STORAGE_BACKUP_STAGING_H
#define STORAGE_BACKUP_STAGING_H

#include "core/buf.h"
#include "core/worker.h"

void staging_name(struct buf *out, const struct worker *w, uint64_t number);
/* Calls each for those in the domain's directory (relative to the store) that nobody uses any more. */
void staging_left(const struct worker *w, const char *domain, void (*each)(void *user, const char *path), void *user);
/* One goes to where it is unlinked in time. False: it cannot, the log says why. */
bool staging_drop(const struct worker *w, const char *path);

#endif
