/* arrival.h - messages on their way into a mailbox: how they travel in a call, and at the owner.
 * The bytes of a short message travel in the call; a long one is a file of the spool, to which the owner makes a link of
 * his own before he promises anything. Several go in together or not at all. */
#ifndef STORAGE_ARRIVAL_H
#define STORAGE_ARRIVAL_H

#include "storage/mailbox/mailbox.h"

struct arrival {
	struct incoming in;
	struct str file; /* the draft's; "" : the bytes came along */
	struct buf link; /* ours to it */
	bool linked;
};

struct arrivals { /* the beginning of their task's op */
	struct arrival *list;
	size_t count;
	struct hold hold; /* of the mailbox */
	task_step *step;
	enum err failed;
};

/* before: header lines in stored form that go before the message. */
void arrival_pack(struct buf *out, const struct draft *d, struct str before);
/* A message that is a file of the spool, without header lines before it. */
void arrival_pack_file(struct buf *out, uint64_t stored, uint64_t wire, uint64_t header, struct str file);
void arrival_unpack(struct unpack *u, struct arrival *a); /* what cannot be makes u bad */

/* May the journal, and the mailbox once it is held, have them now? ERR_TOO_BIG: they are more than an entry can hold. */
enum err arrivals_room(const struct task *t);
uint64_t arrivals_bytes(const struct task *t); /* as clients will see them */
/* Goes on when there is room and the bytes are ours. */
void arrivals_take(struct task *t, task_step *step);
/* Ends the task; what was not put in leaves no link behind. */
void arrivals_fail(struct task *t, enum err e);
void arrivals_done(struct task *t); /* they are in: the links are the journal's */

#endif
