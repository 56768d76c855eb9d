/* Settings: what a value may look like, what is told when it may not, and a snapshot's dump and differences. */
#include "t/conf_house.h"
#include "t/tap.h"
#include <inttypes.h>
#include <stdlib.h>

static const struct imap_conf *imap(const struct conf *c)
{
	return conf_section(c, &imap_settings);
}

/* what, setting, value, then what is stored or, with an error, told */
static const struct {
	const char *what, *name, *value;
	int64_t stored;
	const char *told;
} values[] = {
	{ "a duration in minutes", "idle_timeout", "45m", 2700000, NULL },
	{ "a duration in hours, at its limit", "idle_timeout", "24h", 86400000, NULL },
	{ "a duration in days", "idle_timeout", "1d", 86400000, NULL },
	{ "a duration in milliseconds", "idle_timeout", "1800001ms", 1800001, NULL },
	{ "a duration below its limit", "idle_timeout", "29m", 0,
		"imap.idle_timeout: \"29m\" is not a duration such as 500ms, 30s, 5m, 2h or 1d, from 30m to 24h" },
	{ "a duration above its limit", "idle_timeout", "86400001ms", 0, "from 30m to 24h" },
	{ "a duration without a unit", "idle_timeout", "1800", 0, "is not a duration such as" },
	{ "a duration of too many digits", "idle_timeout", "99999999999999999999d", 0, "is not a duration" },
	{ "a duration that overflows", "idle_timeout", "9223372036854775807d", 0, "is not a duration" },
	{ "a duration with a sign", "idle_timeout", "-30m", 0, "is not a duration" },
	{ "a duration with a blank", "idle_timeout", "30 m", 0, "is not a duration" },
	{ "an empty duration", "idle_timeout", "", 0, "is not a duration" },
	{ "a zero needs no unit, but keeps to the limits", "idle_timeout", "0", 0, "from 30m to 24h" },
	{ "a size in bytes", "most", "2000", 2000, NULL },
	{ "a size in K", "most", "2K", 2048, NULL },
	{ "a size in M", "most", "50M", 50 << 20, NULL },
	{ "a size in G", "most", "3G", INT64_C(3) << 30, NULL },
	{ "a size in T", "most", "1T", INT64_C(1) << 40, NULL },
	{ "a size below its limit", "most", "1023", 0,
		"imap.most: \"1023\" is not a size such as 512, 64K, 50M or 1G, at least 1K" },
	{ "a size with a unit of time", "most", "64m", 0, "is not a size" },
	{ "a size that overflows", "most", "9000000T", 0, "is not a size" },
	{ "the first choice", "line_ends", "strict", 0, NULL },
	{ "the last choice", "line_ends", "any", 2, NULL },
	{ "no choice of ours", "line_ends", "Strict", 0, "imap.line_ends: \"Strict\" is not strict, normalise or any" },
	{ "a piece of a choice", "line_ends", "stri", 0, "is not strict, normalise or any" },
	{ "two choices", "line_ends", "strict|any", 0, "is not strict, normalise or any" },
	{ "neither yes nor no", "strict", "maybe", 0, "imap.strict: \"maybe\" is not true or false" },
	{ "a text with a line end", "secret", "a\nb", 0, "a text holds a control character, 0x0a" },
};

static int64_t stored(const struct conf *c, const char *name)
{
	return !strcmp(name, "idle_timeout") ? imap(c)->idle_ms
	       : !strcmp(name, "most")       ? imap(c)->most
	                                     : imap(c)->line_ends;
}

static void test_values(void)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		struct conf *c = conf_new(tables);
		struct buf why = { 0 };
		bool set = conf_set(c, "imap", NULL, values[i].name, values[i].value, &why);

		buf_add_char(&why, '\0');
		if (values[i].told)
			ok(!set && strstr(buf_data(&why), values[i].told), "%s is refused: %s", values[i].what,
				buf_data(&why));
		else
			ok(set && buf_len(&why) == 1 && stored(c, values[i].name) == values[i].stored,
				"%s is stored as %" PRId64, values[i].what, values[i].stored);
		buf_free(&why);
		conf_unref(c);
	}
}

static void test_bools(void)
{
	static const char *const words[] = { "true", "yes", "on", "YES", "false", "no", "off", "False" };
	struct buf why = { 0 };

	for (int i = 0; i < 8; i++) {
		struct conf *c = conf_new(tables);

		ok(conf_set(c, "imap", NULL, "strict", words[i], &why) && imap(c)->strict == (i < 4), "%s is %s",
			words[i], i < 4 ? "true" : "false");
		conf_unref(c);
	}
	buf_free(&why);
}

