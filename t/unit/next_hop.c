/* Where mail goes next: the forms of a route, which route a recipient and a sender choose, and what a wrong one is told. */
#include "storage/route/next_hop.h"
#include "core/core_settings.h"
#include "storage/route/pattern.h"
#include "t/tap.h"
#include <stdlib.h>
#include <time.h>

static const struct settings *const tables[] = { &route_settings, NULL };

/* "*@far.test @near.test" are two items */
static void set_list(struct conf *c, const char *title, const char *name, const char *items)
{
	struct str left = str_of(items);
	struct buf why = { 0 };
	struct str word;

	while ((word = str_word(&left)).len) {
		char *item = str_dup(word);

		conf_set(c, "route", title, name, item, &why);
		free(item);
	}
	buf_free(&why);
}

static struct conf *route(
	struct conf *c, const char *title, const char *to, const char *recipients, const char *senders)
{
	struct buf why = { 0 };

	conf_add_title(c, "route", title, &why);
	conf_set(c, "route", title, "to", to, &why);
	set_list(c, title, "recipients", recipients);
	set_list(c, title, "senders", senders);
	buf_free(&why);
	return c;
}

static struct conf *set(struct conf *c, const char *title, const char *name, const char *value)
{
	struct buf why = { 0 };

	if (!conf_set(c, "route", title, name, value, &why))
		printf("# " STR_FMT "\n", STR_ARG(buf_str(&why)));
	buf_free(&why);
	return c;
}

/* "smtp:far.test (x)": the key, and the route that said so */
static bool goes(const struct conf *c, const char *address, const char *sender, const char *told)
{
	struct arena a = { 0 };
	struct buf out = { 0 };
	struct next_hop hop;
	bool same;

	next_hop_find(c, &a, str_of(address), str_of(sender), &hop);
	next_hop_key(&hop, &out);
	if (hop.rule.len)
		buf_printf(&out, " (" STR_FMT ")", STR_ARG(hop.rule));
	same = str_eq(buf_str(&out), str_of(told));
	if (!same)
		printf("# %s from <%s> goes to " STR_FMT "\n", address, sender, STR_ARG(buf_str(&out)));
	buf_free(&out);
	arena_free(&a);
	return same;
}

/* --- without routes, and what `to` may be ---------------------------------------------------------------------------- */

static const struct {
	const char *what, *address, *told;
} by_dns[] = {
	{ "a domain's hosts are the DNS's business", "bob@far.test", "smtp:far.test" },
	{ "letters' case does not matter", "Bob@FAR.Test", "smtp:far.test" },
	{ "a name beyond ASCII is looked up by its A-labels",
		"bob@b\xc3\xbc"
		"cher.test",
		"smtp:xn--bcher-kva.test" },
	{ "an address literal is the host (RFC 5321, 4.1.3)", "bob@[192.0.2.1]", "smtp:[192.0.2.1]" },
	{ "one of IPv6, too", "bob@[IPv6:2001:db8::1]", "smtp:[2001:db8::1]" },
	{ "an @ in quotes is none", "\"a@b\"@far.test", "smtp:far.test" },
};

