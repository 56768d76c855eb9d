/* directories.h - making durable that a file is there at all.
 * What is in a file that the journal will not write again must be found after a power cut: so its name, the directory that
 * has it, and that one's name, up to the store's own. */
#ifndef STORAGE_JOURNAL_DIRECTORIES_H
#define STORAGE_JOURNAL_DIRECTORIES_H

#include "core/err.h"
#include "core/str.h"

/* Syncs every directory that `path`, relative to the store, is in. Blocks. ERR_AGAIN. */
enum err directories_sync(int store, struct str path);

#endif
