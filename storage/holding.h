/* holding.h - an account as its owner holds it in memory: its settings, and which mailboxes it has.
 * Both are read from the files when first asked for (files lane) and then kept true by the owner's own changes: nobody
 * else writes them. Absent accounts are held too, so that a stranger's guesses are cheap. A bounded number is kept;
 * those in use stay.
 *
 * What changes the set of mailboxes (CREATE, DELETE, RENAME, SUBSCRIBE, making INBOX) or needs it whole (LIST) leads the
 * holding: one task at a time, in order, each until it is through. So such changes never meet. */
#ifndef STORAGE_HOLDING_H
#define STORAGE_HOLDING_H

#include "storage/account/account.h"
#include "storage/account/labels.h"
#include "storage/owner.h"
#include "storage/quota.h"
#include "storage/task.h"

struct leaf { /* a mailbox of the account */
	char *name;
	uint64_t id; /* 0: its state file is missing */
	uint32_t uidvalidity;
};

struct tree {
	struct leaf *leaves; /* by name, bytewise */
	size_t count, cap;
	uint32_t uidvalidity; /* the highest that any mailbox of the account ever had */
	struct labels labels;
};

struct holding {
	struct table_node node;
	struct holding *idle_next, *idle_prev; /* when nothing pins it */
	struct store *st;
	char *address;
	unsigned shard;
	unsigned pins;

	enum { HOLDING_UNKNOWN, HOLDING_READING, HOLDING_PRESENT, HOLDING_ABSENT } state;
	struct account_settings settings; /* when present */
	struct arena memory;              /* of them */
	struct task *waiting;             /* for them */
	struct {
		int64_t until_ms; /* 0: nobody logged in */
		uint8_t digest[PASSWORD_DIGEST_BYTES];
	} password; /* that was right not long ago */

	struct usage usage;

	bool tree_known;
	struct tree tree;
	struct task *leader, *followers; /* who changes the tree, and who will */
};

struct holding *holding_pin(struct store *st, struct str address); /* made if need be */
void holding_unpin(struct holding *h);
void holdings_free(struct store *st); /* at the end */

/* Goes on once the settings are known: OK; ERR_ABSENT: no such account, and for a task of any_kind no such name; else
 * they cannot be read. t->h is set. */
void holding_ask(struct holding *h, struct task *t, task_step *step);
void account_put(struct entry *e, struct str address, const struct account_settings *s); /* they are in its file */
/* The account has these settings from now on (NULL: it is gone). They are copied. */
void holding_set(struct holding *h, const struct account_settings *s);

/* Goes on, t leading, once the tree is known and every leader before is through. ERR_AGAIN: it cannot be read;
 * ERR_ABSENT: the account was deleted meanwhile (but for a task that founds one). */
void holding_lead(struct task *t, task_step *step);
void holding_led(struct task *t); /* t is through, also by task_end */

/* --- tree.c ---------------------------------------------------------------------------------------------------- */

/* In a lane: what mailboxes are in the account's directory; at once, or in steps until one says that it was the last. */
enum err tree_read(int directory, struct str address, struct tree *tree);
struct tree_walk;
struct tree_walk *tree_walk_new(int directory, struct str address, struct tree *tree);
bool tree_walk_step(struct tree_walk *walk);
enum err tree_walk_end(struct tree_walk *walk); /* frees it; the tree is whole, or empty */
void tree_free(struct tree *tree);
struct leaf *tree_find(const struct tree *tree, struct str name);
size_t tree_place(const struct tree *tree, struct str name); /* of it, or where it would be */
void tree_add(struct tree *tree, struct str name, uint64_t id, uint32_t uidvalidity);
void tree_remove(struct tree *tree, struct str name);
bool tree_is_below(struct str name, struct str above); /* "a/b" is below "a" */
bool tree_has_below(const struct tree *tree, struct str name);
/* What is at or below `from` gets names at or below `to`, where nothing is: planned in a lane, while nobody adds or removes
 * a name, then taken at once. */
struct tree_plan;
struct tree_plan *tree_plan_rename(const struct tree *tree, struct str from, struct str to);
void tree_take_plan(struct tree *tree, struct tree_plan *plan); /* which is still to be freed */
void tree_plan_free(struct tree_plan *plan);                    /* NULL is fine */
/* The file of the labels, which remembers tree.uidvalidity too when mailboxes are gone. */
#define TREE_FILE "/account.mailboxes"

#endif
