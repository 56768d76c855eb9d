/* smtp.h - SMTP and LMTP as a server (RFC 5321, RFC 2033): what the house lists, and nothing else.
 * A folder readable alone: smtp.c is the engine, smtp_command.c the table and the simple commands, smtp_mail.c from whom
 * and to whom, smtp_auth.c AUTH and STARTTLS, smtp_data.c the two ways a message comes, smtp_message.c what is kept of it,
 * smtp_deliver.c its trace and delivery, smtp_session.h what these share. The rest works on bytes alone: smtp_parse.c
 * reads command lines, smtp_parameter.c what MAIL and RCPT say besides, smtp_dot.c finds the end of DATA, smtp_watch.c
 * looks for loops. */
#ifndef PROTOCOLS_SMTP_H
#define PROTOCOLS_SMTP_H

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

extern const struct service smtp_service, submission_service, submissions_service, lmtp_service;

/* How this server calls itself, also where it is the client: smtp.hostname, or the machine's name. */
const char *smtp_own_name(const struct conf *conf);

#endif
