/* store.h - what protocols ask of the store. It cannot be asked without saying who asks.
 * Every function sends a call to the owner of the account concerned and answers by `done` in a later turn; the
 * returned call may be cancelled (call_cancel), also when the session ends. What changes something is durable when
 * `done` says OK, done exactly once, and (but for deliveries) seen by whoever syncs a view from then on. */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include "core/call.h"
#include "core/settings.h"
#include "core/worker.h"
#include "storage/account/account.h"
#include "storage/account/labels.h"
#include "storage/account/login.h"
#include "storage/account/name_change.h"
#include "storage/account/password.h"
#include "storage/account/secret.h"
#include "storage/draft.h"
#include "storage/selected.h"

enum store_format { FORMAT_MBOX, FORMAT_MDIR };

struct store_conf {
	int64_t shards;                                      /* 64; fixed when the store is made, at a restart only */
	int64_t index_cache;                                 /* bytes of LevelDB block cache per worker */
	int64_t index_buffers;                               /* bytes not yet in LevelDB's files, per worker */
	int64_t open_indexes, open_accounts, open_mailboxes; /* an owner keeps at most so many in memory */
	int64_t mailboxes_per_account, mailbox_name_max, mailbox_depth_max;
	struct setting_list special_use, new_mailboxes;
	int64_t format;        /* of new mailboxes */
	bool lock_mailboxes;   /* while they are written to */
	bool dot_locks;        /* by a file beside them, too */
	int64_t compact_share; /* percent of garbage from which a mailbox is written anew */
};
extern const struct settings store_settings;
extern const struct call_type store_calls[];

/* The house's hooks (core/house.h). */
enum err store_start(struct worker *w);
void store_reload(struct worker *w, const struct conf *old);
void store_stop(struct worker *w, void (*done)(struct worker *w));
enum err store_recover(const struct conf *conf, int directory);

/* A key for this purpose alone, always the same in this store. */
void store_secret(const struct worker *w, const char *purpose, uint8_t key[SECRET_BYTES]);

/* --- who asks ------------------------------------------------------------------------------------------------ */

struct account {       /* somebody who proved who he is; made by the store_login functions alone */
	char *address; /* canonical */
	bool admin;
	unsigned owner; /* the slot of his shard's owner */
};
void account_free(struct account *a); /* NULL is fine */

typedef void login_done(void *user, enum err e, struct account *a); /* a is the receiver's; NULL unless OK */
/* ERR_DENIED: no such account, or another password: nobody learns which. ERR_AGAIN: not now. */
struct call *store_login(struct worker *w, struct str address, struct str password, login_done *done, void *user);

/* SCRAM-SHA-256 (RFC 5802), in two questions. The first is what the account's password was salted with; one that is not
 * there, or has no keys, has a salt, too, always the same. salt is valid until done returns. OK, ERR_AGAIN. */
typedef void salt_done(void *user, enum err e, uint32_t iterations, struct str salt);
struct call *store_salt(struct worker *w, struct str address, salt_done *done, void *user);
/* The second is whether the client's proof is right: as store_login. */
struct login_proof {
	struct str message, proof; /* AuthMessage and ClientProof */
	uint8_t *signature;        /* 32 bytes that live until done: the ServerSignature if it says OK */
};
struct call *store_login_proof(
	struct worker *w, struct str address, const struct login_proof *proof, login_done *done, void *user);

/* Somebody whose name was proved before he came here, by a client certificate. As store_login. */
struct call *store_login_known(struct worker *w, struct str address, login_done *done, void *user);

typedef void store_done(void *user, enum err e);

/* --- mail coming in ------------------------------------------------------------------------------------------- */

#define STORE_NO_MAIL UINT64_MAX /* of a message that is not meant at all */
/* What a name of a domain of ours is, for the router, which finds out what it means. */
struct stored_name {
	enum account_kind kind;
	struct str address;   /* canonical, without detail */
	const struct str *to; /* of all but accounts: local@domain, as it was written */
	size_t count;
	struct str owner; /* of a group: local@domain; "" : none */
	bool members_only, skip_author;
	bool unready; /* an account whose owner has no room for mail now: in its journal, on its disk */
};
/* n is valid until done returns. OK; ERR_ABSENT: domain ours, no such name; ERR_DENIED: not a domain of ours; ERR_MISTAKE:
 * no address; ERR_FULL: an account without room for a message of `size` bytes (0: unknown); ERR_AGAIN. STORE_NO_MAIL: room
 * is not looked at. */
typedef void name_done(void *user, enum err e, const struct stored_name *n);
struct call *store_name(struct worker *w, struct str address, uint64_t size, name_done *done, void *user);

