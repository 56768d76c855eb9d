/* smtp_parameter.h - what MAIL and RCPT may say behind their paths: SIZE (RFC 1870), BODY (RFC 6152, RFC 3030), SMTPUTF8
 * (RFC 6531), how the sender wants to be told of what becomes of the message (RFC 3461), until when it is to be delivered
 * (BY, RFC 2852), not before when (HOLDFOR, HOLDUNTIL, RFC 4865), and how urgent it is (MT-PRIORITY, RFC 6710). Bytes in,
 * values out. */
#ifndef PROTOCOLS_SMTP_PARAMETER_H
#define PROTOCOLS_SMTP_PARAMETER_H

#include "core/buf.h"
#include "protocols/smtp/smtp_parse.h"
#include "storage/queue/queue.h"

#define SMTP_ENVID_MAX 100 /* characters (RFC 3461, 4.4) */
#define SMTP_ORCPT_MAX 500 /* characters, the type included (RFC 3461, 4.2) */

struct smtp_mail_parameters {
	uint64_t size; /* as the client declares it; 0: it does not */
	enum queue_body body;
	bool utf8;
	enum queue_ret ret;
	struct str envid; /* xtext, as it came; "" without */
	enum queue_deliver_by by;
	int64_t by_time; /* seconds from now, perhaps less than 0 */
	bool by_trace;
	int64_t hold_for;   /* seconds from now; 0: it was not said */
	int64_t hold_until; /* seconds since 1970; 0: it was not said */
	int priority;
};

enum { /* what of these is offered to this client; who asks for another is told that it is unknown */
	SMTP_MAY_HOLD = 1,
	SMTP_MAY_URGE = 2,
};

struct smtp_rcpt_parameters {
	unsigned notify;  /* of enum queue_notify */
	struct str orcpt; /* "rfc822;" and xtext, as it came; "" without */
};

/* Spans of the values lie in the line that was parsed. NULL when all are right, else the reply to the first that is
 * not: 555 to one that nobody knows, 501 to what it cannot be, or a second time the same. may: of the enum above. */
const char *smtp_mail_parameters(const struct smtp_path_line *line, unsigned may, struct smtp_mail_parameters *p);
/* utf8: MAIL said SMTPUTF8, so that the original recipient may be written with letters beyond ASCII (RFC 6533, 3). */
const char *smtp_rcpt_parameters(const struct smtp_path_line *line, bool utf8, struct smtp_rcpt_parameters *p);

/* "2026-11-23T12:00:00Z" (RFC 3339, in UTC), as HOLDUNTIL has it; false: it is none. */
bool smtp_time(struct str text, int64_t *seconds);

/* xtext (RFC 3461, 4): false if it is none; what it means is added to `out`. */
bool smtp_xtext(struct str text, struct buf *out);

#endif
