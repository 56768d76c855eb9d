/* TLS: what certificates are taken, what is spoken with them, and who may resume. */
#include "core/tls.h"
#include "t/tap.h"
#include "t/tls_client.h"
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 50 /* more than any handshake takes */

static const uint8_t key_a[TLS_TICKET_KEY_BYTES] = "ticket key a", key_b[TLS_TICKET_KEY_BYTES] = "ticket key b";
static struct buf chain, key; /* for mail.example.test */

static struct tls *serving(const uint8_t *ticket_key)
{
	struct buf why = { 0 };
	struct tls *t;

	if (tls_new(&t, buf_str(&chain), buf_str(&key), ticket_key, &why))
		printf("# " STR_FMT "\n", STR_ARG(buf_str(&why)));
	buf_free(&why);
	return t;
}

static X509 *parse(struct str pem)
{
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.len);
	X509 *cert = PEM_read_bio_X509(in, NULL, NULL, NULL);

	BIO_free(in);
	return cert;
}

static void test_self_signed(void)
{
	static const struct {
		const char *host;
		bool good;
	} rows[] = {
		{ "localhost", true },
		{ "192.0.2.1", true },
		{ "2001:db8::1", true },
		{ "*.example.test", true },
		{ "a.very.long.name.that.goes.on.and.on.until.it.is.beyond.what.a.common.name.holds.example.test",
			true },
		{ "", false },
		{ ".", false },
		{ "a..b", false },
		{ "-a.test", false },
		{ "a b", false },
		{ "[::1]", false },
		{ "a.test,DNS:b.test", false },
		{ "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.test", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf c = { 0 }, k = { 0 };
		enum err e = tls_self_signed(rows[i].host, &c, &k);
		X509 *cert = e ? NULL : parse(buf_str(&c));
		const char *host = !strncmp(rows[i].host, "*.", 2) ? "mail.example.test" : rows[i].host;

		if (rows[i].good)
			ok(cert && (X509_check_host(cert, host, strlen(host), 0, NULL) == 1 ||
					   X509_check_ip_asc(cert, host, 0) == 1),
				"a certificate for %s is good for it", rows[i].host);
		else
			ok(e == ERR_MISTAKE, "there is no certificate for '%s'", rows[i].host);
		X509_free(cert);
		buf_free(&c);
		buf_free(&k);
	}
}

static void refused(struct str c, struct str k, const char *word, const char *what)
{
	struct buf why = { 0 };
	struct tls *t = (struct tls *)&why;
	enum err e = tls_new(&t, c, k, key_a, &why);

	buf_add_char(&why, '\0');
	ok(e == ERR_NEVER && !t && strstr(buf_data(&why), word), "%s is refused: %s", what, buf_data(&why));
	buf_free(&why);
}

static void test_certificates(void)
{
	struct buf other_chain = { 0 }, other_key = { 0 }, many = { 0 }, damaged = { 0 };
	struct tls *t = serving(key_a);
	int64_t years = t ? (tls_at(t, 0).expires - time(NULL)) / (365 * 86400) : 0;

	ok(t && (years == 9 || years == 10), "a self-signed certificate serves for ten years");
	tls_unref(tls_ref(t));
	tls_unref(t);
	tls_self_signed("other.example.test", &other_chain, &other_key);
	refused(buf_str(&chain), buf_str(&other_key), "private key", "a key of another certificate");
	refused(STR(""), buf_str(&key), "certificate", "no certificate");
	refused(STR("rubbish"), buf_str(&key), "certificate", "a certificate that is none");
	refused(buf_str(&chain), STR("rubbish"), "private key", "a key that is none");
	refused(buf_str(&key), buf_str(&key), "certificate", "a key in the certificate's place");
	refused(buf_str(&chain),
		STR("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
		    "DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\nAAAAAAAAAAAAAAAAAAAAAA==\n"
		    "-----END RSA PRIVATE KEY-----\n"),
		"passphrase", "a key with a passphrase, without asking for it,");
	buf_add_str(&damaged, buf_str(&chain));
	buf_add_str(&damaged, str_cut(buf_str(&chain), 0, buf_len(&chain) / 2));
	refused(buf_str(&damaged), buf_str(&key), "chain", "a chain with a damaged end");
	for (int i = 0; i <= TLS_CHAIN_MAX; i++)
		buf_add_str(&many, buf_str(&chain));
	refused(buf_str(&many), buf_str(&key), "16", "a chain over the limit");
	buf_cut(&many, TLS_CHAIN_MAX * buf_len(&chain));
	ok(!tls_new(&t, buf_str(&many), buf_str(&key), key_a, &damaged), "one at the limit is taken");
	tls_unref(t);
	tls_unref(NULL);
	buf_free(&other_chain);
	buf_free(&other_key);
	buf_free(&many);
	buf_free(&damaged);
}

struct pair {
	int server_fd, client_fd;
	struct ssl_st *server;
	SSL *client;
	enum tls_step step; /* the server's last */
	bool up;
};

static void shake(struct pair *p)
{
	p->step = TLS_WANT_READ;
	for (int i = 0; i < ROUNDS; i++) {
		int n = SSL_do_handshake(p->client);

		if (p->step != TLS_DONE)
			p->step = tls_handshake(p->server);
		p->up = n == 1 && p->step == TLS_DONE;
		if (p->up || p->step > TLS_WANT_WRITE || (n != 1 && !client_waits(p->client, n)))
			break;
	}
}

static struct pair pair_new(struct tls *t, uint16_t version, SSL_SESSION *resume)
{
	struct pair p = { 0 };
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
		abort();
	p.server_fd = fds[0];
	p.client_fd = fds[1];
	p.server = tls_accept(t, p.server_fd);
	p.client = client_new(p.client_fd, version, resume);
	return p;
}

static void pair_free(struct pair *p)
{
	tls_free(p->server);
	SSL_free(p->client);
	close(p->server_fd);
	close(p->client_fd);
}

/* Says one line each way, so that the client has seen its tickets. */
static bool talks(struct pair *p)
{
	char in[16];
	size_t len = 0;

	return tls_write(p->server, "220 hello\r\n", 11, &len) == TLS_DONE && len == 11 &&
	       SSL_read(p->client, in, sizeof(in)) == 11 && !memcmp(in, "220 hello\r\n", 11) &&
	       SSL_write(p->client, "EHLO\r\n", 6) == 6 && tls_read(p->server, in, sizeof(in), &len) == TLS_DONE &&
	       len == 6 && !memcmp(in, "EHLO\r\n", 6) && tls_read(p->server, in, sizeof(in), &len) == TLS_WANT_READ &&
	       len == 0;
}

static void test_versions(void)
{
	struct tls *t = serving(key_a);
	struct pair p = pair_new(t, 0, NULL);
	struct buf text = { 0 };

	tls_unref(t);
	shake(&p);
	tls_describe(p.server, &text);
	ok(p.up && str_eq(buf_str(&text), STR("TLSv1.3 TLS_AES_128_GCM_SHA256")),
		"TLS 1.3 is spoken by preference; a session keeps its certificate when others let go");
	ok(talks(&p) && !tls_resumed(p.server), "lines pass both ways");
	pair_free(&p);

	t = serving(key_a);
	p = pair_new(t, TLS1_2_VERSION, NULL);
	shake(&p);
	buf_clear(&text);
	tls_describe(p.server, &text);
	ok(p.up && talks(&p) && str_starts(buf_str(&text), STR("TLSv1.2 TLS_ECDHE_ECDSA_WITH_")), "so is TLS 1.2");
	pair_free(&p);

	p = pair_new(t, TLS1_1_VERSION, NULL);
	shake(&p);
	ok(!p.up && p.step == TLS_FAILED, "TLS 1.1 is refused: %s", tls_reason());
	pair_free(&p);

	p = pair_new(t, TLS1_2_VERSION, NULL);
	if (!SSL_set_strict_cipher_list(p.client, "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"))
		abort();
	shake(&p);
	ok(!p.up && p.step == TLS_FAILED, "suites without authenticated encryption are refused: %s", tls_reason());
	pair_free(&p);
	tls_unref(t);
	buf_free(&text);
}

static void test_rsa(void)
{
	struct buf why = { 0 };
	RSA *rsa = RSA_new();
	BIGNUM *e = BN_new();
	EVP_PKEY *pkey = EVP_PKEY_new();
	X509 *cert = parse(buf_str(&chain));
	BIO *cert_text = BIO_new(BIO_s_mem()), *key_text = BIO_new(BIO_s_mem());
	const uint8_t *bytes[2] = { 0 };
	size_t lens[2] = { 0 };
	struct pair p;
	struct tls *t;

	if (!BN_set_word(e, RSA_F4) || !RSA_generate_key_ex(rsa, 2048, e, NULL) || !EVP_PKEY_assign_RSA(pkey, rsa) ||
		!X509_set_pubkey(cert, pkey) || !X509_sign(cert, pkey, EVP_sha256()) ||
		!PEM_write_bio_X509(cert_text, cert) ||
		!PEM_write_bio_PrivateKey(key_text, pkey, NULL, NULL, 0, NULL, NULL) ||
		!BIO_mem_contents(cert_text, &bytes[0], &lens[0]) || !BIO_mem_contents(key_text, &bytes[1], &lens[1]))
		abort();
	if (tls_new(&t, (struct str){ (const char *)bytes[0], lens[0] },
		    (struct str){ (const char *)bytes[1], lens[1] }, key_a, &why))
		abort();
	for (uint16_t version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		p = pair_new(t, version, NULL);
		shake(&p);
		ok(p.up && talks(&p), "an RSA certificate serves %s", SSL_get_version(p.client));
		pair_free(&p);
	}
	tls_unref(t);
	BIO_free(cert_text);
	BIO_free(key_text);
	X509_free(cert);
	EVP_PKEY_free(pkey);
	BN_free(e);
	buf_free(&why);
}

static bool resumes(struct tls *t, uint16_t version)
{
	struct pair p = pair_new(t, version, client_session);
	bool resumed;

	shake(&p);
	resumed = p.up && talks(&p) && tls_resumed(p.server) && SSL_session_reused(p.client);
	if (!p.up)
		ok(false, "the handshake succeeds, resumed or not");
	pair_free(&p);
	return resumed;
}

static void test_resumption(void)
{
	struct tls *first = serving(key_a), *second = serving(key_a), *stranger = serving(key_b);

	for (uint16_t version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		const char *name = version == TLS1_2_VERSION ? "TLS 1.2" : "TLS 1.3";

		client_forget_session();
		ok(!resumes(first, version) && client_session, "%s: a first session is new, and gives a ticket", name);
		ok(resumes(first, version), "%s: the second resumes", name);
		ok(resumes(second, version), "%s: another worker with the same ticket key resumes it too", name);
		ok(!resumes(stranger, version), "%s: one with another key makes a new session", name);
	}
	client_forget_session();
	tls_unref(first);
	tls_unref(second);
	tls_unref(stranger);
}

static void test_ends(void)
{
	struct tls *t = serving(key_a);
	struct pair p = pair_new(t, 0, NULL);
	char in[4096] = { 0 };
	size_t len;

	shake(&p);
	SSL_write(p.client, in, 100);
	ok(tls_read(p.server, in, 60, &len) == TLS_DONE && len == 60 && tls_pending(p.server),
		"what is left of a record is pending, since the socket has nothing more to tell");
	ok(tls_read(p.server, in, sizeof(in), &len) == TLS_DONE && len == 40 && !tls_pending(p.server), "until read");
	while (tls_write(p.server, in, sizeof(in), &len) == TLS_DONE)
		;
	ok(tls_write(p.server, in, sizeof(in), &len) == TLS_WANT_WRITE, "a full socket is waited for");
	while (SSL_read(p.client, in, sizeof(in)) > 0)
		;
	ok(tls_write(p.server, in, sizeof(in), &len) == TLS_DONE && len == sizeof(in), "and written again");
	SSL_shutdown(p.client);
	ok(tls_read(p.server, in, sizeof(in), &len) == TLS_CLOSED, "close_notify is the end");
	pair_free(&p);

	p = pair_new(t, 0, NULL);
	shake(&p);
	tls_close(p.server);
	ok(SSL_read(p.client, in, sizeof(in)) == 0 && SSL_get_error(p.client, 0) == SSL_ERROR_ZERO_RETURN,
		"the client hears our close_notify");
	shutdown(p.client_fd, SHUT_RDWR);
	ok(tls_read(p.server, in, sizeof(in), &len) == TLS_CLOSED, "a peer gone without close_notify is the end too");
	pair_free(&p);

	p = pair_new(t, 0, NULL);
	shake(&p);
	shutdown(p.client_fd, SHUT_RDWR);
	ok(tls_write(p.server, in, 10, &len) == TLS_BROKEN && errno == EPIPE, "writing to it fails, without a signal");
	pair_free(&p);

	p = pair_new(t, 0, NULL);
	shake(&p);
	if (write(p.client_fd, "\x17\x03\x03\x00\x20 thirty-two bytes of forged text", 37) != 37)
		abort();
	p.step = tls_read(p.server, in, sizeof(in), &len);
	ok(p.step == TLS_FAILED, "a forged record fails: %s", tls_reason());
	pair_free(&p);

	p = pair_new(t, 0, NULL);
	if (write(p.client_fd, "EHLO client.example.test\r\n", 26) != 26)
		abort();
	p.step = tls_handshake(p.server);
	ok(p.step == TLS_FAILED, "clear text is no handshake: %s", tls_reason());
	pair_free(&p);
	tls_free(NULL);
	tls_unref(t);
}

int main(void)
{
	if (tls_self_signed("mail.example.test", &chain, &key))
		abort();
	test_self_signed();
	test_certificates();
	test_versions();
	test_rsa();
	test_resumption();
	test_ends();
	buf_free(&chain);
	buf_free(&key);
	return done();
}
