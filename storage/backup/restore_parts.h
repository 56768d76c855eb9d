/* restore_parts.h - what the parts of bringing back from a backup share; nobody else includes it.
 *   restore.c          the worker that is asked: what is to be done, step by step
 *   restore_mailbox.c  a mailbox's files, copied and made ready; a message out of one. In a lane
 *   store_restore.c    the owner: puts in its place what was made ready */
#ifndef STORAGE_BACKUP_RESTORE_PARTS_H
#define STORAGE_BACKUP_RESTORE_PARTS_H

#include "storage/backup/backup_files.h"
#include "storage/backup/restore.h"
#include "storage/mailbox/mailbox.h"

enum { FILE_MBOX, FILE_MDIR, FILE_STATE, FILE_KINDS };

struct staged {                       /* a mailbox being made ready; zeroed but for what is marked `in` */
	char *stem;                   /* in: relative to the account's directory; ours */
	bool has[FILE_KINDS];         /* in: which files the backup has ... */
	uint64_t lengths[FILE_KINDS]; /* in: ... and how long they were */
	struct buf files;             /* in: of an mdir, a list of files; ours */
	bool fresh;                   /* in: it gets an id of its own, for one with its id may be there */
	/* out: */
	uint64_t id, state_end;
	uint32_t uidvalidity, uidnext;
	uint64_t messages, bytes;
	/* while it goes on: */
	enum { STAGE_MBOX, STAGE_MDIR, STAGE_STATE, STAGE_SCAN, STAGE_HEAD, STAGE_DONE } stage;
	struct file_copy copy;
	struct mailbox_scan scan;
	char *path; /* of the scan */
};

/* One slice. from: the account's directory in the backup; store, to: where it goes, `to` being a path in the store. A file that
 * is missing, shorter than it was, or ends in a message that is not whole is told of in amiss; what is whole of it goes on. */
enum err staged_step(struct staged *s, int from, int store, const char *to, struct buf *amiss, struct buf *why);
/* "<file> <what>", behind what is told already. No more than AMISS_MAX bytes are told. */
#define AMISS_MAX 4000
void amiss_add(struct buf *amiss, const char *file, const char *what);
void staged_free(struct staged *s);

struct picked { /* a message of a backup's mailbox */
	struct message message;
	bool mdir; /* it is in a file of its own */
	struct keywords words;
};
/* Looks for UID in the mailbox, all at once. ERR_ABSENT: it is not there. */
enum err message_pick(const struct staged *s, int from, uint32_t uid, struct picked *p, struct buf *why);
/* Its text, in stored form (p says how long that is then), becomes the file `path` of the store, durable but for its name. */
enum err message_copy(const struct staged *s, int from, struct picked *p, int store, const char *path, struct buf *why);

/* --- store_restore.c: asking. Where it lies is a path in the store, durable with its name. ---------------------------- */

struct call *store_restore_account(
	struct worker *w, struct str address, struct str staging, store_done *done, void *user);

enum restore_how {
	RESTORE_FREE,    /* ERR_EXISTS if the name is taken */
	RESTORE_BESIDE,  /* then below RESTORED */
	RESTORE_REPLACE, /* then in its place */
};
struct call *store_restore_mailbox(struct worker *w, struct str address, struct str staging, const struct staged *s,
	struct str mailbox, enum restore_how how, put_back_done *done, void *user);
/* file: of the spool, the caller's. uid: the message's now. */
struct call *store_restore_message(struct worker *w, struct str address, struct str mailbox, const struct picked *p,
	struct str file, append_done *done, void *user);

#endif
