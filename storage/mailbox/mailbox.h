/* mailbox.h - a mailbox as its owner holds it in memory.
 *
 * Twice: as it is seen (`seen`, and the view), and as it will be when all that is under way is applied (uidnext, mbox_end
 * ...), on which the next change builds. A change is fixed in one turn of the loop: its UIDs, places in the files and
 * clock; it then goes through the journal, and when it is applied it is seen: index, view, watchers, in that order, and
 * only then is it answered. Flags and expunges are seen as soon as the journal has them: so they are made also while a
 * full disk lets no file grow.
 * Always: (1) changes of a mailbox are synced, applied and seen in the order in which they were fixed; (2) nobody is
 * told of a message that is not yet in its file; (3) UIDs and clock only grow, also over a failed change; (4) while a
 * task holds the mailbox alone nothing is under way and nobody else holds it.
 *
 *   mailbox.c          finding, holding, letting go
 *   mailbox_load.c     from index and files into memory
 *   mailbox_scan.c     what the files say
 *   mailbox_scan_mdir.c  the same of an mdir
 *   lookup.c           what the index knows, unless it is stuck
 *   mailbox_match.c    which of their messages are those that were known, when another program wrote them
 *   mailbox_renew.c    then they are written anew
 *   mailbox_foreign.c  how that is noticed
 *   mailbox_uids.c     UIDs of messages that lack them, or have wrong ones
 *   mailbox_change.c   changes, from fixed to seen
 *   mailbox_lines.c    what the state file is told of them
 *   mailbox_index.c    what is seen goes to the index
 *   mailbox_view.c     views, and who watches
 *   mailbox_kept.c     views that outlive their owner
 *   compact.c          new generations */
#ifndef STORAGE_MAILBOX_MAILBOX_H
#define STORAGE_MAILBOX_MAILBOX_H

#include "storage/holding.h"
#include "storage/journal/operation.h"
#include "storage/mailbox/mdir.h"
#include "storage/owner.h"
#include "storage/task.h"

#define INBOX STR("INBOX")

struct change;
struct making;
struct mailbox_scan;

struct hold {                      /* a task's use of a mailbox: in the task's memory */
	struct hold *next;         /* that wait for the mailbox */
	struct hold *next_of_task; /* that the task has */
	struct mailbox *m;
	struct task *t;
	task_step *step;
	bool alone, held;
};

struct watcher { /* a worker whose sessions have it selected */
	unsigned slot;
	uint32_t life;             /* of that worker */
	uint32_t sessions, claims; /* those that claim \Recent */
};

enum mailbox_state {
	MAILBOX_LOADING,
	MAILBOX_READY,
	MAILBOX_BROKEN, /* a change failed: nothing new begins until it is loaded again */
	MAILBOX_GONE,   /* out of the tables: it was never there, or is no more */
};

struct mailbox {
	struct table_node by_name, by_id;
	bool has_id; /* it is in the table by id */
	struct mailbox *idle_next, *idle_prev;
	int64_t idle_ms; /* since when nothing pins it */
	struct store *st;
	struct holding *h;
	uint64_t number;   /* one never given again in this life */
	char *name, *stem; /* stem: its files without their suffix, relative to the store */
	enum mailbox_state state;
	unsigned pins; /* holds, waiting ones too, and jobs: it may not leave memory */
	struct hold *waiting, **waiting_last;
	unsigned shared; /* holds that are not alone */
	struct hold *alone;
	bool turning;

	struct mailbox_record seen;

	uint32_t uidnext;
	uint64_t mbox_end, state_end, clock;    /* of an mdir mbox_end counts files */
	struct change *changes, **changes_last; /* under way */
	struct latest *latest;                  /* flags as they will be, of messages that change */
	size_t latest_cap, latest_count;        /* emptied when nothing is under way */

	struct putting *putting; /* what the index must learn, mailbox_index.c */

