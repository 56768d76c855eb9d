/* parts.h - what the parts of a queue share; nobody else includes it.
 * All but the lanes' work is done in the loop. A message goes this way:
 *   put -> (its file is linked) -> entry made -> synced: it is there, its items open -> applied: it can be read
 * and a change: in memory -> pending -> entry made -> synced: its item closes if that is its end.
 * Offsets are given when an entry is made. If one fails, those after it fail too (journal.h); nothing new is made
 * until all of them are told, then the files' ends are again where the last durable entry left them. */
#ifndef STORAGE_QUEUE_PARTS_H
#define STORAGE_QUEUE_PARTS_H

#include "core/worker.h"
#include "storage/journal/journal.h"
#include "storage/queue/answers.h"
#include "storage/queue/envelope_form.h"
#include "storage/queue/order.h"
#include "storage/queue/queue.h"

#define QUEUE_DIRECTORY "queue"
#define ID_NUMBER_BITS  48  /* of an id; those above are the directory */
#define ID_BYTES        128 /* no message with its envelope is shorter: how ids are bounded by a file's length */
#define AGAIN_MS        1000
#define QUEUE_PATH_SIZE 64
#define QUEUE_TO_MAX    1000 /* places that operators send items to */

struct queue_segment {
	struct queue_segment *next;
	struct queue *q;
	unsigned directory;
	uint64_t name;
	uint64_t mbox_end, state_end;       /* behind what entries made will write */
	uint64_t mbox_synced, state_synced; /* behind what is durable */
	uint64_t messages, living;          /* of them something is open; their bytes */
	unsigned references;                /* messages, writings, copies */
	bool known;                         /* how long its files are */
	bool read;                          /* all of it */
	bool damaged;                       /* something in it could not be read: it stays */
	bool torn;                          /* the state file does not end in LF */
	bool emptying;                      /* what is in it is being moved elsewhere */
	bool removing;                      /* an entry that does so is under way */
	int fd;                             /* of the mbox, for readers; -1: not open */
	unsigned copies;                    /* that read from it */
	uint64_t used;                      /* when the last of them ended, counted */
};

struct record { /* what the queue knows of a message besides what all may see; in memory behind it: lines[] by item */
	uint64_t offset; /* of its postmark */
	uint32_t prefix; /* bytes of postmark and envelope */
	uint32_t open;   /* items whose fate is open */
	bool applied;    /* the bytes are in the file */
	bool moving;     /* to another segment: its changes wait */
	bool listed;     /* it can be found by its id */
	struct queue_message m;
};

struct opening { /* messages whose items the listener is to be told of, in slices */
	struct opening *next;
	struct record **records;
	size_t count, at; /* at: the record being told */
	uint32_t item;
	struct buf
		texts; /* of each record: its sender, then of each open item the address, and where it was sent, if `to` */
	size_t read;       /* of texts */
	bool begun;        /* the sender is read */
	struct str sender; /* of the record being told; in texts */
	void (*done)(void *user);
	void *user;
};

struct pending { /* a change that is not written yet */
	struct pending *next;
	struct queue_item *item; /* NULL: gone */
	uint64_t id;
	uint32_t number;
	uint32_t at;   /* where its line is, once it is made */
	uint16_t note; /* the item's, that what the line says was answered; 0: none */
	struct queue_segment *segment;
	uint32_t round;   /* in which it was made: of queue_when_written */
	bool ends, texts; /* texts: there is something to be read in the line */
	bool keeps;       /* what is to be read of the item stands in an earlier one */
	size_t len;
	char line[];
};

struct pendings {
	struct pending *first, **last;
};

struct queue {
	struct worker *w;
	struct journal *journal;
	struct queue_conf conf;
	struct queue_listener listener;
	void *user;
	uint64_t next; /* the number of the next message */
	struct answers *answers;
	struct order order;
	struct queue_totals totals;
	struct queue_segment *segments, *current; /* current: NULL: none yet */
	uint64_t uses;                            /* of segments, counted */
	char **tos;                               /* where operators sent items, each once */
	unsigned to_count;

	unsigned unsynced; /* entries of ours */
	bool broken;       /* one failed, and not all are told */
	bool stopping;

	struct pendings pendings;
	struct timer flush_timer; /* after a failure */
	struct chore flush_chore;
	bool flushing, failed; /* failed: changes could not be written the last time */
	struct flush *flights; /* entries of changes under way */
	uint64_t unwritten;    /* changes that are not durable */
	uint32_t round;
	struct written *waiting; /* who waits until they are, the last first */

