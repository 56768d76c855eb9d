/* servers.h - the resolvers that we ask, and which of them are worth asking first.
 * They are asked in their order. One that was silent several times on end goes behind the others for a while, so that a
 * dead server costs few questions its timeout. A list is of one reading of the configuration and counted: questions under
 * way keep theirs over a reload. */
#ifndef DNS_SERVERS_H
#define DNS_SERVERS_H

#include "dns/settings.h"

#define DNS_SILENCES_DEAD 3     /* so often silent on end, and a server counts as dead */
#define DNS_DEAD_MS       30000 /* for so long */

struct dns_server {
	struct sockaddr_storage address;
	char text[64]; /* "127.0.0.1:53", for logs */
	bool trusted;  /* its AD means something */
	unsigned silences;
	int64_t dead_until_ms;
};

struct dns_servers {
	unsigned refs;
	size_t count;
	struct dns_server items[DNS_SERVERS_MAX];
};

/* Those of the configuration, else those of its resolv_conf, else this machine; at least one. */
struct dns_servers *dns_servers_new(const struct dns_conf *conf);
struct dns_servers *dns_servers_ref(struct dns_servers *s);
void dns_servers_unref(struct dns_servers *s); /* NULL is fine */

/* The next to ask of those whose bit is not in `asked`: one that lives if there is, else the one that was found dead
 * first. -1: all were asked. */
int dns_servers_next(const struct dns_servers *s, unsigned asked, int64_t now_ms);
void dns_server_answered(struct dns_server *s);
void dns_server_silent(struct dns_server *s, int64_t now_ms);

#endif
