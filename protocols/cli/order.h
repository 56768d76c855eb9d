/* order.h - what the commands that change names have in common: an order is given (admin.h), and told of when it fails. */
#ifndef PROTOCOLS_CLI_ORDER_H
#define PROTOCOLS_CLI_ORDER_H

#include "protocols/cli/admin.h"

/* Does it, and tells when it fails; the exit status. */
int order_do(struct admin *a, const struct order *o, struct buf *names);
/* That alone, with the server or the files of the configuration; prints what it lists. */
int order_do_one(const char *conf_path, const struct order *o, struct buf *names);
/* what: "account-list"; of one domain, or with NULL of all. Prints the names. */
int order_list(const char *what, const char *conf_path, const char *domain);

/* Every name that still points to the account, in whatever domain: tells each on standard output. */
int order_tell_pointers(struct admin *a, struct str account);

int order_misused(const char *command, const char *what); /* tells it; EXIT_USAGE */

#endif
