/* The text of aliases(5) files: lines put together, names and what they stand for. */
#include "storage/route/alias_line.h"
#include "t/tap.h"

static struct arena memory;

static const struct {
	const char *what, *text, *lines; /* with their numbers */
	bool plain;
} texts[] = {
	{ "a line each", "a: b\nc: d\n", "1 a: b|2 c: d|", false },
	{ "the last one without an end", "a: b\nc: d", "1 a: b|2 c: d|", false },
	{ "CRLF", "a: b\r\nc: d\r\n", "1 a: b|2 c: d|", false },
	{ "comments and empty lines", "# x\n\n  # y\na: b\n   \n#\n", "4 a: b|", false },
	{ "a blank at the front goes on", "a: b,\n  c,\n\td\ne: f\n", "1 a: b, c, d|4 e: f|", false },
	{ "comments between do not end it", "a: b,\n# x\n\n  c\n", "1 a: b, c|", false },
	{ "a comment and then another name", "a: b\n# x\nc: d\n", "1 a: b|3 c: d|", false },
	{ "a first line with a blank", "  a: b\n", "1 a: b|", false },
	{ "in included files nothing goes on", "a@x.test\n  b@x.test\n# c\n", "1 a@x.test|2 b@x.test|", true },
	{ "nothing", "", "", false },
	{ "comments alone", "# x\n#y", "", false },
};

static void test_lines(void)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct alias_reader r = { .left = str_of(texts[i].text), .plain = texts[i].plain };
		struct buf got = { 0 };
		struct str line;

		while (alias_read(&r, &line))
			buf_printf(&got, "%u " STR_FMT "|", r.begin, STR_ARG(line));
		if (!ok(str_eq(buf_str(&got), str_of(texts[i].lines)), "%s", texts[i].what))
			printf("# " STR_FMT "\n", STR_ARG(buf_str(&got)));
		buf_free(&got);
		alias_reader_free(&r);
	}
}

static const struct {
	const char *what, *line, *name, *targets; /* name NULL: it is none */
} names[] = {
	{ "a name", "postmaster: root", "postmaster", "root" },
	{ "in capitals", "MAILER-DAEMON:postmaster", "mailer-daemon", "postmaster" },
	{ "with a blank before the colon", "a : b", "a", "b" },
	{ "in quotes", "\"a: b\": c", "a: b", "c" },
	{ "with nothing behind it", "a:", "a", "" },
	{ "no colon", "a b", NULL, NULL },
	{ "no name", ": b", NULL, NULL },
	{ "an empty one in quotes", "\"\": b", NULL, NULL },
	{ "two words", "a b: c", NULL, NULL },
	{ "quotes that do not end", "\"a: b", NULL, NULL },
	{ "something behind the quotes", "\"a\"b: c", NULL, NULL },
	{ "a control character", "a\001: c", NULL, NULL },
	{ "too long", "a1234567890123456789012345678901234567890123456789012345678901234567890: c", NULL, NULL },
};

static void test_names(void)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct str name, targets;
		enum err e = alias_name(&memory, str_of(names[i].line), &name, &targets);

		ok(names[i].name
				? !e && str_eq(name, str_of(names[i].name)) && str_eq(targets, str_of(names[i].targets))
				: e == ERR_MISTAKE,
			"%s", names[i].what);
	}
}

static const struct {
	const char *what, *list, *targets; /* a letter for the kind, capital if plain; ? is a mistake */
} lists[] = {
	{ "names and addresses", "root, alice@Far.Test,bob", "a root;a alice@far.test;a bob;" },
	{ "nothing", "", "" },
	{ "commas alone", ", ,", "" },
	{ "quotes that need not be", "\"alice\", \"bob\"@far.test", "a alice;a bob@far.test;" },
	{ "quotes that must be", "\"a, b\", \"c d\"@far.test", "a \"a, b\";a \"c d\"@far.test;" },
	{ "a name with its address", "Alice Liddell <alice@far.test>, \"L, A\" <a@far.test>",
		"a alice@far.test;a a@far.test;" },
	{ "the name itself", "\\bob, alice", "A bob;a alice;" },
	{ "a program", "|/bin/true", "p /bin/true;" },
	{ "a program in quotes", "\"|/bin/prog a, \\\"b\\\"\", x", "p /bin/prog a, \"b\";a x;" },
	{ "a program with its words in quotes", "|\"/bin/prog a, b\"", "p /bin/prog a, b;" },
	{ "a program without a name", "|", "?" },
	{ "a file", "/var/mail/all", "f /var/mail/all;" },
	{ "a file in quotes", "\"/var/mail/all of it\"", "f /var/mail/all of it;" },
	{ "a file to be included", ":include:/etc/list", "i /etc/list;" },
	{ "also in capitals, with a blank, in quotes", ":INCLUDE: /etc/list, \":include:/etc/a b\"",
		"i /etc/list;i /etc/a b;" },
	{ "no other than by its whole name", ":include:list", "?" },
	{ "a reply", "error:550 5.7.1 Go away", "e 550 5.7.1 Go away;" },
	{ "a reply without code", "error:Gone", "e 550 5.1.1 Gone;" },
	{ "a reply of a wrong code", "error:250 OK", "e 550 5.1.1 250 OK;" },
	{ "no reply", "error:", "?" },
	{ "a mistake among others", "a b, alice, @x, bob", "?a alice;?a bob;" },
	{ "quotes that do not end", "\"alice, bob", "?" },
};

static void test_targets(void)
{
	static const char letters[] = "apfie";

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		struct str left = str_of(lists[i].list);
		struct buf got = { 0 };
		struct alias_target t;
		enum err e;

		while ((e = alias_target(&memory, &left, &t)) != ERR_ABSENT) {
			if (e)
				buf_add_char(&got, '?');
			else
				buf_printf(&got, "%c " STR_FMT ";", t.plain ? 'A' : letters[t.kind], STR_ARG(t.text));
		}
		if (!ok(str_eq(buf_str(&got), str_of(lists[i].targets)), "%s", lists[i].what))
			printf("# " STR_FMT "\n", STR_ARG(buf_str(&got)));
		buf_free(&got);
	}
}

int main(void)
{
	test_lines();
	test_names();
	test_targets();
	arena_free(&memory);
	return done();
}
