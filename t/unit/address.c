/* Addresses: lists as header fields have them, and SMTP's paths. */
#include "storage/mail/address.h"
#include "core/buf.h"
#include "t/tap.h"

/* ---- lists ---- */

/* The answer as IMAP would show it (RFC 3501, 7.4.2): name, route, local part, host of each; ~ is NIL. */
static const struct {
	const char *what, *value, *shown;
} lists[] = {
	{ "an address", "alice@a.test", "(~ ~ alice a.test)" },
	{ "an address in angle brackets", "<alice@a.test>", "(~ ~ alice a.test)" },
	{ "a display name", "Alice Doe <alice@a.test>", "(Alice Doe ~ alice a.test)" },
	{ "a display name in quotes", "\"Doe, Alice\" <alice@a.test>", "(Doe, Alice ~ alice a.test)" },
	{ "a backslash quotes", "\"A \\\"B\\\\\" <a@b.test>", "(A \"B\\ ~ a b.test)" },
	{ "a list", "a@b.test, c@d.test", "(~ ~ a b.test)(~ ~ c d.test)" },
	{ "a comma too many is nothing", ",a@b.test,,c@d.test,", "(~ ~ a b.test)(~ ~ c d.test)" },
	{ "nothing is an empty list", " \r\n ", "" },
	{ "a comment is no part of it", "a(x)@(y)b(z).test", "(z ~ a b.test)" },
	{ "a comment behind is a name of the old kind", "a@b.test (Alice (the first) Doe)",
		"(Alice (the first) Doe ~ a b.test)" },
	{ "... but not if there is another", "Alice <a@b.test> (at home)", "(Alice ~ a b.test)" },
	{ "folding is space", "Alice\r\n Doe\r\n <a@b.test>", "(Alice Doe ~ a b.test)" },
	{ "words apart stay apart, however far", "Alice   B.  Doe <a@b.test>", "(Alice B. Doe ~ a b.test)" },
	{ "words together stay together", "\"A\"B.C <a@b.test>", "(AB.C ~ a b.test)" },
	{ "encoded words are left alone", "=?utf-8?Q?Al=C3=A9?= <a@b.test>", "(=?utf-8?Q?Al=C3=A9?= ~ a b.test)" },
	{ "raw bytes beyond ASCII too", "Al\xc3\xa9 <\xc3\xa9@b.test>", "(Al\xc3\xa9 ~ \xc3\xa9 b.test)" },
	{ "a quoted local part loses its quotes", "\"alice doe\"@a.test", "(~ ~ alice doe a.test)" },
	{ "spaces around dots are of old (RFC 5322, A.6.3)", "alice . doe @ a . test", "(~ ~ alice.doe a.test)" },
	{ "a domain literal stays as it is", "a@[192.0.2.1]", "(~ ~ a [192.0.2.1])" },
	{ "a source route (RFC 5322, 4.4)", "<@x.test,@y.test:a@b.test>", "(~ @x.test,@y.test a b.test)" },
	{ "a group", "us: a@b.test, C <c@d.test>;", "(~ ~ us ~)(~ ~ a b.test)(C ~ c d.test)(~ ~ ~ ~)" },
	{ "a group of nobody", "undisclosed-recipients:;", "(~ ~ undisclosed-recipients ~)(~ ~ ~ ~)" },
	{ "a group between others", "a@b.test, My group: c@d.test; , e@f.test",
		"(~ ~ a b.test)(~ ~ My group ~)(~ ~ c d.test)(~ ~ ~ ~)(~ ~ e f.test)" },
	{ "a group that never ends ends with the list", "us: a@b.test", "(~ ~ us ~)(~ ~ a b.test)(~ ~ ~ ~)" },
	{ "a group in a group ends the first", "a: b: c@d.test;",
		"(~ ~ a ~)(~ ~ ~ ~)(~ ~ b ~)(~ ~ c d.test)(~ ~ ~ ~)" },
	{ "the hard one (RFC 5322, A.5)", "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
		"(Pete ~ pete silly.test)" },
	{ "... and its group",
		"A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n"
		"         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
		"(~ ~ A Group ~)(Chris Jones ~ c public.example)(~ ~ joe example.org)(John ~ jdoe one.test)(~ ~ ~ ~)" },
	{ "without a domain the host is empty", "root", "(~ ~ root )" },
	{ "in angle brackets too", "Root <root>", "(Root ~ root )" },
	{ "a null address is none", "<>", "" },
	{ "... but has a name to show", "Nobody <>", "(Nobody ~  )" },
	{ "an address as a display name", "a@b.test <c@d.test>", "(a@b.test ~ c d.test)" },
	{ "the last at sign counts", "a@b@c.test", "(~ ~ a@b c.test)" },
	{ "a missing bracket ends with the entry", "A <a@b.test, c@d.test", "(A ~ a b.test)(~ ~ c d.test)" },
	{ "a bracket too many is skipped", "a@b.test>, c@d.test", "(~ ~ a b.test)(~ ~ c d.test)" },
	{ "words behind are skipped", "<a@b.test> more \"of, it\", c@d.test", "(~ ~ a b.test)(~ ~ c d.test)" },
	{ "a quote that never ends takes the rest", "\"a@b.test, c@d.test", "(~ ~ a@b.test, c@d.test )" },
	{ "so does a comment", "a@b.test (x, c@d.test", "(x, c@d.test ~ a b.test)" },
	{ "at signs alone are nothing", "@, @@, <@>", "(~ ~ @ )" },
	{ "semicolons part as commas do", "a@b.test; c@d.test", "(~ ~ a b.test)(~ ~ c d.test)" },
};

