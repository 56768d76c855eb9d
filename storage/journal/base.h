/* base.h - where a journal begins: the file journal/<slot>/base, and base.copy, which is the same.
 * Written anew, durably, each time the journal is found or made empty. Only batches of the life it tells are entries
 * of the journal, and only those from its sequence on; whatever else the segments hold is old. So one rename empties
 * the journal. The copy is written before it: where the base is damaged it tells the same, or, after a crash between
 * the two, the next life, of which there is no batch yet, when all of this one is settled. */
#ifndef STORAGE_JOURNAL_BASE_H
#define STORAGE_JOURNAL_BASE_H

#include "core/err.h"
#include "storage/journal/names.h"

struct base {
	uint64_t life;     /* random */
	uint64_t sequence; /* of the first entry */
};

/* names gets what was remembered then. ERR_ABSENT: there is none, or *damaged: none that can be read. ERR_NEVER: it is
 * of a later version. */
enum err base_read(int dir, struct base *b, struct names *names, bool *damaged);
/* Gives b a new life and writes it, and its copy. */
enum err base_renew(int dir, struct base *b, const struct names *names);

/* Names as a row of operations, and back into the table (which may know others before). */
void names_pack(const struct names *names, struct buf *out);

#endif
