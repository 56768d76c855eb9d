/* Lines of the log: whatever a stranger wrote, what is read is what was meant. */
#include "core/log_print.h"
#include "core/buf.h"
#include "core/plain.h"
#include "protocols/cli/trace_log.h"
#include "t/tap.h"
#include <stdlib.h>

__attribute__((format(printf, 3, 4))) static void check(const char *what, const char *is, const char *fmt, ...)
{
	char line[300];
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = log_vprint(line, sizeof(line), fmt, args);
	va_end(args);
	if (!ok(str_eq((struct str){ line, len }, str_of(is)), "%s", what))
		printf("# %.*s\n", (int)len, line);
}

static void test_numbers(void)
{
	const char *volatile empty = NULL;

	check("numbers are as printf writes them", "d=-1 u=4294967295 x=2a X=2A 007 |   7|7   |",
		"d=%d u=%u x=%x X=%X %03d |%4d|%-4d|", -1, 4294967295u, 42u, 42u, 7, 7, 7);
	check("of all sizes", "ll=-5000000000 llu=18446744073709551615 l=-7 lu=7 z=9 zd=-9 016llx=00000000000000ff",
		"ll=%lld llu=%llu l=%ld lu=%lu z=%zu zd=%zd 016llx=%016llx", -5000000000ll, 18446744073709551615ull,
		-7l, 7ul, (size_t)9, (ssize_t)-9, 255ull);
	check("and others", "c=x 100% f=1.5 *=  3", "c=%c 100%% f=%.1f *=%*d", 'x', 1.5, 3, 3);
	check("texts to their length", "a=abc b=ab c= d=abc", "a=%s b=%.2s c=%.*s d=%.9s", "abc", "abc", 0, empty,
		"abc");
}

static void test_places(void)
{
	check("in quotes a quote and a backslash get one", "x reply=\"a \\\"b\\\" \\\\ c=d <e>\" n=1",
		"x reply=\"%s\" n=%d", "a \"b\" \\ c=d <e>", 1);
	check("between brackets their end does", "to=<\"a\\> b=<\"@c.test> n=1", "to=<%s> n=%d", "\"a> b=<\"@c.test",
		1);
	check("a word stays a word", "account=a\\x20peer=1\\x22\\x3c\\x5c n=1", "account=%s n=%d", "a peer=1\"<\\", 1);
	check("also the second half of one", "peer=[a\\x20b]:\\x20c n=1", "peer=[%s]:%s n=%d", "a b", " c", 1);
	check("what stands elsewhere is as it is", "to=<a> b=\"c\" d", "%s d", "to=<a> b=\"c\"");
	check("a key may be an argument, too", "x as=<a\\>b>", "x %s=<%s>", "as", "a>b");
	check("an empty value is one", "a= b=\"\" c=<> d=e", "a=%s b=\"%s\" c=<%s> d=%s", "", "", "", "e");
}

static void test_plain(void)
{
	static const char *const hidden[] = { "\x01", "\x1b", "\x7f", "\x80", "\x9b", "\xff", "\xc2\x80", "\xc2\x9b",
		"\xc0\xaf", "\xe2\x80\xa8", "\xe2\x80\xae", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82",
		"\xf0\x9f\x98", "\xe2\x81\xa6", "\xef\xbb\xbf", "" };
	static const char *const shown[] = { " ", "~", "\xc2\xa0", "\xc3\xa4", "\xe2\x82\xac", "\xef\xbf\xbd",
		"\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf" };

	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++)
		ok(!plain_size(str_of(hidden[i])), "what moves a cursor or is no character is not plain: %zu", i);
	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++)
		ok(plain_size(str_of(shown[i])) == strlen(shown[i]), "a character is: %zu", i);
	check("a line does not end, a terminal hears nothing",
		"r=\"a\\x0d\\x0ab \\x1b[2J \\xc2\\x9b2J \\x9b \xc3\xa4\" n=1", "r=\"%s\" n=%d",
		"a\r\nb \x1b[2J \xc2\x9b"
		"2J \x9b \xc3\xa4",
		1);
	check("nor where a format has no field", "\\x0a\\xff!", "%s!", "\n\xff");
}

