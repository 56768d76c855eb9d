/* print.h - by what a message is known again when its mailbox was written anew by another program: a hash of its header.
 * The mailbox's own fields are left out, and those that such programs add (Content-Length, Lines). */
#ifndef STORAGE_MAIL_PRINT_H
#define STORAGE_MAIL_PRINT_H

#include "core/str.h"

struct print { /* zeroed: nothing yet */
	uint64_t sum;
	bool passing; /* what is folded to the line before is left out, too */
};

void print_line(struct print *p, struct str line); /* the next one of the header, its LF included */
uint64_t print_end(const struct print *p);         /* never 0, which means that it is not known */
uint64_t print_of(struct str header);              /* in stored form, up to its empty line or its end */

/* Whether it is a field that mail programs add to the messages of an mbox for themselves. */
bool print_is_length(struct str line);

#endif
