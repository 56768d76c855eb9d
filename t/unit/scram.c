/* SCRAM-SHA-256: its messages, what of them is refused, its arithmetic by RFC 7677's example; names and passwords in
 * one form by those of RFC 4013. */
#include "storage/account/scram.h"
#include "core/mem.h"
#include "protocols/sasl_scram_message.h"
#include "storage/mail/decode.h"
#include "storage/mail/prepare.h"
#include "t/tap.h"
#include <stdlib.h>

/* ---- the example of RFC 7677, 3: user "user", password "pencil" ---- */

#define NONCES "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALT   "W22ZaJ0SNY7soEsUEjb6gQ=="
#define PROOF  "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static void test_example(void)
{
	struct str kept = STR("4096$" SALT "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
			      "$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
	struct str server = STR("r=" NONCES ",s=" SALT ",i=4096");
	uint8_t signature[SCRAM_KEY_BYTES];
	struct buf message = { 0 }, proof = { 0 }, v = { 0 };
	struct scram_first first;
	struct scram_final final;
	struct scram_keys keys;

	ok(scram_keys_parse(kept, &keys) && keys.iterations == 4096 && keys.salt_len == 16, "the keys are read");
	ok(scram_first_parse(STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), &first), "so is what the client says first");
	ok(scram_final_parse(STR("c=biws,r=" NONCES ",p=" PROOF), &final), "and last");
	buf_printf(&message, STR_FMT "," STR_FMT "," STR_FMT, STR_ARG(first.bare), STR_ARG(server),
		STR_ARG(final.without_proof));
	ok(base64_decode(final.proof, &proof) && buf_len(&proof) == SCRAM_KEY_BYTES, "the proof is 32 bytes long");
	ok(scram_proof_right(&keys, buf_str(&message), (const uint8_t *)buf_data(&proof), signature),
		"the proof is right");
	base64_encode((struct str){ (const char *)signature, sizeof(signature) }, &v);
	ok(str_eq(buf_str(&v), STR("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")), "and so is ours");
	buf_data(&message)[3] ^= 1;
	ok(!scram_proof_right(&keys, buf_str(&message), (const uint8_t *)buf_data(&proof), signature),
		"for another message it is wrong");
	buf_data(&message)[3] ^= 1;
	buf_data(&proof)[31] ^= 1;
	ok(!scram_proof_right(&keys, buf_str(&message), (const uint8_t *)buf_data(&proof), signature),
		"another proof is wrong");
	buf_free(&message);
	buf_free(&proof);
	buf_free(&v);
}

static const struct {
	const char *what, *kept;
} bad_keys[] = {
	{ "nothing", "" },
	{ "no iterations",
		"0$" SALT
		"$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=" },
	{ "a key missing", "4096$" SALT "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=" },
	{ "a key too short", "4096$" SALT "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$AAAA" },
	{ "no base64", "4096$salt!$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$"
		       "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=" },
	{ "a field more",
		"4096$" SALT
		"$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=$x" },
};

static void test_keys(void)
{
	static const uint8_t secret[SCRAM_KEY_BYTES] = { 1 }, other[SCRAM_KEY_BYTES] = { 2 };
	struct scram_keys keys, a, b;
	struct arena arena = { 0 };
	struct str kept;

	for (size_t i = 0; i < sizeof(bad_keys) / sizeof(*bad_keys); i++)
		ok(!scram_keys_parse(str_of(bad_keys[i].kept), &keys) && !keys.iterations && !keys.stored[0],
			"%s: no keys", bad_keys[i].what);
	ok(!password_scram_sha_256(STR("secret"), HASH_CHEAP, &arena, &kept) && scram_keys_parse(kept, &keys) &&
			keys.iterations == password_scram_iterations(HASH_CHEAP),
		"what is kept of a password is keys");
	scram_keys_feign(secret, STR("nobody@example.test"), HASH_CHEAP, &a);
	ok(a.iterations == keys.iterations && a.salt_len == keys.salt_len, "those of nobody look like them");
	scram_keys_feign(secret, STR("nobody@example.test"), HASH_CHEAP, &b);
	ok(!memcmp(a.salt, b.salt, a.salt_len), "and are the same every time");
	scram_keys_feign(secret, STR("nobody.else@example.test"), HASH_CHEAP, &b);
	ok(memcmp(a.salt, b.salt, a.salt_len), "and others for another");
	scram_keys_feign(other, STR("nobody@example.test"), HASH_CHEAP, &b);
	ok(memcmp(a.salt, b.salt, a.salt_len), "and on another server");
	arena_free(&arena);
}

/* ---- messages ---- */

