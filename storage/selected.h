/* selected.h - a mailbox as one session sees it: its own numbering over a view that moves on.
 * The view changes under everybody; a session's sequence numbers may change only when its protocol allows, and POP3's never do. So a
 * selected mailbox holds what its client was told: how many messages exist, which places of the view are gone.
 * selected_sync brings it up to date and tells what changed. Views are mapped once per worker and shared.
 *
 * Message bytes are read straight from the mbox, without troubling the owner: warm ones at once, cold ones in the
 * files lane. What is read is checked to be the message the view says. */
#ifndef STORAGE_SELECTED_H
#define STORAGE_SELECTED_H

#include "core/call.h"
#include "storage/mailbox/state.h"
#include "storage/mailbox/view.h"

struct account;
struct selected; /* made by store_select (store.h) */

void selected_free(struct selected *s); /* NULL is fine */

uint32_t selected_exists(const struct selected *s); /* messages by this session's count */
uint32_t selected_recent(const struct selected *s); /* of these, \Recent ones */
uint32_t selected_uidvalidity(const struct selected *s);
uint32_t selected_uidnext(const struct selected *s);
uint64_t selected_clock(const struct selected *s);        /* as of the last sync */
uint32_t selected_first_unseen(const struct selected *s); /* a sequence number; 0: none */
bool selected_read_only(const struct selected *s);

/* seq: 1 .. exists. The message as it is now; FLAG_EXPUNGED may be set: gone, but this client was not told yet;
 * with the offset MESSAGE_NOWHERE nothing but its UID is known any more. */
void selected_message(const struct selected *s, uint32_t seq, struct message *m);
bool selected_is_recent(const struct selected *s, const struct message *m);
uint32_t selected_seq(const struct selected *s, uint32_t uid);      /* 0: not in this session's count */
uint32_t selected_seq_from(const struct selected *s, uint32_t uid); /* of the first UID >= uid; exists + 1: none */
const char *selected_keyword(const struct selected *s, unsigned bit);
unsigned selected_keyword_count(const struct selected *s);

/* --- a quiet client ---
 * What a session keeps of its mailbox while its client is quiet: no view, only what the client was told (dormant.c). */
struct dormant; /* woken by store_wake (store.h) */
/* Takes the place of s, which is gone then; NULL: it cannot now, and s stays. account outlives it. changed runs in a later
 * turn when the mailbox changed, perhaps more than once; NULL: whoever sleeps need not know. */
struct dormant *dormant_new(struct selected *s, const struct account *account, void (*changed)(void *user), void *user);
void dormant_unwatch(struct dormant *d); /* `changed` runs no more */
void dormant_free(struct dormant *d);    /* NULL is fine */

struct selected_news {
	void (*on_expunge)(void *user, uint32_t seq); /* numbers above it are one less from now on */
	void (*on_exists)(void *user, uint32_t exists, uint32_t recent);
	void (*on_flags)(void *user, uint32_t seq, const struct message *m);
	void (*on_keywords)(void *user); /* words were added: FLAGS is due */
};

/* NULL: the view here is the owner's latest. Else `done` runs in a later turn when it is, or cannot be had now: what was
 * answered to another session before this is asked is then seen by selected_sync. */
struct call *selected_latest(struct selected *s, void (*done)(void *user, enum err e), void *user);

/* Brings the numbering up to date. may_expunge: false keeps the numbers of what is gone (RFC 3501, 7.4.1) and tells
 * no on_expunge. */
void selected_sync(struct selected *s, bool may_expunge, const struct selected_news *news, void *user);
/* Before that, where so much may have changed that a turn does not bear it: a part of it is told, as selected_sync would.
 * True: there is more, and this is to be called again, with the same may_expunge; false: selected_sync does the rest. */
bool selected_sync_part(struct selected *s, bool may_expunge, const struct selected_news *news, void *user);
/* `changed` runs in a later turn when the mailbox changed after the last selected_sync; once until the next sync. */
void selected_watch(struct selected *s, void (*changed)(void *user), void *user);

/* Stored bytes [at, at + len) of the message behind its prefix, fewer at its end; appended to out. False: they are not in
 * memory, or not as the view says: use selected_read. */
bool selected_read_now(struct selected *s, const struct message *m, uint32_t at, size_t len, struct buf *out);
/* The same through the files lane; answer: the bytes. ERR_ABSENT: gone with an older generation. */
struct call *selected_read(
	struct selected *s, const struct message *m, uint32_t at, size_t len, call_done *done, void *user);

#endif
