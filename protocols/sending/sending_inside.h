/* sending_inside.h - what the files of this folder know of each other's things.
 *   sending ---- calendar: every item that waits, by the time of what comes next for it; one timer runs for the first
 *      |
 *      +-- destinations, by key --- due: items to be sent now, by priority
 *      |       |                    a timer, while it is left alone
 *      |       +-- sessions --- parcel: the message it has, and the items that go with it
 *      +-- ready: destinations in rounds, to be served in turn by the pump
 *      +-- parcels without a session: messages whose senders are being told something
 *
 * Where an item is follows from its state. ITEM_WAITS: in the calendar, and if it is due in its destination's list as well.
 * ITEM_TRYING: in a parcel, or in a line of those that wait to be told of. ITEM_HELD, ITEM_CLOSING: nowhere (then `place` of
 * what was delivered here is the slot of its owner, counted from 1).
 * So each that waits is owned by the calendar's timer; destination_consider asserts the rest: a destination with a due
 * item has a session or a running timer, or is in a round.
 *
 * Sessions of a worker are shared out in rounds: a destination in a round gets one, then stands at its end again. A
 * destination is good when it took a message lately, new when it never did, doubtful when it was left alone or takes longer
 * than SLOW_MS. Doubtful ones have at most a quarter of the sessions, new and doubtful ones three quarters: so whatever hangs or
 * crawls, the good ones have a quarter, and the new ones get their chance. While others wait and all are taken, a session of
 * a good one ends after YIELD_MESSAGES, another after one. While new ones wait for a session that they may not have, those
 * that have not got ready within SILENT_MS are ended, as if nobody had answered: but for a quarter of doubtful ones, where
 * who is slow to greet is waited for when he is tried again. */
#ifndef PROTOCOLS_SENDING_INSIDE_H
#define PROTOCOLS_SENDING_INSIDE_H

#include "core/tally.h"
#include "core/worker.h"
#include "protocols/sending/report.h"
#include "protocols/sending/sending.h"
#include "protocols/sending/transport.h"
#include "storage/table.h"
#include <sys/queue.h>

#define TIMES_MAX 16 /* of one list of a schedule */

/* --- sending_settings.c ----------------------------------------------------------------------------------------- */

struct destination_conf {
	struct setting_list retry, warn;
	int64_t expire_ms, expire_null_ms, sessions, rate, reports_per_sender;
};

struct times { /* seconds */
	uint32_t s[TIMES_MAX];
	unsigned count;
};
void times_read(const struct setting_list *list, struct times *out); /* a list that was checked */
bool is_never(const struct setting_list *list);

/* --- schedule.c ------------------------------------------------------------------------------------------------- */

struct policy {      /* what holds for a destination: the section `sending`, with one of `destination` over it */
	char *title; /* of the latter; "": none */
	struct times retry, warn;
	uint32_t expire_s, expire_null_s;
	uint32_t sessions;
	int64_t rate;
	int64_t reports_per_sender; /* of a destination's own; 0: all count together */
};

void policy_read(
	struct policy *p, const struct sending_conf *all, const char *title, const struct destination_conf *own);
/* Seconds from a try in vain, the tries-th, to the next. */
uint32_t schedule_retry_s(const struct policy *p, unsigned tries);

enum event { EVENT_EXPIRES, EVENT_RETURNS /* RFC 2852, by-mode R */, EVENT_WARNS };
/* What becomes of an item next though it is not tried, and when; of the times of warnings that have passed since its sender was
 * told last (warned_s) the first. */
uint32_t schedule_event(const struct policy *p, const struct queue_item *item, enum event *what);
/* It counts, as warnings do, from the item's arrival, or from when it was released later (RFC 4865, or by an operator). */
uint32_t schedule_expires_s(const struct policy *p, const struct queue_item *item);

/* --- calendar.c ------------------------------------------------------------------------------------------------- */

struct calendar { /* a heap; zeroed it is empty. An item's `place` is its place in it, counted from 1 */
	struct calendar_entry {
		uint32_t at_s;
		struct queue_item *item;
	} * entries;
	size_t count, cap;
};
void calendar_put(struct calendar *c, struct queue_item *item, uint32_t at_s); /* it is in none */
void calendar_remove(struct calendar *c, struct queue_item *item);             /* not in it is fine */
void calendar_free(struct calendar *c);

/* --- what a destination said last ------------------------------------------------------------------------------- */

struct words { /* an outcome, kept; malloc'd whole */
	struct outcome outcome;
	char bytes[];
};

/* --- destination.c ---------------------------------------------------------------------------------------------- */

