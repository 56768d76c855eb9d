/* auth.c - logging in where a route says as whom (RFC 4954): SCRAM-SHA-256, else PLAIN or LOGIN.
 * The latter two tell the password itself: only under TLS, or to this machine. What SCRAM takes of the password is computed
 * in the slow lane. */
#include "core/lane.h"
#include "core/log.h"
#include "core/mem.h"
#include "protocols/smtp_client/scram_client.h"
#include "protocols/smtp_client/session.h"
#include "storage/mail/decode.h"
#include "storage/mail/prepare.h"
#include <openssl/mem.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define NONCE_BYTES 18

struct login {
	struct job job; /* first: the lane gives us its address */
	struct client *c;
	enum mechanism mechanism;
	enum { BEGUN, NAMED, PASSED, CHALLENGED, PROVEN } state;
	bool running, freed; /* the job */
	struct scram_client scram;
	struct arena memory;
	struct str password; /* prepared */
};

void login_free(struct login *l)
{
	if (!l)
		return;
	l->freed = true;
	if (l->running)
		return;
	scram_client_free(&l->scram);
	if (l->password.len)
		OPENSSL_cleanse((char *)l->password.p, l->password.len);
	arena_free(&l->memory);
	free(l);
}

static void over(struct client *c)
{
	login_free(c->login);
	c->login = NULL;
}

static void failed(struct client *c, const struct reply *r, const char *why)
{
	over(c);
	client_trouble(c, OUTCOME_DEFERRED, "4.7.8", r, "%s", why);
	client_next(c);
}

static void say_base64(struct client *c, const char *before, struct buf *text)
{
	struct buf line = { 0 };

	buf_add_str(&line, str_of(before));
	if (buf_len(text))
		base64_encode(buf_str(text), &line);
	else if (*before)
		buf_add_char(&line, '='); /* an empty response (RFC 4954, 4) */
	buf_add_str(&line, STR("\r\n"));
	conn_write_str(c->conn, buf_str(&line));
	client_expect(c, c->conf->command_ms);
	OPENSSL_cleanse(buf_data(&line), buf_len(&line));
	if (buf_len(text))
		OPENSSL_cleanse(buf_data(text), buf_len(text));
	buf_free(&line);
	buf_free(text);
}

static void begin_plain(struct client *c)
{
	struct buf text = { 0 };

	buf_add_char(&text, '\0');
	buf_add_str(&text, c->hop->user);
	buf_add_char(&text, '\0');
	buf_add_str(&text, c->hop->password);
	say_base64(c, "AUTH PLAIN ", &text);
}

static void begin_scram(struct client *c)
{
	struct login *l = c->login;
	struct buf nonce = { 0 }, first = { 0 };
	uint8_t bytes[NONCE_BYTES];
	struct str user, password;

	RAND_bytes(bytes, sizeof(bytes));
	base64_encode((struct str){ (const char *)bytes, sizeof(bytes) }, &nonce);
	if (prepare(c->hop->user, &l->memory, &user))
		user = c->hop->user;
	if (prepare(c->hop->password, &l->memory, &password))
		password = c->hop->password;
	l->password = arena_str(&l->memory, password); /* the lane's while it works */
	scram_client_begin(&l->scram, user, buf_str(&nonce), &first);
	say_base64(c, "AUTH SCRAM-SHA-256 ", &first);
	buf_free(&nonce);
}

