/* login.c - see login.h. */
#include "protocols/login.h"
#include "core/counter.h"
#include "core/limit.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "storage/mail/prepare.h"
#include "storage/route/domain.h"
#include "storage/route/idn.h"
#include "storage/route/route.h"
#include <stdio.h>
#include <stdlib.h>

#define NAME_BYTES_MAX 512 /* of a login name; no account's is so long, and what is cut off does not matter */

COUNTER(logins, "login.right", "logins that succeeded");
COUNTER(logins_failed, "login.wrong", "logins that failed");

typedef struct call *ask_store(struct login *l);

struct login {
	struct worker *worker;
	struct session *session;
	const char *mechanism;
	char name[NAME_BYTES_MAX];
	bool unfit;          /* there can be no such name */
	const char *refused; /* why, without asking the store; NULL */
	bool limited;        /* for now: there were too many failures (limit.h) */
	char *act_for;       /* the name of whom he wants to be, if not as he logs in; NULL */
	ask_store *ask;      /* what is asked when the account is known by its own name */
	struct buf secret;   /* the password, or the client's proof */
	struct buf message;  /* that it proves */
	uint8_t *signature;  /* and ours: the asker's */
	struct call *call;   /* the router's answer, then the store's; ours */
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

static void forget(struct login *l)
{
	if (buf_len(&l->secret))
		explicit_bzero(buf_data(&l->secret), buf_len(&l->secret));
	buf_free(&l->secret);
	buf_free(&l->message);
}

static void login_free(struct login *l)
{
	forget(l);
	free(l->act_for);
	free(l);
}

void login_cancel(struct login *l)
{
	if (!l)
		return;
	call_cancel(l->call);
	timer_stop(l->worker->timers, &l->delay);
	account_free(l->account);
	login_free(l);
}

static void finish(void *user)
{
	struct login *l = user;
	struct login told = *l;

	login_free(l);
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

/* The name as one of this form is found: the real name of its domain, the configured one if it has none. False: there
 * can be none of that name (prepare.h). */
static bool name_whole(
	const struct worker *w, const struct login_conf *conf, struct str name, char whole[NAME_BYTES_MAX])
{
	struct arena a = { 0 };
	struct str prepared = name, domain;
	bool can_be = !prepare(name, &a, &prepared);
	ptrdiff_t at = str_rfind(prepared, '@');

	if (at < 0 && *conf->default_domain)
		snprintf(whole, NAME_BYTES_MAX, STR_FMT "@%s", STR_ARG(prepared), conf->default_domain);
	else if (at < 0 || idn_domain(&a, str_cut(prepared, (size_t)at + 1, prepared.len), &domain))
		snprintf(whole, NAME_BYTES_MAX, STR_FMT, STR_ARG(prepared));
	else
		snprintf(whole, NAME_BYTES_MAX, "%.*s@" STR_FMT, (int)at, prepared.p,
			STR_ARG(domain_real(w->conf, domain)));
	arena_free(&a);
	return can_be;
}

static bool is_same(const char *name, const char *other)
{
	struct str canonical[2];
	struct arena a = { 0 };
	bool same = !account_canonical(str_of(name), &a, &canonical[0], NULL) &&
	            !account_canonical(str_of(other), &a, &canonical[1], NULL) && str_eq(canonical[0], canonical[1]);

	arena_free(&a);
	return same;
}

/* Whom he wants to be: himself, or else by a name that may turn out to be his. */
static void keep_act_for(struct login *l, const struct login_who *who)
{
	char whole[NAME_BYTES_MAX];

	if (!who->authorize.len)
		return;
	if (!name_whole(l->worker, who->conf, who->authorize, whole))
		l->refused = "may not act for another";
	else if (!is_same(l->name, whole))
		l->act_for = str_dup(str_of(whole));
}

static void limited(struct login *l)
{
	l->refused = "too many failed logins";
	l->limited = true;
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
	l->unfit = !name_whole(l->worker, who->conf, who->name, l->name);
	if (!may_try(l))
		limited(l);
	else if (l->unfit)
		l->refused = "wrong name";
	else
		keep_act_for(l, who);
	return l;
}

static void refuse(struct login *l)
{
	login_answered(l, l->limited ? ERR_AGAIN : ERR_DENIED, NULL);
}

static void login_resolved(void *user, const struct route *route)
{
	const struct route_leaf *leaf = &route->leaves[0];
	struct login *l = user;
	bool known = leaf->kind == ROUTE_LOCAL;
	char name[NAME_BYTES_MAX];

	l->call = NULL;
	snprintf(name, sizeof(name), STR_FMT, STR_ARG(leaf->address));
	if (known && !is_same(l->name, name)) { /* an alias; guesses are counted for whom it means */
		snprintf(l->name, sizeof(l->name), "%s", name);
		if (!may_try(l))
			limited(l);
	}
	if (!l->refused && l->act_for && !is_same(l->name, l->act_for))
		l->refused = "may not act for another";
	if (leaf->kind == ROUTE_AGAIN)
		login_answered(l, ERR_AGAIN, NULL);
	else if (l->refused)
		refuse(l);
	else
		l->call = l->ask(l); /* also if there is no account: so that it takes as long */
}

/* The name may be an alias of an account's: whose, the router knows. */
static struct login *login_begin(struct login *l, ask_store *ask)
{
	struct route_question q = { .address = str_of(l->name), .login = true };

	l->ask = ask;
	if (l->refused)
		refuse(l);
	else
		l->call = route_find(l->worker, &q, login_resolved, l);
	return l;
}

static struct call *ask_password(struct login *l)
{
	struct call *k = store_login(l->worker, str_of(l->name), buf_str(&l->secret), login_answered, l);

	forget(l);
	return k;
}

struct login *login_password(const struct login_who *who, struct str password)
{
	struct login *l = login_new(who);

	buf_add_str(&l->secret, password);
	return login_begin(l, ask_password);
}

static struct call *ask_proof(struct login *l)
{
	struct login_proof proof = { buf_str(&l->message), buf_str(&l->secret), l->signature };
	struct call *k = store_login_proof(l->worker, str_of(l->name), &proof, login_answered, l);

	forget(l);
	return k;
}

struct login *login_proof(const struct login_who *who, const struct login_proof *proof)
{
	struct login *l = login_new(who);

	buf_add_str(&l->secret, proof->proof);
	buf_add_str(&l->message, proof->message);
	l->signature = proof->signature;
	return login_begin(l, ask_proof);
}

static struct call *ask_known(struct login *l)
{
	return store_login_known(l->worker, str_of(l->name), login_answered, l);
}

struct login *login_known(const struct login_who *who)
{
	return login_begin(login_new(who), ask_known);
}

/* --- the salt of SCRAM, before anything is tried ------------------------------------------------------------------- */

struct salting {
	struct worker *worker;
	char name[NAME_BYTES_MAX];
	struct call *handle, *call;
	salt_done *done;
	void *user;
};

static void salting_dropped(void *user)
{
	struct salting *g = user;

	call_cancel(g->call);
	free(g);
}

static void salt_told(void *user, enum err e, uint32_t iterations, struct str salt)
{
	struct salting *g = user;

	call_steps_end(g->handle);
	g->done(g->user, e, iterations, salt);
	free(g);
}

static void salt_resolved(void *user, const struct route *route)
{
	const struct route_leaf *leaf = &route->leaves[0];
	struct salting *g = user;

	if (leaf->kind == ROUTE_LOCAL)
		snprintf(g->name, sizeof(g->name), STR_FMT, STR_ARG(leaf->address));
	g->call = NULL;
	if (leaf->kind == ROUTE_AGAIN)
		salt_told(g, ERR_AGAIN, 0, STR_NONE);
	else
		g->call = store_salt(g->worker, str_of(g->name), salt_told, g);
}

struct call *login_salt(struct worker *w, const struct login_conf *conf, struct str name, salt_done *done, void *user)
{
	struct route_question q = { .login = true };
	struct salting *g = mem_new(struct salting);

	g->worker = w;
	g->done = done;
	g->user = user;
	name_whole(w, conf, name, g->name);
	q.address = str_of(g->name);
	g->handle = call_steps(salting_dropped, g);
	g->call = route_find(w, &q, salt_resolved, g);
	return g->handle;
}

struct login *login_refuse(const struct login_who *who, const char *reason)
{
	struct login *l = login_new(who);

	if (!l->limited)
		l->refused = reason;
	refuse(l);
	return l;
}
