/* smtp_relay.c - for whom mail is sent on to others, the whole of it:
 *   who logged in                     to anybody
 *   clients of relay.networks         to anybody
 *   everybody                         to names of ours that somebody here had sent on (route.h)
 *                                     to domains that we back up (relay.domains), if the recipient is known there
 *   all else                          550 5.7.1
 * And what such clients may say of their mail: only they are believed how urgent it is, only who hands in his own mail may
 * have it held. While the worker is overloaded all others are told to come again later (core/overload.h). */
#include "core/counter.h"
#include "core/mem.h"
#include "core/network.h"
#include "core/overload.h"
#include "protocols/smtp/smtp_session.h"
#include "storage/mail/date.h"
#include "storage/route/relay.h"
#include <stdlib.h>

COUNTER(connections_put_off, "smtp.connections_put_off", "connections of strangers put off by 421 while overloaded");
COUNTER(messages_put_off, "smtp.put_off", "messages of strangers put off by 451 while overloaded");

const char smtp_busy[] = "too busy now, try again later";

static void *make_networks(const struct conf *conf)
{
	const struct relay_conf *relay = conf_section(conf, &relay_settings);
	struct networks *ns = mem_new(struct networks);

	networks_read(ns, &relay->networks);
	return ns;
}

static void free_networks(void *made)
{
	networks_free(made);
	free(made);
}

static bool is_listed(const struct conf *conf, const struct ip *peer)
{
	static const struct preparation listed = { make_networks, free_networks };

	return networks_have(conf_prepared(conf, &listed), peer);
}

bool smtp_relay_trusted(const struct smtp *s)
{
	struct ip ip;

	return s->account || (ip_read(str_of(conn_peer(s->conn)), &ip) && is_listed(s->snapshot, &ip));
}

/* LMTP is spoken by servers of the house, and whoever must log in is no stranger when mail is taken. */
bool smtp_is_put_off(const struct smtp *s)
{
	if (s->session.service != &smtp_service || !overloaded(s->worker, OVERLOAD_STRANGERS) || smtp_relay_trusted(s))
		return false;
	counter_add(&messages_put_off, 1);
	return true;
}

const char *smtp_put_off(struct worker *w, const struct ip *peer)
{
	if (!overloaded(w, OVERLOAD_STRANGERS) || is_listed(w->conf, peer))
		return NULL;
	counter_add(&connections_put_off, 1);
	return smtp_busy;
}

unsigned smtp_may(const struct smtp *s)
{
	return (s->account ? SMTP_MAY_HOLD : 0) | (smtp_relay_trusted(s) ? SMTP_MAY_URGE : 0);
}

/* Where one must log in they are offered to who has not yet: few ask again behind AUTH. */
void smtp_trusted_offers(struct smtp *s)
{
	const struct submission_conf *conf = conf_section(s->snapshot, &submission_settings);
	struct date last = date_of((worker_wall_ms(s->worker) + conf->hold_max_ms) / 1000, 0);
	unsigned may = smtp_auth_required(s) ? SMTP_MAY_HOLD | SMTP_MAY_URGE : smtp_may(s);

	if (may & SMTP_MAY_HOLD && conf->hold_max_ms)
		smtp_reply(s, "250-FUTURERELEASE %lld %04d-%02d-%02dT%02d:%02d:%02dZ",
			(long long)conf->hold_max_ms / 1000, last.year, last.month, last.day, last.hour, last.minute,
			last.second);
	if (may & SMTP_MAY_URGE)
		smtp_reply(s, "250-MT-PRIORITY");
	if (may & SMTP_MAY_URGE && !s->lmtp)
		smtp_reply(s, "250-ETRN");
}
