/* login.h - logging in, the same for every protocol: the clear-text rule, names, delay, the one form of log line.
 * A protocol parses its own command and words its own replies; what happens between is here. */
#ifndef PROTOCOLS_LOGIN_H
#define PROTOCOLS_LOGIN_H

#include "core/conn.h"
#include "core/service.h"
#include "storage/login.h"
#include "storage/store.h"

struct login; /* one attempt under way */

/* Whether a password may come over this connection as it is now. */
bool login_permitted(const struct login_conf *conf, const struct conn *c);

/* SASL PLAIN (RFC 4616), decoded from base64 already: spans of message. ERR_MISTAKE: it is none, or names another
 * identity to act for, which nobody may. */
enum err login_plain(struct str message, struct str *name, struct str *password);

/* Asks the store. done runs in a later turn: OK and the account, the receiver's; ERR_DENIED after the configured delay; ERR_AGAIN.
 * Success and failure are logged: `login` and `login failed`, with peer, account and mechanism. */
struct login *login_start(struct worker *w, const struct login_conf *conf, const struct session *session,
	const char *mechanism, struct str name, struct str password, login_done *done, void *user);
void login_cancel(struct login *l); /* done will not run; NULL is fine */

#endif