struct hop { /* shared by a destination and its sessions */
	unsigned users;
	struct next_hop hop; /* its texts lie in bytes */
	char bytes[];
};

#define RANKS 19 /* priorities -9 to 9 */

enum round { /* in which a destination stands because of what it needs */
	ROUND_NONE,
	ROUND_IDLE,     /* a session that idles is to be woken */
	ROUND_REFUSING, /* what is due is refused */
	ROUND_GOOD,     /* a session, and so on by standing */
	ROUND_NEW,
	ROUND_DOUBTFUL,
	ROUNDS
};

enum standing { STANDING_GOOD, STANDING_NEW, STANDING_DOUBTFUL, STANDINGS };

TAILQ_HEAD(sending_sessions, sending_session);

struct queue_destination {
	struct table_node node; /* by key */
	TAILQ_ENTRY(queue_destination) all, round_link, crowd;
	enum round round;
	struct sending *sending;
	struct str key; /* behind the struct */
	const struct policy *policy;
	struct hop *hop;
	const struct transport *transport; /* NULL: all is refused, with the hop's text */
	uint64_t items, held;
	uint32_t parcels;             /* that know it */
	uint32_t oldest_s, soonest_s; /* arrival of the oldest, next_s of the first; too early if those are gone */
	uint32_t walked_oldest_s, walked_soonest_s; /* the same of those that a walk met */
	uint32_t walked, retry_round; /* in this round of it; in that one what waits here is due at once */

	struct queue_item *due[RANKS]; /* rings by next and prev, the oldest first */
	uint32_t ranks;                /* a bit for each that is not empty */
	uint64_t due_count;

	struct sending_sessions sessions;
	uint32_t session_count, opening, idle, woken;
	uint32_t allowed;   /* sessions that it bears, as far as we know, whatever it may have (destination_bears) */
	uint32_t ceiling;   /* more were too many when they were tried last; 0: not known */
	uint32_t successes; /* transactions since `allowed` changed, at the ceiling */
	uint32_t failures;  /* transactions failed by the host, in a row */
	uint32_t vain;      /* times in a row that it was left alone */
	bool down;          /* it was left alone, and no session was ready since */
	bool local;
	enum standing standing;
	bool refusing;             /* what is due is refused, in the words of the last outcome */
	struct timer timer;        /* runs while it is left alone */
	uint32_t until_s;          /* until when */
	struct address *waits_for; /* a connection to it (rate.c) */
	struct words *last;        /* that was no success; NULL: none */
	uint64_t sent, deferred, refused;
	uint64_t tally_key;
	uint32_t generation; /* of the configuration that its hop is of */
};

enum session_state {
	SESSION_OPENING,   /* not ready yet */
	SESSION_IDLE,      /* ready, and there was nothing */
	SESSION_WOKEN,     /* it was told that there is something */
	SESSION_PREPARING, /* its parcel is being opened */
	SESSION_PREPARED,  /* it is, and the transport was told */
	SESSION_BUSY,
	SESSION_RETIRING, /* it is to be ended by the pump */
};

struct sending_session {
	TAILQ_ENTRY(sending_session) link; /* of its destination's */
	TAILQ_ENTRY(sending_session) all;
	TAILQ_ENTRY(sending_session) idle_link; /* of all that idle, or retire */
	struct queue_destination *destination;
	struct hop *hop;
	const struct transport *transport;
	struct transport_session *theirs;
	enum session_state state;
	struct parcel *parcel;
	struct tally *tally;  /* NULL: there was no room to count it */
	uint64_t address_key; /* of where it is connected, for tallies; 0: nowhere */
	uint32_t messages;
	int64_t since_ms; /* of the state */
};

/* Finds or makes the destination of an item: where an operator sent it (orders.c), else of its address: by next hop, and by
 * policy where that is not the hop's own. */
struct queue_destination *destination_of_item(
	struct sending *s, const struct queue_item *item, struct str address, struct str sender);
struct queue_destination *destination_of(struct sending *s, struct str address, bool local, struct str sender);
struct queue_destination *destination_of_hop(struct sending *s, const struct next_hop *hop);
void destination_settle(struct queue_destination *d); /* frees it if nothing needs it any more; else considers it */
void destination_free(struct queue_destination *d);
/* Asks what it needs now, puts it into the round for that, and asserts that whatever is due is owned. */
void destination_consider(struct queue_destination *d);
void hop_leave(struct hop *h); /* NULL is fine */

bool is_due(const struct queue_item *item);
void due_add(struct queue_destination *d, struct queue_item *item);
void due_remove(struct queue_destination *d, struct queue_item *item); /* not in it is fine */
struct queue_item *due_first(const struct queue_destination *d);

