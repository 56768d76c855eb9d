/* The router: what an address comes to, by the names that are kept and what the configuration says. */
#include "storage/route/route.h"
#include "storage/route/aliases.h"
#include "storage/route/srs.h"
#include "t/store.h"

static void set(const char *section, const char *title, const char *name, const char *value)
{
	struct buf why = { 0 };

	if (title)
		conf_add_title(conf, section, title, &why);
	if (!conf_set(conf, section, title, name, value, &why))
		printf("# " STR_FMT "\n", STR_ARG(buf_str(&why)));
	buf_free(&why);
}

static void rewrite(const char *title, const char *from, const char *to)
{
	set("rewrite", title, "from", from);
	set("rewrite", title, "to", to);
}

static void make(enum account_kind kind, const char *address, const char *to)
{
	struct name_change c = { .kind = kind, .how = NAME_ADD, .address = str_of(address), .to = str_of(to) };

	got_begin();
	store_name_change(asker, &c, on_done, NULL);
	if (got_end())
		printf("# %s cannot be made: %s\n", address, err_text(got.e));
}

static void make_group(const char *address, const char *to, const char *owner, bool members_only, bool skip_author)
{
	struct name_change c = { .kind = KIND_GROUP,
		.how = NAME_ADD,
		.address = str_of(address),
		.to = str_of(to),
		.owner = str_of(owner),
		.members_only = members_only,
		.skip_author = skip_author };

	got_begin();
	store_name_change(asker, &c, on_done, NULL);
	if (got_end())
		printf("# %s cannot be made: %s\n", address, err_text(got.e));
}

static void make_somebody(const char *address, bool admin)
{
	struct account_change c = {
		.address = str_of(address), .password = STR("secret"), .create = true, .admin = admin
	};

	got_begin();
	store_account_change(asker, &c, on_done, NULL);
	if (got_end())
		printf("# %s cannot be made: %s\n", address, err_text(got.e));
}

static void make_account(const char *address)
{
	make_somebody(address, false);
}

static void make_admin(const char *address)
{
	make_somebody(address, true);
}

static void make_domain(const char *domain)
{
	got_begin();
	store_domain_add(asker, str_of(domain), on_done, NULL);
	if (got_end())
		printf("# %s cannot be made: %s\n", domain, err_text(got.e));
}

/* --- asking ------------------------------------------------------------------------------------------------------------ */

static const char *const words[] = {
	[ROUTE_LOCAL] = "local",
	[ROUTE_REMOTE] = "remote",
	[ROUTE_DISCARD] = "discard",
	[ROUTE_REJECT] = "reject",
	[ROUTE_AGAIN] = "again",
};

static size_t steps_told;
static char last_sender[300];

static void on_route(void *user, const struct route *route)
{
	for (size_t i = 0; i < route->count && i < 10; i++) {
		const struct route_leaf *l = &route->leaves[i];

		buf_printf(&got.text, "%s%s ", i ? ", " : "", words[l->kind]);
		if (l->kind == ROUTE_REJECT || l->kind == ROUTE_AGAIN)
			buf_printf(&got.text, "%.9s", l->text.p);
		else
			buf_add_str(&got.text, l->address);
		if (l->detail.len)
			buf_printf(&got.text, " +" STR_FMT, STR_ARG(l->detail));
		if (srs_is(l->sender))
			buf_printf(&got.text, " SRS" STR_FMT,
				STR_ARG(str_cut(l->sender, (size_t)str_rfind(l->sender, '@'), l->sender.len)));
		else if (l->sender.len)
			buf_printf(&got.text, " from " STR_FMT, STR_ARG(l->sender));
		snprintf(last_sender, sizeof(last_sender), STR_FMT, STR_ARG(l->sender));
		buf_printf(&got.text, "%s%s%s", l->forwarded ? " forwarded" : "", l->relay ? " relay" : "",
			l->backup ? " backup" : "");
	}
	if (route->count > 10)
		buf_printf(&got.text, " of %zu", route->count);
	steps_told = route->step_count;
	on_done(user, OK);
}

static bool asked(struct route_question q, const char *text)
{
	got_begin();
	route_find(asker, &q, on_route, NULL);
	got_end();
	return got_text(text);
}

