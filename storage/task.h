/* task.h - a call being done at its owner.
 * A task is made by the handler of its call, goes through steps, each of which ends by asking for the next one or by
 * task_end, and is freed there with whatever it holds. Its arguments, copied, and all else that lives as long lie in
 * its memory. Steps run in the loop; a step may run inside the function that asks for it. The store's own work
 * (making INBOX, compaction) is done by tasks without a request. */
#ifndef STORAGE_TASK_H
#define STORAGE_TASK_H

#include "core/arena.h"
#include "core/call.h"
#include "storage/ask.h"

struct hold;
struct holding;
struct store;
struct task;

typedef void task_step(struct task *t, enum err e);

struct task {
	struct task *next; /* in the queue in which it waits */
	struct store *st;
	struct request *rq; /* NULL: the store's own */
	unsigned from;      /* the slot of the asking worker */
	struct arena memory;
	struct unpack args;        /* what the handler has not read yet */
	struct str address;        /* concerned: an account's, or "@domain" */
	struct holding *h;         /* the account's; NULL before task_account */
	bool writes;               /* a mailbox that another program has locked is waited for, for a while */
	bool founds;               /* it makes the account: that may be absent */
	bool any_kind;             /* it is about a name, which need not be an account */
	bool keeps;                /* the asker keeps what it is about until it is answered: durable then */
	bool leads;                /* it is the one that changes which mailboxes h has */
	struct hold *holds;        /* mailboxes it holds */
	task_step *step;           /* what follows the wait */
	void *op;                  /* the handler's own */
	struct creation *creation; /* a mailbox is being made (store_mailbox.c) */
	struct inbox *inbox;
	struct first *first;                                        /* its first mailboxes are (store_label.c) */
	struct counting *counting;                                  /* what its account holds is (quota.c) */
	struct copying *copying;                                    /* messages are being copied (store_copy.c) */
	struct compaction *compaction;                              /* compact.c */
	struct question *question;                                  /* is this domain ours? (store_domain.c) */
	struct str answer;                                          /* kept for the end */
	void (*end)(struct task *t, enum err e, struct str answer); /* of a task without a request */

	struct name name; /* of a change that has one */
	struct task *named_next, **named_link, *twins;
};

/* needed: who may ask this. NULL: it is answered already, for the asker may not, or the arguments are bad. */
struct task *task_new(struct worker *w, struct request *rq, struct str args, enum asker needed);
/* The store's own work on an account; end may be NULL. */
struct task *task_own(struct store *st, struct str address, void (*end)(struct task *t, enum err e, struct str answer));
#define task_op(t, type) ((type *)((t)->op = arena_alloc(&(t)->memory, sizeof(type))))

struct name unpack_name(struct unpack *u);
/* After the arguments are read: false: they were bad, t is ended. */
bool task_args_end(struct task *t);
/* The change bears this name. False: it was done before or is under way; t is answered when and as that is. */
bool task_name(struct task *t, struct name name);
/* Goes on once the account's settings are known: OK, or ERR_ABSENT: no such account. */
void task_account(struct task *t, task_step *step);
/* Answers and frees it, and lets go of all that it holds. */
void task_end(struct task *t, enum err e, struct str answer);

/* Does a thing in a lane, then goes on with what it answered. `what` touches nothing but op and what never changes. */
void task_in_lane(struct task *t, struct lane *lane, enum err (*what)(struct task *t), task_step *step);

#endif
