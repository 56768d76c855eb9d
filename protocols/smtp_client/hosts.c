/* hosts.c - finding the hosts of a destination, and connecting to one after the other (RFC 5321, 5.1).
 * The best hosts come first, those of one preference by chance; each host's addresses are asked for when it is its turn.
 * We never send to ourselves by way of the DNS: a host that is us, by its name or by an address and port on which we
 * listen, is dropped with all that are not better than it, or mail would go round in circles. */
#include "dns/hosts.h"
#include "core/core_settings.h"
#include "core/listen.h"
#include "core/log.h"
#include "protocols/smtp/smtp.h"
#include "protocols/smtp_client/session.h"
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* --- what went wrong ------------------------------------------------------------------------------------------------ */

static void keep(struct buf *b, struct str text)
{
	buf_clear(b);
	buf_add_str(b, text);
}

void client_trouble(
	struct client *c, enum outcome_kind kind, const char *status, const struct reply *reply, const char *fmt, ...)
{
	va_list ap;

	if (c->trouble.there && c->trouble.kind == OUTCOME_DEFERRED && kind == OUTCOME_REFUSED)
		return;
	c->trouble.there = true;
	c->trouble.kind = kind;
	c->trouble.theirs = reply != NULL;
	keep(&c->trouble.status, str_of(status));
	keep(&c->trouble.remote, reply || c->heard ? buf_str(&c->remote) : STR_NONE);
	buf_clear(&c->trouble.reply);
	va_start(ap, fmt);
	if (reply)
		reply_words(reply, &c->trouble.reply);
	else
		buf_vprintf(&c->trouble.reply, fmt, ap);
	va_end(ap);
	log_info("smtp_client", c->conn ? conn_id(c->conn) : NULL,
		"not ready destination=" STR_FMT " port=%u remote=\"" STR_FMT "\" status=%s reply=\"" STR_FMT "\"",
		STR_ARG(c->hop->host), c->port, STR_ARG(buf_str(&c->remote)), status,
		STR_ARG(buf_str(&c->trouble.reply)));
}

/* Of a transaction that is to go elsewhere the words of those who put it off are told. */
static void unreachable(struct client *c)
{
	struct outcome o = { .kind = c->trouble.kind,
		.status = buf_str(&c->trouble.status),
		.reply = buf_str(&c->trouble.reply),
		.remote = buf_str(&c->trouble.remote),
		.diagnostic_type = c->trouble.theirs ? STR("smtp") : STR("x-postern"),
		.crowded = buf_str(&c->trouble.crowded) };

	if (c->ask) {
		ask_unreachable(c);
		return;
	}
	if (c->t) {
		transaction_end(c);
		return;
	}
	sending_unreachable(c->sending, &o);
	client_over(c);
}

static void give_up(struct client *c, enum outcome_kind kind, const char *status, const char *text)
{
	client_trouble(c, kind, status, NULL, "%s " STR_FMT, text, STR_ARG(c->hop->host));
	unreachable(c);
}

/* --- ourselves ----------------------------------------------------------------------------------------------------- */

/* Whether an address is one of this machine: only to such a one a socket can be bound. */
static bool is_here(const struct ip *ip)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	bool is_v4 = ip_is_v4(ip);
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool here;

	memcpy(&v4.sin_addr, ip->bytes + 12, 4);
	memcpy(&v6.sin6_addr, ip->bytes, 16);
	here = fd >= 0 &&
	       !(is_v4 ? bind(fd, (struct sockaddr *)&v4, sizeof(v4)) : bind(fd, (struct sockaddr *)&v6, sizeof(v6)));
	if (fd >= 0)
		close(fd);
	return here;
}

static bool is_any(const struct ip *ip)
{
	static const struct ip v4 = { { [10] = 0xff, [11] = 0xff } }, v6;

	return !memcmp(ip, &v4, sizeof(v4)) || !memcmp(ip, &v6, sizeof(v6));
}

