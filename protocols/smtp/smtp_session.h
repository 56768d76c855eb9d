/* smtp_session.h - one client speaking SMTP or LMTP, as the files of this folder share it. */
#ifndef PROTOCOLS_SMTP_SESSION_H
#define PROTOCOLS_SMTP_SESSION_H

#include "core/arena.h"
#include "core/conn.h"
#include "protocols/sasl.h"
#include "protocols/smtp/smtp.h"
#include "protocols/smtp/smtp_dot.h"
#include "protocols/smtp/smtp_header.h"
#include "protocols/smtp/smtp_parameter.h"
#include "protocols/smtp/smtp_watch.h"
#include "storage/mail/recode.h"
#include "storage/queue/queue.h"
#include "storage/route/route.h"
#include "storage/store.h"
#include "storage/table.h"

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
	struct str address;    /* as the client gave it, for Delivered-To and the log */
	struct str local;      /* of the address */
	unsigned notify;       /* enum queue_notify: when the sender is to be told */
	struct str orcpt;      /* as the sender calls the recipient; "" if he does not say */
	size_t targets, count; /* what his address means: so many from there on in the session's */
	bool anybody;          /* one of these has it, or will */
	bool hidden;           /* a copy of all mail (copies.h), of which nobody hears */
	bool looped;           /* he had the message before */
};

struct smtp_put;
struct smtp_target { /* a leaf of a recipient's route: where the message goes for him */
	struct smtp *smtp;
	size_t recipient; /* whose */
	enum route_kind kind;
	struct str address;             /* canonical, if it is an account's */
	struct str sender;              /* of the envelope, instead of the transaction's; "" : that one */
	bool forwarded;                 /* by an alias, forwarder or group */
	bool queued;                    /* it is for the queue, or there */
	bool spared;                    /* he had the message before, or it is thrown away: nothing is to be done */
	const struct smtp_target *same; /* he gets it by that one already */
	enum err outcome;
	uint32_t uid;               /* in the account's INBOX */
	struct call *call;          /* its delivery; NULL when answered */
	struct name name;           /* of that */
	const struct smtp_put *put; /* by which it comes into the queue; NULL: it does not, or could not */
	struct smtp_target *next;   /* of its */
	struct table_node met;      /* by address: among those delivered at once, then among its put's */
};

struct smtp_put { /* targets that share an envelope, on their way into the queue */
	struct smtp *smtp;
	struct smtp_put *next;
	struct table_node node; /* by what they share */
	struct smtp_target *first, **last;
	size_t count;
	const struct smtp_target *filled; /* the next recipient made is of this one; NULL: all are */
	struct queue_envelope envelope;
	struct queue_recipient *recipients; /* ours */
	struct call *call;
	uint64_t id;
};

