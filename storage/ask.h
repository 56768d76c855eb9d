/* ask.h - how protocols' questions become calls: who asks, what about, what to do with the answer.
 * The arguments of every call begin with the asker and the address concerned, which is where the owner's one
 * authorisation point looks (task.c). */
#ifndef STORAGE_ASK_H
#define STORAGE_ASK_H

#include "storage/backup/backup.h"
#include "storage/check/check.h"
#include "storage/store.h"

/* name: what was brought back (restore_parts.h) is called so; valid until done returns. */
typedef void put_back_done(void *user, enum err e, struct str name);

enum asker {
	ASKER_SYSTEM,  /* mail coming in, logins */
	ASKER_ACCOUNT, /* somebody logged in: about his own account alone */
	ASKER_CONTROL, /* the administrator's socket */
};

struct asked;
struct shared;
/* Reads the answer and runs the caller's done; freed after it. */
typedef void asked_tell(struct asked *k, enum err e, struct str answer);

struct asked {
	struct worker *w;
	unsigned to;
	struct buf args;     /* to be added to before ask_send */
	struct call *handle; /* what the caller may cancel; NULL: cancelled */
	struct call *call;   /* under way */
	asked_tell *tell;
	asked_tell *orphaned; /* runs instead of `tell` when the caller cancelled; NULL: nothing to do then */
	int64_t deadline_ms;
	bool named, lasts; /* lasts: the name is forgotten when that is said, not when it is done */
	struct name name;
	bool fresh; /* the answer begins with a mailbox's id: its view here is brought up to date first */
	struct shared *waits_for;
	struct asked *next; /* of those that wait for it */
	struct buf answer;  /* kept meanwhile */
	char *address;      /* of SELECT and of logins; ours */
	uint8_t *signature; /* of a login by proof: where it goes; the asker's */
	bool claim;
	struct dormant *dormant; /* that wakes; the asker's */
	void *user;
	union {
		store_done *store;
		login_done *login;
		salt_done *salt;
		recipient_done *recipient;
		deliver_done *deliver;
		status_done *status;
		list_done *list;
		select_done *select;
		append_done *append;
		copy_done *copy;
		names_done *names;
		name_done *name;
		check_done *check;
		quota_done *quota;
		backup_done *backup;
		put_back_done *put;
	} done;
};

struct asked *ask_new(struct worker *w, enum asker who, struct str asker, struct str address);
static inline struct asked *ask_as(struct worker *w, const struct account *a)
{
	return ask_new(w, ASKER_ACCOUNT, str_of(a->address), str_of(a->address));
}
void ask_name(struct asked *k, struct name name); /* adds it to the arguments, and has it forgotten when it is done */
void ask_patiently(struct asked *k);              /* for changes, which must not be told to have failed: see ask.c */
struct call *ask_send(struct asked *k, unsigned type, asked_tell *tell, void *user);
struct call *ask_send_until(struct asked *k, unsigned type, int64_t deadline_ms, asked_tell *tell, void *user);
/* Bad before it was sent: e is told in a later turn. */
struct call *ask_refuse(struct asked *k, enum err e, asked_tell *tell, void *user);
/* Asks the owner for the latest view of a mailbox, and tells (always OK) when it is mapped, or could not be. */
struct call *ask_newer(struct shared *sh, store_done *done, void *user);
/* The wait for a view is over: tells. */
void asked_go_on(struct asked *k);

struct forgets *forgets_new(struct worker *w);
void forgets_free(struct forgets *as);

/* For calls that answer OK or an error and no more. */
asked_tell asked_store;

#endif
