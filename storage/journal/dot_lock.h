/* dot_lock.h - "INBOX.mbox.lock" beside an mbox: the lock of programs that know no other.
 * Such a program makes the file, which must not be there, reads the mbox, writes it back, in place or by rename, and
 * removes the file. What is appended between its reading and its writing is lost. Against that there are two ways:
 *   store.dot_locks    we hold that file ourselves for as long as we write: nothing is lost, but a file made and removed
 *                      for each entry costs a delivery a fifth and more of its processor time
 *   without (default)  it is looked for before we write and after. Whoever's is there before is waited for; if one came
 *                      meanwhile, the entry waits until it is gone, is looked for in the mbox, and written again if it
 *                      is missing. That fails where a program locks, reads, writes and unlocks all within our one
 *                      write, or reads the half of a message of more than 16 kB in it.
 *
 * Ours has a pid in it, and a mode that no other program gives, so that it is known even where a crash came before the
 * pid. It is stale, and goes away with a log line: ours once its process is no more, and at the latest after STALE_S;
 * somebody else's after STALE_S, if no living process has the pid that it tells.
 * A name that is too long, or a directory in which we may not write, has no such lock: it is as if we held it. */
#ifndef STORAGE_JOURNAL_DOT_LOCK_H
#define STORAGE_JOURNAL_DOT_LOCK_H

#include "core/str.h"
#include <stdbool.h>

enum dot_lock {
	DOT_FREE,  /* nobody has it */
	DOT_HELD,  /* we made it; for dot_lock_drop */
	DOT_OURS,  /* an entry of ours is applied right now, or was when it was killed */
	DOT_OTHERS /* another program has it */
};

enum dot_lock dot_lock_look(int directory, struct str mbox); /* takes away a stale one */
enum dot_lock dot_lock_make(int directory, struct str mbox); /* the same, and makes it if it is free */
void dot_lock_drop(int directory, struct str mbox);

#endif
