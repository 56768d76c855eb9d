/* Copies of mail: who gets one, by sender and by recipients. */
#include "storage/route/copies.h"
#include "core/house.h"
#include "t/tap.h"

static const struct settings *const tables[] = { &copy_settings, NULL };
const struct house house = { .settings = tables };

static struct conf *conf;

static bool set(const char *title, const char *name, const char *value)
{
	struct buf why = { 0 };
	bool good = conf_add_title(conf, "copy", title, &why) && conf_set(conf, "copy", title, name, value, &why) &&
	            conf_check(conf, &why);

	if (!good)
		printf("# " STR_FMT "\n", STR_ARG(buf_str(&why)));
	buf_free(&why);
	return good;
}

static const struct {
	const char *what, *sender, *recipient, *other, *to;
} mails[] = {
	{ "mail to a domain", "bob@far.test", "alice@example.test", NULL, "archive@example.test" },
	{ "in any case of letters", "bob@far.test", "Alice@EXAMPLE.test", NULL, "archive@example.test" },
	{ "one of several recipients", "bob@far.test", "x@y.test", "alice@example.test", "archive@example.test" },
	{ "mail to others", "bob@far.test", "x@y.test", NULL, "" },
	{ "mail from somebody", "mallory@far.test", "x@y.test", NULL, "boss@far.test Legal@far.test" },
	{ "both", "mallory@far.test", "alice@example.test", NULL, "archive@example.test boss@far.test Legal@far.test" },
	{ "a recipient needs no copy", "mallory@far.test", "x@y.test", "LEGAL@far.test", "boss@far.test" },
	{ "nor does the archive itself", "bob@far.test", "archive@example.test", NULL, "" },
	{ "who is copied to twice gets one", "trent@far.test", "x@y.test", NULL, "boss@far.test" },
	{ "mail without sender", "", "x@y.test", NULL, "bounces@example.org" },
};

static void test_mails(void)
{
	for (size_t i = 0; i < sizeof(mails) / sizeof(*mails); i++) {
		struct str recipients[2] = { str_of(mails[i].recipient), str_of(mails[i].other) };
		struct arena a = { 0 };
		struct buf got = { 0 };
		const struct str *to;
		size_t count = copies_find(conf, &a, str_of(mails[i].sender), recipients, mails[i].other ? 2 : 1, &to);

		for (size_t k = 0; k < count; k++)
			buf_printf(&got, "%s" STR_FMT, k ? " " : "", STR_ARG(to[k]));
		if (!ok(str_eq(buf_str(&got), str_of(mails[i].to)), "%s", mails[i].what))
			printf("# " STR_FMT "\n", STR_ARG(buf_str(&got)));
		buf_free(&got);
		arena_free(&a);
	}
}

int main(void)
{
	const struct str *to;
	struct arena a = { 0 };

	conf = conf_new(tables);
	ok(!copies_find(conf, &a, STR(""), NULL, 0, &to), "without a setting nobody gets copies");
	conf_unref(conf);
	conf = conf_new(tables);
	ok(set("archive", "recipients", "*@example.test") && set("archive", "to", "archive@example.test") &&
			set("watched", "senders", "mallory@far.test") && set("watched", "to", "boss@far.test") &&
			set("watched", "to", "Legal@far.test") && set("first", "senders", "trent@far.test") &&
			set("first", "to", "boss@far.test") && set("second", "senders", "trent@*") &&
			set("second", "to", "BOSS@far.test") && set("bounces", "senders", "<>") &&
			set("bounces", "to", "bounces@example.org"),
		"copies are asked for");
	test_mails();
	conf_unref(conf);
	conf = conf_new(tables);
	ok(!set("wrong", "to", "nobody"), "whoever gets them has an address");
	arena_free(&a);
	conf_unref(conf);
	return done();
}
