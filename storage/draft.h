/* draft.h - a message on its way in, for SMTP's DATA and IMAP's APPEND.
 * Bytes come as the protocol takes them from the wire (dots unstuffed) and are kept in stored form: in memory up to
 * DRAFT_MEMORY_MAX, beyond that in a file of their own, queue/spool/<name>, written and synced in the files lane while more
 * arrive. One draft may be delivered to many. */
#ifndef STORAGE_DRAFT_H
#define STORAGE_DRAFT_H

#include "storage/mail/form.h"

#define DRAFT_MEMORY_MAX (256u << 10)

struct worker;
struct draft;

/* max: bytes on the wire beyond which it is ERR_TOO_BIG. */
struct draft *draft_new(struct worker *w, enum form_lines rule, uint64_t max);
void draft_free(struct draft *d); /* at any time; NULL is fine */

void draft_to_file(struct draft *d); /* it is a file, however short */

/* The first error stays: later pieces are swallowed, so that a protocol reads to the end and then replies. */
void draft_feed(struct draft *d, struct str bytes);
enum err draft_error(const struct draft *d); /* that first error, if one came yet */
/* True: more than 1 MiB waits for the disk; the session's input should rest until on_room runs, which it
 * does not once draft_end was said. */
bool draft_is_behind(const struct draft *d);
void draft_on_room(struct draft *d, void (*on_room)(void *user), void *user);

/* All is fed: `done` runs in a later turn, OK when the draft is whole (and synced if it is a file), else the first
 * error: ERR_MISTAKE (line ends, NUL), ERR_TOO_BIG, ERR_AGAIN (disk). */
void draft_end(struct draft *d, void (*done)(void *user, enum err e), void *user);
const struct form_size *draft_size(const struct draft *d); /* after draft_end's done */
struct str draft_bytes(const struct draft *d);             /* in memory; STR_NONE if it is a file */
/* The file, relative to the store; STR_NONE if in memory. It goes with the draft: whoever wants the bytes for longer
 * makes a link to it, which the store's owners do before they promise anything. */
struct str draft_file(const struct draft *d);

#endif
