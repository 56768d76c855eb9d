/* password.c - see password.h. */
#include "storage/account/password.h"
#include "core/mem.h"
#include "storage/mail/prepare.h"
#include <crypt.h>
#include <openssl/base64.h>
#include <openssl/digest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>

#define KEY_BYTES        32
#define FIELD_BYTES_MAX  96 /* of a salt or key, decoded */
#define SCRYPT_MEMORY    (1u << 28)
#define SCRYPT_LN_MAX    20   /* what a settings file may ask for: 1 GiB at r = 8 is refused by SCRYPT_MEMORY */
#define ITERATIONS_FULL  4096 /* RFC 7677, 4 */
#define ITERATIONS_CHEAP 256

struct scrypt_cost {
	uint32_t ln, r, p; /* N = 2^ln */
};

static const struct scrypt_cost scrypt_costs[] = {
	[HASH_FULL] = { 14, 8, 1 },
	[HASH_CHEAP] = { 4, 1, 1 },
};

static bool password_is_fit(struct str password)
{
	return password.len && password.len <= PASSWORD_BYTES_MAX && str_find(password, '\0') < 0;
}

/* The password as it counts, in the arena or as it came; forget takes both back. */
static struct str as_it_counts(struct str password, struct arena *a)
{
	struct str prepared;

	return prepare(password, a, &prepared) ? password : prepared;
}

static void forget(struct str prepared, struct str password, struct arena *a)
{
	if (prepared.p != password.p)
		OPENSSL_cleanse((char *)prepared.p, prepared.len);
	arena_free(a);
}

static char *base64_of(struct arena *a, const uint8_t *bytes, size_t len)
{
	size_t room;
	char *text;

	EVP_EncodedLength(&room, len);
	text = arena_alloc(a, room);
	EVP_EncodeBlock((uint8_t *)text, bytes, len);
	return text;
}

/* The field up to the next '$' (or the end) of *left. */
static struct str next_field(struct str *left)
{
	ptrdiff_t dollar = str_find(*left, '$');
	size_t len = dollar < 0 ? left->len : (size_t)dollar;
	struct str field = str_cut(*left, 0, len);

	*left = str_cut(*left, dollar < 0 ? len : len + 1, left->len);
	return field;
}

static bool base64_field(struct str *left, uint8_t bytes[FIELD_BYTES_MAX], size_t *len)
{
	struct str text = next_field(left);

	return EVP_DecodeBase64(bytes, len, FIELD_BYTES_MAX, (const uint8_t *)text.p, text.len) && *len;
}

static bool scrypt(
	struct str password, const struct scrypt_cost *c, const uint8_t *salt, size_t salt_len, uint8_t key[KEY_BYTES])
{
	struct arena memory = { 0 };
	struct str p = as_it_counts(password, &memory);
	bool done = EVP_PBE_scrypt(
		p.p, p.len, salt, salt_len, 1ull << c->ln, c->r, c->p, SCRYPT_MEMORY, key, KEY_BYTES);

	forget(p, password, &memory);
	return done;
}

enum err password_hash(struct str password, enum hash_cost cost, struct arena *a, struct str *kept)
{
	const struct scrypt_cost *c = &scrypt_costs[cost];
	uint8_t salt[PASSWORD_SALT_BYTES], key[KEY_BYTES];

	if (!password_is_fit(password))
		return ERR_MISTAKE;
	RAND_bytes(salt, sizeof(salt));
	if (!scrypt(password, c, salt, sizeof(salt), key))
		return ERR_AGAIN;
	*kept = str_of(arena_printf(a, "scrypt$%u$%u$%u$%s$%s", c->ln, c->r, c->p, base64_of(a, salt, sizeof(salt)),
		base64_of(a, key, sizeof(key))));
	return OK;
}

static void hmac_sha_256(const uint8_t key[SHA256_DIGEST_LENGTH], struct str text, uint8_t out[SHA256_DIGEST_LENGTH])
{
	unsigned len;

	HMAC(EVP_sha256(), key, SHA256_DIGEST_LENGTH, (const uint8_t *)text.p, text.len, out, &len);
}

uint32_t password_scram_iterations(enum hash_cost cost)
{
	return cost == HASH_CHEAP ? ITERATIONS_CHEAP : ITERATIONS_FULL;
}

static bool salt_password(struct str password, enum hash_cost cost, const uint8_t salt[PASSWORD_SALT_BYTES],
	uint8_t salted[SHA256_DIGEST_LENGTH])
{
	struct arena memory = { 0 };
	struct str p = as_it_counts(password, &memory);
	bool done = PKCS5_PBKDF2_HMAC(p.p, p.len, salt, PASSWORD_SALT_BYTES, password_scram_iterations(cost),
		EVP_sha256(), SHA256_DIGEST_LENGTH, salted);

	forget(p, password, &memory);
	return done;
}

