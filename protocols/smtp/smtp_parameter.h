/* smtp_parameter.h - what MAIL and RCPT may say behind their paths: SIZE (RFC 1870), BODY (RFC 6152, RFC 3030), SMTPUTF8
 * (RFC 6531), and how the sender wants to be told of what becomes of the message (RFC 3461). Bytes in, values out. */
#ifndef PROTOCOLS_SMTP_PARAMETER_H
#define PROTOCOLS_SMTP_PARAMETER_H

#include "core/buf.h"
#include "protocols/smtp/smtp_parse.h"

#define SMTP_ENVID_MAX 100 /* characters (RFC 3461, 4.4) */
#define SMTP_ORCPT_MAX 500 /* characters, the type included (RFC 3461, 4.2) */

enum smtp_body { SMTP_7BIT, SMTP_8BITMIME, SMTP_BINARYMIME };

enum smtp_ret { SMTP_RET_UNSAID, SMTP_RET_FULL, SMTP_RET_HDRS };

enum smtp_notify { /* bits; none: it was not said */
	SMTP_NOTIFY_NEVER = 1,
	SMTP_NOTIFY_SUCCESS = 2,
	SMTP_NOTIFY_FAILURE = 4,
	SMTP_NOTIFY_DELAY = 8,
};

struct smtp_mail_parameters {
	uint64_t size; /* as the client declares it; 0: it does not */
	enum smtp_body body;
	bool utf8;
	enum smtp_ret ret;
	struct str envid; /* xtext, as it came; "" without */
};

struct smtp_rcpt_parameters {
	unsigned notify;  /* of enum smtp_notify */
	struct str orcpt; /* "rfc822;" and xtext, as it came; "" without */
};

/* Spans of the values lie in the line that was parsed. NULL when all are right, else the reply to the first that is
 * not: 555 to one that nobody knows, 501 to what it cannot be, or a second time the same. */
const char *smtp_mail_parameters(const struct smtp_path_line *line, struct smtp_mail_parameters *p);
/* utf8: MAIL said SMTPUTF8, so that the original recipient may be written with letters beyond ASCII (RFC 6533, 3). */
const char *smtp_rcpt_parameters(const struct smtp_path_line *line, bool utf8, struct smtp_rcpt_parameters *p);

/* xtext (RFC 3461, 4): false if it is none; what it means is added to `out`. */
bool smtp_xtext(struct str text, struct buf *out);

#endif
