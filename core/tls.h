/* tls.h - the one place that knows BoringSSL's SSL.
 * A struct tls is a certificate (chain) and key ready to serve, TLS 1.2 and 1.3, with ticket keys that the master
 * made and all workers share, so that a session resumes on any of them. Counted: connections keep the one they
 * started with. */
#ifndef CORE_TLS_H
#define CORE_TLS_H

#include "core/buf.h"
#include "core/err.h"

struct tls;
struct ssl_st;

#define TLS_TICKET_KEY_BYTES 48

/* chain and key are PEM. why gets one line when ERR_NEVER is answered (unreadable, or the key is another's). */
enum err tls_new(struct tls **out, struct str chain, struct str key, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES],
	struct buf *why);
struct tls *tls_ref(struct tls *t);
void tls_unref(struct tls *t);
int64_t tls_expires(const struct tls *t); /* seconds since 1970 when the certificate ends */

struct ssl_st *tls_accept(struct tls *t, int fd); /* conn.c alone: a server session on fd */

/* Writes a new self-signed ECDSA P-256 certificate for `host` and its key as PEM (demo and scratch servers). */
enum err tls_self_signed(const char *host, struct buf *chain, struct buf *key);

#endif
