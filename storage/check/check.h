/* check.h - looking the store over while it serves: what the index knows against what the files say, and whether these
 * can be understood; mending what can be mended without losing anything. The control socket asks for it piece by
 * piece, from the store down to each mailbox; every owner looks at its own, in slices in its lanes. */
#ifndef STORAGE_CHECK_CHECK_H
#define STORAGE_CHECK_CHECK_H

#include "core/call.h"
#include "core/str.h"

enum mend {
	MEND_NONE, /* nothing that a program could do */
	MEND_CAN,  /* `repair` would be done if it was asked for */
	MEND_DONE,
	MEND_FAILED,
	MEND_NOTE, /* this is no problem, only worth knowing */
};

struct problem {            /* texts are never empty but for those that do not apply */
	struct str mailbox; /* "" : it is not about one */
	uint32_t uid;       /* 0: nor about a message */
	struct str path;    /* of the file, relative to the store */
	uint64_t offset;    /* in it */
	struct str text;    /* what is wrong */
	struct str repair;  /* what would be done, or was; "" with MEND_NONE */
	enum mend mend;
};

struct checked {
	const struct problem *problems;
	size_t count;
	uint64_t left_out;       /* problems not told one by one: there are too many */
	const struct str *below; /* what is to be looked at next: domains, accounts, or mailboxes */
	size_t below_count;
	uint64_t bytes, messages; /* of a mailbox */
};

enum check_task {
	CHECK_LOOK,
	CHECK_REPAIR,
	CHECK_INDEX, /* of a mailbox alone: what the index knows is forgotten, and made anew from the files */
};

/* c is valid until done returns. address: "@" : the store as a whole; "@domain"; an account, by itself with mailbox "",
 * else that mailbox of it. ERR_ABSENT: it is not there; ERR_AGAIN. A large mailbox takes its time. */
typedef void check_done(void *user, enum err e, const struct checked *c);
struct call *store_look(
	struct worker *w, struct str address, struct str mailbox, enum check_task task, check_done *done, void *user);
/* What is a worker's: its journal, its queue. */
struct call *store_look_worker(struct worker *w, unsigned slot, check_done *done, void *user);

#endif
