/* saved.h - an entry of the journal in a file of its own: one that is parked (parked.<sequence>), or set aside for somebody
 * to look at (aside.<sequence>), in the journal's directory.
 *
 *   "postern-entry" | version (u32) | CRC-32C of what follows (u32) | the entry's operations
 *
 * Files without this head are of an earlier form: operations alone. None of those begins with a 'p'. */
#ifndef STORAGE_JOURNAL_SAVED_H
#define STORAGE_JOURNAL_SAVED_H

#include "core/err.h"
#include "core/str.h"

enum saved_is {
	SAVED_WELL,
	SAVED_DAMAGED,
	SAVED_NEWER, /* of a later version */
};
/* operations: lies in file. Only for SAVED_WELL. */
enum saved_is saved_parse(struct str file, struct str *operations);
/* The file, synced; its name is durable with the directory. An errno is logged. */
enum err saved_write(int dir, const char *name, struct str operations);

#endif
