/* wire.h - a message on its way out: stored bytes read from the mailbox and decoded to CRLF, piece by piece. A NUL, which
 * only files of other programs can have, is shown as 0x80: neither IMAP nor POP3 has one.
 * A protocol asks for a piece whenever its connection has room. What is in memory comes at once; what is not makes
 * it wait, and `ready` runs when asking again makes sense. No more than a piece is held, however large the message. */
#ifndef STORAGE_WIRE_H
#define STORAGE_WIRE_H

#include "storage/selected.h"

enum wire_step {
	WIRE_BYTES,  /* some were appended */
	WIRE_END,    /* all of it was given before */
	WIRE_WAIT,   /* ready will run */
	WIRE_FAILED, /* it cannot be read: gone with an older generation, or the disk */
};

struct wire_place {      /* a place in a message at which reading may begin; zeroed: its start */
	uint32_t stored; /* bytes before it, as stored */
	uint64_t wire;   /* and on the wire */
	bool within;     /* a line */
};

struct wire {
	struct selected *mailbox; /* the session's */
	struct message message;
	uint32_t at;              /* stored bytes read so far */
	struct wire_place before; /* the piece given last */
	uint64_t given;           /* wire bytes, from the message's start */
	bool at_line_start, failed;
	struct buf stored;    /* read and not decoded yet */
	struct call *waiting; /* the read under way; ours */
	void (*ready)(void *user);
	void *user;
};

void wire_open(
	struct wire *w, struct selected *mailbox, const struct message *m, void (*ready)(void *user), void *user);
/* The same from a place that reading has come to before (`before`), instead of the message's start. */
void wire_start_at(struct wire *w, const struct wire_place *place);
enum wire_step wire_next(struct wire *w, struct buf *out);
void wire_close(struct wire *w); /* at any time, also when never opened but zeroed; memory and the read are given up */

#endif
