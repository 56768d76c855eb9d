/* Logging in at the store: by password, by proof, by a proved name; who is not there looks like who is. */
#include "storage/account/scram.h"
#include "storage/account/secret.h"
#include "t/store.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

static struct {
	uint32_t iterations;
	char salt[SCRAM_SALT_BYTES];
	size_t salt_len;
} salted;

static void on_salt(void *user, enum err e, uint32_t iterations, struct str salt)
{
	salted.iterations = iterations;
	salted.salt_len = salt.len < sizeof(salted.salt) ? salt.len : 0;
	memcpy(salted.salt, salt.p, salted.salt_len);
	on_done(user, e);
}

static enum err salt_of(const char *address)
{
	got_begin();
	store_salt(asker, str_of(address), on_salt, NULL);
	return got_end();
}

static void hmac(const uint8_t *key, struct str text, uint8_t out[SCRAM_KEY_BYTES])
{
	unsigned len;

	HMAC(EVP_sha256(), key, SCRAM_KEY_BYTES, (const uint8_t *)text.p, text.len, out, &len);
}

/* The client's side (RFC 5802, 3): its proof, and the signature it expects. */
static void prove(const char *password, struct str message, uint8_t proof[32], uint8_t signature[32])
{
	uint8_t root[32], client[32], stored[32], server[32];

	PKCS5_PBKDF2_HMAC(password, strlen(password), (const uint8_t *)salted.salt, salted.salt_len, salted.iterations,
		EVP_sha256(), sizeof(root), root);
	hmac(root, STR("Client Key"), client);
	SHA256(client, sizeof(client), stored);
	hmac(stored, message, proof);
	for (size_t i = 0; i < 32; i++)
		proof[i] ^= client[i];
	hmac(root, STR("Server Key"), server);
	hmac(server, message, signature);
}

static bool answered_right; /* the signature */

static enum err log_in_by_proof(const char *address, const char *password)
{
	uint8_t proof[32], wanted[32], signature[32] = { 0 };
	struct login_proof p = { STR("n=x,r=y,r=yz,s=s,i=1,c=biws,r=yz"), { (const char *)proof, 32 }, signature };
	enum err e;

	prove(password, p.message, proof, wanted);
	got_begin();
	store_login_proof(asker, str_of(address), &p, on_login, NULL);
	e = got_end();
	answered_right = !memcmp(wanted, signature, 32);
	account_free(got.account);
	return e;
}

static enum err log_in_known(const char *address)
{
	got_begin();
	store_login_known(asker, str_of(address), on_login, NULL);
	got_end();
	account_free(got.account);
	return got.e;
}

static void test_proof(void)
{
	char feigned[SCRAM_SALT_BYTES];

	salt_of("alice@example.test");
	ok(log_in_by_proof("alice@example.test", "secret") == ERR_DENIED, "without keys nobody proves anything");
	account_free(log_in("alice@example.test", "secret"));
	ok(got.e == OK, "the password is right, and then there are keys");
	ok(salt_of("alice@example.test") == OK && salted.salt_len == PASSWORD_SALT_BYTES &&
			salted.iterations == password_scram_iterations(HASH_CHEAP),
		"the salt is told to whoever asks");
	ok(log_in_by_proof("alice@example.test", "secret") == OK && answered_right,
		"the right proof is right, and answered by ours");
	ok(log_in_by_proof("Alice+x@Example.TEST", "secret") == OK, "in any form of the name");
	ok(log_in_by_proof("alice@example.test", "wrong") == ERR_DENIED && !answered_right,
		"a wrong one is denied, with nothing for it");

	ok(salt_of("nobody@example.test") == OK && salted.salt_len == PASSWORD_SALT_BYTES &&
			salted.iterations == password_scram_iterations(HASH_CHEAP),
		"who is not there has a salt, too");
	memcpy(feigned, salted.salt, sizeof(feigned));
	asker = &workers[1];
	ok(salt_of("nobody@example.test") == OK && !memcmp(feigned, salted.salt, salted.salt_len),
		"the same from every worker");
	asker = &workers[0];
	ok(log_in_by_proof("nobody@example.test", "secret") == ERR_DENIED, "but no proof is right");
	ok(salt_of("nobody@elsewhere.test") == OK && salt_of("no address") == OK && salt_of("") == OK &&
			salted.salt_len == PASSWORD_SALT_BYTES,
		"what can be no account has one as well");
	ok(log_in_by_proof("no address", "secret") == ERR_DENIED, "and is denied");

	stop();
	start(2);
	ok(salt_of("nobody@example.test") == OK && !memcmp(feigned, salted.salt, salted.salt_len),
		"the same after a restart");
	salt_of("alice@example.test");
	ok(log_in_by_proof("alice@example.test", "secret") == OK, "and the right proof is right still");
}

static void test_known(void)
{
	ok(log_in_known("alice@example.test") == OK, "who is known by a certificate needs no password");
	ok(log_in_known("nobody@example.test") == ERR_DENIED, "if he is one of ours");
	ok(log_in_known("no address") == ERR_DENIED, "with a name that can be");
}

static void test_cancel(void)
{
	static uint8_t signature[32];
	struct login_proof p = { STR("m"), STR("p"), signature };

	call_cancel(store_salt(asker, STR("alice@example.test"), on_salt, NULL));
	call_cancel(store_salt(asker, STR(""), on_salt, NULL));
	call_cancel(store_login_proof(asker, STR("alice@example.test"), &p, on_login, NULL));
	call_cancel(store_login_known(asker, STR("alice@example.test"), on_login, NULL));
	got_begin();
	got.e = ERR_NEVER;
	turn_for(50);
	ok(!got.done, "who goes away is not told");
	got_begin();
	store_login_proof(asker, STR("alice@example.test"), &p, on_login, NULL);
	ok(got_end() == ERR_DENIED, "a proof of another length is wrong");
}

static void test_secret(void)
{
	uint8_t a[SECRET_BYTES], b[SECRET_BYTES];
	int fd;

	ok(secret_open(store_fd, a) == OK && secret_open(store_fd, b) == OK && !memcmp(a, b, sizeof(a)),
		"the secret stays what it is");
	unlinkat(store_fd, SECRET_FILE, 0);
	ok(secret_open(store_fd, b) == OK && memcmp(a, b, sizeof(a)), "a lost one is made anew");
	fd = openat(store_fd, SECRET_FILE, O_WRONLY | O_TRUNC);
	close(fd);
	memcpy(a, b, sizeof(a));
	ok(fd >= 0 && secret_open(store_fd, b) == OK && memcmp(a, b, sizeof(a)),
		"an empty one is set aside, and another made");
}

int main(void)
{
	test_begin(2);
	test_proof();
	test_known();
	test_cancel();
	test_secret();
	test_end();
	return done();
}
