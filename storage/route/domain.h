/* domain.h - what the configuration says of our domains: other names they go by, whose mail is taken, and whose is not.
 *   domain "example.test" { aliases = { "example.org" } unknown = "*@old.example.test" }
 *   domain "*" { ... }      what holds for domains that have no section of their own
 * Domains made by a command need no section. Names are compared as idn.h makes them. */
#ifndef STORAGE_ROUTE_DOMAIN_H
#define STORAGE_ROUTE_DOMAIN_H

#include "core/settings.h"
#include "core/str.h"

struct arena;

struct domain_conf {
	struct setting_list aliases;       /* other names of the domain: each address there is the same address here */
	const char *detail;                /* each of its characters may stand between a name and its detail */
	const char *unknown;               /* DOMAIN_REJECT, DOMAIN_DISCARD or where mail for unknown names goes */
	const char *postmaster;            /* where mail for the postmaster goes; "" : to an administrator */
	struct setting_list senders;       /* "PATTERN as PATTERN": whom accounts of the domain may write as */
	struct setting_list aliases_files; /* in the form of aliases(5) */
	int64_t aliases_programs;          /* enum alias_programs */
	bool srs;                          /* what is forwarded leaves with a sender of this domain (srs.h) */
	int64_t quota_bytes, quota_messages; /* of each account without its own; 0: no limit */
	int64_t quota_warning;               /* percent of it from which its owner is told; 0: never */
	struct setting_list masquerade;      /* domains of senders that become this one when mail leaves */
};
enum alias_programs { /* of those files, what is run */
	ALIAS_PROGRAMS_NO,
	ALIAS_PROGRAMS_FILES, /* what stands in the files themselves */
	ALIAS_PROGRAMS_ALL,   /* and in what they include */
};
#define DOMAIN_REJECT  "reject"
#define DOMAIN_DISCARD "discard"
#define DOMAIN_DEFAULT "*"

extern const struct settings domain_settings; /* domain "example.test" { } */

/* All from the one configuration; domain: as idn_domain makes it. */
struct str domain_real(const struct conf *conf, struct str domain); /* what it is an alias of; else itself */
const struct domain_conf *domain_find(const struct conf *conf, struct str domain); /* never NULL */
bool domain_is_named(const struct conf *conf, struct str domain);                  /* a section of its own */
struct str domain_first(const struct conf *conf);                                  /* the first section's; "" without */

/* Whether the settings of account's domain let it write as `sender`, both canonical. */
bool domain_may_send(const struct conf *conf, struct str account, struct str sender);

#endif
