/* tls_self.c - a certificate signed by itself. */
#include "core/tls_inside.h"
#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define SELF_SIGNED_DAYS 3650
#define BACKDATED_DAYS   1  /* a client's clock may be behind ours */
#define COMMON_NAME_MAX  64 /* ub-common-name, RFC 5280, A.1; a longer host stands in subjectAltName alone */
#define LABEL_MAX        63
#define SERIAL_BITS      127

bool tls_is_dns_name(struct str name)
{
	size_t label = 0;

	if (!name.len || name.len > TLS_HOST_MAX)
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

	if (!len && !tls_is_dns_name(str_of(host)))
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
