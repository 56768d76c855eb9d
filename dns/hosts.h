/* hosts.h - what mail asks of the DNS: the hosts that take a domain's mail, the addresses of a host.
 * Each is one ask as in resolve.h, of several questions underneath. */
#ifndef DNS_HOSTS_H
#define DNS_HOSTS_H

#include "dns/resolve.h"

/* --- the hosts that take mail for a domain (RFC 5321, 5.1) --------------------------------------------------------- */

enum dns_mail_kind {
	DNS_MAIL_LISTED,   /* by MX records */
	DNS_MAIL_IMPLICIT, /* there are none: the domain, which has an address, is its own host */
	DNS_MAIL_NONE,     /* null MX: the domain takes no mail (RFC 7505) */
};

struct dns_mail_host {
	uint16_t preference; /* lower ones first; those of one preference are in an order of chance */
	struct str name;
};

struct dns_mail {
	enum dns_outcome outcome; /* DNS_FOUND, else why no host is known; DNS_NO_DATA: neither MX nor address */
	enum dns_mail_kind kind;
	bool secure; /* all of it was validated */
	uint32_t ttl_s;
	size_t count; /* of hosts; 0 for DNS_MAIL_NONE */
	const struct dns_mail_host *hosts;
};

/* Valid until done returns. */
typedef void dns_mail_done(void *user, const struct dns_mail *mail);
struct call *dns_ask_mail(struct worker *w, struct str domain, int64_t deadline_ms, dns_mail_done *done, void *user);

/* --- the addresses of a host --------------------------------------------------------------------------------------- */

struct dns_addresses {
	enum dns_outcome outcome; /* DNS_FOUND if either question found some */
	bool secure;
	uint32_t ttl_s;
	struct str name; /* at the end of the aliases */
	size_t count;
	const struct ip *items; /* IPv6 and IPv4 in turns, each by chance: so one that fails costs least */
};

enum dns_families { DNS_IPV4 = 1, DNS_IPV6 = 2 };

typedef void dns_addresses_done(void *user, const struct dns_addresses *addresses);
struct call *dns_ask_addresses(struct worker *w, struct str host, unsigned families, int64_t deadline_ms,
	dns_addresses_done *done, void *user);

#endif
