/* login.h - logging in, the same for every protocol: the clear-text rule, names, delay, the one form of log line.
 * A protocol parses its own command and words its own replies; what happens between is here. */
#ifndef PROTOCOLS_LOGIN_H
#define PROTOCOLS_LOGIN_H

#include "core/conn.h"
#include "core/service.h"
#include "storage/account/login.h"
#include "storage/store.h"

/* Whether STARTTLS may be offered: there is a certificate, and the connection is in clear text. */
bool login_may_secure(const struct worker *w, const struct conn *c);
/* At STARTTLS, before it is answered: clear text came behind `command`, which somebody between us may have put there, to be
 * taken for the client's. Logged; the session is to be closed. */
bool login_injected(const struct session *session, const char *command);

/* Whether anybody may log in over this connection as it is now. The rule is for passwords, and for SCRAM as well: who
 * hears its messages can try passwords at home, as fast as he likes (RFC 7677, 4). */
bool login_permitted(const struct login_conf *conf, const struct conn *c);

struct login_who { /* who says he is whom; all but `session` need only live until the functions below return */
	struct worker *worker;
	const struct login_conf *conf;
	struct session *session;
	const char *mechanism; /* a literal, for the log */
	struct str name;       /* as the client gave it; a configured domain is added to one without */
	struct str authorize;  /* whom to act for: "", or himself in any form; all else is refused */
	login_done *done;
	void *user;
};

struct login; /* one attempt under way */

/* Each asks the store. done runs in a later turn: OK and the account, the receiver's; ERR_DENIED after the configured
 * delay; ERR_AGAIN. Success and failure are logged, in a form that programs may rely on (postern(8)):
 *   login account=ADDRESS peer=IP mechanism=NAME tls=yes|no
 *   login failed account=ADDRESS peer=IP mechanism=NAME tls=yes|no reason="..." */
struct login *login_password(const struct login_who *who, struct str password);
struct login *login_proof(const struct login_who *who, const struct login_proof *proof);
struct login *login_known(const struct login_who *who); /* the name is proved: by a client certificate */
/* Denied, for something that the client said before there was anything to ask the store. reason: a literal. */
struct login *login_refuse(const struct login_who *who, const char *reason);
/* Before login_proof: what the password of this name was salted with (store_salt). */
struct call *login_salt(struct worker *w, const struct login_conf *conf, struct str name, salt_done *done, void *user);
void login_cancel(struct login *l); /* done will not run; NULL is fine */

#endif
