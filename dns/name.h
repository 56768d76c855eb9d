/* name.h - a domain name (RFC 1035, 3.1): as octets of a message, as text for people.
 * In between it is a struct dns_name: the labels as on the wire, uncompressed, ASCII letters in lower case, so that
 * two names are the same when their octets are. Names beyond ASCII come as A-labels (xn--...): whoever takes names from
 * people makes them so. */
#ifndef DNS_NAME_H
#define DNS_NAME_H

#include "core/network.h"

#define DNS_NAME_MAX  255 /* octets, the root's empty label included (RFC 1035, 2.3.4) */
#define DNS_LABEL_MAX 63

struct dns_name {
	uint8_t len; /* 1 for the root; 0 for none */
	uint8_t octets[DNS_NAME_MAX];
};

/* From text: labels between dots, a dot at the end or none, "." for the root; \. and \DDD as in zone files (RFC 1035,
 * 5.1). False: no name is written so (an empty or too long label, too long, a space, an octet beyond ASCII). */
bool dns_name_read(struct dns_name *n, struct str text);
/* Adds it as text, without a dot at its end; the root is ".". What dns_name_read gives from that is the same name. */
void dns_name_print(const struct dns_name *n, struct buf *out);

/* The name at message[*at], its compression undone (4.1.4); *at moves behind it. A pointer leads back before all that
 * was read of the name so far, so no chain of them is endless. False: it is none, or goes beyond the message. */
bool dns_name_take(struct str message, size_t *at, struct dns_name *n);

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b);
bool dns_name_within(const struct dns_name *n, const struct dns_name *parent); /* below it, or the same */

/* Where an address's name is asked for: d.c.b.a.in-addr.arpa (RFC 1035, 3.5), nibbles of ip6.arpa (RFC 3596, 2.5). */
void dns_name_of_ip(struct dns_name *n, const struct ip *ip);

#endif
