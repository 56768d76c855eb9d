/* tls_pair.c - certificates with their keys, as PEM says them: read, tried together, known by their names. */
#include "core/mem.h"
#include "core/tls_inside.h"
#include <openssl/bio.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#define NAMES_MAX 10000 /* of all certificates together */

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
	enum err (*each)(void *user, X509 *cert, unsigned place, struct buf *why), void *user, struct buf *why)
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
			e = each(user, cert, count++, why);
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

/* --- names ------------------------------------------------------------------------------------------------------- */

/* Before: less than 0. Of one name, those that fewer clients can use come first. */
static int compare(const struct tls *t, const struct tls_name *a, const struct tls_name *b)
{
	bool a_rsa = !t->pairs[a->pair].algorithm, b_rsa = !t->pairs[b->pair].algorithm;
	int by_name = strcmp(a->name, b->name);

	return by_name ? by_name : a_rsa != b_rsa ? a_rsa - b_rsa : a->pair < b->pair ? -1 : a->pair > b->pair;
}

/* False: there are too many. What is no DNS name is passed over. */
static bool add_name(struct tls *t, const ASN1_STRING *text)
{
	struct str name = { (const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text) };
	struct tls_name new = { NULL, t->count - 1 };
	size_t place = t->names_count;

	if (!tls_is_dns_name(name))
		return true;
	if (t->names_count == NAMES_MAX)
		return false;
	new.name = str_dup(name);
	for (char *c = new.name; *c; c++)
		*c = ascii_lower(*c);
	t->names = mem_resize(t->names, (t->names_count + 1) * sizeof(*t->names));
	while (place && compare(t, &new, &t->names[place - 1]) < 0) {
		t->names[place] = t->names[place - 1];
		place--;
	}
	t->names[place] = new;
	t->names_count++;
	return true;
}

/* Every dNSName of subjectAltName, else the commonName (RFC 6125, 6.4.4). */
static bool add_names(struct tls *t, const X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	X509_NAME *subject = X509_get_subject_name(cert);
	int place = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	bool good = true;

	if (!names && place >= 0)
		good = add_name(t, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place)));
	for (size_t i = 0; names && good && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			good = add_name(t, name->d.dNSName);
	}
	GENERAL_NAMES_free(names);
	return good;
}

/* --- a pair ------------------------------------------------------------------------------------------------------ */

static int64_t seconds_of(const ASN1_TIME *time)
{
	ASN1_TIME *epoch = tls_present(ASN1_TIME_set(NULL, 0));
	int days = 0, seconds = 0;

	ASN1_TIME_diff(&days, &seconds, epoch, time);
	ASN1_TIME_free(epoch);
	return (int64_t)days * 86400 + seconds;
}

/* The first is the server's own, the rest leads to its root. */
static enum err take_certificate(void *user, X509 *cert, unsigned place, struct buf *why)
{
	struct tls *t = user;
	struct tls_pair *p = &t->pairs[t->count - 1];
	uint8_t *der = NULL;
	int len = i2d_X509(cert, &der);

	if (len < 0)
		return tls_refuse(why, "certificate");
	p->chain[p->length++] = tls_present(CRYPTO_BUFFER_new(der, (size_t)len, NULL));
	OPENSSL_free(der);
	if (place)
		return OK;
	p->starts = seconds_of(X509_get0_notBefore(cert));
	p->expires = seconds_of(X509_get0_notAfter(cert));
	return OK;
}

static uint16_t algorithm_of(const EVP_PKEY *key)
{
	const EC_KEY *ec = EVP_PKEY_get0_EC_KEY(key);

	if (EVP_PKEY_id(key) == EVP_PKEY_ED25519)
		return SSL_SIGN_ED25519;
	if (!ec)
		return 0;
	switch (EC_GROUP_get_curve_name(EC_KEY_get0_group(ec))) {
	case NID_secp384r1:
		return SSL_SIGN_ECDSA_SECP384R1_SHA384;
	case NID_secp521r1:
		return SSL_SIGN_ECDSA_SECP521R1_SHA512;
	default:
		return SSL_SIGN_ECDSA_SECP256R1_SHA256;
	}
}

static enum err take_key(struct tls *t, struct tls_pair *p, struct str pem, struct buf *why)
{
	BIO *in = bio_over(pem);

	p->key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
	BIO_free(in);
	if (!p->key)
		return tls_refuse(why, "private key (PEM without a passphrase is wanted)");
	/* What ctx has is never shown: each session is given its own by tls_choose. Here it only tells whether it could. */
	if (!SSL_CTX_set_chain_and_key(t->ctx, p->chain, p->length, p->key, NULL))
		return tls_refuse(why, "certificate and private key");
	p->algorithm = algorithm_of(p->key);
	return OK;
}

static enum err take_names(void *user, X509 *cert, unsigned place, struct buf *why)
{
	if (place || add_names(user, cert))
		return OK;
	buf_printf(why, "certificate: more than %d names, all in all", NAMES_MAX);
	return ERR_NEVER;
}

enum err tls_add(struct tls *t, struct str label, struct str chain, struct str key, struct buf *why)
{
	struct tls_pair *p;
	enum err e;

	ERR_clear_error();
	t->pairs = mem_resize(t->pairs, (t->count + 1) * sizeof(*t->pairs));
	p = &t->pairs[t->count++];
	*p = (struct tls_pair){ .label = str_dup(label) };
	e = tls_each_certificate(chain, TLS_CHAIN_MAX, take_certificate, t, why);
	if (!e)
		e = take_key(t, p, key, why);
	if (!e) /* in the order that depends on the key */
		e = tls_each_certificate(chain, TLS_CHAIN_MAX, take_names, t, why);
	return e;
}

void tls_pair_free(struct tls_pair *p)
{
	for (size_t i = 0; i < p->length; i++)
		CRYPTO_BUFFER_free(p->chain[i]);
	EVP_PKEY_free(p->key);
	free(p->label);
}

size_t tls_count(const struct tls *t)
{
	return t->count;
}

struct tls_certificate tls_at(const struct tls *t, size_t place)
{
	const struct tls_pair *p = &t->pairs[place];

	return (struct tls_certificate){ p->label, p->algorithm ? "ECDSA" : "RSA", p->starts, p->expires };
}
