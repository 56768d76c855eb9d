/* settings.c - see settings.h. */
#include "dns/settings.h"
#include "core/listen.h"
#include <arpa/inet.h>
#include <stdio.h>

#define TEXT_OF_(number) #number
#define TEXT_OF(number)  TEXT_OF_(number)

bool dns_address_read(const char *text, struct sockaddr_storage *sa)
{
	char with_port[INET6_ADDRSTRLEN + 16];
	struct in6_addr six;
	size_t len = strlen(text);

	if (len > INET6_ADDRSTRLEN + 8)
		return false;
	if (inet_pton(AF_INET6, text, &six) == 1)
		snprintf(with_port, sizeof(with_port), "[%s]:%d", text, DNS_PORT);
	else if (text[0] == '[' ? text[len - 1] == ']' : !strchr(text, ':'))
		snprintf(with_port, sizeof(with_port), "%s:%d", text, DNS_PORT);
	else
		snprintf(with_port, sizeof(with_port), "%s", text);
	return listen_address(with_port, sa, NULL) && ((struct sockaddr_in *)sa)->sin_port;
}

bool dns_address_is_loopback(const struct sockaddr_storage *sa)
{
	if (sa->ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)sa)->sin6_addr);
	return ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static bool check(const void *values, const char *title, struct buf *why)
{
	const struct dns_conf *conf = values;
	struct sockaddr_storage sa;
	bool good = true;

	(void)title;
	for (size_t i = 0; i < conf->servers.count; i++) {
		const char *server = conf->servers.items[i];

		if (!dns_address_read(server, &sa)) {
			buf_printf(why, "dns.servers: \"%s\" is not an address like 192.0.2.1 or [2001:db8::1]:53\n",
				server);
			good = false;
		} else if (conf->trust_ad && !dns_address_is_loopback(&sa)) {
			buf_printf(why, "dns.trust_ad: %s is not on this machine, so its AD proves nothing\n", server);
			good = false;
		}
	}
	if (conf->servers.count > DNS_SERVERS_MAX) {
		buf_printf(why, "dns.servers: more than %d\n", DNS_SERVERS_MAX);
		good = false;
	}
	if (conf->trust_ad && !conf->servers.count) {
		buf_printf(why, "dns.trust_ad: the servers that are trusted must be listed in dns.servers\n");
		good = false;
	}
	return good;
}

static const struct setting rows[] = {
	{ "servers", SETTING_LIST, "", NULL, NULL, offsetof(struct dns_conf, servers),
		"Resolvers to ask, like \"127.0.0.1\" or \"[::1]:5353\", at most " TEXT_OF(
			DNS_SERVERS_MAX) "; without any those of resolv_conf.",
		0 },
	{ "resolv_conf", SETTING_TEXT, "/etc/resolv.conf", NULL, NULL, offsetof(struct dns_conf, resolv_conf),
		"A file as resolv.conf(5) tells: its lines of nameserver, read again at each reload.", 0 },
	{ "timeout", SETTING_DURATION, "3s", "100ms", "30s", offsetof(struct dns_conf, timeout_ms),
		"How long a resolver may take; twice as long each time it is asked again.", 0 },
	{ "tries", SETTING_NUMBER, "3", "1", "10", offsetof(struct dns_conf, tries),
		"How often resolvers that do not answer are asked.", 0 },
	{ "cache", SETTING_SIZE, "8M", "0", "4G", offsetof(struct dns_conf, cache),
		"Memory of a worker for answers; a reload empties it.", 0 },
	{ "ttl_max", SETTING_DURATION, "1d", "0s", "7d", offsetof(struct dns_conf, ttl_max_ms),
		"Answers are kept as long as they say, but no longer than this.", 0 },
	{ "negative_ttl_max", SETTING_DURATION, "1h", "0s", "7d", offsetof(struct dns_conf, negative_ttl_max_ms),
		"The same for answers that something is not there.", 0 },
	{ "trust_ad", SETTING_BOOL, "no", NULL, NULL, offsetof(struct dns_conf, trust_ad),
		"The resolvers in dns.servers, all on loopback, validate DNSSEC and are believed.", 0 },
	{ "mix_case", SETTING_BOOL, "yes", NULL, NULL, offsetof(struct dns_conf, mix_case),
		"Ask in mIxEd case, which makes answers harder to forge.", 0 },
	{ 0 },
};

const struct settings dns_settings = { .section = "dns",
	.size = sizeof(struct dns_conf),
	.rows = rows,
	.text = "How names are looked up.",
	.check = check };
