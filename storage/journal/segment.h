/* segment.h - the files that a journal is written to: journal/<slot>/segment.<number>.
 * A segment is written with zeros to its full size once, and synced, so that later writes in it change no metadata and
 * an fdatasync writes nothing but the data. One that is not of full size was never finished. */
#ifndef STORAGE_JOURNAL_SEGMENT_H
#define STORAGE_JOURNAL_SEGMENT_H

#include "core/err.h"
#include <stddef.h>
#include <stdint.h>

struct segment_file {
	unsigned number;
	int fd;
	uint64_t size;
};

/* Opens all there are, by number. The memory and the descriptors are the caller's: segments_close. */
enum err segments_open(int dir, struct segment_file **files, size_t *count);
void segments_close(struct segment_file *files, size_t count); /* those whose fd is not -1 */
enum err segment_remove(int dir, unsigned number);             /* not there is fine */

/* Making one, in steps of SEGMENT_STEP bytes. Zeroed but for dir, number and size, fd -1: not begun. After ERR_* it
 * is as if it was not begun. It is ready when at == size. */
#define SEGMENT_STEP (4u << 20)
struct segment_making {
	int dir;
	unsigned number;
	uint64_t size, at;
	int fd;
};
enum err segment_step(struct segment_making *m);

#endif
