/* login.h - what the configuration says of logins: the store hashes by it, protocols admit by it. */
#ifndef STORAGE_ACCOUNT_LOGIN_H
#define STORAGE_ACCOUNT_LOGIN_H

#include "core/settings.h"

enum login_clear_text { CLEAR_TEXT_NEVER, CLEAR_TEXT_LOOPBACK, CLEAR_TEXT_ALWAYS };

struct login_conf {
	int64_t clear_text;         /* enum login_clear_text */
	int64_t hash;               /* enum hash_cost (password.h) */
	int64_t remember_ms;        /* how long a right password is known again at once */
	int64_t fail_delay_ms;      /* before a wrong password is answered */
	int64_t fails_max;          /* in a session, then it is ended */
	bool channel_binding;       /* whether SCRAM-SHA-256-PLUS is offered */
	int64_t line_max;           /* bytes of a line of an AUTH exchange, its CRLF included */
	const char *default_domain; /* of names without one; "" refuses them */
};
extern const struct settings login_settings;

#endif
