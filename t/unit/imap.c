/* The syntax of IMAP: where commands end, what their arguments say, mailbox names in modified UTF-7. */
#include "protocols/imap/imap_args.h"
#include "protocols/imap/imap_parse.h"
#include "protocols/imap/imap_pattern.h"
#include "protocols/imap/imap_set.h"
#include "protocols/imap/imap_utf7.h"
#include "protocols/imap/imap_write.h"
#include "t/tap.h"

static const struct {
	const char *what, *input;
	ptrdiff_t used;
} commands[] = {
	{ "a line ends in CRLF", "a NOOP\r\n", 8 },
	{ "a literal waits for its bytes", "a X {3}\r\nab", 0 },
	{ "a literal and the line behind it", "a X {3}\r\nabc d\r\nb", 16 },
	{ "a literal may hold what looks like an end", "a X {2}\r\n\r\n\r\n", 13 },
	{ "two literals", "a X {1}\r\na {1+}\r\nb\r\n", 20 },
	{ "an empty literal", "a X {0}\r\n\r\n", 11 },
	{ "a brace in a quoted string is none", "a X \"{3}\"\r\n", 11 },
	{ "nor one with letters in it", "a X {3x}\r\n", 10 },
	{ "a literal8 may hold anything too", "a X ~{2}\r\n\n\n\r\n", 14 },
	{ "a bare LF can never become right", "a NOOP\n", -1 },
	{ "a CR within a line neither", "a NO\rOP\r\n", -1 },
	{ "nor a literal of more than 32 bits", "a X {4294967296}\r\n", -1 },
};

/* Parses on past announced literals, and counts them. */
static ptrdiff_t parse(struct imap_parser *p, struct str in, unsigned *literals)
{
	ptrdiff_t used;

	while (!(used = imap_parse(p, in)) && p->announced)
		++*literals;
	return used;
}

/* Fed whole, then byte by byte: the answer may not differ. */
static void test_commands(void)
{
	struct imap_parser p = { 0 };

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		struct str in = str_of(commands[i].input);
		struct imap_parser whole = { 0 }, slow = { 0 };
		unsigned literals = 0, slow_literals = 0;
		ptrdiff_t used = parse(&whole, in, &literals), slowly = 0;

		for (size_t len = 1; len <= in.len && !slowly; len++)
			slowly = parse(&slow, str_cut(in, 0, len), &slow_literals);
		ok(used == commands[i].used && slowly == used && literals == slow_literals, "%s", commands[i].what);
	}
	ok(imap_parse(&p, STR("a NO\0P\r\n")) < 0, "a NUL can never become right");
	p = (struct imap_parser){ 0 };
	ok(!imap_parse(&p, STR("a X {1}\r\na {2+}\r\nbc\r\n")) && p.announced && p.synchronising &&
			p.literal_len == 1 && p.scanned == 9,
		"a literal is announced, though its bytes are here");
	ok(!imap_parse(&p, STR("a X {1}\r\na {2+}\r\nbc\r\n")) && p.announced && !p.synchronising && p.literal_len == 2,
		"and the next, one that comes without asking");
	p = (struct imap_parser){ 0 };
	ok(!imap_parse(&p, STR("a X ~{1+}\r\n\0 {1}\r\n")) && p.binary && !p.synchronising && p.literal_len == 1 &&
			!imap_parse(&p, STR("a X ~{1+}\r\n\0 {1}\r\n")) && !p.binary && p.synchronising,
		"a literal8 is told from others");
}

static const struct {
	const char *what, *input;
	bool good;
	const char *value;
} astrings[] = {
	{ "an atom", "INBOX", true, "INBOX" },
	{ "a quoted string", "\"a \\\"b\\\\\"", true, "a \"b\\" },
	{ "a quoted string that does not end", "\"abc", false, "" },
	{ "a literal", "{3}\r\na b", true, "a b" },
	{ "a literal cut short", "{4}\r\na b", false, "" },
	{ "a backslash before the end of a quoted string", "\"a\\\"", false, "" },
	{ "a backslash that is no escape", "\"a\\b\"", false, "" },
	{ "a line end within a quoted string", "\"a\r\nb\"", false, "" },
	{ "nothing", "", false, "" },
	{ "a parenthesis", "(", false, "" },
};

static void test_astrings(void)
{
	for (size_t i = 0; i < sizeof(astrings) / sizeof(*astrings); i++) {
		struct arena arena = { 0 };
		struct args a = { str_of(astrings[i].input), &arena, false };
		struct str value = args_astring(&a);

		ok(args_end(&a) == astrings[i].good && str_eq(value, str_of(astrings[i].value)), "%s",
			astrings[i].what);
		arena_free(&arena);
	}
}

