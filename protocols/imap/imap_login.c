/* imap_login.c - LOGIN, AUTHENTICATE and STARTTLS (RFC 3501, 6.2; SASL-IR of RFC 4959). */
#include "core/worker.h"
#include "protocols/imap/imap_session.h"

void imap_login_capabilities(const struct imap *s, struct buf *out)
{
	if (login_may_secure(s->worker, s->conn))
		buf_add_str(out, STR(" STARTTLS"));
	sasl_offers(imap_login_conf(s), s->conn, " AUTH=", out);
	if (!login_permitted(imap_login_conf(s), s->conn))
		buf_add_str(out, STR(" LOGINDISABLED"));
}

size_t imap_login_line_max(const struct imap *s, struct str so_far)
{
	ptrdiff_t tag = str_find(so_far, ' ');
	bool longer = s->work->sasl || (tag > 0 && str_starts_nocase(str_cut(so_far, (size_t)tag + 1, so_far.len),
							   STR("AUTHENTICATE ")));

	return longer ? (size_t)imap_login_conf(s)->line_max : 0;
}

static enum next logged_in(struct imap *s, struct account *account)
{
	struct buf capabilities = { 0 };
	enum next next;

	s->account = account;
	s->session.account = account->address;
	imap_enter(s, KNOWN);
	conn_idle(s->conn, imap_conf(s)->idle_ms);
	imap_capabilities(s, &capabilities);
	next = imap_ok(s, "[CAPABILITY " STR_FMT "] welcome", STR_ARG(buf_str(&capabilities)));
	buf_free(&capabilities);
	return next;
}

static enum next denied(struct imap *s)
{
	imap_no(s, "[AUTHENTICATIONFAILED] wrong name or password");
	if (++s->fails < (unsigned)imap_login_conf(s)->fails_max)
		return DONE;
	imap_untagged(s, "BYE too many wrong passwords");
	return CLOSE;
}

static enum next not_now(struct imap *s)
{
	return imap_no(s, "[UNAVAILABLE] no login now, try again");
}

static void login_through(void *user, enum err e, struct account *account)
{
	struct imap *s = user;

	s->work->login = NULL;
	imap_resume(s, e == OK ? logged_in(s, account) : e == ERR_DENIED ? denied(s) : not_now(s));
}

static enum next want_encryption(struct imap *s)
{
	return imap_no(s, "[PRIVACYREQUIRED] not without encryption");
}

enum next cmd_login(struct imap *s, struct args *a)
{
	struct login_who who = { .worker = s->worker,
		.conf = imap_login_conf(s),
		.session = &s->session,
		.mechanism = "LOGIN",
		.done = login_through,
		.user = s };
	struct str password;

	args_space(a);
	who.name = args_astring(a);
	args_space(a);
	password = args_astring(a);
	if (!args_end(a))
		return imap_bad(s, "LOGIN wants a name and a password");
	if (!login_permitted(imap_login_conf(s), s->conn))
		return want_encryption(s);
	s->work->login = login_password(&who, password);
	return WAIT;
}

static enum next authenticate_line(struct imap *s, struct str line);

/* The reply to what the exchange came to. */
static enum next answer(struct imap *s, enum sasl_step step)
{
	struct account *account;

	s->continuation = step == SASL_ASKS ? authenticate_line : NULL;
	if (step == SASL_WAITS)
		return WAIT;
	if (step == SASL_ASKS) {
		conn_printf(s->conn, "+ " STR_FMT "\r\n", STR_ARG(sasl_challenge(s->work->sasl)));
		return DONE;
	}
	account = step == SASL_DONE ? sasl_account(s->work->sasl) : NULL;
	sasl_free(s->work->sasl);
	s->work->sasl = NULL;
	switch (step) {
	case SASL_DONE:
		return logged_in(s, account);
	case SASL_DENIED:
		return denied(s);
	case SASL_LATER:
		return not_now(s);
	case SASL_CANCELLED:
		return imap_bad(s, "AUTHENTICATE given up");
	default:
		return imap_bad(s, "that is no message of this mechanism");
	}
}

static void on_step(void *user, enum sasl_step step)
{
	struct imap *s = user;

	imap_resume(s, answer(s, step));
}

static enum next authenticate_line(struct imap *s, struct str line)
{
	return answer(s, sasl_line(s->work->sasl, line));
}

enum next cmd_authenticate(struct imap *s, struct args *a)
{
	const struct sasl_mechanism *mechanism;
	struct str name, initial = STR_NONE;
	enum err e;

	args_space(a);
	name = args_atom(a);
	if (args_try(a, ' ')) {
		initial = a->left;
		a->left.len = 0;
		if (!initial.len)
			args_wrong(a);
	}
	if (!args_end(a))
		return imap_bad(s, "AUTHENTICATE wants a mechanism");
	e = sasl_find(imap_login_conf(s), s->conn, name, &mechanism);
	if (e)
		return e == ERR_DENIED ? want_encryption(s) : imap_no(s, "[CANNOT] no such mechanism here");
	s->work->sasl = sasl_new(s->worker, imap_login_conf(s), &s->session, mechanism, on_step, s);
	return answer(s, sasl_begin(s->work->sasl, initial));
}

/* RFC 3501, 6.2.1. The capabilities are others from then on, and the client asks anew. */
enum next cmd_starttls(struct imap *s, struct args *a)
{
	if (!args_end(a))
		return imap_bad(s, "STARTTLS takes nothing");
	if (conn_secure(s->conn))
		return imap_bad(s, "the connection is encrypted");
	if (!login_may_secure(s->worker, s->conn))
		return imap_no(s, "[CANNOT] there is no certificate here");
	return SECURE;
}

enum next imap_secure(struct imap *s)
{
	if (login_injected(&s->session, "STARTTLS"))
		return CLOSE;
	imap_ok(s, "begin TLS");
	return conn_start_tls(s->conn, s->worker->tls) ? CLOSE : DONE;
}
