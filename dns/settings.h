/* settings.h - how names are looked up: dns { ... }. */
#ifndef DNS_SETTINGS_H
#define DNS_SETTINGS_H

#include "core/settings.h"
#include <sys/socket.h>

#define DNS_SERVERS_MAX 16
#define DNS_PORT        53

struct dns_conf {
	struct setting_list servers; /* empty: those of resolv_conf */
	const char *resolv_conf;     /* a file as resolv.conf(5) tells */
	int64_t timeout_ms;          /* for one server; twice as long in each further round */
	int64_t tries;               /* how often a silent server is asked */
	int64_t cache;               /* bytes of a worker's cache */
	int64_t ttl_max_ms, negative_ttl_max_ms;
	bool trust_ad; /* the servers listed, all on loopback, validate by DNSSEC */
	bool mix_case; /* letters of questions in mixed case, against forgers */
};
extern const struct settings dns_settings;

/* "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:53". */
bool dns_address_read(const char *text, struct sockaddr_storage *sa);
bool dns_address_is_loopback(const struct sockaddr_storage *sa);

#endif
