/* tls_choose.c - which certificate a client is shown.
 * By the name that he asks for (SNI), also if it is a star's (RFC 6125, 6.4.3: of one label, the first); who asks for
 * none or for one that nobody is shown the first certificate. Where several are for the name, one of RSA serves those
 * who cannot take the others.
 * A session may resume only under the name it was made for (RFC 6066, 3): that is part of its context. */
#include "core/tls_inside.h"
#include <openssl/sha.h>

#define HOST_NAME 0      /* NameType, RFC 6066, 3 */
#define TLS_1_3   0x0304 /* in supported_versions */

static unsigned number16(const char *p)
{
	return (unsigned)(uint8_t)p[0] << 8 | (uint8_t)p[1];
}

struct str tls_hello_name(struct str body)
{
	size_t left, len;

	if (body.len < 2 || number16(body.p) != body.len - 2)
		return STR_NONE;
	for (body = str_cut(body, 2, body.len); body.len >= 3; body = str_cut(body, 3 + len, body.len)) {
		left = body.len - 3;
		len = number16(body.p + 1);
		if (len > left)
			return STR_NONE;
		if (body.p[0] == HOST_NAME)
			return str_cut(body, 3, 3 + len);
	}
	return STR_NONE;
}

bool tls_hello_lists(struct str body, unsigned len_bytes, uint16_t number)
{
	if (body.len < len_bytes || (len_bytes == 1 && (uint8_t)body.p[0] != body.len - 1) ||
		(len_bytes == 2 && number16(body.p) != body.len - 2))
		return false;
	for (size_t i = len_bytes; i + 2 <= body.len; i += 2)
		if (number16(body.p + i) == number)
			return true;
	return false;
}

static struct str extension(const SSL_CLIENT_HELLO *hello, uint16_t kind)
{
	const uint8_t *bytes;
	size_t len;

	if (!SSL_early_callback_ctx_extension_get(hello, kind, &bytes, &len))
		return STR_NONE;
	return (struct str){ (const char *)bytes, len };
}

/* Whether the client can verify what the key signs; before TLS 1.3 the suite says it too. */
static bool suits(const SSL_CLIENT_HELLO *hello, const struct tls_pair *p)
{
	struct str suites = { (const char *)hello->cipher_suites, hello->cipher_suites_len };

	if (!p->algorithm)
		return true;
	if (!tls_hello_lists(extension(hello, TLSEXT_TYPE_signature_algorithms), 2, p->algorithm))
		return false;
	return tls_hello_lists(extension(hello, TLSEXT_TYPE_supported_versions), 1, TLS_1_3) ||
	       tls_hello_lists(suites, 0, TLS1_CK_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 & 0xffff) ||
	       tls_hello_lists(suites, 0, TLS1_CK_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 & 0xffff) ||
	       tls_hello_lists(suites, 0, TLS1_CK_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 & 0xffff);
}

/* The place of the first name not before this one. */
static size_t lower_bound(const struct tls *t, const char *name)
{
	size_t from = 0, to = t->names_count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (strcmp(t->names[middle].name, name) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* NULL: none is for that name. */
static const struct tls_pair *named(const struct tls *t, const char *name, const SSL_CLIENT_HELLO *hello)
{
	const struct tls_pair *found = NULL;

	for (size_t i = lower_bound(t, name); i < t->names_count && !strcmp(t->names[i].name, name); i++) {
		const struct tls_pair *p = &t->pairs[t->names[i].pair];

		if (suits(hello, p))
			return p;
		if (!found)
			found = p;
	}
	return found;
}

/* The first certificate's, or of those that share a name with it one that suits the client better. */
static const struct tls_pair *default_pair(const struct tls *t, const SSL_CLIENT_HELLO *hello)
{
	const struct tls_pair *found = NULL;

	if (suits(hello, &t->pairs[0]))
		return &t->pairs[0];
	for (size_t i = 0; i < t->names_count && !found; i++)
		if (t->names[i].pair == 0)
			found = named(t, t->names[i].name, hello);
	return found ? found : &t->pairs[0];
}

/* name: in lower case; the star is put into it. */
static const struct tls_pair *pair_for(const struct tls *t, char *name, const SSL_CLIENT_HELLO *hello)
{
	const struct tls_pair *found = *name ? named(t, name, hello) : NULL;
	char *dot = strchr(name, '.');

	if (!found && dot && dot > name) {
		dot[-1] = '*';
		found = named(t, dot - 1, hello);
	}
	return found ? found : default_pair(t, hello);
}

enum ssl_select_cert_result_t tls_choose(const SSL_CLIENT_HELLO *hello)
{
	const struct tls *t = tls_of(hello->ssl);
	struct str asked = tls_hello_name(extension(hello, TLSEXT_TYPE_server_name));
	const struct tls_pair *p;
	char name[TLS_HOST_MAX + 1] = "";
	uint8_t context[SHA256_DIGEST_LENGTH];
	SHA256_CTX sha;

	if (asked.len <= TLS_HOST_MAX && str_find(asked, '\0') < 0)
		for (size_t i = 0; i < asked.len; i++)
			name[i] = ascii_lower(asked.p[i]);
	SHA256_Init(&sha);
	SHA256_Update(&sha, t->authorities, sizeof(t->authorities));
	SHA256_Update(&sha, name, strlen(name));
	SHA256_Final(context, &sha);
	p = pair_for(t, name, hello);
	return SSL_set_session_id_context(hello->ssl, context, sizeof(context)) &&
	                       SSL_set_chain_and_key(hello->ssl, p->chain, p->length, p->key, NULL)
	               ? ssl_select_cert_success
	               : ssl_select_cert_error;
}
