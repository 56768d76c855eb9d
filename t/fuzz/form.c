/* The stored form of any bytes: however they are cut the result is the same, and what was encoded is decoded. */
#include "t/form.h"

/* No line of the stored form could be taken for a postmark, and no line of its header for one of the mailbox's own. */
static void check_stored(struct str stored, const struct form_size *size)
{
	for (size_t at = 0; at < stored.len;) {
		struct str line = str_cut(stored, at, stored.len);

		line.len = (size_t)str_find(line, '\n') + 1;
		assert(!str_starts(line, STR("From ")) && !memchr(line.p, '\r', line.len) &&
			!memchr(line.p, 0, line.len));
		if (at < size->header)
			assert(form_field_of(line, true, NULL) == FORM_OTHER);
		at += line.len;
	}
	assert(size->header <= size->stored && size->wire_header <= size->wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str input = { (const char *)bytes, size };
	struct buf whole = { 0 }, cut = { 0 }, wire = { 0 }, again = { 0 };
	struct form_size a, b;

	for (int rule = FORM_STRICT; rule <= FORM_NORMALISE; rule++) {
		size_t piece = size ? 1 + bytes[0] % 40 : 1;
		enum err e, f;

		buf_clear(&whole), buf_clear(&cut), buf_clear(&wire), buf_clear(&again);
		e = encode(input, (enum form_lines)rule, SIZE_MAX / 2, &whole, &a);
		f = encode(input, (enum form_lines)rule, piece, &cut, &b);
		assert(e == f);
		if (e)
			continue;
		assert(str_eq(buf_str(&whole), buf_str(&cut)) && !memcmp(&a, &b, sizeof(a)));
		check_stored(buf_str(&whole), &a);
		decode(buf_str(&whole), SIZE_MAX / 2, &wire);
		decode(buf_str(&whole), piece, &again);
		assert(str_eq(buf_str(&wire), buf_str(&again)));
		assert(a.stored == buf_len(&whole) && a.wire == buf_len(&wire));
		buf_clear(&again);
		assert(!encode(buf_str(&wire), FORM_STRICT, SIZE_MAX / 2, &again, &b));
		assert(str_eq(buf_str(&whole), buf_str(&again)) && !memcmp(&a, &b, sizeof(a)));
	}
	decode(input, SIZE_MAX / 2, &wire);
	buf_free(&whole);
	buf_free(&cut);
	buf_free(&wire);
	buf_free(&again);
	return 0;
}
