/* account.h - accounts and domains as files: domains/<domain>/domain.settings, <account>/account.settings.
 * The files are text, a `name = value` line each, kept as they are found where we do not know a name. These functions read
 * and print them; who may call them is decided in store.h. What the passwords mean is password.h's business.
 *   version = 1
 *   password = scrypt$14$8$1$<salt>$<key>     or a crypt(3) hash, until the first login
 *   scram-sha-256 = 4096$<salt>$<stored key>$<server key>
 *   admin = true */
#ifndef STORAGE_ACCOUNT_H
#define STORAGE_ACCOUNT_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

struct account_settings {
	struct str password; /* as in the file; "" : nobody may log in */
	struct str scram_sha_256;
	bool admin;
	struct str rest; /* lines that we do not know, kept */
};

/* The result lies in the arena. ERR_NEVER: a newer version, or a line that is no `name = value`; the log says which. */
enum err account_settings_parse(struct str text, struct arena *a, struct account_settings *s);
void account_settings_print(const struct account_settings *s, struct buf *out);

/* Canonical form for lookups: "Alice+x@Example.TEST" -> "alice@example.test"; *detail (may be NULL) gets "x".
 * ERR_MISTAKE: not local@domain. */
enum err account_canonical(struct str address, struct arena *a, struct str *canonical, struct str *detail);

/* Offline and in lanes: reads DIR/.../account.settings into the arena. ERR_ABSENT. */
enum err account_read(int directory, struct str address, struct arena *a, struct account_settings *s);
bool domain_exists(int directory, struct str domain);

/* Offline (no server runs, its lock is ours): durable when they answer. */
enum err account_write(int directory, struct str address, const struct account_settings *s);
enum err account_delete(int directory, struct str address);
enum err domain_write(int directory, struct str domain);
enum err domain_delete(int directory, struct str domain); /* ERR_EXISTS: accounts are left in it */

/* Names below domains/, or accounts of a domain: each canonical, in no order. */
enum err domain_each(int directory, void (*each)(void *user, struct str domain), void *user);
enum err account_each(int directory, struct str domain, void (*each)(void *user, struct str address), void *user);

#endif
