/* sasl_mechanism.h - what the files of the mechanisms share with the engine, sasl.c. Nobody else includes it. */
#ifndef PROTOCOLS_SASL_MECHANISM_H
#define PROTOCOLS_SASL_MECHANISM_H

#include "protocols/sasl.h"

struct scram;

struct sasl {
	struct worker *worker;
	const struct login_conf *conf;
	struct session *session;
	const struct sasl_mechanism *mechanism;
	sasl_on_step *on_step;
	void *user;
	unsigned turn;           /* responses that came before this one */
	struct buf challenge;    /* in base64 */
	struct login *login;     /* under way; ours */
	struct account *account; /* who he is; ours */
	struct buf name;         /* LOGIN: what was said first */
	struct scram *scram;     /* SCRAM: what was; ours */
};

struct sasl_mechanism { /* a row of the table */
	const char *name;
	/* Beside the clear-text rule; NULL: always. */
	bool (*possible)(const struct login_conf *conf, const struct conn *c);
	const char *prompt; /* the first challenge, if there is no initial response */
	/* The client's next message; wiped when this returns. */
	enum sasl_step (*respond)(struct sasl *s, struct str message);
	/* He is s->account: what is still to be said. NULL: nothing, SASL_DONE. */
	enum sasl_step (*proved)(struct sasl *s);
};

enum sasl_step sasl_ask(struct sasl *s, struct str challenge);
/* Who he says he is; it is for a login_ function, whose attempt is then s->login. */
struct login_who sasl_who(struct sasl *s, struct str name, struct str authorize);

/* sasl_scram.c */
bool sasl_scram_plus_possible(const struct login_conf *conf, const struct conn *c);
enum sasl_step sasl_scram(struct sasl *s, struct str message);
enum sasl_step sasl_scram_plus(struct sasl *s, struct str message);
enum sasl_step sasl_scram_proved(struct sasl *s);
bool sasl_scram_is_waiting(const struct scram *m); /* NULL: false */
void sasl_scram_free(struct scram *m);             /* NULL is fine */

#endif
