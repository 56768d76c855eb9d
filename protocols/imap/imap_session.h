/* imap_session.h - one client speaking IMAP, as the files of this folder share it. */
#ifndef PROTOCOLS_IMAP_SESSION_H
#define PROTOCOLS_IMAP_SESSION_H

#include "core/arena.h"
#include "core/conn.h"
#include "protocols/imap/imap.h"
#include "protocols/imap/imap_args.h"
#include "protocols/imap/imap_parse.h"
#include "protocols/imap/imap_set.h"
#include "protocols/imap/imap_write.h"
#include "protocols/sasl.h"
#include "storage/store.h"
#include "storage/wire.h"

enum imap_state { /* RFC 3501, 3; bits, so that the table can name several */
	GREETED = 1,
	KNOWN = 2,
	SELECTED = 4,
};

enum next {
	DONE,   /* what comes next may be taken: the tagged reply was sent, or more of the command is to come */
	WAIT,   /* input rests until an answer or room comes; then imap_resume */
	SECURE, /* TLS begins behind this command */
	CLOSE,  /* nothing more will be said */
};

struct fetch;
struct searching;
struct storing;
struct seeing;
struct appending;

struct told { /* what a client knows of a message's flags */
	uint32_t uid, flags;
	uint64_t keywords;
};

struct imap_work { /* what a session holds for a client who speaks */
	struct imap_parser parser;
	struct arena arena;  /* memory of the command, emptied when it is answered */
	struct login *login; /* under way; ours */
	struct sasl *sasl;   /* AUTHENTICATE under way; ours */
	unsigned status_items;
	struct str name;                   /* STATUS: of which mailbox; in the arena */
	struct listing_under_way *listing; /* LIST under way; ours */
	struct fetch *fetch;               /* FETCH under way; ours */
	struct searching *search;          /* SEARCH under way; ours */
	struct appending *append;          /* APPEND under way; ours */
	struct storing *store;             /* STORE under way; in the arena */
	struct told *told;                 /* by STORE, ascending, and not to be told again as news; in the arena */
	size_t told_count;
	uint32_t read_uid;            /* the message of which a section was sent last; 0: none */
	struct wire_place read_place; /* and how far: many clients ask for one piece after the other */
	struct chore telling;         /* news of which there are too many for a turn */
	struct str late;              /* the tagged reply that follows them; in the arena */
};

struct imap { /* made by imap_open, ended by imap_free alone */
	struct session session;
	struct worker *worker;
	struct conn *conn;        /* ours */
	struct conf *snapshot;    /* the configuration that this session began with; ours */
	const char *farewell;     /* why we part as soon as we may; NULL */
	struct account *account;  /* who; NULL before login; ours */
	struct selected *mailbox; /* NULL unless SELECTED and awake; ours */
	struct dormant *dormant;  /* the mailbox while the client is quiet; ours */

	struct imap_work *work;             /* ours; that of nobody (imap_quiet.c) while the client is quiet */
	const struct imap_command *command; /* under way; NULL between commands */
	char *tag;                          /* in the arena, or ours if tag_kept */
	struct call *waiting;               /* the answer we rest for; ours */
	/* Takes the client's next line instead of a command (AUTHENTICATE, IDLE); NULL else. */
	enum next (*continuation)(struct imap *s, struct str line);
	struct seeing *seeing; /* what FETCH marked, newest first; ours */

	enum imap_state state; /* only imap_enter changes it */
	uint16_t fails;
	uint16_t errors;
	uint8_t keywords_told; /* how many words FLAGS had */
	bool tag_kept : 1;     /* of an IDLE that lasts */
	bool parted : 1;       /* all is said */
	bool read_only : 1;
	bool watching : 1; /* IDLE: what changes is told at once */
	bool news_due : 1; /* something changed in IDLE while there was no room */
	bool unwoken : 1;  /* the mailbox could not be had again for the command that comes */
};
#define IMAP_BYTES_AIM 272 /* of a quiet session; connection, account and what it remembers of its mailbox come to it */
_Static_assert(sizeof(struct imap) <= IMAP_BYTES_AIM, "a quiet session should stay small");

