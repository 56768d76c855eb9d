/* tls.h - the one place that knows BoringSSL's SSL.
 * A struct tls is certificates (chains) and keys ready to serve, TLS 1.2 and 1.3, with ticket keys that the master
 * made and all workers share, so that a session resumes on any of them. Counted: connections keep the one they
 * started with. The steps below are conn.c's: each does what it can without waiting and says what it needs next. */
#ifndef CORE_TLS_H
#define CORE_TLS_H

#include "core/buf.h"
#include "core/err.h"

struct tls;
struct ssl_st;

#define TLS_TICKET_KEY_BYTES 48
#define TLS_CHAIN_MAX        16  /* certificates in a chain */
#define TLS_CA_MAX           256 /* certificates in a file of authorities */
#define TLS_EXPORTER_BYTES   32

/* chain and key are PEM. why gets one line when ERR_NEVER is answered (unreadable, or the key is another's). */
enum err tls_new(struct tls **out, struct str chain, struct str key, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES],
	struct buf *why);

/* One more, before t is shared: for clients that ask for one of its names (SNI), or that cannot take the ECDSA of
 * another that has the name. The first, whose label is "default", is for all others. */
enum err tls_add(struct tls *t, struct str label, struct str chain, struct str key, struct buf *why);

/* From now on the handshake asks for the client's certificate, which he may have or not. authorities are PEM: whom
 * they certified, directly or by others, has a name (tls_client_name). A certificate that cannot be verified (strange,
 * expired, for another purpose) counts as none: servers of other domains show theirs to everybody. Tickets of sessions
 * with other authorities resume no more. Before t is shared. why as above. */
enum err tls_ask_client(struct tls *t, struct str authorities, struct buf *why);

struct tls *tls_ref(struct tls *t);
void tls_unref(struct tls *t); /* NULL is fine */

struct tls_certificate {
	const char *label, *kind; /* "ECDSA" or "RSA"; valid as long as t */
	int64_t starts, expires;  /* seconds since 1970 */
};

size_t tls_count(const struct tls *t);
struct tls_certificate tls_at(const struct tls *t, size_t place);

enum tls_step {
	TLS_DONE,
	TLS_WANT_READ,  /* again when the socket can be read */
	TLS_WANT_WRITE, /* again when it can be written; a write with the same bytes, more may follow them */
	TLS_CLOSED,     /* the other side ended it, whether by close_notify or not */
	TLS_BROKEN,     /* the socket failed: errno */
	TLS_FAILED,     /* the other side broke the protocol or will not have us: tls_reason */
};

/* What connections to other servers share: whom they trust, and sessions to take up again (RFC 8446, 2.2). authorities
 * are PEM, at least one: whom they certified is trusted to be who his certificate says; NULL: any certificate will do. */
struct tls_client;
#define TLS_CLIENT_SESSIONS 256 /* that are kept; a new one takes the place of another */
enum err tls_client_new(struct tls_client **out, const struct str *authorities, struct buf *why);
void tls_client_free(struct tls_client *t); /* connections keep what they need; NULL is fine */

/* A client session with that host, a DNS name or an address, on the connected socket fd. */
struct ssl_st *tls_connect(struct tls_client *t, int fd, struct str host);

/* A server session on the connected, non-blocking socket fd, which stays the caller's. Keeps what it needs of t. */
struct ssl_st *tls_accept(struct tls *t, int fd);
void tls_free(struct ssl_st *s); /* NULL is fine */

enum tls_step tls_handshake(struct ssl_st *s);
enum tls_step tls_read(struct ssl_st *s, void *bytes, size_t size, size_t *len);
enum tls_step tls_write(struct ssl_st *s, const void *bytes, size_t size, size_t *len); /* len: how many it took */
bool tls_pending(const struct ssl_st *s); /* input is there that the socket will not tell of any more */
void tls_close(struct ssl_st *s);         /* says close_notify if that goes without waiting */

bool tls_resumed(const struct ssl_st *s);
void tls_describe(const struct ssl_st *s, struct buf *out); /* "TLSv1.3 TLS_AES_128_GCM_SHA256" */

/* The channel binding tls-exporter (RFC 9266), after the handshake. False: this session has none, being TLS 1.2
 * without the extended master secret (4.2). */
bool tls_exporter(const struct ssl_st *s, uint8_t out[TLS_EXPORTER_BYTES]);

/* Adds whom the client's certificate names: the first rfc822Name of subjectAltName, else the subject's emailAddress,
 * else its commonName, in UTF-8 without control characters. Nothing without a certificate that holds at this time. */
#define TLS_CLIENT_NAME_MAX 320 /* bytes; a longer one counts as none */
void tls_client_name(const struct ssl_st *s, struct buf *out);

/* After TLS_FAILED: what went wrong, for logs, a text that lasts; of that session, or as the library alone knows. */
const char *tls_failure(const struct ssl_st *s);
const char *tls_reason(void);

/* Writes a new self-signed ECDSA P-256 certificate for `host`, a DNS name or an address, good for ten years, and
 * its key as PEM (demo and scratch servers). ERR_MISTAKE: no such name can be in a certificate. */
enum err tls_self_signed(const char *host, struct buf *chain, struct buf *key);

#endif