	struct view *view; /* NULL: none was needed yet */
	char *view_path;
	uint64_t lineage; /* views of the same lineage have the same places */
	uint32_t view_cap;
	bool view_making;      /* what is applied is seen only when it is made */
	struct making *making; /* of one from the files, which lack something still; NULL else */
	struct view_wait *view_waits;
	struct watcher *watchers;
	size_t watcher_count;
	struct mailbox *news_next; /* in store.news */
	bool news;
	struct timer compact_timer; /* until a new generation is begun */
	bool compacting;
	uint32_t generation; /* the highest that a new file was made of; 0: none was */
	int64_t reread_ms;   /* when a reader last had it read again */
	bool foreign;        /* another program wrote to it since it was read, or may have */
	bool adopts;         /* entries of an earlier life wait among them: UIDs of which it does not know */
	bool parked;         /* writes wait until another program gives up its lock */
	bool parked_long;    /* nobody else waits for that any more */
	struct hold *parking, **parking_last; /* that wait for it */
	struct timer parked_timer;
	int64_t looked_ms; /* when it was looked at last */
	int64_t others_ms; /* when it was read again last, for it is another's work; 0: never */
	uint32_t *gone;    /* of an mdir: messages that are expunged and whose files are there still */
	size_t gone_count, gone_cap;
	bool untidy;           /* a new generation puts in order what damage or others left */
	uint64_t garbage_kept; /* a compaction failed at so much garbage: not again before there is more */
};

/* --- mailbox.c -------------------------------------------------------------------------------------------------- */

struct mailbox *mailbox_known(struct holding *h, struct str name); /* NULL: not in memory */
struct mailbox *mailbox_by_id(struct store *st, uint64_t id);      /* the same */
/* One of a good name that is not in memory; neither loading nor ready. */
struct mailbox *mailbox_make(struct holding *h, struct str name);
struct str mailbox_canonical(struct str name); /* INBOX in any case is INBOX */

/* In memory, or being loaded. ERR_MISTAKE: there can be none of that name; ERR_ABSENT: there is none. */
enum err mailbox_find(struct holding *h, struct str name, struct mailbox **m);

/* Goes on when t may use it: OK; ERR_ABSENT: there is none; ERR_MISTAKE: nor can there be; ERR_AGAIN. Once held it stays
 * so until mailbox_release or task_end. Who needs two holds them in the order of their numbers, lest two tasks wait for
 * each other. By id: the mailbox of that id, wherever it was renamed to, else that of the name, whose id the caller
 * compares. */
void mailbox_hold(struct task *t, struct hold *hold, struct mailbox *m, bool alone, task_step *step);
void mailbox_hold_name(struct task *t, struct hold *hold, struct str name, bool alone, task_step *step);
void mailbox_hold_id(struct task *t, struct hold *hold, uint64_t id, struct str name, bool alone, task_step *step);
void mailbox_release(struct hold *hold);
void mailbox_pin(struct mailbox *m);
void mailbox_unpin(struct mailbox *m);
void mailbox_is_parked(struct mailbox *m, bool is_parked);
void mailbox_turn(struct mailbox *m);                    /* something changed: whoever may go on now goes on */
void mailbox_gone(struct mailbox *m, enum err e);        /* out of the tables; those that wait are told e */
void mailbox_rename(struct mailbox *m, struct str name); /* its files have been renamed */
void mailbox_set_id(struct mailbox *m);                  /* it is found by the id in seen.head */
void mailboxes_free(struct store *st);
void memory_is_freed(struct store *st);              /* much of it: what is free goes back to the system soon */
const char *mailbox_suffix(const struct mailbox *m); /* ".mbox" or ".mdir" */
/* The files of a mailbox, for entries: suffix ".mbox" or ".state". path keeps the bytes. */
struct file_ref mailbox_file(const struct mailbox *m, const char *suffix, struct buf *path);

/* --- mailbox_load.c --------------------------------------------------------------------------------------------- */

void mailbox_load(struct mailbox *m); /* then it is ready, or gone */

/* --- mailbox_renew.c -------------------------------------------------------------------------------------------- */

/* Its files are written anew by what s found, while it is loaded: then s is as they are. ERR_AGAIN: another program wrote
 * to them again, or there is no room. */