static bool listens_there(const struct listen_conf *listen, const struct ip *ip, uint16_t port)
{
	for (size_t i = 0; i < listen->address.count; i++) {
		struct sockaddr_storage sa;
		struct ip own;
		uint16_t own_port;

		if (!listen_address(listen->address.items[i], &sa, NULL) || !ip_of(&sa, &own))
			continue;
		own_port = sa.ss_family == AF_INET ? ((struct sockaddr_in *)&sa)->sin_port
		                                   : ((struct sockaddr_in6 *)&sa)->sin6_port;
		if (ntohs(own_port) == port && (!memcmp(&own, ip, sizeof(own)) || (is_any(&own) && is_here(ip))))
			return true;
	}
	return false;
}

static bool is_own_address(const struct client *c, const struct ip *ip)
{
	const struct listen_conf *listen = conf_find(c->snapshot, &listen_settings, "smtp");

	return listen && listens_there(listen, ip, c->port);
}

static void drop_hosts(struct client *c, uint16_t preference)
{
	for (size_t i = 0; i < c->host_count; i++)
		if (c->hosts[i].preference >= preference) {
			c->host_count = i;
			return;
		}
}

/* --- one after the other ------------------------------------------------------------------------------------------- */

static const struct client_host *host(const struct client *c)
{
	return &c->hosts[c->host_at - 1];
}

static void found_addresses(void *user, const struct dns_addresses *found)
{
	struct client *c = user;

	c->waiting = NULL;
	if (found->outcome == DNS_FOUND) {
		size_t count = found->count < CLIENT_ADDRESSES_MAX ? found->count : CLIENT_ADDRESSES_MAX;

		c->addresses = arena_alloc(&c->places, count * sizeof(struct ip));
		memcpy(c->addresses, found->items, count * sizeof(struct ip));
		c->address_count = count;
		for (size_t i = 0; !c->hop->direct && i < count; i++)
			if (is_own_address(c, &c->addresses[i])) {
				log_info("smtp_client", NULL,
					"a host is ourselves destination=" STR_FMT " host=" STR_FMT,
					STR_ARG(c->hop->host), STR_ARG(host(c)->name));
				c->address_count = 0;
				drop_hosts(c, host(c)->preference);
				break;
			}
	} else {
		bool for_good = !c->hop->direct && (found->outcome == DNS_NO_NAME || found->outcome == DNS_NO_DATA ||
							   found->outcome == DNS_BAD_NAME);

		client_trouble(c, for_good ? OUTCOME_REFUSED : OUTCOME_DEFERRED, for_good ? "5.4.4" : "4.4.3", NULL,
			"no address of " STR_FMT ": %s", STR_ARG(host(c)->name), dns_outcome_text(found->outcome));
	}
	client_next(c);
}

static void next_host(struct client *c)
{
	if (c->host_at >= c->host_count) {
		if (!c->trouble.there)
			give_up(c, OUTCOME_REFUSED, "5.4.6", "by the DNS we are ourselves the host for mail to");
		else
			unreachable(c);
		return;
	}
	c->host_at++;
	c->address_count = c->address_at = 0;
	client_enter(c, FINDING, 0);
	c->waiting = dns_ask_addresses(
		c->worker, host(c)->name, (unsigned)c->conf->families + 1, DNS_DEADLINE_MS, found_addresses, c);
}

static const struct ip *source(const struct client *c, bool v4, struct ip *out)
{
	for (size_t i = 0; i < c->conf->source.count; i++)
		if (ip_read(str_of(c->conf->source.items[i]), out) && ip_is_v4(out) == v4)
			return out;
	return NULL;
}

/* Connects to the address at address_at - 1. */
static void connect_to(struct client *c)
{
	const struct ip *ip = &c->addresses[c->address_at - 1];
	struct str name = host(c)->name;
	char text[INET6_ADDRSTRLEN];
	struct ip from;

	c->heard = false;
	ip_print(ip, text);
	buf_clear(&c->remote);
	buf_printf(&c->remote, STR_FMT " [%s]", STR_ARG(name), text);
	if (!sending_may_connect(c->worker, str_of(text))) {
		if (!buf_len(&c->trouble.crowded))
			buf_add_str(&c->trouble.crowded, str_of(text));
		client_trouble(c, OUTCOME_DEFERRED, "4.4.5", NULL, "as many connections to %s as may be", text);
		client_later(c, client_next);
		return;
	}
	snprintf(c->address, sizeof(c->address), "%s", text);
	if (c->sending)
		sending_at(c->sending, str_of(text));
	c->conn = conn_connect(c->worker, ip, c->port, source(c, ip_is_v4(ip), &from),
		client_limit_ms(c, c->conf->connect_ms), &client_events, c);
	log_info("smtp_client", conn_id(c->conn), "open destination=" STR_FMT " host=" STR_FMT " peer=%s port=%u",
		STR_ARG(c->hop->host), STR_ARG(name), text, c->port);
	client_enter(c, CONNECTING, 0);
}

