/* The syntax of SMTP: command lines, paths with parameters, and where a message ends. */
#include "core/buf.h"
#include "protocols/smtp/smtp_dot.h"
#include "protocols/smtp/smtp_header.h"
#include "protocols/smtp/smtp_parameter.h"
#include "protocols/smtp/smtp_watch.h"
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
	const char *what, *input;
	bool good;
	struct smtp_mail_parameters p;
} mails[] = {
	{ "nothing said", "FROM:<>", true, { .envid = { "", 0 } } },
	{ "size and body", "FROM:<> SIZE=7 BODY=8bitmime", true, { 7, BODY_8BITMIME, .envid = { "", 0 } } },
	{ "binary", "FROM:<> BODY=BINARYMIME", true, { .body = BODY_BINARYMIME, .envid = { "", 0 } } },
	{ "letters beyond ASCII", "FROM:<> smtputf8", true, { .utf8 = true, .envid = { "", 0 } } },
	{ "reports", "FROM:<> RET=FULL ENVID=a+2Bb", true, { .ret = RET_FULL, .envid = { "a+2Bb", 5 } } },
	{ "headers alone", "FROM:<> ENVID=x RET=hdrs", true, { .ret = RET_HDRS, .envid = { "x", 1 } } },
	{ "a size that is none", "FROM:<> SIZE=x", false, { 0 } },
	{ "a size beyond counting", "FROM:<> SIZE=18446744073709551616", false, { 0 } },
	{ "a body of another kind", "FROM:<> BODY=TEXT", false, { 0 } },
	{ "xtext that ends too early", "FROM:<> ENVID=a+2", false, { 0 } },
	{ "xtext in lower case", "FROM:<> ENVID=a+2b", false, { 0 } },
	{ "xtext that means a line end", "FROM:<> ENVID=+0A", false, { 0 } },
	{ "a byte beyond ASCII", "FROM:<> ENVID=\xc3\xa4", false, { 0 } },
	{ "the same twice", "FROM:<> RET=FULL RET=FULL", false, { 0 } },
	{ "what nobody knows", "FROM:<> X", false, { 0 } },
	{ "back unless delivered in an hour", "FROM:<> BY=3600;R", true,
		{ .by = BY_RETURN, .by_time = 3600, .envid = { "", 0 } } },
	{ "a word when it is late already", "FROM:<> BY=-10;nT", true,
		{ .by = BY_NOTIFY, .by_time = -10, .by_trace = true, .envid = { "", 0 } } },
	{ "back when it is late already", "FROM:<> BY=-10;R", false, { 0 } },
	{ "back at once", "FROM:<> BY=0;R", false, { 0 } },
	{ "ten digits of seconds", "FROM:<> BY=1000000000;N", false, { 0 } },
	{ "seconds without what then", "FROM:<> BY=10", false, { 0 } },
	{ "seconds and nothing", "FROM:<> BY=10;", false, { 0 } },
	{ "another thing then", "FROM:<> BY=10;X", false, { 0 } },
	{ "another trace", "FROM:<> BY=10;NX", false, { 0 } },
	{ "a trace and more", "FROM:<> BY=10;NTT", false, { 0 } },
	{ "no seconds", "FROM:<> BY=;N", false, { 0 } },
	{ "a sign alone", "FROM:<> BY=-;N", false, { 0 } },
	{ "held for a minute", "FROM:<> HOLDFOR=60", true, { .hold_for = 60, .envid = { "", 0 } } },
	{ "held until a time", "FROM:<> HOLDUNTIL=2004-02-29T23:59:60z", true,
		{ .hold_until = 1078099200, .envid = { "", 0 } } },
	{ "held for nothing", "FROM:<> HOLDFOR=0", false, { 0 } },
	{ "held for less", "FROM:<> HOLDFOR=-1", false, { 0 } },
	{ "held for both", "FROM:<> HOLDFOR=1 HOLDUNTIL=2004-02-29T23:59:60Z", false, { 0 } },
	{ "both the other way", "FROM:<> HOLDUNTIL=2004-02-29T23:59:60Z HOLDFOR=1", false, { 0 } },
	{ "a day that was not", "FROM:<> HOLDUNTIL=2003-02-29T23:59:60Z", false, { 0 } },
	{ "a month that is not", "FROM:<> HOLDUNTIL=2003-13-01T23:59:60Z", false, { 0 } },
	{ "a time elsewhere", "FROM:<> HOLDUNTIL=2003-12-01T23:59:00+01:00", false, { 0 } },
	{ "a time cut short", "FROM:<> HOLDUNTIL=2003-12-01T23:59:0", false, { 0 } },
	{ "urgent", "FROM:<> MT-PRIORITY=9", true, { .priority = 9, .envid = { "", 0 } } },
	{ "not at all so", "FROM:<> mt-priority=-9", true, { .priority = -9, .envid = { "", 0 } } },
	{ "more than urgent", "FROM:<> MT-PRIORITY=10", false, { 0 } },
};