void mailbox_renew(struct mailbox *m, struct mailbox_scan *s, void (*step)(void *user, enum err e), void *user);

/* --- mailbox_foreign.c ------------------------------------------------------------------------------------------ */

void foreign_start(struct store *st);
void foreign_stop(struct store *st);
void mailbox_is_foreign(struct mailbox *m); /* it is read again as soon as nothing is under way */
/* Goes on (always OK) when it is known whether another program wrote to m, which may be NULL: then holding it waits until
 * it has been read again. */
void mailbox_look(struct task *t, struct mailbox *m, task_step *step);
void mailbox_look_now(struct mailbox *m); /* it is looked at, though it was a moment ago; NULL is fine */

/* --- mailbox_change.c ------------------------------------------------------------------------------------------- */

struct incoming {                      /* a message to be appended: all in stored form */
	struct str sender;             /* of the envelope, for the postmark */
	struct str before;             /* header lines put before the message */
	struct str bytes;              /* the message, or ... */
	struct str spool;              /* ... the file that is it, which is then the journal's */
	uint64_t stored, wire, header; /* of all, `before` included */
	uint32_t flags;
	uint64_t keywords;
	int64_t date;
};

struct commit; /* an entry of the journal being made, and what it does to mailboxes */

/* From commit_new to commit_go everything happens in one turn. t: for the steps; NULL: nobody waits. */
struct commit *commit_new(struct store *st, struct task *t);
struct entry *commit_entry(struct commit *k);
/* A change of m, which is ready; what follows fixes it. */
struct change *commit_change(struct commit *k, struct mailbox *m);
struct change *commit_change_at(struct commit *k, struct mailbox *m, uint64_t clock); /* above m->clock */
uint32_t change_append(struct change *c, const struct incoming *in);                  /* the UID */
/* Messages get the flags and keywords that they have here; with FLAG_EXPUNGED they go. places: theirs in the view,
 * ascending. */
void change_messages(struct change *c, const struct message *messages, const uint32_t *places, size_t count);
/* Messages whose bytes, prefixes and all, were made beforehand for uidnext and mbox_end as they are; one at a time for an
 * mdir. */
void change_run(struct change *c, const struct message *messages, size_t count, struct str spool, struct str bytes,
	uint64_t length);
/* The state file begins; uidnext: as of the mbox that is there, before those of its messages that bear no UID got one. */
void change_head(struct change *c, uint32_t uidnext);
void change_uidnext(struct change *c);                   /* the state file is told it */
void change_line_ends(struct change *c, unsigned count); /* before mbox_end there are so many line ends */
/* synced: it is durable, or failed, and then nothing else runs; seen: it is applied and seen by all, or failed. Either
 * may be NULL; a task that ends in `synced` has no `seen`. */
void commit_go(struct commit *k, enum entry_class class, task_step *synced, task_step *seen);

/* Goes on when all that is under way now is seen; ERR_AGAIN: it failed. */
void mailbox_settled(struct task *t, struct mailbox *m, task_step *step);
/* The same, but at once if it may take long, for another program has the mailbox locked. */
void mailbox_settled_or_parked(struct task *t, struct mailbox *m, task_step *step);
void mailbox_message(const struct mailbox *m, uint32_t place, struct message *msg); /* in the view, as it will be */
struct quota mailbox_sum(const struct mailbox *m); /* of its messages, as they will be */
void mailbox_answer_durable(struct mailbox *m);    /* whoever waits for what is durable waits no longer */
void mailbox_forget_changes(struct mailbox *m);    /* at a stop: they are in the journal */
bool mailbox_is_ahead(const struct mailbox *m);    /* something is seen that the files do not say yet */
void mailbox_publish(struct mailbox *m);           /* what is applied is seen now, unless the view is being made */
void mailbox_fix(struct mailbox *m);               /* what will be is what is seen: nothing is under way */

/* --- mailbox_lines.c ------------------------------------------------------------------------------------------------ */

/* Lines of the state file: messages get the flags and keywords that they have here; with FLAG_EXPUNGED they go. */
void mailbox_lines(const struct mailbox *m, const struct message *messages, const uint32_t *places, size_t count,
	uint64_t clock, struct buf *out);

