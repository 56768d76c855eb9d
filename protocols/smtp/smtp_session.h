/* smtp_session.h - one client speaking SMTP or LMTP, as the files of this folder share it. */
#ifndef PROTOCOLS_SMTP_SESSION_H
#define PROTOCOLS_SMTP_SESSION_H

#include "core/arena.h"
#include "core/conn.h"
#include "protocols/sasl.h"
#include "protocols/smtp/smtp.h"
#include "protocols/smtp/smtp_dot.h"
#include "protocols/smtp/smtp_parameter.h"
#include "protocols/smtp/smtp_watch.h"
#include "storage/recode.h"
#include "storage/store.h"

enum smtp_state {    /* bits, so that the table can name several */
	GREETED = 1, /* no EHLO yet */
	HELLO = 2,   /* between transactions */
	SENDER = 4,  /* MAIL is through */
	RCPTS = 8,   /* at least one recipient */
	DATA = 16,   /* a message is coming in, or being delivered */
	CHUNKS = 32, /* between two chunks of a message */
	SPOILT = 64, /* a chunk was refused: the transaction can only be ended */
};

enum next { /* what a command answers its engine */
	DONE,
	WAIT,   /* input rests until smtp_resume */
	SECURE, /* TLS begins behind this line */
	CLOSE,
};

struct smtp_recipient {
	struct str address; /* as the client gave it, for Delivered-To and the log */
	struct str account; /* canonical */
	struct str local;   /* of the address */
	bool looped;        /* he had the message before */
	unsigned notify;    /* enum smtp_notify: when the sender is to be told */
	struct str orcpt;   /* as the sender calls the recipient; "" if he does not say */
	struct smtp *smtp;
	struct call *call; /* its delivery; NULL when answered */
	enum err outcome;
	uint32_t uid; /* in INBOX, once it is delivered */
};

struct smtp { /* made by smtp_open, ended by smtp_free alone */
	struct session session;
	struct worker *worker;
	struct conn *conn;     /* ours */
	struct conf *snapshot; /* the configuration that this session began with; ours */
	const struct smtp_conf *conf;
	const struct login_conf *login_conf;
	bool lmtp;
	enum smtp_state state; /* only smtp_enter changes it */
	bool extended;         /* EHLO or LHLO, not HELO */
	const char *farewell;  /* why we part as soon as we may; NULL */
	bool parted;           /* all is said */
	bool passing;          /* the rest of a line that was too long is passed over */
	unsigned errors, fails, messages;
	char hello[256];      /* what the client calls itself */
	struct call *waiting; /* the answer we rest for; ours */
	/* Takes the input while it is no command lines, as much as it can use; NULL: it is. */
	enum next (*reader)(struct smtp *s, struct buf *in);
	struct sasl *sasl;       /* AUTH under way: lines are for it; ours */
	struct account *account; /* who; NULL before AUTH; ours */

	/* the transaction, from MAIL to its end */
	struct arena transaction;
	struct str sender; /* "" for <> */
	struct smtp_mail_parameters mail;
	struct smtp_recipient *recipients; /* a growing array, malloc'd; ours */
	size_t recipient_count;
	struct smtp_recipient asked; /* whom RCPT waits for */
	struct smtp_dot dot;         /* of DATA */
	struct {
		uint64_t left; /* bytes still to come */
		bool last;
		const char *wrong; /* the reply to one that is out of turn, and only swallowed */
	} chunk;                   /* of BDAT */
	uint64_t taken;            /* bytes of the message so far */
	struct smtp_watch watch;
	struct recode *recode;     /* of BINARYMIME; ours */
	struct draft *draft;       /* ours; NULL: none, or refused */
	const char *refused;       /* the reply to a message that will not be taken; NULL: it may yet */
	bool ended;                /* all of it has come */
	size_t started, delivered; /* deliveries begun and answered */
	struct str received;       /* the Received field, stored form */
	char id[64];               /* of the message, for trace and log */
};

/* smtp.c */
enum next smtp_reply(struct smtp *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A mistake of the client's is counted, and one too many ends the session; smtp_wrong replies to it first. */
enum next smtp_count(struct smtp *s);
enum next smtp_wrong(struct smtp *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void smtp_enter(struct smtp *s, enum smtp_state state);
void smtp_reset(struct smtp *s);                  /* ends the transaction, if there is one */
void smtp_resume(struct smtp *s, enum next next); /* an answer came: goes on as the command would have */
const char *smtp_hostname(const struct smtp *s);

/* smtp_command.c */
enum next smtp_command(struct smtp *s, const struct smtp_line *line);

/* smtp_mail.c */
enum next smtp_cmd_mail(struct smtp *s, struct str rest);
enum next smtp_cmd_rcpt(struct smtp *s, struct str rest);

/* smtp_auth.c */
enum next smtp_auth_line(struct smtp *s, struct str line); /* what the client answers in the middle of AUTH */
bool smtp_auth_required(const struct smtp *s);             /* here one logs in first, and he has not */
void smtp_auth_offers(struct smtp *s);                     /* EHLO's lines for AUTH and STARTTLS */
enum next smtp_secure(struct smtp *s);                     /* begins TLS; input is at the end of STARTTLS */
enum next smtp_auth(struct smtp *s, struct str rest);
enum next smtp_starttls(struct smtp *s, struct str rest);

/* smtp_data.c */
enum next smtp_cmd_data(struct smtp *s, struct str rest);
enum next smtp_cmd_bdat(struct smtp *s, struct str rest);

/* smtp_message.c */
void smtp_message_begin(struct smtp *s);
void smtp_message_feed(struct smtp *s, struct str piece);
enum next smtp_message_next(struct smtp *s);                 /* may more of it come now, or does the disk need time? */
enum next smtp_message_end(struct smtp *s);                  /* that was all: goes on to deliver it, or refuses it */
void smtp_message_refuse(struct smtp *s, const char *reply); /* a literal, or in the transaction; the first one stays */
void smtp_message_too_big(struct smtp *s);
void smtp_message_drop(struct smtp *s);

/* smtp_deliver.c */
void smtp_deliver(struct smtp *s); /* the draft is whole: to all recipients, then replies and resumes */
void smtp_deliver_drop(struct smtp *s);

#endif
