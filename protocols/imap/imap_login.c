/* imap_login.c - LOGIN and AUTHENTICATE (RFC 3501, 6.2; SASL-IR of RFC 4959; PLAIN of RFC 4616). */
#include "protocols/imap/imap_session.h"
#include "storage/decode.h"

static void login_through(void *user, enum err e, struct account *account)
{
	struct imap *s = user;
	struct buf capabilities = { 0 };

	s->login = NULL;
	if (e == ERR_DENIED) {
		imap_no(s, "[AUTHENTICATIONFAILED] wrong name or password");
		if (++s->fails >= (unsigned)imap_login_conf(s)->fails_max) {
			imap_untagged(s, "BYE too many wrong passwords");
			imap_resume(s, CLOSE);
		} else {
			imap_resume(s, DONE);
		}
	} else if (e) {
		imap_resume(s, imap_no(s, "[UNAVAILABLE] no login now, try again"));
	} else {
		s->account = account;
		s->session.account = account->address;
		imap_enter(s, KNOWN);
		conn_idle(s->conn, imap_conf(s)->idle_ms);
		imap_capabilities(s, &capabilities);
		imap_resume(s, imap_ok(s, "[CAPABILITY " STR_FMT "] welcome", STR_ARG(buf_str(&capabilities))));
		buf_free(&capabilities);
	}
}

enum next cmd_login(struct imap *s, struct args *a)
{
	struct str name, password;

	args_space(a);
	name = args_astring(a);
	args_space(a);
	password = args_astring(a);
	if (!args_end(a))
		return imap_bad(s, "LOGIN wants a name and a password");
	if (!login_permitted(imap_login_conf(s), s->conn))
		return imap_no(s, "[PRIVACYREQUIRED] no passwords without encryption");
	s->login = login_start(s->worker, imap_login_conf(s), &s->session, "LOGIN", name, password, login_through, s);
	return WAIT;
}

/* The client's message, in base64 (RFC 4616). */
static enum next plain(struct imap *s, struct str text)
{
	struct buf message = { 0 };
	struct str name, password;
	enum next next;

	s->continuation = NULL;
	if (str_eq(text, STR("*")))
		return imap_bad(s, "AUTHENTICATE given up");
	if (!base64_decode(text, &message) || login_plain(buf_str(&message), &name, &password)) {
		next = imap_bad(s, "that is no PLAIN message");
	} else {
		s->login = login_start(
			s->worker, imap_login_conf(s), &s->session, "PLAIN", name, password, login_through, s);
		next = WAIT;
	}
	buf_free(&message);
	return next;
}

enum next cmd_authenticate(struct imap *s, struct args *a)
{
	struct str mechanism, initial = STR_NONE;

	args_space(a);
	mechanism = args_atom(a);
	if (args_try(a, ' ')) {
		initial = a->left;
		a->left.len = 0;
	}
	if (!args_end(a))
		return imap_bad(s, "AUTHENTICATE wants a mechanism");
	if (!str_eq_nocase(mechanism, STR("PLAIN")))
		return imap_no(s, "[CANNOT] only PLAIN is known");
	if (!login_permitted(imap_login_conf(s), s->conn))
		return imap_no(s, "[PRIVACYREQUIRED] no passwords without encryption");
	if (initial.len)
		return plain(s, initial);
	s->continuation = plain;
	conn_printf(s->conn, "+ \r\n");
	return DONE;
}