/* May this address have a message of `size` bytes (0: unknown)? OK; ERR_ABSENT: domain ours, no such account;
 * ERR_DENIED: not a domain of ours; ERR_FULL; ERR_AGAIN. canonical: the account, for store_deliver. */
typedef void recipient_done(void *user, enum err e, struct str canonical);
struct call *store_recipient(struct worker *w, struct str address, uint64_t size, recipient_done *done, void *user);

/* The first administrator, by name, among the accounts of a domain of ours, whom a minute later another may follow. OK;
 * ERR_ABSENT; ERR_AGAIN. */
struct call *store_admin(struct worker *w, struct str domain, recipient_done *done, void *user);

struct delivery {
	struct str account; /* canonical, as store_recipient told it */
	struct str sender;  /* of the envelope, for the postmark; "" for bounces */
	struct str
		trace; /* header lines in stored form (LF) put before the message: Return-Path, Delivered-To, Received */
	struct draft *draft; /* ended; lives until done */
	struct name name;    /* by name_arriving, one per recipient; or by name_lasting */
	bool kept; /* by a queue, which lets go of it then: OK is said when it is durable, however relaxed, and the name,
	            * also of name_arriving, is remembered until store_forget */
};
/* OK: durable, and its UID in INBOX. ERR_ABSENT, ERR_FULL, ERR_AGAIN. */
typedef void deliver_done(void *user, enum err e, uint32_t uid);
struct call *store_deliver(struct worker *w, const struct delivery *d, deliver_done *done, void *user);

/* The name of a delivery that may be asked for again after the asker died, by whoever is in his place: of what a queue
 * holds, by the message's id and the recipient's number. Its owner remembers it until store_forget says that it will not be,
 * to the slot that store_owner_of named (or until too many others are remembered). */
struct name name_lasting(uint64_t message, uint32_t recipient);
/* Of a delivery that the queue goes on with if it fails for now (ERR_AGAIN): what was done all the same is not done again. */
struct name name_arriving(struct worker *w);
bool name_lasts(struct name name);
unsigned store_owner_of(const struct worker *w, struct str account);
void store_forget(struct worker *w, unsigned owner, struct name name);

/* --- quotas ------------------------------------------------------------------------------------------------------ */

struct quota_status {
	struct quota used, limit; /* bytes as clients see them; a limit of 0 is none */
};
/* q is valid until done returns. OK; ERR_ABSENT; ERR_AGAIN. */
typedef void quota_done(void *user, enum err e, const struct quota_status *q);
struct call *store_quota(struct worker *w, const struct account *a, quota_done *done, void *user);

/* --- mailboxes of an account ---------------------------------------------------------------------------------- */

struct mailbox_status {
	uint64_t id, clock, bytes;
	uint32_t uidvalidity, uidnext, messages, recent, unseen, deleted;
};
typedef void status_done(void *user, enum err e, const struct mailbox_status *s);
struct call *store_status(struct worker *w, const struct account *a, struct str mailbox, status_done *done, void *user);

struct mailbox_entry {
	struct str name; /* UTF-8 */
	bool exists; /* false: there is no such mailbox; a level of hierarchy if has_children, else only subscribed to */
	bool has_children;
	bool subscribed;
	unsigned uses; /* USE_..., labels.h */
};
typedef void list_done(void *user, enum err e, const struct mailbox_entry *entries, size_t count); /* by name */
struct call *store_list(struct worker *w, const struct account *a, list_done *done, void *user);

/* uses: what the mailbox is for. ERR_DENIED: another one is for that. */
struct call *store_create(
	struct worker *w, const struct account *a, struct str mailbox, unsigned uses, store_done *done, void *user);
struct call *store_delete(struct worker *w, const struct account *a, struct str mailbox, store_done *done, void *user);
struct call *store_rename(
	struct worker *w, const struct account *a, struct str from, struct str to, store_done *done, void *user);
/* Names are subscribed to whether there is such a mailbox or not, and stay so until this says otherwise. */
struct call *store_subscribe(
	struct worker *w, const struct account *a, struct str mailbox, bool subscribed, store_done *done, void *user);

/* claim: takes \Recent and allows changes (SELECT); else read-only (EXAMINE). s is the receiver's. */
typedef void select_done(void *user, enum err e, struct selected *s);
struct call *store_select(
	struct worker *w, const struct account *a, struct str mailbox, bool claim, select_done *done, void *user);

/* The session of d, which slept, has its mailbox selected again, as its client knows it. d is gone then, or stays, if it
 * cannot be now; one that watches is told `changed` again a little later. */
