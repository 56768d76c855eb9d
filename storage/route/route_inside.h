/* route_inside.h - a question on its way through the router; its files alone include this.
 *   route.c          what is still wanted, one after the other; leaves, steps, limits
 *   route_name.c     what the owner of a name said: accounts, aliases, forwarders, groups
 *   route_alias.c    names in aliases(5) files
 *   route_unknown.c  names that are not there: details, SRS, postmaster, the domain's rule */
#ifndef STORAGE_ROUTE_INSIDE_H
#define STORAGE_ROUTE_INSIDE_H

#include "storage/route/domain.h"
#include "storage/route/route.h"
#include "storage/table.h"

/* An address whose meaning is still to be found. */
struct want {
	struct want *next;
	struct str address;       /* as it would be sent on: the local part as it was written, the domain by idn.h */
	struct str key;           /* the same in lower case: what it is found by */
	struct str local, domain; /* of key */
	struct str asked;         /* what the owner is asked for: key, or key without its detail */
	struct str detail;
	struct str sender;              /* of what it comes to; "" : as it was */
	struct str ours;                /* the domain of the name that stands for it; "" : it was asked itself */
	struct str origin;              /* before the table of the configuration made it this; "" : it did not */
	const struct domain_conf *conf; /* of its domain */
	unsigned level;                 /* of names within names */
	bool forwarded, skip_author;
	bool plain;   /* not to be looked for in aliases files any more */
	bool tracing; /* it goes elsewhere; its origin's owner is asked whether that was ours */
};

struct router {
	struct worker *w;
	struct conf *conf; /* a reference */
	struct route_question q;
	struct str author; /* use route_author */
	struct arena memory;
	struct call *handle, *call;
	struct chore chore;       /* where there is much to look at */
	struct want *wants, *now; /* the next first; the one that is looked at */
	struct table seen;        /* addresses met, domains that are not ours */
	struct route_leaf *leaves;
	struct str *steps;
	size_t leaf_count, leaf_cap, step_count, step_cap;
	size_t looks;
	bool inside; /* route_find has not returned yet */
	bool author_known;
	bool skipped;   /* some of it was the author himself */
	bool rewritten; /* the sender, of some that is sent on */
	route_done *done;
	void *user;
};

/* Told to whoever wants the steps; a sentence without its full stop. */
__attribute__((format(printf, 2, 3))) void route_explain(struct router *r, const char *fmt, ...);

/* One more address to look at, which n stands for. */
struct want *route_want(struct router *r, const struct want *by, struct str address, bool forwarded);
/* n ends here. text: of REJECT and AGAIN, in the arena. */
void route_end(struct router *r, const struct want *n, enum route_kind kind, struct str address, struct str text);
__attribute__((format(printf, 3, 4))) void route_reject(struct router *r, const struct want *n, const char *fmt, ...);
void route_again(struct router *r, const struct want *n);
void route_remote(struct router *r, const struct want *n, bool relay);

/* Asks the owner of n->asked; what he said goes to route_name_told, then the next is looked at. */
void route_ask(struct router *r, struct want *n);
void route_go(struct router *r); /* on with the next; to the end if there is none */

/* The sender as addresses are found here: the real name of his domain, without detail; "" : none. */
struct str route_author(struct router *r);

/* Whether this was met before; from now on it was. */
bool route_met(struct router *r, struct str what);

/* False: something is being asked about n, and route_go follows. */
bool route_name_told(struct router *r, struct want *n, enum err e, const struct stored_name *name);
bool route_elsewhere(struct router *r, struct want *n); /* its domain is not ours */
bool route_unknown(struct router *r, struct want *n);
/* True: it stands in one of the files, and that is what it means. */
bool route_alias(struct router *r, struct want *n);
struct str route_first_domain(const struct router *r); /* whose <postmaster> is */

#endif
