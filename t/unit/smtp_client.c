/* SMTP as a client, as far as it works on bytes alone: replies, what is offered, MAIL and RCPT, content, SCRAM. */
#include "protocols/smtp_client/command.h"
#include "protocols/smtp_client/extensions.h"
#include "protocols/smtp_client/scram_client.h"
#include "protocols/smtp_client/wire.h"
#include "t/tap.h"
#include <stdlib.h>

static bool is(struct buf *got, const char *wanted)
{
	bool same = str_eq(buf_str(got), str_of(wanted));

	if (!same)
		printf("# got \"" STR_FMT "\"\n", STR_ARG(buf_str(got)));
	buf_clear(got);
	return same;
}

/* --- replies --------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *what, *in;
	ptrdiff_t used;
	const char *status;
} replies[] = {
	{ "one line", "250 ok\r\n", 8, "" },
	{ "more behind it is left", "250 ok\r\n354 go\r\n", 8, "" },
	{ "a code alone", "250\r\n", 5, "" },
	{ "a code and a space", "250 \r\n", 6, "" },
	{ "several lines", "250-a\r\n250-b\r\n250 c\r\n", 21, "" },
	{ "an empty line among them", "250-\r\n250 c\r\n", 13, "" },
	{ "LF alone ends a line", "250-a\n250 c\n", 12, "" },
	{ "a line that is not whole", "250 ok\r", 0, "" },
	{ "lines that are not all there", "250-a\r\n250-b\r\n", 0, "" },
	{ "nothing", "", 0, "" },
	{ "an empty line", "\r\n", -1, "" },
	{ "no digits", "ok\r\n", -1, "" },
	{ "two digits", "25 ok\r\n", -1, "" },
	{ "four digits", "2500 ok\r\n", -1, "" },
	{ "1yz", "150 go\r\n", -1, "" },
	{ "6yz", "650 go\r\n", -1, "" },
	{ "another code in a later line", "250-a\r\n550 b\r\n", -1, "" },
	{ "no space behind the code", "250+ok\r\n", -1, "" },
	{ "a status", "550 5.1.1 who?\r\n", 16, "5.1.1" },
	{ "a long one", "550 5.123.456 who?\r\n", 20, "5.123.456" },
	{ "a status and no more", "450 4.2.1\r\n", 11, "4.2.1" },
	{ "of the first line", "550-5.7.1 no\r\n550 5.1.1 who?\r\n", 30, "5.7.1" },
	{ "of another class than the code", "550 2.1.5 who?\r\n", 16, "" },
	{ "too many digits", "550 5.1234.1 who?\r\n", 19, "" },
	{ "no detail", "550 5.1. who?\r\n", 15, "" },
	{ "a word behind it", "550 5.1.1who?\r\n", 15, "" },
	{ "an address", "550 5.1.1.1 is listed\r\n", 23, "" },
};

/* What reply_parse says of the bytes as they come one by one. */
static ptrdiff_t bytewise(struct str in)
{
	struct reply r;
	ptrdiff_t used = 0;

	for (size_t len = 0; len <= in.len && !used; len++)
		used = reply_parse(str_cut(in, 0, len), &r);
	return used;
}

static void test_replies(void)
{
	for (size_t i = 0; i < sizeof(replies) / sizeof(*replies); i++) {
		struct str in = str_of(replies[i].in);
		struct reply r;
		ptrdiff_t used = reply_parse(in, &r);

		ok(used == replies[i].used && bytewise(in) == used &&
				(used <= 0 || str_eq(r.status, str_of(replies[i].status))),
			"reply: %s", replies[i].what);
	}
}

