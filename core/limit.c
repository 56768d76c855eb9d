/* limit.c - see limit.h. */
#include "core/limit.h"
#include "core/conn.h"
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define MINUTE_MS      60000
#define LOG_MS         10000 /* between lines of one address or account */
#define ACCOUNT_MAX    512   /* bytes of a name that count */
#define NET_BYTES      8     /* of an IPv6 address: its /64 */
#define SUM_ALWAYS_MAX 10000 /* a limit above is compared every SUM_EVERY commands only: adding up costs */
#define SUM_EVERY      64
#define COUNT_MAX_TEXT "1000000"

_Static_assert(TALLY_MAX >= 1000000, "no limit may be beyond what is counted");

COUNTER(refused, "limits.refused", "connections refused by a limit of their address");
COUNTER(ended, "limits.ended", "sessions ended by a limit of errors or commands");
COUNTER(logins_refused, "limits.logins_refused", "logins refused unread after too many failures");
COUNTER(logins_delayed, "limits.logins_delayed", "logins delayed after too many failures of their account");
COUNTER(uncounted, "limits.uncounted", "times that there was no room to count");

#define ROW(name, def, field, text)                                                                                    \
	{                                                                                                              \
		name, SETTING_NUMBER, def, "0", COUNT_MAX_TEXT, offsetof(struct limit_conf, field), text, 0            \
	}
#define TIME_ROW(name, def, min, max, field, text)                                                                     \
	{                                                                                                              \
		name, SETTING_DURATION, def, min, max, offsetof(struct limit_conf, field), text, 0                     \
	}

static const struct setting rows[] = {
	{ "exempt", SETTING_LIST, "127.0.0.0/8 ::1", NULL, NULL, offsetof(struct limit_conf, exempt),
		"Networks whose connections are not limited at all, such as that of a webmail server.", 0 },
	ROW("connections_per_address", "1000", address_sessions, "Connections open at once from one address."),
	ROW("strangers_per_address", "100", address_strangers, "Those of them that have not logged in."),
	ROW("connects_per_address", "600", address_connects, "New connections from one address in a minute."),
	ROW("errors_per_address", "300", address_errors, "Wrong commands from one address in a minute."),
	ROW("commands_per_address", "200000", address_commands, "Commands from one address in a minute."),
	ROW("connections_per_account", "100", account_sessions, "Connections of one account open at once."),
	ROW("logins_per_account", "600", account_logins, "Logins of one account in a minute."),
	ROW("errors_per_account", "300", account_errors, "Wrong commands of one account in a minute."),
	ROW("commands_per_account", "100000", account_commands, "Commands of one account in a minute."),
	ROW("failed_logins", "10", pair_failures,
		"Failed logins of one account from one address, then more from there are refused unread."),
	ROW("failed_logins_per_address", "50", address_failures,
		"Failed logins from one address, then more from there are refused unread."),
	ROW("failed_logins_per_account", "100", account_failures,
		"Failed logins of one account, then those from elsewhere than its owner's last addresses wait."),
	TIME_ROW("failed_logins_time", "10m", "1m", "1d", failures_ms, "How long a failed login counts."),
	TIME_ROW("failed_logins_wait", "5s", "0s", "1m", failures_wait_ms, "How long a login waits then."),
	TIME_ROW("login_time", "3m", "0s", "1h", login_ms,
		"From connecting to the login, all in all, where one must log in."),
	TIME_ROW("stranger_time", "4h", "0s", "7d", stranger_ms, "A whole session where one need not log in."),
	TIME_ROW("session_time", "0s", "0s", "30d", session_ms, "A session from its login on."),
	{ 0 },
};

static bool check(const void *values, const char *title, struct buf *why)
{
	const struct limit_conf *conf = values;

	(void)title;
	return networks_check(&conf->exempt, "limits.exempt", why);
}

const struct settings limit_settings = { "limits", false, sizeof(struct limit_conf), rows,
	"How much one address (of IPv6, one /64) and one account may take; 0 is no limit.", check };

struct limits {
	struct conf *conf; /* read from this one; ours */
	const struct limit_conf *now;
	struct networks exempt;
};

struct limits *limits_new(void)
{
	return mem_new(struct limits); /* the configuration is read at its first use, as at each change */
}

void limits_free(struct limits *ls)
{
	if (!ls)
		return;
	networks_free(&ls->exempt);
	conf_unref(ls->conf);
	free(ls);
}

static const struct limit_conf *limits_now(struct worker *w)
{
	struct limits *ls = w->limits;

	if (ls->conf != w->conf) {
		conf_unref(ls->conf);
		ls->conf = conf_ref(w->conf);
		ls->now = conf_section(ls->conf, &limit_settings);
		networks_free(&ls->exempt);
		networks_read(&ls->exempt, &ls->now->exempt);
	}
	return ls->now;
}