void client_next(struct client *c)
{
	client_drop_conn(c);
	c->clear = c->logged_in = false;
	if (c->address_at == c->address_count || c->tried >= CLIENT_ADDRESSES_MAX) {
		if (c->tried >= CLIENT_ADDRESSES_MAX)
			c->host_at = c->host_count;
		next_host(c);
		return;
	}
	c->address_at++;
	c->tried++;
	connect_to(c);
}

void client_again(struct client *c)
{
	client_drop_conn(c);
	c->logged_in = false;
	connect_to(c);
}

/* --- where to begin ------------------------------------------------------------------------------------------------ */

static void one_host(struct client *c, struct str name)
{
	c->hosts = arena_new(&c->places, struct client_host);
	c->hosts[0].name = name;
	c->host_count = 1;
}

/* Addresses that need no DNS: a literal, and the name that every machine calls itself. */
static bool known(struct client *c)
{
	struct str name = c->hop->host;
	unsigned families = (unsigned)c->conf->families + 1;

	c->addresses = arena_alloc(&c->places, 2 * sizeof(struct ip));
	if (ip_read(name, &c->addresses[0])) {
		c->address_count = 1;
	} else if (str_eq_nocase(name, STR("localhost"))) {
		if (families & DNS_IPV4)
			ip_read(STR("127.0.0.1"), &c->addresses[c->address_count++]);
		if (families & DNS_IPV6)
			ip_read(STR("::1"), &c->addresses[c->address_count++]);
	} else {
		return false;
	}
	one_host(c, name);
	c->host_at = 1;
	return true;
}

static void found_hosts(void *user, const struct dns_mail *mail)
{
	struct client *c = user;
	struct str own = str_of(smtp_own_name(c->snapshot));

	c->waiting = NULL;
	if (mail->outcome == DNS_FAILED || mail->outcome == DNS_SILENT) {
		client_trouble(c, OUTCOME_DEFERRED, "4.4.3", NULL, "no host of " STR_FMT ": %s", STR_ARG(c->hop->host),
			dns_outcome_text(mail->outcome));
		unreachable(c);
		return;
	}
	if (mail->outcome != DNS_FOUND) {
		give_up(c, OUTCOME_REFUSED, "5.1.2",
			mail->outcome == DNS_NO_DATA ? "neither host nor address takes mail for"
						     : "there is no domain");
		return;
	}
	if (mail->kind == DNS_MAIL_NONE) { /* RFC 7505, 4.2 */
		give_up(c, OUTCOME_REFUSED, "5.1.10", "by the DNS no mail is taken for");
		return;
	}
	c->host_count = mail->count < CLIENT_HOSTS_MAX ? mail->count : CLIENT_HOSTS_MAX;
	c->hosts = arena_alloc(&c->places, c->host_count * sizeof(*c->hosts));
	for (size_t i = 0; i < c->host_count; i++)
		c->hosts[i] = (struct client_host){ mail->hosts[i].preference,
			arena_str(&c->places, mail->hosts[i].name) };
	for (size_t i = 0; i < c->host_count; i++)
		if (mail->kind == DNS_MAIL_LISTED && str_eq_nocase(c->hosts[i].name, own))
			drop_hosts(c, c->hosts[i].preference);
	client_next(c);
}

void client_find(struct client *c)
{
	client_enter(c, FINDING, 0);
	if (known(c)) {
		client_next(c);
	} else if (c->hop->direct) {
		one_host(c, c->hop->host);
		client_next(c);
	} else {
		c->waiting = dns_ask_mail(c->worker, c->hop->host, DNS_DEADLINE_MS, found_hosts, c);
	}
}