static void test_reply_limits(void)
{
	struct buf in = { 0 }, words = { 0 };
	struct reply r;

	for (unsigned i = 1; i < REPLY_LINES_MAX; i++)
		buf_add_str(&in, STR("250-line of words\r\n"));
	buf_add_str(&in, STR("250 "));
	ok(reply_parse(buf_str(&in), &r) == 0, "as many lines as may be");
	buf_add_str(&in, STR("end\r\n"));
	ok(reply_parse(buf_str(&in), &r) == (ptrdiff_t)buf_len(&in), "are a reply");
	reply_words(&r, &words);
	ok(buf_len(&words) == REPLY_WORDS_MAX &&
			str_starts(buf_str(&words), STR("250-line of words\n250-line of words\n")),
		"of which no more is kept than may be");
	buf_cut(&in, 0);
	for (unsigned i = 0; i < REPLY_LINES_MAX; i++)
		buf_add_str(&in, STR("250-line\r\n"));
	buf_add_str(&in, STR("250 end\r\n"));
	ok(reply_parse(buf_str(&in), &r) < 0, "one more are none");
	buf_cut(&in, 0);
	buf_add_str(&in, STR("250 "));
	memset(buf_room(&in, REPLY_LINE_MAX), 'x', REPLY_LINE_MAX);
	buf_added(&in, REPLY_LINE_MAX - 6);
	ok(!reply_parse(buf_str(&in), &r), "a line may be long");
	buf_add_str(&in, STR("\r\n"));
	ok(reply_parse(buf_str(&in), &r) == REPLY_LINE_MAX, "so long");
	buf_cut(&in, REPLY_LINE_MAX - 2);
	buf_add_str(&in, STR("xx"));
	ok(reply_parse(buf_str(&in), &r) < 0, "and no longer, whether it ends or not");
	buf_cut(&in, 0);
	for (unsigned i = 0; i < 20; i++) {
		buf_add_str(&in, STR("250-"));
		memset(buf_room(&in, 1900), 'x', 1900);
		buf_added(&in, 1900);
		buf_add_str(&in, STR("\r\n"));
	}
	ok(reply_parse(buf_str(&in), &r) < 0, "all of it may not be longer than %d", REPLY_MAX);
	buf_clear(&words);
	ok(reply_parse(STR("550-a\tb\0c\x7f\r\n550 \xc3\xa9\rd\r\n"), &r) > 0, "control characters in a reply");
	reply_words(&r, &words);
	ok(is(&words, "550-a?b?c?\n550 \xc3\xa9?d"), "are not told on");
	buf_free(&in);
	buf_free(&words);
}

static struct extensions offers(const char *text)
{
	struct extensions e;
	struct reply r;

	if (reply_parse(str_of(text), &r) <= 0)
		abort();
	extensions_read(&r, &e);
	return e;
}

static void test_extensions(void)
{
	struct extensions e = offers(
		"250-sink.test PIPELINING\r\n250-size 1000\r\n250-Pipelining\r\n250-DELIVERBY 240\r\n"
		"250-AUTH LOGIN plain SCRAM-SHA-256 GSSAPI\r\n250-X-SMTPUTF8\r\n250-MT-PRIORITY MIXER\r\n"
		"250 DSN\r\n");

	ok(e.offers == (OFFERS_SIZE | OFFERS_PIPELINING | OFFERS_DELIVERBY | OFFERS_PRIORITY | OFFERS_DSN),
		"words are extensions in any case of letters, behind the first line");
	ok(e.size_max == 1000 && e.by_least_s == 240, "with their values");
	ok(e.mechanisms == (OFFERS_PLAIN | OFFERS_LOGIN | OFFERS_SCRAM_SHA_256), "and mechanisms");
	e = offers("250-x\r\n250-SIZE\r\n250-AUTH=PLAIN LOGIN\r\n250 SIZE 99999999999999999999\r\n");
	ok(e.offers == OFFERS_SIZE && !e.size_max, "a size without or beyond a number is none");
	ok(e.mechanisms == (OFFERS_PLAIN | OFFERS_LOGIN), "AUTH= of old is AUTH");
	e = offers("250 PIPELINING\r\n");
	ok(!e.offers, "the name of the host is no extension");
	e = offers("250-x\r\n250 SMTPUTF8\r\n");
	ok(e.offers == (OFFERS_SMTPUTF8 | OFFERS_8BITMIME), "who speaks SMTPUTF8 takes 8 bits");
}

/* --- commands -------------------------------------------------------------------------------------------------------- */

static void test_mail(void)
{
	struct extensions all = { .offers = ~0u }, none = { 0 };
	struct queue_envelope e = {
		.sender = STR("a@b.test"), .ret = RET_HDRS, .envid = STR("id+2B1"), .priority = -3
	};
	struct command_terms t = { .size = 77, .eight_bit = true, .utf8 = true, .now_s = 1000 };
	struct buf out = { 0 };

	command_mail(&all, &e, &t, &out);
	ok(is(&out, "MAIL FROM:<a@b.test> SIZE=77 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id+2B1 MT-PRIORITY=-3\r\n"),
		"MAIL with all that the other side knows");
	t.utf8 = false;
	command_mail(&none, &e, &t, &out);
	ok(is(&out, "MAIL FROM:<a@b.test>\r\n"), "and without what it does not know");
	e = (struct queue_envelope){ .by = BY_RETURN, .by_s = 1120, .ret = RET_FULL };
	t = (struct command_terms){ .now_s = 1000 };
	command_mail(&all, &e, &t, &out);
	ok(is(&out, "MAIL FROM:<> RET=FULL BY=120;R\r\n"), "the time that is left (RFC 2852, 4)");
	e = (struct queue_envelope){ .by = BY_NOTIFY, .by_s = 990, .by_trace = true };
	command_mail(&all, &e, &t, &out);
	ok(is(&out, "MAIL FROM:<> BY=-10;NT\r\n"), "may be over in mode N");
	buf_free(&out);
}