static void show(struct buf *out, struct str s)
{
	buf_add_str(out, s.p ? s : STR("~"));
}

static void show_list(struct buf *out, const struct address *list)
{
	for (; list; list = list->next) {
		buf_add_char(out, '(');
		show(out, list->name), buf_add_char(out, ' ');
		show(out, list->route), buf_add_char(out, ' ');
		show(out, list->local), buf_add_char(out, ' ');
		show(out, list->host);
		buf_add_char(out, ')');
	}
}

static void test_lists(void)
{
	struct arena a = { 0 };
	struct buf got = { 0 };

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		show_list(&got, address_list(&a, str_of(lists[i].value), 100));
		if (!ok(str_eq(buf_str(&got), str_of(lists[i].shown)), "%s", lists[i].what))
			printf("# got %.*s\n", STR_ARG(buf_str(&got)));
		buf_clear(&got);
	}
	show_list(&got, address_list(&a, STR("a@b, c@d, e@f"), 2));
	ok(str_eq(buf_str(&got), STR("(~ ~ a b)(~ ~ c d)")), "no more addresses than asked for");
	buf_clear(&got);
	show_list(&got, address_list(&a, STR("us: a@b, c@d;"), 2));
	ok(str_eq(buf_str(&got), STR("(~ ~ us ~)(~ ~ a b)(~ ~ ~ ~)")), "... but the end of a group");
	buf_clear(&got);
	show_list(&got, address_list(&a, STR("us: them: a@b;"), 2));
	ok(str_eq(buf_str(&got), STR("(~ ~ us ~)(~ ~ ~ ~)")),
		"... and no group begins where there is room for its end alone");
	buf_free(&got);
	arena_free(&a);
}

static void test_list_bombs(void)
{
	static const char *const seeds[] = { "(", "<", "a@", "a,", ":", "\"", "<@a", "a:", "(a)", "[", "@[" };
	struct arena a = { 0 };
	struct buf bomb = { 0 };

	for (size_t i = 0; i < sizeof(seeds) / sizeof(*seeds); i++) {
		buf_clear(&bomb);
		while (buf_len(&bomb) < 1000000)
			buf_add_str(&bomb, str_of(seeds[i]));
		address_list(&a, buf_str(&bomb), 1000);
		ok(a.used < 4000000, "a megabyte of %s is soon read and takes %zu bytes", seeds[i], a.used);
		arena_reset(&a);
	}
	buf_free(&bomb);
	arena_free(&a);
}