struct imap_command { /* a row of the table */
	const char *word;
	unsigned states;
	unsigned besides;
	enum next (*run)(struct imap *s, struct args *a);
};

enum {                  /* besides */
	KEEPS_SEQS = 1, /* no EXPUNGE may be told while it is under way (RFC 3501, 7.4.1) */
	IS_UID = 2,     /* the UID form of a command */
};

/* imap.c */
void imap_enter(struct imap *s, enum imap_state state);
/* The tagged reply, with news of the mailbox before it; the command is over. text may have a response code. */
enum next imap_ok(struct imap *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
enum next imap_no(struct imap *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The client's mistake: counted, and one too many ends the session. */
enum next imap_bad(struct imap *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void imap_tagged(struct imap *s); /* work.late: its turn has come */
/* The tagged reply for the outcome of a call; OK: "done". */
enum next imap_outcome(struct imap *s, enum err e);
void imap_untagged(struct imap *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void imap_resume(struct imap *s, enum next next);  /* an answer came: goes on as the command would have */
bool imap_literal_permitted(const struct imap *s); /* the one announced last: asked for, or short enough */
const struct imap_conf *imap_conf(const struct imap *s);
const struct login_conf *imap_login_conf(const struct imap *s);

/* imap_command.c */
const struct imap_command *imap_command_find(struct str word, bool uid);
void imap_capabilities(const struct imap *s, struct buf *out);

/* imap_about.c */
bool imap_id_check(const struct setting_list *id, struct buf *why); /* the setting */

/* imap_quiet.c: what a session holds only for a client who speaks */
extern struct imap_work imap_no_work; /* nobody writes to it */
void imap_quiet(void *session);       /* given back, unless something is under way: then it is tried again */
void imap_hear(struct imap *s);       /* the client speaks: there is s->work */
bool imap_wake(struct imap *s);       /* the mailbox is had again; true: input rests until then */
void imap_hear_drop(struct imap *s);  /* s->work */

/* imap_login.c */
void imap_login_capabilities(const struct imap *s, struct buf *out); /* of logging in and of TLS, as things are */
enum next imap_secure(struct imap *s);                               /* begins TLS; input is at the end of STARTTLS */
size_t imap_login_line_max(const struct imap *s, struct str so_far); /* of a command line, or of AUTHENTICATE's */

/* imap_news.c */
void imap_news(struct imap *s, bool may_expunge); /* tells what changed in the mailbox */
/* True: that is too much for a turn; it is told in the next ones, and then imap_tagged called. */
bool imap_news_late(struct imap *s);
void imap_news_on(struct imap *s);                                                     /* there is room again */
void imap_write_flags(const struct imap *s, const struct message *m, struct buf *out); /* "FLAGS (...)" */
void imap_tell_flags(struct imap *s);                                                  /* FLAGS and PERMANENTFLAGS */
uint64_t imap_keyword_bits(const struct imap *s, struct str word); /* 0: the mailbox does not know it */
void imap_leave(struct imap *s);                                   /* no mailbox is selected any more */
void imap_watch(struct imap *s, bool watching);                    /* whether changes are told at once */

/* what each family does; all of them are rows of the table */
enum next cmd_capability(struct imap *s, struct args *a);
enum next cmd_enable(struct imap *s, struct args *a);
enum next cmd_id(struct imap *s, struct args *a);
enum next cmd_namespace(struct imap *s, struct args *a);
enum next cmd_noop(struct imap *s, struct args *a);
enum next cmd_logout(struct imap *s, struct args *a);
enum next cmd_login(struct imap *s, struct args *a);
enum next cmd_authenticate(struct imap *s, struct args *a);
enum next cmd_starttls(struct imap *s, struct args *a);
enum next cmd_select(struct imap *s, struct args *a);
enum next cmd_examine(struct imap *s, struct args *a);
enum next cmd_unselect(struct imap *s, struct args *a);
enum next cmd_create(struct imap *s, struct args *a);
enum next cmd_delete(struct imap *s, struct args *a);
enum next cmd_rename(struct imap *s, struct args *a);
enum next cmd_subscribe(struct imap *s, struct args *a);
enum next cmd_unsubscribe(struct imap *s, struct args *a);
enum next cmd_list(struct imap *s, struct args *a);
enum next cmd_lsub(struct imap *s, struct args *a);
enum next cmd_status(struct imap *s, struct args *a);
enum next cmd_append(struct imap *s, struct args *a);
enum next cmd_getquota(struct imap *s, struct args *a);
enum next cmd_getquotaroot(struct imap *s, struct args *a);
enum next cmd_setquota(struct imap *s, struct args *a);
enum next cmd_check(struct imap *s, struct args *a);
enum next cmd_close(struct imap *s, struct args *a);
enum next cmd_expunge(struct imap *s, struct args *a);
enum next cmd_fetch(struct imap *s, struct args *a);
enum next cmd_store(struct imap *s, struct args *a);
enum next cmd_copy(struct imap *s, struct args *a);
enum next cmd_move(struct imap *s, struct args *a);
enum next cmd_search(struct imap *s, struct args *a);
enum next cmd_idle(struct imap *s, struct args *a);

/* imap_append.c: the first message literal of an APPEND, which is not kept with the command. True: the command so far is
 * such a one, and taken; *next is what comes of it. */
bool imap_append_begins(struct imap *s, struct str so_far, enum next *next);
bool imap_append_takes(const struct imap *s);                            /* its bytes are still coming */
bool imap_append_input(struct imap *s, struct buf *in, enum next *next); /* false: more must come */
void imap_append_drop(struct imap *s);
/* imap_seen.c: messages that FETCH marks, each as it is told to the client; UIDs ascend within one FETCH. */
void imap_seen_add(struct imap *s, const struct message *m);
void imap_seen_send(struct imap *s);   /* the FETCH is through: the owner is told */
void imap_seen_drop(struct imap *s);   /* the same, and nothing is remembered */
bool imap_seen_forget(struct imap *s); /* the client is quiet; false: the owner was not reached yet */
void imap_seen_synced(struct imap *s); /* all that is done by now the client has heard of */
const struct told *imap_seen_find(const struct imap *s, uint32_t uid); /* NULL: none of these */
void imap_seen_mend(const struct imap *s, struct message *m); /* it has \Seen, though the mailbox may not show it yet */
const struct told *imap_told_find(const struct told *list, size_t count, uint32_t uid);
/* imap_list.c */
void imap_list_drop(struct imap *s);
/* imap_status.c */
void imap_write_status(struct imap *s, struct str name, unsigned items, const struct mailbox_status *st);
/* imap_fetch.c */
void imap_fetch_on(struct imap *s); /* there is room again */
void imap_fetch_drop(struct imap *s);
enum next imap_fetch_flags(struct imap *s, const struct set *seqs); /* tells the flags of these; s->told gets them */
/* imap_search.c */
void imap_search_on(struct imap *s); /* there is room again */
void imap_search_drop(struct imap *s);

/* imap_numbers.c: a set as the client wrote it, as ranges of sequence numbers in this session's count, ascending and
 * apart, in the arena. False: a number is beyond the count (UIDs that are not there are passed over). */
bool imap_seqs(struct imap *s, const struct set *set, struct set *seqs);
/* The next argument, a set, so; false: it cannot be, the reply is sent and *next is what comes of it. */
bool imap_take_set(struct imap *s, struct args *a, struct set *seqs, enum next *next);
/* The UIDs of such a set, as ranges that hold no other message of this session's count. */
struct set imap_uids(struct imap *s, const struct set *seqs);
uint64_t imap_count(const struct set *set); /* numbers in it */
/* A message as this client knows it. */
void imap_message(const struct imap *s, uint32_t seq, struct message *m);

#endif
