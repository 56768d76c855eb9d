/* quota.h - how much an account may hold, and how much it holds.
 * A limit is one of bytes (as sent to clients: RFC822.SIZE), one of messages: the account's own, else its domain's. What the
 * account holds is counted once, mailbox by mailbox, when it is first asked for, and then kept true by every change in
 * the turn that fixes it: so no two changes get the same room, and a limit is never passed. What is fixed but not yet
 * durable counts; after a change that failed, or a mailbox that other programs changed, all is counted anew. Accounts
 * without a limit are not counted. */
#ifndef STORAGE_QUOTA_H
#define STORAGE_QUOTA_H

#include "storage/account/account.h"
#include "storage/task.h"

struct change;
struct commit;
struct mailbox;

struct usage { /* of a holding */
	enum { USAGE_UNKNOWN, USAGE_COUNTING, USAGE_KNOWN } state;
	uint64_t bytes, messages;
	struct buf
		counted; /* while counting: the name of the last mailbox that was; they are in the order of the tree */
};

struct quota quota_of(const struct holding *h); /* that holds; 0: no limit */
bool quota_is_limited(const struct holding *h);

/* Goes on when it is known what the account holds, or at once if it has no limit; t neither leads nor holds a mailbox.
 * OK; ERR_AGAIN: a mailbox cannot be read now. all: count even without a limit. */
void quota_ask(struct task *t, bool all, task_step *step);

/* May so much be added? In the turn that fixes it, and before. OK; ERR_FULL; ERR_AGAIN: it must be asked for again. */
enum err quota_allows(const struct holding *h, uint64_t bytes, uint64_t messages);

/* In the entry of a delivery of `more` bytes, which c appends: its owner is told when only little room is left now, once,
 * and whether he was is kept. True: it was said, or taken back, in h->settings: to be undone if the entry fails. */
bool quota_notice(struct task *t, struct commit *k, struct change *c, uint64_t more);

/* A change of m is fixed. */
void quota_change(struct mailbox *m, int64_t bytes, int64_t messages);
/* m is not what was counted: its changes failed, or it was read anew. */
void quota_changed_elsewhere(struct mailbox *m);
void quota_forget(struct holding *h);

#endif
