/* members.h - whom an alias, a forwarder or a group stands for: a list of addresses as text, a line each.
 *   "alice@example.test\nBob@far.test\n"
 * Local parts are as they were written, domains by idn.h. The same address in other letters is the same one. */
#ifndef STORAGE_ACCOUNT_MEMBERS_H
#define STORAGE_ACCOUNT_MEMBERS_H

#include "core/buf.h"
#include "core/err.h"

#define MEMBERS_MAX 10000

/* Adds the addresses of "a@x.test, b@y.test" to the list. ERR_MISTAKE: one is none; ERR_TOO_BIG: they are too many. Then
 * the list is as it was. */
enum err members_parse(struct str text, struct buf *list);

bool members_next(struct str *left, struct str *member); /* false: there is none left */
size_t members_count(struct str list);
bool members_have(struct str list, struct str address);

/* The list with those of `more` that it has not yet. ERR_TOO_BIG. */
enum err members_add(struct str list, struct str more, struct buf *out);
/* The list without those of `less`. ERR_ABSENT: one of them is not in it. */
enum err members_remove(struct str list, struct str less, struct buf *out);

#endif
