/* Aliases, forwarders and groups: made, changed, deleted at their owners, durable, and never taken for accounts. */
#include "storage/account/members.h"
#include "t/store.h"

static enum err change_group(enum name_how how, const char *address, const char *to)
{
	struct name_change c = { .kind = KIND_GROUP,
		.how = how,
		.address = str_of(address),
		.to = str_of(to),
		.owner = STR("alice@example.test"),
		.members_only = true };

	got_begin();
	store_name_change(asker, &c, on_done, NULL);
	return got_end();
}

static enum err make(enum account_kind kind, const char *address, const char *to)
{
	struct name_change c = { .kind = kind, .how = NAME_ADD, .address = str_of(address), .to = str_of(to) };

	got_begin();
	store_name_change(asker, &c, on_done, NULL);
	return got_end();
}

static enum err make_account(const char *address, bool create)
{
	struct account_change c = { .address = str_of(address), .password = STR("secret"), .create = create };

	got_begin();
	store_account_change(asker, &c, on_done, NULL);
	return got_end();
}

static enum err delete (enum account_kind kind, const char *address) {
	got_begin(); store_name_delete(asker, kind, str_of(address), on_done, NULL); return got_end();
}

static void on_name(void *user, enum err e, const struct stored_name *n)
{
	if (!e) {
		buf_printf(&got.text, "%s " STR_FMT " <" STR_FMT ">%s%s", account_kind_word(n->kind),
			STR_ARG(n->address), STR_ARG(n->owner), n->members_only ? " members_only" : "",
			n->skip_author ? " skip_author" : "");
		for (size_t i = 0; i < n->count && i < 3; i++)
			buf_printf(&got.text, " " STR_FMT, STR_ARG(n->to[i]));
		if (n->count > 3)
			buf_printf(&got.text, " of %zu", n->count);
	}
	on_done(user, e);
}

static enum err ask_name_of(const char *address)
{
	got_begin();
	store_name(asker, str_of(address), 0, on_name, NULL);
	return got_end();
}

static void on_names(void *user, enum err e, const struct str *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(&got.text, "%s" STR_FMT, i ? " " : "", STR_ARG(names[i]));
	on_done(user, e);
}

static bool lists(enum account_kind kind, const char *text)
{
	got_begin();
	store_name_list(asker, kind, STR("example.test"), on_names, NULL);
	return !got_end() && str_eq(buf_str(&got.text), str_of(text));
}

/* Lists are of the files, which other workers write soon. */
static bool names_are(enum account_kind kind, const char *text)
{
	TURN_UNTIL(lists(kind, text));
	return lists(kind, text) && got_text(text);
}

static void test_make(void)
{
	ok(!make(KIND_ALIAS, "al@example.test", "Alice@Example.Test"), "an alias is made");
	ok(!ask_name_of("AL+x@example.test") && got_text("alias al@example.test <> Alice@example.test"),
		"and is what its name means, in any case and with any detail");
	ok(!make(KIND_FORWARDER, "away@example.test", "a@far.test, b@far.test"), "a forwarder is made");
	ok(!ask_name_of("away@example.test") && got_text("forwarder away@example.test <> a@far.test b@far.test"),
		"and goes to its addresses");
	ok(!change_group(NAME_ADD, "team@example.test", "alice@example.test"), "a group is made");
	ok(!change_group(NAME_MEMBER_ADD, "team@example.test", "bob@far.test"), "a member is added");
	ok(!ask_name_of("team@example.test") &&
			got_text("group team@example.test <alice@example.test> members_only alice@example.test "
				 "bob@far.test"),
		"and it has both");
	ok(!ask_name_of("alice+x@example.test") && got_text("account alice@example.test <>"), "an account is one");
	ok(ask_name_of("nobody@example.test") == ERR_ABSENT && ask_name_of("alice@far.test") == ERR_DENIED,
		"what is not there is told from what is not ours");
	ok(ask_name_of("nonsense") == ERR_MISTAKE, "and from what is no address");
	ok(names_are(KIND_ALIAS, "al@example.test") && names_are(KIND_FORWARDER, "away@example.test") &&
			names_are(KIND_GROUP, "team@example.test") && names_are(KIND_ACCOUNT, "alice@example.test"),
		"each is listed among its like");
}

