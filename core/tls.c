/* tls.c - see tls.h.
 * TLS 1.2 keeps only suites with forward secrecy and authenticated encryption; 1.3 has no others. BoringSSL never
 * renegotiates as a server and gives its buffers back whenever they are empty; with SSL_set_shed_handshake_config an
 * idle session holds a few KiB. Reading goes through a BIO of our own, because the library's socket BIO writes
 * without MSG_NOSIGNAL. */
#include "core/log.h"
#include "core/mem.h"
#include "core/tls_inside.h"
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>

#define SELF_SIGNED_DAYS 3650
#define BACKDATED_DAYS   1  /* a client's clock may be behind ours */
#define COMMON_NAME_MAX  64 /* ub-common-name, RFC 5280, A.1; a longer host stands in subjectAltName alone */
#define HOST_MAX         253
#define LABEL_MAX        63
#define SERIAL_BITS      127

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

static BIO *bio_new(int fd)
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

/* A certificate and its key. */

enum err tls_refuse(struct buf *why, const char *what)
{
	buf_printf(why, "%s: %s", what, tls_reason());
	ERR_clear_error();
	return ERR_NEVER;
}

/* Without this the library would ask for a passphrase at the terminal. */
static int no_passphrase(char *passphrase, int size, int writing, void *user)
{
	(void)passphrase, (void)size, (void)writing, (void)user;
	return 0;
}

static BIO *bio_over(struct str bytes)
{
	return tls_present(BIO_new_mem_buf(bytes.len ? bytes.p : "", (int)bytes.len));
}

enum err tls_each_certificate(struct str pem, unsigned max,
	enum err (*each)(struct tls *t, X509 *cert, unsigned place, struct buf *why), struct tls *t, struct buf *why)
{
	BIO *in = bio_over(pem);
	unsigned count = 0;
	enum err e = OK;
	X509 *cert;

	while (!e && (cert = PEM_read_bio_X509(in, NULL, no_passphrase, NULL))) {
		if (count == max) {
			buf_printf(why, "certificate: more than %u in the chain", max);
			e = ERR_NEVER;
		} else {
			e = each(t, cert, count++, why);
		}
		X509_free(cert);
	}
	BIO_free(in);
	if (e)
		return e;
	/* The reading ends for want of another BEGIN line; anything else is damage. */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return tls_refuse(why, "certificate chain");
	if (count == 0)
		return tls_refuse(why, "no certificate (PEM is wanted)");
	ERR_clear_error();
	return OK;
}

static int64_t not_after(const X509 *cert)
{
	ASN1_TIME *epoch = tls_present(ASN1_TIME_set(NULL, 0));
	int days = 0, seconds = 0;

	ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(cert));
	ASN1_TIME_free(epoch);
	return (int64_t)days * 86400 + seconds;
}

/* The first is the server's own, the rest leads to its root. */
static enum err use_certificate(struct tls *t, X509 *cert, unsigned place, struct buf *why)
{
	if (place)
		return SSL_CTX_add1_chain_cert(t->ctx, cert) ? OK : tls_refuse(why, "certificate chain");
	t->expires = not_after(cert);
	return SSL_CTX_use_certificate(t->ctx, cert) ? OK : tls_refuse(why, "certificate");
}

static enum err use_key(struct tls *t, struct str pem, struct buf *why)
{
	BIO *in = bio_over(pem);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
	enum err e = OK;

	BIO_free(in);
	if (!key)
		return tls_refuse(why, "private key (PEM without a passphrase is wanted)");
	if (!SSL_CTX_use_PrivateKey(t->ctx, key) || !SSL_CTX_check_private_key(t->ctx))
		e = tls_refuse(why, "private key");
	EVP_PKEY_free(key);
	return e;
}

static void set_protocol(SSL_CTX *ctx, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES])
{
	static const uint8_t context[] = "postern"; /* tickets are good among our own workers */
	int good = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);

	good &= SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
	good &= SSL_CTX_set_strict_cipher_list(ctx, suites_1_2);
	good &= SSL_CTX_set_tlsext_ticket_keys(ctx, ticket_key, TLS_TICKET_KEY_BYTES);
	good &= SSL_CTX_set_session_id_context(ctx, context, sizeof(context) - 1);
	assert(good);
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* all is in the ticket */
	SSL_CTX_set_mode(
		ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

enum err tls_new(struct tls **out, struct str chain, struct str key, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES],
	struct buf *why)
{
	struct tls *t = mem_new(struct tls);
	enum err e;

	ERR_clear_error();
	t->refs = 1;
	t->ctx = tls_present(SSL_CTX_new(TLS_server_method()));
	set_protocol(t->ctx, ticket_key);
	e = tls_each_certificate(chain, TLS_CHAIN_MAX, use_certificate, t, why);
	if (!e)
		e = use_key(t, key, why);
	if (e)
		tls_unref(t);
	*out = e ? NULL : t;
	return e;
}

struct tls *tls_ref(struct tls *t)
{
	t->refs++;
	return t;
}

