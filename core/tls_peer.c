/* tls_peer.c - the client's certificate: asked for, verified, and whom it names.
 * The library would end the handshake if a certificate cannot be verified. That would lock out whoever shows one to
 * every server he meets, as mail servers do; so the handshake goes on and the verdict is kept in the session. It
 * travels in tickets, too: therefore these are good only where the same authorities are trusted. */
#include "core/tls_inside.h"
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#define CLIENT_CHAIN_BYTES_MAX 32768 /* of what a client shows; sessions and tickets hold it */
#define CLIENT_CHAIN_DEPTH     8

static enum err trust(void *user, X509 *cert, unsigned place, struct buf *why)
{
	struct tls *t = user;

	(void)place;
	if (X509_STORE_add_cert(SSL_CTX_get_cert_store(t->ctx), cert) && SSL_CTX_add_client_CA(t->ctx, cert))
		return OK;
	return tls_refuse(why, "authority");
}

static int verify(X509_STORE_CTX *ctx, void *user)
{
	(void)user;
	if (X509_verify_cert(ctx) <= 0 && X509_STORE_CTX_get_error(ctx) == X509_V_OK)
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_UNSPECIFIED);
	return 1; /* the verdict is the session's verify_result */
}

enum err tls_ask_client(struct tls *t, struct str authorities, struct buf *why)
{
	enum err e = tls_each_certificate(authorities, TLS_CA_MAX, trust, t, why);

	if (e)
		return e;
	X509_STORE_set_flags(SSL_CTX_get_cert_store(t->ctx), X509_V_FLAG_PARTIAL_CHAIN); /* no need to be a root */
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_verify_depth(t->ctx, CLIENT_CHAIN_DEPTH);
	SSL_CTX_set_max_cert_list(t->ctx, CLIENT_CHAIN_BYTES_MAX);
	SSL_CTX_set_cert_verify_callback(t->ctx, verify, NULL);
	SHA256((const uint8_t *)authorities.p, authorities.len, t->authorities);
	return OK;
}

/* False: this is no name. */
static bool add_name(const ASN1_STRING *name, struct buf *out)
{
	uint8_t *text = NULL;
	int len = name ? ASN1_STRING_to_UTF8(&text, name) : -1;
	bool good = len > 0 && len <= TLS_CLIENT_NAME_MAX;

	for (int i = 0; good && i < len; i++)
		good = text[i] >= ' ' && text[i] != 0x7f;
	if (good)
		buf_add(out, text, (size_t)len);
	OPENSSL_free(text);
	ERR_clear_error();
	return good;
}

static bool add_alternative(const X509 *cert, struct buf *out)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool added = false;

	for (size_t i = 0; names && !added && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		added = name->type == GEN_EMAIL && add_name(name->d.rfc822Name, out);
	}
	GENERAL_NAMES_free(names);
	return added;
}

static bool add_subject(const X509 *cert, int kind, struct buf *out)
{
	X509_NAME *subject = X509_get_subject_name(cert);
	int place = X509_NAME_get_index_by_NID(subject, kind, -1);

	return place >= 0 && add_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place)), out);
}

void tls_client_name(const struct ssl_st *s, struct buf *out)
{
	X509 *cert = SSL_get_peer_certificate(s);

	/* A session that resumes may outlive its certificate. */
	if (cert && SSL_get_verify_result(s) == X509_V_OK && X509_cmp_current_time(X509_get0_notAfter(cert)) > 0 &&
		!add_alternative(cert, out) && !add_subject(cert, NID_pkcs9_emailAddress, out))
		add_subject(cert, NID_commonName, out);
	X509_free(cert);
	ERR_clear_error();
}
