/* Account settings are read, changed and kept as files that people may edit. */
#include "storage/account/account.h"
#include "t/tap.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void test_settings(void)
{
	struct arena a = { 0 };
	struct account_settings s;
	struct buf out = { 0 };

	ok(!account_settings_parse(STR("# by hand\nversion = 1\n nickname=Al \npassword = scrypt$x\nadmin = true\n"
				       "colour = red"),
		   &a, &s),
		"settings are read");
	ok(str_eq(s.password, STR("scrypt$x")) && s.admin && !s.scram_sha_256.len, "what we know is understood");
	account_settings_print(&s, &out);
	ok(str_eq(buf_str(&out), STR("version = 1\npassword = scrypt$x\nadmin = true\nnickname=Al\ncolour = red\n")),
		"what we do not know is kept");
	ok(account_settings_parse(STR("version = 2\n"), &a, &s) == ERR_NEVER, "a newer version is refused");
	ok(account_settings_parse(STR("nonsense\n"), &a, &s) == ERR_NEVER, "a line without = is refused");
	buf_free(&out);
	arena_free(&a);
}

static void test_canonical(void)
{
	struct arena a = { 0 };
	struct str canonical, detail;

	ok(!account_canonical(STR("Alice+Lists@Example.TEST"), &a, &canonical, &detail) &&
			str_eq(canonical, STR("alice@example.test")) && str_eq(detail, STR("Lists")),
		"case and detail do not matter to who it is");
	ok(!account_canonical(STR("+x@example.test"), &a, &canonical, &detail) &&
			str_eq(canonical, STR("+x@example.test")) && !detail.len,
		"a name that is all detail is a name");
	ok(account_canonical(STR("alice"), &a, &canonical, &detail) != OK, "no domain, no account");
	arena_free(&a);
}

static void count_name(void *user, struct str name)
{
	unsigned *seen = user;

	if (str_eq(name, STR("alice@example.test")) || str_eq(name, STR("b.ob@example.test")) ||
		str_eq(name, STR("example.test")))
		++*seen;
	else
		*seen += 100;
}

static void test_files(void)
{
	char path[] = "/tmp/postern-account-XXXXXX";
	int directory = open(mkdtemp(path), O_RDONLY | O_DIRECTORY);
	struct account_settings s = { .password = STR("scrypt$x") }, back;
	struct arena a = { 0 };
	unsigned seen = 0;

	ok(account_write(directory, STR("alice@example.test"), &s) == ERR_ABSENT, "no account without its domain");
	ok(!domain_write(directory, STR("example.test")) && domain_exists(directory, STR("example.test")),
		"a domain is made");
	ok(!domain_write(directory, STR("example.test")), "making it twice is fine");
	ok(!account_write(directory, STR("alice@example.test"), &s), "an account is made");
	ok(!account_write(directory, STR("b.ob@example.test"), &s), "another, with a dot in it");
	ok(!account_read(directory, STR("alice@example.test"), &a, &back) && str_eq(back.password, s.password),
		"and read");
	ok(account_read(directory, STR("carol@example.test"), &a, &back) == ERR_ABSENT, "one that is not there is not");
	ok(!account_each(directory, STR("example.test"), count_name, &seen) && seen == 2, "both are listed by name");
	seen = 0;
	ok(!domain_each(directory, count_name, &seen) && seen == 1, "the domain is listed");
	ok(domain_delete(directory, STR("example.test")) == ERR_EXISTS, "a domain with accounts stays");
	ok(!account_delete(directory, STR("alice@example.test")) &&
			!account_delete(directory, STR("b.ob@example.test")) &&
			account_read(directory, STR("alice@example.test"), &a, &back) == ERR_ABSENT,
		"accounts are deleted");
	ok(account_delete(directory, STR("alice@example.test")) == ERR_ABSENT, "once");
	ok(!domain_delete(directory, STR("example.test")) && !domain_exists(directory, STR("example.test")),
		"then the domain");
	arena_free(&a);
	close(directory);
}

int main(void)
{
	test_settings();
	test_canonical();
	test_files();
	return done();
}