static const struct {
	const char *what;
	struct queue_recipient rcpt;
	bool utf8;
	const char *out; /* behind RCPT TO:<x@y.test> */
} rcpts[] = {
	{ "the address is the original one", { .address = STR("x@y.test") }, false, " ORCPT=rfc822;x@y.test" },
	{ "or the one that the sender named", { .address = STR("x@y.test"), .original = STR("List@b.test") }, false,
		" ORCPT=rfc822;List@b.test" },
	{ "or what he said of it",
		{ .address = STR("x@y.test"), .original = STR("l@b.test"), .orcpt = STR("rfc822;a+2Bb@c.test") }, false,
		" ORCPT=rfc822;a+2Bb@c.test" },
	{ "in xtext", { .address = STR("x@y.test"), .original = STR("\"a b\"+=@c.test") }, false,
		" ORCPT=rfc822;\"a+20b\"+2B+3D@c.test" },
	{ "when to notify", { .address = STR("x@y.test"), .notify = NOTIFY_SUCCESS | NOTIFY_DELAY }, false,
		" NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@y.test" },
	{ "never", { .address = STR("x@y.test"), .notify = NOTIFY_NEVER }, false,
		" NOTIFY=NEVER ORCPT=rfc822;x@y.test" },
	{ "letters beyond ASCII, where they are spoken",
		{ .address = STR("x@y.test"), .original = STR("\xc3\xa9+\\@c.test") }, true,
		" ORCPT=utf-8;\xc3\xa9\\x{2B}\\x{5C}@c.test" },
	{ "and where not", { .address = STR("x@y.test"), .original = STR("\xc3\xa9\xf0\x9f\x98\x80@c.test") }, false,
		" ORCPT=utf-8;\\x{E9}\\x{1F600}@c.test" },
	{ "the same of what came so", { .address = STR("x@y.test"), .orcpt = STR("utf-8;\xc3\xa9\\x{2B}@c.test") },
		false, " ORCPT=utf-8;\\x{E9}\\x{2B}@c.test" },
};

static const struct {
	unsigned notify;
	const char *out;
} untimed[] = {
	{ 0, "FAILURE,DELAY" },
	{ NOTIFY_SUCCESS, "SUCCESS,DELAY" },
	{ NOTIFY_FAILURE | NOTIFY_DELAY, "FAILURE,DELAY" },
	{ NOTIFY_NEVER, "NEVER" },
};

static void test_rcpt(void)
{
	struct extensions dsn = { .offers = OFFERS_DSN }, none = { 0 };
	struct command_terms terms = { 0 };
	struct queue_recipient long_one = { .address = STR("x@y.test") };
	struct buf out = { 0 }, wanted = { 0 };
	char text[COMMAND_ORCPT_MAX];

	for (size_t i = 0; i < sizeof(rcpts) / sizeof(*rcpts); i++) {
		terms.utf8 = rcpts[i].utf8;
		command_rcpt(&dsn, &rcpts[i].rcpt, &terms, &out);
		buf_clear(&wanted);
		buf_printf(&wanted, "RCPT TO:<x@y.test>%s\r\n", rcpts[i].out);
		buf_add_char(&wanted, '\0');
		ok(is(&out, buf_data(&wanted)), "RCPT: %s", rcpts[i].what);
	}
	command_rcpt(&none, &rcpts[4].rcpt, &terms, &out);
	ok(is(&out, "RCPT TO:<x@y.test>\r\n"), "nothing of it where DSN is not known");
	terms.untimed = true;
	for (size_t i = 0; i < sizeof(untimed) / sizeof(*untimed); i++) {
		command_rcpt(&dsn, &(struct queue_recipient){ .address = STR("x@y.test"), .notify = untimed[i].notify },
			&terms, &out);
		buf_clear(&wanted);
		buf_printf(&wanted, "RCPT TO:<x@y.test> NOTIFY=%s ORCPT=rfc822;x@y.test\r\n", untimed[i].out);
		buf_add_char(&wanted, '\0');
		ok(is(&out, buf_data(&wanted)), "by-mode N, where the time is not minded (RFC 2852, 4.1.4.2): %s",
			untimed[i].out);
	}
	terms.untimed = false;
	memset(text, '+', sizeof(text));
	long_one.original = (struct str){ text, sizeof(text) };
	command_rcpt(&dsn, &long_one, &terms, &out);
	ok(is(&out, "RCPT TO:<x@y.test>\r\n"), "an original recipient too long for ORCPT is not told");
	buf_free(&out);
	buf_free(&wanted);
}

