/* account.h - accounts and domains as files: domains/<domain>/domain.settings, <account>/account.settings.
 * The files are text, a `name = value` line each, kept as they are found where we do not know a name. These functions read
 * and print them; who may call them is decided in store.h. What the passwords mean is password.h's business.
 *   version = 1
 *   password = scrypt$14$8$1$<salt>$<key>     or a crypt(3) hash, until the first login
 *   scram-sha-256 = 4096$<salt>$<stored key>$<server key>
 *   admin = true
 *   quota = 1073741824                        bytes; also "none"
 *   quota_messages = 100000
 *   quota_warned = true
 * A name of a domain may be something else than an account; its file then says of what kind and whom it stands for:
 *   kind = group                              alias, forwarder or group
 *   to = alice@example.test, bob@far.test     any number of such lines
 *   owner = carol@example.test                of groups alone, as are the next two
 *   members_only = true
 *   skip_author = true */
#ifndef STORAGE_ACCOUNT_ACCOUNT_H
#define STORAGE_ACCOUNT_ACCOUNT_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

enum account_kind {
	KIND_ACCOUNT,
	KIND_ALIAS,     /* another name of one account here */
	KIND_FORWARDER, /* addresses anywhere */
	KIND_GROUP,     /* members anywhere, and rules for who may write to them */
};
const char *account_kind_word(enum account_kind kind); /* "group" */

struct quota {
	uint64_t bytes, messages;
};
#define QUOTA_NONE UINT64_MAX /* of an account's own: no limit, whatever its domain says */

struct account_settings {
	enum account_kind kind;
	struct str password; /* as in the file; "" : nobody may log in */
	struct str scram_sha_256;
	bool admin;
	struct quota quota; /* its own; 0: its domain's */
	bool quota_warned;  /* its owner was told that it is nearly used up */
	struct str to;      /* a list as of members.h; none of an account */
	struct str owner;   /* local@domain: who gets the bounces of a group's mail; "" : whoever wrote it */
	bool members_only;  /* only its members, and the owner, may write to the group */
	bool skip_author;   /* who writes to the group gets no copy */
	struct str rest;    /* lines that we do not know, kept */
};

/* The result lies in the arena. ERR_NEVER: a newer version, or a line that is no `name = value`; the log says which. */
enum err account_settings_parse(struct str text, struct arena *a, struct account_settings *s);
void account_settings_print(const struct account_settings *s, struct buf *out);
void account_quota_print(const struct account_settings *s, struct buf *out); /* its own quota, if it has one */
void account_name_print(
	const struct account_settings *s, struct buf *out); /* of no account: what it is, and for whom */
/* A copy whose texts lie in the arena, where they take so many bytes. */
struct account_settings account_settings_copy(struct arena *a, const struct account_settings *s);
size_t account_settings_bytes(const struct account_settings *s);

/* Canonical form for lookups: "Alice+x@Example.TEST" -> "alice@example.test", the domain by idn.h; *detail (may be NULL) gets "x".
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