	struct opening *openings, **openings_last;
	struct chore opening_chore;

	struct put *stalled;      /* puts that end what is being moved */
	unsigned closing;         /* puts whose ends are being closed */
	struct reading *readings; /* queue_open's */
	struct copying *copies;
	struct load *load; /* NULL: everything is read */
	struct timer load_timer;
	struct timer tidy_timer;
	struct move *move; /* NULL: nothing is being moved */

	struct chore freeing_chore;
	void (*freed)(struct worker *w);
};

static inline struct record *record_of(struct queue_message *m)
{
	return (struct record *)((char *)m - offsetof(struct record, m));
}

static inline uint32_t *record_lines(struct record *r) /* by item: where its last line with texts is; 0: none */
{
	return (uint32_t *)&r->m.items[r->m.count];
}

/* queue.c */
struct record *record_from(const struct envelope_head *h, const struct queue_envelope *e); /* as it was put */
/* The same, item by item: all of them, by number, then what is of the message. */
struct record *record_new(uint32_t items);
void record_item(struct record *r, uint32_t number, const struct queue_envelope *e);
void record_finish(struct record *r, const struct envelope_head *h, const struct queue_envelope *e);
void record_add(struct queue *q, struct record *r);  /* it counts from now on */
void record_list(struct queue *q, struct record *r); /* it is found from now on */
void item_close(struct queue *q, struct queue_item *item);
uint16_t to_keep(struct queue *q, struct str to); /* an item's `to`; 0: "", or there is no room for one more */
/* Its items are told the listener, the first of them at once; then done(user), which may run from in here. */
void opening_add(struct queue *q, struct opening *o);

/* queue_segment.c */
/* The next of the directory of s, empty; in this worker's own it is where messages go from now on. */
struct queue_segment *segment_next(struct queue *q, const struct queue_segment *s);
/* Where a message of so many bytes goes; id: its, 0: one that has its id from elsewhere. */
struct queue_segment *segment_for(struct queue *q, uint64_t id, uint64_t bytes);
void segment_unref(struct queue_segment *s);
const char *segment_path(const struct queue_segment *s, const char *suffix, char path[QUEUE_PATH_SIZE]);
/* The directories that are this worker's, listed into q->segments; q->next is set. */
enum err segments_list(struct queue *q);
void segment_copy_opened(struct queue_segment *s); /* somebody reads from it */
void segment_copy_closed(struct queue_segment *s);

/* writing.c: an entry being made; nothing else of the queue may be made between writing_new and writing_go */
struct writing;
struct writing *writing_new(struct queue *q);
void writing_mbox(struct writing *x, struct queue_segment *s, struct str bytes);
void writing_spool(struct writing *x, struct queue_segment *s, struct str spool, uint64_t len);
uint64_t writing_state(struct writing *x, struct queue_segment *s, struct str line); /* where it will be */
void writing_remove(struct writing *x, struct queue_segment *s);
void writing_name(struct writing *x, struct queue_segment *s); /* its state file is made, empty but for its head */
size_t writing_bytes(const struct writing *x);
/* synced always runs, in a later turn; applied only after synced(OK). */
void writing_go(struct writing *x, enum entry_class class, entry_done *synced, entry_done *applied, void *user);

/* change.c */
void changes_go_on(struct queue *q);                                 /* some may be written now that might not before */
void changes_forget(struct queue *q, const struct queue_item *item); /* it is gone */
void changes_stop(struct queue *q);                                  /* all are given to the journal */
void changes_free(struct queue *q);

/* put.c */
void puts_go_on(struct queue *q); /* those stalled */

/* copy.c */
void copies_forget(struct queue *q, const struct queue_message *m); /* it is gone */
void copies_go_on(struct queue *q, const struct record *r);         /* its bytes are in the file, or never will be */
/* What became of an item, without an LF: those who have the message open are told, if they are to be. */
void copies_tell(struct queue *q, const struct queue_message *m, struct str line);

/* load.c */
void load_start(struct queue *q);
void load_stop(struct queue *q);

/* tidy.c */
void tidy_look(struct queue *q); /* soon: something is gone */
void tidy_stop(struct queue *q);

/* move.c */
void move_consider(struct queue *q); /* begins a pass, if it is worth it */
void move_stop(struct queue *q);

#endif
