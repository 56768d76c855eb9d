/* The structure of messages: what the RFCs say, what limits cut off, and every message we have.
 * With names of files it prints the trees of those instead, a line for each part, for t/mime/tree.py to judge. */
#include "storage/mail/mime.h"
#include "core/buf.h"
#include "storage/mail/decode.h"
#include "t/tap.h"
#include <dirent.h>
#include <stdlib.h>

static const struct mime_part *parse(struct arena *a, struct str message, size_t piece)
{
	struct mime *m = mime_new(a, &mime_limits);

	for (size_t at = 0; at < message.len; at += piece)
		mime_feed(m, message.p + at, message.len - at < piece ? message.len - at : piece);
	return mime_end(m);
}

/* A tree in a line: multipart/mixed(text/plain{body} ...), a message in a message <...>. Depth is bounded by the limits. */
static void show(struct buf *out, struct str message, const struct mime_part *part)
{
	static const char *const brackets[] = { "{}", "()", "<>" };

	buf_printf(out, STR_FMT "/" STR_FMT "%c", STR_ARG(part->content.type), STR_ARG(part->content.subtype),
		brackets[part->kind][0]);
	if (part->kind == MIME_LEAF)
		buf_add_str(out, str_cut(message, part->body_start, part->body_end));
	for (const struct mime_part *child = part->first; child; child = child->next) {
		show(out, message, child);
		if (child->next)
			buf_add_char(out, ' ');
	}
	buf_add_char(out, brackets[part->kind][1]);
}

#define MIXED(b) "Content-Type: multipart/mixed; boundary=" b "\r\n"

