/* queue.h - mail that waits to leave: durable, in text files, each worker's own.
 * What a worker accepts for others, and what an owner cannot take just now, is put into that worker's queue. A
 * message is stored once, with its envelope before it, and has an item for each recipient whose fate is open. What
 * becomes of an item is told the queue (queue_change), which writes it down; when no item is left the message is gone.
 *
 *   DIR/queue/<number>/<segment>.mbox    messages as in any mbox, their envelopes as header fields before them
 *   DIR/queue/<number>/<segment>.state   what became of their recipients since, a line each
 *   DIR/queue/<number>/answers           what is on its way there, noted so that kill -9 forgets nothing (answers.h)
 *
 * Both only grow; what they get is an entry of the worker's journal, so a promise is durable when its put is done and
 * what was done once is not done again. A segment whose messages are all gone is removed; few that are left in an old
 * one are moved to the newest. A directory whose worker is no more is taken over by another at a start.
 *
 * In memory is what choosing needs: times, tries, where to. Addresses, parameters and replies are in the files and
 * are read with the message (queue_open). A million messages of one recipient take at most 250 MiB.
 *
 * Who decides when an item is tried, and how, is the listener's business (protocols/sending): it is told of each item
 * that opens, at a put as well as when the files are read at a start, and keeps what it wants to know in it. */
#ifndef STORAGE_QUEUE_H
#define STORAGE_QUEUE_H

#include "core/call.h"
#include "core/settings.h"
#include "core/timers.h"
#include "storage/draft.h"

struct worker;
struct queue; /* w->queue: of this worker */
struct queue_segment;
struct journal;

struct queue_conf {
	int64_t segment;    /* bytes of a segment, 64M, after which the next begins */
	int64_t messages;   /* at most in the queue of a worker, 2,000,000; more: ERR_AGAIN */
	int64_t recipients; /* of one message, 100,000 */
};
extern const struct settings queue_settings; /* queue { } */

/* --- what is known of a message ------------------------------------------------------------------------------------ */

enum queue_notify { /* bits, as of RFC 3461, 4.1; none: it was not said */
	NOTIFY_NEVER = 1,
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8,
};
enum queue_body { BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };
enum queue_ret { RET_UNSAID, RET_FULL, RET_HDRS };
enum queue_deliver_by { BY_NONE, BY_RETURN, BY_NOTIFY }; /* RFC 2852 */

/* Texts of an envelope hold no control character. */
struct queue_recipient {
	uint32_t number;     /* of the item, from 0 */
	struct str address;  /* local@domain, where it goes to */
	bool local;          /* that is an account here, canonical (ROUTE_LOCAL); else its next hop is looked for */
	struct str original; /* as the sender wrote it; "": the same */
	struct str orcpt;    /* "rfc822;" and xtext (RFC 3461, 4.2), as it came; "" without */
	unsigned notify;     /* of enum queue_notify */
	struct name tried;   /* local: a delivery that may have been made before (name_arriving); life 0: none */
	/* Told by queue_open alone: what the last try brought (of very many recipients, not of all). */
	struct str status, reply,
		remote; /* "4.2.2"; the other side's words, lines joined by "\n"; its host and address */
};

struct queue_envelope {
	struct str sender;  /* "" for <> */
	struct str id;      /* of the session's transaction, as in its log lines and in Received; "" : none */
	struct str account; /* who sent it, canonical; "" : nobody logged in */
	struct str peer;    /* the address it came from; "" : made here */
	struct str envid;   /* xtext, as it came; "" without */
	enum queue_body body;
	bool utf8;        /* it came with SMTPUTF8 */
	bool utf8_needed; /* its header or sender holds letters beyond ASCII; recipients are looked at one by one */
	enum queue_ret ret;
	int priority;      /* -9 to 9 (RFC 6710); 0 */
	int64_t arrived_s; /* seconds since 1970; 0: now */
	int64_t release_s; /* not before (RFC 4865); 0: at once */
	int64_t by_s;      /* deliver by (RFC 2852) */
	enum queue_deliver_by by;
	bool by_trace;
	bool held; /* it waits for an operator */
	const struct queue_recipient *recipients;
	size_t count;
};

