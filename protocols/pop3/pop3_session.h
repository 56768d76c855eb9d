/* pop3_session.h - one client speaking POP3, as the files of this folder share it. */
#ifndef PROTOCOLS_POP3_SESSION_H
#define PROTOCOLS_POP3_SESSION_H

#include "core/conn.h"
#include "protocols/login.h"
#include "protocols/pop3/pop3.h"
#include "storage/wire.h"

enum pop3_state { /* RFC 1939, 4 to 6; bits, so that the table can name several */
	AUTHORIZATION = 1,
	TRANSACTION = 2,
	UPDATE = 4,
};

enum next { DONE, WAIT, CLOSE }; /* what a command answers its engine */

struct pop3_send { /* a message being sent; wire.mailbox is NULL when none is */
	struct wire wire;
	struct buf piece;    /* decoded, not yet dot-stuffed */
	bool top, in_header; /* TOP: of the body only `lines` lines */
	uint64_t lines;
	size_t line_bytes;       /* of the line so far, for TOP */
	bool at_line_start, cut; /* cut: the lines asked for are through */
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
	unsigned errors, fails;
	char name[256];            /* what USER said; "" without */
	struct login *login;       /* under way; ours */
	struct account *account;   /* who; NULL before PASS; ours */
	struct selected *maildrop; /* INBOX, as it was at PASS; ours */
	struct call *waiting;      /* the answer we rest for; ours */
	uint32_t messages;         /* in the maildrop, deleted ones included */
	uint8_t *deleted;          /* a bit for each message, once one was deleted; ours */
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

/* pop3_send.c: starts sending; lines < 0: all of it. */
enum next pop3_send(struct pop3 *s, const struct message *m, int64_t lines);
void pop3_send_on(struct pop3 *s); /* there is room again */
void pop3_send_drop(struct pop3 *s);

#endif
