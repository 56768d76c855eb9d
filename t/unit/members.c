/* Whom a name stands for: lists are read as people write them, changed without doubles, and never too long. */
#include "storage/account/members.h"
#include "storage/account/name_change.h"
#include "t/tap.h"
#include <stdlib.h>

static const struct {
	const char *what, *text;
	enum err e;
	const char *list;
} lists[] = {
	{ "one address", "a@x.test", OK, "a@x.test\n" },
	{ "several", "a@x.test, b@y.test,c@z.test", OK, "a@x.test\nb@y.test\nc@z.test\n" },
	{ "none", "", OK, "" },
	{ "commas without anything between", ", a@x.test,,", OK, "a@x.test\n" },
	{ "the domain becomes lower case, the local part stays", "Al.Ice@X.Test", OK, "Al.Ice@x.test\n" },
	{ "a comma in quotes", "\"a, b\"@x.test, c@x.test", OK, "\"a, b\"@x.test\nc@x.test\n" },
	{ "a quote in quotes", "\"a\\\", b\"@x.test", OK, "\"a\\\", b\"@x.test\n" },
	{ "quotes that do not end", "\"a, b@x.test", ERR_MISTAKE, "" },
	{ "an escape at the end", "\"a\\", ERR_MISTAKE, "" },
	{ "a name without domain", "a@x.test, b", ERR_MISTAKE, "" },
	{ "two addresses in a row", "a@x.test b@x.test", ERR_MISTAKE, "" },
	{ "a line end", "a@x.test\nb@x.test", ERR_MISTAKE, "" },
};

static void test_parse(void)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		struct buf list = { 0 };

		ok(members_parse(str_of(lists[i].text), &list) == lists[i].e &&
				str_eq(buf_str(&list), str_of(lists[i].list)),
			"%s", lists[i].what);
		buf_free(&list);
	}
}

static void test_changes(void)
{
	struct str list = STR("a@x.test\nB@x.test\n");
	struct buf out = { 0 };

	ok(members_count(list) == 2 && members_have(list, STR("b@X.test")) && !members_have(list, STR("c@x.test")),
		"who is in a list does not depend on the case of letters");
	ok(!members_add(list, STR("b@x.test\nc@x.test\nc@x.test\n"), &out) &&
			str_eq(buf_str(&out), STR("a@x.test\nB@x.test\nc@x.test\n")),
		"nobody is added twice");
	buf_clear(&out);
	ok(!members_remove(list, STR("b@x.test\n"), &out) && str_eq(buf_str(&out), STR("a@x.test\n")),
		"one is removed");
	buf_clear(&out);
	ok(members_remove(list, STR("a@x.test\nz@x.test\n"), &out) == ERR_ABSENT, "who is not there cannot be");
	buf_free(&out);
}

static void test_limit(void)
{
	struct buf text = { 0 }, list = { 0 }, out = { 0 };

	for (unsigned i = 0; i < MEMBERS_MAX; i++)
		buf_printf(&text, "m%u@x.test,", i);
	ok(!members_parse(buf_str(&text), &list) && members_count(buf_str(&list)) == MEMBERS_MAX,
		"%d members are taken", MEMBERS_MAX);
	ok(members_parse(STR("one@x.test"), &list) == ERR_TOO_BIG && members_count(buf_str(&list)) == MEMBERS_MAX,
		"and not one more");
	ok(members_add(buf_str(&list), STR("one@x.test\n"), &out) == ERR_TOO_BIG, "nor added later");
	buf_free(&text);
	buf_free(&list);
	buf_free(&out);
}

