/* session.h - one session with another host, as the files of this folder share it.
 *
 *   FINDING -> CONNECTING -> GREETING -> HELLO -> (SECURING -> HELLO) -> (LOGIN) -> READY <-> transaction -> OVER
 *      ^                                                    |                 PREPARING -> ENVELOPE -> BODY -> DOT
 *      +--- the next address, the next host ----------------+
 *      +------------------- ASKING (ask.h) instead of READY --> OVER
 *
 * What goes wrong before READY is noted (client_trouble) and the next address tried (client_next); when there is none
 * sending hears the last trouble. What goes wrong in a transaction is told of its recipients, and the session is over; but who
 * was put off before any content is asked for at the next host, the transaction still in hand (elsewhere.c).
 * Always: (1) a connection is counted at its address (sending_may_connect) for as long as it is there; (2) the timer
 * `limit` runs while the other side is to do something, but in BODY, where conn_idle watches; (3) a session that is over
 * has no connection and is freed in a later turn, so functions go on safely after client_over. */
#ifndef PROTOCOLS_SMTP_CLIENT_SESSION_H
#define PROTOCOLS_SMTP_CLIENT_SESSION_H

#include "core/arena.h"
#include "core/conn.h"
#include "core/network.h"
#include "core/worker.h"
#include "protocols/sending/transport.h"
#include "protocols/smtp_client/command.h"
#include "protocols/smtp_client/smtp_client.h"
#include "protocols/smtp_client/wire.h"

#define CLIENT_HOSTS_MAX     20 /* of a domain that are looked at, the best first */
#define CLIENT_ADDRESSES_MAX 10 /* that are tried in a session, of all hosts together */

enum stage {
	FINDING,    /* hosts or addresses are asked for, or nothing was done yet */
	CONNECTING, /* also TLS before the greeting */
	GREETING,   /* the first words are awaited */
	HELLO,      /* the reply to EHLO or LHLO, HELO, STARTTLS: client_hello knows */
	SECURING,   /* TLS begins after STARTTLS */
	LOGIN,
	ASKING,    /* replies to MAIL and RCPT of a question (ask.c) */
	READY,     /* between transactions */
	PREPARING, /* the message is looked at before anything is said */
	ENVELOPE,  /* replies to RSET, MAIL, RCPT and DATA */
	BODY,      /* content is being sent */
	DOT,       /* all is sent: the last replies are awaited */
	OVER,
};

struct client_host {
	uint16_t preference;
	struct str name;
};

struct client { /* made by transport.open, ended by client_over or transport.end */
	struct worker *worker;
	struct sending_session *sending; /* whose mail it carries; NULL: it asks */
	struct ask *ask;                 /* ours; NULL: it carries mail */
	const struct next_hop *hop;
	struct conf *snapshot; /* ours */
	const struct smtp_client_conf *conf;
	bool lmtp;
	enum stage stage;                /* only client_enter changes it */
	struct timer limit;              /* of what the other side is to do */
	struct call *waiting;            /* for the DNS, or for a turn of the loop; ours */
	void (*later)(struct client *c); /* what runs then */
	struct conn *conn;               /* ours; NULL: none */
	bool heard;                      /* something has come over it */
	struct buf words;                /* the reply being looked at */
	struct buf remote;               /* "mx.far.test [192.0.2.1]" */

	/* hosts.c: where to */
	struct arena places;
	struct client_host *hosts;
	size_t host_count, host_at; /* host_at: the one being tried, counted from 1 */
	struct ip *addresses;       /* of that host */
	size_t address_count, address_at;
	unsigned tried; /* addresses */
	uint16_t port;
	char address[INET6_ADDRSTRLEN]; /* that is counted; "" : none */
	bool clear;                     /* TLS failed with this address: without, this time */
	struct {
		bool there, theirs;
		enum outcome_kind kind;
		struct buf status, reply, remote;
		struct buf crowded; /* the first address that had no place for us */
	} trouble;

	/* hello.c and auth.c */
	enum { SAID_NOTHING, SAID_EHLO, SAID_HELO, SAID_STARTTLS } said;
	struct extensions can;
	struct login *login; /* AUTH under way; ours */
	bool logged_in;

	/* transaction.c */
	unsigned done;         /* transactions that came to their end */
	bool parting;          /* it said 421 */
	bool unclean;          /* a transaction was begun and not ended: RSET first */
	struct transaction *t; /* sending's; NULL: none */
	struct command_terms terms;
	bool reset, chunked;   /* how this one is done: RSET first; BDAT, not DATA */
	bool spoilt;           /* MAIL was refused */
	size_t sent, answered; /* commands, from RSET or MAIL to DATA */
	size_t *rcpts;         /* places in t of those that RCPT names; malloc'd */
	size_t *accepted;      /* of those who were accepted, in their order; malloc'd */
	size_t *telling;       /* of those who are told of just now; malloc'd */
	size_t rcpt_count, accepted_count;
	size_t told_at; /* LMTP: of the accepted ones, whose reply comes next */
	size_t chunks;  /* BDAT, but the last, that have no reply yet */

