/* tls_client.c - we are the client: whose certificate we take, and sessions that are taken up again.
 * A session is offered to the host alone that gave it, found by its whole name: to another it would prove that he is who he
 * is not. Those of TLS 1.3 are offered once (RFC 8446, C.4). */
#include "core/mem.h"
#include "core/network.h"
#include "core/tls_inside.h"
#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVER_CHAIN_BYTES_MAX 65536 /* of what a server shows */

struct tls_client {
	SSL_CTX *ctx; /* counts the references, and takes us with it */
	struct kept {
		char *host;
		SSL_SESSION *session; /* NULL: none */
	} kept[TLS_CLIENT_SESSIONS];  /* by a hash of the host */
};

static void drop(struct kept *k)
{
	free(k->host);
	SSL_SESSION_free(k->session);
	*k = (struct kept){ 0 };
}

static void ended(void *ctx, void *user, CRYPTO_EX_DATA *data, int place, long number, void *pointer)
{
	struct tls_client *t = user;

	(void)ctx, (void)data, (void)place, (void)number, (void)pointer;
	for (size_t i = 0; t && i < TLS_CLIENT_SESSIONS; i++)
		drop(&t->kept[i]);
	free(t);
}

static void host_ended(void *ssl, void *host, CRYPTO_EX_DATA *data, int place, long number, void *pointer)
{
	(void)ssl, (void)data, (void)place, (void)number, (void)pointer;
	free(host);
}

/* Where the library keeps our struct in its context, and the host's name in its session. */
static int our_place(void)
{
	static int place = -1;

	if (place < 0)
		place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, ended);
	assert(place >= 0);
	return place;
}

static int host_place(void)
{
	static int place = -1;

	if (place < 0)
		place = SSL_get_ex_new_index(0, NULL, NULL, NULL, host_ended);
	assert(place >= 0);
	return place;
}

static struct kept *kept_of(struct tls_client *t, struct str host)
{
	return &t->kept[str_hash(host) % TLS_CLIENT_SESSIONS];
}

/* The host gave a session; 1: it is ours. */
static int keep(SSL *s, SSL_SESSION *session)
{
	struct tls_client *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(s), our_place());
	struct str host = str_of(SSL_get_ex_data(s, host_place()));
	struct kept *k = kept_of(t, host);

	drop(k);
	*k = (struct kept){ str_dup(host), session };
	return 1;
}

static void resume(struct tls_client *t, SSL *s, struct str host)
{
	struct kept *k = kept_of(t, host);

	if (!k->session || !str_eq(str_of(k->host), host))
		return;
	SSL_set_session(s, k->session);
	if (SSL_SESSION_should_be_single_use(k->session))
		drop(k);
}

static enum err trust(void *user, X509 *cert, unsigned place, struct buf *why)
{
	struct tls_client *t = user;

	(void)place;
	return X509_STORE_add_cert(SSL_CTX_get_cert_store(t->ctx), cert) ? OK : tls_refuse(why, "authority");
}

enum err tls_client_new(struct tls_client **out, const struct str *authorities, struct buf *why)
{
	struct tls_client *t = mem_new(struct tls_client);
	enum err e = OK;

	ERR_clear_error();
	t->ctx = tls_present(SSL_CTX_new(TLS_client_method()));
	if (!SSL_CTX_set_ex_data(t->ctx, our_place(), t) || !SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION))
		tls_present(NULL);
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(t->ctx, keep);
	SSL_CTX_set_max_cert_list(t->ctx, SERVER_CHAIN_BYTES_MAX);
	SSL_CTX_set_mode(
		t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	if (authorities) {
		X509_STORE_set_flags(
			SSL_CTX_get_cert_store(t->ctx), X509_V_FLAG_PARTIAL_CHAIN); /* no need to be a root */
		SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
		e = tls_each_certificate(*authorities, TLS_CA_MAX, trust, t, why);
	}
	if (e)
		tls_client_free(t);
	*out = e ? NULL : t;
	return e;
}

void tls_client_free(struct tls_client *t)
{
	if (t)
		SSL_CTX_free(t->ctx);
}

/* A name is told to the server, and its certificate must bear it (RFC 6125, 6.4), an address likewise (RFC 6066, 3 has
 * none told). */
static void set_host(SSL *s, struct str host)
{
	char text[TLS_HOST_MAX + 1];
	struct ip ip;
	int good;

	snprintf(text, sizeof(text), STR_FMT, STR_ARG(host));
	if (ip_read(host, &ip)) {
		good = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s), text);
	} else {
		SSL_set_hostflags(s, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		good = SSL_set1_host(s, text) && (!tls_is_dns_name(host) || SSL_set_tlsext_host_name(s, text));
	}
	if (!good)
		tls_present(NULL);
}

struct ssl_st *tls_connect(struct tls_client *t, int fd, struct str host)
{
	SSL *s = tls_present(SSL_new(t->ctx));
	BIO *bio = tls_socket(fd);

	SSL_set_bio(s, bio, bio);
	SSL_set_shed_handshake_config(s, 1);
	if (host.len > TLS_HOST_MAX)
		host.len = TLS_HOST_MAX; /* no certificate is for such a name */
	set_host(s, host);
	if (!SSL_set_ex_data(s, host_place(), str_dup(host)))
		tls_present(NULL);
	resume(t, s, host);
	SSL_set_connect_state(s);
	return s;
}
