/* sasl.h - SASL (RFC 4422) as a server, the same for every protocol: mechanisms, exchanges, base64 and its limits.
 * A protocol hands over what its AUTH command says, then line by line what the client answers, and is told at each
 * step what to do: send a challenge, wait, or word the end. What a mechanism is and when it is offered is a row of the
 * table in sasl.c; who logs in is decided by login.h. */
#ifndef PROTOCOLS_SASL_H
#define PROTOCOLS_SASL_H

#include "protocols/login.h"

enum sasl_step {
	SASL_WAITS,     /* an answer is awaited: on_step will run, in a later turn */
	SASL_ASKS,      /* send sasl_challenge; the client's next line is for sasl_line */
	SASL_DONE,      /* sasl_account is who; the exchange is over, as after all that follow */
	SASL_DENIED,    /* logged and delayed */
	SASL_LATER,     /* it cannot be known now */
	SASL_MALFORMED, /* the line was no base64, or no message of this mechanism */
	SASL_CANCELLED, /* the client gave up */
};

struct sasl_mechanism;
struct sasl; /* an exchange */

/* Adds the names of what is offered on this connection as it is now, each with `before` before it: " AUTH=", or " ".
 * Nothing if nothing is. */
void sasl_offers(const struct login_conf *conf, const struct conn *c, const char *before, struct buf *out);

/* By name, in any case of letters. ERR_ABSENT: there is none, or not on this connection; ERR_DENIED: not without
 * encryption. */
enum err sasl_find(
	const struct login_conf *conf, const struct conn *c, struct str name, const struct sasl_mechanism **m);

typedef void sasl_on_step(void *user, enum sasl_step step); /* may sasl_free */

/* conf lives as long as the exchange. */
struct sasl *sasl_new(struct worker *w, const struct login_conf *conf, struct session *session,
	const struct sasl_mechanism *m, sasl_on_step *on_step, void *user);
void sasl_free(struct sasl *s); /* at any time, also while it waits; NULL is fine */

/* initial: the initial response as the command has it, "=" for an empty one; without bytes: there is none. */
enum sasl_step sasl_begin(struct sasl *s, struct str initial);
/* line: without its line end. "*" gives up. The protocol bounds it by login_conf's line_max. */
enum sasl_step sasl_line(struct sasl *s, struct str line);

struct str sasl_challenge(const struct sasl *s); /* in base64; after SASL_ASKS */
struct account *sasl_account(struct sasl *s);    /* after SASL_DONE; the caller's from now on */
bool sasl_is_waiting(const struct sasl *s);      /* in the middle of an answer; NULL: false */

#endif
