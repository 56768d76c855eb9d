/* lookup.h - a question to the index that somebody waits for.
 * LevelDB stalls at times: its log is full and tables are still being merged, a disk is slow, a database is opened.
 * Nobody waits for that: when the index lane has been at one job for LOOKUP_STALL_MS, whoever waits for the lane, or would
 * have to, goes on without an answer, as if the index knew nothing of what was asked; the files know everything. The
 * question stays in the lane, with all that it needs, and what comes of it is thrown away. A job that takes long because
 * it has much to tell does not count as a stall (lane_goes_on). */
#ifndef STORAGE_MAILBOX_LOOKUP_H
#define STORAGE_MAILBOX_LOOKUP_H

#include "core/timers.h"
#include "storage/owner.h"

#define LOOKUP_STALL_MS 1000

/* What asks embeds it. `work` runs in the index lane and touches only what is the question's own. Then, in the loop,
 * `done` runs once. is_left: nobody waits any more; the question is the lane's until `drop`, which ends what there is. */
struct lookup {
	struct job job;
	struct store *st;
	struct timer timer;
	bool is_patient; /* whoever asks waits however long it takes */
	bool is_left;
	void (*work)(struct lookup *k);
	void (*done)(struct lookup *k, bool is_left);
	void (*drop)(struct lookup *k);
};

void lookup_go(struct store *st, struct lookup *k); /* the three functions are set; `done` may run in here */

/* The record of a mailbox, NULL if there is none. */
void lookup_record(struct mailbox *m, bool is_patient,
	void (*done)(void *user, const struct mailbox_record *r, bool is_left), void *user);
/* The messages of mailbox `id`, by UID; they are the receiver's. After an error there are none. */
void lookup_messages(struct mailbox *m, uint64_t id, bool is_patient,
	void (*done)(void *user, enum err e, struct message *messages, size_t count), void *user);

struct messages { /* as index_messages_work tells them */
	struct message *list;
	size_t count, cap;
	struct lane *lane; /* that tells them */
};
void messages_add(void *messages, const struct message *m);

#endif
