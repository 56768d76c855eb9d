/* admin.h - changing domains, accounts and other names: by the running server, or in the store's files while none runs.
 * Offline the store is locked as a running server locks it, and what the last server left in its journals is settled
 * first; started by root, the process becomes the server's user, so that the files are his. */
#ifndef PROTOCOLS_CLI_ADMIN_H
#define PROTOCOLS_CLI_ADMIN_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/settings.h"
#include "storage/account/account.h"

struct order {
	const char *what;          /* a request of control_account.c or control_name.c: "account-add", "group-set" */
	struct str name;           /* of the account or domain */
	struct str password, hash; /* one of them for account-add and -passwd */
	bool admin;                /* account-add: an administrator */
	struct str to, owner;      /* of names that are no accounts: as in name_change.h */
	bool members_only, skip_author;
	struct str bytes, messages; /* account-quota: as names_quota takes them; both "": only tells */
};

struct admin;

/* NULL: what is wrong was told, and *status is the command's. */
struct admin *admin_open(const char *conf_path, int *status);
void admin_free(struct admin *a); /* NULL is fine */

/* Does it and waits until it is durable. names: for lists, a line each, sorted; of what is shown its settings as they are in
 * its file. why: what is more to say of an error. */
enum err admin_do(struct admin *a, const struct order *o, struct buf *names, struct buf *why);

/* Offline: the store's files below `directory`, which are ours alone while we hold its lock (offline.c). */
enum err offline_do(const struct conf *conf, int directory, const struct order *o, struct buf *names);
/* The same for orders about names that are no accounts (offline_name.c). */
enum err offline_name_do(const struct conf *conf, int directory, const struct order *o, struct buf *names);
/* Adds the names of this kind in the domain, canonical, a line each. */
enum err offline_list(int directory, enum account_kind kind, struct str domain, struct buf *names);
/* Those that stand for one of these addresses (name_points_to). */
enum err offline_names_to(int directory, struct str domain, struct str addresses, struct buf *names);

#endif