static bool means(const char *address, const char *text)
{
	return asked(
		(struct route_question){ .address = str_of(address), .sender = STR("bob@far.test"), .believed = true },
		text);
}

static bool means_from(const char *address, const char *sender, const char *text)
{
	return asked((struct route_question){ .address = str_of(address), .sender = str_of(sender), .believed = true },
		text);
}

static bool login_is(const char *address, const char *text)
{
	return asked((struct route_question){ .address = str_of(address), .login = true }, text);
}

static enum err may_send(const char *account, const char *sender)
{
	got_begin();
	route_may_send(asker, str_of(account), str_of(sender), on_done, NULL);
	return got_end();
}

/* --- the configuration of all tests: before the first question ---------------------------------------------------------- */

static void configure(void)
{
	char aliases[64];

	set("domain", "example.test", "aliases", "example.org");
	set("domain", "example.test", "aliases",
		"b\xc3\xbc"
		"cher.test");
	set("domain", "example.test", "senders", "alice@example.test as *@letters.test");
	set("domain", "catch.test", "unknown", "alice@example.test");
	set("domain", "moved.test", "unknown", "*@new.far.test");
	set("domain", "hole.test", "unknown", "discard");
	set("domain", "hole.test", "postmaster", "alice@example.test");
	set("domain", "plain.test", "detail", "");
	set("domain", "minus.test", "detail", "-+");
	set("domain", "round.test", "unknown", "*@round.test");
	set("domain", "*", "detail", "~");
	set("domain", "nosrs.test", "unknown", "*@far.test");
	set("domain", "nosrs.test", "srs", "no");
	snprintf(aliases, sizeof(aliases), "%s/aliases", scratch_path);
	set("domain", "files.test", "aliases_files", aliases);
	rewrite("sales", "sales-*@example.test", "*@crm.test");
	rewrite("old", "*@old.test", "*@example.test");
	rewrite("partner", "*@partner.test", "*@far.test");
	rewrite("cli", "*@byhand.test", "*@far.test");
	rewrite("grows", "grow-*@example.test", "grow-x*@example.test");
	rewrite("itself", "itself@example.test", "itself@example.test");
	set("route", "closed", "to", "reject:550 5.1.2 closed");
	set("route", "closed", "recipients", "*@closed.test");
	set("relay", NULL, "domains", "backup.test");
}

static void test_names(void)
{
	ok(means("alice@example.test", "local alice@example.test"), "an account");
	ok(means("Alice@Example.TEST", "local alice@example.test"), "in any case of letters");
	ok(means("alice+lists@example.test", "local alice@example.test +lists"), "with a detail");
	ok(means("\"alice\"@example.test", "local alice@example.test"), "in quotes that it need not have");
	ok(means("alice@example.org", "local alice@example.test"), "in another name of its domain");
	ok(means("alice@B\xc3\xbc"
		 "cher.test",
		   "local alice@example.test"),
		"in a name beyond ASCII");
	ok(means("alice@xn--bcher-kva.test", "local alice@example.test"), "and in its A-labels");
	ok(means("nobody@example.test", "reject 550 5.1.1"), "a name that is not there");
	ok(means("nobody+x@example.test", "reject 550 5.1.1"), "with a detail");
	ok(means("bob@far.test", "remote bob@far.test relay"), "an address elsewhere is relayed");
	ok(means("Bob.Odd@Far.TEST", "remote Bob.Odd@far.test relay"), "its local part as it was written");
	ok(means("bob@M\xc3\xbc"
		 "nchen.test",
		   "remote bob@xn--mnchen-3ya.test relay"),
		"its domain in A-labels");
	ok(means("bob@[192.0.2.1]", "remote bob@[192.0.2.1] relay"), "an address literal");
	ok(means("bob@backup.test", "remote bob@backup.test relay backup"), "of a domain that we back up");
	ok(means("bob@closed.test", "reject 550 5.1.2 relay"), "a route that refuses is told at once");
	ok(means("user%far.test@example.test", "reject 550 5.7.1"), "who wants to be sent on by way of us is told");
	ok(means("no address", "reject 553 5.1.3"), "what is no address");
	ok(means("a@b@", "reject 553 5.1.3"), "nor this");
	ok(means("a@\xff.test", "reject 553 5.1.3"), "nor a domain of bytes");
	ok(means("", "reject 553 5.1.3"), "nor nothing");
}