/* RFC 5802, 3: StoredKey is H(HMAC(SaltedPassword, "Client Key")). */
enum err password_scram_sha_256(struct str password, enum hash_cost cost, struct arena *a, struct str *kept)
{
	uint8_t salt[PASSWORD_SALT_BYTES], salted[SHA256_DIGEST_LENGTH], client[SHA256_DIGEST_LENGTH];
	uint8_t stored[SHA256_DIGEST_LENGTH], server[SHA256_DIGEST_LENGTH];

	if (!password_is_fit(password))
		return ERR_MISTAKE;
	RAND_bytes(salt, sizeof(salt));
	if (!salt_password(password, cost, salt, salted))
		return ERR_AGAIN;
	hmac_sha_256(salted, STR("Client Key"), client);
	SHA256(client, sizeof(client), stored);
	hmac_sha_256(salted, STR("Server Key"), server);
	*kept = str_of(arena_printf(a, "%u$%s$%s$%s", password_scram_iterations(cost), base64_of(a, salt, sizeof(salt)),
		base64_of(a, stored, sizeof(stored)), base64_of(a, server, sizeof(server))));
	return OK;
}

enum err password_crypt_check(struct str hash)
{
	char *text;
	int salt;

	if (!hash.len || hash.p[0] != '$' || hash.len >= CRYPT_OUTPUT_SIZE || str_find(hash, '\0') >= 0)
		return ERR_MISTAKE;
	text = str_dup(hash);
	salt = crypt_checksalt(text);
	free(text);
	return salt == CRYPT_SALT_OK || salt == CRYPT_SALT_METHOD_LEGACY || salt == CRYPT_SALT_TOO_CHEAP ? OK
	                                                                                                 : ERR_MISTAKE;
}

static bool crypt_matches(struct str kept, struct str password)
{
	struct crypt_data *data = mem_new(struct crypt_data);
	char *hash = str_dup(kept), *phrase = str_dup(password);
	const char *now = crypt_r(phrase, hash, data);
	bool same = now && now[0] != '*' && strlen(now) == kept.len && !CRYPTO_memcmp(now, kept.p, kept.len);

	OPENSSL_cleanse(phrase, password.len);
	OPENSSL_cleanse(data, sizeof(*data));
	free(phrase);
	free(hash);
	free(data);
	return same;
}

static bool scrypt_matches(struct str kept, struct str password, enum hash_cost cost, bool *renew)
{
	const struct scrypt_cost *want = &scrypt_costs[cost];
	uint8_t salt[FIELD_BYTES_MAX], key[FIELD_BYTES_MAX], now[KEY_BYTES];
	size_t salt_len, key_len;
	struct scrypt_cost c;
	struct str left = kept;

	next_field(&left); /* "scrypt" */
	if (!str_u32(next_field(&left), &c.ln) || !str_u32(next_field(&left), &c.r) ||
		!str_u32(next_field(&left), &c.p) || c.ln > SCRYPT_LN_MAX || !base64_field(&left, salt, &salt_len) ||
		!base64_field(&left, key, &key_len) || key_len != KEY_BYTES)
		return false;
	*renew = c.ln != want->ln || c.r != want->r || c.p != want->p;
	return scrypt(password, &c, salt, salt_len, now) && !CRYPTO_memcmp(now, key, KEY_BYTES);
}

enum err password_verify(struct str kept, struct str password, enum hash_cost cost, bool *renew)
{
	bool right = false;

	*renew = false;
	if (!password_is_fit(password))
		password = STR("?"); /* wrong for sure, and yet as slow as others */
	if (str_starts(kept, STR("scrypt$"))) {
		right = scrypt_matches(kept, password, cost, renew);
	} else if (kept.len) {
		*renew = true;
		right = crypt_matches(kept, password);
	} else {
		uint8_t key[KEY_BYTES];

		scrypt(password, &scrypt_costs[cost], (const uint8_t *)"nobody's salt...", PASSWORD_SALT_BYTES, key);
	}
	if (right)
		return OK;
	*renew = false;
	return ERR_DENIED;
}

/* What is kept has no NUL, so where it ends and the password begins is certain. */
void password_digest(const uint8_t key[PASSWORD_KEY_BYTES], struct str kept, struct str password,
	uint8_t digest[PASSWORD_DIGEST_BYTES])
{
	unsigned len;
	HMAC_CTX hmac;

	HMAC_CTX_init(&hmac);
	HMAC_Init_ex(&hmac, key, PASSWORD_KEY_BYTES, EVP_sha256(), NULL);
	HMAC_Update(&hmac, (const uint8_t *)kept.p, kept.len);
	HMAC_Update(&hmac, (const uint8_t *)"", 1);
	HMAC_Update(&hmac, (const uint8_t *)password.p, password.len);
	HMAC_Final(&hmac, digest, &len);
	HMAC_CTX_cleanup(&hmac);
}

bool password_digest_same(const uint8_t a[PASSWORD_DIGEST_BYTES], const uint8_t b[PASSWORD_DIGEST_BYTES])
{
	return !CRYPTO_memcmp(a, b, PASSWORD_DIGEST_BYTES);
}
