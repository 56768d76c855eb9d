/* imap_session.h - one client speaking IMAP, as the files of this folder share it. */
#ifndef PROTOCOLS_IMAP_SESSION_H
#define PROTOCOLS_IMAP_SESSION_H

#include "core/arena.h"
#include "core/conn.h"
#include "protocols/imap/imap.h"
#include "protocols/imap/imap_args.h"
#include "protocols/imap/imap_parse.h"
#include "protocols/login.h"
#include "storage/store.h"

enum imap_state { /* RFC 3501, 3; bits, so that the table can name several */
	GREETED = 1,
	KNOWN = 2,
	SELECTED = 4,
};

enum next {
	DONE,  /* the command is answered, but for its tagged reply: imap_finish sent that already */
	WAIT,  /* input rests until an answer or room comes; then imap_finish, or imap_resume */
	CLOSE, /* nothing more will be said */
};

struct fetch;
struct appending;

struct imap { /* made by imap_open, ended by imap_free alone */
	struct session session;
	struct worker *worker;
	struct conn *conn;     /* ours */
	struct conf *snapshot; /* the configuration that this session began with; ours */
	enum imap_state state; /* only imap_enter changes it */
	const char *farewell;  /* why we part as soon as we may; NULL */
	unsigned errors, fails;
	struct login *login;      /* under way; ours */
	struct account *account;  /* who; NULL before login; ours */
	struct selected *mailbox; /* NULL unless SELECTED; ours */
	bool read_only;

	/* the command under way */
	struct imap_parser parser;
	const struct imap_command *command; /* NULL between commands */
	char *tag;                          /* in the arena */
	struct arena arena;                 /* memory of the command, emptied when it is answered */
	struct call *waiting;               /* the answer we rest for; ours */
	struct str pattern;                 /* LIST: which names; STATUS: of which mailbox; in the arena */
	unsigned status_items;
	struct set told; /* STORE: whose flags are told when it is done; in the arena */
	/* Takes the client's next line instead of a command (AUTHENTICATE, IDLE); NULL else. */
	enum next (*continuation)(struct imap *s, struct str line);
	struct fetch *fetch;      /* FETCH under way; ours */
	struct appending *append; /* APPEND under way; ours */
	struct uid_range *silent; /* UIDs whose flags this command changed and need not tell; in the arena */
	size_t silent_count;
	bool watching;        /* IDLE: what changes is told at once */
	bool news_due;        /* something changed while a command was under way in IDLE */
	uint64_t skip;        /* bytes of a refused literal still to be passed over */
	bool literal_invited; /* "+ " was sent for the literal that is coming */
};

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
/* The tagged reply for the outcome of a call; OK: "done". */
enum next imap_outcome(struct imap *s, enum err e);
void imap_untagged(struct imap *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void imap_resume(struct imap *s, enum next next); /* an answer came: goes on as the command would have */
const struct imap_conf *imap_conf(const struct imap *s);
const struct login_conf *imap_login_conf(const struct imap *s);
void imap_write_string(struct buf *out, struct str s);  /* quoted if it can be, else a literal */
void imap_write_nstring(struct buf *out, struct str s); /* NIL for p NULL */
void imap_write_mailbox(struct buf *out, struct str utf8);

/* imap_command.c */
const struct imap_command *imap_command_find(struct str word, bool uid);
void imap_capabilities(const struct imap *s, struct buf *out);

/* imap_news.c */
void imap_news(struct imap *s, bool may_expunge); /* tells what changed in the mailbox */
void imap_write_flags(const struct imap *s, const struct message *m, struct buf *out); /* "FLAGS (...)" */
void imap_tell_flags(struct imap *s);                                                  /* FLAGS and PERMANENTFLAGS */
void imap_leave(struct imap *s);                /* no mailbox is selected any more */
void imap_watch(struct imap *s, bool watching); /* whether changes are told at once */

/* what each family does; all of them are rows of the table */
enum next cmd_capability(struct imap *s, struct args *a);
enum next cmd_noop(struct imap *s, struct args *a);
enum next cmd_logout(struct imap *s, struct args *a);
enum next cmd_login(struct imap *s, struct args *a);
enum next cmd_authenticate(struct imap *s, struct args *a);
enum next cmd_select(struct imap *s, struct args *a);
enum next cmd_examine(struct imap *s, struct args *a);
enum next cmd_create(struct imap *s, struct args *a);
enum next cmd_delete(struct imap *s, struct args *a);
enum next cmd_rename(struct imap *s, struct args *a);
enum next cmd_subscribe(struct imap *s, struct args *a);
enum next cmd_unsubscribe(struct imap *s, struct args *a);
enum next cmd_list(struct imap *s, struct args *a);
enum next cmd_lsub(struct imap *s, struct args *a);
enum next cmd_status(struct imap *s, struct args *a);
enum next cmd_append(struct imap *s, struct args *a);
enum next cmd_check(struct imap *s, struct args *a);
enum next cmd_close(struct imap *s, struct args *a);
enum next cmd_expunge(struct imap *s, struct args *a);
enum next cmd_fetch(struct imap *s, struct args *a);
enum next cmd_store(struct imap *s, struct args *a);
enum next cmd_copy(struct imap *s, struct args *a);
enum next cmd_search(struct imap *s, struct args *a);
enum next cmd_idle(struct imap *s, struct args *a);

/* imap_append.c: the message literal of an APPEND, which is not kept with the command. */
bool imap_append_begins(struct imap *s, struct str so_far, bool *refused);
enum next imap_append_input(struct imap *s, struct buf *in);
void imap_append_drop(struct imap *s);
/* imap_fetch.c */
void imap_fetch_on(struct imap *s); /* there is room again */
void imap_fetch_drop(struct imap *s);

/* Starts telling `items` of the messages of a set of sequence numbers; finish words the tagged reply. */
enum next imap_fetch_flags(struct imap *s, const struct set *seqs);

/* imap_set.c: a set as the client wrote it, as ranges of sequence numbers in this session's count, ascending and
 * apart, in the arena. False: a number is beyond the count (UIDs that are not there are passed over). */
bool imap_seqs(struct imap *s, const struct set *set, struct set *seqs);
/* The UIDs of such a set, as ranges that hold no other message of this session's count. */
struct set imap_uids(struct imap *s, const struct set *seqs);

#endif
