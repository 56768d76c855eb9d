/* The configuration file: what it may hold, what is told with file and line when it is wrong, and that what is dumped
 * can be read again. */
#include "conf/conf.h"
#include "t/conf_house.h"
#include "t/tap.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/postern-conf-XXXXXX";

static void put_file(const char *name, const char *text)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

static struct conf *parse(const char *text, struct buf *why)
{
	char name[200];

	snprintf(name, sizeof(name), "%s/f", dir);
	return conf_parse(str_of(text), name, why);
}

/* what, file, and what is told, with every "DIR/" left out; the file f is this one */
static const struct {
	const char *what, *text, *told;
} mistakes[] = {
	{ "an unknown setting", "\n\nworkerz = 3\n", "f:3: no such option 'workerz'\n" },
	{ "an unknown setting of a section", "imap {\n\tidel = 3\n}\n",
		"f:2: no such option 'idel' in section imap\n" },
	{ "an unknown section", "imop {\n}\n", "f:1: no such option 'imop'\n" },
	{ "a bad number", "workers = many\n", "f:1: workers: \"many\" is not a number, from -1 to 64\n" },
	{ "a number out of its limits", "imap {\n\n most = 12\n}\n",
		"f:3: imap.most: \"12\" is not a size such as 512, 64K, 50M or 1G, at least 1K\n" },
	{ "a bad choice", "imap { line_ends = odd }",
		"f:1: imap.line_ends: \"odd\" is not strict, normalise or any\n" },
	{ "a bad truth", "imap { strict = 2 }", "f:1: imap.strict: \"2\" is not true or false\n" },
	{ "several bad values", "workers = x\nimap {\n strict = y\n most = z\n}\n",
		"f:1: workers: \"x\" is not a number, from -1 to 64\n"
		"f:3: imap.strict: \"y\" is not true or false\n"
		"f:4: imap.most: \"z\" is not a size such as 512, 64K, 50M or 1G, at least 1K\n" },
	{ "a title used twice", "listen \"a\" { }\nlisten \"b\" { }\nlisten \"a\" { }\n",
		"f:3: found duplicate title 'a'\n" },
	{ "a title that is missing", "listen { }\n", "f:1: missing title for section 'listen'\n" },
	{ "an empty title", "listen \"\" { }\n", "f:1: listen: a title has from 1 to 255 bytes\n" },
	{ "a title where there is none", "imap \"x\" { }\n", "f:1: missing opening brace for section 'imap'\n" },
	{ "an opening brace that is missing", "imap\nstrict = true\n",
		"f:2: missing opening brace for section 'imap'\n" },
	{ "a closing brace that is missing", "\nimap {\n strict = true\n\n",
		"f:2: the brace that opens here is never closed\n" },
	{ "a closing brace of a list that is missing", "imap {\n words = { \"a\"\n}\n",
		"f:1: the brace that opens here is never closed\n" },
	{ "a closing brace too many", "imap { }\n}\n", "f:2: a closing brace without an opening one\n" },
	{ "an equal sign that is missing", "workers 3\n", "f:1: missing equal sign after option 'workers'\n" },
	{ "a value that is missing", "workers =\n", "f:2: premature end of file\n" },
	{ "a list for a single value", "workers = { 1, 2 }\n", "f:1: unexpected token '{'\n" },
	{ "more for a single value", "workers += 2\n", "f:1: attempt to append to non-list option 'workers'\n" },
	{ "two values", "workers = 1 2\n", "f:1: no such option '2'\n" },
	{ "a text that is not closed", "\ndirectory = \"/x\nworkers = 2\n",
		"f:2: the text that begins here is not closed on its line\n" },
	{ "a comment that is not closed", "workers = 2\n/* so\nmany\n",
		"f:2: the comment that begins here has no end\n" },
	{ "a line behind comments is counted right", "# a\n/* b\n */ /* c */\n// d\n#\nworkers = x\n",
		"f:6: workers: \"x\" is not a number, from -1 to 64\n" },
	{ "a stray asterisk", "listen \"x\" {\n address = *:25\n}\n", "f:2: a stray *: put the text in quotes\n" },
	{ "a stray plus", "workers = +2\n", "f:1: a stray +: put the text in quotes\n" },
	{ "a stray carriage return", "\nworkers = 2\rimap { }\n", "f:2: a stray carriage return\n" },
	{ "a control character", "directory = \"a\\tb\"\n",
		"f:1: directory: a text holds a control character, 0x09\n" },
	{ "a section's own check", "\nlisten \"smtp\" {\n}\n", "f:3: listen \"smtp\" needs an address\n" },
	{ "all that a check has to say", "listen nowhere { }", "f:1: nobody is there\nf:1: nor will be\n" },
	{ "a setting with its section in its name", "imap|strict = false\n",
		"f:1: strict is a setting of a section: write it within the section's braces\n" },
	{ "braces without end", "{{{{{{{{{{{{{{{{{", "f:1: braces are nested too deeply\n" },
	{ "a variable that is not closed", "workers = ${A\n}\n", "f:1: ${ is not closed on its line\n" },
	{ "a file to include that is missing", "\ninclude(\"none\")\n",
		"f:2: include: none: No such file or directory\n" },
	{ "a directory to include", "include(\"sub\")\n", "f:1: include: sub: Is a directory\n" },
	{ "an include of nothing", "include()\n", "f:1: include wants one file: include(\"FILE\")\n" },
	{ "an include in a section", "imap { include(\"good\") }", "f:1: no such option 'include' in section imap\n" },
	{ "an error in an included file", "\ninclude(\"bad\")\n",
		"bad:2: workers: \"y\" is not a number, from -1 to 64\n" },
	{ "a brace left open in an included file", "include(\"open\")\n}\n",
		"f:2: a closing brace without an opening one\n" },
	{ "what is not closed in an included file", "include(\"open\")\n",
		"open:1: the brace that opens here is never closed\n" },
	{ "the line behind an included file", "include(\"good\")\n\nworkers = z\n",
		"f:3: workers: \"z\" is not a number, from -1 to 64\n" },
	{ "a check in an included file", "include(\"check\")\n", "check:2: listen \"smtp\" needs an address\n" },
	{ "a file that includes itself", "include(\"self\")\n",
		"self:1: include: files within files, more than 8 deep\n" },
};