/* Every row is parsed whole and byte by byte, and so with bare line feeds, and the answer may not differ. */
static const struct {
	const char *what, *message, *tree;
} rows[] = {
	{ "a message that says nothing is plain text", "Subject: x\r\n\r\nbody\r\n", "text/plain{body\r\n}" },
	{ "a message without a body", "Subject: x\r\n\r\n", "text/plain{}" },
	{ "a message without a blank line is all header", "Subject: x\r\nbody", "text/plain{}" },
	{ "a message without a header", "\r\nbody", "text/plain{body}" },
	{ "nothing at all", "", "text/plain{}" },
	{ "a type", "Content-Type: image/PNG; x=y\r\n\r\nbody", "image/PNG{body}" },
	{ "a type that is none is plain text (RFC 2045, 5.2)", "Content-Type: text\r\n\r\nbody", "text/plain{body}" },
	{ "of two types the first counts", "Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n", "a/b{}" },

	{ "two parts", MIXED("b") "\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n",
		"multipart/mixed(text/plain{one} text/plain{two})" },
	{ "the line end before a delimiter belongs to it", MIXED("b") "\r\n--b\r\n\r\none\r\n\r\n--b--",
		"multipart/mixed(text/plain{one\r\n})" },
	{ "what stands around the parts is nobody's",
		MIXED("b") "\r\npreamble\r\n--b\r\n\r\none\r\n--b--\r\nepilogue\r\n--b\r\n\r\ntwo",
		"multipart/mixed(text/plain{one})" },
	{ "parts may be empty", MIXED("b") "\r\n--b\r\n\r\n--b\r\n\r\n\r\n--b\r\n--b--\r\n",
		"multipart/mixed(text/plain{} text/plain{} text/plain{})" },
	{ "a part may have no blank line", MIXED("b") "\r\n--b\r\nContent-Type: a/b\r\n--b\r\n\r\ntwo\r\n--b--\r\n",
		"multipart/mixed(a/b{} text/plain{two})" },
	{ "without a closing delimiter the last part ends with the message", MIXED("b") "\r\n--b\r\n\r\none\r\n",
		"multipart/mixed(text/plain{one\r\n})" },
	{ "white space may follow a delimiter", MIXED("b") "\r\n--b \t\r\n\r\none\r\n--b-- \r\n--b\r\n",
		"multipart/mixed(text/plain{one})" },
	{ "so may other things: a line need only begin with it (RFC 2046, 5.1.1)",
		MIXED("b") "\r\n--bx\r\n\r\none\r\n--b--x\r\n", "multipart/mixed(text/plain{one})" },
	{ "a delimiter begins its line", MIXED("b") "\r\n--b\r\n\r\n --b\r\nx--b\r\n-b\r\n--\r\n---b\r\n--b--\r\n",
		"multipart/mixed(text/plain{ --b\r\nx--b\r\n-b\r\n--\r\n---b})" },
	{ "case matters in boundaries", MIXED("b") "\r\n--b\r\n\r\n--B\r\n", "multipart/mixed(text/plain{--B\r\n})" },
	{ "a boundary in quotes", MIXED("\"a b:c\"") "\r\n--a b:c\r\n\r\none\r\n--a b:c--\r\n",
		"multipart/mixed(text/plain{one})" },
	{ "a boundary that should have been in quotes", MIXED("a=b:c") "\r\n--a=b:c\r\n\r\none\r\n--a=b:c--\r\n",
		"multipart/mixed(text/plain{one})" },
	{ "a boundary does not end in a space", MIXED("\"b \"") "\r\n--b\r\n\r\none\r\n--b--\r\n",
		"multipart/mixed(text/plain{one})" },
	{ "a boundary in the form of RFC 2231",
		"Content-Type: multipart/mixed; boundary*0*=utf-8'en'%62; "
		"boundary*1=c\r\n\r\n--bc\r\n\r\none\r\n--bc--",
		"multipart/mixed(text/plain{one})" },
	{ "a multipart without a boundary is plain text", "Content-Type: multipart/mixed\r\n\r\n--\r\none",
		"text/plain{--\r\none}" },
	{ "a multipart whose boundary never comes too", MIXED("b") "\r\none\r\n", "text/plain{one\r\n}" },
	{ "... or comes only to close", MIXED("b") "\r\n--b--\r\none", "text/plain{--b--\r\none}" },
	{ "a delimiter at the very end begins an empty part", MIXED("b") "\r\n--b\r\n\r\none\r\n--b",
		"multipart/mixed(text/plain{one} text/plain{})" },
	{ "a line ended by a CR alone is none", MIXED("b") "\r\n--b\r\n\r\none\r--b\r\n\r\n--b--",
		"multipart/mixed(text/plain{one\r--b\r\n})" },

	{ "a multipart in a multipart",
		MIXED("o") "\r\n--o\r\n" MIXED(
			"i") "\r\n--i\r\n\r\none\r\n--i\r\n\r\ntwo\r\n--i--\r\n--o\r\n\r\nthree\r\n--o--",
		"multipart/mixed(multipart/mixed(text/plain{one} text/plain{two}) text/plain{three})" },
	{ "an outer delimiter ends what is open within",
		MIXED("o") "\r\n--o\r\n" MIXED("i") "\r\n--i\r\n\r\none\r\n--o\r\n\r\ntwo\r\n--i\r\nthree\r\n--o--",
		"multipart/mixed(multipart/mixed(text/plain{one}) text/plain{two\r\n--i\r\nthree})" },
	{ "an outer closing delimiter too",
		MIXED("o") "\r\n--o\r\n" MIXED("i") "\r\n--i\r\n\r\none\r\n--o--\r\n--i\r\n\r\n",
		"multipart/mixed(multipart/mixed(text/plain{one}))" },
	{ "an outer delimiter in an inner header", MIXED("o") "\r\n--o\r\n" MIXED("i") "--o\r\n\r\ntwo\r\n--o--",
		"multipart/mixed(text/plain{} text/plain{two})" },
	{ "the inner boundary begins like the outer",
		MIXED("a") "\r\n--a\r\n" MIXED("ab") "\r\n--ab\r\n\r\none\r\n--ab--\r\n--a\r\n\r\ntwo\r\n--a--",
		"multipart/mixed(multipart/mixed(text/plain{one}) text/plain{two})" },
	{ "the outer boundary begins like the inner",
		MIXED("ab") "\r\n--ab\r\n" MIXED("a") "\r\n--a\r\n\r\none\r\n--ab\r\n\r\ntwo\r\n--ab--",
		"multipart/mixed(multipart/mixed(text/plain{one}) text/plain{two})" },
	{ "the outer boundary looks like the inner one closing",
		MIXED("a--") "\r\n--a--\r\n" MIXED("a") "\r\n--a\r\n\r\none\r\n--a--\r\n\r\ntwo\r\n--a----",
		"multipart/mixed(multipart/mixed(text/plain{one}) text/plain{two})" },
	{ "the same boundary again is the inner one's",
		MIXED("b") "\r\n--b\r\n" MIXED("b") "\r\n--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo\r\n--b--",
		"multipart/mixed(multipart/mixed(text/plain{one}) text/plain{two})" },

	{ "a message in a message", "Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nbody",
		"message/rfc822<text/plain{body}>" },
	{ "a message of nothing", "Content-Type: message/rfc822\r\n\r\n", "message/rfc822<text/plain{}>" },
	{ "not even a blank line", "Content-Type: message/rfc822\r\n", "message/rfc822<text/plain{}>" },
	{ "message/global (RFC 6532)", "Content-Type: message/global\r\n\r\n\r\nbody",
		"message/global<text/plain{body}>" },
	{ "other messages are leaves", "Content-Type: message/delivery-status\r\n\r\nbody",
		"message/delivery-status{body}" },
	{ "messages in a multipart",
		MIXED("b") "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\none\r\n--b\r\n"
			   "Content-Type: message/rfc822\r\n--b--",
		"multipart/mixed(message/rfc822<text/plain{one}> message/rfc822<text/plain{}>)" },
	{ "a multipart in a message ended from outside",
		MIXED("o") "\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n" MIXED(
			"i") "\r\n--i\r\n\r\none\r\n--o--\r\n",
		"multipart/mixed(message/rfc822<multipart/mixed(text/plain{one})>)" },
	{ "in a digest parts are messages (RFC 2046, 5.1.5)",
		"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\n\r\none\r\n"
		"--b\r\nContent-Type: text/html\r\n\r\ntwo\r\n--b--",
		"multipart/digest(message/rfc822<text/plain{one}> text/html{two})" },
	{ "... unless they say what is wrong",
		"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\nContent-Type: x\r\n\r\none\r\n--b--",
		"multipart/digest(text/plain{one})" },
};