/* --- mailbox_index.c -------------------------------------------------------------------------------------------- */

void mailbox_put(struct mailbox *m, const struct message *messages, size_t count); /* and the record, soon */
void mailbox_put_whole(struct mailbox *m, struct message *messages, size_t count); /* takes messages */
void mailbox_put_flush(struct mailbox *m); /* before the index is read: what is to come after it is in its lane */
void mailbox_put_free(struct mailbox *m);
void mailbox_index_rename(const struct mailbox *m, struct str to); /* before mailbox_rename */
void mailbox_index_remove(const struct mailbox *m);
void account_index_remove(const struct holding *h);
/* Those in its view that are not expunged; or those that are. The caller's. */
struct message *mailbox_seen(const struct mailbox *m, bool expunged, size_t *count);

/* --- mailbox_scan.c ----------------------------------------------------------------------------------------------------- */

enum scan_amiss {
	SCAN_BYTES, /* the mbox has bytes that are no message's */
	SCAN_UID,   /* a message of a mailbox of ours had no UID of its own in its place: it has this one now */
	SCAN_LINE,  /* of the state file is not understood */
	SCAN_NO_MBOX,
	SCAN_FILE,  /* of an mdir holds no message, or several */
	SCAN_OTHER, /* an mdir has a file that bears no UID and was not taken in */
	SCAN_NEWER_MBOX,
	SCAN_NEWER_STATE,
};

struct mailbox_known {            /* what was known of a mailbox before another program wrote to it */
	struct message *messages; /* by UID */
	size_t count;
	struct message *expunged; /* by UID: those whose text may still stand in the mbox, as far as that is known */
	size_t expunged_count;
	uint32_t uidnext, generation;
	uint64_t clock;
	bool behind;    /* there may have been changes of ours since */
	bool stateless; /* the state file is gone */
	bool restored;  /* it is another one, too */
	bool put_back;  /* the mbox alone is an older one: all that is in it is wanted */
};

struct mailbox_scan {                  /* what files say, in the slow lane; zeroed but for what is marked `in` */
	int directory;                 /* in */
	const char *stem;              /* in */
	const char *account, *mailbox; /* in: for the log; may be NULL */
	struct mailbox_record r;       /* in: what is known; out: with what the files hold beyond that */
	struct message *messages;      /* in, out: by UID, also those expunged since; the receiver's */
	bool *changed;                 /* out: which of them are not as they were; the receiver's */
	size_t count, cap;
	uint64_t mbox_max, state_max; /* in: no bytes beyond; UINT64_MAX: to the end */
	uint32_t uid_end;             /* in: of an mdir, no messages from here on; 0: to the end */
	bool adopts;                  /* in: files that are added to an mdir get their UIDs */
	bool has_head, has_base;      /* out: the state file has a head; the mbox bears an id */
	bool untidy;                  /* out: a new generation should be made: not all UIDs stand where they should */
	uint32_t uidnext;             /* out: as it was before messages without a UID were given theirs */
	const struct mailbox_known *known; /* in: NULL: nothing; else mailbox_match.c says what has which UID */
	bool renew;          /* out: the files do not say all that was found out: they are to be written anew */
	uint32_t news, gone; /* out: messages that were not known, or are no more */
	bool lock;           /* in: ERR_AGAIN if another program has the mbox locked */
	struct stamp stamp;  /* out: of the mbox when reading began */
	unsigned lacks;      /* out: so many line ends the mbox must be given before r.mbox_end */
	/* in: told instead of the log what is amiss; uid 0: of no message; at: the offset in the file. May be NULL */
	void (*on_amiss)(void *user, enum scan_amiss what, const char *text, uint32_t uid, uint64_t at);
	void *user;

