/* The syntax of SMTP: command lines, paths with parameters, and where a message ends. */
#include "core/buf.h"
#include "protocols/smtp/smtp_dot.h"
#include "protocols/smtp/smtp_parse.h"
#include "t/tap.h"

static const struct {
	const char *what, *input;
	ptrdiff_t used;
	const char *verb, *rest;
} lines[] = {
	{ "a line ends in CRLF", "NOOP\r\n", 6, "NOOP", "" },
	{ "what follows the verb is its own", "MAIL FROM:<a@b.test> \r\nX", 23, "MAIL", "FROM:<a@b.test>" },
	{ "without its end more must come", "NOOP", 0, "", "" },
	{ "a CR is no end yet", "NOOP\r", 0, "", "" },
	{ "a bare LF can never become right", "NOOP\n", -1, "", "" },
	{ "a CR within a line neither", "NO\rOP\r\n", -1, "", "" },
	{ "an empty line is a line", "\r\n", 2, "", "" },
};

static void test_lines(void)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct smtp_line line = { STR_NONE, STR_NONE };
		size_t size;
		ptrdiff_t used = smtp_parse_line(str_of(lines[i].input), &line, &size);

		ok(used == lines[i].used, "%s", lines[i].what);
		if (used > 0)
			ok(str_eq(line.verb, str_of(lines[i].verb)) && str_eq(line.rest, str_of(lines[i].rest)),
				"%s: verb and rest", lines[i].what);
	}
}

static const struct {
	const char *what, *input;
	enum err e;
	const char *local;
	size_t parameters;
} paths[] = {
	{ "a path", "FROM:<a@b.test>", OK, "a", 0 },
	{ "lower case, and a space where many put one", "from: <a@b.test>", OK, "a", 0 },
	{ "parameters", "FROM:<a@b.test> SIZE=10 BODY=8BITMIME", OK, "a", 2 },
	{ "the null path", "FROM:<>", OK, "", 0 },
	{ "a parameter without a value after its =", "FROM:<a@b.test> SIZE=", ERR_MISTAKE, "", 0 },
	{ "a parameter that sticks to the path", "FROM:<a@b.test>SIZE=1", ERR_MISTAKE, "", 0 },
	{ "as many as may be", "FROM:<> A B C D E F G H I J", OK, "", SMTP_PARAMETERS_MAX },
	{ "one more", "FROM:<> A B C D E F G H I J K", ERR_MISTAKE, "", 0 },
	{ "a name that is none", "FROM:<> -A", ERR_MISTAKE, "", 0 },
	{ "a value with an = in it", "FROM:<> A=B=C", ERR_MISTAKE, "", 0 },
	{ "no angle brackets", "FROM:a@b.test", ERR_MISTAKE, "", 0 },
	{ "the other word", "TO:<a@b.test>", ERR_MISTAKE, "", 0 },
};

static void test_paths(void)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct arena a = { 0 };
		struct smtp_path_line line;
		enum err e = smtp_parse_path(str_of(paths[i].input), STR("FROM:"), ADDRESS_NULL, &a, &line);

		ok(e == paths[i].e && (e || (str_eq(line.path.local, str_of(paths[i].local)) &&
						    line.count == paths[i].parameters)),
			"%s", paths[i].what);
		arena_free(&a);
	}
}

static const struct {
	const char *what, *input, *text;
	ptrdiff_t end; /* bytes used when the end was found; -1: it was not */
} dots[] = {
	{ "a message ends at a dot alone", "a\r\n.\r\nQUIT", "a\r\n", 6 },
	{ "an empty one too", ".\r\n", "", 3 },
	{ "a dot in front of a line is one too many", "..a\r\n.b\r\n.\r\n", ".a\r\nb\r\n", 12 },
	{ "LF.CRLF is no end", "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", 11 },
	{ "CRLF.LF is no end", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", 11 },
	{ "LF.LF is no end", "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", 10 },
	{ "CR.CR is no end", "a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", 10 },
	{ "CRLF.CR is no end yet", "a\r\n.\rb\r\n", "a\r\n\rb\r\n", -1 },
	{ "CRLF.CRCRLF is no end", "a\r\n.\r\r\nb\r\n", "a\r\n\r\r\nb\r\n", -1 },
	{ "nor a dot with something behind it", "a\r\n.b\r\n", "a\r\nb\r\n", -1 },
};

static void add_text(void *user, struct str piece)
{
	buf_add_str(user, piece);
}

/* Fed in pieces of `step` bytes. */
static bool dot_gives(struct str in, size_t step, struct str text, ptrdiff_t end)
{
	struct smtp_dot d = { 0 };
	struct buf out = { 0 };
	size_t used = 0;
	bool same;

	while (used < in.len && d.state != DOT_END) {
		struct str piece = str_cut(in, used, used + step < in.len ? used + step : in.len);

		used += smtp_dot_feed(&d, piece, add_text, &out);
	}
	same = str_eq(buf_str(&out), text) && (d.state == DOT_END) == (end >= 0) && (end < 0 || used == (size_t)end);
	buf_free(&out);
	return same;
}

static void test_dots(void)
{
	for (size_t i = 0; i < sizeof(dots) / sizeof(*dots); i++) {
		struct str in = str_of(dots[i].input), text = str_of(dots[i].text);
		bool same = true;

		for (size_t step = 1; step <= in.len; step++)
			same &= dot_gives(in, step, text, dots[i].end);
		ok(same, "%s, however it is cut", dots[i].what);
	}
}

int main(void)
{
	test_lines();
	test_paths();
	test_dots();
	return done();
}
