/* deleted.h - what was deleted lies in deleted/ and is unlinked slowly, so that no command waits for it.
 * One worker of the store does it, in its slow lane, a slice at a time and with pauses between. */
#ifndef STORAGE_DELETED_H
#define STORAGE_DELETED_H

struct worker;
struct deleted;

struct deleted *deleted_start(struct worker *w); /* NULL where it is another worker's business */
void deleted_stop(struct deleted *d);            /* after the lanes are drained; NULL is fine */

/* One slice, in a lane. Answers whether something is left to do. */
int deleted_slice(int directory);

#endif
