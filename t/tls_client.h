/* tls_client.h - the client's end of TLS for unit tests, over a non-blocking socket.
 * It takes any certificate, unless the test asks for it afterwards, and keeps the last session it was given. */
#ifndef T_TLS_CLIENT_H
#define T_TLS_CLIENT_H

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>

static SSL_SESSION *client_session; /* the last one given, to resume */

static int client_keep_session(SSL *s, SSL_SESSION *session)
{
	(void)s;
	SSL_SESSION_free(client_session);
	client_session = session;
	return 1;
}

static enum ssl_verify_result_t client_take_any(SSL *s, uint8_t *alert)
{
	(void)s, (void)alert;
	return ssl_verify_ok;
}

/* version: TLS1_2_VERSION or TLS1_3_VERSION and no other; 0: whatever the server likes. */
static inline SSL *client_new(int fd, uint16_t version, SSL_SESSION *resume)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *s;

	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, client_keep_session);
	SSL_CTX_set_custom_verify(ctx, SSL_VERIFY_PEER, client_take_any);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (version) {
		SSL_CTX_set_min_proto_version(ctx, version);
		SSL_CTX_set_max_proto_version(ctx, version);
	}
	s = SSL_new(ctx);
	SSL_CTX_free(ctx);
	if (!s || !SSL_set_fd(s, fd))
		abort();
	if (resume)
		SSL_set_session(s, resume);
	SSL_set_connect_state(s);
	return s;
}

/* The client waits for its socket, nothing worse. */
static inline bool client_waits(const SSL *s, int n)
{
	int why = SSL_get_error(s, n);

	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

static inline void client_forget_session(void)
{
	SSL_SESSION_free(client_session);
	client_session = NULL;
}

#endif