uint32_t destination_bears(const struct queue_destination *d); /* sessions, no more than it may have by its policy */

/* What is learned of it. */
void destination_ready(struct queue_destination *d); /* a session is */
void destination_unreachable(struct queue_destination *d, const struct outcome *o);
void destination_succeeded(struct queue_destination *d, bool slow);
void destination_failed(struct queue_destination *d, const struct outcome *o); /* o may be NULL */
void destination_remember(struct queue_destination *d, const struct outcome *o);
void destination_leave(struct queue_destination *d, int64_t ms); /* alone for so long */
void destination_wake(struct queue_destination *d);              /* it is not left alone any longer */
void destination_stands(struct queue_destination *d, enum standing standing);

/* --- session.c -------------------------------------------------------------------------------------------------- */

void session_end_ours(struct sending_session *ss);
void sessions_sweep(struct sending *s);
bool sessions_are_busy(const struct sending *s); /* with a message */
void sending_pump(struct sending *s);            /* whoever stands in a round is served, soon */

/* --- parcel.c --------------------------------------------------------------------------------------------------- */

#define PARCEL_MAX  1000 /* items of a transaction */
#define TOLD_MAX    256  /* items told of at once */
#define TELLING_MAX 32   /* parcels under way that are not for sending */

enum purpose {
	PURPOSE_SEND,
	PURPOSE_REFUSE, /* its destination refuses all */
	PURPOSE_EXPIRE, /* its time is over */
	PURPOSE_RETURN, /* RFC 2852 */
	PURPOSE_WARN,
	PURPOSE_BOUNCE,      /* an operator sends it back */
	PURPOSE_BOUNCE_HELD, /* the same; it was held, and is again if that cannot be done */
	PURPOSE_ANSWERED,    /* what became of it was noted before a crash (queue_note): all that follows from it */
	PURPOSES
};

struct parcel { /* a message open, with some of its items */
	TAILQ_ENTRY(parcel) link;
	struct sending *sending;
	struct queue_destination *destination;
	struct sending_session *session; /* NULL: none, or not any more */
	enum purpose purpose;
	struct call *opening;
	struct queue_copy *copy; /* ours */
	struct arena memory;
	struct transaction transaction; /* its recipients are all of it */
	struct outcome *outcomes;
	uint32_t since_s;            /* when it was made */
	uint32_t generation;         /* of the configuration then */
	struct held {                /* under way of its account, of its sender's domain (rate.c) */
		struct tally *tally; /* NULL: it is not counted */
		uint64_t key;
	} held[2];
	bool slow;          /* it took long */
	bool first;         /* of its session's */
	unsigned reports;   /* under way */
	struct chore chore; /* its sender is about to be told */
	struct telling *tellings;
};

/* Items of one message, due at d; NULL: none. They are ITEM_TRYING from now on. */
struct parcel *parcel_pick(struct queue_destination *d, enum purpose purpose, size_t most);
/* The same of the first items in the line; it is not empty. */
struct parcel *parcel_of_line(struct sending *s, enum purpose purpose);
void parcel_open(struct parcel *p, queue_open_done *done);
/* Takes the copy. False: it could not be opened, its items are elsewhere and p is gone. */
bool parcel_readable(struct parcel *p, enum err e, struct queue_copy *copy);
bool parcel_is_old(const struct parcel *p); /* a configuration was read since: its items may go elsewhere now */
void parcel_put_back(struct parcel *p, uint32_t not_before_s);                  /* its items wait, untried; frees it */
void parcel_again(struct parcel *p, struct queue_item *item, uint32_t again_s); /* not now: one of its items */
void parcel_free(struct parcel *p);                                             /* its items are elsewhere */

/* --- outcome.c -------------------------------------------------------------------------------------------------- */

/* Before it is told anybody: of these places of the parcel. */
void outcomes_note(const struct parcel *p, const size_t *places, size_t count, const struct outcome *o);
void outcome_keep(struct arena *a, struct outcome *out, const struct outcome *o);
struct words *words_of(const struct outcome *o);
bool outcome_is_reply(struct str words);                           /* with a code: the other side's */
void parcel_finish(struct parcel *p);                              /* all of it is told */
void tellings_cancel(struct parcel *p);                            /* its reports that are under way */
void parcel_tell(void *user, enum err e, struct queue_copy *copy); /* opened for a purpose other than sending */

/* --- local.c ---------------------------------------------------------------------------------------------------- */

/* It is closed: its owner need not remember its delivery any more. */
void local_forget(struct worker *w, struct queue_item *item);
void local_free(struct sending *s);

