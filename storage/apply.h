/* apply.h - doing to the files what an entry of the journal says: after its sync, and again in replay.
 * Runs in the files lane (or in the recovering process), touches nothing but files. Keeps a bounded number of files
 * open. Every operation done twice is the same as done once. Nothing is synced here but by a sync_list, at a
 * checkpoint. A failure is logged, once a minute while it lasts; it is ERR_NEVER if trying again cannot help. */
#ifndef STORAGE_APPLY_H
#define STORAGE_APPLY_H

#include "core/err.h"
#include "core/str.h"

struct files;
struct operation;

struct files *files_new(int directory); /* which stays the caller's */
void files_free(struct files *f);       /* NULL is fine */

/* All operations of an entry, as packed in the journal. Stops at the first failure; what is ERR_NEVER costs itself
 * alone: the rest is done before that is answered. */
enum err apply_operations(struct files *f, struct str operations);
enum err apply_operation(struct files *f, const struct operation *op);
/* Bytes past `end` are cut off the file, with a log line. Not there, or shorter: nothing to do. */
enum err files_cut(struct files *f, struct str path, uint64_t end);

/* The file systems that hold what was applied so far. Taken in the files lane; the sync may then run in any thread. */
struct sync_list {
	int *fds; /* one of each */
	size_t count;
};
enum err files_sync_list(struct files *f, struct sync_list *l);
/* One syncfs each. OK: all that was applied before files_sync_list is durable. After a failure it is not, and will
 * not be by another sync alone: the kernel has forgotten what it could not write. Gives back the list's memory. */
enum err sync_list_run(struct sync_list *l);

#endif