/* ---- paths ---- */

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10
#define U   ADDRESS_UTF8

static const struct {
	const char *what, *path;
	unsigned allow;
	enum err e;
	const char *text, *canonical, *left; /* NULL: not looked at */
} paths[] = {
	{ "a path", "<Alice@A.Test>", 0, OK, "Alice@a.test", "alice@a.test", "" },
	{ "parameters are left", "<a@b.test> SIZE=1", 0, OK, "a@b.test", NULL, " SIZE=1" },
	{ "all atoms of RFC 5322", "<!#$%&'*+-/=?^_`{|}~@b.test>", 0, OK, "!#$%&'*+-/=?^_`{|}~@b.test", NULL, "" },
	{ "quotes that are not needed go", "<\"a.b\"@b.test>", 0, OK, "a.b@b.test", NULL, "" },
	{ "backslashes that are not needed too", "<\"\\a\\b\"@b.test>", 0, OK, "ab@b.test", NULL, "" },
	{ "quotes that are needed stay", "<\"a b\"@b.test>", 0, OK, "\"a b\"@b.test", NULL, "" },
	{ "a dot at the end needs them", "<\"a.\"@b.test>", 0, OK, "\"a.\"@b.test", NULL, "" },
	{ "so does nothing", "<\"\"@b.test>", 0, OK, "\"\"@b.test", NULL, "" },
	{ "a bracket may stand in quotes", "<\">\"@b.test> X", 0, OK, "\">\"@b.test", NULL, " X" },
	{ "what must be quoted is", "<\"a\\\"\\\\b\"@b.test>", 0, OK, "\"a\\\"\\\\b\"@b.test", NULL, "" },
	{ "a source route is dropped (RFC 5321, appendix C)", "<@x.test,@y.test:a@b.test>", 0, OK, "a@b.test", NULL,
		"" },
	{ "an IPv4 literal", "<a@[192.0.2.1]>", 0, OK, "a@[192.0.2.1]", NULL, "" },
	{ "an IPv6 literal gets its shortest form", "<a@[ipv6:2001:DB8:0:0:0:0:0:1]>", 0, OK, "a@[IPv6:2001:db8::1]",
		"a@[ipv6:2001:db8::1]", "" },
	{ "the null path", "<>", ADDRESS_NULL, OK, "", "", "" },
	{ "... only where it may stand", "<>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "the bare postmaster", "<PostMaster>", ADDRESS_BARE, OK, "postmaster", "postmaster", "" },
	{ "... only where it may stand", "<postmaster>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "nobody else is bare", "<root>", ADDRESS_BARE, ERR_MISTAKE, NULL, NULL, NULL },
	{ "brackets must be there", "a@b.test", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "... both", "<a@b.test", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no spaces within", "<a@b.test >", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no comments", "<a(b)@b.test>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no dot in front", "<.a@b.test>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no dot behind", "<a.@b.test>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no two dots", "<a..b@b.test>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no empty local part", "<@b.test>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no empty domain", "<a@>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no domain with a dot behind", "<a@b.test.>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no label with a hyphen in front", "<a@-b.test>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "... or behind", "<a@b-.test>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no underscore in a domain", "<a@b_c.test>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no second at sign", "<a@b@c.test>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no control character, even in quotes", "<\"a\tb\"@b.test>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no quote without an end", "<\"a@b.test>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no backslash before nothing", "<\"a\\", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no literal that is no address", "<a@[192.0.2.256]>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no IPv6 without its tag", "<a@[2001:db8::1]>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no literal without an end", "<a@[192.0.2.1>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no empty literal", "<a@[]>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no source route without a colon", "<@x.test a@b.test>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "no letters beyond ASCII unasked", "<\xc3\xa9@b.test>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "letters beyond ASCII (RFC 6531)", "<\xc3\xa9.B@\xc3\xa9.Test>", U, OK, "\xc3\xa9.B@\xc3\xa9.test",
		"\xc3\xa9.b@\xc3\xa9.test", "" },
	{ "... in quotes too", "<\"\xc3\xa9 b\"@b.test>", U, OK, "\"\xc3\xa9 b\"@b.test", NULL, "" },
	{ "... but not behind a backslash", "<\"\\\xc3\xa9\"@b.test>", U, ERR_MISTAKE, NULL, NULL, NULL },
	{ "broken UTF-8 is refused", "<\xc3@b.test>", U, ERR_MISTAKE, NULL, NULL, NULL },
	{ "overlong UTF-8 as well", "<\xc0\xafx@b.test>", U, ERR_MISTAKE, NULL, NULL, NULL },
	{ "64 octets of local part", "<" X60 "abcd@b.test>", 0, OK, NULL, NULL, "" },
	{ "65 are too many", "<" X60 "abcde@b.test>", 0, ERR_TOO_BIG, NULL, NULL, NULL },
	{ "quotes that go do not count", "<\"" X60 "abcd\"@b.test>", 0, OK, NULL, NULL, "" },
	{ "63 octets of label", "<a@" X60 "abc.test>", 0, OK, NULL, NULL, "" },
	{ "64 are too many", "<a@" X60 "abcd.test>", 0, ERR_MISTAKE, NULL, NULL, NULL },
	{ "254 octets of address", "<" X10 X10 "@" X60 "." X60 "." X60 "." X10 X10 X10 X10 X10 ">", 0, OK, NULL, NULL,
		"" },
	{ "255 are too many", "<" X10 X10 "x@" X60 "." X60 "." X60 "." X10 X10 X10 X10 X10 ">", 0, ERR_TOO_BIG, NULL,
		NULL, NULL },
	{ "256 octets of domain are", "<a@" X60 "." X60 "." X60 "." X60 "." X10 "xx>", 0, ERR_TOO_BIG, NULL, NULL,
		NULL },
};

static bool same(struct str got, const char *expected)
{
	return !expected || str_eq(got, str_of(expected));
}

static void test_paths(void)
{
	struct arena a = { 0 };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct str left = str_of(paths[i].path);
		struct address_path path, again;
		enum err e = address_path(&a, &left, paths[i].allow, &path);
		bool good = e == paths[i].e;

		if (!e && good) {
			struct str text = address_text(&a, &path);

			good = same(text, paths[i].text) && same(address_canonical(&a, &path), paths[i].canonical) &&
			       same(left, paths[i].left);
			if (path.domain.len) /* what is canonical is so for ever */
				good &= !address_mailbox(&a, text, paths[i].allow, &again) &&
				        str_eq(again.local, path.local) && str_eq(again.domain, path.domain);
		}
		if (!ok(good, "%s", paths[i].what))
			printf("# got %s\n", err_text(e));
	}
	arena_free(&a);
}

static void test_rest(void)
{
	struct arena a = { 0 };
	struct address_path path;
	struct str name;

	ok(!address_mailbox(&a, STR("a@b.test"), 0, &path), "a mailbox is a path without brackets");
	ok(address_mailbox(&a, STR("a@b.test "), 0, &path) == ERR_MISTAKE, "nothing may follow it");
	ok(address_mailbox(&a, STR(""), ADDRESS_NULL | ADDRESS_BARE, &path) == ERR_MISTAKE, "and it is not nothing");
	ok(!address_domain(&a, STR("Mail.Example.TEST"), 0, &name) && str_eq(name, STR("mail.example.test")),
		"a domain in lower case");
	ok(!address_domain(&a, STR("[192.0.2.1]"), 0, &name), "or an address literal");
	ok(address_domain(&a, STR("a b"), 0, &name) == ERR_MISTAKE, "but not two words");
	ok(address_domain(&a, STR("../etc"), 0, &name) == ERR_MISTAKE, "and no way out of a directory");
	ok(address_domain(&a, STR_NONE, 0, &name) == ERR_MISTAKE, "nor nothing");
	arena_free(&a);
}

int main(void)
{
	test_lists();
	test_list_bombs();
	test_paths();
	test_rest();
	return done();
}
