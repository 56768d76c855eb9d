/* login.c - see login.h. */
#include "protocols/login.h"
#include "core/counter.h"
#include "core/limit.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "storage/prepare.h"
#include <stdio.h>
#include <stdlib.h>

#define NAME_BYTES_MAX 512 /* of a login name; no account's is so long, and what is cut off does not matter */

COUNTER(logins, "login.right", "logins that succeeded");
COUNTER(logins_failed, "login.wrong", "logins that failed");

struct login {
	struct worker *worker;
	struct session *session;
	const char *mechanism;
	char name[NAME_BYTES_MAX];
	bool unfit;          /* there can be no such name */
	const char *refused; /* why, without asking the store; NULL */
	bool limited;        /* for now: there were too many failures (limit.h) */
	struct call *call;   /* the store's answer; ours */
	struct timer delay;
	int64_t delay_ms, wait_ms; /* before a wrong password is answered; before anything is */
	enum err outcome;          /* to be told when the delay is over */
	struct account *account;   /* the same; ours until then */
	login_done *done;
	void *user;
};

bool login_may_secure(const struct worker *w, const struct conn *c)
{
	return w->tls && !conn_secure(c);
}

bool login_injected(const struct session *session, const char *command)
{
	const struct conn *c = session->conn;

	if (!conn_unread(c))
		return false;
	log_warn(session->service->component, conn_id(c), "clear text behind %s, closing peer=%s", command,
		conn_peer(c));
	return true;
}

bool login_permitted(const struct login_conf *conf, const struct conn *c)
{
	return conn_secure(c) || conf->clear_text == CLEAR_TEXT_ALWAYS ||
	       (conf->clear_text == CLEAR_TEXT_LOOPBACK && conn_from_loopback(c));
}

void login_cancel(struct login *l)
{
	if (!l)
		return;
	call_cancel(l->call);
	timer_stop(l->worker->timers, &l->delay);
	account_free(l->account);
	free(l);
}

static void finish(void *user)
{
	struct login *l = user;
	struct login told = *l;

	free(l);
	told.done(told.user, told.outcome, told.account);
}

/* The name as one word: programs that read the log must not take a part of it for the peer. What was prepared has no
 * other spaces than these; in what could not be there may be any. */
static void make_word(char *name, bool prepared)
{
	for (; *name; name++)
		if (*name == ' ' || *name == '"' || (!prepared && (unsigned char)*name >= 0x80))
			*name = '?';
}

static void log_outcome(struct login *l, enum err e)
{
	const char *component = l->session->service->component, *id = conn_id(l->session->conn);
	const char *peer = conn_peer(l->session->conn), *secure = conn_secure(l->session->conn) ? "yes" : "no";
	const char *reason = l->refused ? l->refused : e == ERR_DENIED ? "wrong name or password" : err_text(e);

	if (!e) {
		log_info(component, id, "login account=%s peer=%s mechanism=%s tls=%s", l->name, peer, l->mechanism,
			secure);
		return;
	}
	if (l->limited && !limit_may_log(l->worker, l->session))
		return;
	make_word(l->name, !l->unfit);
	log_warn(component, id, "login failed account=%s peer=%s mechanism=%s tls=%s reason=\"%s\"", l->name, peer,
		l->mechanism, secure, reason);
}

/* Whose failures count, however he is written. */
static struct str counted(const struct login *l, struct arena *a)
{
	struct str canonical;

	return account_canonical(str_of(l->name), a, &canonical, NULL) ? str_of(l->name) : canonical;
}

static bool may_try(struct login *l)
{
	struct arena a = { 0 };
	bool may = limit_login(l->worker, l->session, counted(l, &a), &l->wait_ms);

	arena_free(&a);
	return may;
}

static void count_failure(struct login *l)
{
	struct arena a = { 0 };

	limit_login_failed(l->worker, l->session, counted(l, &a));
	arena_free(&a);
}

