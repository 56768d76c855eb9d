/* next_hop.c - see next_hop.h.
 * The routes of a configuration are read once for a snapshot. Each is found by the recipients it names, else by its
 * senders; what names neither fits all mail. */
#include "storage/route/next_hop.h"
#include "core/mem.h"
#include "storage/mail/address.h"
#include "storage/route/alias_program.h"
#include "storage/route/idn.h"
#include "storage/route/pattern.h"
#include <arpa/inet.h>
#include <stdlib.h>

#define PORT_SMTP       25
#define PORT_SMTPS      465
#define PORT_LMTP       24
#define REJECT_TEXT_MAX 400
#define PIPE_NAME_MAX   255

struct route_conf {
	const char *to;
	struct setting_list recipients, senders;
	const char *user, *password;
	int64_t tls; /* enum hop_tls */
};

/* --- what `to` says -------------------------------------------------------------------------------------------------- */

/* Takes ":NUMBER" at the end of a host; without one the port stays. */
static bool port_read(struct str text, uint16_t *port)
{
	uint32_t number;

	if (!text.len)
		return true;
	if (text.p[0] != ':' || !str_u32(str_cut(text, 1, text.len), &number) || !number || number > UINT16_MAX)
		return false;
	*port = (uint16_t)number;
	return true;
}

/* What stands between brackets: the name of a host, or its address. */
static bool direct_read(struct arena *a, struct str inside, struct next_hop *hop)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	if (str_starts_nocase(inside, STR("IPv6:")))
		inside = str_cut(inside, 5, inside.len);
	hop->direct = true;
	hop->host = arena_str(a, inside);
	if (inside.len < INET6_ADDRSTRLEN && inet_pton(AF_INET6, arena_dup(a, inside), bytes) == 1)
		return true;
	return !idn_domain(a, inside, &hop->host) && !address_domain(a, hop->host, 0, &hop->host) &&
	       hop->host.p[0] != '[';
}

/* "far.test", "far.test:2525", "[mail.isp.test]:587", "[192.0.2.1]" */
static bool host_read(struct arena *a, struct str text, struct next_hop *hop)
{
	ptrdiff_t end;

	if (text.len && text.p[0] == '[') {
		end = str_find(text, ']');
		return end > 0 && direct_read(a, str_cut(text, 1, (size_t)end), hop) &&
		       port_read(str_cut(text, (size_t)end + 1, text.len), &hop->port);
	}
	end = str_find(text, ':');
	if (end < 0)
		end = (ptrdiff_t)text.len;
	return !idn_domain(a, str_cut(text, 0, (size_t)end), &hop->host) &&
	       !address_domain(a, hop->host, 0, &hop->host) &&
	       port_read(str_cut(text, (size_t)end, text.len), &hop->port);
}

static bool reject_read(struct str text)
{
	bool good = text.len > 4 && text.len <= REJECT_TEXT_MAX && text.p[0] == '5' && text.p[3] == ' ';

	for (size_t i = 1; good && i < text.len; i++)
		good = i < 3 ? text.p[i] >= '0' && text.p[i] <= '9' : text.p[i] >= ' ' && text.p[i] <= '~';
	return good;
}

/* The host of "dns" stays empty: it is the recipient's domain. */
static bool to_read(struct arena *a, struct str to, struct next_hop *hop)
{
	ptrdiff_t colon = str_find(to, ':');
	struct str way = str_cut(to, 0, colon < 0 ? to.len : (size_t)colon);
	struct str rest = str_cut(to, colon < 0 ? to.len : (size_t)colon + 1, to.len);

	hop->port = PORT_SMTP;
	if (str_eq(way, STR("dns")))
		return colon < 0;
	if (str_eq(way, STR("smtp")))
		return host_read(a, rest, hop);
	if (str_eq(way, STR("smtps"))) {
		hop->port = PORT_SMTPS;
		hop->tls_at_once = true;
		return host_read(a, rest, hop);
	}
	if (str_eq(way, STR("lmtp"))) {
		hop->way = HOP_LMTP;
		hop->port = PORT_LMTP;
		return host_read(a, rest, hop) && hop->direct;
	}
	if (str_eq(way, STR("pipe"))) {
		hop->way = HOP_PIPE;
		hop->pipe = arena_str(a, rest);
		return rest.len && rest.len <= PIPE_NAME_MAX;
	}
	hop->way = HOP_REJECT;
	hop->text = arena_str(a, rest);
	return str_eq(way, STR("reject")) && reject_read(rest);
}

/* --- settings -------------------------------------------------------------------------------------------------------- */