	/* While it goes on: */
	bool begun, whole, disorder, newer;
	int state, mbox;
	uint64_t state_size, mbox_size, at;
	struct mbox_scan *reader;
	struct mdir_list files; /* of an mdir */
	size_t next_file;
	struct mbox_bare *bare; /* of the messages from `first` on */
	size_t bare_cap, first;
	unsigned complaints;
};
enum err mailbox_scan_files(struct mailbox_scan *s); /* ERR_ABSENT: neither file is there */
/* The same in steps, each of some MiB, for a lane that others use: until *done or an error. */
enum err mailbox_scan_step(struct mailbox_scan *s, bool *done);
void mailbox_scan_sum(struct mailbox_scan *s);   /* r's sums by its messages */
void mailbox_scan_close(struct mailbox_scan *s); /* what it has open; as mailbox_scan_free, but what it found stays */
void mailbox_scan_free(struct mailbox_scan *s);

/* Which form it has: that of the one that is there; if both are, or neither, what the state file's head says. */
bool mailbox_scan_is_mdir(const struct mailbox_scan *s, const struct state_head *head);
/* mailbox_scan_mdir.c: the parts of the above for an mdir. */
enum err mdir_scan_begin(struct mailbox_scan *s);
enum err mdir_scan_read(struct mailbox_scan *s);                        /* some more */
enum err mdir_scan_end(struct mailbox_scan *s);                         /* the state file has been read */
void mailbox_scan_add(struct mailbox_scan *s, const struct message *m); /* mailbox_scan.c; behind all others */

/* mailbox_uids.c: messages from `first` on, in the order of the file with what their X-UIDs say, get UIDs and are put in
 * their order; r.head.uidnext is above them. */
void mailbox_uids_settle(struct mailbox_scan *s, size_t first);
/* mailbox_match.c: the same when s->known; first the UIDs, then, when the state file has been read, flags and clocks. */
void mailbox_match_uids(struct mailbox_scan *s);
void mailbox_match_flags(struct mailbox_scan *s);
const struct message *mailbox_known_message(const struct mailbox_known *known, uint32_t uid);     /* NULL: none */
void mailbox_scan_amiss(struct mailbox_scan *s, enum scan_amiss what, uint32_t uid, uint64_t at); /* tells it */

/* --- mailbox_view.c --------------------------------------------------------------------------------------------- */

/* Goes on when m has a view; ERR_AGAIN: none can be made. t holds m. */
void mailbox_view(struct task *t, struct mailbox *m, task_step *step);
bool view_grow(struct mailbox *m, uint32_t more); /* true: it has no room and is being made anew */
void mailbox_view_drop(struct mailbox *m);        /* its readers look for another */
void mailbox_view_go_on(struct mailbox *m);       /* the files may say now what one that is being made waits for */
void mailbox_view_forget(struct mailbox *m);      /* that one, at a stop */
/* Adds to what the worker in that slot has selected, or takes away. */
void mailbox_watch(struct mailbox *m, unsigned slot, int sessions, int claims);
void mailbox_unwatch_all(struct mailbox *m);
const struct watcher *mailbox_watcher(const struct mailbox *m, unsigned slot); /* NULL: it does not watch */
void mailbox_news(struct mailbox *m);                                          /* its watchers are told, soon */
void mailbox_news_now(struct mailbox *m);
bool mailbox_is_claimed(const struct mailbox *m);
void views_start(struct store *st);      /* unlinks those of earlier lives */
void views_unlink_now(struct store *st); /* those that linger: at a stop */

/* --- mailbox_kept.c ------------------------------------------------------------------------------------------------- */

/* Nobody has its view any more. True: the view is kept, and m's no longer. */
bool mailbox_view_keep(struct mailbox *m);
/* In the index lane: the view that was kept of the mailbox that r is of, if it shows just that, at `path` from now on; else
 * NULL. */
struct view *kept_take(int directory, unsigned shard, const struct mailbox_record *r, const char *path);
bool kept_stays(int views, const char *name); /* at a start: that file in the directory `views` is one */

/* --- sleepers.c -------------------------------------------------------------------------------------------------- */

bool sleepers_any(const struct store *st, uint64_t id);
void sleepers_tell(struct store *st, uint64_t id); /* once, in mailbox_news_now */
void sleepers_free(struct store *st);

