/* Domains of senders that become another: in envelopes, and in headers where they are addresses. */
#include "storage/route/masquerade.h"
#include "core/house.h"
#include "storage/route/domain.h"
#include "t/tap.h"

static const struct settings *const tables[] = { &domain_settings, NULL };
const struct house house = { .settings = tables };

static struct conf *conf;
static struct arena memory;

static void domain(const char *title, const char *const *names)
{
	struct buf why = { 0 };

	conf_add_title(conf, "domain", title, &why);
	for (; *names; names++)
		if (!conf_set(conf, "domain", title, "masquerade", *names, &why))
			printf("# " STR_FMT "\n", STR_ARG(buf_str(&why)));
	if (!conf_check(conf, &why))
		printf("# " STR_FMT "\n", STR_ARG(buf_str(&why)));
	buf_free(&why);
}

static const struct {
	const char *what, *address, *becomes;
} addresses[] = {
	{ "a host by its name", "alice@host.example.org", "alice@example.test" },
	{ "in any case of letters", "Alice@HOST.example.ORG", "Alice@example.test" },
	{ "every host below a domain", "alice@a.b.example.test", "alice@example.test" },
	{ "but not the domain itself", "alice@example.test", "alice@example.test" },
	{ "nor one that has a section", "alice@own.example.test", "alice@own.example.test" },
	{ "nor one that is as long", "alice@badexample.test", "alice@badexample.test" },
	{ "nor another", "alice@far.test", "alice@far.test" },
	{ "nor an address literal", "alice@[192.0.2.1]", "alice@[192.0.2.1]" },
	{ "with an @ in quotes", "\"a@host.example.org\"@far.test", "\"a@host.example.org\"@far.test" },
	{ "letters beyond ASCII", "alice@m\303\274nchen.example", "alice@example.test" },
	{ "no sender at all", "", "" },
};

static void test_addresses(void)
{
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		struct str out = masquerade_address(conf, &memory, str_of(addresses[i].address));

		if (!ok(str_eq(out, str_of(addresses[i].becomes)), "%s", addresses[i].what))
			printf("# " STR_FMT "\n", STR_ARG(out));
	}
}

static const struct {
	const char *what, *field, *becomes; /* NULL: the same */
} fields[] = {
	{ "an address alone", "From: alice@host.example.org\r\n", "From: alice@example.test\r\n" },
	{ "with a name", "Sender: Alice <alice@host.example.org>\r\n", "Sender: Alice <alice@example.test>\r\n" },
	{ "several", "To: a@host.example.org, b@far.test,\r\n c@x.example.test\r\n",
		"To: a@example.test, b@far.test,\r\n c@example.test\r\n" },
	{ "in a group", "cc: all: a@host.example.org, b@host.example.org;\n",
		"cc: all: a@example.test, b@example.test;\n" },
	{ "at the very end", "Reply-To: alice@host.example.org", "Reply-To: alice@example.test" },
	{ "with a comment behind it", "From: alice@host.example.org(home)\n", "From: alice@example.test(home)\n" },
	{ "that was sent again", "Resent-From: alice@host.example.org\n", "Resent-From: alice@example.test\n" },
	{ "a quoted local part", "From: \"a b\"@host.example.org\n", "From: \"a b\"@example.test\n" },
	{ "not in quotes", "From: \"alice@host.example.org\" <a@far.test>\n", NULL },
	{ "not in quotes with a quote in them", "From: \"\\\"alice@host.example.org\" <a@far.test>\n", NULL },
	{ "not in comments in comments", "From: a@far.test (x (\\) alice@host.example.org) y@host.example.org)\n",
		NULL },
	{ "not in encoded words", "From: =?utf-8?q?alice@host.example.org?= <a@far.test>\n", NULL },
	{ "not in source routes", "To: <@host.example.org,@host.example.org:a@far.test>\n", NULL },
	{ "not in other fields", "Subject: alice@host.example.org\n", NULL },
	{ "not in ids", "Message-ID: <1@host.example.org>\n", NULL },
	{ "not where quotes do not end", "From: \"alice@host.example.org\n", NULL },
	{ "not where something is stuck to it", "From: alice@host.example.org=x\n", NULL },
	{ "not without a local part", "From: @host.example.org\n", NULL },
	{ "a colon in the name changes nothing", "From : a:b@host.example.org\n", "From : a:b@example.test\n" },
};

static struct str done_to(struct str text, struct buf *out)
{
	struct header_walk walk = header_walk(text);
	struct header_field field;

	while (header_next(&walk, &field))
		masquerade_field(conf, &field, out);
	return buf_str(out);
}

static void test_fields(void)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		const char *right = fields[i].becomes ? fields[i].becomes : fields[i].field;
		struct buf out = { 0 };

		if (!ok(str_eq(done_to(str_of(fields[i].field), &out), str_of(right)), "%s", fields[i].what))
			printf("# " STR_FMT "\n", STR_ARG(buf_str(&out)));
		buf_free(&out);
	}
}

static void test_none(void)
{
	struct conf *none = conf_new(tables);
	struct header_walk walk = header_walk(STR("From: alice@host.example.org\r\n"));
	struct header_field field;
	struct buf out = { 0 };

	header_next(&walk, &field);
	masquerade_field(none, &field, &out);
	ok(str_eq(buf_str(&out), STR("From: alice@host.example.org\r\n")) &&
			str_eq(masquerade_domain(none, STR("host.example.org")), STR("host.example.org")),
		"without a setting nothing is changed");
	buf_free(&out);
	conf_unref(none);
}

int main(void)
{
	conf = conf_new(tables);
	domain("example.test",
		(const char *const[]){ "host.example.org", ".example.test", "m\303\274nchen.example", NULL });
	domain("own.example.test", (const char *const[]){ NULL });
	test_addresses();
	test_fields();
	test_none();
	arena_free(&memory);
	conf_unref(conf);
	return done();
}
