/* owner.h - the store in one worker: what the files of the owner's side share. Nobody else includes it.
 *   owner.h     the store itself, the types of calls
 *   task.h      a call being done at its owner, step by step
 *   holding.h   an account as its owner holds it: settings, names of mailboxes
 *   mailbox.h   a mailbox as its owner holds it: loading, changes, view
 *   ask.h       the other side: how a call is asked
 *   shared.h    mailboxes that sessions of this worker have selected */
#ifndef STORAGE_OWNER_H
#define STORAGE_OWNER_H

#include "core/slab.h"
#include "core/worker.h"
#include "storage/account/password.h"
#include "storage/account/secret.h"
#include "storage/index/index.h"
#include "storage/journal/journal.h"
#include "storage/store.h"
#include "storage/table.h"

struct holding;
struct mailbox;
struct task;

struct store {
	struct worker *w;
	struct conf *conf;                 /* a reference */
	const struct store_conf *settings; /* of it */
	const struct login_conf *login;
	uint8_t secret[SECRET_BYTES];
	uint8_t login_key[PASSWORD_KEY_BYTES]; /* of this life alone: by it right passwords are remembered */
	unsigned shards;
	struct journal *journal;
	struct index *index;
	uint64_t skip_clock; /* mailboxes whose clock is lower have UIDs to skip (copied.h) */
	uint64_t serial;     /* names views: random at first, then counted up */
	size_t task_count;   /* under way */
	struct deleted *deleted;
	struct stop *stop; /* the store is being stopped */

	struct slab holding_slab, mailbox_slab;

	struct table holdings;                                    /* by address */
	struct holding *holdings_idle_first, *holdings_idle_last; /* unused ones, longest first */
	size_t holdings_idle_names;                               /* of their mailboxes */
	struct table domains;                                     /* what is known of them for a few seconds */
	struct table admins;                                      /* and of their administrators for a minute */

	struct table mailboxes; /* by account and name */
	struct table mailboxes_by_id;
	struct mailbox *mailboxes_idle_first, *mailboxes_idle_last; /* unused ones, longest first */
	struct timer sweep_timer;                                   /* mailbox.c: unused ones leave memory */
	int64_t trimmed_ms;                                         /* when it was given back to the system last */
	bool trim_due;                                              /* there is some since */
	uint64_t mailbox_serial;
	struct mailbox *news; /* changed since their watchers were told */
	struct timer news_timer;
	struct timer put_timer;  /* the index lane is woken for what was put */
	int64_t put_ms;          /* when it last was at once */
	struct timer rest_timer; /* index_rest.c */
	struct rest *rest;
	struct unlinking *unlinkings; /* views that linger */

	struct task *named; /* named changes under way */
	uint64_t *lives;    /* by slot: the last life that a name of it bore */

	struct timer look_timer; /* mailbox_foreign.c */
	size_t look_chain;       /* of the table of mailboxes: the one looked at last */
	unsigned looking;        /* jobs */
	unsigned loading;        /* mailboxes that are being read again */

	struct seeing *seeings;    /* store_message.c */
	struct forgets *forgets;   /* ask.c */
	struct shareds *shareds;   /* shared.c */
	struct dormants *dormants; /* dormant.c */
	struct table sleepers;     /* sleepers.c */
	unsigned selecting;        /* mailboxes being selected by sessions of this worker */
};

/* Rows of store_calls. */
enum {
	CALL_LOGIN,
	CALL_SALT,
	CALL_PROOF,
	CALL_KNOWN,
	CALL_RECIPIENT,
	CALL_ADMIN,
	CALL_DELIVER,
	CALL_STATUS,
	CALL_LIST,
	CALL_CREATE,
	CALL_DELETE,
	CALL_RENAME,
	CALL_SUBSCRIBE,
	CALL_SELECT,
	CALL_APPEND,
	CALL_FLAGS,
	CALL_EXPUNGE,
	CALL_COPY,
	CALL_DOMAIN_ADD,
	CALL_DOMAIN_DELETE,
	CALL_DOMAIN_LIST,
	CALL_ACCOUNT_CHANGE,
	CALL_ACCOUNT_DELETE,
	CALL_ACCOUNT_LIST,
	CALL_NAME,
	CALL_NAME_CHANGE,
	CALL_SETTLE,
	CALL_CONVERT,
	CALL_LOOK,
	CALL_LOOK_WORKER,
	CALL_QUOTA,
	CALL_QUOTA_CHANGE,
	CALL_BACKUP,
	CALL_BACKUP_WORKER,
	CALL_RESTORE_ACCOUNT,
	CALL_RESTORE_MAILBOX,
	CALL_RESTORE_MESSAGE,
	EVENT_FORGET,  /* to owners: names that nobody will ask for again */
	EVENT_UNWATCH, /* to owners: a selected mailbox is closed */
	EVENT_SLEEP,   /* to owners: somebody sleeps who had it selected, and is to be told of the next change */
	EVENT_REREAD,  /* to owners: a reader finds other bytes than it was told of */
	EVENT_CHANGED, /* from owners: a mailbox that you watch changed */
};

typedef void call_handler(struct worker *w, struct request *rq, struct str args);
call_handler admin_handle, login_handle, salt_handle, proof_handle, known_handle, recipient_handle, deliver_handle,
	status_handle, list_handle, create_handle, delete_handle, rename_handle, subscribe_handle, select_handle,
	append_handle, flags_handle, expunge_handle, copy_handle, domain_add_handle, domain_delete_handle,
	domain_list_handle, account_change_handle, account_delete_handle, account_list_handle, name_handle,
	name_change_handle, settle_handle, convert_handle, look_handle, look_worker_handle, quota_handle,
	quota_change_handle, backup_handle, backup_worker_handle, restore_account_handle, restore_mailbox_handle,
	restore_message_handle, forget_handle, unwatch_handle, sleep_handle, reread_handle, changed_handle;

unsigned store_owner(const struct store *st, struct str address); /* the slot */
int64_t store_seconds(const struct store *st);                    /* wall clock */
void seeings_drop(struct store *st);                              /* store_message.c; at the end */

/* index_rest.c: databases of the index that nobody asks for are closed */
void index_rest_start(struct store *st);
void index_rest_stop(struct store *st); /* what is under way ends in the lane */

/* store_domain.c */
void domains_declared(struct store *st); /* those of the configuration that are ours and not there are made */
void domains_free(struct store *st);
struct str domain_of(struct str address);
/* Goes on knowing whether the domain is one of ours: OK, ERR_ABSENT. */
void domain_ask(struct task *t, struct str domain, void (*step)(struct task *t, enum err e));
void domain_ask_now(struct task *t, struct str domain, void (*step)(struct task *t, enum err e)); /* looks */
void admins_free(struct store *st);                                                               /* store_admin.c */

#endif