/* --- content --------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *what, *in, *dotted, *chunk;
} contents[] = {
	{ "nothing", "", ".\r\n", "" },
	{ "lines", "a\r\nb\r\n", "a\r\nb\r\n.\r\n", "a\r\nb\r\n" },
	{ "a last line without end", "a", "a\r\n.\r\n", "a\r\n" },
	{ "dots", ".\r\n..\r\n.a\r\nb.\r\n", "..\r\n...\r\n..a\r\nb.\r\n.\r\n", ".\r\n..\r\n.a\r\nb.\r\n" },
	{ "LF alone", "a\n.\nb\n", "a\r\n..\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n" },
	{ "CR alone", "a\r.\rb", "a\r\n..\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n" },
	{ "LF CR", "a\n\r.\r\n", "a\r\n\r\n..\r\n.\r\n", "a\r\n\r\n.\r\n" },
	{ "CR CR LF", "a\r\r\n.", "a\r\n\r\n..\r\n.\r\n", "a\r\n\r\n.\r\n" },
	{ "a CR at the end", "a\r", "a\r\n.\r\n", "a\r\n" },
	{ "blank lines", "\r\n\r\n", "\r\n\r\n.\r\n", "\r\n\r\n" },
};

static struct str written(struct str in, bool stuff, size_t step, struct buf *out)
{
	struct wire w = { .stuff = stuff };

	buf_clear(out);
	for (size_t at = 0; at < in.len; at += step)
		wire_feed(&w, str_cut(in, at, at + step < in.len ? at + step : in.len), out);
	wire_end(&w, out);
	return buf_str(out);
}

static void test_wire(void)
{
	struct buf out = { 0 };

	for (size_t i = 0; i < sizeof(contents) / sizeof(*contents); i++) {
		struct str in = str_of(contents[i].in);
		bool good = true;

		for (size_t step = 1; step <= 10; step++)
			good = good && str_eq(written(in, true, step, &out), str_of(contents[i].dotted)) &&
			       str_eq(written(in, false, step, &out), str_of(contents[i].chunk));
		ok(good, "content: %s, cut anywhere", contents[i].what);
	}
	buf_free(&out);
}

/* --- SCRAM ------------------------------------------------------------------------------------------------------------ */

#define NONCE  "rOprNGfwEbeRWgbNEkqO"
#define THEIRS "r=" NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define FIRST  THEIRS ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define LAST   "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static void test_scram(void)
{
	struct scram_client c = { 0 };
	struct buf out = { 0 };

	scram_client_begin(&c, STR("user"), STR(NONCE), &out);
	ok(is(&out, "n,,n=user,r=" NONCE), "SCRAM: the exchange of RFC 7677, 3 begins");
	ok(scram_client_challenged(&c, STR(FIRST)), "its challenge is one");
	scram_client_salt(&c, STR("pencil"));
	scram_client_prove(&c, &out);
	ok(is(&out, "c=biws," THEIRS ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), "the proof is right");
	ok(scram_client_proven(&c, STR(LAST)), "and so is the server's");
	ok(!scram_client_proven(&c, STR("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")) &&
			!scram_client_proven(&c, STR("v=6rri")) && !scram_client_proven(&c, STR("e=other-error")) &&
			!scram_client_proven(&c, STR("")),
		"another is not");
	scram_client_free(&c);
	scram_client_begin(&c, STR("a,b=c"), STR("n"), &out);
	ok(is(&out, "n,,n=a=2Cb=3Dc,r=n"), "a comma and an equals sign in a name");
	scram_client_free(&c);
	buf_free(&out);
}

static void test_challenges(void)
{
	static const struct {
		const char *what, *message;
	} rows[] = {
		{ "nothing", "" },
		{ "a nonce that does not begin with ours",
			"r=xOprNGfwEbeRWgbNEkqO%h,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096" },
		{ "one to which nothing is added", "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096" },
		{ "no salt", THEIRS ",s=,i=4096" },
		{ "a salt that is no base64", THEIRS ",s=W22,i=4096" },
		{ "too few iterations", THEIRS ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095" },
		{ "too many", THEIRS ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1000001" },
		{ "no number", THEIRS ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=x" },
		{ "an extension that must be known", "m=x," FIRST },
	};
	struct buf out = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct scram_client c = { 0 };

		scram_client_begin(&c, STR("user"), STR(NONCE), &out);
		ok(!scram_client_challenged(&c, str_of(rows[i].message)), "SCRAM: %s", rows[i].what);
		scram_client_free(&c);
	}
	buf_free(&out);
}

int main(void)
{
	test_replies();
	test_reply_limits();
	test_extensions();
	test_mail();
	test_rcpt();
	test_wire();
	test_scram();
	test_challenges();
	return done();
}
