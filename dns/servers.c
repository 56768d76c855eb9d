/* servers.c - see servers.h. */
#include "dns/servers.h"
#include "core/log.h"
#include "core/mem.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define RESOLV_LINE_MAX 1024

static void add(struct dns_servers *s, const char *text, bool trusted)
{
	struct dns_server *server = &s->items[s->count];
	char host[INET6_ADDRSTRLEN] = "";

	if (s->count == DNS_SERVERS_MAX || !dns_address_read(text, &server->address)) {
		log_warn("dns", NULL, "cannot ask server=%s", text);
		return;
	}
	if (server->address.ss_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&server->address;

		inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof(host));
		snprintf(server->text, sizeof(server->text), "[%s]:%u", host, ntohs(six->sin6_port));
	} else {
		const struct sockaddr_in *four = (const struct sockaddr_in *)&server->address;

		inet_ntop(AF_INET, &four->sin_addr, host, sizeof(host));
		snprintf(server->text, sizeof(server->text), "%s:%u", host, ntohs(four->sin_port));
	}
	server->trusted = trusted && dns_address_is_loopback(&server->address);
	s->count++;
}

static void read_resolv_conf(struct dns_servers *s, const char *path)
{
	char line[RESOLV_LINE_MAX], *address;
	FILE *file = fopen(path, "re");

	if (!file) {
		log_warn("dns", NULL, "cannot read file=%s: %s", path, strerror(errno));
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		struct str left = str_of(line);

		for (char *c = line; *c; c++)
			if (*c == '\t')
				*c = ' ';
		if (!str_eq(str_word(&left), STR("nameserver")))
			continue;
		address = str_dup(str_word(&left));
		add(s, address, false);
		free(address);
	}
	fclose(file);
}

struct dns_servers *dns_servers_new(const struct dns_conf *conf)
{
	struct dns_servers *s = mem_new(struct dns_servers);

	s->refs = 1;
	for (size_t i = 0; i < conf->servers.count; i++)
		add(s, conf->servers.items[i], conf->trust_ad);
	if (!s->count)
		read_resolv_conf(s, conf->resolv_conf);
	if (!s->count)
		add(s, "127.0.0.1", false);
	return s;
}

struct dns_servers *dns_servers_ref(struct dns_servers *s)
{
	s->refs++;
	return s;
}

void dns_servers_unref(struct dns_servers *s)
{
	if (s && !--s->refs)
		free(s);
}

int dns_servers_next(const struct dns_servers *s, unsigned asked, int64_t now_ms)
{
	int best = -1;

	for (size_t i = 0; i < s->count; i++) {
		if (asked & 1u << i)
			continue;
		if (s->items[i].dead_until_ms <= now_ms)
			return (int)i;
		if (best < 0 || s->items[i].dead_until_ms < s->items[best].dead_until_ms)
			best = (int)i;
	}
	return best;
}

void dns_server_answered(struct dns_server *s)
{
	if (s->silences >= DNS_SILENCES_DEAD)
		log_info("dns", NULL, "answers again server=%s", s->text);
	s->silences = 0;
	s->dead_until_ms = 0;
}

void dns_server_silent(struct dns_server *s, int64_t now_ms)
{
	if (++s->silences < DNS_SILENCES_DEAD)
		return;
	if (s->silences == DNS_SILENCES_DEAD)
		log_warn("dns", NULL, "does not answer server=%s", s->text);
	s->dead_until_ms = now_ms + DNS_DEAD_MS;
}