enum queue_item_state {
	ITEM_WAITS,   /* for next_s */
	ITEM_TRYING,  /* somebody is at it; never in the files: after a crash it waits */
	ITEM_HELD,    /* until an operator releases it */
	ITEM_CLOSING, /* its end is being written down: never tried again */
};

struct queue_message;
struct queue_item { /* one recipient whose fate is open */
	struct queue_message *message;
	uint32_t number; /* in the envelope */
	uint8_t state;   /* enum queue_item_state */
	uint8_t notify;
	bool local;
	uint16_t tries;
	uint16_t changes;  /* the queue's own: of it, not yet written */
	uint32_t next_s;   /* seconds since 1970: when it is due */
	uint32_t warned_s; /* the sender was told of the delay, as of then; 0: he was not */
	uint32_t ready_s;  /* since when it may be tried at all, if that is later than its arrival: it was released */
	/* The listener's own, zeroed at first. */
	struct queue_destination *destination;
	struct queue_item *next, *prev;
	uint32_t place;
	uint16_t note; /* the queue's own: of an answer (queue_note), counted from 1; 0: none */
	uint16_t to;   /* the same: queue_item_to */
};

struct queue_message {
	uint64_t id; /* never given twice in a store; its text by queue_id_print */
	struct queue_segment *segment;
	uint32_t stored, wire; /* bytes of the message */
	uint32_t arrived_s, by_s;
	int8_t priority;
	uint8_t by;
	bool null_sender;
	uint16_t users; /* queue_copy open */
	uint32_t count; /* of items, those whose fate is known included: their message is NULL */
	struct queue_item items[];
};

#define QUEUE_ID_SIZE 40
const char *queue_id_print(char text[QUEUE_ID_SIZE], uint64_t id); /* "q0-1f3a": directory and number */
bool queue_id_read(struct str text, uint64_t *id);

/* --- who listens ---------------------------------------------------------------------------------------------------- */

/* Set by queue_listen before the queue is read; user is w->sending. item functions run from the loop, not from inside a
 * queue function that the listener called. */
struct queue_listener {
	/* An item opened: it was put, or was found at a start. address and sender are valid until this returns. */
	void (*opened)(void *user, struct queue_item *item, struct str address, struct str sender);
	/* It is about to be freed (its end is durable, or an operator removed it): the listener forgets it. */
	void (*closed)(void *user, struct queue_item *item);
};
void queue_listen(struct queue *q, const struct queue_listener *l, void *user);

/* --- putting -------------------------------------------------------------------------------------------------------- */

struct queue_put {
	const struct queue_envelope *envelope;
	struct str before;   /* header lines in stored form (LF) put before the message: Received ... */
	struct draft *draft; /* the message; it lives until done. NULL: bytes are */
	struct str bytes;    /* in stored form; copied */
	/* These items of this queue end with it, in the same entry of the journal: a bounce is there when what
	 * bounced is not, a list's mail when its members' is. They are closed when done says OK. NULL: none. */
	struct queue_item *const *ends;
	size_t end_count;
	/* Of these the sender is told of the delay by it, as of warned_s: that is in the same entry. They are ITEM_TRYING
	 * until done, and as they were if it does not say OK. NULL: none. */
	struct queue_item *const *warns;
	size_t warn_count;
	uint32_t warned_s;
};
/* Bytes of a message in memory that may be put: longer ones are never taken (ERR_TOO_BIG). */
uint64_t queue_put_most(const struct queue *q);
/* OK: durable; id is its. ERR_AGAIN: no room now; ERR_TOO_BIG: more recipients than allowed. Its items open before done
 * runs. What the envelope points to lives until done. A cancelled put is put all the same, but for one of many
 * recipients of which not all were seen yet. */
typedef void queue_put_done(void *user, enum err e, uint64_t id);
struct call *queue_put(struct queue *q, const struct queue_put *put, queue_put_done *done, void *user);
enum err queue_room(const struct queue *q, uint64_t bytes); /* may so much be put now? OK, ERR_AGAIN */

/* --- what becomes of an item --------------------------------------------------------------------------------------- */