/* --- store_mailbox.c -------------------------------------------------------------------------------------------- */

/* As mailbox_hold_name, shared, but INBOX is made if it is not there. */
void mailbox_hold_made(struct task *t, struct hold *hold, struct str name, task_step *step);
/* t leads its holding, and the name is good, canonical and free: goes on when the mailbox is there. uses: what it is for;
 * change: what t was asked for is done by this; NULL: by something later. */
void mailbox_create(struct task *t, struct str name, unsigned uses, const struct name *change, task_step *step);
/* The parts of that, for who makes one by an entry with more in it: in memory, ready, and held by nobody; a change of it
 * that makes its files; and when that is seen, that the account has it. One that is not to be after all ends by mailbox_gone. */
struct mailbox *mailbox_begin(struct holding *h, struct str name);
struct change *mailbox_files(struct commit *k, struct mailbox *m);
void mailbox_made(struct mailbox *m);
#define MAILBOX_CREATE_BYTES 8192 /* what a new mailbox may take of the journal */
/* May the account have a mailbox of that name? OK, then its stem is appended; ERR_MISTAKE: nobody can; ERR_TOO_BIG: over a
 * limit of the settings. */
enum err mailbox_name_allowed(const struct holding *h, struct str name, struct buf *stem);

/* --- store_label.c ---------------------------------------------------------------------------------------------- */

/* The file of the labels, as they are to be, with the highest UIDVALIDITY. */
void labels_put(struct holding *h, struct entry *e, const struct labels *l);
void labels_take(struct holding *h, struct labels *l); /* the holding's are these from now on; l is empty then */
uint64_t labels_bytes(const struct holding *h);        /* of the journal for that file, at most one name more in it */

struct uses_given { /* by the setting, to names that exist; a use that a mailbox was made for is taken */
	unsigned taken, count;
	struct str names[USES];
	unsigned uses[USES];
};
void uses_give(const struct holding *h, struct uses_given *given);
/* What the mailbox of that name is for. label: NULL is fine. */
unsigned uses_find(const struct uses_given *given, const struct label *label, struct str name);
unsigned uses_taken(const struct holding *h);

/* Whether the account lacks the mailboxes that it is to have first. first_make: t, who leads, makes them and goes on with
 * its step. */
bool first_due(const struct holding *h);
void first_make(struct task *t);

/* The settings. */
bool special_use_check(const struct setting_list *special_use, struct buf *why);
bool new_mailboxes_check(const struct setting_list *new_mailboxes, struct buf *why);

/* --- store_message.c -------------------------------------------------------------------------------------------- */

void words_pack(struct buf *out, const struct flag_words *words);
void words_unpack(struct task *t, struct flag_words *words); /* too many of them and t->args is bad */
/* The bits of the keywords. make: new ones get a place; ERR_TOO_BIG: there is none; ERR_MISTAKE: no keyword. */
enum err words_resolve(struct mailbox *m, const struct flag_words *words, bool make, uint64_t *bits);
void ranges_pack(struct buf *out, const struct uid_range *uids, size_t count);
struct uid_range *ranges_unpack(struct unpack *u, struct arena *a, size_t *count);

/* --- store_copy.c ----------------------------------------------------------------------------------------------- */

/* All messages of a mailbox go to a new one, made by the same entry. t leads its holding and holds neither of the two; the
 * name is good, canonical and free, and nobody looks for it. */
void move_all(struct task *t, struct str from, struct str to, const struct name *change, task_step *step);

/* --- compact.c -------------------------------------------------------------------------------------------------- */

void compact_if_due(struct mailbox *m);
/* The number of the generation that the next one is made of: none is given twice. */
uint32_t mailbox_generation(struct mailbox *m, uint32_t at_least);
/* t holds m alone: goes on when it has a new generation. */
void compact(struct task *t, struct mailbox *m, task_step *step);
/* The same, of that form. */
void mailbox_convert(struct task *t, struct mailbox *m, bool mdir, task_step *step);
void mailbox_file_gone(struct mailbox *m, uint32_t uid); /* of an mdir: compaction unlinks it */

#endif
