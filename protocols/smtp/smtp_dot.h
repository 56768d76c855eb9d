/* smtp_dot.h - where a message ends in DATA, and the dots in front of its lines (RFC 5321, 4.5.2).
 * Only CRLF.CRLF ends it. A bare CR or LF is no line end here: what stands around one is passed on as it is, for the
 * stored form's rule (form.h) to refuse or mend, and nothing behind one can look like an end or lose a dot. */
#ifndef PROTOCOLS_SMTP_DOT_H
#define PROTOCOLS_SMTP_DOT_H

#include "core/str.h"

enum smtp_dot_state { DOT_LINE_START, DOT_SEEN, DOT_CR_SEEN, DOT_WITHIN, DOT_CR_WITHIN, DOT_END };

struct smtp_dot { /* zeroed: at the first byte of the message */
	enum smtp_dot_state state;
};

/* Passes the message's bytes to `text`, piece by piece. Answers how many bytes of `in` it used: all of them, or fewer
 * when the end was found (state DOT_END): what follows are commands again. */
size_t smtp_dot_feed(struct smtp_dot *d, struct str in, void (*text)(void *user, struct str piece), void *user);

#endif
