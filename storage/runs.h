/* runs.h - UIDs kept as runs of neighbours, a few bytes each: what a session without a view remembers.
 * A run is two numbers, how far behind the end of the run before it begins and how many more it has, seven bits to a
 * byte. Ours alone, never on a disk or a wire. */
#ifndef STORAGE_RUNS_H
#define STORAGE_RUNS_H

#include "core/buf.h"

struct runs {                 /* being written; a zeroed one is empty */
	struct buf bytes;     /* the caller frees them */
	uint32_t end;         /* of the last run written */
	uint32_t first, last; /* the run that may go on; last 0: none */
};

void runs_add(struct runs *r, uint32_t uid); /* 1 or more, above those before */
void runs_finish(struct runs *r);            /* all are added: bytes are whole */

/* The next run; *end: of the one before, 0 at first. False: there is none. */
struct run {
	uint32_t first, last;
};
bool runs_next(struct str *bytes, uint32_t *end, struct run *run);

#endif
