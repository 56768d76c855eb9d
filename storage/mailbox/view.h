/* view.h - a mailbox as everybody may read it: an array in a file, written by the owner, mapped by every worker.
 *   head page(s): identity, counts, clock, keyword words | ring of the places changed last | messages, oldest first | bits
 * The owner changes entries by single aligned words and publishes the count last; an expunged message is marked
 * (FLAG_EXPUNGED), never closed up. The file is allocated in full when made: no reader can hit a hole. When it is
 * full, or the mailbox has a new generation, the owner makes another file and marks this one superseded; a session
 * moves over when it may tell its client of expunges. Reading needs no lock and cannot block: a reader that sees a
 * place in the ring of changes reads that message's words again. */
#ifndef STORAGE_MAILBOX_VIEW_H
#define STORAGE_MAILBOX_VIEW_H

#include "storage/mailbox/mbox.h"

struct view;

struct view_head {   /* what a reader may ask of the whole */
	uint64_t id; /* the mailbox's */
	uint32_t generation;
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint32_t count;           /* messages, expunged ones included */
	uint32_t expunged;        /* of these */
	uint32_t unseen, deleted; /* not expunged, without \Seen; with \Deleted */
	uint64_t clock;
	uint64_t changes; /* places ever noted as changed: see view_changes */
	uint64_t bytes;   /* wire bytes of what is not expunged */
	bool mdir;        /* each message has a file of its own (mdir.h) */
	bool superseded;
};

/* Owner. path is relative to directory, where its own directory exists; a file that is there already is unlinked, its
 * readers keep what they mapped. capacity: messages it must hold. ERR_AGAIN: no room on the disk. */
enum err view_create(struct view **out, int directory, const char *path, uint64_t id, uint32_t generation,
	uint32_t uidvalidity, uint32_t capacity);
bool view_full(const struct view *v);
void view_add(struct view *v, const struct message *m);              /* not yet seen; UIDs grow; never when full */
void view_publish(struct view *v, uint32_t uidnext, uint64_t clock); /* all added are seen from now on */
/* Whether it has that message; *place: where it may be, and then where it is. */
bool view_find(const struct view *v, uint32_t uid, uint32_t *place);
/* Flags (with FLAG_EXPUNGED), keywords and clock of the message at `place` are m's now, and the view's clock is not less. */
void view_change(struct view *v, uint32_t place, const struct message *m);
void view_keywords_set(struct view *v, const struct keywords *k); /* before a message has a new one; only grows */
void view_is_mdir(struct view *v);                                /* before it has messages */
void view_supersede(struct view *v);
uint32_t view_capacity(const struct view *v);
/* A view may outlive its owner: he seals it, when nothing of it will change any more, with a checksum and how much of the
 * files it covers. It needs no sync, for one of which something is not as it was sealed is none. */
void view_seal(struct view *v, uint64_t mbox_end, uint64_t state_end);
/* Its next owner takes it up, and the seal is broken. ERR_ABSENT: no such file; ERR_NEVER: it is not whole, or not sealed. */
enum err view_unseal(
	struct view **out, int directory, const char *path, uint64_t id, uint64_t *mbox_end, uint64_t *state_end);

/* A view of nobody's file, in memory, that knows UIDs alone (ascending): messages that cannot be read, and whose offset is
 * MESSAGE_NOWHERE. */
#define MESSAGE_NOWHERE (UINT64_MAX >> 2) /* beyond the end of any mbox */
struct view *view_of_uids(uint64_t id, uint32_t uidvalidity, const uint32_t *uids, uint32_t count);

/* Reader (the owner too). ERR_ABSENT: no such file; ERR_NEVER: it is damaged, or not this mailbox's. */
enum err view_map(struct view **out, int directory, const char *path, uint64_t id);
void view_unmap(struct view *v);                                            /* NULL is fine; either side */
void view_read_head(const struct view *v, struct view_head *h);             /* all as of one moment */
void view_message(const struct view *v, uint32_t place, struct message *m); /* place < count */
uint32_t view_uid(const struct view *v, uint32_t place);                    /* of the message there; place < count */
uint32_t view_place(const struct view *v, uint32_t uid); /* the first place whose UID is >= uid; count if none */
/* The first place from this one on of a message that is without \Seen, or has \Deleted, and is not expunged; or of one that
 * is expunged. count: there is none. */
uint32_t view_next_unseen(const struct view *v, uint32_t place);
uint32_t view_next_deleted(const struct view *v, uint32_t place);
uint32_t view_next_expunged(const struct view *v, uint32_t place);
/* Places changed since the reader saw `seen` changes (view_head.changes): at most `max` into places, in their order, one
 * more than once if it changed so; *now is what the reader has seen then. False: too many are missed (some 1,000 are
 * kept), compare every message's clock with the last one known instead. */
bool view_changes(const struct view *v, uint64_t seen, uint32_t *places, size_t max, size_t *count, uint64_t *now);
const char *view_keyword(const struct view *v, unsigned bit); /* NULL: no such; valid as long as v */
unsigned view_keyword_count(const struct view *v);

#endif