static const struct setting rows[] = {
	{ "to", SETTING_TEXT, "dns", NULL, NULL, offsetof(struct route_conf, to),
		"Where such mail goes: \"smtp:far.test\" to the hosts that the DNS names for that domain, "
		"\"smtp:[mail.isp.test]:587\" to that host, \"smtps:[...]\" with TLS from the start, "
		"\"lmtp:[...]:24\", "
		"\"pipe:NAME\" to a program, \"reject:550 5.1.2 TEXT\" back at once, \"dns\" as without a route.",
		0 },
	{ "recipients", SETTING_LIST, "", NULL, NULL, offsetof(struct route_conf, recipients),
		"Of mail to whom: " PATTERN_FORMS ". Without any: to everybody.", 0 },
	{ "senders", SETTING_LIST, "", NULL, NULL, offsetof(struct route_conf, senders),
		"Of mail from whom, in the same forms, and \"<>\" for mail without a sender. Without any: from "
		"everybody.",
		0 },
	{ "user", SETTING_TEXT, "", NULL, NULL, offsetof(struct route_conf, user),
		"Whom to log in as there; then tls must be said.", 0 },
	{ "password", SETTING_TEXT, "", NULL, NULL, offsetof(struct route_conf, password),
		"The password of that user; include(\"FILE\") keeps such a section in a file of its own.",
		SETTING_SECRET },
	{ "tls", SETTING_CHOICE, "may", NULL, "may|never|must|verify", offsetof(struct route_conf, tls),
		"TLS there: may, if it is offered; never; must, whatever the certificate; verify, with a certificate "
		"of "
		"that host's name from an authority that we trust.",
		0 },
	{ 0 },
};

static bool login_check(const struct route_conf *conf, const struct next_hop *hop, const char *title, struct buf *why)
{
	size_t before = buf_len(why);

	if (!conf->user[0] != !conf->password[0])
		buf_printf(why, "route \"%s\": user and password go together\n", title);
	else if (conf->user[0] && hop->way != HOP_SMTP)
		buf_printf(why, "route \"%s\": only by SMTP can one log in\n", title);
	else if (conf->user[0] && conf->tls == HOP_TLS_MAY && !hop->tls_at_once)
		buf_printf(why,
			"route \"%s\": a password wants tls = must or verify (or never, on a way that is safe)\n",
			title);
	if (hop->tls_at_once && conf->tls == HOP_TLS_NEVER)
		buf_printf(why, "route \"%s\": smtps without TLS\n", title);
	return buf_len(why) == before;
}

static bool route_check(const void *values, const char *title, struct buf *why)
{
	const struct route_conf *conf = values;
	struct next_hop hop = { 0 };
	struct arena a = { 0 };
	bool good = true;

	if (!to_read(&a, str_of(conf->to), &hop)) {
		buf_printf(why,
			"route \"%s\": to: \"%s\" is not dns, smtp:DOMAIN, smtp:[HOST]:PORT, smtps:[HOST], "
			"lmtp:[HOST]:PORT, pipe:NAME or reject:550 TEXT\n",
			title, conf->to);
		good = false;
	}
	good &= login_check(conf, &hop, title, why);
	good &= patterns_check(&conf->recipients, "route", title, "recipients", why);
	good &= patterns_check(&conf->senders, "route", title, "senders", why);
	arena_free(&a);
	return good;
}

const struct settings route_settings = { .section = "route",
	.titled = true,
	.size = sizeof(struct route_conf),
	.rows = rows,
	.text = "Where mail for others goes next: as the first route says that fits; without one, as the DNS says.",
	.check = route_check };

struct str route_pipe(const void *route)
{
	const struct route_conf *conf = route;
	struct str to = str_of(conf->to), way = STR("pipe:");

	return str_starts(to, way) ? str_cut(to, way.len, to.len) : STR("");
}

/* --- the routes of a snapshot -------------------------------------------------------------------------------------- */

struct route_made {
	struct next_hop hop;
	struct pattern *senders; /* to be looked at still when the recipient fits */
	size_t sender_count;
};

struct routes {
	struct arena memory;
	struct route_made *made;
	size_t count;
	size_t for_all; /* the first that names nobody; count: none */
	struct patterns by_recipient, by_sender;
};

/* All of them were good when they were checked. */
static void list_read(struct arena *a, const struct setting_list *list, struct pattern *patterns)
{
	for (size_t i = 0; i < list->count; i++)
		pattern_read(a, str_of(list->items[i]), &patterns[i]);
}

static void route_make(struct routes *rs, size_t place, const struct route_conf *conf, const char *title)
{
	struct route_made *r = &rs->made[place];
	struct arena *a = &rs->memory;
	struct pattern *recipients = arena_alloc(a, conf->recipients.count * sizeof(*recipients));

	to_read(a, str_of(conf->to), &r->hop);
	r->hop.tls = (enum hop_tls)conf->tls;
	r->hop.user = str_of(conf->user);
	r->hop.password = str_of(conf->password);
	r->hop.rule = str_of(title);
	r->sender_count = conf->senders.count;
	r->senders = arena_alloc(a, r->sender_count * sizeof(*r->senders));
	list_read(a, &conf->recipients, recipients);
	list_read(a, &conf->senders, r->senders);
	for (size_t i = 0; i < conf->recipients.count; i++)
		patterns_add(&rs->by_recipient, a, &recipients[i], place);
	for (size_t i = 0; i < r->sender_count && !conf->recipients.count; i++)
		patterns_add(&rs->by_sender, a, &r->senders[i], place);
	if (!conf->recipients.count && !r->sender_count && rs->for_all == rs->count)
		rs->for_all = place;
}