static const struct {
	const char *to, *told; /* told: the key; or NULL: it is refused */
} forms[] = {
	{ "dns", "smtp:far.test" },
	{ "smtp:relay.test", "smtp:relay.test" },
	{ "smtp:Relay.TEST", "smtp:relay.test" },
	{ "smtp:relay.test:2525", "smtp:relay.test:2525" },
	{ "smtp:[mail.isp.test]", "smtp:[mail.isp.test]" },
	{ "smtp:[mail.isp.test]:25", "smtp:[mail.isp.test]" },
	{ "smtp:[mail.isp.test]:587", "smtp:[mail.isp.test]:587" },
	{ "smtp:[192.0.2.1]:2525", "smtp:[192.0.2.1]:2525" },
	{ "smtp:[2001:db8::1]:2525", "smtp:[2001:db8::1]:2525" },
	{ "smtp:[IPv6:2001:db8::1]", "smtp:[2001:db8::1]" },
	{ "smtps:[mail.isp.test]", "smtps:[mail.isp.test]" },
	{ "smtps:[mail.isp.test]:465", "smtps:[mail.isp.test]" },
	{ "smtps:[mail.isp.test]:4650", "smtps:[mail.isp.test]:4650" },
	{ "lmtp:[127.0.0.1]:2424", "lmtp:[127.0.0.1]:2424" },
	{ "lmtp:[store.test]", "lmtp:[store.test]" },
	{ "pipe:archive", "pipe:archive" },
	{ "reject:550 5.1.2 no mail for them", "reject:x" },
	{ "", NULL },
	{ "smtp", NULL },
	{ "smtp:", NULL },
	{ "smtp:[]", NULL },
	{ "smtp:[mail.isp.test", NULL },
	{ "smtp:[mail.isp.test]587", NULL },
	{ "smtp:[mail.isp.test]:0", NULL },
	{ "smtp:[mail.isp.test]:65536", NULL },
	{ "smtp:[mail.isp.test]:", NULL },
	{ "smtp:[-bad-.test]", NULL },
	{ "smtp:two words.test", NULL },
	{ "smtp:2001:db8::1", NULL },
	{ "lmtp:store.test", NULL },
	{ "pipe:", NULL },
	{ "reject:", NULL },
	{ "reject:450 4.1.2 not for good", NULL },
	{ "reject:550-no", NULL },
	{ "reject:550 ", NULL },
	{ "reject:550 5.1.2 caf\xc3\xa9", NULL },
	{ "dns:far.test", NULL },
	{ "uucp:far", NULL },
};

static void test_forms(void)
{
	struct conf *c = conf_new(tables);
	struct buf why = { 0 };

	for (size_t i = 0; i < sizeof(by_dns) / sizeof(*by_dns); i++)
		ok(goes(c, by_dns[i].address, "", by_dns[i].told), "%s", by_dns[i].what);
	conf_unref(c);
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		char told[200];

		buf_clear(&why);
		c = route(conf_new(tables), "x", forms[i].to, "", "");
		if (forms[i].told) {
			snprintf(told, sizeof(told), "%s (x)", forms[i].told);
			ok(conf_check(c, &why) && goes(c, "bob@far.test", "", told), "to = \"%s\"", forms[i].to);
		} else {
			ok(!conf_check(c, &why) && str_starts(buf_str(&why), STR("route \"x\": to: \"")),
				"not to = \"%s\"", forms[i].to);
		}
		conf_unref(c);
	}
	buf_free(&why);
}

static void test_settings(void)
{
	struct conf *c = route(conf_new(tables), "isp", "smtp:[mail.isp.test]:587", "", "");
	struct buf why = { 0 }, dump = { 0 };
	struct arena a = { 0 };
	struct next_hop hop;

	set(set(c, "isp", "user", "us"), "isp", "password", "s3cret");
	ok(!conf_check(c, &why), "a password does not leave without TLS unasked");
	buf_clear(&why);
	set(c, "isp", "tls", "verify");
	ok(conf_check(c, &why) && goes(c, "bob@far.test", "a@b.test", "smtp:[mail.isp.test]:587/us;tls=verify (isp)"),
		"a smart host to log in at");
	next_hop_find(c, &a, STR("bob@far.test"), STR_NONE, &hop);
	ok(str_eq(hop.password, STR("s3cret")) && hop.tls == HOP_TLS_VERIFY && hop.direct && hop.port == 587,
		"its password and TLS come along");
	conf_dump(c, CONF_FOR_PEOPLE, &dump);
	ok(!memmem(buf_data(&dump), buf_len(&dump), "s3cret", 6), "people are not shown the password");
	conf_unref(c);

	c = set(route(conf_new(tables), "x", "smtps:[mail.isp.test]", "", ""), "x", "user", "us");
	ok(!conf_check(c, &why), "a user without a password is refused");
	buf_clear(&why);
	set(c, "x", "password", "secret");
	ok(conf_check(c, &why), "behind TLS from the start no more need be said");
	set(c, "x", "tls", "never");
	ok(!conf_check(c, &why), "smtps without TLS is refused");
	conf_unref(c);

	c = route(conf_new(tables), "x", "lmtp:[127.0.0.1]:24", "", "");
	set(set(set(c, "x", "user", "us"), "x", "password", "secret"), "x", "tls", "must");
	ok(!conf_check(c, &why), "nobody logs in by LMTP");
	conf_unref(c);
	arena_free(&a);
	buf_free(&why);
	buf_free(&dump);
}

