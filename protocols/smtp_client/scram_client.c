/* scram_client.c - see scram_client.h. */
#include "protocols/smtp_client/scram_client.h"
#include "storage/mail/decode.h"
#include <openssl/digest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/sha.h>

#define KEY SCRAM_CLIENT_KEY_BYTES

void scram_client_begin(struct scram_client *c, struct str user, struct str nonce, struct buf *out)
{
	buf_add_str(&c->nonce, nonce);
	buf_add_str(&c->bare, STR("n="));
	for (size_t i = 0; i < user.len; i++)
		if (user.p[i] == ',')
			buf_add_str(&c->bare, STR("=2C"));
		else if (user.p[i] == '=')
			buf_add_str(&c->bare, STR("=3D"));
		else
			buf_add_char(&c->bare, user.p[i]);
	buf_printf(&c->bare, ",r=" STR_FMT, STR_ARG(nonce));
	buf_add_str(out, STR("n,,"));
	buf_add_str(out, buf_str(&c->bare));
}

/* Takes "x=value" off the front of *left, with the comma behind it. False: that is not there. */
static bool attribute(struct str *left, char name, struct str *value)
{
	ptrdiff_t comma = str_find(*left, ',');
	size_t len = comma < 0 ? left->len : (size_t)comma;

	if (len < 2 || left->p[0] != name || left->p[1] != '=')
		return false;
	*value = str_cut(*left, 2, len);
	*left = str_cut(*left, comma < 0 ? len : len + 1, left->len);
	return true;
}

bool scram_client_challenged(struct scram_client *c, struct str message)
{
	struct str left = message, nonce, salt, iterations, ours = buf_str(&c->nonce);
	struct buf bytes = { 0 };
	bool good = attribute(&left, 'r', &nonce) && attribute(&left, 's', &salt) &&
	            attribute(&left, 'i', &iterations) && str_u32(iterations, &c->iterations) &&
	            base64_decode(salt, &bytes);

	good = good && nonce.len > ours.len && str_starts(nonce, ours) && buf_len(&bytes) &&
	       buf_len(&bytes) <= sizeof(c->salt) && c->iterations >= SCRAM_CLIENT_ITERATIONS_MIN &&
	       c->iterations <= SCRAM_CLIENT_ITERATIONS_MAX;
	if (good) {
		c->salt_len = buf_len(&bytes);
		memcpy(c->salt, buf_data(&bytes), c->salt_len);
		buf_clear(&c->nonce);
		buf_add_str(&c->nonce, nonce);
		buf_printf(&c->bare, "," STR_FMT ",", STR_ARG(message));
	}
	buf_free(&bytes);
	return good;
}

void scram_client_salt(struct scram_client *c, struct str password)
{
	PKCS5_PBKDF2_HMAC(password.p, password.len, c->salt, c->salt_len, c->iterations, EVP_sha256(), KEY, c->salted);
}

static void hmac(const uint8_t key[KEY], struct str text, uint8_t out[KEY])
{
	unsigned len;

	HMAC(EVP_sha256(), key, KEY, (const uint8_t *)text.p, text.len, out, &len);
}

void scram_client_prove(struct scram_client *c, struct buf *out)
{
	uint8_t client[KEY], stored[KEY], signature[KEY];
	struct buf final = { 0 };

	buf_printf(&final, "c=biws,r=" STR_FMT, STR_ARG(buf_str(&c->nonce)));
	buf_add_str(&c->bare, buf_str(&final));
	hmac(c->salted, STR("Client Key"), client);
	SHA256(client, KEY, stored);
	hmac(stored, buf_str(&c->bare), signature);
	for (size_t i = 0; i < KEY; i++)
		client[i] ^= signature[i];
	hmac(c->salted, STR("Server Key"), stored);
	hmac(stored, buf_str(&c->bare), c->server_signature);
	buf_add_str(out, buf_str(&final));
	buf_add_str(out, STR(",p="));
	base64_encode((struct str){ (const char *)client, KEY }, out);
	OPENSSL_cleanse(client, KEY);
	OPENSSL_cleanse(stored, KEY);
	buf_free(&final);
}

bool scram_client_proven(const struct scram_client *c, struct str message)
{
	struct buf bytes = { 0 };
	struct str left = message, verifier;
	bool good = attribute(&left, 'v', &verifier) && base64_decode(verifier, &bytes) && buf_len(&bytes) == KEY &&
	            !CRYPTO_memcmp(buf_data(&bytes), c->server_signature, KEY);

	buf_free(&bytes);
	return good;
}

void scram_client_free(struct scram_client *c)
{
	buf_free(&c->bare);
	buf_free(&c->nonce);
	OPENSSL_cleanse(c, sizeof(*c));
}
