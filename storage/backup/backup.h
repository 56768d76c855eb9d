/* backup.h - a consistent copy of the store in a directory of its own, taken while it serves.
 *   DIR/manifest                          written last: what has none is no backup
 *   DIR/domains/<domain>/<account>/...    as in the store; account.files tells how long each file was
 *   DIR/queue/<number>/...                and queue/files.<worker> the same of the queue
 * Files of mailboxes and of the queue are hard links: a generation only grows, so a link and a length are its state at one
 * moment, which cost nothing. Where the file system allows none, or none is wanted, they are copies. Small files are copies. There is no
 * journal and no index: what was acknowledged before is in the files, for each owner looks at its mailboxes when
 * nothing is under way in them, one after the other. A server is started on a copy of DIR (backup_settle), never on DIR
 * itself, whose files are the store's. */
#ifndef STORAGE_BACKUP_BACKUP_H
#define STORAGE_BACKUP_BACKUP_H

#include "core/call.h"
#include "core/str.h"

struct worker;
struct backup;

struct backup_total {
	uint64_t accounts, files, bytes; /* bytes: of the state that is kept, also by links */
};

/* why: what the asker may be told of an error; valid until done returns. t: what is there by then. */
typedef void backup_done(void *user, enum err e, const struct backup_total *t, struct str why);

/* directory: absolute; there, empty, ours to write in, and not within the store. account: canonical; "": all of them.
 * copies: no links. When done says OK the backup is whole and durable. */
struct backup *backup_new(
	struct worker *w, struct str directory, struct str account, bool copies, backup_done *done, void *user);
/* What was begun is left unfinished. NULL is fine; not from inside done, after which it is gone. */
void backup_free(struct backup *b);
const struct backup_total *backup_total(const struct backup *b); /* until now */
struct str backup_place(const struct backup *b);                 /* the account it is at; "" : none */

/* The owner's part: one account. */
struct call *store_backup(
	struct worker *w, struct str address, struct str directory, bool copies, backup_done *done, void *user);
/* A worker's: its queue. */
struct call *store_backup_worker(
	struct worker *w, unsigned slot, struct str directory, bool copies, backup_done *done, void *user);

/* At a start, before anything is read. A store that is a copy of a backup gets the state that the backup tells of, and is
 * a store from then on. ERR_NEVER: it is a backup itself, or one that was not finished: no server may run on it. */
enum err backup_settle(int directory);

#endif
