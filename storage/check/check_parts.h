/* check_parts.h - what the parts of looking the store over share; nobody else includes it.
 *   store_check.c     the calls: asking and answering
 *   check_account.c   an account: its settings and labels, stray files, modes
 *   check_mailbox.c   a mailbox: what index, view and files say
 *   check_compare.c   how they are compared
 *   check_worker.c    a worker's own: what its journal set aside, its queue
 *   check_queue.c     a file of a queue */
#ifndef STORAGE_CHECK_CHECK_PARTS_H
#define STORAGE_CHECK_CHECK_PARTS_H

#include "storage/check/check.h"
#include "storage/mailbox/mailbox.h"

struct found { /* an answer being made */
	struct buf problems, below;
	uint32_t count, below_count;
	uint64_t left_out, bytes, messages;
};

void found_add(struct found *f, const struct problem *p);
void unpack_problem(struct unpack *u, struct problem *p);
void found_below(struct found *f, struct str name);
void found_pack(const struct found *f, struct buf *answer);
void found_free(struct found *f);
/* Answers the task's call with what was found; f is freed. */
void found_end(struct task *t, enum err e, struct found *f);

struct look { /* a task's own, as long as it lies in its memory */
	struct str mailbox;
	enum check_task task;
	struct found found;
};

void look_account(struct task *t); /* check_account.c; t->op is the look; ends t */
void look_mailbox(struct task *t); /* check_mailbox.c; the same */

/* Files and directories below `path` that are not ours alone: their modes are problems, or are set right. In a lane. */
void look_modes(int directory, struct str path, enum check_task task, struct found *f);

/* In the slow lane: an mbox or a state file of the queue; others, and what is gone, say nothing. */
void look_queue_file(int directory, const char *path, struct found *f);

/* What the index or a view says of messages (known) against what files say (said, expunged ones too), both by UID. where:
 * "index", "view". */
struct comparison {
	const struct message *known, *said;
	size_t known_count, said_count;
	const char *where;
	const char *kept;       /* "mbox" or "mdir" */
	struct problem problem; /* mailbox, path, repair and mend are the caller's */
	struct found *found;
};
void compare_messages(const struct comparison *c);
/* The same of what is counted. */
void compare_records(const struct comparison *c, const struct mailbox_record *known, const struct mailbox_record *said);

#endif