static void test_refused(void)
{
	ok(make(KIND_ALIAS, "alice@example.test", "bob@example.test") == ERR_EXISTS, "an account's name is taken");
	ok(make_account("al@example.test", true) == ERR_EXISTS && make(KIND_GROUP, "al@example.test", "") == ERR_EXISTS,
		"and so is an alias's, for everything");
	ok(make(KIND_ALIAS, "other@example.test", "bob@far.test") == ERR_DENIED,
		"an alias stands for an account of a domain of ours");
	ok(make(KIND_GROUP, "team@far.test", "") == ERR_ABSENT, "nothing is made in a domain that is not ours");
	ok(make_account("team@example.test", false) == ERR_ABSENT, "a group has no password");
	ok(delete (KIND_ACCOUNT, "team@example.test") == ERR_ABSENT &&
			delete (KIND_ALIAS, "team@example.test") == ERR_ABSENT,
		"and is not deleted as what it is not");
	ok(change_group(NAME_MEMBER_DELETE, "team@example.test", "nobody@far.test") == ERR_ABSENT,
		"who is no member cannot be removed");
	ok(change_group(NAME_MEMBER_ADD, "al@example.test", "bob@far.test") == ERR_ABSENT, "an alias is no group");
}

static void test_no_accounts(void)
{
	static const char *const names[] = { "al@example.test", "away@example.test", "team@example.test" };

	for (size_t i = 0; i < 3; i++) {
		ok(!log_in(names[i], "") && got.e == ERR_DENIED && !log_in(names[i], "secret") && got.e == ERR_DENIED,
			"nobody logs in as %s", names[i]);
		ok(recipient(names[i]) == ERR_ABSENT && deliver(names[i], "Subject: x\r\n\r\nx\r\n") == ERR_ABSENT,
			"and it has no mailbox");
	}
}

static void test_durable(void)
{
	stop();
	start(worker_count);
	ok(!ask_name_of("team@example.test") && got_text("group team@example.test <alice@example.test> members_only "
							 "alice@example.test bob@far.test"),
		"after a restart a group is as it was");
	ok(!delete (KIND_GROUP, "team@example.test") && ask_name_of("team@example.test") == ERR_ABSENT,
		"it is deleted");
	ok(!make_account("team@example.test", true) && !ask_name_of("team@example.test") &&
			got_text("account team@example.test <>"),
		"and its name is free");
	ok(!deliver("team@example.test", "Subject: x\r\n\r\nx\r\n"), "for an account that gets mail");
	ok(!delete (KIND_ACCOUNT, "team@example.test") && !make(KIND_ALIAS, "team@example.test", "alice@example.test"),
		"and again for an alias");
}

static void test_many(void)
{
	struct buf to = { 0 };

	for (unsigned i = 0; i < MEMBERS_MAX; i++)
		buf_printf(&to, "member-%u@far.test,", i);
	buf_add_char(&to, '\0');
	ok(!change_group(NAME_ADD, "all@example.test", buf_data(&to)) && !ask_name_of("all@example.test"),
		"a group of %d members is made", MEMBERS_MAX);
	stop();
	start(worker_count);
	ok(!ask_name_of("all@example.test") &&
			got_text("group all@example.test <alice@example.test> members_only "
				 "member-0@far.test member-1@far.test member-2@far.test of 10000"),
		"and read again");
	ok(change_group(NAME_MEMBER_ADD, "all@example.test", "one@far.test") == ERR_TOO_BIG, "it cannot have more");
	buf_free(&to);
}

int main(void)
{
	test_begin(2);
	test_make();
	test_refused();
	test_no_accounts();
	test_durable();
	test_many();
	test_end();
	return done();
}
