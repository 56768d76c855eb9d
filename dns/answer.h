/* answer.h - what is known of a name: the records of one type, or why there are none.
 * An answer never changes once made and is counted: the cache and those who asked share it. */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include "core/buf.h"
#include <netinet/in.h>

enum dns_type { /* RFC 1035, 3.2.2 and successors: those that we ask for, those that we look at in replies */
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,  /* RFC 3596 */
	DNS_SRV = 33,   /* RFC 2782 */
	DNS_NAPTR = 35, /* RFC 3403 */
	DNS_OPT = 41,   /* RFC 6891 */
	DNS_TLSA = 52,  /* RFC 6698 */
};

enum dns_outcome {
	DNS_FOUND,
	DNS_NO_DATA,  /* the name is there, but has no record of this type */
	DNS_NO_NAME,  /* NXDOMAIN: there is no such name */
	DNS_FAILED,   /* servers answered that they cannot tell (SERVFAIL, REFUSED ...), or nonsense: try later */
	DNS_SILENT,   /* no server answered in time: try later */
	DNS_BAD_NAME, /* the asker's mistake: no name is written so; nobody was asked */
	DNS_OUTCOMES
};

/* Texts that are names are as dns_name_print writes them: lower case, "." for the root. */
struct dns_record {
	union {
		struct in_addr a;
		struct in6_addr aaaa;
		struct str text; /* TXT: its strings, joined, any octets; PTR: the name */
		struct {
			uint16_t preference;
			struct str host;
		} mx;
		struct {
			uint16_t priority, weight, port;
			struct str target; /* ".": there is no such service (RFC 2782) */
		} srv;
		struct {
			uint16_t order, preference;
			struct str flags, services, regexp, replacement;
		} naptr;
		struct {
			uint8_t usage, selector, matching;
			struct str data;
		} tlsa;
	};
};

struct dns_answer {
	unsigned refs;
	enum dns_outcome outcome;
	enum dns_type type;
	bool secure;     /* a validating resolver that is trusted said AD (RFC 6840, 5.8) */
	uint32_t ttl_s;  /* how long it holds, of all that led to it; 0: nobody else is to be told it later */
	struct str name; /* at the end of the aliases (CNAME); empty unless there was a reply */
	size_t count;
	struct dns_record *records;
	size_t bytes; /* of memory */
};

/* One piece of memory that holds what `draft` says, its texts and records too; of one reference. */
struct dns_answer *dns_answer_new(const struct dns_answer *draft);
struct dns_answer *dns_answer_ref(const struct dns_answer *a);
void dns_answer_unref(struct dns_answer *a); /* NULL is fine */

/* Puts records in the order in which they are to be used, by chance where the RFC wants it so: MX by preference (RFC
 * 5321, 5.1), SRV by priority and weight (RFC 2782), NAPTR by order and preference (RFC 3403, 4.1). */
void dns_answer_order(struct dns_answer *a);

const char *dns_outcome_text(enum dns_outcome o);         /* "no such name": for logs and people */
const char *dns_type_text(enum dns_type type);            /* "MX" */
bool dns_type_read(struct str text, enum dns_type *type); /* one that can be asked for, in any case */
/* A record as in a zone file: "10 mx1.example.test". */
void dns_record_print(enum dns_type type, const struct dns_record *r, struct buf *out);

#endif
