/* admin.h - changing domains and accounts: by the running server, or in the store's files while none runs.
 * Offline the store is locked as a running server locks it, and what the last server left in its journals is settled
 * first; started by root, the process becomes the server's user, so that the files are his. */
#ifndef PROTOCOLS_CLI_ADMIN_H
#define PROTOCOLS_CLI_ADMIN_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/settings.h"

struct order {
	const char *what;          /* a request of control_account.c: "account-add" */
	struct str name;           /* of the account or domain */
	struct str password, hash; /* one of them for account-add and -passwd */
	bool admin;                /* account-add: an administrator */
};

struct admin;

/* NULL: what is wrong was told, and *status is the command's. */
struct admin *admin_open(const char *conf_path, int *status);
void admin_free(struct admin *a); /* NULL is fine */

/* Does it and waits until it is durable. names: for lists, a line each, sorted. why: what is more to say of an error. */
enum err admin_do(struct admin *a, const struct order *o, struct buf *names, struct buf *why);

/* Offline: the store's files below `directory`, which are ours alone while we hold its lock (offline.c). */
enum err offline_do(const struct conf *conf, int directory, const struct order *o, struct buf *names);

#endif
