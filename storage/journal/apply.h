/* apply.h - doing to the files what an entry of the journal says: after its sync, and again in replay.
 * Runs in the files lane (or in the recovering process), touches nothing but files. Keeps a bounded number of files
 * open. Every operation done twice is the same as done once. Nothing is synced here but by a sync_list, at a
 * checkpoint. A failure is logged, once a minute while it lasts; it is ERR_NEVER if trying again cannot help. */
#ifndef STORAGE_JOURNAL_APPLY_H
#define STORAGE_JOURNAL_APPLY_H

#include "core/buf.h"
#include "core/err.h"
#include <sys/stat.h>

struct files;
struct operation;
struct stamp;

struct files *files_new(int directory); /* which stays the caller's */
void files_free(struct files *f);       /* NULL is fine */

/* --- mailboxes that other programs write to, too: apply_mailbox.c ------------------------------------------------ */

/* Before an entry is applied: the mboxes that it writes to or replaces are locked, if that is wanted, until files_release.
 * again: the entry may have been applied before, or a part of it. False: another program has one locked; nothing is held. */
bool files_claim(struct files *f, struct str operations, bool again);
void files_release(struct files *f);
/* Another program's lock file appeared while the last entry was applied without one of ours: that program may write back
 * what it read before, so the entry is to be applied again when it is done. */
bool files_disturbed(const struct files *f);
/* From now on entries were all applied: what is not where it was is left alone. */
void files_write_again(struct files *f, bool again);
/* Replay at the start: where entries that follow stand tells where one belongs that is missing: apply_find.c. ahead: by how much
 * the next entry for this mbox that is there has moved; false: none is. */
typedef bool files_ahead(void *user, struct str path, uint64_t *shift);
void files_look_ahead(struct files *f, files_ahead *ahead, void *user);
void files_displaced(struct files *f, struct str path, bool displaced); /* whether entries are not where they say */
bool files_moved(const struct files *f, struct str path);               /* entries found another place in it */
/* Whether the operation, a write to an mbox, stands elsewhere or is what the mbox ends in: by how much it has moved, modulo
 * 2^64. surely: a few bytes that may be of another do not tell. Not, if another program wrote it anew. left: bytes that may
 * still be read for it, more or less, from which those are taken that were. */
bool files_find(struct files *f, const struct operation *op, bool surely, uint64_t *left, uint64_t *shift);
/* lock: by fcntl, and others' lock files (dot_lock.h) are heeded; dot_locks: we make such, too. Neither, at first. */
void files_lock_mailboxes(struct files *f, bool lock, bool dot_locks);
bool file_lock(int fd, short type); /* F_RDLCK, F_WRLCK, F_UNLCK; false: another program has it */
/* Whether another program has the mbox locked that nothing of ours is under way in, if locks are heeded. */
bool files_locked(struct files *f, struct str path);
/* Looks after files just replaced: true: it should be called again in a moment. */
bool files_rescue(struct files *f);
/* Appends the ids (of 8 bytes) of mailboxes in which others were found to have written since the last time. */
void files_take_changed(struct files *f, struct buf *out);
/* Whether the file is as we left it; also if that is not known any more. */
bool files_same(struct files *f, struct str path);
/* Whether somebody put an older file in its place since this was asked last: its times were set, to before we wrote to it
 * last, as whatever restores files does, and who writes mail does not. */
bool files_put_back(struct files *f, struct str path);
void files_know(struct files *f, struct str path, const struct stamp *stamp); /* as we leave it; NULL: nobody knows */
enum err stamp_read(int directory, struct str path, struct stamp *stamp);     /* of a file; zeros: there is none */
struct stamp stamp_of(const struct stat *st);
bool stamp_same(const struct stamp *a, const struct stamp *b);
/* Whether a new generation comes too late: what it was made of is not what it would replace. Then it is given up. */
bool files_too_late(const struct files *f, struct str operations, bool crashed);
/* Whether what op of that entry removes stays: the other form of the mailbox, for which it would go, is not there. */
bool files_keeps_form(const struct files *f, struct str operations, const struct operation *op);
enum err files_give_up(struct files *f, struct str operations);

/* --- entries ------------------------------------------------------------------------------------------------------- */

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