/* --- orders.c --------------------------------------------------------------------------------------------------- */

void item_retry(struct sending *s, struct queue_item *item); /* it waits: it is due now */
uint32_t destination_oldest_s(const struct queue_destination *d);
/* What operators write: "host:port", "[192.0.2.1]:port" or without a port. False: it is none. Its host is a span of it. */
bool hop_read(struct str to, struct next_hop *hop);

/* --- walk.c ----------------------------------------------------------------------------------------------------- */

struct walk;
struct walk *walk_new(struct sending *s);
void walk_free(struct walk *k);
void walk_soon(struct walk *k);                               /* one more round: now, or when this one is over */
void walk_at_leisure(struct walk *k);                         /* the same, but it has time */
void walk_for_hops(struct walk *k);                           /* now, and next hops are looked for anew */
void walk_retry(struct walk *k, struct queue_destination *d); /* now, and what waits for this one is due */
/* Whether the last round is over and met it, so that its walked_... hold. */
bool walk_knows(const struct walk *k, const struct queue_destination *d);

/* --- rate.c ----------------------------------------------------------------------------------------------------- */

struct rates;
struct rates *rates_new(struct sending *s);
void rates_free(struct rates *r);
/* Ms until one more message may go to the session's destination and address; 0: now, and it counts. */
int64_t rate_of_session(const struct sending_session *ss);
/* Seconds since 1970 when one more may leave for its sender; 0: now, and it counts, as under way until rate_sender_done. */
uint32_t rate_of_sender(struct parcel *p);
void rate_sender_done(struct parcel *p); /* not under way is fine */
/* An address has as many connections as it may: the destination is woken when one is over (destination_wake). */
void rate_wait_for_address(struct queue_destination *d, struct str address);
void rate_wait_no_more(struct queue_destination *d); /* not waiting is fine */
bool rates_are_waited_for(const struct rates *r);    /* by any */

/* --- sending.c -------------------------------------------------------------------------------------------------- */

struct line { /* items that wait to be told of, by next */
	struct queue_item *first, *last;
	uint32_t generation; /* of the configuration by which the first came */
};

struct sending {
	struct worker *w;
	struct conf *snapshot; /* ours */
	const struct sending_conf *conf;
	struct policy *policies; /* the first is of no title */
	size_t policy_count;
	struct calendar calendar;
	struct timer calendar_timer, pump_timer, sweep_timer, way_timer;
	struct chore calendar_chore, telling_chore, pump_chore;
	unsigned come;       /* items whose time has come, since they were told of */
	uint32_t generation; /* of the configuration */
	struct table destinations;
	struct table tried; /* local.c's */
	TAILQ_HEAD(destinations, queue_destination) all;
	struct destinations rounds[ROUNDS];
	unsigned turn;   /* the round served last */
	unsigned opened; /* sessions, in this turn of the loop */
	struct sending_sessions sessions, idle, retiring;
	uint32_t session_count, standing_count[STANDINGS]; /* sessions, of all and of those that stand so */
	struct line lines[PURPOSES];
	unsigned telling; /* parcels that are not for sending */
	TAILQ_HEAD(parcels, parcel) parcels;
	struct rates *rates;
	struct arena scratch;
	struct walk *walk;
	const struct transport *smtp, *local, *pipe;
	bool stopping;
	struct timer stop_timer;
	struct chore stop_chore;
	int64_t stop_ms;
	void (*stopped)(struct worker *w); /* whoever waits until no session is in the midst of a message */
};

struct sending *sending_new(struct worker *w); /* w->sending, which listens; its transports are to be set */
uint32_t sending_now_s(const struct sending *s);
int64_t sending_now_ms(const struct sending *s);
const struct policy *sending_policy(const struct sending *s, struct str title); /* NULL: there is none of that title */

/* An item waits from now on: it is due, or will be, at its next_s but not before not_before_s. */
void item_wait(struct sending *s, struct queue_item *item, uint32_t not_before_s);
/* The same, but what comes otherwise (a warning, the end) comes again at again_s. */
void item_wait_again(struct sending *s, struct queue_item *item, uint32_t again_s);
void item_hold(struct sending *s, struct queue_item *item); /* it is ITEM_TRYING */
void item_take(struct sending *s, struct queue_item *item); /* out of calendar and list: ITEM_TRYING */
void item_move(struct sending *s, struct queue_item *item, struct queue_destination *d); /* it waits, or is held */
void item_tell(struct sending *s, struct queue_item *item, enum purpose purpose); /* it is ITEM_TRYING: into the line */
void sending_telling(struct sending *s); /* of the lines, as many as may be, soon */

#endif
