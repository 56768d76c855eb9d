/* certificate.h - certificates for unit tests: of any name, for any time and purpose, signed by any other. */
#ifndef T_CERTIFICATE_H
#define T_CERTIFICATE_H

#include "core/buf.h"
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct wish {
	const char *name;    /* commonName; NULL: none */
	const char *email;   /* emailAddress of the subject; NULL: none */
	const char *others;  /* subjectAltName: "email:a@example.test,DNS:b.test"; NULL: none */
	const char *purpose; /* extendedKeyUsage: "clientAuth"; NULL: none */
	int days;            /* from now; 0: 30 */
	bool authority, rsa;
};

struct made {
	X509 *cert;
	EVP_PKEY *key;
	struct buf chain, key_text; /* PEM */
};

static inline void must(int good)
{
	if (good <= 0)
		abort();
}

static inline EVP_PKEY *key_make(bool rsa)
{
	EVP_PKEY *key = EVP_PKEY_new();
	EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	RSA *of_rsa = RSA_new();
	BIGNUM *e = BN_new();

	must(BN_set_word(e, RSA_F4));
	if (rsa) {
		must(RSA_generate_key_ex(of_rsa, 2048, e, NULL) && EVP_PKEY_set1_RSA(key, of_rsa));
	} else {
		must(EC_KEY_generate_key(ec) && EVP_PKEY_set1_EC_KEY(key, ec));
	}
	BN_free(e);
	RSA_free(of_rsa);
	EC_KEY_free(ec);
	return key;
}

static inline void made_extension(X509 *cert, int kind, const char *value)
{
	X509_EXTENSION *extension = value ? X509V3_EXT_nconf_nid(NULL, NULL, kind, value) : NULL;

	if (!value)
		return;
	must(extension && X509_add_ext(cert, extension, -1));
	X509_EXTENSION_free(extension);
}

static inline void made_text(BIO *bio, struct buf *out)
{
	const uint8_t *bytes;
	size_t len;

	must(BIO_mem_contents(bio, &bytes, &len));
	buf_add(out, bytes, len);
	BIO_free(bio);
}

/* issuer NULL: signed by itself. */
static inline struct made certificate_make(struct wish wish, const struct made *issuer)
{
	struct made m = { X509_new(), key_make(wish.rsa), { 0 }, { 0 } };
	X509_NAME *subject = X509_get_subject_name(m.cert);
	BIO *chain = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
	static long serial;

	must(X509_set_version(m.cert, X509_VERSION_3));
	must(ASN1_INTEGER_set(X509_get_serialNumber(m.cert), ++serial));
	must(X509_gmtime_adj(X509_getm_notBefore(m.cert), -100 * 86400L) != NULL);
	must(X509_gmtime_adj(X509_getm_notAfter(m.cert), (wish.days ? wish.days : 30) * 86400L) != NULL);
	if (wish.name)
		must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)wish.name, -1, -1, 0));
	if (wish.email)
		must(X509_NAME_add_entry_by_txt(
			subject, "emailAddress", MBSTRING_ASC, (const uint8_t *)wish.email, -1, -1, 0));
	must(X509_set_issuer_name(m.cert, issuer ? X509_get_subject_name(issuer->cert) : subject));
	must(X509_set_pubkey(m.cert, m.key));
	made_extension(m.cert, NID_basic_constraints, wish.authority ? "critical,CA:TRUE" : "CA:FALSE");
	made_extension(m.cert, NID_subject_alt_name, wish.others);
	made_extension(m.cert, NID_ext_key_usage, wish.purpose);
	must(X509_sign(m.cert, issuer ? issuer->key : m.key, EVP_sha256()));
	must(PEM_write_bio_X509(chain, m.cert));
	must(PEM_write_bio_PKCS8PrivateKey(key, m.key, NULL, NULL, 0, NULL, NULL));
	made_text(chain, &m.chain);
	made_text(key, &m.key_text);
	return m;
}

static inline void made_free(struct made *m)
{
	X509_free(m->cert);
	EVP_PKEY_free(m->key);
	buf_free(&m->chain);
	buf_free(&m->key_text);
}

#endif
