/* journal_parts.h - what the parts of a running journal share; nobody else includes it.
 * An entry goes this way, and everything but the two lanes' work is done in the loop:
 *   pending -> writing (journal lane) -> synced -> to apply -> applying (files lane) -> applied
 * Sequences count entries. Always: checkpoint <= applied <= synced <= written <= next. Only with relaxed durability is
 * anything written and not synced (journal_relaxed.c).
 * An entry for a mailbox that another program has locked is parked, and with it all later ones for that mailbox; those of
 * other mailboxes go on. A checkpoint may pass it: then it is written to a file of its own first. */
#ifndef STORAGE_JOURNAL_JOURNAL_PARTS_H
#define STORAGE_JOURNAL_JOURNAL_PARTS_H

#include "core/worker.h"
#include "storage/journal/apply.h"
#include "storage/journal/batch.h"
#include "storage/journal/journal.h"
#include "storage/journal/moved.h"
#include "storage/journal/names.h"
#include "storage/journal/track.h"

#define BATCH_BYTES_MAX    (8u << 20)   /* one entry may be more */
#define APPLY_BYTES_MAX    (256u << 10) /* of one job of the files lane: who waited for its entries is told in one turn */
#define TICK_MS            1000
#define AGAIN_MS           1000              /* between tries of what failed */
#define PARKED_MS          200               /* the same of what waits for another program's lock */
#define SYNC_MS            100               /* relaxed: what is written is synced within twice that */
#define UNSYNCED_BYTES_MAX (8u << 20)        /* relaxed: more is synced at once, and twice that is waited for */
#define QUIET_MS           2000              /* nothing came for so long: time for a checkpoint */
#define MAIL_PERCENT       95                /* of the journal; the rest is for small entries */
#define SHARE_PERCENT      50                /* of the journal: a checkpoint is due */
#define PARKED             "parked."         /* and the sequence: the file of an entry that is parked */
#define KEEP_MARGIN        (4 * BATCH_ALIGN) /* the last segment has room for a checkpoint and this */

enum { HAS_NAMES = 1, HAS_SPOOLS = 2, HAS_RENAMES = 4 };

struct entry {
	struct entry *next;
	struct buf operations;
	unsigned has;
	bool ours;    /* a checkpoint's */
	bool awaited; /* somebody waits for `applied` */
	bool set_aside;
	bool again;                 /* it was applied, or a part of it, or may have been */
	bool parked;                /* it is, or was: whoever watches was told */
	bool adopted;               /* it is of an earlier life */
	bool filed;                 /* it is in a file of its own, too */
	enum err e;                 /* what a refused one is told */
	uint64_t sequence, spooled; /* spooled: bytes that it takes from spools */
	entry_done *synced, *applied;
	void *user;
};

struct entry_list {
	struct entry *first, *last;
};

void list_add(struct entry_list *l, struct entry *e);
struct entry *list_take(struct entry_list *l); /* NULL: empty */
void list_move(struct entry_list *to, struct entry_list *from);

struct write { /* a job of the journal lane */
	struct job job;
	bool running, checkpoint;
	bool relaxed; /* nobody waits for its sync */
	bool again;   /* it is what could not be synced */
	struct entry_list entries;
	struct batch_head head;
	uint32_t count;
	struct buf bytes;
	int fd;
	uint64_t offset;
	const char *failed; /* what; NULL: nothing */
	int number;         /* its errno */
};

struct application { /* a job of the files lane */
	struct job job;
	bool running;
	struct files *files;
	int dir;
	struct entry_list entries, done, parked;
	struct marks *held; /* mailboxes for which entries are parked */
	bool retry;         /* those that were parked before are tried again */
	bool retry_due;     /* the loop's: next time */
	bool rescuing;      /* the lane wants to be called again in a moment ... */
	bool rescue_due;    /* ... and that has come */
	struct buf changed; /* mailboxes in which other programs wrote */
	enum err e;
	struct timer again, unpark, rescue;
};

struct spool { /* to be unlinked when a checkpoint has passed its entry */
	struct spool *next;
	uint64_t sequence;
	char path[];
};

enum checkpoint_state { CHECKPOINT_NONE, CHECKPOINT_LANES, CHECKPOINT_SYNC, CHECKPOINT_WRITE, CHECKPOINT_WRITTEN };

struct checkpoint { /* a job of the files lane and the slow lane */
	struct job job;
	enum checkpoint_state state;
	uint64_t sequence; /* x: what comes before is applied */
	uint64_t bytes;    /* of these entries since the start */
	struct files *files;
	int store, dir;
	uint64_t life, from;
	struct filing *filing; /* entries that are parked, to be written to files before it passes them */
	struct marks *parked;  /* their sequences */
	bool again;            /* a sync failed: what was applied from there on is to be written once more */
	struct sync_list list;
	enum err e;
	bool asked;
	int64_t last_ms, not_before_ms;
	struct spool *spools, **spools_end;
	struct job unlink; /* of the slow lane */
	bool unlinking;
	struct spool *passed;
};

struct space { /* a job of the slow lane */
	struct job job;
	bool running;
	int store;
	uint64_t measured; /* by the job */
	uint64_t free;     /* taken over by the loop */
};

struct unsynced;
struct durable_wait;

struct sync { /* a job of the sync lane: of what was written and told before */
	struct job job;
	bool running;
	bool wanted; /* once more as soon as it can be */
	bool broken; /* it failed: all of it is to be written again */
	int fd, number;
	uint64_t upto;
	struct unsynced *first, **last;
	uint64_t bytes;            /* of these */
	struct entry_list entries; /* in them */
	struct durable_wait *waits, **waits_last;
	struct timer timer;
};

