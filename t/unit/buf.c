/* The small things under everything: spans, growing buffers, packed records, arenas. */
#include "core/buf.h"
#include "core/arena.h"
#include "core/pack.h"
#include "t/tap.h"
#include <stdlib.h>

static void test_str(void)
{
	struct str left = STR("  one   two \r\n");
	uint64_t v = 7;

	ok(str_eq_nocase(STR("RcPt"), STR("rCpT")), "case does not matter to eq_nocase");
	ok(!str_eq(STR("a"), STR("ab")), "a prefix is not equal");
	ok(str_u64(STR("18446744073709551615"), &v) && v == UINT64_MAX, "the largest number is read");
	ok(!str_u64(STR("18446744073709551616"), &v) && v == UINT64_MAX, "one more is refused and changes nothing");
	ok(!str_u64(STR(""), &v) && !str_u64(STR("1a"), &v), "no digits, or other than digits, is no number");
	ok(str_hex(STR("fFfFffffffffffff"), &v) && v == UINT64_MAX && str_hex(STR("1a"), &v) && v == 26,
		"hexadecimal is read in any case");
	ok(!str_hex(STR(""), &v) && !str_hex(STR("g"), &v) && !str_hex(STR("00000000000000001"), &v) && v == 26,
		"not without digits, with others, or with 17");
	ok(str_eq(str_word(&left), STR("one")) && str_eq(str_word(&left), STR("two")) && !str_word(&left).len &&
			!str_word(&left).len,
		"words are taken one by one, and then none");
	ok(str_eq(str_trim(STR(" \t a b\r\n")), STR("a b")), "trim takes white space at both ends only");
	ok(str_hash(STR("alice@example.test")) == str_hash(STR("alice@example.test")), "a hash is the same twice");
}

static void test_buf(void)
{
	struct buf b = { 0 };

	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%03d,", i);
	ok(buf_len(&b) == 4000, "1,000 pieces of 4 bytes are 4,000");
	buf_take(&b, 3996);
	ok(str_eq(buf_str(&b), STR("999,")), "what was taken from the front is gone");
	buf_add(&b, "x", 1);
	ok(str_eq(buf_str(&b), STR("999,x")), "adding goes on behind what is left");
	buf_add_number(&b, 0);
	buf_add_number(&b, 1203);
	buf_add_number(&b, UINT64_MAX);
	ok(str_eq(buf_str(&b), STR("999,x0120318446744073709551615")), "numbers are added in decimal");
	buf_cut(&b, 5);
	for (int i = 0; i < 300; i++)
		buf_printf(&b, "%s",
			"0123456789012345678901234567890123456789012345678901234567890123456789"
			"0123456789012345678901234567890123456789012345678901234567890123456789");
	ok(buf_len(&b) == 5 + 300 * 140, "a piece longer than the guess is added whole");
	buf_free(&b);
	ok(!b.bytes && !buf_len(&b), "a freed buffer is an empty one");
}

static void test_pack(void)
{
	struct buf b = { 0 };
	struct unpack u;

	pack_u8(&b, 200);
	pack_u32(&b, 0xdeadbeef);
	pack_u64(&b, UINT64_MAX - 1);
	pack_str(&b, STR("name"));
	u = unpack_of(buf_str(&b));
	ok(unpack_u8(&u) == 200 && unpack_u32(&u) == 0xdeadbeef && unpack_u64(&u) == UINT64_MAX - 1 &&
			str_eq(unpack_str(&u), STR("name")) && unpack_end(&u),
		"what was packed is unpacked");
	for (size_t cut = 0; cut < buf_len(&b); cut++) {
		u = unpack_of(str_cut(buf_str(&b), 0, cut));
		unpack_u8(&u), unpack_u32(&u), unpack_u64(&u), unpack_str(&u);
		if (unpack_end(&u))
			ok(false, "a record cut at %zu is bad", cut);
	}
	u = unpack_of(STR("\xff\xff\xff\xff"));
	ok(!unpack_str(&u).len && u.bad, "a string longer than what is left is bad");
	buf_free(&b);
}

static void test_arena(void)
{
	struct arena a = { 0 };
	bool zeroed = true;

	for (int i = 0; i < 100; i++) {
		char *piece = arena_alloc(&a, 100);

		for (int k = 0; k < 100; k++)
			zeroed &= piece[k] == 0;
		memset(piece, 0xff, 100);
		if (i == 50)
			arena_reset(&a);
	}
	ok(zeroed, "pieces are zeroed, also where memory is used again");
	ok(!strcmp(arena_printf(&a, "%d-%s", 1, "x"), "1-x"), "printf makes a string");
	ok(arena_alloc(&a, 100000) != NULL, "a large piece has a chunk of its own");
	arena_free(&a);
	ok(!a.chunks && !a.used, "a freed arena is an empty one");
}

int main(void)
{
	test_str();
	test_buf();
	test_pack();
	test_arena();
	return done();
}
