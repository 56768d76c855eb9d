/* Lines of the log as `postern trace` reads them, and the sentences it makes of them. */
#include "protocols/cli/trace_log.h"
#include "protocols/cli/trace_words.h"
#include "t/scratch.h"
#include "t/tap.h"
#include <fcntl.h>
#include <unistd.h>

#define TIME "2026-11-23T05:40:43.123Z "

static const struct {
	const char *what, *line, *event, *fields; /* fields: key{value} for each; NULL: it is no line of ours */
} lines[] = {
	{ "words, then fields", TIME "info smtp 1-2f recipient refused to=<a@b.test> peer=192.0.2.1",
		"recipient refused", "to{a@b.test}peer{192.0.2.1}" },
	{ "a line may have no field", TIME "info core - server is ready", "server is ready", "" },
	{ "or no words", TIME "info core - a=b", "", "a{b}" },
	{ "words in quotes may hold blanks, and quotes behind a backslash",
		TIME "info smtp - x reply=\"450 \\\"a=b\\\" queue=q0-1 \\\\\" next=1", "x",
		"reply{450 \"a=b\" queue=q0-1 \\}next{1}" },
	{ "without one they end", TIME "info smtp - x reply=\"450 \"a=b c=d", "x", "reply{450 }c{d}" },
	{ "and need not end", TIME "info smtp - x reply=\"450 cut", "x", "reply{450 cut}" },
	{ "an address may hold its end behind a backslash", TIME "info smtp - x to=<\"a b\\>c\"@d.test> y=z", "x",
		"to{\"a b>c\"@d.test}y{z}" },
	{ "and what looks like fields",
		TIME "info smtp - x from=<\"a\\> to=<b@c.test\\> \\\\\"\\> u=1\"@d.test> to=<x@y.test>", "x",
		"from{\"a> to=<b@c.test> \\\"> u=1\"@d.test}to{x@y.test}" },
	{ "its end may be cut off", TIME "info smtp - x from=<\"a\\> to=<b@c.test\\>", "x",
		"from{\"a> to=<b@c.test>}" },
	{ "so may the half of it", TIME "info smtp - x from=<a\\", "x", "from{a\\}" },
	{ "an empty one is nobody", TIME "info smtp - x from=<> y=", "x", "from{}y{}" },
	{ "what is no field is passed over", TIME "info smtp - x a=b and more c=d 1=2 =3", "x", "a{b}c{d}" },
	{ "no field begins within a word", TIME "info smtp - x 3=4 u.a=b", "x 3=4 u.a=b", "" },
	{ "other programs' lines are none", "==1==ERROR: AddressSanitizer: heap-use-after-free", NULL, NULL },
	{ "nor is an empty one", "", NULL, NULL },
	{ "nor one that was cut", TIME "info smtp", NULL, NULL },
};

static void test_lines(void)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct buf fields = { 0 };
		struct log_line l;
		struct str key, value;
		bool is = log_line_read(str_of(lines[i].line), &l);

		while (is && log_field_next(&l.fields, &key, &value)) {
			buf_printf(&fields, STR_FMT "{", STR_ARG(key));
			log_value(value, &fields);
			buf_add_char(&fields, '}');
		}
		ok(is == (lines[i].event != NULL) &&
				(!is || (str_eq(l.event, str_of(lines[i].event)) &&
						str_eq(buf_str(&fields), str_of(lines[i].fields)))),
			"%s", lines[i].what);
		buf_free(&fields);
	}
}

