/* generation.h - the next generation of a mailbox: its mbox written anew, without what is expunged, each message with
 * its flags of now in its own headers, and a state file of one line that takes the place of all the others.
 * Of an mdir (mdir.h) only the state file is written anew, with a line for each message; or a mailbox changes its form:
 * then <stem>.mdir.<n> is made of its mbox, or an mbox of its mdir.
 * Made in the slow lane, slice by slice, as <stem>.mbox.<n> and <stem>.state.<n>; nothing else is touched. That they
 * take the place of the old ones is an entry of the journal (entry_settled, entry_rename), and what happened to the
 * mailbox meanwhile is for its owner to hold back or to say again. A generation given up leaves no file; one that a
 * crash left half made is written over by the next. A file of which something is not
 * understood stays, beside the new one, as <stem>.mbox.damaged.<n> or <stem>.state.damaged.<n>. */
#ifndef STORAGE_MAILBOX_GENERATION_H
#define STORAGE_MAILBOX_GENERATION_H

#include "storage/journal/operation.h"
#include "storage/mailbox/state.h"

struct generation;

struct generation_result {
	struct state_head head;         /* of the new generation */
	const struct message *messages; /* as many as were given, at their new places; the generation's */
	uint64_t mbox_end, state_end;   /* bytes of the two files; of an mdir: messages, and bytes of its state file */
};

/* directory: the store's, open; stem: as path_mailbox gives it. head: as of now, of the old generation. messages: those
 * that are not expunged, by UID, with their flags of now; they and k are the caller's and stay as they are until the
 * end. mdir: the form that it is to have; head says which it has. ERR_ABSENT: there is no mbox; ERR_AGAIN: the new files
 * cannot be made. Blocks, as all here. */
enum err generation_new(struct generation **out, int directory, struct str stem, const struct state_head *head,
	bool mdir, const struct keywords *k, const struct message *messages, size_t count);

struct stamp generation_stamp(const struct generation *g); /* of the old mbox, or mdir, when it was opened */

/* Before the first step: fields of the mailbox's own are taken out of the messages' headers, wherever they stand; and what
 * other programs added there about lengths, if the header is then as long as it was (headers: as many as messages; 0: nobody
 * knows). They stay the caller's. */
void generation_tidy(struct generation *g, const uint32_t *headers);
/* The same of messages of an mdir that are expunged and whose files stay for now. */
void generation_gone(struct generation *g, const uint32_t *uids, size_t count);

/* Writes some 8 MiB more. *done: both files and their directories are synced. ERR_NEVER: the old mbox is not what the
 * messages say; ERR_AGAIN: no room. After an error only generation_free is left. */
enum err generation_step(struct generation *g, bool *done);

/* Appends where the new file lies that is to take the place of stem and suffix (".mbox", ".mdir", ".state"). The name has the
 * generation's number, so that no two entries of the journal ever rename the same. */
void generation_path(const struct generation *g, const char *suffix, struct buf *out);
void generation_result(const struct generation *g, struct generation_result *r); /* once it is done */
struct message *generation_take(struct generation *g); /* those are the caller's from now on */
void generation_free(struct generation *g);            /* unlinks the new files if it is not done; NULL is fine */

#endif