static void parse_as(const char *what, struct str message, const char *tree)
{
	struct arena a = { 0 };
	struct buf whole = { 0 }, pieces = { 0 }, expected = { 0 };

	for (const char *p = tree; *p; p++) /* bodies have the line ends of the message */
		if (*p != '\r' || p[1] != '\n' || memmem(message.p, message.len, "\r\n", 2))
			buf_add_char(&expected, *p);
	show(&whole, message, parse(&a, message, message.len + 1));
	show(&pieces, message, parse(&a, message, 1));
	if (!ok(str_eq(buf_str(&whole), buf_str(&expected)), "%s", what))
		printf("# got %.*s\n", STR_ARG(buf_str(&whole)));
	if (!str_eq(buf_str(&whole), buf_str(&pieces)))
		ok(false, "... in pieces: %.*s", STR_ARG(buf_str(&pieces)));
	buf_free(&whole);
	buf_free(&pieces);
	buf_free(&expected);
	arena_free(&a);
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf lf = { 0 };

		for (const char *p = rows[i].message; *p; p++)
			if (p[0] != '\r' || p[1] != '\n')
				buf_add_char(&lf, *p);
		parse_as(rows[i].what, str_of(rows[i].message), rows[i].tree);
		parse_as("   the same with bare line feeds", buf_str(&lf), rows[i].tree);
		buf_free(&lf);
	}
}

/* ---- sections: the example of RFC 3501, 6.4.5 ---- */

#define PART(type) "Content-Type: " type "\r\n\r\n"

/* clang-format off */
static const char example[] = "Subject: root\r\n" MIXED("1") "\r\n"
	"--1\r\n" PART("text/plain") "p1\r\n"
	"--1\r\n" PART("application/octet-stream") "p2\r\n"
	"--1\r\n" PART("message/rfc822") "Subject: three\r\n" MIXED("2") "\r\n"
		"--2\r\n" PART("text/plain") "p3.1\r\n"
		"--2\r\n" PART("application/octet-stream") "p3.2\r\n--2--\r\n"
	"--1\r\n" MIXED("3") "\r\n"
		"--3\r\n" PART("image/gif") "p4.1\r\n"
		"--3\r\n" PART("message/rfc822") "Subject: four two\r\n" MIXED("4") "\r\n"
			"--4\r\n" PART("text/plain") "p4.2.1\r\n"
			"--4\r\n" "Content-Type: multipart/alternative; boundary=5\r\n\r\n"
				"--5\r\n" PART("text/plain") "p4.2.2.1\r\n"
				"--5\r\n" PART("text/richtext") "p4.2.2.2\r\n--5--\r\n--4--\r\n--3--\r\n--1--\r\n";
