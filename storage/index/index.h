/* index.h - LevelDB, the cache of what the text files say: one database per shard, opened on first use, in
 * index/<shard>/leveldb.
 *   key "b" address \0 mailbox       the mailbox's record
 *   key "m" id uid (big-endian)      a message
 *   key "v"                          the version of all this
 * Everything here may be lost at any time and is made again from mbox and state. Functions named index_*_work run
 * in the index lane; an error of LevelDB sets the shard's database aside (renamed to index/<shard>.bad.<time>, logged)
 * and makes it anew: the answer is ERR_ABSENT, as if nothing had been there. ERR_AGAIN: none can be made now (a full
 * disk); do without. A record says how much of the files it covers: what the files hold beyond that is read from them
 * (mailbox.c). */
#ifndef STORAGE_INDEX_INDEX_H
#define STORAGE_INDEX_INDEX_H

#include "core/lane.h"
#include "storage/mailbox/mbox.h"
#include "storage/mailbox/state.h"

struct index;

struct mailbox_record {
	struct state_head head;   /* as of `mbox_end` and `state_end` */
	uint64_t mbox_end;        /* bytes of the mbox, or files of the mdir, that are in the index */
	uint64_t state_end;       /* bytes of the state file */
	uint32_t messages;        /* not expunged */
	uint32_t unseen, deleted; /* of these, without \Seen; with \Deleted */
	uint32_t recents;         /* of these, with UIDs from `recent` on */
	uint64_t bytes;           /* wire bytes of what is not expunged */
	uint64_t garbage;         /* of these, what a compaction would free */
	uint32_t recent;          /* UIDs from here on no session was told of (RFC 3501, \Recent) */
	struct keywords keywords;
};

struct index_limits {        /* for all shards together */
	size_t cache_bytes;  /* of blocks read */
	size_t buffer_bytes; /* of what was put and is not in tables yet; each open database has 128 KiB at least */
	unsigned databases;  /* open at a time; fewer where the process may have few descriptors */
};
/* directory: the store's, which stays the caller's and open. */
struct index *index_new(int directory, unsigned shards, const struct index_limits *limits);
void index_free(struct index *x); /* NULL is fine; no work may be under way */

/* In the index lane: */
enum err index_get_work(
	struct index *x, unsigned shard, struct str address, struct str mailbox, struct mailbox_record *r);
/* Tells every message of mailbox `id`, by UID. After ERR_ABSENT or ERR_AGAIN what was told is to be forgotten. */
enum err index_messages_work(
	struct index *x, unsigned shard, uint64_t id, void (*each)(void *user, const struct message *m), void *user);
/* Tells every mailbox that is known of an address, by name. The same errors. */
enum err index_mailboxes_work(struct index *x, unsigned shard, struct str address,
	void (*each)(void *user, struct str mailbox, const struct mailbox_record *r), void *user);
/* One atomic batch: the record (NULL: unchanged) and messages; those with FLAG_EXPUNGED are deleted. whole: first all is
 * forgotten that is known of this mailbox, and r must be given; for a new mailbox, a new generation, and an index made
 * anew. Not whole: the mailbox must be known with r's id and generation, else ERR_ABSENT and nothing is written; the
 * caller then puts all of it, whole. Any error leaves the mailbox unknown, or as it was before. */
enum err index_put_work(struct index *x, unsigned shard, struct str address, struct str mailbox, bool whole,
	const struct mailbox_record *r, const struct message *messages, size_t count);
/* These three leave alone what is not there: OK then too. */
enum err index_remove_work(struct index *x, unsigned shard, struct str address, struct str mailbox, uint64_t id);
enum err index_rename_work(struct index *x, unsigned shard, struct str address, struct str from, struct str to);
/* Everything of this address: when an account is deleted. */
enum err index_remove_account_work(struct index *x, unsigned shard, struct str address);

/* How often a database was asked for so far. */
uint64_t index_uses_work(const struct index *x);
/* Closes databases that nobody asked for since there were so many uses, at most `most`; answers how many. They open
 * again when somebody asks. An open one costs its tables, which are mapped, their blocks in the cache, its buffers. */
unsigned index_close_work(struct index *x, uint64_t uses, unsigned most);

#endif
