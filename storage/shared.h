/* shared.h - the mailboxes that sessions of this worker have selected: one struct shared each, however many sessions.
 * Its view is mapped once. When the owner makes another (it says so by an event, the old view by its mark, or the
 * owner's death by its generation in shared memory), the new one is asked for and mapped, and the sessions move over as
 * their protocols allow (selected.c). */
#ifndef STORAGE_SHARED_H
#define STORAGE_SHARED_H

#include "storage/ask.h"
#include "storage/owner.h"
#include "storage/selected.h"

struct mapped { /* a view, and the mbox or mdir it speaks of */
	unsigned refs;
	struct view *view;
	uint64_t lineage;    /* views of one lineage have the same places */
	uint32_t generation; /* of the mbox */
	bool mdir;
	int fd;           /* of the mbox, or of the message of an mdir that was read last; -1: not opened yet */
	uint32_t fd_uid;  /* of that message */
	uint64_t cold_at; /* where in it a message was last read that was not in memory */
};

struct shared {
	struct table_node node; /* by id */
	struct worker *w;
	uint64_t id;
	char *address, *name;
	unsigned owner;
	uint32_t life;         /* of the owner that knows us */
	struct mapped *latest; /* NULL: the mailbox is gone */
	struct selected *sessions;
	uint32_t session_count, claims;
	struct call *asking; /* for a newer view */
	struct timer again;
	struct asked *waiting; /* answers that are told when it is there */
};

struct selected {
	struct selected *next, **link; /* of the shared mailbox */
	struct shared *sh;
	struct mapped *base; /* whose places are numbered */
	uint32_t count;      /* places that the client was told of */
	uint32_t *gone;      /* of these, ascending: it was told that they are gone, or never told of them */
	size_t gone_count;
	uint64_t clock, changes; /* of the view at the last sync */
	bool compare;            /* changes are found by their clock, not by the ring */
	bool untold;             /* some are expunged and could not be told of */
	bool walking;            /* what changed is told in parts: below this place it was, as of then */
	uint32_t walk;
	uint64_t walk_clock, walk_changes;
	uint32_t uidnext;
	unsigned keywords;
	uint32_t recent; /* UIDs from here on are \Recent to this session */
	bool claim;
	void (*changed)(void *user);
	void *changed_user;
	bool armed; /* `changed` may run */
	struct call *telling;
};

struct dormant {                /* see selected.h and dormant.c */
	struct table_node node; /* by id, while watching */
	struct worker *w;
	const struct account *account; /* the session's */
	uint64_t id, clock;
	uint64_t print;              /* of the mbox's stamp, while watching; 0: not known yet */
	void (*changed)(void *user); /* NULL: not watching */
	void *changed_user;
	uint32_t uidnext, uidvalidity, recent, exists;
	uint32_t life; /* of the owner that was asked to tell of changes */
	uint16_t name_len, runs_len;
	uint8_t keywords;
	bool claim;
	bool again;   /* it could not be woken: another try is due */
	char bytes[]; /* the mailbox's name, then its UIDs as of runs.h */
};
#define DORMANT_BYTES_AIM 112 /* without name and UIDs */
_Static_assert(sizeof(struct dormant) <= DORMANT_BYTES_AIM, "a quiet session's mailbox should stay small");

/* What the owner is told. SLEEP_LOOKED: the mbox is known from now on; what others wrote to it just before is for the owner to
 * find. */
enum sleep { SLEEP_ENDS, SLEEP_BEGINS, SLEEP_LOOKED };

struct dormants *dormants_new(struct worker *w);
void dormants_free(struct dormants *all);          /* no session is left */
void dormants_stir(struct worker *w, uint64_t id); /* the mailbox changed: those who watch wake */
uint32_t *dormant_uids(
	const struct dormant *d); /* that its client counts, ascending, d->exists of them; the caller's */

struct shareds *shareds_new(struct worker *w);
void shareds_free(struct shareds *all); /* no session is left */

/* What the owner answered to a SELECT: the selected mailbox. ERR_AGAIN: its view cannot be mapped. */
struct view_answer {
	uint64_t id, lineage;
	struct str path, name;
	uint32_t recent;
};
enum err shared_select(
	struct selected **out, struct worker *w, struct str address, const struct view_answer *a, bool claim);
/* The same for a session that slept, which goes on where it was. a NULL: the mailbox is no more. */
enum err shared_resume(struct selected **out, const struct dormant *d, const struct view_answer *a);
void shared_leave(struct selected *s);
enum unwatch { UNWATCH_ONE, UNWATCH_CLAIM, UNWATCH_ALL };
void shared_unwatch(struct worker *w, unsigned owner, uint64_t id, enum unwatch what); /* tells the owner */
void shared_refresh(struct shared *sh);
bool shared_is_stale(const struct shared *sh); /* a newer view is being asked for, or must be */

struct mapped *mapped_ref(struct mapped *m);
void mapped_unref(struct mapped *m); /* NULL is fine */

/* The answer k is to be told when the view of this mailbox here is the owner's latest. False: it is, or is not here. */
bool shared_wait(struct worker *w, uint64_t id, struct asked *k);
void shared_wait_add(struct shared *sh, struct asked *k); /* a view is being asked for */
void shared_wait_drop(struct asked *k);
bool shared_can_be_newer(const struct shared *sh); /* the owner has another view, or is another, and can be asked */
char *shared_mbox_path(
	const struct shared *sh, const struct mapped *in, uint32_t uid); /* in which that message is; the caller's */

/* store_select.c: asks for the view once more, as a worker that watches. */
struct call *shared_ask(struct shared *sh, asked_tell *tell);
bool view_answer_read(struct str answer, struct view_answer *a);

/* selected.c */
void selected_begin(struct selected *s);
/* Numbers are of these UIDs, of the messages below uidnext that the client was told of. */
void selected_resume(struct selected *s, const uint32_t *uids, uint32_t count, uint32_t uidnext, uint32_t uidvalidity);
bool selected_has_news(const struct selected *s);
void selected_stir(struct selected *s);  /* the mailbox changed: whoever watches is told */
void selected_moved(struct selected *s); /* there is another latest view */

#endif