static void test_defaults(void)
{
	struct conf *c = conf_new(tables);
	const struct top_conf *top = conf_section(c, &top_settings);

	ok(!strcmp(top->directory, "/var/lib/postern") && top->workers == 0, "a new snapshot holds the defaults");
	ok(imap(c)->idle_ms == 1800000 && imap(c)->most == 65536 && imap(c)->strict, "of all sections");
	ok(imap(c)->words.count == 2 && !strcmp(imap(c)->words.items[1], "two"), "also of lists");
	ok(conf_titles(c, &listen_settings) == 0, "and no titled section");
	ok(conf_ref(c) == c, "one more holds it");
	conf_unref(c);
	ok(imap(c)->strict, "and it stays until the last lets go");
	conf_unref(c);
	conf_unref(NULL);
}

static void test_lists(void)
{
	struct conf *c = conf_new(tables);
	struct buf why = { 0 };

	conf_set(c, "imap", NULL, "words", "first", &why);
	ok(imap(c)->words.count == 1 && !strcmp(imap(c)->words.items[0], "first"),
		"the first item replaces the default");
	conf_set(c, "imap", NULL, "words", "second", &why);
	ok(imap(c)->words.count == 2 && !strcmp(imap(c)->words.items[1], "second"), "the second comes behind it");
	conf_set(c, "imap", NULL, "words", NULL, &why);
	ok(imap(c)->words.count == 0 && !buf_len(&why), "no value makes the list empty");
	for (int i = 0; i < 1024; i++)
		conf_set(c, "imap", NULL, "words", "again", &why);
	ok(imap(c)->words.count == 1024 && !buf_len(&why), "1,024 items are taken");
	ok(!conf_set(c, "imap", NULL, "words", "again", &why) && imap(c)->words.count == 1024, "and no more");
	ok(str_eq(buf_str(&why), STR("imap.words: a list has more than 1024 items")), "which is told");
	buf_free(&why);
	conf_unref(c);
}

static void test_titles(void)
{
	struct conf *c = conf_new(tables);
	struct buf why = { 0 };
	char name[300] = { 0 };
	const char *title;
	const struct listen_conf *l;

	ok(!conf_set(c, "listen", "smtp", "backlog", "7", &why), "a section must be there to be set");
	ok(conf_add_title(c, "listen", "smtp", &why) && conf_add_title(c, "listen", "imap", &why) &&
			conf_add_title(c, "listen", "smtp", &why) && conf_titles(c, &listen_settings) == 2,
		"a title is added once");
	ok(conf_set(c, "listen", "smtp", "backlog", "7", &why), "and set");
	l = conf_titled(c, &listen_settings, 0, &title);
	ok(!strcmp(title, "smtp") && l->backlog == 7, "sections keep their order");
	l = conf_find(c, &listen_settings, "imap");
	ok(l && l->backlog == 100, "and are found by title, each with values of its own");
	ok(!conf_find(c, &listen_settings, "pop3"), "one that is not there is not found");
	ok(!conf_add_title(c, "imap", "smtp", &why) && !conf_add_title(c, "nothing", "x", &why),
		"only a titled section takes a title");
	memset(name, 'x', 256);
	ok(!conf_add_title(c, "listen", "", &why) && !conf_add_title(c, "listen", name, &why),
		"a title has from 1 byte to 255");
	name[255] = '\0';
	ok(conf_add_title(c, "listen", name, &why), "and no fewer than 255 are taken");
	buf_free(&why);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "t%d", i * 37 % 200);
		conf_add_title(c, "listen", name, &why);
		conf_set(c, "listen", name, "backlog", name + 1, &why);
	}
	l = conf_find(c, &listen_settings, "t123");
	ok(l && l->backlog == 123, "among hundreds of titles the right one is found");
	buf_free(&why);
	conf_unref(c);
}