static const struct {
	const char *what;
	enum account_kind kind;
	enum name_how how;
	const char *to, *owner, *there;
	enum err e;
	const char *after;
} changes[] = {
	{ "an alias is made", KIND_ALIAS, NAME_ADD, "a@x.test", "", NULL, OK, "kind = alias\nto = a@x.test\n" },
	{ "it stands for one", KIND_ALIAS, NAME_ADD, "a@x.test, b@x.test", "", NULL, ERR_MISTAKE, NULL },
	{ "and not for none", KIND_ALIAS, NAME_ADD, "", "", NULL, ERR_MISTAKE, NULL },
	{ "nor for itself", KIND_ALIAS, NAME_ADD, "NAME@x.test", "", NULL, ERR_MISTAKE, NULL },
	{ "a forwarder is made", KIND_FORWARDER, NAME_ADD, "a@x.test, b@y.test", "", NULL, OK,
		"kind = forwarder\nto = a@x.test\nto = b@y.test\n" },
	{ "it goes somewhere", KIND_FORWARDER, NAME_ADD, "", "", NULL, ERR_MISTAKE, NULL },
	{ "its last address is not taken from it", KIND_FORWARDER, NAME_MEMBER_DELETE, "a@x.test", "",
		"kind = forwarder\nto = a@x.test\n", ERR_MISTAKE, NULL },
	{ "other addresses are set instead", KIND_FORWARDER, NAME_SET, "c@x.test", "",
		"kind = forwarder\nto = a@x.test\nto = b@x.test\n", OK, "kind = forwarder\nto = c@x.test\n" },
	{ "an alias is set to stand for another", KIND_ALIAS, NAME_SET, "c@x.test", "", "kind = alias\nto = a@x.test\n",
		OK, "kind = alias\nto = c@x.test\n" },
	{ "a group may be empty", KIND_GROUP, NAME_ADD, "", "", NULL, OK, "kind = group\n" },
	{ "it has an owner", KIND_GROUP, NAME_ADD, "a@x.test", "o@X.test", NULL, OK,
		"kind = group\nowner = o@x.test\nto = a@x.test\n" },
	{ "who is an address", KIND_GROUP, NAME_ADD, "", "nobody", NULL, ERR_MISTAKE, NULL },
	{ "what is there is not made again", KIND_GROUP, NAME_ADD, "", "", "password = x\n", ERR_EXISTS, NULL },
	{ "a member is added", KIND_GROUP, NAME_MEMBER_ADD, "b@x.test", "",
		"kind = group\nowner = o@x.test\nmembers_only = true\nto = a@x.test\n", OK,
		"kind = group\nowner = o@x.test\nmembers_only = true\nto = a@x.test\nto = b@x.test\n" },
	{ "other rules are set, members stay", KIND_GROUP, NAME_SET, "", "",
		"kind = group\nowner = o@x.test\nto = a@x.test\n", OK, "kind = group\nto = a@x.test\n" },
	{ "what we do not know stays", KIND_GROUP, NAME_SET, "", "", "kind = group\ncolour = red\n", OK,
		"kind = group\ncolour = red\n" },
	{ "an account has no members", KIND_GROUP, NAME_MEMBER_ADD, "b@x.test", "", "password = x\n", ERR_ABSENT,
		NULL },
	{ "nor has what is not there", KIND_GROUP, NAME_MEMBER_ADD, "b@x.test", "", NULL, ERR_ABSENT, NULL },
};

static void test_change(void)
{
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		struct account_settings there, after = { 0 };
		struct name_change c = { .kind = changes[i].kind,
			.how = changes[i].how,
			.address = STR("name@x.test"),
			.to = str_of(changes[i].to),
			.owner = str_of(changes[i].owner) };
		struct arena a = { 0 };
		struct buf text = { 0 }, right = { 0 };

		if (changes[i].there && account_settings_parse(str_of(changes[i].there), &a, &there))
			printf("# the settings before cannot be read\n");
		enum err e = name_change_apply(&c, changes[i].there ? &there : NULL, &a, &after);

		if (!e)
			account_settings_print(&after, &text);
		if (changes[i].after)
			buf_printf(&right, "version = 1\n%s", changes[i].after);
		if (!ok(e == changes[i].e && str_eq(buf_str(&text), buf_str(&right)), "%s", changes[i].what))
			printf("# %s, " STR_FMT "\n", err_text(e), STR_ARG(buf_str(&text)));
		buf_free(&text);
		buf_free(&right);
		arena_free(&a);
	}
}

int main(void)
{
	test_parse();
	test_changes();
	test_limit();
	test_change();
	return done();
}