static const struct {
	const char *line, *words;
} sentences[] = {
	{ "info smtp 1-2f.1 queued from=<a@b.test> to=<x@y.test> as=<z@y.test> queue=q0-1 size=96 peer=192.0.2.1",
		"taken from a@b.test for x@y.test, that is z@y.test, 96 bytes: waits as q0-1" },
	{ "info smtp 1-2f.1 delivered from=<> to=<x@y.test> uid=17 size=96 peer=192.0.2.1",
		"taken from <> for x@y.test, 96 bytes: in the INBOX as message 17" },
	{ "info sending q0-1 deferred to=<x@y.test> tries=2 next_s=0 status=4.2.0 reply=\"450 4.2.0 later\"",
		"not delivered to x@y.test yet, try 2, next at 1970-01-01T00:00:00Z: 450 4.2.0 later" },
	{ "info sending q0-1 relayed to=<x@y.test> remote=\"mx [192.0.2.9]\" reply=\"250 ok\"",
		"handed on for x@y.test to mx [192.0.2.9]: 250 ok" },
	{ "info sending q0-1 whatever is=new", "whatever is=new" },
	{ "info other - queued to=<a@b.test>", "queued to=<a@b.test>" },
};

static void test_words(void)
{
	for (size_t i = 0; i < sizeof(sentences) / sizeof(*sentences); i++) {
		struct buf line = { 0 }, words = { 0 };
		struct log_line l;

		buf_printf(&line, TIME "%s", sentences[i].line);
		ok(log_line_read(buf_str(&line), &l), "a line: %s", sentences[i].line);
		trace_words(&l, &words);
		if (!ok(str_eq(buf_str(&words), str_of(sentences[i].words)), "reads: %s", sentences[i].words))
			printf("# " STR_FMT "\n", STR_ARG(buf_str(&words)));
		buf_free(&line);
		buf_free(&words);
	}
}

/* --- files ----------------------------------------------------------------------------------------------------------- */

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(name);
	close(fd);
}

static void take_id(void *user, const struct log_line *l)
{
	buf_printf(user, STR_FMT " ", STR_ARG(l->id));
}

static void take_count(void *user, const struct log_line *l)
{
	*(unsigned *)user += str_eq(l->event, STR("long"));
}

static bool ids_are(const struct trace_log *t, const char *ids)
{
	struct buf got = { 0 };
	bool are;

	trace_log_each(t, take_id, &got);
	are = str_eq(buf_str(&got), str_of(ids));
	if (!are)
		printf("# " STR_FMT "\n", STR_ARG(buf_str(&got)));
	buf_free(&got);
	return are;
}

static void test_files(void)
{
	struct trace_log *t = NULL;
	struct buf why = { 0 }, large = { 0 };
	unsigned count = 0;

	ok(trace_log_open(&t, "none", &why) == ERR_ABSENT && !t && buf_len(&why), "a log that is not there");
	write_file("log.2", TIME "info a 1 x\n");
	write_file("log.1", TIME "info a 2 x\nnonsense\n" TIME "info a 3 x\n");
	write_file("log", TIME "info a 4 x\n2026-11-23T06:00:00.000Z info a 5 x\n" TIME "info a 6 has no end");
	write_file("log.4", TIME "info a 0 x\n");
	ok(trace_log_open(&t, "log", &why) == OK && ids_are(t, "1 2 3 4 5 "),
		"its earlier parts come first, what is no line or has no end not at all");
	ok(str_eq(trace_log_end(t), STR("2026-11-23T06:00:00.000Z")), "when it ends");
	rename("log", "log.1");
	write_file("log", TIME "info a 7 x\n");
	ok(ids_are(t, "1 2 3 4 5 "), "what happens to the files meanwhile changes nothing");
	trace_log_free(t);
	for (unsigned i = 0; i < 40000; i++)
		buf_printf(&large, TIME "info a %u long n=%0100u\n", i, i);
	for (unsigned i = 0; i < 100000; i++)
		buf_printf(&large, "x");
	buf_printf(&large, "\n" TIME "info a last long\n%c", 0);
	write_file("log", buf_data(&large));
	ok(trace_log_open(&t, "log", &why) == OK, "a log of many pieces");
	trace_log_each(t, take_count, &count);
	ok(count == 40001, "has every line, also behind one without measure");
	trace_log_free(t);
	buf_free(&large);
	buf_free(&why);
}

int main(void)
{
	int directory;

	test_lines();
	test_words();
	directory = scratch_open();
	if (directory < 0 || fchdir(directory))
		return 1;
	test_files();
	scratch_close(directory);
	return done();
}
