/* track.h - the segments of a running journal, written one after the other and used again.
 *   none -> (made in the slow lane) -> ready -> current -> full -> (below a checkpoint) -> ready ...
 * One is kept ready ahead while the journal may have more. A segment in which a write failed is spoilt: it is
 * written no more and, once below a checkpoint, replaced by a new file, because after a failed sync its pages lie
 * about what is on the disk. */
#ifndef STORAGE_JOURNAL_TRACK_H
#define STORAGE_JOURNAL_TRACK_H

#include "core/err.h"
#include "core/lane.h"
#include <stdbool.h>
#include <stdint.h>

struct track;

/* Takes up the segments that are there, makes one if there is none (blocking: at a start), removes those of another
 * size. `news` runs in the loop when a segment became ready (true) or could not be made (false). `dir` stays the
 * caller's. */
enum err track_open(struct track **out, int dir, struct lane *slow, uint64_t segment_bytes, size_t count,
	void (*news)(void *user, bool ready), void *user);
void track_free(struct track *t); /* no job of it may be under way (track_busy); NULL is fine */
bool track_busy(const struct track *t);

/* Where at least `least` bytes can be written next, and how many: 0 if no segment is ready. In the last segment that
 * is free `keep` bytes stay out of account. A segment that has less room is left for the next. */
uint64_t track_place(struct track *t, uint64_t least, uint64_t keep, int *fd, uint64_t *offset);
void track_wrote(struct track *t, uint64_t bytes, uint64_t end); /* synced; end: the sequence behind the last */
void track_spoil(struct track *t);                               /* the write at track_place failed */
void track_distrust(struct track *t, int fd);                    /* the segment's sync failed: it is spoilt */
void track_settle(struct track *t, uint64_t checkpoint);         /* what ends at or before it is used again */
void track_retry(struct track *t);                               /* makes one ahead, if one is wanted */
bool track_tight(const struct track *t, uint64_t bytes); /* less is left in the current segment, and none is ready */
bool track_frees(const struct track *t, uint64_t checkpoint); /* it would let a segment be used again */
bool track_stuck(const struct track *t);                      /* nothing can be written and none can be made */

uint64_t track_used(const struct track *t); /* bytes that cannot be written to before a checkpoint */
uint64_t track_size(const struct track *t);

#endif
