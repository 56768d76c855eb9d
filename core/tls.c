/* tls.c - see tls.h.
 * TLS 1.2 keeps only suites with forward secrecy and authenticated encryption; 1.3 has no others. BoringSSL never
 * renegotiates as a server and gives its buffers back whenever they are empty; with SSL_set_shed_handshake_config an
 * idle session holds a few KiB. Reading goes through a BIO of our own, because the library's socket BIO writes
 * without MSG_NOSIGNAL. */
#include "core/log.h"
#include "core/mem.h"
#include "core/tls_inside.h"
#include <assert.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Suites in brackets are equal: the client's order decides, so that one without AES in hardware gets ChaCha20. */
static const char suites_1_2[] = "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]:"
				 "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]:"
				 "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

void *tls_present(void *p)
{
	if (!p) {
		log_error("core", NULL, "out of memory in the TLS library");
		abort();
	}
	return p;
}

/* A socket as BoringSSL sees it. */

static int socket_of(BIO *bio)
{
	return (int)(intptr_t)BIO_get_data(bio);
}

static int bio_read(BIO *bio, char *bytes, int size)
{
	ssize_t n;

	BIO_clear_retry_flags(bio);
	n = recv(socket_of(bio), bytes, (size_t)size, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(bio);
	return (int)n;
}

static int bio_write(BIO *bio, const char *bytes, int size)
{
	ssize_t n;

	BIO_clear_retry_flags(bio);
	n = send(socket_of(bio), bytes, (size_t)size, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	return (int)n;
}

static long bio_ctrl(BIO *bio, int what, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return what == BIO_CTRL_FLUSH;
}

BIO *tls_socket(int fd)
{
	static BIO_METHOD *method;
	BIO *bio;

	if (!method) {
		method = tls_present(BIO_meth_new(BIO_TYPE_SOCKET, "socket"));
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_ctrl(method, bio_ctrl);
	}
	bio = tls_present(BIO_new(method));
	BIO_set_data(bio, (void *)(intptr_t)fd);
	BIO_set_init(bio, 1);
	return bio;
}

static void set_protocol(SSL_CTX *ctx, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES])
{
	int good = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);

	good &= SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
	good &= SSL_CTX_set_strict_cipher_list(ctx, suites_1_2);
	good &= SSL_CTX_set_tlsext_ticket_keys(ctx, ticket_key, TLS_TICKET_KEY_BYTES);
	assert(good);
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* all is in the ticket */
	SSL_CTX_set_mode(
		ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

static void ended(void *ctx, void *user, CRYPTO_EX_DATA *data, int place, long number, void *pointer)
{
	struct tls *t = user;

	(void)ctx, (void)data, (void)place, (void)number, (void)pointer;
	if (!t)
		return;
	for (size_t i = 0; i < t->count; i++)
		tls_pair_free(&t->pairs[i]);
	for (size_t i = 0; i < t->names_count; i++)
		free(t->names[i].name);
	free(t->pairs);
	free(t->names);
	free(t);
}

/* Where the library keeps our struct in its own, whose references it counts: a session in the midst of its handshake
 * has what it may choose from, whatever becomes of the configuration. */
static int our_place(void)
{
	static int place = -1;

	if (place < 0)
		place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, ended);
	assert(place >= 0);
	return place;
}

struct tls *tls_of(const struct ssl_st *s)
{
	return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(s), our_place());
}

enum err tls_new(struct tls **out, struct str chain, struct str key, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES],
	struct buf *why)
{
	struct tls *t = mem_new(struct tls);
	enum err e;

	ERR_clear_error();
	t->ctx = tls_present(SSL_CTX_new(TLS_server_method()));
	if (!SSL_CTX_set_ex_data(t->ctx, our_place(), t))
		tls_present(NULL);
	set_protocol(t->ctx, ticket_key);
	SSL_CTX_set_select_certificate_cb(t->ctx, tls_choose);
	e = tls_add(t, STR("default"), chain, key, why);
	if (e)
		tls_unref(t);
	*out = e ? NULL : t;
	return e;
}

struct tls *tls_ref(struct tls *t)
{
	SSL_CTX_up_ref(t->ctx);
	return t;
}

void tls_unref(struct tls *t)
{
	if (t)
		SSL_CTX_free(t->ctx);
}

/* A session. */

struct ssl_st *tls_accept(struct tls *t, int fd)
{
	SSL *s = tls_present(SSL_new(t->ctx));
	BIO *bio = tls_socket(fd);

	SSL_set_bio(s, bio, bio);
	SSL_set_shed_handshake_config(s, 1);
	SSL_set_accept_state(s);
	return s;
}

void tls_free(struct ssl_st *s)
{
	SSL_free(s);
}

/* What the last call on s, which answered n, means for the caller. */
static enum tls_step step_of(SSL *s, int n)
{
	switch (SSL_get_error(s, n)) {
	case SSL_ERROR_NONE:
		return TLS_DONE;
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	case SSL_ERROR_SYSCALL:
		return n == 0 ? TLS_CLOSED : TLS_BROKEN;
	default:
		return TLS_FAILED;
	}
}

enum tls_step tls_handshake(struct ssl_st *s)
{
	ERR_clear_error();
	return step_of(s, SSL_do_handshake(s));
}

enum tls_step tls_read(struct ssl_st *s, void *bytes, size_t size, size_t *len)
{
	int n;

	assert(size && size <= INT32_MAX);
	ERR_clear_error();
	n = SSL_read(s, bytes, (int)size);
	*len = n > 0 ? (size_t)n : 0;
	return step_of(s, n);
}

enum tls_step tls_write(struct ssl_st *s, const void *bytes, size_t size, size_t *len)
{
	int n;

	assert(size && size <= INT32_MAX);
	ERR_clear_error();
	n = SSL_write(s, bytes, (int)size);
	*len = n > 0 ? (size_t)n : 0;
	return step_of(s, n);
}

bool tls_pending(const struct ssl_st *s)
{
	return SSL_pending(s) > 0;
}

void tls_close(struct ssl_st *s)
{
	ERR_clear_error();
	SSL_shutdown(s);
	ERR_clear_error();
}

bool tls_resumed(const struct ssl_st *s)
{
	return SSL_session_reused(s);
}

void tls_describe(const struct ssl_st *s, struct buf *out)
{
	buf_printf(out, "%s %s", SSL_get_version(s), SSL_CIPHER_standard_name(SSL_get_current_cipher(s)));
}

bool tls_exporter(const struct ssl_st *s, uint8_t out[TLS_EXPORTER_BYTES])
{
	static const char label[] = "EXPORTER-Channel-Binding";

	if (SSL_version(s) < TLS1_3_VERSION && !SSL_get_extms_support(s))
		return false;
	return SSL_export_keying_material((SSL *)s, out, TLS_EXPORTER_BYTES, label, sizeof(label) - 1, NULL, 0, 0);
}

enum err tls_refuse(struct buf *why, const char *what)
{
	buf_printf(why, "%s: %s", what, tls_reason());
	ERR_clear_error();
	return ERR_NEVER;
}

const char *tls_failure(const struct ssl_st *s)
{
	long verdict = SSL_get_verify_result(s);

	if (!SSL_is_server(s) && SSL_get_verify_mode(s) != SSL_VERIFY_NONE && verdict != X509_V_OK)
		return X509_verify_cert_error_string(verdict);
	return tls_reason();
}

const char *tls_reason(void)
{
	uint32_t error = ERR_peek_error();
	const char *text = error ? ERR_reason_error_string(error) : NULL;

	return text ? text : "unknown";
}
