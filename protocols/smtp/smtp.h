/* smtp.h - SMTP and LMTP as a server (RFC 5321, RFC 2033): what the house lists, and nothing else.
 * A folder readable alone: smtp.c is the engine, smtp_command.c the table and the simple commands, smtp_auth.c AUTH and
 * STARTTLS, smtp_session.h what all share. A transaction goes through
 *   smtp_mail.c   from whom               smtp_message.c  what is kept of it
 *   smtp_rcpt.c   to whom, as the router  smtp_submit.c   what is mended in mail of our own people
 *                 knows him               smtp_deliver.c  to accounts here, at once; and the reply
 *   smtp_relay.c  who may send on         smtp_queue.c    the rest: into the queue
 *   smtp_data.c   the two ways it comes   smtp_trace.c    what is written in front of it
 *   smtp_backup.c, smtp_callout.c         smtp_copies.c   who has it besides
 *                 who is known elsewhere  smtp_expanded.c what is told of lists
 * The rest works on bytes alone: smtp_parse.c reads command lines, smtp_parameter.c what MAIL and RCPT say besides,
 * smtp_dot.c finds the end of DATA, smtp_header.c that of a header, smtp_watch.c looks for loops. */
#ifndef PROTOCOLS_SMTP_H
#define PROTOCOLS_SMTP_H

#include "core/call.h"
#include "core/service.h"

struct smtp_conf {
	const char *hostname;   /* how we call ourselves; "" is the machine's name */
	int64_t message_max;    /* bytes */
	int64_t recipients_max; /* of one message */
	int64_t errors_max;     /* wrong commands, then 421 */
	int64_t line_max;       /* bytes of a command line, CRLF included */
	int64_t text_line_max;  /* bytes of a line of a message, without CRLF */
	int64_t hops_max;       /* Received fields of a message */
	int64_t idle_ms;        /* silence before we part */
	int64_t line_ends;      /* enum form_lines, SMTP */
	int64_t lmtp_line_ends; /* the same for LMTP */
};
extern const struct settings smtp_settings;

struct submission_conf {
	bool from;           /* From fields are checked, too, not the envelope alone */
	int64_t hold_max_ms; /* that FUTURERELEASE may ask for */
};
extern const struct settings submission_settings; /* submission { } */

extern const struct call_type smtp_calls[];
extern const struct service smtp_service, submission_service, submissions_service, lmtp_service;

/* How this server calls itself, also where it is the client: smtp.hostname, or the machine's name. */
const char *smtp_own_name(const struct conf *conf);

#endif
