/* spool.h - queue/spool/: messages on their way in that are too long for memory.
 * A file bears the slot of the worker that made it, and only that worker unlinks it, so a worker that died leaves
 * files which its successor knows to be its own. Whoever is given the name of another worker's file makes a link of
 * his own to it before he relies on it. */
#ifndef STORAGE_SPOOL_H
#define STORAGE_SPOOL_H

#include "core/buf.h"
#include "core/err.h"

struct journal;
struct worker;

#define SPOOL_DIRECTORY "queue/spool"

void spool_name(struct worker *w, struct buf *path); /* a name no other file has; NUL-ended, the NUL counted */

/* In the files lane. The link is durable when it answers. ERR_ABSENT: `from` is gone, or no file of the spool. */
enum err spool_link(int directory, struct str from, const char *to);

enum err spool_sync(int directory); /* in a lane: files made there are durable, by name */

/* At a start, once the journal is replayed: makes the directory and unlinks what was left by earlier lives of this
 * worker, but for what its journal needs still; slot 0 does so for slots that are no more. */
enum err spool_start(const struct worker *w, const struct journal *j);

#endif
