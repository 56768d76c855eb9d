/* message.h - a question as the bytes of a message (RFC 1035, 4), and what a reply's bytes say to it.
 * A question asks the server to recurse, to tell by AD whether it validated (RFC 6840, 5.7), and, unless told not to,
 * for EDNS (RFC 6891) without DO: we want the verdict, not the signatures. A reply is read strictly: every
 * record must be whole and within the message, and nothing may follow the last; of what it holds only that counts which
 * belongs to the question or to where its aliases lead. */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include "core/arena.h"
#include "dns/answer.h"
#include "dns/name.h"

#define DNS_HEADER_BYTES 12
#define DNS_QUERY_MAX    (DNS_HEADER_BYTES + DNS_NAME_MAX + 4 + 11) /* header, question, OPT */
#define DNS_UDP_MAX      1232 /* what we take by UDP, so that nothing on the way is cut in fragments */
#define DNS_RECORDS_MAX  1000 /* of a reply; one that has more is none */
#define DNS_ALIASES_MAX  10   /* from one CNAME to the next, in all that leads to an answer */

enum dns_rcode {
	DNS_RCODE_OK = 0,
	DNS_RCODE_FORMAT = 1, /* FORMERR */
	DNS_RCODE_SERVER = 2, /* SERVFAIL */
	DNS_RCODE_NO_NAME = 3,
	DNS_RCODE_NOT_IMPLEMENTED = 4,
	DNS_RCODE_REFUSED = 5,
	DNS_RCODE_VERSION = 16, /* BADVERS (RFC 6891, 9) */
};

struct dns_query {
	enum dns_type type;
	size_t len;
	uint8_t bytes[DNS_QUERY_MAX];
};

enum dns_query_flags {
	DNS_QUERY_EDNS = 1,
	DNS_QUERY_MIX = 2, /* letters in upper or lower case by chance: who guesses a reply must guess them too */
};

/* The message's number is a random one. */
void dns_query_build(struct dns_query *q, const struct dns_name *name, enum dns_type type, unsigned flags);

enum dns_reply_kind {
	DNS_REPLY_ANSWER, /* answer: found, no data or no name */
	DNS_REPLY_ALIAS,  /* the name is but an alias: ask for `alias`; answer has ttl_s so far */
	DNS_REPLY_RCODE,  /* the server cannot tell: rcode */
	DNS_REPLY_LAME,   /* the server sends us elsewhere instead of asking for us */
	DNS_REPLY_CASE,   /* the question's letters are not in our case: from a server that does so, or forged */
	DNS_REPLY_BROKEN, /* not a reply to this question, or not well formed, or cut, or over a limit */
};

struct dns_reply {
	enum dns_reply_kind kind;
	unsigned rcode;
	bool authentic;           /* AD */
	unsigned aliases;         /* CNAMEs followed */
	struct dns_name alias;    /* where they end */
	struct dns_answer answer; /* a draft: records and texts lie in arena and message; secure is not set */
};

/* Whether the number is the query's is the transport's to know. A reply of kind DNS_REPLY_CASE is told in full if
 * any_case. */
void dns_reply_read(struct dns_reply *r, struct str message, const struct dns_query *q, bool any_case, struct arena *a);

#endif