static void login_answered(void *user, enum err e, struct account *account)
{
	struct login *l = user;
	int64_t ms = l->wait_ms;

	l->call = NULL;
	if (account && (l->refused = limit_login_right(l->worker, l->session, str_of(account->address)))) {
		account_free(account);
		account = NULL;
		e = ERR_AGAIN;
	} else if (e == ERR_DENIED) {
		count_failure(l);
	}
	counter_add(e ? &logins_failed : &logins, 1);
	if (account)
		snprintf(l->name, sizeof(l->name), "%s", account->address);
	log_outcome(l, e);
	l->outcome = e;
	l->account = account;
	if (e == ERR_DENIED || l->limited)
		ms += l->delay_ms;
	if (ms || l->refused) /* whoever is refused unasked is in the middle of asking */
		timer_start(l->worker->timers, &l->delay, ms, finish, l);
	else
		finish(l);
}

/* The name as the store knows it. False: there can be none of that name (prepare.h). */
static bool name_whole(const struct login_conf *conf, struct str name, char whole[NAME_BYTES_MAX])
{
	struct arena a = { 0 };
	struct str prepared = name;
	bool can_be = !prepare(name, &a, &prepared);

	if (str_find(prepared, '@') < 0 && *conf->default_domain)
		snprintf(whole, NAME_BYTES_MAX, STR_FMT "@%s", STR_ARG(prepared), conf->default_domain);
	else
		snprintf(whole, NAME_BYTES_MAX, STR_FMT, STR_ARG(prepared));
	arena_free(&a);
	return can_be;
}

static bool is_himself(const struct login *l, const struct login_who *who)
{
	struct str himself, other;
	struct arena a = { 0 };
	char whole[NAME_BYTES_MAX];
	bool same = name_whole(who->conf, who->authorize, whole) &&
	            !account_canonical(str_of(l->name), &a, &himself, NULL) &&
	            !account_canonical(str_of(whole), &a, &other, NULL) && str_eq(himself, other);

	arena_free(&a);
	return same;
}

static struct login *login_new(const struct login_who *who)
{
	struct login *l = mem_new(struct login);

	l->worker = who->worker;
	l->session = who->session;
	l->mechanism = who->mechanism;
	l->delay_ms = who->conf->fail_delay_ms;
	l->done = who->done;
	l->user = who->user;
	l->unfit = !name_whole(who->conf, who->name, l->name);
	if (!may_try(l)) {
		l->refused = "too many failed logins";
		l->limited = true;
	} else if (l->unfit) {
		l->refused = "wrong name";
	} else if (who->authorize.len && !is_himself(l, who)) {
		l->refused = "may not act for another";
	}
	return l;
}

static void refuse(struct login *l)
{
	login_answered(l, l->limited ? ERR_AGAIN : ERR_DENIED, NULL);
}

struct login *login_password(const struct login_who *who, struct str password)
{
	struct login *l = login_new(who);

	if (l->refused)
		refuse(l);
	else
		l->call = store_login(l->worker, str_of(l->name), password, login_answered, l);
	return l;
}

struct login *login_proof(const struct login_who *who, const struct login_proof *proof)
{
	struct login *l = login_new(who);

	if (l->refused)
		refuse(l);
	else
		l->call = store_login_proof(l->worker, str_of(l->name), proof, login_answered, l);
	return l;
}

struct login *login_known(const struct login_who *who)
{
	struct login *l = login_new(who);

	if (l->refused)
		refuse(l);
	else
		l->call = store_login_known(l->worker, str_of(l->name), login_answered, l);
	return l;
}

struct call *login_salt(struct worker *w, const struct login_conf *conf, struct str name, salt_done *done, void *user)
{
	char whole[NAME_BYTES_MAX];

	name_whole(conf, name, whole);
	return store_salt(w, str_of(whole), done, user);
}

struct login *login_refuse(const struct login_who *who, const char *reason)
{
	struct login *l = login_new(who);

	if (!l->limited)
		l->refused = reason;
	refuse(l);
	return l;
}