/* --- patterns ---------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *pattern, *address;
	const char *star; /* what stands for it; NULL: it does not fit */
} fits[] = {
	{ "alice@far.test", "alice@far.test", "" },
	{ "Alice@Far.TEST", "alice@far.test", "" },
	{ "alice@far.test", "alic@far.test", NULL },
	{ "alice@far.test", "alice@sub.far.test", NULL },
	{ "*@far.test", "alice@far.test", "alice" },
	{ "@far.test", "alice@far.test", "alice" },
	{ "*@far.test", "alice@xfar.test", NULL },
	{ "sales-*@far.test", "sales-eu@far.test", "eu" },
	{ "sales-*@far.test", "sales-@far.test", "" },
	{ "sales-*@far.test", "sales@far.test", NULL },
	{ "*-owner@far.test", "list-owner@far.test", "list" },
	{ "ab*ba@far.test", "aba@far.test", NULL },
	{ "ab*ba@far.test", "abba@far.test", "" },
	{ "*@.far.test", "a@far.test", "a" },
	{ "@.far.test", "a@x.y.far.test", "a" },
	{ "*@.far.test", "a@xfar.test", NULL },
	{ "info@*", "info@any.test", "" },
	{ "info@*", "inf@any.test", NULL },
	{ "*@*", "a@b.test", "a" },
	{ "*", "a@b.test", "a" },
	{ "*", "", "" },
	{ "<>", "", "" },
	{ "<>", "a@b.test", NULL },
	{ "*@*", "", "" },
	{ "a@[192.0.2.1]", "a@[192.0.2.1]", "" },
	{ "*@b\xc3\xbc"
	  "cher.test",
		"a@xn--bcher-kva.test", "a" },
};

static const char *const wrong[] = { "", "far.test", "@", "a@", "a b@far.test", "a*b*c@far.test", "**@far.test",
	"a@far*.test", "a@*.far.test", "a@far..test", "a@-far.test", "a@.[192.0.2.1]", "a@..far.test", "a\n@far.test",
	"a@far.test ", "a@\xff\xfe.test",
	"a23456789012345678901234567890123456789012345678901234567890123456789@far.test" };