static bool is_exempt(struct worker *w, const struct ip *peer)
{
	limits_now(w);
	return networks_have(&w->limits->exempt, peer);
}

/* --- keys and sums ----------------------------------------------------------------------------------------------- */

static uint64_t address_key(struct worker *w, const struct ip *ip)
{
	return tally_key(w->shm, 'a', (struct str){ (const char *)ip->bytes, ip_is_v4(ip) ? 16 : NET_BYTES });
}

/* Of an account alone, or from one address. In one case, or another spelling would be another account. */
static uint64_t account_key(struct worker *w, struct str account, uint64_t address)
{
	char bytes[ACCOUNT_MAX + sizeof(address)];
	size_t len = account.len < ACCOUNT_MAX ? account.len : ACCOUNT_MAX;

	for (size_t i = 0; i < len; i++)
		bytes[i] = ascii_lower(account.p[i]);
	memcpy(bytes + len, &address, sizeof(address));
	return tally_key(w->shm, address ? 'p' : 'u', (struct str){ bytes, len + sizeof(address) });
}

static int64_t now_ms(const struct worker *w)
{
	return timers_now_ms(w->timers);
}

static struct tally *own(struct worker *w, uint64_t key)
{
	struct tally *t = tally_of(w->shm, w->slot, key, now_ms(w));

	if (!t)
		counter_add(&uncounted, 1);
	return t;
}

static void add(struct worker *w, uint64_t key, enum tally_rate what, int64_t period_ms)
{
	struct tally *t = own(w, key);

	if (t)
		tally_add(t, what, now_ms(w), period_ms);
}

static bool is_over(struct worker *w, uint64_t key, enum tally_rate what, int64_t period_ms, int64_t limit)
{
	return limit && tally_rate(w->shm, key, what, now_ms(w), period_ms) > (uint64_t)limit;
}

static bool is_full(struct worker *w, uint64_t key, enum tally_open what, int64_t limit)
{
	return limit && tally_open(w->shm, key, what) >= (uint64_t)limit;
}

static bool may_log(struct worker *w, uint64_t key)
{
	struct tally *t = own(w, key);

	return t && tally_once(w->shm, key, t, now_ms(w), LOG_MS);
}

/* --- the door ---------------------------------------------------------------------------------------------------- */

const char *limit_connect(struct worker *w, const struct service *service, const struct ip *peer)
{
	const struct limit_conf *now;
	const char *why = NULL;
	char text[INET6_ADDRSTRLEN];
	uint64_t key;

	if (!w->limits || is_exempt(w, peer))
		return NULL;
	now = limits_now(w);
	key = address_key(w, peer);
	add(w, key, TALLY_CONNECTS, MINUTE_MS);
	if (is_full(w, key, TALLY_SESSIONS, now->address_sessions))
		why = "too many connections from your address";
	else if (is_full(w, key, TALLY_STRANGERS, now->address_strangers))
		why = "too many connections without login from your address";
	else if (is_over(w, key, TALLY_CONNECTS, MINUTE_MS, now->address_connects))
		why = "your address connects too often";
	else if (is_over(w, key, TALLY_ERRORS, MINUTE_MS, now->address_errors))
		why = "too many errors from your address";
	if (!why)
		return NULL;
	counter_add(&refused, 1);
	ip_print(peer, text);
	if (may_log(w, key))
		log_warn(service->component, NULL, "refused role=%s peer=%s reason=\"%s\"", service->role, text, why);
	return why;
}

/* --- sessions ---------------------------------------------------------------------------------------------------- */

static void took_too_long(void *user)
{
	struct session *s = user;

	log_info(s->service->component, conn_id(s->conn), "takes too long, closing peer=%s account=%s",
		conn_peer(s->conn), s->account);
	session_end(s->limit.worker, s, s->limit.known ? "the session has lasted long enough" : "this takes too long");
}

static void set_time(struct worker *w, struct session *s, int64_t ms)
{
	if (s->ending)
		return;
	timer_stop(w->timers, &s->timer);
	if (ms)
		timer_start(w->timers, &s->timer, ms, took_too_long, s);
}

static void hold(struct worker *w, struct tally *t, enum tally_open what, int by)
{
	if (t)
		tally_hold(w->shm, w->slot, t, what, by);
}

void limit_begin(struct worker *w, struct session *s)
{
	struct session_limit *l = &s->limit;
	struct ip peer;

	*l = (struct session_limit){ .worker = w };
	if (!w->limits || !ip_read(str_of(conn_peer(s->conn)), &peer) || is_exempt(w, &peer))
		return;
	l->address_key = address_key(w, &peer);
	l->address = own(w, l->address_key);
	hold(w, l->address, TALLY_SESSIONS, 1);
	hold(w, l->address, TALLY_STRANGERS, 1);
	set_time(w, s, s->service->members ? limits_now(w)->login_ms : limits_now(w)->stranger_ms);
}

