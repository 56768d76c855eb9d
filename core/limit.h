/* limit.h - how much one address and one account may take of the server, over all workers (tally.h counts).
 * An address is an IPv4 address or the /64 network of an IPv6 one. Who comes from an exempt network is counted nowhere;
 * 0 switches a limit off. A limit refuses what goes beyond it, in the words of the protocol: connections are refused at
 * the door, before anything is made for them; a session is ended by the command or error that is one too many; a login
 * is refused or waits.
 *
 * Guessing passwords: so many failures of one account from one address, or from one address at all, and further tries
 * from there are refused unread for a while, right or wrong, so that the answer tells nothing. So many failures of one
 * account from anywhere, and logins from addresses that did not succeed lately wait first, no more: a stranger can slow
 * the owner down, but cannot lock him out.
 *
 * Time: a session must log in, or if its protocol wants no login be done, within a time; and may be ended after so long.
 * A log line is written at most every 10 s for an address or account, however many are refused. */
#ifndef CORE_LIMIT_H
#define CORE_LIMIT_H

#include "core/network.h"
#include "core/service.h"
#include "core/tally.h"

struct limit_conf {
	struct setting_list exempt;
	int64_t address_sessions, address_strangers, address_connects, address_errors, address_commands;
	int64_t account_sessions, account_logins, account_errors, account_commands;
	int64_t address_failures, pair_failures, account_failures, failures_ms, failures_wait_ms;
	int64_t login_ms, stranger_ms, session_ms;
};
extern const struct settings limit_settings;

struct limits;
struct limits *limits_new(void);
void limits_free(struct limits *ls); /* NULL is fine */

/* Counts a connection that comes from `peer`. NULL: it is welcome; else why not, in words for the client. */
const char *limit_connect(struct worker *w, const struct service *service, const struct ip *peer);

/* session_open and session_close call these. */
void limit_begin(struct worker *w, struct session *s);
void limit_end(struct worker *w, struct session *s);

/* Counts a command (TALLY_COMMANDS) or an error (TALLY_ERRORS) of this session. NULL: it goes on; else why it is to be
 * ended, in words for the client. */
const char *limit_count(struct worker *w, struct session *s, enum tally_rate what);

/* Before a password is looked at. False: it shall not be, the login fails for now. *wait_ms: it waits so long first. */
bool limit_login(struct worker *w, const struct session *s, struct str account, int64_t *wait_ms);
void limit_login_failed(struct worker *w, const struct session *s, struct str account);
bool limit_may_log(struct worker *w, const struct session *s); /* that one was refused: not every one is worth a line */
/* The password was right. NULL: the session is the account's from now on; else why it cannot be now. */
const char *limit_login_right(struct worker *w, struct session *s, struct str account);

#endif
