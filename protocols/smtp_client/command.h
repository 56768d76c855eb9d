/* command.h - MAIL and RCPT as they are sent: what the envelope says, as far as the other side understands it. */
#ifndef PROTOCOLS_SMTP_CLIENT_COMMAND_H
#define PROTOCOLS_SMTP_CLIENT_COMMAND_H

#include "protocols/smtp_client/extensions.h"
#include "storage/queue/queue.h"

#define COMMAND_ORCPT_MAX 500 /* characters (RFC 3461, 4.2); a longer one of our own is not sent */

struct command_terms {  /* what this transaction is like */
	uint64_t size;  /* bytes of the content as it is sent; 0: not known */
	bool eight_bit; /* it holds bytes beyond ASCII, and they are sent */
	bool utf8;      /* header or addresses do, by SMTPUTF8 */
	bool untimed;   /* in by-mode N, to a host that does not speak DELIVERBY (RFC 2852, 4.1.4.2) */
	int64_t now_s;  /* seconds since 1970 */
};

/* Each adds a line with its CRLF. */
void command_mail(
	const struct extensions *e, const struct queue_envelope *env, const struct command_terms *t, struct buf *out);
void command_rcpt(
	const struct extensions *e, const struct queue_recipient *rcpt, const struct command_terms *t, struct buf *out);

#endif