static const struct {
	const char *what, *message;
	char flag; /* 0: it is none */
	const char *binding, *header, *authorize, *name, *nonce;
} firsts[] = {
	{ "the plain form", "n,,n=user,r=abc", 'n', "", "n,,", "", "user", "abc" },
	{ "a client that thinks we cannot bind", "y,,n=user,r=abc", 'y', "", "y,,", "", "user", "abc" },
	{ "a binding", "p=tls-exporter,,n=u,r=abc", 'p', "tls-exporter", "p=tls-exporter,,", "", "u", "abc" },
	{ "an identity to act for", "n,a=other,n=user,r=abc", 'n', "", "n,a=other,", "other", "user", "abc" },
	{ "an empty one", "n,a=,n=user,r=abc", 'n', "", "n,a=,", "", "user", "abc" },
	{ "extensions are passed over", "n,,n=user,r=abc,x=1,y=a=b", 'n', "", "n,,", "", "user", "abc" },
	{ "names beyond ASCII", "n,,n=\xc3\xa4,r=abc", 'n', "", "n,,", "", "\xc3\xa4", "abc" },
	{ "nothing", "", 0, "", "", "", "", "" },
	{ "no flag", ",,n=user,r=abc", 0, "", "", "", "", "" },
	{ "another flag", "q,,n=user,r=abc", 0, "", "", "", "", "" },
	{ "a flag and more", "nn,,n=user,r=abc", 0, "", "", "", "", "" },
	{ "a binding without a name", "p=,,n=user,r=abc", 0, "", "", "", "", "" },
	{ "a binding of another form", "p=a_b,,n=user,r=abc", 0, "", "", "", "", "" },
	{ "no place for an identity", "n,n=user,r=abc", 0, "", "", "", "", "" },
	{ "something else in its place", "n,b=x,n=user,r=abc", 0, "", "", "", "", "" },
	{ "an extension that is demanded", "n,,m=x,n=user,r=abc", 0, "", "", "", "", "" },
	{ "one that is demanded at the end", "n,,n=user,r=abc,m=x", 0, "", "", "", "", "" },
	{ "no name", "n,,r=abc", 0, "", "", "", "", "" },
	{ "an empty name", "n,,n=,r=abc", 0, "", "", "", "", "" },
	{ "no nonce", "n,,n=user", 0, "", "", "", "", "" },
	{ "an empty nonce", "n,,n=user,r=", 0, "", "", "", "", "" },
	{ "a nonce with a space", "n,,n=user,r=a c", 0, "", "", "", "", "" },
	{ "a nonce beyond ASCII", "n,,n=user,r=\xc3\xa4", 0, "", "", "", "", "" },
	{ "the wrong order", "n,,r=abc,n=user", 0, "", "", "", "", "" },
	{ "a comma at the end", "n,,n=user,r=abc,", 0, "", "", "", "", "" },
	{ "no UTF-8", "n,,n=\xe4,r=abc", 0, "", "", "", "", "" },
	{ "an extension without a value", "n,,n=user,r=abc,x=", 0, "", "", "", "", "" },
	{ "an extension without a letter", "n,,n=user,r=abc,1=2", 0, "", "", "", "", "" },
};

static void test_firsts(void)
{
	for (size_t i = 0; i < sizeof(firsts) / sizeof(*firsts); i++) {
		struct scram_first f;
		bool good = scram_first_parse(str_of(firsts[i].message), &f);

		if (!firsts[i].flag)
			ok(!good, "%s: no first message", firsts[i].what);
		else
			ok(good && f.flag == firsts[i].flag && str_eq(f.binding, str_of(firsts[i].binding)) &&
					str_eq(f.header, str_of(firsts[i].header)) &&
					str_eq(f.authorize, str_of(firsts[i].authorize)) &&
					str_eq(f.name, str_of(firsts[i].name)) &&
					str_eq(f.nonce, str_of(firsts[i].nonce)) &&
					f.header.len + f.bare.len == strlen(firsts[i].message),
				"%s", firsts[i].what);
	}
	ok(!scram_first_parse((struct str){ "n,,n=us\0r,r=abc", 15 }, &(struct scram_first){ 0 }), "a NUL: no message");
}

static const struct {
	const char *what, *message;
	const char *binding, *nonce, *proof; /* NULL: it is none */
} finals[] = {
	{ "the plain form", "c=biws,r=abc,p=cHJvb2Y=", "biws", "abc", "cHJvb2Y=" },
	{ "extensions are passed over", "c=biws,r=abc,x=1,p=cHJvb2Y=", "biws", "abc", "cHJvb2Y=" },
	{ "nothing", "", NULL, NULL, NULL },
	{ "no proof", "c=biws,r=abc", NULL, NULL, NULL },
	{ "an empty proof", "c=biws,r=abc,p=", NULL, NULL, NULL },
	{ "a proof that is not the last", "c=biws,p=cHJvb2Y=,r=abc", NULL, NULL, NULL },
	{ "something behind it", "c=biws,r=abc,p=cHJvb2Y=,x=1", NULL, NULL, NULL },
	{ "no binding", "r=abc,p=cHJvb2Y=", NULL, NULL, NULL },
	{ "no nonce", "c=biws,p=cHJvb2Y=", NULL, NULL, NULL },
	{ "an extension that is demanded", "c=biws,r=abc,m=1,p=cHJvb2Y=", NULL, NULL, NULL },
	{ "an empty attribute", "c=biws,r=abc,,p=cHJvb2Y=", NULL, NULL, NULL },
};