/* Leaves "DIR/" out of text, wherever it is. */
static void shorten(struct buf *text)
{
	struct buf out = { 0 };
	size_t len = strlen(dir) + 1;
	const char *p;

	buf_add_char(text, '\0');
	for (p = buf_data(text); *p; p++)
		if (!strncmp(p, dir, len - 1))
			p += len - 1;
		else
			buf_add_char(&out, *p);
	buf_add_char(&out, '\0');
	buf_free(text);
	*text = out;
}

static void test_mistakes(void)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		struct buf why = { 0 };
		struct conf *c = parse(mistakes[i].text, &why);

		shorten(&why);
		if (!ok(!c && !strcmp(buf_data(&why), mistakes[i].told), "%s is told", mistakes[i].what))
			printf("# told: %s\n", buf_data(&why));
		buf_free(&why);
		conf_unref(c);
	}
}

static void test_good(void)
{
	struct buf why = { 0 };
	struct conf *c = parse("# all that may be\n"
			       "workers = 3   // here too\r\n"
			       "directory = '/srv/mail'\n"
			       "imap { strict = no idle_timeout = 1h\n words += { three } }\n"
			       "listen \"smtp\" { address = { \"127.0.0.1:25\", [::1]:25 } }\n"
			       "listen imap { address = \"*:143\" }\n"
			       "include(\"good\")\n"
			       "imap { most = 2M }\n",
		&why);
	const struct imap_conf *imap;
	const struct listen_conf *l;

	ok(c && !buf_len(&why), "a good file gives a snapshot");
	if (!c)
		return;
	imap = conf_section(c, &imap_settings);
	ok(imap->idle_ms == 3600000 && !imap->strict && imap->most == 2 << 20, "a section may be written in pieces");
	ok(imap->words.count == 3 && !strcmp(imap->words.items[2], "three"), "+= goes on behind a list's default");
	ok(!strcmp(((const struct top_conf *)conf_section(c, &top_settings))->directory, "/included"),
		"the last word counts, also an included one");
	l = conf_find(c, &listen_settings, "smtp");
	ok(l && l->address.count == 2 && !strcmp(l->address.items[1], "[::1]:25"), "a list has its items");
	l = conf_find(c, &listen_settings, "imap");
	ok(l && l->address.count == 1 && !strcmp(l->address.items[0], "*:143"), "a list of one needs no braces");
	conf_unref(c);
	c = parse("imap { words = {} }\n", &why);
	ok(c && ((const struct imap_conf *)conf_section(c, &imap_settings))->words.count == 0,
		"an empty list replaces the default");
	conf_unref(c);
	c = parse("imap { words = { a, b } words = { c } }\n", &why);
	ok(c && ((const struct imap_conf *)conf_section(c, &imap_settings))->words.count == 1,
		"a list given again begins again");
	conf_unref(c);
	setenv("POSTERN_TEST", "/from/outside", 1);
	c = parse("directory = \"${POSTERN_TEST}/x\"\n", &why);
	ok(c && !strcmp(((const struct top_conf *)conf_section(c, &top_settings))->directory, "/from/outside/x"),
		"a text may hold a variable of the environment");
	conf_unref(c);
	c = parse("", &why);
	ok(c && !buf_len(&why), "an empty file is all defaults");
	conf_unref(c);
	buf_free(&why);
}