/* clang-format on */

static const char plain[] = "Subject: x\r\n\r\nbody\r\n";
static const char wrapped[] = "Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nbody\r\n";

static const struct {
	const char *message, *section, *bytes; /* NULL: there is none such; bytes may end in "..." */
} sections[] = {
	{ example, "1", "p1" },
	{ example, "2", "p2" },
	{ example, "3", "Subject: three\r\n..." },
	{ example, "3.1", "p3.1" },
	{ example, "3.2", "p3.2" },
	{ example, "4.1", "p4.1" },
	{ example, "4.2", "Subject: four two\r\n..." },
	{ example, "4.2.1", "p4.2.1" },
	{ example, "4.2.2", "--5\r\n..." },
	{ example, "4.2.2.1", "p4.2.2.1" },
	{ example, "4.2.2.2", "p4.2.2.2" },
	{ example, "", "Subject: root\r\n..." },
	{ example, "HEADER", "Subject: root\r\n" MIXED("1") "\r\n" },
	{ example, "TEXT", "--1\r\n..." },
	{ example, "1.MIME", "Content-Type: text/plain\r\n\r\n" },
	{ example, "3.MIME", "Content-Type: message/rfc822\r\n\r\n" },
	{ example, "3.HEADER", "Subject: three\r\n" MIXED("2") "\r\n" },
	{ example, "3.TEXT", "--2\r\n..." },
	{ example, "4.2.HEADER", "Subject: four two\r\n" MIXED("4") "\r\n" },
	{ example, "4.2.2.2.MIME", "Content-Type: text/richtext\r\n\r\n" },
	{ example, "1.HEADER", NULL },
	{ example, "1.TEXT", NULL },
	{ example, "4.HEADER", NULL },
	{ example, "MIME", NULL },
	{ example, "0", NULL },
	{ example, "5", NULL },
	{ example, "1.1", NULL },
	{ example, "3.3", NULL },
	{ example, "3.1.1", NULL },
	{ plain, "", "Subject: x\r\n\r\nbody\r\n" },
	{ plain, "1", "body\r\n" },
	{ plain, "TEXT", "body\r\n" },
	{ plain, "1.MIME", "Subject: x\r\n\r\n" },
	{ plain, "1.1", NULL },
	{ plain, "2", NULL },
	{ plain, "1.TEXT", NULL },
	{ wrapped, "1", "Subject: x\r\n\r\nbody\r\n" },
	{ wrapped, "1.HEADER", "Subject: x\r\n\r\n" },
	{ wrapped, "1.TEXT", "body\r\n" },
	{ wrapped, "1.1", "body\r\n" },
	{ wrapped, "1.1.1", NULL },
};

static bool section_of(const struct mime_part *root, const char *section, uint64_t *start, uint64_t *end)
{
	unsigned numbers[10];
	size_t count = 0;
	char *p = (char *)section;
	enum mime_section what = MIME_WHOLE;

	while (*p >= '0' && *p <= '9') {
		numbers[count++] = (unsigned)strtoul(p, &p, 10);
		p += *p == '.';
	}
	switch (*p) {
	case 'H':
		what = MIME_HEADER;
		break;
	case 'T':
		what = MIME_TEXT;
		break;
	case 'M':
		what = MIME_HEADERS;
		break;
	}
	return mime_section(root, numbers, count, what, start, end);
}

static void test_sections(void)
{
	struct arena a = { 0 };

	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++) {
		struct str message = str_of(sections[i].message), bytes = str_of(sections[i].bytes), got = STR_NONE;
		uint64_t start, end;
		bool found = section_of(parse(&a, message, message.len), sections[i].section, &start, &end);
		size_t len = bytes.len;

		if (found)
			got = str_cut(message, start, end);
		if (len > 3 && !strcmp(sections[i].bytes + len - 3, "..."))
			len = bytes.len - 3, got.len = got.len < len ? got.len : len;
		ok(found == (sections[i].bytes != NULL) && (!found || str_eq(got, str_cut(bytes, 0, len))),
			"BODY[%s] %s", sections[i].section, sections[i].bytes ? "is found" : "is not there");
	}
	arena_free(&a);
}

/* ---- what a header says of its body ---- */

