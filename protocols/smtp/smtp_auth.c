/* smtp_auth.c - AUTH (RFC 4954) and STARTTLS (RFC 3207).
 * Port 25 is for strangers' servers: whoever logs in there does so over TLS, whatever the configuration permits in
 * clear text elsewhere. Where people hand in their mail nothing is taken before AUTH (RFC 6409, 4.3). LMTP has no AUTH. */
#include "core/worker.h"
#include "protocols/smtp/smtp_session.h"

static bool is_for_strangers(const struct smtp *s)
{
	return s->session.service == &smtp_service;
}

bool smtp_auth_required(const struct smtp *s)
{
	return !s->account && !s->lmtp && !is_for_strangers(s);
}

void smtp_auth_offers(struct smtp *s)
{
	struct buf names = { 0 };

	if (login_may_secure(s->worker, s->conn))
		smtp_reply(s, "250-STARTTLS");
	if (!s->lmtp && !s->account && (conn_secure(s->conn) || !is_for_strangers(s)))
		sasl_offers(s->login_conf, s->conn, " ", &names);
	if (buf_len(&names))
		smtp_reply(s, "250-AUTH" STR_FMT, STR_ARG(buf_str(&names)));
	buf_free(&names);
}

/* The reply to what the exchange came to. */
static enum next answer(struct smtp *s, enum sasl_step step)
{
	if (step == SASL_WAITS)
		return WAIT;
	if (step == SASL_ASKS)
		return smtp_reply(s, "334 " STR_FMT, STR_ARG(sasl_challenge(s->sasl)));
	if (step == SASL_DONE)
		s->account = sasl_account(s->sasl);
	sasl_free(s->sasl);
	s->sasl = NULL;
	switch (step) {
	case SASL_DONE:
		s->session.account = s->account->address;
		return smtp_reply(s, "235 2.7.0 welcome");
	case SASL_DENIED:
		smtp_reply(s, "535 5.7.8 wrong name or password");
		if (++s->fails < (unsigned)s->login_conf->fails_max)
			return DONE;
		smtp_reply(s, "421 4.7.0 %s too many wrong passwords", smtp_hostname(s));
		return CLOSE;
	case SASL_LATER:
		return smtp_reply(s, "454 4.7.0 no login now, try again");
	case SASL_CANCELLED:
		return smtp_wrong(s, "501 5.7.0 given up");
	default:
		return smtp_wrong(s, "501 5.5.2 that is no message of this mechanism");
	}
}

static void on_step(void *user, enum sasl_step step)
{
	struct smtp *s = user;

	smtp_resume(s, answer(s, step));
}

enum next smtp_auth_line(struct smtp *s, struct str line)
{
	return answer(s, sasl_line(s->sasl, line));
}

/* AUTH mechanism [initial response] (RFC 4954, 4) */
enum next smtp_auth(struct smtp *s, struct str rest)
{
	const struct sasl_mechanism *mechanism;
	struct str name = str_word(&rest);
	enum err e;

	if (s->account)
		return smtp_wrong(s, "503 5.5.1 you are logged in");
	if (!name.len || str_find(rest, ' ') >= 0)
		return smtp_wrong(s, "501 5.5.4 syntax: AUTH mechanism [initial response]");
	e = sasl_find(s->login_conf, s->conn, name, &mechanism);
	if (e == ERR_ABSENT)
		return smtp_wrong(s, "504 5.5.4 no such mechanism here");
	if (e || (!conn_secure(s->conn) && is_for_strangers(s)))
		return smtp_wrong(s, "538 5.7.11 not without encryption, say STARTTLS first");
	s->sasl = sasl_new(s->worker, s->login_conf, &s->session, mechanism, on_step, s);
	return answer(s, sasl_begin(s->sasl, rest));
}

enum next smtp_starttls(struct smtp *s, struct str rest)
{
	(void)rest;
	if (conn_secure(s->conn))
		return smtp_wrong(s, "503 5.5.1 the connection is encrypted");
	if (!login_may_secure(s->worker, s->conn))
		return smtp_reply(s, "454 4.7.0 there is no certificate here");
	return SECURE;
}

enum next smtp_secure(struct smtp *s)
{
	if (login_injected(&s->session, "STARTTLS"))
		return CLOSE;
	smtp_reply(s, "220 2.0.0 begin TLS");
	smtp_reset(s); /* and all else that came in clear text is forgotten (RFC 3207, 4.2) */
	s->hello[0] = '\0';
	s->session.account = "";
	account_free(s->account);
	s->account = NULL;
	smtp_enter(s, GREETED);
	return conn_start_tls(s->conn, s->worker->tls) ? CLOSE : DONE;
}