void tls_unref(struct tls *t)
{
	if (!t || --t->refs)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

int64_t tls_expires(const struct tls *t)
{
	return t->expires;
}

/* A session. */

struct ssl_st *tls_accept(struct tls *t, int fd)
{
	SSL *s = tls_present(SSL_new(t->ctx));
	BIO *bio = bio_new(fd);

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

const char *tls_reason(void)
{
	uint32_t error = ERR_peek_error();
	const char *text = error ? ERR_reason_error_string(error) : NULL;

	return text ? text : "unknown";
}

/* The self-signed certificate. */

/* A name as in RFC 1034, 3.5, or the first label a star (RFC 6125, 6.4.3); underscores are met in the wild. */
static bool is_dns_name(struct str name)
{
	size_t label = 0;

	if (!name.len || name.len > HOST_MAX)
		return false;
	if (str_starts(name, STR("*.")))
		name = str_cut(name, 2, name.len);
	for (size_t i = 0; i < name.len; i++) {
		char c = ascii_lower(name.p[i]);

		if (c == '.') {
			if (!label)
				return false;
			label = 0;
		} else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || (c == '-' && label)) {
			if (++label > LABEL_MAX)
				return false;
		} else {
			return false;
		}
	}
	return label > 0;
}

/* subjectAltName (RFC 5280, 4.2.1.6): iPAddress for an address, else dNSName. */
static GENERAL_NAME *name_of(const char *host)
{
	unsigned char address[16];
	int len = inet_pton(AF_INET, host, address) == 1 ? 4 : inet_pton(AF_INET6, host, address) == 1 ? 16 : 0;
	GENERAL_NAME *name;

	if (!len && !is_dns_name(str_of(host)))
		return NULL;
	name = tls_present(GENERAL_NAME_new());
	if (len) {
		ASN1_OCTET_STRING *bytes = tls_present(ASN1_OCTET_STRING_new());

		ASN1_OCTET_STRING_set(bytes, address, len);
		GENERAL_NAME_set0_value(name, GEN_IPADD, bytes);
	} else {
		ASN1_IA5STRING *text = tls_present(ASN1_IA5STRING_new());

		ASN1_STRING_set(text, host, (int)strlen(host));
		GENERAL_NAME_set0_value(name, GEN_DNS, text);
	}
	return name;
}

static EVP_PKEY *new_key(void)
{
	EC_KEY *ec = tls_present(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
	EVP_PKEY *key = tls_present(EVP_PKEY_new());

	if (!EC_KEY_generate_key(ec) || !EVP_PKEY_assign_EC_KEY(key, ec))
		tls_present(NULL);
	return key;
}

/* Takes the name. Without a subject beside it, it must be critical (RFC 5280, 4.2.1.6). */
static bool add_extensions(X509 *cert, GENERAL_NAME *name, bool critical_name)
{
	GENERAL_NAMES *names = tls_present(GENERAL_NAMES_new());
	BASIC_CONSTRAINTS *end_entity = tls_present(BASIC_CONSTRAINTS_new()); /* CA:FALSE */
	ASN1_BIT_STRING *usage = tls_present(ASN1_BIT_STRING_new());
	EXTENDED_KEY_USAGE *purpose = tls_present(EXTENDED_KEY_USAGE_new());
	bool good = sk_GENERAL_NAME_push(names, name);

	good = good && ASN1_BIT_STRING_set_bit(usage, 0, 1); /* digitalSignature */
	good = good && sk_ASN1_OBJECT_push(purpose, OBJ_nid2obj(NID_server_auth));
	good = good && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, critical_name, 0);
	good = good && X509_add1_ext_i2d(cert, NID_basic_constraints, end_entity, 1, 0);
	good = good && X509_add1_ext_i2d(cert, NID_key_usage, usage, 1, 0);
	good = good && X509_add1_ext_i2d(cert, NID_ext_key_usage, purpose, 0, 0);
	EXTENDED_KEY_USAGE_free(purpose);
	ASN1_BIT_STRING_free(usage);
	BASIC_CONSTRAINTS_free(end_entity);
	GENERAL_NAMES_free(names);
	return good;
}

static bool fill_in(X509 *cert, const char *host, GENERAL_NAME *name, EVP_PKEY *key)
{
	X509_NAME *subject = X509_get_subject_name(cert);
	bool has_subject = strlen(host) <= COMMON_NAME_MAX;
	BIGNUM *serial = tls_present(BN_new());
	bool good = BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
	            BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert));

	BN_free(serial);
	good = good && X509_set_version(cert, X509_VERSION_3);
	good = good && X509_gmtime_adj(X509_getm_notBefore(cert), -BACKDATED_DAYS * 86400L);
	good = good && X509_gmtime_adj(X509_getm_notAfter(cert), SELF_SIGNED_DAYS * 86400L);
	if (has_subject)
		good = good &&
		       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)host, -1, -1, 0);
	good = good && X509_set_issuer_name(cert, subject);
	good = good && X509_set_pubkey(cert, key);
	return add_extensions(cert, name, !has_subject) && good && X509_sign(cert, key, EVP_sha256());
}

static void take_text(BIO *from, struct buf *out)
{
	const uint8_t *bytes;
	size_t len;

	if (BIO_mem_contents(from, &bytes, &len))
		buf_add(out, bytes, len);
	BIO_free(from);
}

enum err tls_self_signed(const char *host, struct buf *chain, struct buf *key)
{
	GENERAL_NAME *name = name_of(host);
	BIO *cert_text, *key_text;
	EVP_PKEY *pkey;
	X509 *cert;

	if (!name)
		return ERR_MISTAKE;
	pkey = new_key();
	cert = tls_present(X509_new());
	cert_text = tls_present(BIO_new(BIO_s_mem()));
	key_text = tls_present(BIO_new(BIO_s_mem()));
	if (!fill_in(cert, host, name, pkey) || !PEM_write_bio_X509(cert_text, cert) ||
		!PEM_write_bio_PKCS8PrivateKey(key_text, pkey, NULL, NULL, 0, NULL, NULL))
		tls_present(NULL);
	take_text(cert_text, chain);
	take_text(key_text, key);
	X509_free(cert);
	EVP_PKEY_free(pkey);
	return OK;
}
