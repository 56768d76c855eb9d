/* restore.h - bringing back from a backup (backup.h) an account, a mailbox or a message, into the serving store.
 * The worker that is asked copies the files beside where they are to be, under a name that no account has, in slices in
 * its slow lane; then their owner puts them in their place by an entry of his journal, or appends the message. The
 * backup is only read. UIDs, UIDVALIDITY, flags, keywords and dates are those of the backup, and UIDs skip ahead
 * (copied.h): what was given since is not given again. */
#ifndef STORAGE_BACKUP_RESTORE_H
#define STORAGE_BACKUP_RESTORE_H

#include "core/call.h"
#include "core/str.h"

struct worker;
struct restore;

struct restore_ask {
	struct str directory; /* of the backup, absolute */
	struct str account;   /* canonical, in the backup */
	struct str mailbox;   /* "": all of the account */
	uint32_t uid;         /* 0: all of the mailbox */
	struct str to; /* another name for the account, or for the mailbox; the mailbox that the message goes into */
	bool merge;    /* the account may be there: mailboxes that are, too, come back below RESTORED */
	bool replace;  /* the mailbox may be there, and is no more then */
};
#define RESTORED "Restored/" /* before the name of a mailbox that is there already */

struct restore_total {
	uint64_t mailboxes, messages, bytes;
};
/* why: what the asker may be told of an error; with OK: what of the backup was not whole, so that not all came back, or
 * empty. name: what was brought back is called so. ERR_EXISTS: that is there. */
typedef void restore_done(void *user, enum err e, const struct restore_total *t, struct str name, struct str why);

struct restore *restore_new(struct worker *w, const struct restore_ask *ask, restore_done *done, void *user);
void restore_free(struct restore *r); /* what was not put in its place goes; NULL is fine; not from inside done */
const struct restore_total *restore_total(const struct restore *r);

#endif
