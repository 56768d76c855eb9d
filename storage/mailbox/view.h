/* view.h - a mailbox as everybody may read it: an array in a file, written by the owner, mapped by every worker.
 *   head page(s): identity, counts, clock, keyword words | ring of the places changed last | messages, oldest first
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
void view_supersede(struct view *v);

/* Reader (the owner too). ERR_ABSENT: no such file; ERR_NEVER: it is damaged, or not this mailbox's. */
enum err view_map(struct view **out, int directory, const char *path, uint64_t id);
void view_unmap(struct view *v);                                            /* NULL is fine; either side */
void view_read_head(const struct view *v, struct view_head *h);             /* all as of one moment */
void view_message(const struct view *v, uint32_t place, struct message *m); /* place < count */
uint32_t view_place(const struct view *v, uint32_t uid); /* the first place whose UID is >= uid; count if none */
/* Places changed since the reader saw `seen` changes (view_head.changes): at most `max` into places, in their order, one
 * more than once if it changed so; *now is what the reader has seen then. False: too many are missed (some 1,000 are
 * kept), compare every message's clock with the last one known instead. */
bool view_changes(const struct view *v, uint64_t seen, uint32_t *places, size_t max, size_t *count, uint64_t *now);
const char *view_keyword(const struct view *v, unsigned bit); /* NULL: no such; valid as long as v */
unsigned view_keyword_count(const struct view *v);

#endif