static void test_patterns(void)
{
	struct arena a = { 0 };
	struct pattern p;
	struct str star;

	for (size_t i = 0; i < sizeof(fits) / sizeof(*fits); i++) {
		bool is = !pattern_read(&a, str_of(fits[i].pattern), &p) &&
		          pattern_matches(&p, str_of(fits[i].address), &star);

		ok(is == (fits[i].star != NULL) && (!is || str_eq(star, str_of(fits[i].star))), "\"%s\" %s \"%s\"",
			fits[i].pattern, fits[i].star ? "fits" : "does not fit", fits[i].address);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		ok(pattern_read(&a, str_of(wrong[i]), &p) == ERR_MISTAKE, "wrong pattern %zu", i);
	arena_free(&a);
}

/* Found among many as by looking at each. */
static void test_found_alike(void)
{
	static const char *const locals[] = { "a", "b", "sales-x", "x-owner", "\"q q\"" };
	static const char *const domains[] = { "far.test", "x.far.test", "y.x.far.test", "test", "near.test",
		"[192.0.2.1]" };
	struct pattern p[sizeof(fits) / sizeof(*fits)];
	size_t count = sizeof(p) / sizeof(*p), differ = 0;
	struct patterns ps = { 0 };
	struct arena a = { 0 };

	for (size_t i = 0; i < count; i++) {
		pattern_read(&a, str_of(fits[count - 1 - i].pattern), &p[i]);
		patterns_add(&ps, &a, &p[i], i);
	}
	for (size_t i = 0; i < 30; i++) {
		struct str address = i ? str_of(arena_printf(&a, "%s@%s", locals[i % 5], domains[i % 6])) : STR("");

		for (size_t below = 0; below <= count; below++) {
			size_t place = 0;

			while (place < below && !pattern_matches(&p[place], address, NULL))
				place++;
			if (place == below)
				place = PATTERN_NOWHERE;
			differ += patterns_find(&ps, address, below, NULL, NULL) != place;
		}
	}
	ok(!differ, "the first of many patterns is found as by looking at each");
	patterns_free(&ps);
	arena_free(&a);
}

/* --- which route --------------------------------------------------------------------------------------------------------- */

static void test_order(void)
{
	struct conf *c = conf_new(tables);
	struct buf why = { 0 };

	route(c, "no", "reject:550 5.1.2 closed", "*@closed.test", "");
	route(c, "boss", "smtp:[fast.test]", "*@far.test", "boss@example.test");
	route(c, "far", "smtp:[slow.test]", "*@.far.test @other.test", "");
	route(c, "bounces", "smtp:[bounce.test]", "", "<>");
	route(c, "dept", "smtp:[dept.test]", "", "*@dept.example.test");
	route(c, "plain", "dns", "*@direct.test", "");
	route(c, "rest", "smtp:[smart.test]", "", "");
	route(c, "never", "smtp:[never.test]", "*@later.test", "");
	ok(conf_check(c, &why), "the routes are good");
	ok(goes(c, "a@closed.test", "x@dept.example.test", "reject:no (no)"), "the first that fits is taken");
	ok(goes(c, "a@far.test", "boss@example.test", "smtp:[fast.test] (boss)"), "a route of both must fit both");
	ok(goes(c, "a@far.test", "else@example.test", "smtp:[slow.test] (far)"), "else the next is looked for");
	ok(goes(c, "a@x.far.test", "boss@example.test", "smtp:[slow.test] (far)"), "below a domain");
	ok(goes(c, "a@other.test", "", "smtp:[slow.test] (far)"), "a recipient's route before the sender's");
	ok(goes(c, "a@any.test", "", "smtp:[bounce.test] (bounces)"), "mail without a sender");
	ok(goes(c, "a@any.test", "b@dept.example.test", "smtp:[dept.test] (dept)"), "by its sender alone");
	ok(goes(c, "a@direct.test", "b@dept.example.test", "smtp:[dept.test] (dept)"), "by the order of the file");
	ok(goes(c, "a@direct.test", "b@example.test", "smtp:direct.test (plain)"), "an exception from a smart host");
	ok(goes(c, "a@any.test", "b@example.test", "smtp:[smart.test] (rest)"), "all else to the smart host");
	ok(goes(c, "a@later.test", "b@example.test", "smtp:[smart.test] (rest)"),
		"what stands behind is not looked at");
	buf_free(&why);
	conf_unref(c);
}

static double microseconds(const struct timespec *from, const struct timespec *to)
{
	return (double)(to->tv_sec - from->tv_sec) * 1e6 + (double)(to->tv_nsec - from->tv_nsec) / 1e3;
}

/* Thousands of routes cost what one does. The bound is wide: a busy machine, and sanitizers, are slow. */
static void test_many(void)
{
	struct conf *c = conf_new(tables);
	struct timespec from, to;
	struct arena a = { 0 };
	struct next_hop hop;
	bool right = true;

	for (unsigned i = 0; i < 5000; i++) {
		char title[32], pattern[64];

		snprintf(title, sizeof(title), "r%u", i);
		snprintf(pattern, sizeof(pattern), i % 2 ? "*@.d%u.test" : "*@d%u.test", i);
		route(c, title, "smtp:[relay.test]", pattern, "");
	}
	next_hop_find(c, &a, STR("a@far.test"), STR(""), &hop);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (unsigned i = 0; i < 5000; i++) {
		char address[64], title[32];

		snprintf(title, sizeof(title), "r%u", i);
		snprintf(address, sizeof(address), i % 2 ? "bob@x.d%u.test" : "bob@d%u.test", i);
		next_hop_find(c, &a, str_of(address), STR("alice@example.test"), &hop);
		right &= str_eq(hop.rule, str_of(title));
		arena_reset(&a);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	printf("# %.2f us each, among 5,000 routes\n", microseconds(&from, &to) / 5000);
	ok(right && microseconds(&from, &to) / 5000 < 100, "the right one of 5,000 routes, at once");
	arena_free(&a);
	conf_unref(c);
}

int main(void)
{
	test_forms();
	test_settings();
	test_patterns();
	test_found_alike();
	test_order();
	test_many();
	return done();
}
