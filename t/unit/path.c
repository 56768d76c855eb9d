/* Names made safe for the file system: every rule of path.h, and back. */
#include "storage/path.h"
#include "t/tap.h"

static const struct {
	const char *what, *name, *file; /* file NULL: refused */
} levels[] = {
	{ "letters, digits and what is harmless stay", "Az09 -_+@,z", "Az09 -_+@,z" },
	{ "UTF-8 stays", "Entw\xc3\xbcrfe \xe2\x82\xac", "Entw\xc3\xbcrfe \xe2\x82\xac" },
	{ "a dot is written", "a.b", "a%2Eb" },
	{ "this directory is no name of ours", ".", "%2E" },
	{ "nor is the one above", "..", "%2E%2E" },
	{ "a name like a file of ours is another", "account.settings", "account%2Esettings" },
	{ "a slash within a level is written", "a/b", "a%2Fb" },
	{ "a per cent sign is written", "50%", "50%25" },
	{ "what looks written already is written again", "%2E", "%252E" },
	{ "a space at both ends is written", " a ", "%20a%20" },
	{ "one space alone is written", " ", "%20" },
	{ "a backslash, quotes and wild cards are written", "\\\"'*?", "%5C%22%27%2A%3F" },
	{ "nothing is no name", "", NULL },
	{ "a line end is no part of a name", "a\nb", NULL },
	{ "nor is DEL", "a\x7f", NULL },
	{ "nor is a C1 control, which UTF-8 writes in two bytes", "a\xc2\x85z", NULL },
	{ "the first character behind those is", "a\xc2\xa0z", "a\xc2\xa0z" },
	{ "a byte that is no UTF-8 is refused", "a\xff", NULL },
	{ "half a character is refused", "a\xc3", NULL },
	{ "a slash in an overlong form is refused", "a\xc0\xaf", NULL },
};

static void test_levels(void)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		struct buf file = { 0 }, name = { 0 };
		enum err e = path_name_to_file(&file, str_of(levels[i].name));

		if (levels[i].file)
			ok(!e && str_eq(buf_str(&file), str_of(levels[i].file)) &&
					!path_file_to_name(&name, buf_str(&file)) &&
					str_eq(buf_str(&name), str_of(levels[i].name)),
				"%s, and is read again", levels[i].what);
		else
			ok(e == ERR_MISTAKE && !buf_len(&file), "%s", levels[i].what);
		buf_free(&file);
		buf_free(&name);
	}
}

static void test_every_byte(void)
{
	unsigned same = 0, written = 0, refused = 0;

	for (unsigned c = 0; c < 128; c++) {
		char text[3] = { 'a', (char)c, 'a' };
		struct buf file = { 0 }, name = { 0 };

		if (path_name_to_file(&file, (struct str){ text, 3 }))
			refused++;
		else if (str_eq(buf_str(&file), (struct str){ text, 3 }))
			same++;
		else if (buf_len(&file) == 5 && !path_file_to_name(&name, buf_str(&file)) &&
			 str_eq(buf_str(&name), (struct str){ text, 3 }))
			written++;
		buf_free(&file);
		buf_free(&name);
	}
	ok(refused == 33, "33 control characters are refused");
	ok(same == 26 + 26 + 10 + 6, "68 characters stay");
	ok(written == 128 - 33 - 68, "each of the others is written and read again");
}

static void test_not_ours(void)
{
	static const char *const files[] = { "", ".", "a.b", "%2e", "%41", "%", "%2", "a%2", "%ZZ", "%0A", "%00", "a/b",
		" a", "a ", "a:b", "\xff", "%C3%A9" };
	struct buf name = { 0 };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		ok(path_file_to_name(&name, str_of(files[i])) == ERR_MISTAKE && !buf_len(&name),
			"a file named '%s' is not one that we wrote", files[i]);
	buf_free(&name);
}

