/* login.c - see login.h. */
#include "protocols/login.h"
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include <stdio.h>
#include <stdlib.h>

#define NAME_BYTES_MAX 512 /* of a login name; no account's is so long, and what is cut off does not matter */

COUNTER(logins, "login.right", "logins that succeeded");
COUNTER(logins_failed, "login.wrong", "logins that failed");

struct login {
	struct worker *worker;
	const struct session *session;
	const char *mechanism;
	char name[NAME_BYTES_MAX];
	struct call *call; /* the store's answer; ours */
	struct timer delay;
	int64_t delay_ms;
	login_done *done;
	void *user;
};

bool login_permitted(const struct login_conf *conf, const struct conn *c)
{
	return conn_secure(c) || conf->clear_text == CLEAR_TEXT_ALWAYS ||
	       (conf->clear_text == CLEAR_TEXT_LOOPBACK && conn_from_loopback(c));
}

enum err login_plain(struct str message, struct str *name, struct str *password)
{
	ptrdiff_t first = str_find(message, '\0'), second;
	struct str authorize, left;

	if (first < 0)
		return ERR_MISTAKE;
	authorize = str_cut(message, 0, (size_t)first);
	left = str_cut(message, (size_t)first + 1, message.len);
	if ((second = str_find(left, '\0')) < 1)
		return ERR_MISTAKE;
	*name = str_cut(left, 0, (size_t)second);
	*password = str_cut(left, (size_t)second + 1, left.len);
	if (!password->len || str_find(*password, '\0') >= 0 || (authorize.len && !str_eq(authorize, *name)))
		return ERR_MISTAKE;
	return OK;
}

void login_cancel(struct login *l)
{
	if (!l)
		return;
	call_cancel(l->call);
	timer_stop(l->worker->timers, &l->delay);
	free(l);
}

static void finish(struct login *l, enum err e, struct account *account)
{
	login_done *done = l->done;
	void *user = l->user;

	free(l);
	done(user, e, account);
}

static void delay_over(void *user)
{
	finish(user, ERR_DENIED, NULL);
}

/* The name as one word: programs that read the log must not take a part of it for the peer. */
static void make_word(char *name)
{
	for (; *name; name++)
		if (*name == ' ' || *name == '"')
			*name = '?';
}

static void log_outcome(struct login *l, enum err e)
{
	const char *component = l->session->service->component, *id = conn_id(l->session->conn);
	const char *peer = conn_peer(l->session->conn), *secure = conn_secure(l->session->conn) ? "yes" : "no";

	if (!e) {
		log_info(component, id, "login account=%s peer=%s mechanism=%s tls=%s", l->name, peer, l->mechanism,
			secure);
		return;
	}
	make_word(l->name);
	log_warn(component, id, "login failed account=%s peer=%s mechanism=%s tls=%s reason=\"%s\"", l->name, peer,
		l->mechanism, secure, e == ERR_DENIED ? "wrong name or password" : err_text(e));
}

static void login_answered(void *user, enum err e, struct account *account)
{
	struct login *l = user;

	l->call = NULL;
	counter_add(e ? &logins_failed : &logins, 1);
	if (!e)
		snprintf(l->name, sizeof(l->name), "%s", account->address);
	log_outcome(l, e);
	if (e == ERR_DENIED && l->delay_ms)
		timer_start(l->worker->timers, &l->delay, l->delay_ms, delay_over, l);
	else
		finish(l, e, account);
}

struct login *login_start(struct worker *w, const struct login_conf *conf, const struct session *session,
	const char *mechanism, struct str name, struct str password, login_done *done, void *user)
{
	struct login *l = mem_new(struct login);

	l->worker = w;
	l->session = session;
	l->mechanism = mechanism;
	l->delay_ms = conf->fail_delay_ms;
	l->done = done;
	l->user = user;
	if (str_find(name, '@') < 0 && *conf->default_domain)
		snprintf(l->name, sizeof(l->name), STR_FMT "@%s", STR_ARG(name), conf->default_domain);
	else
		snprintf(l->name, sizeof(l->name), STR_FMT, STR_ARG(name));
	l->call = store_login(w, str_of(l->name), password, login_answered, l);
	return l;
}
