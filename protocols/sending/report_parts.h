/* report_parts.h - the parts of a report (report*.c alone). */
#ifndef PROTOCOLS_REPORT_PARTS_H
#define PROTOCOLS_REPORT_PARTS_H

#include "protocols/sending/report.h"

/* The first part: plain words in UTF-8. message: what is there of the original, for its subject. */
void report_text(const struct report *r, struct str hostname, struct str message, struct buf *out);

/* The second: fields about the message, then about each recipient (RFC 3464, 2). international: RFC 6533's form, with
 * letters beyond ASCII in addresses. */
void report_status(const struct report *r, struct str hostname, int64_t now_s, bool international, struct buf *out);
bool report_is_international(const struct report *r); /* an address holds such letters */

struct str report_reply(const struct report *r, const struct outcome *o); /* as much of it as is told */

/* "5.1.1": what the other side said, where that fits the action, or the least that is known (RFC 3463). */
struct str report_code(enum report_action action, const struct outcome *o);

const char *report_action_text(enum report_action action); /* "failed" (RFC 3464, 2.3.3) */

bool report_is_ascii(struct str text);

#endif