struct smtp_submit {               /* mail of somebody who logged in */
	bool holds;                /* its header, until that is whole */
	struct smtp_header header; /* its bytes are ours */
	struct str *from;          /* who From fields say it is from, to be asked about; in the transaction's arena */
	size_t from_count, from_asked;
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
	int64_t arrived_s;                 /* when MAIL came, seconds since 1970 */
	struct smtp_recipient *recipients; /* growing arrays, malloc'd; ours */
	size_t recipient_count;
	struct smtp_target *targets;
	size_t target_count;
	struct smtp_recipient asked; /* whom RCPT waits for */
	const struct str *copies;    /* who gets the message besides, to be asked about when it is whole */
	size_t copy_count, copies_asked;
	struct smtp_dot dot; /* of DATA */
	struct {
		uint64_t left; /* bytes still to come */
		bool last;
		const char *wrong; /* the reply to one that is out of turn, and only swallowed */
	} chunk;                   /* of BDAT */
	uint64_t taken;            /* bytes of the message so far */
	struct smtp_watch watch;
	struct smtp_submit submit;
	struct recode *recode;     /* of BINARYMIME; ours */
	struct draft *draft;       /* ours; NULL: none, or refused */
	const char *refused;       /* the reply to a message that will not be taken; NULL: it may yet */
	bool ended;                /* all of it has come */
	struct chore chore;        /* targets are looked at in small pieces: there may be very many */
	size_t at;                 /* the next of them */
	struct table met;          /* targets met before, by address */
	size_t started, delivered; /* targets that deliveries began for, and that are through */
	bool anybody;              /* somebody has it, or will */
	struct table envelopes;    /* puts, by what their targets share */
	struct smtp_put *puts, **last_put, *put_now; /* in the transaction's arena; now: being filled */
	size_t puts_left;
	struct { /* of what came of them */
		size_t recipient;
		enum err copies, own, worst; /* own: of this recipient's targets */
		const struct smtp_recipient *loser;
	} end;
	struct str received; /* the Received field, stored form */
	char id[64];         /* of the message, for trace and log */
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

/* smtp_relay.c */
bool smtp_relay_trusted(const struct smtp *s); /* he may send anywhere */
/* Whether a message, or a connection from there, is to come again later: the worker is overloaded, and he a stranger. Why,
 * for the reply: smtp_busy; NULL: it is taken. */
extern const char smtp_busy[];
bool smtp_is_put_off(const struct smtp *s);
const char *smtp_put_off(struct worker *w, const struct ip *peer);
unsigned smtp_may(const struct smtp *s);  /* SMTP_MAY_...: which parameters MAIL may have */
void smtp_trusted_offers(struct smtp *s); /* EHLO's lines for these */

/* smtp_mail.c */
enum next smtp_cmd_mail(struct smtp *s, struct str rest);
enum next smtp_bad_path(struct smtp *s, enum err e, const char *syntax);
/* Letters beyond ASCII are for transactions that said SMTPUTF8 (RFC 6531, 3.5); others never hear them either. */
bool smtp_may_be_said(struct str address, bool utf8);
enum next smtp_not_ascii(struct smtp *s);

/* smtp_rcpt.c */
enum next smtp_cmd_rcpt(struct smtp *s, struct str rest);
void smtp_rcpt_keep(struct smtp *s, const struct route *route); /* s->asked is a recipient, and these his targets */

/* smtp_ask.c */
enum next smtp_vrfy(struct smtp *s, struct str rest);
enum next smtp_expn(struct smtp *s, struct str rest);

/* smtp_etrn.c */
enum next smtp_etrn(struct smtp *s, struct str rest);

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
enum form_lines smtp_message_lines(const struct smtp *s);    /* what becomes of bare CR and LF */
enum next smtp_message_end(struct smtp *s);                  /* that was all: goes on to deliver it, or refuses it */
void smtp_message_refuse(struct smtp *s, const char *reply); /* a literal, or in the transaction; the first one stays */
void smtp_message_keep(struct smtp *s, struct str piece);    /* of it, as it will be kept */
void smtp_message_checked(struct smtp *s);                   /* smtp_submit_asks was answered */
void smtp_message_too_big(struct smtp *s);
void smtp_message_drop(struct smtp *s);

void smtp_message_copied(struct smtp *s); /* smtp_copies is through */

/* smtp_copies.c */
void smtp_copies(struct smtp *s); /* asks who else is to have the message; then smtp_message_copied */

/* smtp_submit.c */
void smtp_submit_begin(struct smtp *s);
void smtp_submit_feed(struct smtp *s, struct str piece);
void smtp_submit_end(struct smtp *s);  /* that was all of it */
bool smtp_submit_asks(struct smtp *s); /* true: something is still to be known; then smtp_message_checked */
void smtp_submit_drop(struct smtp *s);

/* smtp_trace.c */
struct str smtp_received(struct smtp *s); /* the Received field, stored form, in the transaction's arena */
struct str smtp_delivered_to(const struct smtp *s, const struct smtp_target *t); /* what Delivered-To says */

/* smtp_deliver.c */
#define SMTP_STEP 32                                              /* targets looked at in one go */
void smtp_deliver_rest(struct smtp *s, void (*step)(void *user)); /* goes on there, soon */
void smtp_deliver_met(struct smtp *s, struct smtp_target *t, uint64_t hash);
void smtp_deliver(struct smtp *s);     /* the draft is whole: to all recipients, then replies and resumes */
void smtp_deliver_end(struct smtp *s); /* every target is through */
void smtp_deliver_drop(struct smtp *s);

/* smtp_queue.c */
void smtp_queue(struct smtp *s); /* puts what cannot be delivered at once into the queue, then says smtp_deliver_end */
void smtp_queue_drop(struct smtp *s);

/* smtp_expanded.c */
bool smtp_is_list(const struct smtp_target *t);                       /* a group's, which answers for its mail itself */
bool smtp_expands(const struct smtp *s, const struct smtp_target *t); /* he is one of several that a name stands for */
void smtp_expanded(const struct smtp *s); /* reports on success to such names, when all is in the queue */

#endif
