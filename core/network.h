/* network.h - addresses of hosts and networks as numbers: to compare, to count by, to find in a list.
 * All are 16 bytes: an IPv4 address is the IPv6 one that stands for it (::ffff:192.0.2.1; RFC 4291, 2.5.5.2), so a peer
 * that came by a socket of either kind is the same peer, and a network of either kind is one number of leading bits. */
#ifndef CORE_NETWORK_H
#define CORE_NETWORK_H

#include "core/buf.h"
#include "core/settings.h"
#include <netinet/in.h>
#include <sys/socket.h>

struct ip {
	uint8_t bytes[16];
};

struct network {
	struct ip ip; /* 0 after the leading bits */
	unsigned bits;
};

struct networks { /* a zeroed one is empty */
	struct network *items;
	size_t count;
};

bool ip_of(const struct sockaddr_storage *from, struct ip *ip); /* false: it has none, as a UNIX socket */
bool ip_read(struct str text, struct ip *ip);                   /* "192.0.2.1", "2001:db8::1" */
bool ip_is_v4(const struct ip *ip);
void ip_print(const struct ip *ip, char text[INET6_ADDRSTRLEN]);

/* "192.0.2.0/24", "2001:db8::/32", or one address; bits after the network's must be 0. */
bool network_read(struct str text, struct network *n);
bool network_has(const struct network *n, const struct ip *ip);

/* The networks of a setting, which networks_check found right; *ns was empty. */
void networks_read(struct networks *ns, const struct setting_list *list);
void networks_free(struct networks *ns); /* empty again */
bool networks_have(const struct networks *ns, const struct ip *ip);

/* For a section's check: a line in `why` for each item that is no network; `what` names the setting. */
bool networks_check(const struct setting_list *list, const char *what, struct buf *why);

#endif