static void *routes_make(const struct conf *conf)
{
	struct routes *rs = mem_new(struct routes);

	rs->count = rs->for_all = conf_titles(conf, &route_settings);
	rs->made = arena_alloc(&rs->memory, rs->count * sizeof(*rs->made));
	for (size_t i = 0; i < rs->count; i++) {
		const char *title;
		const struct route_conf *rc = conf_titled(conf, &route_settings, i, &title);

		route_make(rs, i, rc, title);
	}
	return rs;
}

static void routes_free(void *made)
{
	struct routes *rs = made;

	patterns_free(&rs->by_recipient);
	patterns_free(&rs->by_sender);
	arena_free(&rs->memory);
	free(rs);
}

static const struct preparation routes_prepared = { routes_make, routes_free };

/* --- finding ----------------------------------------------------------------------------------------------------------- */

struct asked_hop {
	const struct routes *routes;
	struct str sender;
};

static bool sender_fits(void *user, size_t place)
{
	const struct asked_hop *q = user;
	const struct route_made *r = &q->routes->made[place];
	bool fits = !r->sender_count;

	for (size_t i = 0; i < r->sender_count && !fits; i++)
		fits = pattern_matches(&r->senders[i], q->sender, NULL);
	return fits;
}

/* As the DNS says; an address literal (RFC 5321, 4.1.3) is the host itself. */
static void hop_to_domain(struct next_hop *hop, struct str domain)
{
	hop->host = domain;
	if (domain.len < 2 || domain.p[0] != '[')
		return;
	hop->direct = true;
	hop->host = str_cut(domain, 1, domain.len - 1);
	if (str_starts_nocase(hop->host, STR("IPv6:")))
		hop->host = str_cut(hop->host, 5, hop->host.len);
}

/* An address whose domain no one can look up stays as it is: whoever asks the DNS for it is told. */
static struct str comparable(struct arena *a, struct str address)
{
	struct str made;

	return idn_address(a, address, &made) ? address : made;
}

void next_hop_find(
	const struct conf *conf, struct arena *a, struct str address, struct str sender, struct next_hop *hop)
{
	const struct routes *rs = conf_prepared(conf, &routes_prepared);
	struct asked_hop q = { rs, comparable(a, sender) };
	size_t place = rs->for_all, found;

	if (alias_program_is(address)) {
		*hop = (struct next_hop){ .way = HOP_PIPE, .pipe = arena_str(a, address) };
		return;
	}
	address = comparable(a, address);
	if ((found = patterns_find(&rs->by_sender, q.sender, place, NULL, NULL)) != PATTERN_NOWHERE)
		place = found;
	if ((found = patterns_find(&rs->by_recipient, address, place, sender_fits, &q)) != PATTERN_NOWHERE)
		place = found;
	*hop = place < rs->count ? rs->made[place].hop : (struct next_hop){ .port = PORT_SMTP };
	if (hop->way == HOP_SMTP && !hop->host.len)
		hop_to_domain(hop, str_cut(address, (size_t)(str_rfind(address, '@') + 1), address.len));
}

static void key_host(const struct next_hop *hop, uint16_t usual, struct buf *out)
{
	buf_printf(out, hop->direct ? "[" STR_FMT "]" : STR_FMT, STR_ARG(hop->host));
	if (hop->port != usual)
		buf_printf(out, ":%u", hop->port);
	if (hop->user.len)
		buf_printf(out, "/" STR_FMT, STR_ARG(hop->user));
	if (hop->tls != HOP_TLS_MAY) /* mail that must be safe shares no session with mail that need not */
		buf_printf(out, ";tls=%s",
			hop->tls == HOP_TLS_NEVER  ? "never"
			: hop->tls == HOP_TLS_MUST ? "must"
						   : "verify");
}

void next_hop_key(const struct next_hop *hop, struct buf *out)
{
	switch (hop->way) {
	case HOP_SMTP:
		buf_add_str(out, hop->tls_at_once ? STR("smtps:") : STR("smtp:"));
		key_host(hop, hop->tls_at_once ? PORT_SMTPS : PORT_SMTP, out);
		break;
	case HOP_LMTP:
		buf_add_str(out, STR("lmtp:"));
		key_host(hop, PORT_LMTP, out);
		break;
	case HOP_PIPE:
		buf_printf(out, "pipe:" STR_FMT, STR_ARG(hop->pipe));
		break;
	case HOP_REJECT:
		buf_printf(out, "reject:" STR_FMT, STR_ARG(hop->rule));
		break;
	}
}
