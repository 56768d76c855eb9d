/* labels.h - what an account says of mailbox names, apart from the mailboxes themselves: which names are subscribed to,
 * also where no mailbox is (RFC 3501, 6.3.6 and 6.3.9), and what a mailbox is for (RFC 6154).
 * They are kept in account.mailboxes in the account's folder, text, written anew whenever they change:
 *   version 1
 *   uidvalidity <n>          the highest that any mailbox of the account ever had
 *   made                     its first mailboxes were made
 *   subscribed <name>
 *   use <use>[,<use>] <name>
 * A name is the rest of its line: no mailbox name holds a line end. A line that is not understood stays
 * as it is. A later version is refused; a file without one is of the first. */
#ifndef STORAGE_ACCOUNT_LABELS_H
#define STORAGE_ACCOUNT_LABELS_H

#include "core/buf.h"
#include "core/err.h"

enum { /* what a mailbox is for: bits */
	USE_ARCHIVE = 1,
	USE_DRAFTS = 2,
	USE_JUNK = 4,
	USE_SENT = 8,
	USE_TRASH = 16,
};
#define USES 5

/* "\Sent" without its backslash, in any case; 0: none of ours. */
unsigned use_of(struct str word);
const char *use_word(unsigned use); /* of one bit */

struct label {
	char *name;
	bool subscribed;
	unsigned uses;
};

struct labels {
	struct label *list; /* by name, bytewise; each says something */
	size_t count, cap;
	bool made;
	struct buf rest; /* lines that are not understood */
};

const struct label *labels_find(const struct labels *l, struct str name); /* NULL: nothing is said of it */
void labels_subscribe(struct labels *l, struct str name, bool subscribed);
void labels_use(struct labels *l, struct str name, unsigned uses); /* instead of what it was for */
struct labels labels_copy(const struct labels *l);
void labels_free(struct labels *l); /* then it is empty */

void labels_print(const struct labels *l, uint32_t uidvalidity, struct buf *out);
/* *uidvalidity is raised to what the text has. ERR_NEVER: it is of a later version. */
enum err labels_read(struct labels *l, struct str text, uint32_t *uidvalidity);

#endif