static const struct {
	const char *what, *input;
	bool good, utf8;
	struct smtp_rcpt_parameters p;
} rcpts[] = {
	{ "nothing said", "TO:<a@b>", true, false, { 0, { "", 0 } } },
	{ "never", "TO:<a@b> NOTIFY=NEVER", true, false, { NOTIFY_NEVER, { "", 0 } } },
	{ "twice", "TO:<a@b> NOTIFY=DELAY,failure", true, false, { NOTIFY_DELAY | NOTIFY_FAILURE, { "", 0 } } },
	{ "never and at times", "TO:<a@b> NOTIFY=SUCCESS,NEVER", false, false, { 0 } },
	{ "an empty word", "TO:<a@b> NOTIFY=,SUCCESS", false, false, { 0 } },
	{ "as whom", "TO:<a@b> ORCPT=rfc822;c", true, false, { 0, { "rfc822;c", 8 } } },
	{ "as whom beyond ASCII", "TO:<a@b> ORCPT=utf-8;\xc3\xa4", true, true, { 0, { "utf-8;\xc3\xa4", 8 } } },
	{ "as whom, encoded", "TO:<a@b> ORCPT=utf-8;+C3+A4", true, false, { 0, { "utf-8;+C3+A4", 12 } } },
	{ "beyond ASCII without leave", "TO:<a@b> ORCPT=utf-8;\xc3\xa4", false, false, { 0 } },
	{ "beyond ASCII in another type", "TO:<a@b> ORCPT=rfc822;\xc3\xa4", false, true, { 0 } },
	{ "no UTF-8", "TO:<a@b> ORCPT=utf-8;\xff", false, true, { 0 } },
	{ "no UTF-8, encoded", "TO:<a@b> ORCPT=utf-8;+FF", false, true, { 0 } },
	{ "no type", "TO:<a@b> ORCPT=;c", false, false, { 0 } },
	{ "no address", "TO:<a@b> ORCPT=rfc822;", false, false, { 0 } },
	{ "no semicolon", "TO:<a@b> ORCPT=rfc822", false, false, { 0 } },
};

static void test_parameters(void)
{
	for (size_t i = 0; i < sizeof(mails) / sizeof(*mails); i++) {
		struct arena a = { 0 };
		struct smtp_path_line line;
		struct smtp_mail_parameters p, want = mails[i].p;
		bool parsed = !smtp_parse_path(str_of(mails[i].input), STR("FROM:"), ADDRESS_NULL, &a, &line);
		const char *wrong = parsed ? smtp_mail_parameters(&line, SMTP_MAY_HOLD | SMTP_MAY_URGE, &p) : "";

		ok(parsed && !wrong == mails[i].good &&
				(wrong || (p.size == want.size && p.body == want.body && p.utf8 == want.utf8 &&
						  p.ret == want.ret && str_eq(p.envid, want.envid) && p.by == want.by &&
						  p.by_time == want.by_time && p.by_trace == want.by_trace &&
						  p.hold_for == want.hold_for && p.hold_until == want.hold_until &&
						  p.priority == want.priority)),
			"MAIL: %s", mails[i].what);
		arena_free(&a);
	}
	for (size_t i = 0; i < sizeof(rcpts) / sizeof(*rcpts); i++) {
		struct arena a = { 0 };
		struct smtp_path_line line;
		struct smtp_rcpt_parameters p, want = rcpts[i].p;
		bool parsed = !smtp_parse_path(str_of(rcpts[i].input), STR("TO:"), 0, &a, &line);
		const char *wrong = parsed ? smtp_rcpt_parameters(&line, rcpts[i].utf8, &p) : "";

		ok(parsed && !wrong == rcpts[i].good &&
				(wrong || (p.notify == want.notify && str_eq(p.orcpt, want.orcpt))),
			"RCPT: %s", rcpts[i].what);
		arena_free(&a);
	}
}