struct journal {
	struct worker *w;
	struct slot *slot; /* NULL without shared memory */
	struct journal_conf conf;
	int dir;
	struct files *files; /* the files lane's */
	struct track *track;
	struct names *names;
	struct moved *moved;
	uint64_t life;
	uint64_t next;                     /* the sequence of the next entry */
	uint64_t written;                  /* all before it is, or failed */
	uint64_t synced;                   /* the same */
	uint64_t applied;                  /* all before it is, or failed */
	uint64_t checkpoint;               /* all before it is durable in the files */
	uint64_t last_asked, last_applied; /* behind the last entry that is not our own: given out, applied */
	uint64_t bytes_taken, bytes_applied, bytes_settled; /* of entries, since the start */
	uint64_t keep;
	int64_t taken_ms; /* when the last entry came */
	struct entry_list pending, to_apply;
	struct entry_list telling; /* synced, on their way to to_apply: who waits is being told */
	struct entry_list parked;  /* they wait for another program's lock: they count as applied, but are kept */
	struct parked_mailbox *parked_mailboxes; /* and how many writes each has among them */
	size_t parked_count;
	void (*on_changed)(void *user, uint64_t id);
	void (*on_parked)(void *user, uint64_t id, bool is_parked);
	void *watching;
	uint64_t unsynced_bytes;   /* of those pending and being written, by entry_length */
	struct entry_list failed;  /* in their order; told when the next batch says on the disk that they did */
	struct entry_list refused; /* told in a later turn */
	bool cancel;               /* a batch is due for the failed ones' sake */
	bool failing;              /* until they are told, whatever is appended fails too */
	bool blocked;              /* the first pending entry waits for a checkpoint */
	bool closing;
	struct write write;
	struct sync sync;
	struct application application;
	struct checkpoint cp;
	struct space space;
	struct timer tick, later;
	void (*settled)(void *user);
	void *settled_user;
};

/* journal_write.c */
void write_start(struct journal *j);    /* the next batch, if there is one and none is under way */
void write_fail_all(struct journal *j); /* nothing can be written: whatever waits fails */
void write_give_up(struct journal *j);  /* what is pending fails, and a batch says so */
void write_init(struct journal *j);
void tell_refused(struct entry_list *entries); /* synced(e->e), and they are freed */

/* journal_relaxed.c */
void relaxed_init(struct journal *j);
void relaxed_free(struct journal *j);
void relaxed_sync(struct journal *j); /* what is written is synced as soon as it can be */
void relaxed_wrote(struct journal *j, const struct entry_list *entries); /* the write that ended: these are told now */
/* Whether a write there, relaxed or not, waits for a sync of what was written before: then that is begun. */
bool relaxed_blocks(struct journal *j, int fd, bool relaxed);
bool relaxed_rewrite(struct journal *j); /* a write of what could not be synced; false: there is no room now */
void relaxed_rewritten(struct journal *j);

/* journal_apply.c */
void application_start(struct journal *j);
void application_init(struct journal *j);
void application_retry(struct journal *j); /* what is parked is tried again, soon */
/* Whether the entry writes to a mailbox of these; they are held from now on. */
bool entry_is_held(const struct marks *held, struct str operations);
void entry_hold(struct marks *held, struct str operations);

/* parked.c */
struct parked_mailbox {
	uint64_t id;
	unsigned writes;
};
/* The mailboxes of an entry wait, or do so no more; whoever watches is told. */
void parked_tell(struct journal *j, const struct entry *e, bool is_parked);
struct filing *filing_new(const struct entry *e, struct filing *next);
void filing_free(struct filing *f); /* and those behind it */
/* In a lane, or in replay: each in a file of its own below dir, synced. */
enum err filing_write(int dir, const struct filing *f);
enum err parked_write(int dir, uint64_t sequence, struct str operations);
/* Those that are there, by sequence, until one call does not answer OK. One that is damaged is set aside: *damaged is true
 * then, else it stays as it was. ERR_NEVER: one is of a later version. */
enum err parked_each(
	int dir, enum err (*each)(void *user, uint64_t sequence, struct str entry), void *user, bool *damaged);
void parked_unlink(int dir, uint64_t sequence);

/* checkpoint.c */
void checkpoint_init(struct journal *j);
void checkpoint_consider(struct journal *j);                       /* begins one if it is time */
void checkpoint_ask(struct journal *j);                            /* it is time as soon as it can be */
void checkpoint_written(struct journal *j);                        /* its batch is synced */
void checkpoint_spools(struct journal *j, const struct entry *e);  /* notes those of a synced entry */
void checkpoint_keep_spools(struct journal *j, uint64_t sequence); /* its entry could not be applied */
void checkpoint_unfile(struct journal *j, const struct entry *e);  /* it is applied: its file goes, later */
struct entry *checkpoint_entry(struct journal *j);
void checkpoint_free(struct journal *j);

/* journal.c */
void refuse(struct journal *j, struct entry_list *l); /* synced(e->e) in a later turn */
void tell_slot(struct journal *j);
void look_settled(struct journal *j);         /* who waits for that is told if it is so */
uint64_t entry_length(const struct entry *e); /* bytes of it that go through the journal, besides checkpoints */
uint64_t entry_cost(const struct entry *e);   /* bytes that it takes in the files, at most */

/* Bytes that names may take: a checkpoint with all of them fits in a quarter of a segment. */
static inline size_t names_room(uint64_t segment)
{
	return segment / 4 < NAMES_BYTES_MAX ? (size_t)(segment / 4) : NAMES_BYTES_MAX;
}

/* As journal_open, with settings that need not be those of w->conf. */
enum err journal_open_with(struct journal **out, struct worker *w, const struct journal_conf *conf);

#endif