static struct content content_of(struct arena *a, const char *field)
{
	return parse(a, str_of(arena_printf(a, "%s\r\n\r\n", field)), 1000)->content;
}

/* The parameters of a Content-Type behind text/plain, as name=[value]. */
static const struct {
	const char *what, *params, *shown;
} params[] = {
	{ "a parameter", "; a=b", "a=[b]" },
	{ "several", ";a=b;c=d ; e = f", "a=[b]c=[d]e=[f]" },
	{ "quotes", "; a=\"b; \\\"c\\\"\"", "a=[b; \"c\"]" },
	{ "comments (RFC 2045, 5.1)", "; (one) a (two) = b (plain (text))", "a=[b]" },
	{ "folding", ";\r\n a=b;\r\n\tc=d", "a=[b]c=[d]" },
	{ "an empty value", "; a=\"\"; b=", "a=[]b=[]" },
	{ "semicolons too many", ";; a=b;;", "a=[b]" },
	{ "a missing semicolon in front", " a=b", "a=[b]" },
	{ "a missing semicolon between", "; a=b c=\"d\" e=f", "a=[b]c=[d]e=[f]" },
	{ "spaces that should have been quoted", "; name=my  file.pdf; a=b", "name=[my file.pdf]a=[b]" },
	{ "specials that should have been quoted", "; a=b=c/d?e:f", "a=[b=c/d?e:f]" },
	{ "bytes beyond ASCII", "; a=\xc3\xa9; b=\"\xe9\"", "a=[\xc3\xa9]b=[\xe9]" },
	{ "the forms of RFC 2231 stay as they are", "; a*0*=us-ascii'en'b%20; a*1=c",
		"a*0*=[us-ascii'en'b%20]a*1=[c]" },
	{ "encoded words too", "; a=\"=?utf-8?Q?b?=\"", "a=[=?utf-8?Q?b?=]" },
	{ "a name without a value is none", "; a; b=c", "b=[c]" },
	{ "a value without a name is none", "; =a; b=c", "b=[c]" },
	{ "nonsense costs itself", "; [,]; b=c", "b=[c]" },
	{ "a quote that never ends takes the rest", "; a=\"b; c=d", "a=[b; c=d]" },
};

static void test_content(void)
{
	struct arena a = { 0 };
	struct content c;

	for (size_t i = 0; i < sizeof(params) / sizeof(*params); i++) {
		struct buf got = { 0 };

		c = content_of(&a, arena_printf(&a, "Content-Type: text/plain%s", params[i].params));
		for (const struct content_param *p = c.params; p; p = p->next)
			buf_printf(&got, STR_FMT "=[" STR_FMT "]", STR_ARG(p->name), STR_ARG(p->value));
		if (!ok(str_eq(buf_str(&got), str_of(params[i].shown)), "%s", params[i].what))
			printf("# got %.*s\n", STR_ARG(buf_str(&got)));
		buf_free(&got);
	}
	c = content_of(&a, "Content-Transfer-Encoding: (c) BASE64 ; x\r\nContent-ID: <a@b>\r\n"
			   "Content-Description:\r\n =?utf-8?Q?x?= y\r\nContent-MD5: abc=\r\nContent-Location:");
	ok(str_eq(c.encoding, STR("BASE64")), "an encoding without what stands around it");
	ok(str_eq(c.id, STR("<a@b>")) && str_eq(c.md5, STR("abc=")), "id and sum as they are");
	ok(str_eq(c.description, STR("=?utf-8?Q?x?= y")), "a description unfolded");
	ok(c.location.p && !c.location.len, "what is there and empty differs");
	ok(!c.disposition.p && !c.languages, "... from what is not there");
	c = content_of(&a, "Content-Disposition: attachment; filename=x\r\nContent-Language: de, (x) en-GB,,");
	ok(str_eq(c.disposition, STR("attachment")) &&
			str_eq(content_param(c.disposition_params, "FileName"), STR("x")),
		"a disposition and its parameters, found in any case");
	ok(c.languages && str_eq(c.languages->text, STR("de")) && str_eq(c.languages->next->text, STR("en-GB")) &&
			!c.languages->next->next,
		"languages");
	c = content_of(
		&a, "Content-Disposition: x; a*=iso-8859-1'de'%e9%5G%; b*0*=''%41'; b*2=c; c*0=%41; c*1*=%42; d*=%41");
	ok(str_eq(content_param_joined(&a, c.disposition_params, "a"), STR("\xe9%5G%")), "a parameter in a charset");
	ok(str_eq(content_param_joined(&a, c.disposition_params, "b"), STR("A'")),
		"one in pieces ends where one lacks");
	ok(str_eq(content_param_joined(&a, c.disposition_params, "c"), STR("%41B")), "... each encoded or not");
	ok(str_eq(content_param_joined(&a, c.disposition_params, "d"), STR("A")), "one that forgot its charset");
	ok(!content_param_joined(&a, c.disposition_params, "e").p, "and one that is not there");
	c = content_of(&a, "Content-Disposition: ; filename=x");
	ok(str_eq(c.disposition, STR("attachment")), "a disposition of parameters alone is an attachment");
	c = content_of(&a, "Subject: x");
	ok(str_eq(content_param(c.params, "charset"), STR("us-ascii")), "what says nothing is in us-ascii");
	arena_free(&a);
}

