/* route.h - what an address means here: the one place that mail, logins and calls ask.
 *   address -> domain aliases -> the table of the configuration -> name in its domain (account, alias, forwarder, group)
 *           -> +detail -> catch-all, unknown users' rule -> next hop
 * An address ends in leaves: accounts here, addresses elsewhere, programs, nowhere, or a refusal. Names are asked of their
 * owners, so a route is found in steps; what was met already is not followed again, and a bounded number of steps, leaves and
 * levels ends whatever goes in circles. */
#ifndef STORAGE_ROUTE_H
#define STORAGE_ROUTE_H

#include "storage/route/next_hop.h"
#include "storage/store.h"

enum route_kind {
	ROUTE_LOCAL,   /* an account here; address is canonical */
	ROUTE_REMOTE,  /* goes on by next_hop_find: address as it is to be sent */
	ROUTE_DISCARD, /* taken, and thrown away: the rule for unknown users */
	ROUTE_REJECT,  /* text is the reply: "550 5.1.1 ..." */
	ROUTE_AGAIN,   /* cannot be known now: text is the reply, 4xx */
};

struct route_leaf {
	enum route_kind kind;
	struct str address; /* of the others: as it was asked, or what it came to */
	struct str detail;  /* what stood behind the + */
	struct str text;
	struct str sender; /* the envelope sender that this leaf needs instead (a group's owner, SRS); "" : as it was */
	bool forwarded;    /* by an alias, forwarder or group of ours: no relaying by whoever sent it */
	bool relay;        /* the asked address itself is of no domain of ours: who sent it must be allowed to relay */
	bool backup;       /* of a domain that we back up (relay.domains) */
};

struct route_question {
	struct str address; /* local@domain; local alone is postmaster */
	struct str sender;  /* of the envelope; "" for <> */
	uint64_t size;      /* of the message; 0: unknown */
	bool believed; /* it is known that the sender is who he says, or whoever brings the mail is trusted with that */
	bool explain;  /* steps are wanted */
	bool login;    /* whom a login name means: aliases count, forwarders, groups and catch-all do not */
};

struct route { /* valid until done returns */
	const struct route_leaf *leaves;
	size_t count;            /* at least 1 */
	const struct str *steps; /* a sentence each */
	size_t step_count;
};
typedef void route_done(void *user, const struct route *route);
struct call *route_find(struct worker *w, const struct route_question *q, route_done *done, void *user);

/* The same for a sender: may this account write as this address? OK; ERR_DENIED; ERR_AGAIN. It may as itself, with any
 * +detail, as its aliases, in its domain's aliases, as what the domain's `senders` allow, and as nobody (""). */
struct call *route_may_send(struct worker *w, struct str account, struct str sender, store_done *done, void *user);

#endif