static const struct {
	const char *what, *input;
	size_t count; /* of ranges; 0: not a set */
	uint32_t first, last;
} sets[] = {
	{ "a number", "7", 1, 7, 7 },
	{ "a range", "2:4", 1, 2, 4 },
	{ "a range the other way round", "4:2", 1, 2, 4 },
	{ "to the end", "3:*", 1, 3, UINT32_MAX },
	{ "from the end", "*:3", 1, 3, UINT32_MAX },
	{ "several", "1,3:5,9", 3, 1, 1 },
	{ "zero is no number", "0", 0, 0, 0 },
	{ "nothing behind a comma", "1,", 0, 0, 0 },
	{ "nothing behind a colon", "1:", 0, 0, 0 },
};

static void test_settled(void)
{
	struct uid_range ranges[] = { { 9, UINT32_MAX }, { 3, 4 }, { 1, 2 }, { 4, 5 } };
	struct set set = { ranges, 4 };

	set_settle(&set, 7);
	ok(set.count == 2 && ranges[0].first == 1 && ranges[0].last == 5, "ranges that touch or overlap become one");
	ok(set_holds(&set, 7), "9:* holds the last, if that is 7");
	ok(!set_holds(&set, 6) && !set_holds(&set, 8) && !set_holds(&set, 9), "and no other");
	ok(set_holds(&set, 1) && set_holds(&set, 3) && set_holds(&set, 5), "what stood in a range is found in it");
	ok(!set_holds(&(struct set){ 0 }, 1), "nothing is in no set");
}

static void test_sets(void)
{
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		struct arena arena = { 0 };
		struct args a = { str_of(sets[i].input), &arena, false };
		struct set set;

		args_set(&a, &set);
		ok(set.count == sets[i].count && args_end(&a) == (set.count > 0) &&
				(!set.count ||
					(set.ranges[0].first == sets[i].first && set.ranges[0].last == sets[i].last)),
			"a set: %s", sets[i].what);
		arena_free(&arena);
	}
	test_settled();
}

/* How many of `one` are taken, when so many stand one behind the other. */
static size_t taken(const char *one, size_t times, bool flags)
{
	struct arena arena = { 0 };
	struct buf text = { 0 };
	struct flag_words words;
	struct set set;
	struct args a;
	bool good;

	for (size_t i = 0; i < times; i++)
		buf_add_str(&text, str_of(one));
	a = (struct args){ str_cut(buf_str(&text), 0, buf_len(&text) - 1), &arena, false };
	if (flags)
		args_flags(&a, &words);
	else
		args_set(&a, &set);
	good = args_end(&a);
	buf_free(&text);
	arena_free(&arena);
	return good ? flags ? words.count : set.count : 0;
}

static void test_limits(void)
{
	ok(taken("1,", SET_RANGES_MAX, false) == SET_RANGES_MAX, "a set may have so many ranges");
	ok(taken("1,", SET_RANGES_MAX + 1, false) == 0, "and no more");
	ok(taken("k ", FLAGS_MAX, true) == FLAGS_MAX, "a list may have so many keywords");
	ok(taken("k ", FLAGS_MAX + 1, true) == 0, "and no more");
}

static void test_strings(void)
{
	char text[QUOTED_BYTES_MAX + 1];
	struct buf out = { 0 };

	memset(text, 'a', sizeof(text));
	imap_write_string(&out, (struct str){ text, QUOTED_BYTES_MAX });
	ok(buf_len(&out) == QUOTED_BYTES_MAX + 2 && buf_data(&out)[0] == '"', "a string is quoted");
	buf_clear(&out);
	imap_write_string(&out, (struct str){ text, sizeof(text) });
	ok(str_starts(buf_str(&out), STR("{1001}\r\naaa")), "a long one is a literal");
	buf_clear(&out);
	imap_write_string(&out, STR("a \"b\\c"));
	ok(str_eq(buf_str(&out), STR("\"a \\\"b\\\\c\"")), "what needs it has a backslash");
	buf_clear(&out);
	imap_write_string(&out, STR("\xc3\xa4"));
	ok(str_eq(buf_str(&out), STR("{2}\r\n\xc3\xa4")), "what is not ASCII is a literal");
	buf_clear(&out);
	imap_write_astring(&out, STR("Date]"));
	imap_write_astring(&out, STR(""));
	imap_write_astring(&out, STR("a%"));
	imap_write_nstring(&out, STR_NONE);
	ok(str_eq(buf_str(&out), STR("Date]\"\"\"a%\"NIL")), "an atom, no atoms, and nothing at all");
	buf_free(&out);
}