struct call *store_wake(struct dormant *d, select_done *done, void *user);

/* --- messages -------------------------------------------------------------------------------------------------- */

struct flag_words {     /* flags by name, as a client gives them */
	uint32_t flags; /* system flags */
	const struct str *keywords;
	size_t count;
};

struct append {              /* one message */
	struct draft *draft; /* ended; lives until done */
	struct flag_words flags;
	int64_t date; /* seconds since 1970; 0: now */
};
#define APPEND_MESSAGES_MAX 1000 /* in one call */
/* uid: of the first message; the others' follow one by one. */
typedef void append_done(void *user, enum err e, uint32_t uidvalidity, uint32_t uid);
/* All messages or none. ERR_ABSENT: no such mailbox (TRYCREATE); ERR_FULL; ERR_TOO_BIG: too many bytes of drafts in memory. */
struct call *store_append(struct worker *w, const struct account *a, struct str mailbox, const struct append *messages,
	size_t count, append_done *done, void *user);

enum flags_how { FLAGS_REPLACE, FLAGS_ADD, FLAGS_REMOVE };
/* Changes flags of messages by UID; those that are not there are passed over. The session learns the outcome by selected_sync. */
struct call *store_flags(struct worker *w, const struct account *a, struct selected *s, const struct uid_range *uids,
	size_t count, enum flags_how how, const struct flag_words *words, store_done *done, void *user);
/* The implicit \Seen of FETCH, which nobody waits for. */
void store_seen(
	struct worker *w, const struct account *a, struct selected *s, const struct uid_range *uids, size_t count);

/* Removes messages with \Deleted; uids NULL: all of them. force: also without \Deleted (POP3's QUIT). */
struct call *store_expunge(struct worker *w, const struct account *a, struct selected *s, const struct uid_range *uids,
	size_t count, bool force, store_done *done, void *user);

struct copied { /* for COPYUID (RFC 4315): the n-th UID of from became the n-th of to */
	uint32_t uidvalidity;
	const struct uid_range *from, *to;
	size_t from_count, to_count;
};
typedef void copy_done(void *user, enum err e, const struct copied *c);
/* Within the account: one entry of the journal, all or none. move: expunges the originals in the same entry. */
struct call *store_copy(struct worker *w, const struct account *a, struct selected *s, const struct uid_range *uids,
	size_t count, struct str mailbox, bool move, copy_done *done, void *user);

/* --- administration: the asker is the control socket, which admits administrators alone -------------------------- */

struct call *store_domain_add(struct worker *w, struct str domain, store_done *done, void *user);
struct call *store_domain_delete(struct worker *w, struct str domain, store_done *done, void *user);
typedef void names_done(void *user, enum err e, const struct str *names, size_t count); /* sorted */
struct call *store_domain_list(struct worker *w, names_done *done, void *user);

struct account_change {
	struct str address;
	struct str password, hash; /* at most one of them is not empty */
	bool create;               /* ERR_EXISTS if it is there; else ERR_ABSENT if it is not */
	bool admin;                /* of a new account */
};
struct call *store_account_change(struct worker *w, const struct account_change *c, store_done *done, void *user);
struct call *store_account_delete(struct worker *w, struct str address, store_done *done, void *user);
struct call *store_account_list(struct worker *w, struct str domain, names_done *done, void *user);

/* Aliases, forwarders, groups. Those of name_change_apply; ERR_ABSENT, too: the domain is not ours; ERR_DENIED: nor is that of
 * the account that an alias is to stand for. */
struct call *store_name_change(struct worker *w, const struct name_change *c, store_done *done, void *user);
struct call *store_name_delete(
	struct worker *w, enum account_kind kind, struct str address, store_done *done, void *user);
struct call *store_name_list(struct worker *w, enum account_kind kind, struct str domain, names_done *done, void *user);
/* The names of a domain that stand for one of these addresses, or are owned by it: a list as of members.h, in canonical
 * form. They are read one by one. */
struct call *store_names_to(struct worker *w, struct str domain, struct str addresses, names_done *done, void *user);
/* Gives the account a quota of its own (account.h); NULL: only tells. */
struct call *store_quota_change(
	struct worker *w, struct str address, const struct quota *own, quota_done *done, void *user);
/* Folds state into mbox headers now (`postern settle`): a new generation of each mailbox of the account. */
struct call *store_settle(struct worker *w, struct str address, store_done *done, void *user);
/* Gives a mailbox that form, while it is in use (`postern mailbox convert`); OK if it has it. ERR_ABSENT. */
struct call *store_convert(struct worker *w, struct str address, struct str mailbox, enum store_format format,
	store_done *done, void *user);

#endif