static void test_round(void)
{
	static const char text[] = "workers = -1\ndirectory = '/a\"b\\\\c$d${e}'\n"
				   "imap { words = {} idle_timeout = 1801s line_ends = any secret = \"x y\" }\n"
				   "listen \"a \\\"title\\\"\" { address = { a, \"b c\" } }\nlisten b { }\n";
	struct buf why = { 0 }, first = { 0 }, second = { 0 };
	struct conf *c = parse(text, &why), *again = NULL;

	if (ok(c != NULL, "a file with every odd thing is read")) {
		conf_dump(c, CONF_WHOLE, &first);
		again = conf_parse(buf_str(&first), "dump", &why);
	}
	if (ok(again != NULL, "its dump is a file"))
		conf_dump(again, CONF_WHOLE, &second);
	ok(buf_len(&first) && str_eq(buf_str(&first), buf_str(&second)), "that says the same");
	buf_clear(&second);
	if (again)
		conf_diff(c, again, &second);
	ok(!buf_len(&second), "and does not differ");
	conf_unref(c);
	conf_unref(again);
	buf_free(&why);
	buf_free(&first);
	buf_free(&second);
}

static void test_limits(void)
{
	struct buf why = { 0 }, text = { 0 };
	struct conf *c;
	unsigned lines = 0;

	c = conf_read("/tmp", &why);
	ok(!c && str_eq(buf_str(&why), STR("/tmp: cannot be read: Is a directory\n")), "a directory is no file");
	buf_clear(&why);
	c = conf_read("/nowhere/x", &why);
	ok(!c && str_eq(buf_str(&why), STR("/nowhere/x: cannot be read: No such file or directory\n")),
		"what is missing is told");
	buf_clear(&why);
	ok(!conf_parse(STR("workers = 1\n\0x"), "n", &why) &&
			str_eq(buf_str(&why), STR("n:2: a NUL byte: this is not a text file\n")),
		"a NUL byte is refused");
	buf_clear(&why);
	for (int i = 0; i < 100; i++)
		buf_printf(&text, "workers = x%d\n", i);
	c = conf_parse(buf_str(&text), "n", &why);
	for (size_t i = 0; i < buf_len(&why); i++)
		lines += buf_data(&why)[i] == '\n';
	ok(!c && lines == CONF_ERRORS_MAX + 1, "%d errors are told, and that there may be more", CONF_ERRORS_MAX);
	buf_clear(&why);
	buf_clear(&text);
	memset(buf_room(&text, CONF_BYTES_MAX + 1), '\n', CONF_BYTES_MAX + 1);
	buf_added(&text, CONF_BYTES_MAX + 1);
	c = conf_parse(buf_str(&text), "n", &why);
	ok(!c && str_eq(buf_str(&why), STR("n:1: the configuration is larger than 16777216 bytes\n")),
		"a file of more than 16 MiB is refused");
	buf_clear(&why);
	c = conf_read("/dev/zero", &why);
	ok(!c && str_eq(buf_str(&why), STR("/dev/zero: cannot be read: File too large\n")), "and one without an end");
	buf_free(&why);
	buf_free(&text);
}

/* An error leaves libconfuse's lexer anywhere; the next file must not notice. */
static void test_after_errors(void)
{
	struct buf why = { 0 };
	struct conf *c;

	for (int i = 0; i < 20; i++)
		conf_unref(parse("include(\"bad\")\ninclude(\"none\")\n", &why));
	conf_unref(parse("imap { words = { \"a\" \n", &why));
	conf_unref(parse("directory = \"", &why));
	conf_unref(parse("listen x { } /*", &why));
	buf_clear(&why);
	c = parse("include(\"good\")\n", &why);
	ok(c && !buf_len(&why), "after many errors, in included files too, a good file is read");
	conf_unref(c);
	buf_free(&why);
}

int main(void)
{
	static const char *const names[] = { "good", "bad", "open", "check", "self" };
	char path[200];

	if (!mkdtemp(dir))
		return 1;
	put_file("good", "directory = \"/included\"\n");
	put_file("bad", "directory = \"x\"\nworkers = y\n");
	put_file("open", "imap {\n");
	put_file("check", "listen \"smtp\" {\n}\n");
	put_file("self", "include(\"self\")\n");
	snprintf(path, sizeof(path), "%s/sub", dir);
	mkdir(path, 0700);

	test_good();
	test_mistakes();
	test_round();
	test_limits();
	test_after_errors();

	rmdir(path);
	for (int i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
	return done();
}
