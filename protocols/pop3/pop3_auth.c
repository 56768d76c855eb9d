/* pop3_auth.c - logging in: USER and PASS (RFC 1939, 7), AUTH (RFC 5034); and STLS (RFC 2595, 4). What a refusal is
 * for says its response code (RFC 3206). */
#include "core/worker.h"
#include "protocols/pop3/pop3_session.h"
#include <stdio.h>

void pop3_auth_capabilities(struct pop3 *s)
{
	struct buf names = { 0 };

	if (login_may_secure(s->worker, s->conn))
		conn_printf(s->conn, "STLS\r\n");
	if (login_permitted(s->login_conf, s->conn))
		conn_printf(s->conn, "USER\r\n");
	sasl_offers(s->login_conf, s->conn, " ", &names);
	if (buf_len(&names))
		conn_printf(s->conn, "SASL" STR_FMT "\r\n", STR_ARG(buf_str(&names)));
	buf_free(&names);
}

static enum next want_encryption(struct pop3 *s)
{
	return pop3_wrong(s, "not without encryption, say STLS first");
}

static enum next denied(struct pop3 *s)
{
	pop3_err(s, "[AUTH] wrong name or password");
	return ++s->fails < (unsigned)s->login_conf->fails_max ? DONE : CLOSE;
}

static enum next not_now(struct pop3 *s)
{
	return pop3_err(s, "[SYS/TEMP] no login now, try again");
}

/* ---- USER and PASS ---- */

enum next pop3_user(struct pop3 *s, struct str rest)
{
	if (!login_permitted(s->login_conf, s->conn))
		return want_encryption(s);
	rest = str_trim(rest);
	if (!rest.len || rest.len >= sizeof(s->name))
		return pop3_wrong(s, "USER wants a name");
	snprintf(s->name, sizeof(s->name), STR_FMT, STR_ARG(rest));
	return pop3_ok(s, "and the password?"); /* the same for any name: RFC 1939, 13 */
}

static void login_through(void *user, enum err e, struct account *account)
{
	struct pop3 *s = user;

	s->login = NULL;
	s->name[0] = '\0';
	pop3_resume(s, e == OK ? pop3_open_maildrop(s, account) : e == ERR_DENIED ? denied(s) : not_now(s));
}

enum next pop3_pass(struct pop3 *s, struct str rest)
{
	struct login_who who = { .worker = s->worker,
		.conf = s->login_conf,
		.session = &s->session,
		.mechanism = "USER",
		.name = str_of(s->name),
		.done = login_through,
		.user = s };

	if (!s->name[0])
		return pop3_wrong(s, "USER comes first");
	s->login = login_password(&who, rest);
	return WAIT;
}

/* ---- AUTH ---- */

/* The reply to what the exchange came to. */
static enum next answer(struct pop3 *s, enum sasl_step step)
{
	struct account *account;

	if (step == SASL_WAITS)
		return WAIT;
	if (step == SASL_ASKS) {
		conn_printf(s->conn, "+ " STR_FMT "\r\n", STR_ARG(sasl_challenge(s->sasl)));
		return DONE;
	}
	account = step == SASL_DONE ? sasl_account(s->sasl) : NULL;
	sasl_free(s->sasl);
	s->sasl = NULL;
	switch (step) {
	case SASL_DONE:
		return pop3_open_maildrop(s, account);
	case SASL_DENIED:
		return denied(s);
	case SASL_LATER:
		return not_now(s);
	case SASL_CANCELLED:
		return pop3_wrong(s, "given up");
	default:
		return pop3_wrong(s, "that is no message of this mechanism");
	}
}

static void on_step(void *user, enum sasl_step step)
{
	struct pop3 *s = user;

	pop3_resume(s, answer(s, step));
}

enum next pop3_auth_line(struct pop3 *s, struct str line)
{
	return answer(s, sasl_line(s->sasl, line));
}

/* Without an argument, as older clients say it: which mechanisms there are. */
static enum next list_mechanisms(struct pop3 *s)
{
	struct buf names = { 0 };

	sasl_offers(s->login_conf, s->conn, "\r\n", &names);
	pop3_ok(s, "mechanisms" STR_FMT "\r\n.", STR_ARG(buf_str(&names)));
	buf_free(&names);
	return DONE;
}

enum next pop3_auth(struct pop3 *s, struct str rest)
{
	const struct sasl_mechanism *mechanism;
	struct str name = str_word(&rest);
	enum err e;

	if (!name.len)
		return list_mechanisms(s);
	if (str_find(rest, ' ') >= 0)
		return pop3_wrong(s, "AUTH wants a mechanism and perhaps an initial response");
	e = sasl_find(s->login_conf, s->conn, name, &mechanism);
	if (e)
		return e == ERR_DENIED ? want_encryption(s) : pop3_wrong(s, "no such mechanism here");
	s->sasl = sasl_new(s->worker, s->login_conf, &s->session, mechanism, on_step, s);
	return answer(s, sasl_begin(s->sasl, rest));
}

/* ---- STLS ---- */

enum next pop3_stls(struct pop3 *s, struct str rest)
{
	(void)rest;
	if (s->utf8) /* RFC 6856, 2.1 */
		return pop3_wrong(s, "not after UTF8");
	if (conn_secure(s->conn))
		return pop3_wrong(s, "the connection is encrypted");
	if (!login_may_secure(s->worker, s->conn))
		return pop3_err(s, "there is no certificate here");
	return SECURE;
}

enum next pop3_secure(struct pop3 *s)
{
	if (login_injected(&s->session, "STLS"))
		return CLOSE;
	s->name[0] = '\0'; /* what was said before is forgotten: RFC 2595, 4 */
	s->language = pop3_language(STR("*"));
	pop3_ok(s, "begin TLS");
	return conn_start_tls(s->conn, s->worker->tls) ? CLOSE : DONE;
}
