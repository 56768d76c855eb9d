/* control_resolve.c - the request `resolve`: what the resolver of the worker that was asked knows or learns of a name.
 * Items: {"outcome": "found", "text": ..., "secure": ..., "ttl": ..., "name": ...}, then {"record": "10 mx.example.test"}
 * each. */
#include "core/network.h"
#include "dns/hosts.h"
#include "protocols/cli/control_session.h"

#define DEADLINE_MS 25000 /* less than a stop of the server waits for its sessions */

static const char *outcome_word(enum dns_outcome o)
{
	static const char *const words[DNS_OUTCOMES] = {
		[DNS_FOUND] = "found",
		[DNS_NO_DATA] = "no data",
		[DNS_NO_NAME] = "no name",
		[DNS_FAILED] = "failed",
		[DNS_SILENT] = "silent",
		[DNS_BAD_NAME] = "bad name",
	};

	return words[o];
}

static void tell_outcome(
	struct control *c, enum dns_outcome outcome, const char *text, bool secure, uint32_t ttl_s, struct str name)
{
	control_item(c, json_pack("{s:s, s:s, s:b, s:I, s:o}", "outcome", outcome_word(outcome), "text", text, "secure",
				secure, "ttl", (json_int_t)ttl_s, "name", control_json(name)));
}

static void tell_record(struct control *c, struct buf *text)
{
	control_item(c, json_pack("{s:o}", "record", control_json(buf_str(text))));
	buf_clear(text);
}

static void records_done(void *user, const struct dns_answer *a)
{
	struct control *c = user;
	struct buf text = { 0 };

	c->waiting = NULL;
	tell_outcome(c, a->outcome, dns_outcome_text(a->outcome), a->secure, a->ttl_s, a->name);
	for (size_t i = 0; i < a->count; i++) {
		dns_record_print(a->type, &a->records[i], &text);
		tell_record(c, &text);
	}
	buf_free(&text);
	control_done(c);
}

static void addresses_done(void *user, const struct dns_addresses *a)
{
	struct control *c = user;
	char address[INET6_ADDRSTRLEN];
	struct buf text = { 0 };

	c->waiting = NULL;
	tell_outcome(c, a->outcome, dns_outcome_text(a->outcome), a->secure, a->ttl_s, a->name);
	for (size_t i = 0; i < a->count; i++) {
		ip_print(&a->items[i], address);
		buf_printf(&text, "%s", address);
		tell_record(c, &text);
	}
	buf_free(&text);
	control_done(c);
}

static void mail_done(void *user, const struct dns_mail *m)
{
	struct control *c = user;
	struct buf text = { 0 };
	const char *said = dns_outcome_text(m->outcome);

	c->waiting = NULL;
	if (m->outcome == DNS_FOUND && m->kind == DNS_MAIL_NONE)
		said = "the domain takes no mail (null MX)";
	else if (m->outcome == DNS_FOUND && m->kind == DNS_MAIL_IMPLICIT)
		said = "no MX, but an address";
	tell_outcome(c, m->outcome, said, m->secure, m->ttl_s, STR(""));
	for (size_t i = 0; i < m->count; i++) {
		buf_printf(&text, "%u " STR_FMT, m->hosts[i].preference, STR_ARG(m->hosts[i].name));
		tell_record(c, &text);
	}
	buf_free(&text);
	control_done(c);
}

static void handle_resolve(struct control *c)
{
	struct str name = control_text(c, "name"), kind = control_text(c, "type");
	enum dns_type type;
	struct ip ip;

	if (!kind.len && ip_read(name, &ip))
		c->waiting = dns_ask_name_of(c->worker, &ip, DEADLINE_MS, records_done, c);
	else if (!kind.len || str_eq_nocase(kind, STR("MAIL")))
		c->waiting = dns_ask_mail(c->worker, name, DEADLINE_MS, mail_done, c);
	else if (str_eq_nocase(kind, STR("ADDRESSES")))
		c->waiting = dns_ask_addresses(c->worker, name, DNS_IPV4 | DNS_IPV6, DEADLINE_MS, addresses_done, c);
	else if (dns_type_read(kind, &type))
		c->waiting = dns_ask(c->worker, name, type, DEADLINE_MS, records_done, c);
	else
		control_error(c, ERR_MISTAKE,
			STR("no such type: A, AAAA, MX, TXT, SRV, NAPTR, PTR, TLSA, ADDRESSES or MAIL"));
}

const struct control_request control_resolve_requests[] = {
	{ "resolve", handle_resolve },
	{ 0 },
};
