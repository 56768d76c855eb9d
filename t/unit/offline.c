/* Domains and accounts changed while no server runs: what each order answers, and what is in the files afterwards. */
#include "core/house.h"
#include "protocols/cli/admin.h"
#include "storage/account/account.h"
#include "storage/account/login.h"
#include "storage/account/password.h"
#include "t/tap.h"
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

static const struct settings *const tables[] = { &login_settings, NULL };
const struct house house = { .settings = tables };

static struct conf *conf;
static int directory;

/* Runs one order; lists gather in names. */
static enum err run(const char *what, const char *name, const char *password, const char *hash, struct buf *names)
{
	struct order o = { .what = what, .name = str_of(name), .password = str_of(password), .hash = str_of(hash) };

	return offline_do(conf, directory, &o, names);
}

static const char crypt_hash[] = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBF"
				 "dcbYEdFCoEOfaS35inz1";

static const struct {
	const char *text, *what, *name, *password, *hash;
	enum err e;
} steps[] = {
	{ "an account needs its domain", "account-add", "alice@example.test", "secret", NULL, ERR_ABSENT },
	{ "a domain is made", "domain-add", "example.test", NULL, NULL, OK },
	{ "but once, in any case of letters", "domain-add", "Example.TEST", NULL, NULL, ERR_EXISTS },
	{ "its name must be one", "domain-add", "../example", NULL, NULL, ERR_MISTAKE },
	{ "an account is made", "account-add", "Alice@Example.test", "secret", NULL, OK },
	{ "but once", "account-add", "alice@example.test", "secret", NULL, ERR_EXISTS },
	{ "its address must be one", "account-add", "alice", "secret", NULL, ERR_MISTAKE },
	{ "and have no detail", "account-add", "bob+x@example.test", "secret", NULL, ERR_MISTAKE },
	{ "nor lead out of the store", "account-add", "../../x@example.test", "secret", NULL, ERR_MISTAKE },
	{ "a password is needed", "account-add", "bob@example.test", "", NULL, ERR_MISTAKE },
	{ "a crypt(3) hash is taken for one", "account-add", "bob@example.test", NULL, crypt_hash, OK },
	{ "if it is one", "account-add", "carol@example.test", NULL, "$9$nonsense", ERR_MISTAKE },
	{ "a password is changed", "account-passwd", "alice@example.test", "other", NULL, OK },
	{ "of an account that is there", "account-passwd", "dave@example.test", "other", NULL, ERR_ABSENT },
	{ "a domain with accounts stays", "domain-delete", "example.test", NULL, NULL, ERR_EXISTS },
	{ "an unknown domain is not deleted", "domain-delete", "example.org", NULL, NULL, ERR_ABSENT },
	{ "an unknown account neither", "account-delete", "dave@example.test", NULL, NULL, ERR_ABSENT },
	{ "there is no other order", "account-love", "alice@example.test", NULL, NULL, ERR_MISTAKE },
};

static void test_steps(void)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		enum err e = run(steps[i].what, steps[i].name, steps[i].password, steps[i].hash, NULL);

		if (!ok(e == steps[i].e, "%s: %s", steps[i].text, err_text(steps[i].e)))
			printf("# answered: %s\n", err_text(e));
	}
}

static void test_files(void)
{
	struct arena a = { 0 };
	struct account_settings s = { 0 };
	bool renew;

	ok(!account_read(directory, STR("alice@example.test"), &a, &s) && s.scram_sha_256.len > 0 && !s.admin &&
			!password_verify(s.password, STR("other"), HASH_CHEAP, &renew),
		"the changed password is right");
	ok(password_verify(s.password, STR("secret"), HASH_CHEAP, &renew) == ERR_DENIED, "the one before is not");
	ok(!account_read(directory, STR("bob@example.test"), &a, &s) && str_eq(s.password, STR(crypt_hash)) &&
			!s.scram_sha_256.len,
		"a crypt(3) hash is kept as it is");
	ok(account_read(directory, STR("carol@example.test"), &a, &s) == ERR_ABSENT, "what was refused is not there");
	arena_free(&a);
}

static void test_lists(void)
{
	struct buf names = { 0 };

	run("domain-add", "a.test", NULL, NULL, NULL);
	ok(!run("domain-list", NULL, NULL, NULL, &names) && str_eq(buf_str(&names), STR("a.test\nexample.test\n")),
		"domains are listed in order");
	buf_clear(&names);
	ok(!run("account-list", "EXAMPLE.test", NULL, NULL, &names) &&
			str_eq(buf_str(&names), STR("alice@example.test\nbob@example.test\n")),
		"and a domain's accounts");
	buf_clear(&names);
	ok(!run("account-list", "a.test", NULL, NULL, &names) && !buf_len(&names), "which may be none");
	ok(run("account-list", "b.test", NULL, NULL, &names) == ERR_ABSENT, "but an unknown domain has no list");
	buf_free(&names);
}

static void test_deletion(void)
{
	struct buf names = { 0 };

	ok(!run("account-delete", "ALICE@example.test", NULL, NULL, NULL) &&
			!run("account-delete", "bob@example.test", NULL, NULL, NULL),
		"accounts are deleted");
	ok(!run("account-list", "example.test", NULL, NULL, &names) && !buf_len(&names), "and gone");
	ok(!run("domain-delete", "example.test", NULL, NULL, NULL) && !domain_exists(directory, STR("example.test")),
		"then their domain can be");
	buf_free(&names);
}

static int forget(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	return remove(path);
}

int main(void)
{
	char path[] = "/tmp/postern-offline-XXXXXX";
	struct buf why = { 0 };

	if (!mkdtemp(path) || (directory = open(path, O_RDONLY | O_DIRECTORY)) < 0)
		return 1;
	conf = conf_new(tables);
	conf_set(conf, "login", NULL, "hash", "cheap", &why);
	test_steps();
	test_files();
	test_lists();
	test_deletion();
	conf_unref(conf);
	buf_free(&why);
	close(directory);
	nftw(path, forget, 8, FTW_DEPTH | FTW_PHYS);
	return done();
}