void client_log_in(struct client *c)
{
	bool safe = conn_secure(c->conn) || conn_from_loopback(c->conn);
	unsigned can = c->can.mechanisms & (safe ? ~0u : OFFERS_SCRAM_SHA_256);

	if (!can) {
		client_trouble(c, OUTCOME_DEFERRED, "4.7.0", NULL, "%s",
			c->can.mechanisms ? "the password would be sent in the clear"
					  : "no way to log in is offered that we know");
		client_next(c);
		return;
	}
	c->login = mem_new(struct login);
	c->login->c = c;
	c->login->mechanism = can & OFFERS_SCRAM_SHA_256 ? OFFERS_SCRAM_SHA_256
	                      : can & OFFERS_PLAIN       ? OFFERS_PLAIN
	                                                 : OFFERS_LOGIN;
	client_enter(c, LOGIN, c->conf->command_ms);
	if (c->login->mechanism == OFFERS_SCRAM_SHA_256)
		begin_scram(c);
	else if (c->login->mechanism == OFFERS_PLAIN)
		begin_plain(c);
	else
		client_say(c, "AUTH LOGIN\r\n");
}

/* What a 334 says, decoded. False: that cannot be. */
static bool challenge(const struct reply *r, struct buf *out)
{
	struct str left = r->lines, text;

	return reply_line(&left, &text) && !left.len && base64_decode(str_trim(text), out);
}

static void salt_work(struct job *job)
{
	struct login *l = (struct login *)job;

	scram_client_salt(&l->scram, l->password);
}

static void salted(struct job *job)
{
	struct login *l = (struct login *)job;
	struct buf text = { 0 };

	l->running = false;
	if (l->freed) {
		login_free(l);
		return;
	}
	l->state = CHALLENGED;
	scram_client_prove(&l->scram, &text);
	say_base64(l->c, "", &text);
}

static void challenged(struct client *c, struct str message)
{
	struct login *l = c->login;
	struct buf text = { 0 };

	if (l->running) {
		failed(c, NULL, "a challenge that nobody asked for");
	} else if (l->mechanism == OFFERS_LOGIN && l->state < PASSED) {
		buf_add_str(&text, l->state == BEGUN ? c->hop->user : c->hop->password);
		l->state++;
		say_base64(c, "", &text);
	} else if (l->mechanism == OFFERS_SCRAM_SHA_256 && l->state == BEGUN &&
		   scram_client_challenged(&l->scram, message)) {
		l->running = true;
		l->job = (struct job){ salt_work, salted, NULL };
		client_enter(c, LOGIN, 0);
		lane_add(c->worker->slow, &l->job);
	} else if (l->mechanism == OFFERS_SCRAM_SHA_256 && l->state == CHALLENGED &&
		   scram_client_proven(&l->scram, message)) {
		l->state = PROVEN;
		say_base64(c, "", &text);
	} else {
		failed(c, NULL, "the other side does not log us in as it should");
	}
}

/* It may send its proof with 235 as well, in text that is no more than that (RFC 4954, 4 wants a 334 for it). */
static bool is_proven(struct client *c, const struct reply *r)
{
	struct login *l = c->login;
	struct buf message = { 0 };
	struct str left = r->lines, text = STR_NONE;
	bool good = l->mechanism != OFFERS_SCRAM_SHA_256 || l->state == PROVEN;

	if (!good && l->state == CHALLENGED && reply_line(&left, &text)) {
		if (r->status.len && str_starts(text, r->status))
			text = str_cut(text, r->status.len, text.len);
		good = base64_decode(str_trim(text), &message) && scram_client_proven(&l->scram, buf_str(&message));
	}
	buf_free(&message);
	return good;
}

void client_login_reply(struct client *c, const struct reply *r)
{
	struct buf message = { 0 };

	if (r->code == 334) {
		if (challenge(r, &message) || c->login->mechanism == OFFERS_LOGIN) /* which says what it likes */
			challenged(c, buf_str(&message));
		else
			failed(c, NULL, "a challenge that is none");
		buf_free(&message);
	} else if (r->code != 235) {
		failed(c, r, " ");
	} else if (!is_proven(c, r)) {
		failed(c, NULL, "the other side does not prove that it knows the password");
	} else {
		over(c);
		c->logged_in = true;
		log_debug("smtp_client", conn_id(c->conn), "logged in user=" STR_FMT, STR_ARG(c->hop->user));
		client_ready(c);
	}
}