static void test_finals(void)
{
	for (size_t i = 0; i < sizeof(finals) / sizeof(*finals); i++) {
		struct scram_final f;
		bool good = scram_final_parse(str_of(finals[i].message), &f);

		if (!finals[i].proof)
			ok(!good, "%s: no last message", finals[i].what);
		else
			ok(good && str_eq(f.binding, str_of(finals[i].binding)) &&
					str_eq(f.nonce, str_of(finals[i].nonce)) &&
					str_eq(f.proof, str_of(finals[i].proof)),
				"%s", finals[i].what);
	}
}

static void test_names(void)
{
	static const struct {
		const char *name, *means; /* NULL: nothing */
	} names[] = { { "user", "user" }, { "a=2Cb=3Dc", "a,b=c" }, { "=3D=3D", "==" }, { "a=2cb", NULL },
		{ "a=", NULL }, { "a=2", NULL }, { "a=41", NULL } };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct buf out = { 0 };
		bool good = scram_name(str_of(names[i].name), &out);

		ok(names[i].means ? good && str_eq(buf_str(&out), str_of(names[i].means)) : !good, "the name %s",
			names[i].name);
		buf_free(&out);
	}
}

/* ---- SASLprep: first the examples of RFC 4013, 3 ---- */

static const struct {
	const char *what, *text, *prepared; /* NULL: refused */
} texts[] = {
	{ "a soft hyphen is nothing", "I\xc2\xadX", "IX" },
	{ "letters stay what they are", "user", "user" },
	{ "and large or small", "USER", "USER" },
	{ "a feminine ordinal is an a", "\xc2\xaa", "a" },
	{ "a Roman nine is two letters", "\xe2\x85\xa8", "IX" },
	{ "a bell is refused", "\x07", NULL },
	{ "a digit behind Arabic is refused", "\xd8\xa7\x31", NULL },
	{ "a letter and its mark are one", "a\xcc\x88", "\xc3\xa4" },
	{ "a space is a space",
		"a\xc2\xa0"
		"b",
		"a b" },
	{ "nothing left is refused", "\xc2\xad", NULL },
	{ "nothing at all too", "", NULL },
	{ "no UTF-8 is refused", "\xe4", NULL },
	{ "a code point of no letter yet stays", "\xf0\x9f\xab\xa0", "\xf0\x9f\xab\xa0" },
};

static void test_prepare(void)
{
	struct arena a = { 0 };
	struct str prepared, kept;
	char *longest = mem_alloc(PREPARE_BYTES_MAX + 3);
	bool again;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		enum err e = prepare(str_of(texts[i].text), &a, &prepared);

		ok(texts[i].prepared ? !e && str_eq(prepared, str_of(texts[i].prepared)) : e == ERR_MISTAKE, "%s",
			texts[i].what);
	}
	for (size_t i = 0; i + 3 <= PREPARE_BYTES_MAX + 3; i += 3)
		memcpy(longest + i, "\xef\xb7\xba", 3); /* 18 characters each, when composed */
	ok(!prepare((struct str){ longest, PREPARE_BYTES_MAX - PREPARE_BYTES_MAX % 3 }, &a, &prepared) &&
			prepared.len > 10 * PREPARE_BYTES_MAX,
		"what grows most has room");
	ok(prepare((struct str){ longest, PREPARE_BYTES_MAX + 1 }, &a, &prepared) == ERR_MISTAKE,
		"too long is refused");
	ok(!password_hash(STR("a\xcc\x88"), HASH_CHEAP, &a, &kept) &&
			!password_verify(kept, STR("\xc3\xa4"), HASH_CHEAP, &again),
		"a password is right from any keyboard");
	ok(!password_hash(STR("\xe4"), HASH_CHEAP, &a, &kept) &&
			!password_verify(kept, STR("\xe4"), HASH_CHEAP, &again) &&
			password_verify(kept, STR("\xc3\xa4"), HASH_CHEAP, &again),
		"one in an old character set is taken byte by byte");
	arena_free(&a);
	free(longest);
}

int main(void)
{
	test_example();
	test_keys();
	test_firsts();
	test_finals();
	test_names();
	test_prepare();
	return done();
}