__attribute__((format(printf, 3, 4))) static size_t cut(char *line, size_t size, const char *fmt, ...)
{
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = log_vprint(line, size, fmt, args);
	va_end(args);
	return len;
}

/* Whatever the room: the beginning of the line, and never half of what stands for one byte or character. */
static void test_cut(void)
{
	static const char whole[] = "x a=\"1\\\"2\xc3\xa4\\x0a\" b=<y\\>z> c=12345";
	bool good = true;

	for (size_t size = 0; size <= sizeof(whole); size++) {
		char line[sizeof(whole)];
		size_t len = cut(line, size, "x a=\"%s\" b=<%s> c=%d", "1\"2\xc3\xa4\n", "y>z", 12345);

		good &= len <= size && !memcmp(line, whole, len) &&
		        (size < sizeof(whole) - 1 || len == sizeof(whole) - 1);
		good &= !len || (line[len - 1] != '\\' && line[len - 1] != '\xc3');
		good &= len < 2 || (line[len - 2] != '\\' || line[len - 1] != 'x');
	}
	ok(good, "a line is cut where a piece ends");
}

static unsigned next_random(void)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33);
}

static struct str stranger(char text[40])
{
	static const char signs[] = "\"<>\\= ab\n\x9b\xc3\xa4q";
	size_t len = next_random() % 40;

	for (size_t i = 0; i < len; i++)
		text[i] = signs[next_random() % (sizeof(signs) - 1)];
	return (struct str){ text, len };
}

/* As it was written, but for what is \xNN, of which the first value has none. */
static bool same(struct str fields, const char *key, struct str value, bool whole)
{
	struct buf plain = { 0 };
	struct str found;
	bool is = log_field(fields, key, &found);

	if (is)
		log_value(found, &plain);
	is = is && (!whole || str_eq(buf_str(&plain), value));
	buf_free(&plain);
	return is;
}

static bool is_printed(struct str text)
{
	while (text.len && plain_size(text))
		text = str_cut(text, plain_size(text), text.len);
	return !text.len;
}

/* Three values of any bytes: as many fields are read, of our names, each as it was. */
static bool round_trip(void)
{
	char texts[3][40];
	struct str a = stranger(texts[0]), b = stranger(texts[1]), c = stranger(texts[2]), left, key, value;
	struct buf line = { 0 };
	struct log_line l;
	unsigned count = 0;
	bool good;

	buf_add_str(&line, STR("2026-11-23T05:40:43.123Z info smtp 1-2f "));
	log_print(&line, "some event reply=\"" STR_FMT "\" to=<" STR_FMT "> account=" STR_FMT " queue=q0-7", STR_ARG(a),
		STR_ARG(b), STR_ARG(c));
	good = log_line_read(buf_str(&line), &l) && str_eq(l.event, STR("some event"));
	for (left = l.fields; log_field_next(&left, &key, &value); count++)
		;
	good = good && count == 4 && same(l.fields, "reply", a, is_printed(a)) &&
	       same(l.fields, "to", b, is_printed(b)) && same(l.fields, "account", c, false) &&
	       same(l.fields, "queue", STR("q0-7"), true) && is_printed(buf_str(&line));
	if (!good)
		printf("# " STR_FMT "\n", STR_ARG(buf_str(&line)));
	buf_free(&line);
	return good;
}

int main(void)
{
	unsigned good = 0;

	test_numbers();
	test_places();
	test_plain();
	test_cut();
	for (unsigned i = 0; i < 20000; i++)
		good += round_trip();
	ok(good == 20000, "what a stranger writes forges no field and loses none");
	return done();
}
