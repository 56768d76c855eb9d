/* sasl_scram.c - SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), bound to the channel by tls-exporter
 * (RFC 9266).
 *   client  n,,n=user,r=<its nonce>                            or p=tls-exporter,, for PLUS
 *   server  r=<its nonce><ours>,s=<salt>,i=<iterations>        after the account's owner was asked for these
 *   client  c=<header and binding>,r=<nonces>,p=<proof>
 *   server  v=<signature>                                      after the owner found the proof right
 *   client  (nothing)
 * A name that is not there is told a salt as well, and fails where a wrong proof does. What somebody between could
 * have changed (the binding, the header, our nonce, whether PLUS was offered) is denied like a wrong proof; what is no
 * message of SCRAM is the client's mistake. */
#include "core/mem.h"
#include "protocols/sasl_mechanism.h"
#include "protocols/sasl_scram_message.h"
#include "storage/account/scram.h"
#include "storage/mail/decode.h"
#include <openssl/rand.h>
#include <stdlib.h>

#define NONCE_BYTES  18 /* ours, before base64 */
#define BINDING      "tls-exporter"
#define BINDING_SIZE 32

struct scram {
	bool plus;
	bool offered_plus;
	struct call *call; /* for the salt; ours */
	struct buf name, authorize;
	struct buf header; /* gs2-header, and from then on what c= has to be: with the binding's bytes */
	struct buf nonce;  /* the client's, then both */
	struct buf auth;   /* AuthMessage, as far as it goes */
	uint8_t signature[SCRAM_KEY_BYTES];
};

bool sasl_scram_plus_possible(const struct login_conf *conf, const struct conn *c)
{
	uint8_t binding[BINDING_SIZE];

	return conf->channel_binding && conn_tls_exporter(c, binding);
}

void sasl_scram_free(struct scram *m)
{
	if (!m)
		return;
	call_cancel(m->call);
	buf_free(&m->name);
	buf_free(&m->authorize);
	buf_free(&m->header);
	buf_free(&m->nonce);
	buf_free(&m->auth);
	free(m);
}

bool sasl_scram_is_waiting(const struct scram *m)
{
	return m && m->call;
}

static enum sasl_step deny(struct sasl *s, const char *reason)
{
	struct login_who who = sasl_who(s, buf_str(&s->scram->name), STR_NONE);

	s->login = login_refuse(&who, reason);
	return SASL_WAITS;
}

/* ---- the client's first message, and our answer ---- */

static void salt_told(void *user, enum err e, uint32_t iterations, struct str salt)
{
	struct sasl *s = user;
	struct scram *m = s->scram;
	struct buf first = { 0 };

	m->call = NULL;
	if (e) {
		s->on_step(s->user, SASL_LATER);
		return;
	}
	buf_printf(&first, "r=" STR_FMT ",s=", STR_ARG(buf_str(&m->nonce)));
	base64_encode(salt, &first);
	buf_printf(&first, ",i=%u", iterations);
	buf_add_str(&m->auth, buf_str(&first));
	sasl_ask(s, buf_str(&first));
	buf_free(&first);
	s->on_step(s->user, SASL_ASKS);
}

static void add_nonce(struct buf *nonce)
{
	uint8_t bytes[NONCE_BYTES];

	RAND_bytes(bytes, sizeof(bytes));
	base64_encode((struct str){ (const char *)bytes, sizeof(bytes) }, nonce);
}

/* What is wrong with the client's wish for a binding (RFC 5802, 6); NULL: nothing. */
static const char *binding_wrong(const struct scram *m, const struct scram_first *f)
{
	if (m->plus)
		return f->flag != 'p'                      ? "no channel binding"
		       : !str_eq(f->binding, STR(BINDING)) ? "unknown channel binding"
		                                           : NULL;
	if (f->flag == 'p')
		return "channel binding with the wrong mechanism";
	if (f->flag == 'y' && m->offered_plus)
		return "the client was not told of SCRAM-SHA-256-PLUS";
	return NULL;
}

static enum sasl_step first(struct sasl *s, struct str message, bool plus)
{
	struct scram *m = s->scram = mem_new(struct scram);
	struct scram_first f;
	const char *wrong;

	m->plus = plus;
	m->offered_plus = sasl_scram_plus_possible(s->conf, s->session->conn);
	if (!scram_first_parse(message, &f) || !scram_name(f.name, &m->name) || !scram_name(f.authorize, &m->authorize))
		return SASL_MALFORMED;
	if ((wrong = binding_wrong(m, &f)))
		return deny(s, wrong);
	buf_add_str(&m->header, f.header);
	if (plus) {
		uint8_t binding[BINDING_SIZE];

		if (!conn_tls_exporter(s->session->conn, binding))
			return deny(s, "no channel binding");
		buf_add(&m->header, binding, sizeof(binding));
	}
	buf_add_str(&m->nonce, f.nonce);
	add_nonce(&m->nonce);
	buf_add_str(&m->auth, f.bare);
	buf_add_char(&m->auth, ',');
	m->call = login_salt(s->worker, s->conf, buf_str(&m->name), salt_told, s);
	return SASL_WAITS;
}

/* ---- the client's proof, and ours ---- */

static bool decoded_is(struct str base64, const struct buf *wanted)
{
	struct buf bytes = { 0 };
	bool same = base64_decode(base64, &bytes) && str_eq(buf_str(&bytes), buf_str(wanted));

	buf_free(&bytes);
	return same;
}

static enum sasl_step final(struct sasl *s, struct str message)
{
	struct scram *m = s->scram;
	struct buf proof = { 0 };
	struct scram_final f;
	struct login_who who;

	if (!scram_final_parse(message, &f))
		return SASL_MALFORMED;
	if (!str_eq(f.nonce, buf_str(&m->nonce)))
		return deny(s, "wrong nonce");
	if (!decoded_is(f.binding, &m->header))
		return deny(s, "wrong channel binding");
	if (!base64_decode(f.proof, &proof) || buf_len(&proof) != SCRAM_KEY_BYTES) {
		buf_free(&proof);
		return SASL_MALFORMED;
	}
	buf_add_char(&m->auth, ',');
	buf_add_str(&m->auth, f.without_proof);
	who = sasl_who(s, buf_str(&m->name), buf_str(&m->authorize));
	s->login = login_proof(
		&who, &(struct login_proof){
			      .message = buf_str(&m->auth), .proof = buf_str(&proof), .signature = m->signature });
	buf_free(&proof);
	return SASL_WAITS;
}

enum sasl_step sasl_scram_proved(struct sasl *s)
{
	struct buf last = { 0 };

	buf_add_str(&last, STR("v="));
	base64_encode((struct str){ (const char *)s->scram->signature, SCRAM_KEY_BYTES }, &last);
	sasl_ask(s, buf_str(&last));
	buf_free(&last);
	return SASL_ASKS;
}

static enum sasl_step respond(struct sasl *s, struct str message, bool plus)
{
	if (!s->scram)
		return first(s, message, plus);
	if (s->account) /* he has heard our proof; what he says is nothing, and whether he likes it his business */
		return message.len ? SASL_MALFORMED : SASL_DONE;
	return final(s, message);
}

enum sasl_step sasl_scram(struct sasl *s, struct str message)
{
	return respond(s, message, false);
}

enum sasl_step sasl_scram_plus(struct sasl *s, struct str message)
{
	return respond(s, message, true);
}