static void test_envelope(void)
{
	struct arena a = { 0 };
	const struct envelope *e;
	const struct mime_part *root = parse(&a,
		STR("Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nsubject: a\r\n b\r\nFrom: A <a@b.test>\r\nTo: c@d.test\r\n"
		    "To: e@f.test\r\nReply-To:\r\nSubject: other\r\nMessage-ID: <1@x>\r\nIn-Reply-To:\r\n"
		    "Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\n"),
		1000);

	e = root->envelope;
	ok(str_eq(e->date, STR("Mon, 1 Jan 2024 00:00:00 +0000")), "the date as it stands");
	ok(str_eq(e->subject, STR("a b")), "the subject unfolded, of two the first");
	ok(str_eq(e->message_id, STR("<1@x>")), "the message's id");
	ok(e->in_reply_to.p && !e->in_reply_to.len, "an empty field is empty");
	ok(e->from && e->sender == e->from && e->reply_to == e->from,
		"from stands in for sender and an empty reply-to");
	ok(e->to && e->to->next && !e->to->next->next, "recipients of two fields are added up");
	ok(!e->cc && !e->bcc, "what is not there is not there");
	ok(str_eq(root->first->envelope->subject, STR("inner")), "a message in a message has its own");
	root = parse(&a, STR(MIXED("b") "\r\n--b\r\nSubject: x\r\n\r\n"), 1000);
	ok(root->envelope && !root->first->envelope, "a part has none");
	ok(!root->envelope->date.p, "an absent date is absent");
	arena_free(&a);
}

static void test_numbers(void)
{
	struct arena a = { 0 };
	const struct mime_part *root = parse(&a, STR(example), 7), *p;
	unsigned count = 0;

	for (p = root; p; p = mime_next(root, p))
		count++;
	ok(count == 15, "a walk meets every part once: %u", count);
	p = mime_find(root, (unsigned[]){ 4, 2 }, 2);
	ok(p->kind == MIME_MESSAGE && p->number == 2 && p->depth == 3, "a part knows its number and depth");
	ok(mime_next(p, p->first->last->last) == NULL, "a walk of a part stays within");
	p = parse(&a, STR(MIXED("b") "\r\n--b\r\n\r\n1\r\n2\r\n3\r\n--b\r\n\r\n\r\n--b\r\n\r\n--b--\r\n"), 1);
	ok(p->first->lines == 2 && p->first->body_end - p->first->body_start == 7,
		"the last line of a part has no end, that is the delimiter's");
	ok(p->first->next->lines == 0 && p->last->lines == 0, "empty parts have no lines");
	ok(p->lines == 11, "a multipart has those of all in it: %u", (unsigned)p->lines);
	arena_free(&a);
}

/* ---- limits ---- */

static const struct mime_part *parse_within(struct arena *a, struct mime_limits limits, struct str message)
{
	struct mime *m = mime_new(a, &limits);

	mime_feed(m, message.p, message.len);
	return mime_end(m);
}

static unsigned parts_of(const struct mime_part *root)
{
	unsigned count = 0;

	for (const struct mime_part *p = root; p; p = mime_next(root, p))
		count++;
	return count;
}