static void test_flags(void)
{
	struct arena arena = { 0 };
	struct args a = { STR("(\\Seen \\deleted $Forwarded work)"), &arena, false };
	struct flag_words words;

	args_flags(&a, &words);
	ok(args_end(&a) && words.flags == (FLAG_SEEN | FLAG_DELETED) && words.count == 2 &&
			str_eq(words.keywords[0], STR("$Forwarded")),
		"flags and keywords are told apart");
	a = (struct args){ STR("\\Nonsense"), &arena, false };
	args_flags(&a, &words);
	ok(!args_end(&a), "a system flag that is none is refused");
	arena_free(&arena);
}

static const struct {
	const char *what, *utf7, *utf8;
} names[] = {
	{ "plain names", "Archive/2026", "Archive/2026" },
	{ "an ampersand", "Q&-A", "Q&A" },
	{ "the example of RFC 3501, 5.1.3", "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
		"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/"
		"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" },
	{ "a surrogate pair", "&2D3eAA-", "\xf0\x9f\x98\x80" },
	{ "letters with marks among others", "Entw&APw-rfe", "Entw\xc3\xbcrfe" },
};

static const char *const no_names[] = { "&", "&Jjo", "&Jjo!-", "&AGE-", "&2D0-", "a&3gA-", "&U,BTFx-",
	"&U,BTFw-&ZeVnLIqe-", "\xff" };

static void test_utf7(void)
{
	struct buf out = { 0 };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		buf_clear(&out);
		ok(!utf7_decode(str_of(names[i].utf7), &out) && str_eq(buf_str(&out), str_of(names[i].utf8)),
			"%s, read", names[i].what);
		buf_clear(&out);
		utf7_encode(str_of(names[i].utf8), &out);
		ok(str_eq(buf_str(&out), str_of(names[i].utf7)), "%s, written", names[i].what);
	}
	for (size_t i = 0; i < sizeof(no_names) / sizeof(*no_names); i++) {
		buf_clear(&out);
		ok(utf7_decode(str_of(no_names[i]), &out) == ERR_MISTAKE, "%s is no name", no_names[i]);
	}
	buf_free(&out);
}

static const struct {
	const char *pattern, *name;
	bool fits;
} patterns[] = {
	{ "*", "Archive/2026", true },
	{ "%", "Archive", true },
	{ "%", "Archive/2026", false },
	{ "%/%", "Archive/2026", true },
	{ "Archive/%", "Archive", false },
	{ "Archive/*", "Archive/2026/May", true },
	{ "Archive/%", "Archive/2026/May", false },
	{ "*May", "Archive/2026/May", true },
	{ "%May", "Archive/2026/May", false },
	{ "%%%/*%*", "a/b/c", true },
	{ "%*", "a/b", true },
	{ "a*b*c", "aXbYbZc", true },
	{ "a*b*c", "aXcYb", false },
	{ "inbox", "INBOX", true },
	{ "iNb%", "INBOX", true },
	{ "inbox", "inbox", true },
	{ "archive", "Archive", false },
	{ "a", "ab", false },
	{ "ab", "a", false },
};

static void test_patterns(void)
{
	char text[PATTERN_BYTES_MAX + 3];
	struct pattern *p;

	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		p = pattern_new(str_of(patterns[i].pattern));
		ok(pattern_fits(p, str_of(patterns[i].name)) == patterns[i].fits, "%s %s %s", patterns[i].name,
			patterns[i].fits ? "fits" : "does not fit", patterns[i].pattern);
		pattern_free(p);
	}
	memset(text, 'a', sizeof(text));
	for (size_t len = 62; len < 67; len++) { /* where one word of bits ends */
		p = pattern_new((struct str){ text, len });
		ok(pattern_fits(p, (struct str){ text, len }) && !pattern_fits(p, (struct str){ text, len - 1 }),
			"a pattern of %zu bytes", len);
		pattern_free(p);
	}
	ok(!pattern_new((struct str){ text, PATTERN_BYTES_MAX + 1 }), "a pattern that is too long fits nothing");
	memset(text, '*', sizeof(text));
	p = pattern_new((struct str){ text, sizeof(text) });
	ok(p && pattern_fits(p, STR("a")), "wildcards side by side are as good as one");
	pattern_free(p);
}

int main(void)
{
	test_commands();
	test_astrings();
	test_sets();
	test_flags();
	test_limits();
	test_strings();
	test_utf7();
	test_patterns();
	return done();
}
