/* What is kept of a password lets the right one in and no other. */
#include "storage/account/password.h"
#include "t/tap.h"

/* The example of RFC 7677, 3: user "user", password "pencil", 4096 iterations. Its stored and server keys follow from
 * the salt; a settings file with them must be what password_scram_sha_256 would make, so here only the form is looked at. */
static void test_scram_form(void)
{
	struct arena a = { 0 };
	struct str kept;

	ok(!password_scram_sha_256(STR("pencil"), HASH_FULL, &a, &kept) && str_starts(kept, STR("4096$")),
		"SCRAM keys say their 4,096 iterations");
	ok(password_scram_sha_256(STR(""), HASH_FULL, &a, &kept) == ERR_MISTAKE, "an empty password is refused");
	arena_free(&a);
}

static void test_scrypt(enum hash_cost cost)
{
	struct arena a = { 0 };
	struct str kept, again = STR_NONE;
	bool renew;

	ok(!password_hash(STR("secret"), cost, &a, &kept) && !password_hash(STR("secret"), cost, &a, &again),
		"a password is hashed");
	ok(!str_eq(kept, again), "twice the same password gives two salts");
	ok(password_verify(kept, STR("secret"), cost, &renew) == OK && !renew, "the right one is right");
	ok(password_verify(kept, STR("Secret"), cost, &renew) == ERR_DENIED, "another is not");
	ok(password_verify(kept, STR(""), cost, &renew) == ERR_DENIED, "none is not");
	ok(password_verify(kept, (struct str){ "secret\0x", 8 }, cost, &renew) == ERR_DENIED,
		"a NUL does not end the password");
	ok(password_verify(str_cut(kept, 0, kept.len - 4), STR("secret"), cost, &renew) == ERR_DENIED,
		"a key cut short lets nobody in");
	arena_free(&a);
}

static void test_renewal(void)
{
	struct arena a = { 0 };
	struct str cheap;
	bool renew;

	password_hash(STR("secret"), HASH_CHEAP, &a, &cheap);
	ok(!password_verify(cheap, STR("secret"), HASH_FULL, &renew) && renew, "a cheap hash is to be renewed");
	ok(password_verify(cheap, STR("wrong"), HASH_FULL, &renew) == ERR_DENIED && !renew,
		"a wrong password renews nothing");
	arena_free(&a);
}

static void test_digest(void)
{
	static const uint8_t key[PASSWORD_KEY_BYTES] = { 1 }, other_key[PASSWORD_KEY_BYTES] = { 2 };
	uint8_t a[PASSWORD_DIGEST_BYTES], b[PASSWORD_DIGEST_BYTES];

	password_digest(key, STR("kept"), STR("secret"), a);
	password_digest(key, STR("kept"), STR("secret"), b);
	ok(password_digest_same(a, b), "the same password has the same digest");
	password_digest(key, STR("kept"), STR("Secret"), b);
	ok(!password_digest_same(a, b), "another has another");
	password_digest(key, STR("kept2"), STR("secret"), b);
	ok(!password_digest_same(a, b), "and so has the same one that is kept differently");
	password_digest(other_key, STR("kept"), STR("secret"), b);
	ok(!password_digest_same(a, b), "or in another life of the worker");
	password_digest(key, STR("kepts"), STR("ecret"), b);
	ok(!password_digest_same(a, b), "where what is kept ends matters");
}

static void test_crypt(void)
{
	/* the first SHA-512 example of the crypt(3) specification by U. Drepper: "Hello world!", salt "saltstring" */
	struct str hash = STR("$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI"
			      "68u4OTLiBFdcbYEdFCoEOfaS35inz1");
	bool renew;

	ok(password_crypt_check(hash) == OK, "a SHA-512 crypt hash is taken");
	ok(password_verify(hash, STR("Hello world!"), HASH_FULL, &renew) == OK && renew,
		"it fits, and is to be renewed");
	ok(password_verify(hash, STR("Hello world"), HASH_FULL, &renew) == ERR_DENIED, "another password does not fit");
	ok(password_crypt_check(STR("rqXexS6ZhobKA")) == ERR_MISTAKE, "an old DES hash is refused");
	ok(password_crypt_check(STR("$nonsense$x")) == ERR_MISTAKE, "an unknown method is refused");
	ok(password_crypt_check(STR("*")) == ERR_MISTAKE, "a locked account's mark is no hash");
	ok(password_verify(STR(""), STR("x"), HASH_CHEAP, &renew) == ERR_DENIED,
		"nobody logs in where nothing is kept");
}

int main(void)
{
	test_scram_form();
	test_scrypt(HASH_FULL);
	test_scrypt(HASH_CHEAP);
	test_renewal();
	test_digest();
	test_crypt();
	return done();
}