/* Who may not say them is told that they are unknown. */
static void test_offers(void)
{
	static const char *const inputs[] = { "FROM:<> HOLDFOR=60", "FROM:<> HOLDUNTIL=2099-01-01T00:00:00Z",
		"FROM:<> MT-PRIORITY=1" };
	static const unsigned wanted[] = { SMTP_MAY_HOLD, SMTP_MAY_HOLD, SMTP_MAY_URGE };

	for (size_t i = 0; i < 3; i++) {
		struct arena a = { 0 };
		struct smtp_path_line line;
		struct smtp_mail_parameters p;
		bool parsed = !smtp_parse_path(str_of(inputs[i]), STR("FROM:"), ADDRESS_NULL, &a, &line), same = true;

		for (unsigned may = 0; parsed && may < 4; may++)
			same &= (may & wanted[i]) == !smtp_mail_parameters(&line, may, &p) * wanted[i];
		ok(parsed && same, "only who may: %s", inputs[i]);
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

static const struct {
	const char *what, *rest;
	bool good, last;
	uint64_t size;
} chunks[] = {
	{ "a chunk", "10", true, false, 10 },
	{ "the last one", "10 LAST", true, true, 10 },
	{ "in any case of letters, and spaces", "0   last", true, true, 0 },
	{ "as large as can be said", "18446744073709551615", true, false, UINT64_MAX },
	{ "larger", "18446744073709551616", false, false, 0 },
	{ "no size", "", false, false, 0 },
	{ "no size but last", "LAST", false, false, 0 },
	{ "another word", "10 FIRST", false, false, 0 },
	{ "a word more", "10 LAST LAST", false, false, 0 },
	{ "less than nothing", "-1", false, false, 0 },
};

static void test_chunks(void)
{
	for (size_t i = 0; i < sizeof(chunks) / sizeof(*chunks); i++) {
		uint64_t size;
		bool last, good = smtp_parse_chunk(str_of(chunks[i].rest), &size, &last);

		ok(good == chunks[i].good && (!good || (last == chunks[i].last && size == chunks[i].size)), "BDAT: %s",
			chunks[i].what);
	}
}

static const struct {
	const char *what, *message, *delivered; /* delivered: an address that it names; NULL: none */
	unsigned received;
	size_t longest;
} watched[] = {
	{ "nothing", "", NULL, 0, 0 },
	{ "servers are counted", "Received: a\r\nreceived : b\r\n c\r\nX: d\r\n\r\n", NULL, 2, 12 },
	{ "in the header alone", "A: b\r\n\r\nReceived: a\r\nDelivered-To: b\r\n", NULL, 0, 15 },
	{ "by their whole name", "Received-SPF: a\r\nReceive: b\r\nX-Received: c\r\n", NULL, 0, 15 },
	{ "a delivery is found", "Delivered-To: a@b\r\ndelivered-to:\tC@D \r\n\r\n", "c@d", 0, 18 },
	{ "CR and LF alone end lines too", "Received: a\rReceived: b\nReceived: c\n\rReceived: d\r", NULL, 3, 11 },
	{ "a line that does not end is as long as it is", "A: b\r\n0123456789", NULL, 0, 10 },
};

static const struct {
	const char *what, *message, *header, *body;
	bool mend;
} headers[] = {
	{ "a header ends at a blank line", "A: b\r\n\r\nC: d\r\n", "A: b\r\n\r\n", "C: d\r\n", false },
	{ "it may be empty", "\r\nbody", "\r\n", "body", false },
	{ "or all there is", "A: b\r\n", "A: b\r\n", "", false },
	{ "a blank line after LF is one", "A: b\n\nC", "A: b\n\n", "C", false },
	{ "one of a CR alone is none", "A: b\r\n\r\r\nC", "A: b\r\n\r\r\nC", "", false },
	{ "a CR alone ends nothing", "A: b\r\rC: d\r\n\r\n\r\n", "A: b\r\rC: d\r\n\r\n", "\r\n", false },
	{ "mended, it does", "A: b\rC: d\n\rE", "A: b\r\nC: d\r\n\r\n", "E", true },
	{ "CRLF is one end, mended or not", "A: b\r\n\r\n\r\nC", "A: b\r\n\r\n", "\r\nC", true },
	{ "two CR are two", "A: b\r\rC", "A: b\r\n\r\n", "C", true },
	{ "and an LF behind them is of the second", "A: b\r\r\n\nC", "A: b\r\n\r\n", "\nC", true },
};

static bool header_gives(size_t row, size_t step)
{
	struct str in = str_of(headers[row].message);
	struct smtp_header h = { .mend = headers[row].mend };
	struct buf body = { 0 };
	bool same;

	for (size_t at = 0; at < in.len; at += step) {
		struct str piece = str_cut(in, at, in.len - at < step ? in.len : at + step);
		size_t used = smtp_header_feed(&h, piece, 1000);

		buf_add_str(&body, str_cut(piece, used, piece.len));
	}
	same = str_eq(buf_str(&h.bytes), str_of(headers[row].header)) &&
	       str_eq(buf_str(&body), str_of(headers[row].body));
	buf_free(&h.bytes);
	buf_free(&body);
	return same;
}

static void test_headers(void)
{
	struct smtp_header h = { 0 };

	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		bool same = true;

		for (size_t step = 1; step <= strlen(headers[i].message); step++)
			same &= header_gives(i, step);
		ok(same, "held: %s, however it is cut", headers[i].what);
	}
	ok(smtp_header_feed(&h, STR("0123456789"), 4) == 5 && buf_len(&h.bytes) == 5,
		"held: no more than may be, and one");
	buf_free(&h.bytes);
}

static const struct {
	const char *what, *message;
	bool header, any;
} letters[] = {
	{ "ASCII", "A: b\r\n\r\n0123456789012345\r\n", false, false },
	{ "in the header", "A: \xc3\xa4\r\n\r\nbody", true, true },
	{ "in the body", "A: b\r\n\r\n0123456789\xff", false, true },
	{ "in the body at once", "\r\n\x80", false, true },
	{ "in the header's last byte", "A: 0123456789012345678901\x80", true, true },
};

static void test_letters(void)
{
	for (size_t i = 0; i < sizeof(letters) / sizeof(*letters); i++) {
		struct str in = str_of(letters[i].message);
		bool same = true;

		for (size_t step = 1; step <= in.len; step++) {
			struct smtp_watch w = { 0 };

			for (size_t at = 0; at < in.len; at += step)
				smtp_watch_feed(&w, str_cut(in, at, in.len - at < step ? in.len : at + step));
			same &= w.beyond_ascii == letters[i].any && w.header_beyond_ascii == letters[i].header;
			smtp_watch_free(&w);
		}
		ok(same, "beyond ASCII: %s", letters[i].what);
	}
}

static bool watch_gives(size_t row, size_t step)
{
	struct str in = str_of(watched[row].message);
	struct smtp_watch w = { 0 };
	bool same;

	for (size_t at = 0; at < in.len; at += step)
		smtp_watch_feed(&w, str_cut(in, at, in.len - at < step ? in.len : at + step));
	same = w.received == watched[row].received && w.longest == watched[row].longest;
	if (watched[row].delivered)
		same &= smtp_watch_delivered(&w, str_of(watched[row].delivered));
	same &= !smtp_watch_delivered(&w, STR("b"));
	smtp_watch_free(&w);
	return same;
}

static void test_watch(void)
{
	struct smtp_watch w = { 0 };

	for (size_t i = 0; i < sizeof(watched) / sizeof(*watched); i++) {
		bool same = true;

		for (size_t step = 1; step <= strlen(watched[i].message); step++)
			same &= watch_gives(i, step);
		ok(same, "watched: %s, however it is cut", watched[i].what);
	}
	for (unsigned i = 0; i < SMTP_WATCH_DELIVERED; i++)
		smtp_watch_feed(&w, STR("Delivered-To: a@b\r\n"));
	ok(!smtp_watch_delivered(&w, STR("c@d")), "many deliveries are looked at");
	smtp_watch_feed(&w, STR("Delivered-To: c@d\r\n"));
	ok(!smtp_watch_delivered(&w, STR("c@d")) && smtp_watch_delivered(&w, STR("a@b")), "but not any number");
	smtp_watch_free(&w);
}

int main(void)
{
	test_lines();
	test_paths();
	test_parameters();
	test_offers();
	test_dots();
	test_chunks();
	test_watch();
	test_letters();
	test_headers();
	return done();
}