static void test_aliases(void)
{
	make(KIND_ALIAS, "al@example.test", "alice@example.test");
	make(KIND_ALIAS, "al2@example.test", "al@example.test");
	make(KIND_FORWARDER, "away@example.test", "Me@Far.test, alice@example.test");
	make(KIND_FORWARDER, "away2@example.test", "me@far.test");
	make(KIND_FORWARDER, "loop1@example.test", "loop2@example.test");
	make(KIND_FORWARDER, "loop2@example.test", "loop1@example.org");
	make(KIND_FORWARDER, "half@example.test", "half@example.test, alice@example.test");
	make(KIND_FORWARDER, "gone@example.test", "nobody@example.test, alice@example.test");
	ok(means("al@example.test", "local alice@example.test forwarded"), "an alias");
	ok(means("al+x@example.org", "local alice@example.test forwarded"), "by another name of the domain");
	ok(means("al2@example.test", "local alice@example.test forwarded"), "an alias of an alias");
	ok(means("away@example.test",
		   "remote Me@far.test SRS@example.test forwarded, local alice@example.test forwarded"),
		"a forwarder, elsewhere and here, is nobody's relaying");
	ok(means("loop1@example.test", "reject 550 5.4.6"), "what leads back to itself alone");
	ok(means("half@example.test", "local alice@example.test forwarded"), "what leads elsewhere, too");
	ok(means("gone@example.test", "reject 550 5.1.1 forwarded, local alice@example.test forwarded"),
		"a forwarder of which a part is not there");
}

static void test_groups(void)
{
	make_group("team@example.test", "alice@example.test, carol@example.test, bob@far.test", "", false, false);
	make_group("all@example.test", "team@example.test, alice@example.test, dave@far.test", "boss@example.test",
		false, false);
	make_group("closed@example.test", "carol@example.test, bob@far.test", "alice@example.test", true, true);
	make_group("selves@example.test", "carol@example.test", "", false, true);
	ok(means("team@example.test", "local alice@example.test forwarded, local carol@example.test forwarded, "
				      "remote bob@far.test SRS@example.test forwarded"),
		"a group");
	ok(means("all@example.test", "local alice@example.test from boss@example.test forwarded, "
				     "local carol@example.test from boss@example.test forwarded, "
				     "remote bob@far.test from boss@example.test forwarded, "
				     "remote dave@far.test from boss@example.test forwarded"),
		"a group within a group: each once, and the bounces are its owner's");
	ok(means("closed@example.test", "local carol@example.test from alice@example.test forwarded"),
		"a member may write to a closed group, and gets no copy");
	ok(means_from("closed@example.test", "Carol+x@example.org",
		   "remote bob@far.test from alice@example.test forwarded"),
		"a member by another name of his domain");
	ok(means_from("closed@example.test", "alice@example.test",
		   "local carol@example.test from alice@example.test forwarded, "
		   "remote bob@far.test from alice@example.test forwarded"),
		"its owner may");
	ok(means_from("closed@example.test", "eve@far.test", "reject 550 5.7.1"), "others may not");
	ok(means_from("closed@example.test", "", "reject 550 5.7.1"), "nobody may not");
	ok(asked((struct route_question){ .address = STR("closed@example.test"), .sender = STR("carol@example.test") },
		   "reject 550 5.7.1"),
		"nor may who only says that he is a member");
	ok(asked((struct route_question){ .address = STR("closed@example.test"), .sender = STR("alice@example.test") },
		   "reject 550 5.7.1"),
		"or the owner");
	ok(means_from("selves@example.test", "carol@example.test", "discard selves@example.test"),
		"who alone is in the group gets nothing of his own");
}

