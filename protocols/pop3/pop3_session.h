/* pop3_session.h - one client speaking POP3, as the files of this folder share it. */
#ifndef PROTOCOLS_POP3_SESSION_H
#define PROTOCOLS_POP3_SESSION_H

#include "core/conn.h"
#include "protocols/pop3/pop3.h"
#include "protocols/pop3/pop3_text.h"
#include "protocols/pop3/pop3_words.h"
#include "protocols/sasl.h"
#include "storage/wire.h"

enum pop3_state { /* RFC 1939, 4 to 6; bits, so that the table can name several */
	AUTHORIZATION = 1,
	TRANSACTION = 2,
	UPDATE = 4,
};

enum next { /* what a command answers its engine */
	DONE,
	WAIT,   /* input rests until pop3_resume */
	SECURE, /* TLS begins behind this line */
	CLOSE,
};

enum pop3_answer { NOTHING, MESSAGE, TOP, LIST, UIDL };

struct pop3_send { /* an answer of many lines on its way out */
	enum pop3_answer kind;
	bool begun; /* "+OK" is said */
	struct wire wire;
	struct buf piece; /* decoded, not yet dot-stuffed */
	struct pop3_text text;
	uint32_t number; /* LIST, UIDL: the last one told */
};

struct pop3 { /* made by pop3_open, ended by pop3_free alone */
	struct session session;
	struct worker *worker;
	struct conn *conn;     /* ours */
	struct conf *snapshot; /* the configuration that this session began with; ours */
	const struct pop3_conf *conf;
	const struct login_conf *login_conf;
	enum pop3_state state; /* only pop3_enter changes it */
	const char *farewell;  /* why we part as soon as we may; NULL */
	bool parted;           /* all is said */
	unsigned errors, fails;
	char name[256];                       /* what USER said; "" without */
	struct login *login;                  /* PASS under way; ours */
	struct sasl *sasl;                    /* AUTH under way: lines are for it; ours */
	const struct pop3_language *language; /* in which we speak */
	bool utf8;                            /* UTF8 was said: headers may be in it */
	struct tally *lock;                   /* counts us as who has the maildrop; NULL: we do not */
	struct account *account;              /* who; NULL before PASS or AUTH; ours */
	struct selected *maildrop;            /* INBOX, as it was then; ours */
	struct call *waiting;                 /* the answer we rest for; ours */
	uint32_t messages;                    /* in the maildrop, deleted ones included */
	uint8_t *deleted;                     /* a bit for each message, once one was deleted; ours */
	uint32_t deleted_count;
	uint64_t bytes, deleted_bytes; /* on the wire, of all and of those */
	struct pop3_send send;
};

/* pop3.c */
enum next pop3_ok(struct pop3 *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The client's mistake: counted, and one too many ends the session. */
enum next pop3_wrong(struct pop3 *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
enum next pop3_err(struct pop3 *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void pop3_enter(struct pop3 *s, enum pop3_state state);
void pop3_resume(struct pop3 *s, enum next next); /* an answer came: goes on as the command would have */

/* pop3_command.c */
enum next pop3_command(struct pop3 *s, struct str verb, struct str rest);
bool pop3_is_deleted(const struct pop3 *s, uint32_t number);

/* pop3_auth.c */
enum next pop3_auth_line(struct pop3 *s, struct str line); /* what the client answers in the middle of AUTH */
void pop3_auth_capabilities(struct pop3 *s);               /* CAPA's lines for logging in and for TLS */
enum next pop3_secure(struct pop3 *s);                     /* begins TLS; input is at the end of STLS */
enum next pop3_user(struct pop3 *s, struct str rest);
enum next pop3_pass(struct pop3 *s, struct str rest);
enum next pop3_auth(struct pop3 *s, struct str rest);
enum next pop3_stls(struct pop3 *s, struct str rest);

/* pop3_maildrop.c */
enum next pop3_open_maildrop(struct pop3 *s, struct account *account); /* takes the account: the login was right */
enum next pop3_update(struct pop3 *s);                                 /* QUIT: removes what is deleted */
void pop3_unlock(struct pop3 *s); /* others may have the maildrop, if it was ours */

/* pop3_send.c: each starts sending. */
enum next pop3_send_message(struct pop3 *s, const struct message *m);
enum next pop3_send_top(struct pop3 *s, const struct message *m, uint32_t lines);
enum next pop3_send_list(struct pop3 *s, bool uidl);
void pop3_send_on(struct pop3 *s); /* there is room again */
void pop3_send_drop(struct pop3 *s);
void pop3_write_listing(const struct pop3 *s, uint32_t number, bool uidl, struct buf *out); /* a line of them */

#endif
