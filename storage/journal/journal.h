/* journal.h - the one sequential write that makes every promise durable.
 * Each worker has one journal, journal/<slot>/, of segments that are written once with zeros and then used again
 * for ever. What an owner promises is an entry: a list of operations on files of the store, physical and absolute,
 * applied all or none. Entries that arrive while a write is under way go out together in the next one, a batch:
 * one pwrite, one fdatasync, in the journal lane. Only when that is through does `synced` run, and only then may
 * anybody be told. Then the files lane applies the entry to the files (apply.h), and `applied` runs. Replay after a
 * crash is the same apply once more: twice is the same as once.
 *
 * With durability = relaxed `synced` runs when the batch is written; its fdatasync follows within a second, and only then
 * is anything applied. A killed process loses nothing, a power cut what was told since the last sync and nothing else.
 *
 * A checkpoint makes what is applied durable by one syncfs and lets the segments before it be used again. Entries
 * of one journal are synced, applied and called back in the order of journal_append.
 *
 * Replay cannot ask what was meant, so whoever makes entries keeps to this:
 *   - a file that is written to by entry_write only grows by it: what a crash left behind the last write is cut off;
 *   - what entry_rename moves is durable (synced, with its directory) before the entry is appended;
 *   - a file made outside of the journal to be renamed by it bears a name never used before;
 *   - a path that an entry renamed is not made again by the same entry. A later entry that makes it again waits
 *     inside the journal for a checkpoint, and those behind it with it. (After a remove nobody need wait.) */
#ifndef STORAGE_JOURNAL_JOURNAL_H
#define STORAGE_JOURNAL_JOURNAL_H

#include "core/err.h"
#include "core/pack.h"
#include "core/settings.h"

struct worker;
struct journal;
struct entry;
struct name;
struct stamp;

enum durability { DURABILITY_FULL, DURABILITY_RELAXED };
struct journal_conf {
	int64_t segment;       /* bytes of a segment: 1M to 1G, 64M; no entry may be longer */
	int64_t size;          /* bytes of all segments: 256M */
	int64_t checkpoint_ms; /* 10s */
	int64_t reserve;       /* free bytes of the disk that mail leaves alone: 64M */
	int64_t durability;    /* enum durability: full */
};
extern const struct settings journal_settings;

/* A file that entries write to. `id` is the mailbox's (0: none), the same for its mbox and its state file. */
struct file_ref {
	struct str path; /* relative to the store, at most PATH_BYTES_MAX */
	uint64_t id;
	uint32_t generation;
};

/* Making an entry. Paths and bytes are copied. */
struct entry *entry_new(void);
void entry_free(struct entry *e); /* never appended; NULL is fine */
void entry_write(struct entry *e, const struct file_ref *f, uint64_t offset, struct str bytes);
/* The bytes are all of the file `spool`, relative to the store and synced; it is unlinked once a checkpoint has
 * passed. If the entry is not synced, the file stays the caller's. */
void entry_write_spool(struct entry *e, const struct file_ref *f, uint64_t offset, struct str spool, uint64_t len);
void entry_put(struct entry *e, struct str path, struct str bytes); /* a whole small file, made or replaced;
	                                                                        * its directories are made */
void entry_make_directory(struct entry *e, struct str path);
void entry_rename(struct entry *e, struct str from, struct str to); /* replaces; done before is fine */
/* What the entry renames to `path` takes its place only as long as that is the file of this stamp; else all that it
 * renames is unlinked, and whoever watches the journal is told. */
void entry_expect(struct entry *e, struct str path, const struct stamp *stamp);
void entry_remove(struct entry *e, struct str path); /* a file or directory tree, moved to deleted/ */
/* All earlier writes to files of mailbox `id` are durable in their files by now and must not be written again:
 * said in the same entry as a rename, a remove or a new generation. */
void entry_settled(struct entry *e, uint64_t id);
/* The named change is done by this entry, with this answer: names.h remembers it. */
void entry_name(struct entry *e, struct name name, struct str answer);
void entry_awaited(struct entry *e); /* somebody waits for `applied`: relaxed or not, its sync is not put off */
size_t entry_bytes(const struct entry *e);
uint64_t journal_entry_max(const struct journal *j); /* what that may be: more is ERR_TOO_BIG */

enum entry_class { ENTRY_MAIL, ENTRY_SMALL }; /* SMALL (flags, expunges, deletes) may use the last 5 % */

typedef void entry_done(void *user, enum err e);

/* Takes the entry. synced (may be NULL): OK: it is durable, or relaxed; any other: it is not and never will be (ERR_AGAIN: no
 * room, or the write failed; ERR_TOO_BIG: longer than a segment). applied (may be NULL) runs after synced(OK) when
 * the files are written; it does not run after an error. Both run in later turns. What is appended after an entry
 * that fails, and before that was told, fails too: it may have built upon it. */
void journal_append(struct journal *j, struct entry *e, enum entry_class class, entry_done *synced, entry_done *applied,
	void *user);

bool journal_is_durable(const struct journal *j); /* all that `synced` was said of; ever, unless it is relaxed */
/* done runs when it is: at once if it is now. For whoever lets go of what is durable elsewhere. It never runs if the journal
 * is freed before. */
void journal_when_durable(struct journal *j, entry_done *done, void *user);

/* What a mailbox must say OK to before it takes mail: ERR_AGAIN while the journal or the disk is too full. */
enum err journal_room(const struct journal *j, enum entry_class class, uint64_t bytes);

/* The names remembered (exactly once, design idea 6): of entries that are synced. *answer is valid until the next
 * turn. */
bool journal_name_known(const struct journal *j, struct name name, struct str *answer);
void journal_name_forget(struct journal *j, struct name name);
void journal_names_of_life_forget(struct journal *j, uint64_t life); /* a peer died: nobody will ask again */

/* Other programs that write to mailboxes. changed: one did, and what was written of ours since then may lie elsewhere than
 * the entry said, or a new generation was given up; told before `applied`. parked: an entry of ours
 * waits until another program gives up its lock, or none does any more. */
void journal_watch(struct journal *j, void (*changed)(void *user, uint64_t id),
	void (*parked)(void *user, uint64_t id, bool is_parked), void *user);
bool journal_is_parked(const struct journal *j, uint64_t id);
bool journal_needs(const struct journal *j, struct str spool); /* for an entry that is parked */
struct files *journal_files(struct journal *j);                /* for jobs of the files lane alone */

/* Opens this worker's journal: replays what is there (blocking: at a start), then is empty. ERR_NEVER: it cannot
 * be used; the log says why. */
enum err journal_open(struct journal **out, struct worker *w);
void journal_checkpoint(struct journal *j); /* as soon as it can */
/* When everything appended is applied and a checkpoint made, `done` runs in a later turn, and may journal_free. At a
 * stop. */
void journal_settle(struct journal *j, void (*done)(void *user), void *user);
/* Waits for what the lanes are at; those not called back yet never are. Not from inside an entry_done. NULL is fine. */
void journal_free(struct journal *j);

/* Replays every journal/<n>/ of the store, in a process of its own, before any worker runs; leaves them empty. */
enum err journal_recover(const struct conf *conf, int directory);

#endif
