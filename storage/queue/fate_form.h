/* fate_form.h - the lines of a queue's state files: what became of recipients since their message was written.
 *   postern-queue-state 1
 *   waits q0-1f3a 0 next=1795412443 tries=3 warned=1795412043 status=4.2.2 reply=452%204.2.2%20full remote=mx.far.test
 *   held q0-1f3a 1 next=1795412443 kept       what was said of it before stays
 *   waits q0-1f3a 1 next=1795412443 ready=1795412443 kept      released then: its time counts from there
 *   waits q0-1f3a 1 next=1795412443 to=mx.test:25 kept         where an operator sent it: in each line from there on
 *   ended q0-1f3a 0                 or 0:7, numbers of recipients from 0 to 7
 *   moved q0-1f3a                   the message is in another segment now, with all that is open of it
 * The last line about a recipient counts (with `kept`, its status, reply and remote are those of the last without), and
 * an end is the end. A line is absolute: read twice it says the same as
 * once. What would end a word is written %XX. A line that cannot be understood is logged, skipped, and costs itself.
 * A higher version than 1 is refused. */
#ifndef STORAGE_QUEUE_FATE_FORM_H
#define STORAGE_QUEUE_FATE_FORM_H

#include "core/arena.h"
#include "storage/queue/queue.h"

#define FATE_STATUS_MAX 16 /* bytes that are kept of each */
#define FATE_REPLY_MAX  1000
#define FATE_REMOTE_MAX 300
#define FATE_TO_MAX     270
#define FATE_LINE_MAX   (4096 + 256 + FATE_TO_MAX) /* bytes of a line at most: all of these as %XX */

enum fate_kind { FATE_LINE_WAITS, FATE_LINE_HELD, FATE_LINE_ENDED, FATE_LINE_MOVED };
struct fate {
	enum fate_kind kind;
	uint64_t id;
	uint32_t first, last; /* recipients; of a message that moved: all */
	uint32_t next_s;
	uint32_t ready_s;
	uint16_t tries;
	uint32_t warned_s; /* of `warned` without a time, as once was written: the time of the next try */
	bool keeps;
	struct str status, reply, remote;
	struct str to; /* a span of the line */
};

bool fate_to_good(struct str to); /* whether it can be written in a line */
void fate_print_head(struct buf *out);
void fate_print(struct buf *out, uint64_t id, uint32_t number, const struct queue_change *c);
void fate_print_ended(struct buf *out, uint64_t id, uint32_t first, uint32_t last);
void fate_print_moved(struct buf *out, uint64_t id);

enum fate_told { FATE_WELL, FATE_BAD, FATE_HEAD, FATE_NEWER };
/* A line without its LF. a: where texts are put that are not spans of it; NULL: they are not wanted. */
enum fate_told fate_read(struct str line, struct fate *f, struct arena *a);
/* Reads the line that begins at `at` of the file. False: it is not about that item, or not there yet. In a lane. */
bool fate_read_at(int fd, uint64_t at, uint64_t id, uint32_t number, struct fate *f, struct arena *a);

#endif