static void test_mistakes(void)
{
	struct conf *c = conf_new(tables);
	struct buf why = { 0 };
	char *text = malloc(4098);

	ok(!conf_set(c, "imap", NULL, "idel", "1", &why) &&
			str_eq(buf_str(&why), STR("imap: there is no setting idel")),
		"an unknown setting is named");
	buf_clear(&why);
	ok(!conf_set(c, "imop", NULL, "strict", "1", &why) && str_eq(buf_str(&why), STR("there is no section imop")),
		"an unknown section too");
	buf_clear(&why);
	ok(!conf_set(c, "", NULL, "workers", "65", &why) &&
			str_eq(buf_str(&why), STR("workers: \"65\" is not a number, from -1 to 64")),
		"a setting outside any section is named alone");
	buf_clear(&why);
	ok(conf_set(c, "", NULL, "workers", "-1", &why), "a number may be negative");
	ok(!conf_set(c, "", NULL, "workers", NULL, &why) && str_eq(buf_str(&why), STR("workers: needs a value")),
		"only a list can do without a value");
	buf_clear(&why);
	memset(text, 'x', 4097);
	text[4097] = '\0';
	ok(!conf_set(c, "imap", NULL, "secret", text, &why) && buf_len(&why) < 100, "a text has 4,096 bytes at most");
	text[4096] = '\0';
	ok(conf_set(c, "imap", NULL, "secret", text, &why), "and just as many");
	buf_clear(&why);
	conf_add_title(c, "listen", "smtp", &why);
	ok(!conf_check(c, &why) && str_eq(buf_str(&why), STR("listen \"smtp\" needs an address\n")),
		"a section's own check is asked");
	buf_clear(&why);
	conf_set(c, "listen", "smtp", "address", "[::1]:25", &why);
	ok(conf_check(c, &why) && !buf_len(&why), "and content when it may be");
	free(text);
	buf_free(&why);
	conf_unref(c);
}

static void test_dump(void)
{
	struct conf *c = conf_new(tables);
	struct buf out = { 0 }, why = { 0 };
	static const char whole[] = "directory = \"/var/lib/postern\"\n"
				    "workers = 0\n"
				    "imap {\n"
				    "\tidle_timeout = 1801s\n"
				    "\tmost = 3M\n"
				    "\tline_ends = normalise\n"
				    "\tstrict = true\n"
				    "\twords = { \"a \\\"b\\\"\", \"\\${c}\\\\\" }\n"
				    "\tsecret = \"open\"\n"
				    "}\n"
				    "listen \"smtp\" {\n"
				    "\taddress = {}\n"
				    "\tbacklog = 100\n"
				    "}\n";

	conf_set(c, "imap", NULL, "idle_timeout", "1801s", &why);
	conf_set(c, "imap", NULL, "most", "3072K", &why);
	conf_set(c, "imap", NULL, "line_ends", "normalise", &why);
	conf_set(c, "imap", NULL, "words", "a \"b\"", &why);
	conf_set(c, "imap", NULL, "words", "${c}\\", &why);
	conf_set(c, "imap", NULL, "secret", "open", &why);
	conf_add_title(c, "listen", "smtp", &why);
	conf_dump(c, CONF_WHOLE, &out);
	ok(str_eq(buf_str(&out), STR(whole)), "a dump is a file, with the largest unit that fits");
	buf_clear(&out);
	conf_dump(c, CONF_FOR_PEOPLE, &out);
	buf_add_char(&out, '\0');
	ok(!strstr(buf_data(&out), "open") && strstr(buf_data(&out), "secret = ***\n"), "people do not see secrets");
	buf_free(&out);
	buf_free(&why);
	conf_unref(c);
}

static void test_diff(void)
{
	struct conf *old = conf_new(tables), *new = conf_new(tables);
	struct buf out = { 0 }, why = { 0 };
	static const char lines[] = "workers: 0 -> 4 (at a restart)\n"
				    "imap.idle_timeout: 30m -> 40m\n"
				    "imap.secret: *** -> ***\n"
				    "listen \"pop3\": removed\n"
				    "listen \"smtp\".backlog: 100 -> 5\n"
				    "listen \"imap\": added\n"
				    "listen \"imap\".address: {} -> { \"[::1]:143\" }\n";

	conf_diff(old, new, &out);
	ok(!buf_len(&out), "two that are the same do not differ");
	conf_set(new, "", NULL, "workers", "4", &why);
	conf_set(new, "imap", NULL, "idle_timeout", "40m", &why);
	conf_set(new, "imap", NULL, "secret", "new", &why);
	conf_add_title(old, "listen", "pop3", &why);
	conf_add_title(old, "listen", "smtp", &why);
	conf_add_title(new, "listen", "smtp", &why);
	conf_set(new, "listen", "smtp", "backlog", "5", &why);
	conf_add_title(new, "listen", "imap", &why);
	conf_set(new, "listen", "imap", "address", "[::1]:143", &why);
	conf_diff(old, new, &out);
	ok(str_eq(buf_str(&out), STR(lines)), "each difference is a line, and secrets stay secret");
	buf_free(&out);
	buf_free(&why);
	conf_unref(old);
	conf_unref(new);
}

int main(void)
{
	test_defaults();
	test_values();
	test_bools();
	test_lists();
	test_titles();
	test_mistakes();
	test_dump();
	test_diff();
	return done();
}