static void test_limits(void)
{
	struct str two = STR(MIXED("b") "\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n");
	struct mime_limits l = mime_limits;
	const struct mime_part *root;
	struct buf bomb = { 0 };
	struct arena a = { 0 };

	l.parts = 2;
	root = parse_within(&a, l, two);
	ok(parts_of(root) == 2 && root->first->body_end == two.len, "of too many parts the last goes on to the end");
	l.parts = 1;
	root = parse_within(&a, l, two);
	ok(parts_of(root) == 1 && content_is(&root->content, "application", "octet-stream"), "one part has no parts");
	root = parse_within(&a, l, STR("Content-Type: message/rfc822\r\n\r\n"));
	ok(parts_of(root) == 1 && content_is(&root->content, "application", "octet-stream"), "nor a message in it");
	l.parts = 3;
	root = parse_within(&a, l, STR(MIXED("b") "\r\n--b\r\nContent-Type: message/rfc822\r\n--b\r\n\r\ntwo"));
	ok(parts_of(root) == 3 && root->first->kind == MIME_MESSAGE, "a message cut short counts with what it holds");
	l = mime_limits, l.depth = 1;
	ok(parts_of(parse_within(&a, l, two)) == 1, "too deep a part is opaque");
	l.depth = 2;
	ok(parts_of(parse_within(&a, l, two)) == 3, "one less is not");
	l = mime_limits, l.fields = 1;
	root = parse_within(&a, l, STR("A: b\r\nContent-Type: image/png\r\n\r\n"));
	ok(content_is(&root->content, "text", "plain"), "a field too many is not looked at");
	l = mime_limits, l.header_bytes = 30;
	root = parse_within(&a, l, STR("A: b\r\nContent-Type: image/png-or-something\r\n\r\nbody"));
	ok(content_is(&root->content, "text", "plain") && root->body_end - root->body_start == 4,
		"a header too long is not looked at beyond, but ends where it ends");
	l = mime_limits, l.kept_bytes = 1000;
	for (int i = 0; i < 1000; i++)
		buf_printf(&bomb, "%s--b\r\nX: y\r\n\r\n\r\n", i ? "" : MIXED("b") "\r\n");
	root = parse_within(&a, l, buf_str(&bomb));
	ok(parts_of(root) < 10 && content_is(&root->last->content, "application", "octet-stream") &&
			root->last->body_end == buf_len(&bomb),
		"when enough is kept the rest is opaque");
	buf_free(&bomb);
	arena_free(&a);
}

static void feed_bomb(const char *what, const char *start, const char *again)
{
	struct arena a = { 0 };
	struct mime *m = mime_new(&a, &mime_limits);

	mime_feed(m, start, strlen(start));
	for (size_t fed = 0; fed < 8000000; fed += strlen(again))
		mime_feed(m, again, strlen(again));
	mime_end(m);
	ok(a.used < 4000000, "8 MB of %s take %zu bytes", what, a.used);
	arena_free(&a);
}

static void test_bombs(void)
{
	feed_bomb("header", "", "X: y\r\n");
	feed_bomb("one field", "To: ", "a,");
	feed_bomb("one field of many lines", "To: ", "a,\r\n ");
	feed_bomb("one type's parameters", "Content-Type: a/b", ";\r\n c=d");
	feed_bomb("languages", "Content-Language: ", "a,\r\n ");
	feed_bomb("one line", "\r\n", "xxxxxxxx");
	feed_bomb("empty parts", MIXED("b") "\r\n", "--b\r\n");
	feed_bomb("parts of addresses", MIXED("b") "\r\n",
		"--b\r\nContent-Type: message/rfc822\r\n\r\nTo: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n\r\n");
	feed_bomb("messages", "", "Content-Type: message/rfc822\r\n\r\n");
	feed_bomb("multiparts", "", MIXED("b") "\r\n--b\r\n");
	feed_bomb("lines that might be delimiters", MIXED("b") "\r\n--b\r\n\r\n", "--\r\n");
}

/* ---- every message we have ---- */

static void dump(struct buf *out, const struct mime_part *root)
{
	for (const struct mime_part *p = root; p; p = mime_next(root, p)) {
		buf_printf(out, "%u.%u kind %d %lu-%lu-%lu %lu lines " STR_FMT "/" STR_FMT " " STR_FMT, p->depth,
			p->number, (int)p->kind, p->header_start, p->body_start, p->body_end, p->lines,
			STR_ARG(p->content.type), STR_ARG(p->content.subtype), STR_ARG(p->content.encoding));
		for (const struct content_param *q = p->content.params; q; q = q->next)
			buf_printf(out, " " STR_FMT "=" STR_FMT, STR_ARG(q->name), STR_ARG(q->value));
		buf_add_char(out, '\n');
	}
}