static void test_lengths(void)
{
	char name[601];
	struct buf out = { 0 };

	memset(name, 'a', sizeof(name));
	ok(!path_name_to_file(&out, (struct str){ name, 200 }), "200 bytes are a level");
	ok(path_name_to_file(&out, (struct str){ name, 201 }) == ERR_MISTAKE, "201 are not");
	ok(buf_len(&out) == 200, "what stood in the buffer stays when a name is refused");
	memset(name, '.', 67);
	ok(path_name_to_file(&out, (struct str){ name, 67 }) == ERR_MISTAKE, "nor are 67 that become 201");
	ok(!path_name_to_file(&out, (struct str){ name + 1, 66 }), "66 that become 198 are");
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 100 == 99 ? '/' : 'a';
	ok(mailbox_name_check((struct str){ name, 599 }) == OK, "599 bytes in six levels are a mailbox name");
	name[599] = 'a';
	ok(mailbox_name_check((struct str){ name, 600 }) == OK, "600 bytes are");
	ok(mailbox_name_check((struct str){ name, 601 }) == ERR_MISTAKE, "601 are not");
	ok(mailbox_name_check(STR("1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20")) == OK, "20 levels are");
	ok(mailbox_name_check(STR("1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21")) == ERR_MISTAKE,
		"21 are not");
	memset(name, '.', 600);
	for (size_t i = 60; i < 600; i += 60)
		name[i] = '/';
	buf_clear(&out);
	ok(path_mailbox(&out, STR("alice@example.test"), (struct str){ name, 600 }) == ERR_MISTAKE && !buf_len(&out),
		"a path that would be longer than 1,000 bytes is refused");
	buf_free(&out);
}

static void check_path(enum err e, struct buf *out, const char *want, const char *what)
{
	if (want)
		ok(!e && str_eq(buf_str(out), str_of(want)), "%s", what);
	else
		ok(e == ERR_MISTAKE && !buf_len(out), "%s", what);
	buf_free(out);
}

static void test_paths(void)
{
	struct str alice = STR("alice@example.test");
	struct buf out = { 0 };
	enum err e;

	e = path_domain(&out, STR("example.test"));
	check_path(e, &out, "domains/example.test", "a domain keeps its dots");
	e = path_domain(&out, STR("../x"));
	check_path(e, &out, "domains/%2E.%2Fx", "and cannot climb out with them");
	e = path_domain(&out, STR(""));
	check_path(e, &out, NULL, "no domain is no path");
	e = path_account(&out, alice);
	check_path(e, &out, "domains/example.test/alice", "an account lies below its domain");
	e = path_account(&out, STR("a.b/c@d@example.test"));
	check_path(e, &out, "domains/example.test/a%2Eb%2Fc@d", "a local part may hold a dot, a slash and an @");
	e = path_account(&out, STR("alice"));
	check_path(e, &out, NULL, "an account without a domain has no path");
	e = path_account(&out, STR("@example.test"));
	check_path(e, &out, NULL, "nor has one without a local part");
	e = path_mailbox(&out, alice, STR("Archive/2026"));
	check_path(e, &out, "domains/example.test/alice/Archive/2026", "levels of a mailbox are directories");
	e = path_mailbox(&out, alice, STR("iNbOx"));
	check_path(e, &out, "domains/example.test/alice/INBOX", "INBOX in any case is INBOX");
	e = path_mailbox(&out, alice, STR("inbox/x"));
	check_path(e, &out, "domains/example.test/alice/inbox/x", "but only as a whole name");
	e = path_mailbox(&out, alice, STR("../bob/INBOX"));
	check_path(e, &out, "domains/example.test/alice/%2E%2E/bob/INBOX", "no name leaves its account");
	e = path_mailbox(&out, alice, STR(""));
	check_path(e, &out, NULL, "no name is no path");
	e = path_mailbox(&out, alice, STR("/a"));
	check_path(e, &out, NULL, "an empty first level is refused");
	e = path_mailbox(&out, alice, STR("a//b"));
	check_path(e, &out, NULL, "and an empty one between");
	e = path_mailbox(&out, alice, STR("a/"));
	check_path(e, &out, NULL, "and an empty last one");
	e = path_file_to_domain(&out, STR("example.test"));
	check_path(e, &out, "example.test", "a directory of domains is read as its domain");
	e = path_file_to_domain(&out, STR(".hidden"));
	check_path(e, &out, NULL, "a hidden one is not ours");
}

static void test_shards(void)
{
	unsigned seen[64] = { 0 }, most = 0;
	char address[40];

	for (int i = 0; i < 6400; i++) {
		snprintf(address, sizeof(address), "test%04d@example.test", i);
		seen[shard_of(str_of(address), 64)]++;
	}
	for (unsigned i = 0; i < 64; i++)
		most = seen[i] > most ? seen[i] : most;
	ok(most < 200, "6,400 addresses spread over 64 shards, %u in the fullest", most);
}

int main(void)
{
	test_levels();
	test_every_byte();
	test_not_ours();
	test_lengths();
	test_paths();
	test_shards();
	return done();
}