enum queue_fate {
	FATE_WAITS, /* tried in vain, or to be tried at another time: next_s, tries, status, reply, remote */
	FATE_HELD,
	FATE_ENDED, /* delivered, given up, or removed: the item closes when that is durable */
};
struct queue_change {
	enum queue_fate fate;
	uint32_t next_s;
	uint16_t tries;
	uint32_t warned_s;
	struct str status, reply, remote;
	bool keeps;       /* these stay as they are, and say nothing here */
	uint32_t ready_s; /* it was released then; 0: as it was */
	struct str to;    /* an operator sends it there: "host:port", letters, digits and "-._:[]"; "": as it was */
};
/* In memory at once (but for closing), in the files soon: many of one turn are one entry. Nobody need wait. If the
 * disk does not take it, it is tried again until it does, and the item is not tried meanwhile. */
void queue_change(struct queue *q, struct queue_item *item, const struct queue_change *c);
/* Where an operator sent it, last; "": nowhere, it goes as routes say. */
struct str queue_item_to(const struct queue *q, const struct queue_item *item);
/* Whether one more such place can be kept; those that there are always can. */
bool queue_takes_to(struct queue *q, struct str to);
/* Once all changes made until now are durable: in a later turn. After queue_stop never. */
void queue_when_written(struct queue *q, void (*done)(void *user), void *user);

/* What another side said of recipients. Of those kinds that do not say that he has the message the greater outweighs. */
#define QUEUE_ANSWER_OPEN 3 /* kinds below it, the listener's own, say that he has it */
struct queue_answer {
	uint8_t kind;
	struct str status, reply, remote;
};
/* Noted, before anything else is done, of items of one message: a crash forgets it no more, even if the queue_change or
 * queue_put that follows from it was not written yet. Costs no system call. */
void queue_note(struct queue *q, struct queue_item *const *items, size_t count, const struct queue_answer *a);
/* What is noted of an item: by an earlier life, when it opens, or by this one. False: nothing. The texts are valid until
 * the next change of the item. */
bool queue_noted(const struct queue *q, const struct queue_item *item, struct queue_answer *a);
/* A held item is ITEM_TRYING from now on, in memory alone. */
void queue_unhold(struct queue *q, struct queue_item *item);

/* --- reading -------------------------------------------------------------------------------------------------------- */

/* A message open for reading; while it is, its bytes stay, whatever becomes of its items. */
struct queue_copy {
	struct queue_message *message; /* NULL once all its items are gone */
	uint64_t id;
	struct queue_envelope envelope; /* recipients: all of them, also those whose fate is known; by number */
	uint64_t stored, wire;          /* bytes of the message as it goes out, `before` included */
	uint32_t header;                /* stored bytes of its header, the blank line included */
};
typedef void queue_open_done(void *user, enum err e, struct queue_copy *copy); /* the receiver's, by queue_copy_free */
struct call *queue_open(struct queue *q, struct queue_message *m, queue_open_done *done, void *user);
void queue_copy_free(struct queue_copy *c); /* NULL is fine */

/* Bytes in stored form (form.h) from `at` on, added to out: at least one unless it is the end, up to QUEUE_PIECE.
 * True: they are there (warm). False: they are being read; on_piece runs later, then the same call is true. ERR
 * through *e. */
#define QUEUE_PIECE (64u << 10)
bool queue_copy_read(
	struct queue_copy *c, uint64_t at, struct buf *out, enum err *e, void (*on_piece)(void *user), void *user);

/* --- looking -------------------------------------------------------------------------------------------------------- */

struct queue_message *queue_find(struct queue *q, uint64_t id); /* NULL: gone */
/* The first whose id is greater, NULL: none. So one looks at all in slices. */
struct queue_message *queue_after(struct queue *q, uint64_t id);
struct queue_totals {
	uint64_t messages, items, bytes, held;
	bool reading; /* the files are still being read after a start */
};
struct queue_totals queue_totals(const struct queue *q);

/* --- the house's hooks ---------------------------------------------------------------------------------------------- */

/* After the store's: reading the files goes on in the slow lane while the worker serves. */
enum err queue_start(struct worker *w);
void queue_reload(struct worker *w);
void queue_stop(
	struct worker *w); /* before the store's; changes not yet written are written. The listener hears no more */
void queue_free(struct queue *q);
/* The same, message by message, while the loop turns; then freed(w). The store is settled. */
void queue_end(struct worker *w, void (*freed)(struct worker *w));

#endif