static void test_rules(void)
{
	make_domain("catch.test");
	make_domain("moved.test");
	make_domain("hole.test");
	make_domain("plain.test");
	make_domain("minus.test");
	make_domain("byhand.test");
	make_domain("round.test");
	make_domain("nosrs.test");
	make_domain("other.test");
	make_account("list@minus.test");
	make_account("list-owner@minus.test");
	make_account("x@plain.test");
	make_account("x@other.test");
	ok(means("any@catch.test", "local alice@example.test forwarded"), "a catch-all");
	ok(means("Any+x@moved.test", "remote any+x@new.far.test SRS@moved.test forwarded"),
		"names that moved elsewhere");
	ok(means("any@hole.test", "discard any@hole.test"), "a domain that throws away");
	ok(means("any@round.test", "reject 550 5.4.6"), "a rule that leads to itself");
	ok(means("x@plain.test", "local x@plain.test"), "a domain without details");
	ok(means("x+y@plain.test", "reject 550 5.1.1"), "has names with a + that are not there");
	ok(means("list-owner@minus.test", "local list-owner@minus.test"), "a name with a - before a detail");
	ok(means("list-x@minus.test", "local list@minus.test +x"), "a detail behind a -");
	ok(means("list+x@minus.test", "local list@minus.test +x"), "or a +");
	ok(means("list-x+y@minus.test", "local list@minus.test +x+y"), "or both");
	ok(means("x~y@other.test", "local x@other.test +y"), "what holds for domains that are not named");
	ok(means("x+y@other.test", "reject 550 5.1.1"), "instead of what holds for none");
	ok(means("none-x@minus.test", "reject 550 5.1.1"), "of a name that is not there");
}

static void test_table(void)
{
	ok(means("sales-eu@example.test", "remote eu@crm.test SRS@example.test forwarded"),
		"a pattern of ours leads elsewhere");
	ok(means("Sales-EU@example.org", "remote eu@crm.test SRS@example.test forwarded"), "by any name of the domain");
	ok(means("alice+x@old.test", "local alice@example.test +x"), "a domain that is written anew");
	ok(means("bob@partner.test", "remote bob@far.test relay"), "what is not ours is relayed all the same");
	ok(means("bob@byhand.test", "remote bob@far.test SRS@byhand.test forwarded"),
		"what a domain made by hand leads to is not");
	ok(means("grow-@example.test", "reject 550 5.4.6"), "what grows for ever has an end");
	ok(means("itself@example.test", "reject 550 5.4.6"), "and what leads to itself");
}

static void test_postmaster(void)
{
	ok(means("postmaster", "reject 550 5.1.1"), "no postmaster while there is nobody");
	make(KIND_ALIAS, "postmaster@example.test", "alice@example.test");
	make_admin("zoe@minus.test");
	make_admin("yan@minus.test");
	ok(means("postmaster@minus.test", "local yan@minus.test forwarded"), "a domain's first administrator");
	make_admin("adam@minus.test");
	ok(means("postmaster@minus.test", "local yan@minus.test forwarded"), "who is known for a while");
	ok(means("postmaster", "local alice@example.test forwarded"), "<postmaster> is our first domain's");
	ok(means("PostMaster@catch.test", "local alice@example.test forwarded"), "and that of domains without one");
	ok(means("postmaster@hole.test", "local alice@example.test forwarded"), "or as the domain says");
	ok(means("postmaster@far.test", "remote postmaster@far.test relay"), "others' are theirs");
}

/* What is forwarded bears a sender of ours, and a bounce to it goes back. */
static void test_senders_rewritten(void)
{
	char sender[300], upper[300];

	ok(means("away2@example.test", "remote me@far.test SRS@example.test forwarded"),
		"a stranger's sender is rewritten");
	snprintf(sender, sizeof(sender), "%s", last_sender);
	ok(means_from(sender, "", "remote bob@far.test forwarded"), "its bounce goes back to him");
	for (size_t i = 0; i <= strlen(sender); i++)
		upper[i] = sender[i] >= 'a' && sender[i] <= 'z' ? (char)(sender[i] - 32) : sender[i];
	ok(means_from(upper, "", "remote BOB@far.test forwarded"), "though others spoilt its letters");
	sender[5] = sender[5] == 'a' ? 'b' : 'a';
	ok(means_from(sender, "", "reject 550 5.1.1"), "what we did not make does not");
	ok(means_from("srs0=nothing@example.test", "", "reject 550 5.1.1"), "nor what only begins so");
	ok(means_from("away2@example.test", "", "remote me@far.test forwarded"), "no sender stays none");
	ok(means_from("away2@example.test", "alice@example.org", "remote me@far.test forwarded"),
		"one of ours stays, by any name of his domain");
	ok(means_from("away2@example.test", "x@other.test", "remote me@far.test forwarded"),
		"also of a domain that the configuration does not name");
	ok(means_from("any@nosrs.test", "bob@far.test", "remote any@far.test forwarded"), "a domain may leave them");
}