/* What mime.h promises of every tree. */
static bool is_sound(const struct mime_part *root, uint64_t size)
{
	for (const struct mime_part *p = root; p; p = mime_next(root, p)) {
		unsigned children = 0;

		if (p->header_start > p->body_start || p->body_start > p->body_end || p->body_end > size)
			return false;
		for (const struct mime_part *c = p->first; c; c = c->next) {
			children++;
			if (c->parent != p || c->header_start < p->body_start || c->body_end > p->body_end ||
				c->number != children || (c->next && c->body_end > c->next->header_start))
				return false;
		}
		if (p->kind == MIME_LEAF ? children > 0 : p->kind == MIME_MESSAGE ? children != 1 : !children)
			return false;
		if (content_is(&p->content, "multipart", NULL) != (p->kind == MIME_MULTIPART))
			return false;
	}
	return true;
}

/* A file as a client would see it: lines end in CRLF. */
static void read_message(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "r");
	int c, last = 0;

	while (f && (c = getc(f)) != EOF) {
		if (c == '\n' && last != '\r')
			buf_add_char(out, '\r');
		buf_add_char(out, (char)c);
		last = c;
	}
	if (f)
		fclose(f);
}

static void try_file(const char *path)
{
	static const size_t pieces[] = { 1, 2, 7, 64, 1000 };
	struct buf message = { 0 }, whole = { 0 }, cut = { 0 };
	struct arena a = { 0 };
	const struct mime_part *root;
	bool same = true;

	read_message(path, &message);
	root = parse(&a, buf_str(&message), buf_len(&message) + 1);
	dump(&whole, root);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		buf_clear(&cut);
		dump(&cut, parse(&a, buf_str(&message), pieces[i]));
		same &= str_eq(buf_str(&whole), buf_str(&cut));
	}
	if (!ok(same && is_sound(root, buf_len(&message)) && root->body_end == buf_len(&message),
		    "%s is the same tree however cut", strrchr(path, '/') + 1))
		printf("# %.*s\n", STR_ARG(buf_str(&whole)));
	buf_free(&message);
	buf_free(&whole);
	buf_free(&cut);
	arena_free(&a);
}

static void test_corpus(void)
{
	static const char *const folders[] = { "mime-rfc", "mime-thirdparty", "mime-malformed", "ruby-mail",
		"cpython" };
	unsigned count = 0;

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		char path[600];
		struct dirent *entry;
		DIR *dir;

		snprintf(path, sizeof(path), "t/data/mail/%s", folders[i]);
		dir = opendir(path);
		while (dir && (entry = readdir(dir))) {
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "t/data/mail/%s/%s", folders[i], entry->d_name);
			try_file(path);
			count++;
		}
		if (dir)
			closedir(dir);
	}
	ok(count == 199, "all messages were there: %u", count);
}

/* depth, type, and of a leaf its decoded content in hexadecimal */
static void print_tree(const char *path)
{
	struct buf message = { 0 };
	struct arena a = { 0 };
	const struct mime_part *root;

	read_message(path, &message);
	root = parse(&a, buf_str(&message), 4096);
	printf("file %s\n", path);
	for (const struct mime_part *p = root; p; p = mime_next(root, p)) {
		struct decoder d = { .encoding = encoding_of(p->content.encoding) };
		struct buf content = { 0 };

		if (p->kind == MIME_LEAF) {
			decoder_feed(&d, str_cut(buf_str(&message), p->body_start, p->body_end), &content);
			decoder_end(&d, &content);
		}
		printf("%u " STR_FMT "/" STR_FMT " ", p->depth, STR_ARG(p->content.type), STR_ARG(p->content.subtype));
		for (size_t i = 0; i < buf_len(&content); i++)
			printf("%02x", (unsigned char)buf_data(&content)[i]);
		putchar('\n');
		buf_free(&content);
	}
	buf_free(&message);
	arena_free(&a);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		print_tree(argv[i]);
	if (argc > 1)
		return 0;
	test_rows();
	test_sections();
	test_content();
	test_envelope();
	test_numbers();
	test_limits();
	test_bombs();
	test_corpus();
	return done();
}
