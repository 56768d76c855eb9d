/* Header fields, walked where they lie. */
#include "storage/mail/header.h"
#include "core/buf.h"
#include "t/tap.h"

/* Every row is read as it is, with CRLF, and with the CR of each line end taken away: the answer may not differ.
 * The answer is name{value} for each field, the value unfolded. */
static const struct {
	const char *what, *block, *fields;
} rows[] = {
	{ "a field is a name and a value", "Subject: hello\r\n", "Subject{hello}" },
	{ "fields come in order", "A: 1\r\nB: 2\r\n", "A{1}B{2}" },
	{ "the blank line is the end", "A: 1\r\n\r\nB: 2\r\n", "A{1}" },
	{ "without a blank line the bytes are the end", "A: 1", "A{1}" },
	{ "an empty block has no fields", "", "" },
	{ "a block that begins with the blank line has none", "\r\nA: 1\r\n", "" },
	{ "a value goes on where the next line begins with a space", "A: 1\r\n 2\r\n\t3\r\nB: 4\r\n", "A{1 2\t3}B{4}" },
	{ "a line of spaces alone goes on too (RFC 5322, 4.2)", "A: 1\r\n  \r\n 2\r\n", "A{1   2}" },
	{ "a value may be empty", "A:\r\nB: \r\n", "A{}B{}" },
	{ "a value may begin on the second line", "A:\r\n 1\r\n", "A{1}" },
	{ "spaces before the colon are not of the name (RFC 5322, 4.5)", "A \t: 1\r\n", "A{1}" },
	{ "a value may hold colons", "A: b:c\r\n", "A{b:c}" },
	{ "a line without a colon is no field", "A: 1\r\nnonsense\r\nB: 2\r\n", "A{1}{nonsense}B{2}" },
	{ "a name with a space in it is none", "From me Thu Jan  1 00:00:00 1970\r\nA: 1\r\n",
		"{From me Thu Jan  1 00:00:00 1970}A{1}" },
	{ "a name of nothing is none", ": x\r\n", "{: x}" },
	{ "a name with bytes beyond ASCII is none", "\xc3\xa4: x\r\n", "{\xc3\xa4: x}" },
	{ "a continuation of nothing is no field", " x\r\nA: 1\r\n", "{x}A{1}" },
	{ "what is no field can go on too", "nonsense\r\n more\r\nA: 1\r\n", "{nonsense more}A{1}" },
};

static void read_as(const char *what, struct str block, const char *fields)
{
	struct header_walk w = header_walk(block);
	struct header_field field;
	struct arena a = { 0 };
	struct buf got = { 0 };
	const char *at = block.p;
	bool whole = true;

	while (header_next(&w, &field)) {
		whole &= field.whole.p == at && field.whole.len > 0;
		at += field.whole.len;
		buf_add_str(&got, field.name);
		buf_add_char(&got, '{');
		buf_add_str(&got, header_unfold(&a, field.value));
		buf_add_char(&got, '}');
	}
	ok(str_eq(buf_str(&got), str_of(fields)), "%s", what);
	if (!whole || at != w.left.p)
		ok(false, "%s: every byte belongs to a field", what);
	buf_free(&got);
	arena_free(&a);
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf lf = { 0 };

		for (const char *p = rows[i].block; *p; p++)
			if (p[0] != '\r' || p[1] != '\n')
				buf_add_char(&lf, *p);
		read_as(rows[i].what, str_of(rows[i].block), rows[i].fields);
		read_as("   the same with bare line feeds", buf_str(&lf), rows[i].fields);
		buf_free(&lf);
	}
}

static void test_rest(void)
{
	struct header_field field;
	struct arena a = { 0 };
	struct str once = STR("a\r\n b");

	ok(header_size(STR("A: 1\r\n\r\nbody")) == 8, "the size of a header counts its blank line");
	ok(header_size(STR("A: 1\n\nbody")) == 6, "... of a bare line feed as well");
	ok(header_size(STR("A: 1\r\nB")) == 7, "without a blank line all is header");
	ok(header_size(STR("\r\nbody")) == 2, "a header may be nothing but its blank line");
	ok(header_find(STR("A: 1\r\nTO: x\r\nTo: y\r\n"), "to", &field) && str_eq(field.value, STR(" x")),
		"a field is found whatever its case, and the first of them");
	ok(str_eq(field.whole, STR("TO: x\r\n")), "its whole is the bytes as they lie");
	ok(!header_find(STR("A: 1\r\n\r\nTo: x\r\n"), "To", &field), "the body is not searched");
	ok(!header_find(STR("nonsense\r\n"), "", &field) || !field.name.len, "no name finds what is no field");
	ok(header_unfold(&a, STR(" plain \r\n")).len == 5 && !a.used, "unfolding a plain value needs no memory");
	ok(str_eq(header_unfold(&a, once), STR("a b")), "unfolding takes the line end and leaves the space");
	ok(str_eq(header_unfold(&a, (struct str){ "a\0b\rc", 5 }), STR("abc")), "NULs and stray CRs go");
	arena_free(&a);
}

int main(void)
{
	test_rows();
	test_rest();
	return done();
}