static void test_aliases_files(void)
{
	char text[500], path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/aliases", scratch_path);
	snprintf(text, sizeof(text),
		"root: alice, ops@far.test\nalice: \\alice, copy@far.test\nlist: bob, alice\nowner-list: root\nbob: "
		"error:550 5.1.6 bob "
		"moved\nprog: \"|/bin/true\"\nmixed: |/bin/true, alice\nlost: "
		":include:/nonexistent/list\nempty:\nlater: error:451 4.2.1 come back\n");
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		printf("# %s cannot be written\n", path);
	close(fd);
	aliases_start(asker);
	make_domain("files.test");
	make_account("alice@files.test");
	ok(means("alice@files.test", "local alice@files.test forwarded, remote copy@far.test SRS@files.test forwarded"),
		"a name that stands for itself and another");
	ok(means("root+x@files.test",
		   "local alice@files.test forwarded, remote copy@far.test SRS@files.test forwarded, "
		   "remote ops@far.test SRS@files.test forwarded"),
		"names that stand for names, whatever the detail");
	ok(means("list@files.test", "reject 550 5.1.6 from owner-list@files.test forwarded, "
				    "local alice@files.test from owner-list@files.test forwarded, "
				    "remote copy@far.test from owner-list@files.test forwarded"),
		"a list with an owner, and one who moved");
	ok(means("prog@files.test", "reject 550 5.3.0"), "programs get nothing");
	ok(means("mixed@files.test", "local alice@files.test forwarded, remote copy@far.test SRS@files.test forwarded"),
		"but hinder nobody else");
	ok(means("lost@files.test", "again 451 4.3.0"), "a list that cannot be read now");
	ok(means("later@files.test", "again 451 4.2.1"), "a name that is refused for now");
	ok(means("empty@files.test", "reject 550 5.1.1"), "a name for nobody");
	ok(means("none@files.test", "reject 550 5.1.1"), "a name that is in none of them");
	ok(login_is("alice@files.test", "local alice@files.test"), "a login is the account's");
	ok(means("root@example.test", "reject 550 5.1.1"), "the file is that of its domain alone");
	aliases_stop(asker);
}

static void test_logins(void)
{
	ok(login_is("alice@example.test", "local alice@example.test"), "a login by the account's name");
	ok(login_is("al2@example.org", "local alice@example.test forwarded"),
		"by an alias, and the domain's other name");
	ok(login_is("away@example.test", "reject 550 5.1.1"), "not by a forwarder");
	ok(login_is("team@example.test", "reject 550 5.1.1"), "nor by a group");
	ok(login_is("any@catch.test", "reject 550 5.1.1"), "nor by a catch-all");
	ok(login_is("bob@far.test", "reject 550 5.1.1"), "nor elsewhere");
	ok(login_is("postmaster", "reject 553 5.1.3"), "nor by a name without a domain");
}

static void test_senders(void)
{
	ok(!may_send("alice@example.test", "alice@example.test"), "an account may write as itself");
	ok(!may_send("alice@example.test", "Alice+lists@Example.ORG"), "with a detail, in any case and domain's name");
	ok(!may_send("alice@example.test", "al2@example.test"), "as its alias");
	ok(!may_send("alice@example.test", ""), "as nobody");
	ok(!may_send("alice@example.test", "any@letters.test"), "as its domain allows");
	ok(may_send("carol@example.test", "any@letters.test") == ERR_DENIED, "which is allowed to it alone");
	ok(may_send("carol@example.test", "alice@example.test") == ERR_DENIED, "not as another");
	ok(may_send("alice@example.test", "team@example.test") == ERR_DENIED, "nor as a group it is in");
	ok(may_send("alice@example.test", "away@example.test") == ERR_DENIED, "nor as a forwarder to it");
	ok(may_send("alice@example.test", "any@catch.test") == ERR_DENIED, "nor as what it catches");
	ok(may_send("alice@example.test", "bob@far.test") == ERR_DENIED, "nor as somebody elsewhere");
	ok(may_send("alice@example.test", "no address") == ERR_DENIED, "nor as no address");
}

