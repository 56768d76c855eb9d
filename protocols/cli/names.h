/* names.h - names of accounts and domains as administrators give them, checked, in the form that the store knows. */
#ifndef PROTOCOLS_CLI_NAMES_H
#define PROTOCOLS_CLI_NAMES_H

#include "core/arena.h"
#include "core/err.h"
#include "core/settings.h"
#include "storage/account/account.h"

/* The result lies in the arena. ERR_MISTAKE: there can be none of this name. user+detail is no account, but a way to
 * write to one. */
enum err name_account(struct arena *a, struct str text, struct str *name);
enum err name_domain(struct arena *a, struct str text, struct str *name);

/* The same account in the domain's other names, too, each on a line: how others may point to it. */
struct str name_forms(const struct conf *conf, struct arena *a, struct str name);

/* An order about names that are no accounts: "group-member-add" is "member-add" of a group. False: it is another. */
bool name_order(const char *what, enum account_kind *kind, const char **verb);

/* Limits of an account's own: a size such as 500M or 2G and a number, or a word for either. ERR_MISTAKE: they are neither. */
#define QUOTA_OF_DOMAIN "domain"
#define QUOTA_UNLIMITED "none"
enum err names_quota(struct str bytes, struct str messages, struct quota *own);

#endif
