/* tls_inside.h - what the files of TLS share: tls.c (certificate, session) and tls_peer.c (who the client is). */
#ifndef CORE_TLS_INSIDE_H
#define CORE_TLS_INSIDE_H

#include "core/tls.h"
#include <openssl/ssl.h>

struct tls {
	SSL_CTX *ctx;
	unsigned refs;
	int64_t expires;
};

/* What OpenSSL's interface answers with NULL or 0 only for want of memory. */
void *tls_present(void *p);

/* Calls each with every certificate of a PEM text, in order, until one is refused; at least one, at most max. */
enum err tls_each_certificate(struct str pem, unsigned max,
	enum err (*each)(struct tls *t, X509 *cert, unsigned place, struct buf *why), struct tls *t, struct buf *why);
enum err tls_refuse(struct buf *why, const char *what); /* ERR_NEVER, and the library's reason in why */

#endif