void limit_end(struct worker *w, struct session *s)
{
	struct session_limit *l = &s->limit;

	if (!l->address_key)
		return;
	hold(w, l->address, TALLY_SESSIONS, -1);
	if (!l->known)
		hold(w, l->address, TALLY_STRANGERS, -1);
	hold(w, l->account, TALLY_SESSIONS, -1);
	*l = (struct session_limit){ 0 };
}

/* Adds to what the session holds. True: it is one too many. */
static bool count(struct worker *w, struct tally *t, uint64_t key, enum tally_rate what, int64_t limit)
{
	uint32_t number;

	if (!t || !limit)
		return false;
	number = tally_add(t, what, now_ms(w), MINUTE_MS);
	if (limit > SUM_ALWAYS_MAX && number % SUM_EVERY)
		return false;
	return is_over(w, key, what, MINUTE_MS, limit);
}

const char *limit_count(struct worker *w, struct session *s, enum tally_rate what)
{
	const struct session_limit *l = &s->limit;
	const struct limit_conf *now;
	bool errors = what == TALLY_ERRORS, by_address, by_account;

	assert(errors || what == TALLY_COMMANDS);
	if (!l->address_key)
		return NULL;
	now = limits_now(w);
	by_address = count(w, l->address, l->address_key, what, errors ? now->address_errors : now->address_commands);
	by_account = count(w, l->account, l->account_key, what, errors ? now->account_errors : now->account_commands);
	if (!by_address && !by_account)
		return NULL;
	counter_add(&ended, 1);
	if (may_log(w, by_address ? l->address_key : l->account_key))
		log_warn(s->service->component, conn_id(s->conn), "too many %s a minute, closing peer=%s account=%s",
			errors ? "errors" : "commands", conn_peer(s->conn), s->account);
	if (by_address)
		return errors ? "too many errors from your address" : "too many commands from your address";
	return errors ? "too many errors of your account" : "too many commands of your account";
}

/* --- logins ------------------------------------------------------------------------------------------------------ */

static bool is_guessing(struct worker *w, uint64_t key, int64_t limit)
{
	return limit &&
	       tally_rate(w->shm, key, TALLY_FAILURES, now_ms(w), limits_now(w)->failures_ms) >= (uint64_t)limit;
}

bool limit_login(struct worker *w, const struct session *s, struct str account, int64_t *wait_ms)
{
	const struct session_limit *l = &s->limit;
	const struct limit_conf *now;
	uint64_t pair;

	*wait_ms = 0;
	if (!l->address_key)
		return true;
	now = limits_now(w);
	pair = account_key(w, account, l->address_key);
	if (is_guessing(w, l->address_key, now->address_failures) || is_guessing(w, pair, now->pair_failures)) {
		counter_add(&logins_refused, 1);
		return false;
	}
	if (is_guessing(w, account_key(w, account, 0), now->account_failures) &&
		!tally_rate(w->shm, pair, TALLY_CONNECTS, now_ms(w), now->failures_ms)) {
		counter_add(&logins_delayed, 1);
		*wait_ms = now->failures_wait_ms;
	}
	return true;
}

bool limit_may_log(struct worker *w, const struct session *s)
{
	return !s->limit.address_key || may_log(w, s->limit.address_key);
}

void limit_login_failed(struct worker *w, const struct session *s, struct str account)
{
	uint64_t address = s->limit.address_key;
	int64_t period_ms;

	if (!address)
		return;
	period_ms = limits_now(w)->failures_ms;
	add(w, address, TALLY_FAILURES, period_ms);
	add(w, account_key(w, account, address), TALLY_FAILURES, period_ms);
	add(w, account_key(w, account, 0), TALLY_FAILURES, period_ms);
}

const char *limit_login_right(struct worker *w, struct session *s, struct str account)
{
	struct session_limit *l = &s->limit;
	const struct limit_conf *now;
	const char *why = NULL;
	uint64_t key;

	if (!l->address_key)
		return NULL;
	now = limits_now(w);
	key = account_key(w, account, 0);
	hold(w, l->account, TALLY_SESSIONS, -1); /* an earlier login that came to nothing, or that STARTTLS undid */
	l->account = NULL;
	add(w, account_key(w, account, l->address_key), TALLY_CONNECTS, now->failures_ms);
	add(w, key, TALLY_CONNECTS, MINUTE_MS);
	if (is_full(w, key, TALLY_SESSIONS, now->account_sessions))
		why = "too many connections of this account";
	else if (is_over(w, key, TALLY_CONNECTS, MINUTE_MS, now->account_logins))
		why = "this account logs in too often";
	if (why)
		return why;
	l->account_key = key;
	l->account = own(w, key);
	hold(w, l->account, TALLY_SESSIONS, 1);
	if (!l->known)
		hold(w, l->address, TALLY_STRANGERS, -1);
	l->known = true;
	set_time(w, s, now->session_ms);
	return NULL;
}
