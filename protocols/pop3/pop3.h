/* pop3.h - POP3 as a server (RFC 1939): what the house lists.
 * pop3.c is the engine, pop3_command.c the table and the commands, pop3_auth.c those of logging in,
 * pop3_maildrop.c what comes between login and QUIT, pop3_send.c long answers on their way out, pop3_text.c the text of
 * a message in them, pop3_words.c ours, pop3_session.h what these share. */
#ifndef PROTOCOLS_POP3_H
#define PROTOCOLS_POP3_H

#include "core/service.h"

struct pop3_conf {
	int64_t idle_ms;        /* silence before we part; RFC 1939, 3 wants ten minutes at least */
	int64_t errors_max;     /* wrong commands, then the end */
	int64_t expire_days;    /* as clients are told; 0: never */
	int64_t login_delay_ms; /* between logins of an account; 0: none */
};
extern const struct settings pop3_settings;

extern const struct service pop3_service, pop3s_service;

#endif