	/* elsewhere.c */
	unsigned asked;           /* hosts, for what t wants: from 1 */
	struct outcome **put_off; /* by place in t, in `kept`; malloc'd; NULL: nobody */
	struct arena kept;

	/* body.c */
	struct body *body; /* ours; NULL: none */
	bool reading;      /* on_piece is to run */
};

/* --- smtp_client.c ------------------------------------------------------------------------------------------------ */

extern const struct conn_events client_events;

struct client *client_new(struct worker *w, struct sending_session *s, const struct next_hop *hop);
void client_end(struct client *c); /* at once, and nobody is told */

void client_enter(struct client *c, enum stage stage, int64_t limit_ms); /* limit_ms 0: no timer */
void client_expect(struct client *c, int64_t limit_ms);
int64_t client_limit_ms(const struct client *c, int64_t limit_ms); /* or less, for who has less time */
void client_say(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* In a later turn; c->waiting is it. */
void client_later(struct client *c, void (*run)(struct client *c));
/* Ready for a transaction: takes one, or idles. */
void client_ready(struct client *c);
void client_drop_conn(struct client *c);
void client_part(struct client *c);  /* leaves the connection, if there is one, with a QUIT if it may */
void client_leave(struct client *c); /* with a QUIT, for the other side to end it */
/* Says QUIT if it may, tells sending, and frees it in a later turn. A transaction must be ended before. */
void client_over(struct client *c);
/* The connection is of no more use, or the host of none: goes on as the stage wants it. status is of our own words. */
void client_lost(struct client *c, const char *status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* --- hosts.c ------------------------------------------------------------------------------------------------------- */

void client_find(struct client *c);
void client_next(struct client *c);  /* the next address, the next host, or nobody is reached */
void client_again(struct client *c); /* the same address again */
/* Notes what went wrong. One for now outweighs one for good: the host may yet be reached. reply NULL: the words are ours. */
void client_trouble(struct client *c, enum outcome_kind kind, const char *status, const struct reply *reply,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* --- hello.c ------------------------------------------------------------------------------------------------------- */

void client_opened(struct client *c);
void client_secured(struct client *c);
void client_greeted(struct client *c, const struct reply *r);
void client_hello_reply(struct client *c, const struct reply *r);
void client_insecure(struct client *c, const char *why); /* TLS failed */

/* --- ask.c --------------------------------------------------------------------------------------------------------- */

void ask_begin(struct client *c); /* hello is said */
void ask_reply(struct client *c, const struct reply *r);
void ask_unreachable(struct client *c);
void ask_tell(struct client *c); /* the session is over; frees both */
void ask_free(struct ask *a);    /* NULL is fine */

/* --- auth.c -------------------------------------------------------------------------------------------------------- */

void client_log_in(struct client *c);
void client_login_reply(struct client *c, const struct reply *r);
void login_free(struct login *l); /* NULL is fine */

/* --- transaction.c ------------------------------------------------------------------------------------------------- */

void transaction_begin(struct client *c, struct transaction *t);
void transaction_go(struct client *c); /* the body is looked at: the envelope */
void transaction_reply(struct client *c, const struct reply *r);
void transaction_refuse(
	struct client *c, const char *status, const char *text); /* by ourselves; nothing was said yet */
void transaction_sent(struct client *c);                         /* all content is said */
void transaction_lost(struct client *c, const char *status, const char *text);
void transaction_end(struct client *c); /* sending has it back; called again once nothing is read any more */
void transaction_forget(struct client *c);

/* --- elsewhere.c --------------------------------------------------------------------------------------------------- */

bool elsewhere_may(const struct client *c); /* another host may be asked for who is put off by this one */
void elsewhere_put_off(struct client *c, size_t place, const struct outcome *o);
/* At the end of a transaction. True: it goes on at the next host. False: all that was put off is told. */
bool elsewhere_go(struct client *c);
void elsewhere_free(struct client *c);

/* --- body.c -------------------------------------------------------------------------------------------------------- */

/* Looks at the message if it must be changed for this host, then transaction_go; or refuses it. */
void body_prepare(struct client *c);
void body_begin(struct client *c); /* after 354, or with BDAT at once */
void body_more(struct client *c);  /* there is room */
void body_free(struct client *c);

#endif