/* --- limits ---------------------------------------------------------------------------------------------------------- */

/* Nine groups of the same 6,000 members. */
static void make_round(const char *members)
{
	struct buf groups = { 0 };
	char name[64];

	for (unsigned g = 0; g < 9; g++) {
		snprintf(name, sizeof(name), "same%u@example.test", g);
		make_group(name, members, "", false, false);
		buf_printf(&groups, "%s%s", g ? ", " : "", name);
	}
	buf_add_char(&groups, '\0');
	make_group("round@example.test", buf_data(&groups), "", false, false);
	buf_free(&groups);
}

static void test_limits(void)
{
	struct buf to = { 0 };
	char name[64], next[64];

	for (unsigned i = 0; i < 25; i++) {
		snprintf(name, sizeof(name), "chain%u@example.test", i);
		snprintf(next, sizeof(next), i < 24 ? "chain%u@example.test" : "alice@example.test", i + 1);
		make(KIND_FORWARDER, name, next);
	}
	ok(means("chain4@example.test", "reject 550 5.4.6 forwarded"), "names within names: 21 levels are too many");
	ok(means("chain5@example.test", "local alice@example.test forwarded"), "20 are not");
	for (unsigned g = 0; g < 2; g++) {
		buf_clear(&to);
		for (unsigned i = 0; i < 6000; i++)
			buf_printf(&to, "%su%u@far%u.test", i ? ", " : "", i, g);
		buf_add_char(&to, '\0');
		snprintf(name, sizeof(name), "many%u@example.test", g);
		make_group(name, buf_data(&to), "", false, false);
	}
	make_group("too.many@example.test", "many0@example.test, many1@example.test", "", false, false);
	got_begin();
	route_find(asker, &(struct route_question){ .address = STR("many0@example.test") }, on_route, NULL);
	got_end();
	ok(memmem(buf_data(&got.text), buf_len(&got.text), " of 6000", 8) != NULL, "6,000 addresses of one name");
	ok(means("too.many@example.test", "reject 554 5.4.6 forwarded"), "12,000 are too many");
	got_begin();
	route_find(asker, &(struct route_question){ .address = STR("many0@example.test"), .explain = true }, on_route,
		NULL);
	got_end();
	ok(steps_told == 1000, "1,000 steps are told");
	make_round(buf_data(&to));
	ok(means("round@example.test", "reject 554 5.4.6 forwarded"), "so are 54,000 of which most are the same");
	buf_free(&to);
}

static void on_nothing(void *user, const struct route *route)
{
	(void)route;
	*(bool *)user = true;
}

static void test_around(void)
{
	struct route_question q = { .address = STR("al2@example.org"), .explain = true };
	bool told = false;
	struct call *k;

	got_begin();
	k = route_find(asker, &q, on_route, NULL);
	ok(k && !got.done, "nothing is told from inside the question");
	got_end();
	ok(steps_told == 4, "each step is told to whoever wants to know: %zu", steps_told);
	q.explain = false;
	asked(q, "local alice@example.test forwarded");
	ok(!steps_told, "and to nobody else");
	for (unsigned turns = 0; turns < 4; turns++) {
		k = route_find(asker, &q, on_nothing, &told);
		for (unsigned i = 0; i < turns && !told; i++)
			turn();
		if (!told)
			call_cancel(k);
		turn_for(20);
		told = false;
	}
	call_cancel(route_find(asker, &(struct route_question){ .address = STR("") }, on_nothing, &told));
	call_cancel(route_may_send(asker, STR("alice@example.test"), STR("al@example.test"), on_done, NULL));
	turn_for(50);
	ok(!told, "who does not want to know any more is not told");
}

int main(void)
{
	test_begin(2);
	configure();
	make_account("carol@example.test");
	test_names();
	test_aliases();
	test_groups();
	test_rules();
	test_table();
	test_postmaster();
	test_senders_rewritten();
	test_aliases_files();
	test_logins();
	test_senders();
	test_limits();
	test_around();
	buf_free(&got.text);
	test_end();
	return done();
}
