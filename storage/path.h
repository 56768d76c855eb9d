/* path.h - where things lie below the store's directory, and names made safe for it.
 *   domains/<domain>/<account>/account.settings   account.mailboxes  INBOX.mbox  INBOX.state  Archive/2026.mbox
 * A mailbox name is UTF-8 with '/' between its levels. In file names every byte but letters, digits, space,
 * `-_+@,` and non-ASCII is written %XX, a leading and a trailing space too, so that no name can leave its account or
 * collide with a file of ours (ours have a dot in them; a '.' within a name is written %2E). A domain keeps its dots.
 * Levels that would be longer than 200 bytes so written are refused. INBOX in any case is INBOX; a caller that keeps
 * mailboxes by name asks mailbox_name_is_inbox, so that it keeps that one once. On an error nothing is appended. */
#ifndef STORAGE_PATH_H
#define STORAGE_PATH_H

#include "core/buf.h"
#include "core/err.h"

#define PATH_BYTES_MAX    1000 /* of a path relative to the store */
#define MAILBOX_NAME_MAX  600  /* bytes of a mailbox name, UTF-8 */
#define MAILBOX_DEPTH_MAX 20   /* levels */

/* address: canonical local@domain (address.h). Appends "domains/example.test/alice" to out. ERR_MISTAKE: no path. */
enum err path_account(struct buf *out, struct str address);
enum err path_domain(struct buf *out, struct str domain);
/* Appends the stem "domains/example.test/alice/Archive/2026", to which .mbox, .state are added. ERR_MISTAKE: the
 * name is empty, not UTF-8, has an empty level, a control character, or is too long or deep. */
enum err path_mailbox(struct buf *out, struct str address, struct str mailbox);
enum err path_name_to_file(struct buf *out, struct str level);  /* one level, or an account's local part */
enum err path_file_to_name(struct buf *out, struct str file);   /* and back; ERR_MISTAKE: not one that we wrote */
enum err path_file_to_domain(struct buf *out, struct str file); /* the same for a directory of domains/ */
enum err stem_to_name(struct buf *name, struct str stem); /* a mailbox's files, without suffix; ERR_MISTAKE: of none */
enum err mailbox_name_check(struct str mailbox);          /* OK or ERR_MISTAKE, as above */
bool mailbox_name_is_inbox(struct str mailbox);           /* INBOX in any case */

/* hash(canonical address) mod shards; shard mod workers is the slot of the owner. */
unsigned shard_of(struct str address, unsigned shards);

#endif
