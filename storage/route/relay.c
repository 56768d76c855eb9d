/* relay.c - see relay.h. */
#include "storage/route/relay.h"
#include "core/network.h"

static const struct setting rows[] = {
	{ "networks", SETTING_LIST, "", NULL, NULL, offsetof(struct relay_conf, networks),
		"Networks whose clients may send anywhere without logging in.", 0 },
	{ "domains", SETTING_LIST, "", NULL, NULL, offsetof(struct relay_conf, domains),
		"Domains elsewhere whose mail is taken in from anybody while their own servers cannot; "
		"\".far.test\" is every one below far.test.",
		0 },
	{ "recipients", SETTING_TEXT, "", NULL, NULL, offsetof(struct relay_conf, recipients),
		"The file of addresses in these domains, a line each, \"@far.test\" for all of one; without it each is "
		"asked of the domain's own server.",
		0 },
	{ "hold", SETTING_BOOL, "false", NULL, NULL, offsetof(struct relay_conf, hold),
		"What is sent on waits in the queue until an operator releases it.", 0 },
	{ 0 },
};

static bool check(const void *values, const char *title, struct buf *why)
{
	const struct relay_conf *conf = values;

	(void)title;
	return networks_check(&conf->networks, "relay.networks", why);
}

const struct settings relay_settings = { "relay", false, sizeof(struct relay_conf), rows,
	"Whose mail for other servers is sent on, besides that of those who logged in.", check };

struct str relay_entry(const struct conf *conf, struct str domain)
{
	const struct relay_conf *relay = conf_section(conf, &relay_settings);

	for (size_t i = 0; i < relay->domains.count; i++) {
		struct str one = str_of(relay->domains.items[i]);
		size_t below = domain.len > one.len ? domain.len - one.len : 0;

		if (str_eq_nocase(one, domain) ||
			(one.p[0] == '.' && below && str_eq_nocase(one, str_cut(domain, below, domain.len))))
			return one;
	}
	return STR("");
}

bool relay_backs_up(const struct conf *conf, struct str domain)
{
	return relay_entry(conf, domain).len > 0;
}
