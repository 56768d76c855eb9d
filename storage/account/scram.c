/* scram.c - see scram.h. */
#include "storage/account/scram.h"
#include <openssl/base64.h>
#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/sha.h>

_Static_assert(SCRAM_KEY_BYTES == SHA256_DIGEST_LENGTH, "the keys are SHA-256's");

static void hmac(const uint8_t key[SCRAM_KEY_BYTES], struct str text, uint8_t out[SCRAM_KEY_BYTES])
{
	unsigned len;

	HMAC(EVP_sha256(), key, SCRAM_KEY_BYTES, (const uint8_t *)text.p, text.len, out, &len);
}

static struct str field(struct str *left)
{
	ptrdiff_t dollar = str_find(*left, '$');
	size_t len = dollar < 0 ? left->len : (size_t)dollar;
	struct str text = str_cut(*left, 0, len);

	*left = str_cut(*left, dollar < 0 ? len : len + 1, left->len);
	return text;
}

static bool bytes_field(struct str *left, uint8_t *bytes, size_t room, size_t *len)
{
	struct str text = field(left);
	uint8_t decoded[SCRAM_SALT_BYTES];

	if (!EVP_DecodeBase64(decoded, len, sizeof(decoded), (const uint8_t *)text.p, text.len) || !*len || *len > room)
		return false;
	memcpy(bytes, decoded, *len);
	return true;
}

bool scram_keys_parse(struct str kept, struct scram_keys *k)
{
	size_t stored_len, server_len;
	struct str left = kept;

	*k = (struct scram_keys){ 0 };
	if (str_u32(field(&left), &k->iterations) && k->iterations &&
		bytes_field(&left, k->salt, sizeof(k->salt), &k->salt_len) &&
		bytes_field(&left, k->stored, sizeof(k->stored), &stored_len) && stored_len == SCRAM_KEY_BYTES &&
		bytes_field(&left, k->server, sizeof(k->server), &server_len) && server_len == SCRAM_KEY_BYTES &&
		!left.len)
		return true;
	*k = (struct scram_keys){ 0 };
	return false;
}

void scram_keys_feign(
	const uint8_t secret[SCRAM_KEY_BYTES], struct str address, enum hash_cost cost, struct scram_keys *k)
{
	uint8_t bytes[SCRAM_KEY_BYTES];

	*k = (struct scram_keys){ .iterations = password_scram_iterations(cost), .salt_len = PASSWORD_SALT_BYTES };
	hmac(secret, address, bytes);
	memcpy(k->salt, bytes, k->salt_len);
}

bool scram_proof_right(const struct scram_keys *k, struct str message, const uint8_t proof[SCRAM_KEY_BYTES],
	uint8_t signature[SCRAM_KEY_BYTES])
{
	uint8_t client[SCRAM_KEY_BYTES], stored[SCRAM_KEY_BYTES];

	hmac(k->stored, message, client); /* ClientSignature */
	for (size_t i = 0; i < SCRAM_KEY_BYTES; i++)
		client[i] ^= proof[i]; /* ClientKey, if the proof is right */
	SHA256(client, sizeof(client), stored);
	OPENSSL_cleanse(client, sizeof(client));
	hmac(k->server, message, signature);
	return !CRYPTO_memcmp(stored, k->stored, sizeof(stored));
}
