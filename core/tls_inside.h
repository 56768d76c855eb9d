/* tls_inside.h - what the files of TLS share: tls.c (a session), tls_pair.c (a certificate and its key), tls_choose.c
 * (which of them a client is shown), tls_peer.c (who the client is), tls_client.c (we are the client), tls_self.c (a certificate of our own making). */
#ifndef CORE_TLS_INSIDE_H
#define CORE_TLS_INSIDE_H

#include "core/tls.h"
#include <openssl/ssl.h>

#define TLS_HOST_MAX 253 /* bytes of a DNS name */

struct tls_pair { /* a certificate, its chain and its key */
	char *label;
	CRYPTO_BUFFER *chain[TLS_CHAIN_MAX];
	size_t length;
	EVP_PKEY *key;
	int64_t starts, expires;
	uint16_t algorithm; /* signature scheme a client has to know (RFC 8446, 4.2.3); 0: RSA, which all do */
};

struct tls_name {    /* whom a certificate is for; the first label may be a star */
	char *name;  /* in lower case */
	size_t pair; /* place */
};

struct tls {
	SSL_CTX *ctx; /* counts the references, and takes us with it */
	struct tls_pair *pairs;
	size_t count;
	struct tls_name *names; /* sorted; of one name, those of ECDSA first, then by place */
	size_t names_count;
	uint8_t authorities[32]; /* digest; zeros: clients are not asked */
};

/* What OpenSSL's interface answers with NULL or 0 only for want of memory. */
void *tls_present(void *p);
struct tls *tls_of(const struct ssl_st *s);
enum err tls_refuse(struct buf *why, const char *what); /* ERR_NEVER, and the library's reason in why */

/* Calls each with every certificate of a PEM text, in order, until one is refused; at least one, at most max. */
enum err tls_each_certificate(struct str pem, unsigned max,
	enum err (*each)(void *user, X509 *cert, unsigned place, struct buf *why), void *user, struct buf *why);
void tls_pair_free(struct tls_pair *p);

BIO *tls_socket(int fd); /* as the library sees it; fd stays the caller's */

/* A name as in RFC 1034, 3.5, or the first label a star (RFC 6125, 6.4.3); underscores are met in the wild. */
bool tls_is_dns_name(struct str name);

enum ssl_select_cert_result_t tls_choose(const SSL_CLIENT_HELLO *hello);

/* Bodies of a ClientHello's extensions, from a stranger: the host_name of server_name (RFC 6066, 3), none if it is
 * malformed; whether a list of 16-bit numbers behind its own length (of len_bytes) has this one. */
struct str tls_hello_name(struct str body);
bool tls_hello_lists(struct str body, unsigned len_bytes, uint16_t number);

#endif
