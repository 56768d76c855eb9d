/* mdir.h - the other form of a mailbox, for large messages: a file for each, <stem>.mdir/<UID>.
 * Such a file is an mbox of one message: postmark, X-IMAPbase, X-UID and so on, then the message. What is there to say of
 * messages afterwards stands in the state file, as with an mbox; its head says that this is an mdir.
 * Always: (1) a file that is whole never changes; (2) the name is the UID, whatever the file says; (3) a UID is in the
 * state file before anybody is told of it. In records `mbox_end` counts the files that are there, and `garbage` those of
 * them that are expunged: compaction unlinks these and leaves all others alone. */
#ifndef STORAGE_MAILBOX_MDIR_H
#define STORAGE_MAILBOX_MDIR_H

#include "core/buf.h"
#include "core/err.h"
#include <sys/stat.h>

#define MDIR_SUFFIX ".mdir"

void mdir_path(struct buf *out, const char *stem, uint32_t uid); /* appended, and a NUL that is not counted */
int mdir_open(int directory, const char *stem, uint32_t uid);    /* to be read; -1: errno says why */
bool mdir_uid(struct str name, uint32_t *uid);                   /* the name is one of a message */
/* "domains/.../Big.mdir/17": then *folder is "domains/.../Big.mdir". */
bool mdir_is_file(struct str path, struct str *folder);

/* "Big.mdir" and "Big.mbox", either way. */
bool mdir_other_form(struct str one, struct str other);

/* What is in it. Blocks, as does what follows. ERR_ABSENT: there is no such directory. */
struct mdir_list {
	uint32_t *uids; /* ascending */
	size_t count;
	struct buf others; /* names of others, each with its NUL; not those that begin with a dot, or were set aside */
};
enum err mdir_list_read(int directory, const char *stem, struct mdir_list *l);
void mdir_list_free(struct mdir_list *l);

/* Whether a file that somebody put there is taken to be whole: it has been as it is for a while. */
bool mdir_is_settled(const struct stat *st);
/* One is there that is not, so the mdir is to be looked at again soon. */
bool mdir_is_settling(int directory, const char *stem);

/* All that was written to this directory is durable, names included; OK if it is not there. ERR_AGAIN. */
enum err mdir_sync(int directory, const char *folder);
/* It goes with its files, if it is there. */
void mdir_drop(int directory, const char *folder);

#endif
