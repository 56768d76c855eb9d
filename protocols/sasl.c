/* sasl.c - see sasl.h. The engine, the table of mechanisms, and those that are a message or two. */
#include "protocols/sasl.h"
#include "core/mem.h"
#include "protocols/sasl_mechanism.h"
#include "storage/mail/decode.h"
#include <stdlib.h>

static enum sasl_step plain(struct sasl *s, struct str message);
static enum sasl_step login(struct sasl *s, struct str message);
static enum sasl_step external(struct sasl *s, struct str message);
static bool external_possible(const struct login_conf *conf, const struct conn *c);

/* The best first, for clients that take the first they know. */
static const struct sasl_mechanism rows[] = {
	/* name, possible, prompt, responds, is proved */
	{ "SCRAM-SHA-256-PLUS", sasl_scram_plus_possible, "", sasl_scram_plus, sasl_scram_proved },
	{ "SCRAM-SHA-256", NULL, "", sasl_scram, sasl_scram_proved },
	{ "EXTERNAL", external_possible, "", external, NULL },
	{ "PLAIN", NULL, "", plain, NULL },
	{ "LOGIN", NULL, "Username:", login, NULL },
};
#define ROWS (sizeof(rows) / sizeof(*rows))

void sasl_offers(const struct login_conf *conf, const struct conn *c, const char *before, struct buf *out)
{
	if (!login_permitted(conf, c))
		return;
	for (size_t i = 0; i < ROWS; i++)
		if (!rows[i].possible || rows[i].possible(conf, c))
			buf_printf(out, "%s%s", before, rows[i].name);
}

enum err sasl_find(
	const struct login_conf *conf, const struct conn *c, struct str name, const struct sasl_mechanism **m)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (!str_eq_nocase(name, str_of(rows[i].name)))
			continue;
		*m = &rows[i];
		if (!login_permitted(conf, c))
			return ERR_DENIED;
		return !rows[i].possible || rows[i].possible(conf, c) ? OK : ERR_ABSENT;
	}
	return ERR_ABSENT;
}

/* ---- an exchange ---- */

struct sasl *sasl_new(struct worker *w, const struct login_conf *conf, struct session *session,
	const struct sasl_mechanism *m, sasl_on_step *on_step, void *user)
{
	struct sasl *s = mem_new(struct sasl);

	s->worker = w;
	s->conf = conf;
	s->session = session;
	s->mechanism = m;
	s->on_step = on_step;
	s->user = user;
	return s;
}

void sasl_free(struct sasl *s)
{
	if (!s)
		return;
	login_cancel(s->login);
	account_free(s->account);
	sasl_scram_free(s->scram);
	buf_free(&s->name);
	buf_free(&s->challenge);
	free(s);
}

enum sasl_step sasl_ask(struct sasl *s, struct str challenge)
{
	buf_clear(&s->challenge);
	base64_encode(challenge, &s->challenge);
	return SASL_ASKS;
}

struct str sasl_challenge(const struct sasl *s)
{
	return buf_str(&s->challenge);
}

struct account *sasl_account(struct sasl *s)
{
	struct account *account = s->account;

	s->account = NULL;
	return account;
}

bool sasl_is_waiting(const struct sasl *s)
{
	return s && (s->login || sasl_scram_is_waiting(s->scram));
}

static enum sasl_step respond(struct sasl *s, struct str text)
{
	struct buf message = { 0 };
	enum sasl_step step = SASL_MALFORMED;

	if (base64_decode(text, &message)) {
		step = s->mechanism->respond(s, buf_str(&message));
		s->turn++;
	}
	if (buf_len(&message))
		explicit_bzero(buf_data(&message), buf_len(&message)); /* a password, maybe */
	buf_free(&message);
	return step;
}

enum sasl_step sasl_begin(struct sasl *s, struct str initial)
{
	if (!initial.len)
		return sasl_ask(s, str_of(s->mechanism->prompt));
	return respond(s, str_eq(initial, STR("=")) ? STR_NONE : initial);
}

enum sasl_step sasl_line(struct sasl *s, struct str line)
{
	return str_eq(line, STR("*")) ? SASL_CANCELLED : respond(s, line);
}

static void logged_in(void *user, enum err e, struct account *account)
{
	struct sasl *s = user;

	s->login = NULL;
	s->account = account;
	if (e)
		s->on_step(s->user, e == ERR_DENIED ? SASL_DENIED : SASL_LATER);
	else
		s->on_step(s->user, s->mechanism->proved ? s->mechanism->proved(s) : SASL_DONE);
}

struct login_who sasl_who(struct sasl *s, struct str name, struct str authorize)
{
	return (struct login_who){ .worker = s->worker,
		.conf = s->conf,
		.session = s->session,
		.mechanism = s->mechanism->name,
		.name = name,
		.authorize = authorize,
		.done = logged_in,
		.user = s };
}

/* ---- PLAIN: [authzid] NUL authcid NUL password (RFC 4616) ---- */

static enum sasl_step plain(struct sasl *s, struct str message)
{
	ptrdiff_t first = str_find(message, '\0'), second;
	struct str left, password;
	struct login_who who;

	if (first < 0)
		return SASL_MALFORMED;
	left = str_cut(message, (size_t)first + 1, message.len);
	if ((second = str_find(left, '\0')) < 1)
		return SASL_MALFORMED;
	password = str_cut(left, (size_t)second + 1, left.len);
	if (!password.len || str_find(password, '\0') >= 0)
		return SASL_MALFORMED;
	who = sasl_who(s, str_cut(left, 0, (size_t)second), str_cut(message, 0, (size_t)first));
	s->login = login_password(&who, password);
	return SASL_WAITS;
}

/* ---- LOGIN: never standardised, and what older programs still speak: asked for a name, then for a password ---- */

static enum sasl_step login(struct sasl *s, struct str message)
{
	struct login_who who;

	if (s->turn == 0) {
		buf_add_str(&s->name, message);
		return sasl_ask(s, STR("Password:"));
	}
	who = sasl_who(s, buf_str(&s->name), STR_NONE);
	s->login = login_password(&who, message);
	return SASL_WAITS;
}

/* ---- EXTERNAL: whom the client certificate names, or the same said again (RFC 4422, A) ---- */

static bool external_possible(const struct login_conf *conf, const struct conn *c)
{
	(void)conf;
	return conn_client_name(c).len > 0;
}

static enum sasl_step external(struct sasl *s, struct str message)
{
	struct login_who who = sasl_who(s, conn_client_name(s->session->conn), message);

	s->login = login_known(&who);
	return SASL_WAITS;
}
