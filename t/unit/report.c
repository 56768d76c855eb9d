/* Reports on what became of mail: who gets one, what is in it, and that nobody's words can make it anything else. */
#include "protocols/sending/report.h"
#include "storage/mail/header.h"
#include "storage/mail/mime.h"
#include "t/tap.h"
#include <stdlib.h>

#define NOW_S     1763900000
#define ARRIVED_S 1763890000
#define UNTIL_S   1764322000
#define LINE_MAX  998 /* bytes (RFC 5322, 2.1.1) */

#define HEADER                                                                                                         \
	"From: Alice <alice@example.test>\nTo: bob@far.test\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n"                   \
	"Message-ID: <1@client.test>\n\n"

/* --- who is told (RFC 3461, 5.2) ----------------------------------------------------------------------------------- */

static const struct {
	const char *what, *sender;
	unsigned notify;
	bool failed, delayed, delivered, relayed, expanded;
} wishes[] = {
	{ "who says nothing is told of failures and delays", "a@b.test", 0, true, true, false, false, false },
	{ "NEVER is never", "a@b.test", NOTIFY_NEVER, false, false, false, false, false },
	{ "SUCCESS alone", "a@b.test", NOTIFY_SUCCESS, false, false, true, true, true },
	{ "FAILURE alone", "a@b.test", NOTIFY_FAILURE, true, false, false, false, false },
	{ "DELAY alone", "a@b.test", NOTIFY_DELAY, false, true, false, false, false },
	{ "all of them", "a@b.test", NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, true, true, true, true, true },
	{ "nobody is told of what has no sender", "", NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, false, false,
		false, false, false },
};

static void test_wishes(void)
{
	struct queue_envelope by = { .sender = STR("a@b.test") };

	for (size_t i = 0; i < sizeof(wishes) / sizeof(*wishes); i++) {
		struct queue_envelope e = { .sender = str_of(wishes[i].sender) };
		unsigned n = wishes[i].notify;

		ok(report_is_wanted(REPORT_FAILED, &e, n) == wishes[i].failed &&
				report_is_wanted(REPORT_DELAYED, &e, n) == wishes[i].delayed &&
				report_is_wanted(REPORT_DELIVERED, &e, n) == wishes[i].delivered &&
				report_is_wanted(REPORT_RELAYED, &e, n) == wishes[i].relayed &&
				report_is_wanted(REPORT_EXPANDED, &e, n) == wishes[i].expanded,
			"%s", wishes[i].what);
	}
	by.by = BY_NOTIFY;
	ok(report_is_wanted(REPORT_DELAYED, &by, NOTIFY_FAILURE) &&
			!report_is_wanted(REPORT_DELAYED, &by, NOTIFY_NEVER),
		"by-mode N wants to hear of a delay, too, but for NEVER (RFC 2852, 4)");
	ok(report_is_wanted(REPORT_RELAYED, &by, 0) && !report_is_wanted(REPORT_RELAYED, &by, NOTIFY_NEVER),
		"and that a host has it which does not mind the time (RFC 2852, 4.1.4.2)");
	by.by = BY_RETURN;
	ok(!report_is_wanted(REPORT_RELAYED, &by, 0), "by-mode R does not");
	by.by_trace = true;
	ok(report_is_wanted(REPORT_RELAYED, &by, NOTIFY_FAILURE) &&
			!report_is_wanted(REPORT_RELAYED, &by, NOTIFY_NEVER) &&
			!report_is_wanted(REPORT_DELIVERED, &by, 0),
		"a trace is of hosts that have it");
}

/* --- reports, taken apart ------------------------------------------------------------------------------------------ */

static struct queue_copy copy;
static struct queue_recipient to;
static struct report_recipient one;
static struct report report;

static struct written {
	struct buf bytes;
	struct arena memory;
	const struct mime_part *root;
} got;

/* A failure of bob's at a usual server; tests change what they are about. */
static void begin(void)
{
	copy = (struct queue_copy){ .id = 0x1f3a,
		.stored = sizeof(HEADER) - 1 + 5,
		.header = sizeof(HEADER) - 1,
		.envelope = { .sender = STR("alice@example.test"), .arrived_s = ARRIVED_S } };
	to = (struct queue_recipient){ .address = STR("bob@far.test") };
	one = (struct report_recipient){ .recipient = &to,
		.outcome = { .kind = OUTCOME_REFUSED,
			.reply = STR("550 5.1.1 no such user"),
			.remote = STR("mx.far.test [192.0.2.1]"),
			.diagnostic_type = STR("smtp") } };
	report = (struct report){
		.action = REPORT_FAILED, .copy = &copy, .recipients = &one, .count = 1, .until_s = UNTIL_S
	};
}

static void write_of(struct str message)
{
	struct mime *m;

	buf_clear(&got.bytes);
	arena_reset(&got.memory);
	report_write(&report, STR("mx.example.test"), NOW_S, message, &got.bytes);
	m = mime_new(&got.memory, &mime_limits);
	mime_feed(m, buf_data(&got.bytes), buf_len(&got.bytes));
	got.root = mime_end(m);
}

static void write_report(void)
{
	write_of(str_cut(STR(HEADER), 0, report_takes(&report)));
}

static struct str all(void)
{
	return buf_str(&got.bytes);
}

static struct str part(unsigned number)
{
	const struct mime_part *p = mime_find(got.root, &number, 1);

	return p ? str_cut(all(), p->body_start, p->body_end) : STR_NONE;
}

static bool is_of(unsigned number, const char *type, const char *subtype)
{
	const struct mime_part *p = mime_find(got.root, &number, 1);

	return p && content_is(&p->content, type, subtype);
}

static bool has(struct str text, const char *what)
{
	return text.len && memmem(text.p, text.len, what, strlen(what));
}

static unsigned parts(void)
{
	return got.root->last ? got.root->last->number : 0;
}

static bool field_is(const char *name, const char *value)
{
	struct header_field field;

	return header_find(all(), name, &field) && str_eq(header_unfold(&got.memory, field.value), str_of(value));
}

static unsigned fields(void)
{
	struct header_walk w = header_walk(all());
	struct header_field field;
	unsigned count = 0;

	while (header_next(&w, &field))
		count += field.name.len ? 1 : 1000;
	return count;
}

/* Whether all lines are such as may be in a message. */
static bool is_clean(struct str text)
{
	size_t start = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f || i - start > LINE_MAX)
			return false;
		if (c == '\n')
			start = i + 1;
	}
	return true;
}

/* --- the parts ------------------------------------------------------------------------------------------------------ */

static void test_failed(void)
{
	begin();
	write_report();
	ok(content_is(&got.root->content, "multipart", "report") &&
			str_eq(content_param(got.root->content.params, "report-type"), STR("delivery-status")) &&
			parts() == 3,
		"a report is multipart/report of three parts (RFC 6522, 3)");
	ok(field_is("From", "Mail Delivery System <MAILER-DAEMON@mx.example.test>") &&
			field_is("To", "<alice@example.test>") && field_is("Date", "Sun, 23 Nov 2025 12:13:20 +0000") &&
			field_is("MIME-Version", "1.0"),
		"it comes from the mail system and goes to the sender");
	ok(field_is("Auto-Submitted", "auto-replied"), "nobody shall answer it (RFC 3834, 5)");
	ok(field_is("In-Reply-To", "<1@client.test>") && field_is("References", "<1@client.test>"),
		"it belongs to the thread of the message");
	ok(is_of(1, "text", "plain") && has(part(1), "could not be delivered to:\n\n  bob@far.test\n") &&
			has(part(1), "There is no such mailbox.") &&
			has(part(1), "mx.far.test [192.0.2.1] said:\n        550 5.1.1 no such user\n") &&
			has(part(1), "Subject: Gr\xc3\xbc\xc3\x9f"
				     "e\n") &&
			has(part(1), "will not be tried again"),
		"people read whom it concerns, why, what the other side said and what happens next");
	ok(is_of(2, "message", "delivery-status") &&
			str_eq(part(2), STR("Reporting-MTA: dns; mx.example.test\n"
					    "Arrival-Date: Sun, 23 Nov 2025 09:26:40 +0000\n"
					    "\n"
					    "Final-Recipient: rfc822; bob@far.test\n"
					    "Action: failed\n"
					    "Status: 5.1.1\n"
					    "Remote-MTA: dns; mx.far.test\n"
					    "Diagnostic-Code: smtp; 550 5.1.1 no such user\n"
					    "Last-Attempt-Date: Sun, 23 Nov 2025 12:13:20 +0000\n")),
		"programs read the fields of RFC 3464");
	ok(is_of(3, "text", "rfc822-headers") && str_eq(part(3), str_cut(STR(HEADER), 0, sizeof(HEADER) - 2)),
		"the header goes along");
}

static void test_kinds(void)
{
	begin();
	report.action = REPORT_DELAYED;
	one.outcome.reply = STR("451 4.7.1 come back\n451 4.7.1 later");
	write_report();
	ok(has(part(2), "Action: delayed\nStatus: 4.7.1\n") &&
			has(part(2), "Will-Retry-Until: Fri, 28 Nov 2025 09:26:40 +0000\n") &&
			has(part(2), "Diagnostic-Code: smtp; 451 4.7.1 come back 451 4.7.1 later\n"),
		"a delay says until when it is tried");
	ok(has(part(1), "tried again until") && has(part(1), "        451 4.7.1 come back\n        451 4.7.1 later\n"),
		"to people, too");
	report.action = REPORT_DELIVERED;
	one.outcome = (struct outcome){ .kind = OUTCOME_DELIVERED };
	write_report();
	ok(has(part(2), "Action: delivered\nStatus: 2.0.0\n") && !has(part(2), "Diagnostic-Code") &&
			!has(part(2), "Remote-MTA") && !has(part(2), "Will-Retry-Until") &&
			has(part(1), "was delivered"),
		"a delivery here has no other side");
	one.outcome = (struct outcome){ .kind = OUTCOME_REFUSED, .remote = STR("127.0.1.3 [127.0.1.3]") };
	write_report();
	ok(has(part(2), "Remote-MTA: dns; [127.0.1.3]\n"), "a host without a name is an address literal");
	one.outcome.remote = STR("2001:db8::1 [2001:db8::1]");
	write_report();
	ok(has(part(2), "Remote-MTA: dns; [IPv6:2001:db8::1]\n"), "of IPv6, too (RFC 5321, 4.1.3)");
	one.outcome = (struct outcome){ .kind = OUTCOME_DELIVERED };
	report.action = REPORT_RELAYED;
	write_report();
	ok(has(part(2), "Action: relayed\nStatus: 2.0.0\n") && has(part(1), "handed on") &&
			!has(part(2), "Deliver-By-Date"),
		"who does not tell of deliveries");
	report.action = REPORT_EXPANDED;
	write_report();
	ok(has(part(2), "Action: expanded\nStatus: 2.0.0\n") && has(part(1), "members"), "a list");
}

static const struct {
	const char *what;
	enum report_action action;
	const char *status, *reply, *told;
} codes[] = {
	{ "what is said beside the reply counts", REPORT_FAILED, "5.4.7", "451 4.2.0 later", "5.4.7" },
	{ "a failure may come of trying for long", REPORT_FAILED, "4.4.7", "", "4.4.7" },
	{ "else the reply's own", REPORT_FAILED, "", "550 5.7.26 no", "5.7.26" },
	{ "without one there is little to say", REPORT_FAILED, "", "550 no", "5.0.0" },
	{ "an IP address is none", REPORT_FAILED, "", "550 5.1", "5.0.0" },
	{ "nor is a number too long", REPORT_FAILED, "", "550 5.1.1000 no", "5.0.0" },
	{ "nor what is another class", REPORT_FAILED, "2.0.0", "", "5.0.0" },
	{ "a delay is for now", REPORT_DELAYED, "5.1.1", "", "4.0.0" },
	{ "a success is one", REPORT_DELIVERED, "", "250 2.1.5 yes", "2.1.5" },
	{ "whatever the reply", REPORT_RELAYED, "", "250 5.1.1 yes", "2.0.0" },
	{ "what injects a field is none", REPORT_FAILED, "5.1.1\nX: y", "", "5.1.1" },
};

static void test_codes(void)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		char *line;

		begin();
		report.action = codes[i].action;
		one.outcome.status = str_of(codes[i].status);
		one.outcome.reply = str_of(codes[i].reply);
		write_report();
		line = arena_printf(&got.memory, "\nStatus: %s\n", codes[i].told);
		ok(has(part(2), line) && !has(part(2), "\nX:"), "%s", codes[i].what);
	}
}

static void test_dsn(void)
{
	begin();
	copy.envelope.envid = STR("a+2Bb+3D");
	to.orcpt = STR("rfc822;B+2Bob@far.test");
	to.original = STR("info@example.test");
	write_report();
	ok(has(part(2), "Original-Envelope-Id: a+b=\n") &&
			has(part(2), "\n\nOriginal-Recipient: rfc822; B+ob@far.test\n"
				     "Final-Recipient: rfc822; bob@far.test\n"),
		"what the sender calls it is told as he meant it (RFC 3461, 6.2)");
	ok(has(part(1), "\n  info@example.test\n    which is here: bob@far.test\n"),
		"and people find the address that they wrote");
	copy.envelope.ret = RET_FULL;
	write_of(str_cut(STR(HEADER "text\n"), 0, report_takes(&report)));
	ok(is_of(3, "message", "rfc822") && has(part(3), "\n\ntext\n"), "RET=FULL: all of the message goes along");
	report.action = REPORT_DELAYED;
	write_report();
	ok(is_of(3, "text", "rfc822-headers"), "but with failures alone (RFC 3461, 4.3)");
	begin();
	copy.envelope.ret = RET_FULL;
	copy.stored = REPORT_MESSAGE_MAX + 1;
	ok(report_takes(&report) == copy.header, "of a message that is too long the header goes along");
	copy.header = 10 * REPORT_HEADER_MAX;
	ok(report_takes(&report) == REPORT_HEADER_MAX, "of a header that is too long its beginning");
	begin();
	write_of(STR("A: 1\nB: 2\nC: thr"));
	ok(str_eq(part(3), STR("A: 1\nB: 2\n")), "which ends with a whole line");
	write_of(STR(""));
	ok(parts() == 2, "where nothing is there nothing goes along");
	write_of(STR("\nno header\n"));
	ok(parts() == 2, "not even of a message without a header");
}

/* --- letters beyond ASCII (RFC 6533) -------------------------------------------------------------------------------- */

static void test_international(void)
{
	begin();
	to.address = STR("b\xc3\xb6"
			 "b@far.test");
	to.orcpt = STR("utf-8;b\\x{F6}b@far.test");
	copy.envelope.sender = STR("\xc3\xa4@example.test");
	one.outcome.reply = STR("550 5.1.1 b\xc3\xb6"
				"b?");
	write_report();
	ok(is_of(2, "message", "global-delivery-status") &&
			has(part(2), "Original-Recipient: utf-8; b\xc3\xb6"
				     "b@far.test\nFinal-Recipient: utf-8; b\xc3\xb6"
				     "b@far.test\n") &&
			has(part(2), "Diagnostic-Code: smtp; 550 5.1.1 b\xc3\xb6"
				     "b?\n"),
		"addresses stand as they are in message/global-delivery-status");
	ok(field_is("To", "<\xc3\xa4@example.test>"), "and in the header");
	to.orcpt = STR("utf-8;\xe2\x82\xac\\x{1F600}\\x{D800}\\x{}\\x{110000}\\x{A}@far.test");
	write_report();
	ok(has(part(2), "utf-8; \xe2\x82\xac\xf0\x9f\x98\x80\\x{D800}\\x{}\\x{110000}\\x{A}@far.test\n"),
		"no character is what is none");
	begin();
	one.outcome.reply = STR("550 b\xc3\xb6"
				"b?");
	write_report();
	ok(is_of(2, "message", "delivery-status") && has(part(2), "Diagnostic-Code: smtp; 550 b?b?\n") &&
			has(part(1), "550 b\xc3\xb6"
				     "b?"),
		"where addresses are ASCII, words to programs are too");
	write_of(STR("Subject: \xc3\xa4\n\n"));
	ok(is_of(3, "message", "global-headers"), "a header in UTF-8");
	write_of(STR("Subject: \xe4\n\n"));
	ok(is_of(3, "text", "rfc822-headers") && has(all(), "charset=unknown-8bit\nContent-Transfer-Encoding: 8bit"),
		"a header in nobody knows what");
	copy.envelope.ret = RET_FULL;
	copy.stored = 20;
	write_of(STR("Subject: \xc3\xa4\n\nx\n"));
	ok(is_of(3, "message", "global"), "a message whose header is UTF-8");
}

/* --- hostile words -------------------------------------------------------------------------------------------------- */

static void hostile(const char *what, struct str words)
{
	unsigned before;
	bool good;

	begin();
	write_report();
	before = fields();
	one.outcome.reply = one.outcome.remote = words;
	write_report();
	good = is_clean(all()) && parts() == 3 && fields() == before && is_of(2, "message", "delivery-status") &&
	       !has(part(2), "\nX-Evil") && !has(part(2), "\n\nFinal-Recipient: rfc822; eve") && !has(all(), "\nFrom ");
	to.original = to.address = words;
	copy.envelope.envid = words;
	to.orcpt = words;
	write_report();
	good &= is_clean(all()) && parts() == 3 && fields() == before && !has(all(), "\nX-Evil") &&
	        !has(all(), "\nFrom ");
	ok(good, "%s", what);
}

static void test_hostile(void)
{
	struct buf words = { 0 };

	hostile("line ends begin no field", STR("550 no\r\nX-Evil: yes\n\nX-Evil: yes\rX-Evil: yes"));
	hostile("nor another recipient", STR("550\n\nFinal-Recipient: rfc822; eve@evil.test\nAction: failed\n"));
	hostile("control characters, escapes and NULs", (struct str){ "550 \x1b[31m\x07\0\x7f\xc2\x9b x", 15 });
	hostile("bytes that are no UTF-8", STR("550 \xff\xfe\xc3(\xed\xa0\x80\xf4\x90\x80\x80"));
	hostile("a boundary", STR("550\n--postern-0123456789abcdef\nContent-Type: text/html\n\n--"));
	hostile("a postmark", STR("From eve Thu Jan  1 00:00:00 1970\nFrom eve\n>From eve"));
	for (unsigned i = 0; i < 100000; i++)
		buf_add_char(&words, 'x');
	hostile("a word without an end", buf_str(&words));
	buf_clear(&words);
	for (unsigned i = 0; i < 100000; i++)
		buf_add_str(&words, STR("\xe2\x82\xac"));
	hostile("nor one of other letters", buf_str(&words));
	buf_clear(&words);
	for (unsigned i = 0; i < 100000; i++)
		buf_add_str(&words, i % 2 ? STR(" ") : STR("\n"));
	hostile("blanks and line ends without an end", buf_str(&words));
	buf_free(&words);
}

static void test_message_id(void)
{
	static const char *const bad[] = { "<a@b>\r\n X: y", "a@b", "<a b@c>", "<>", "<\xc3\xa4@b>", "<a@b> <c@d>",
		"<a\x01@b>" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct buf message = { 0 };

		begin();
		buf_printf(&message, "Message-ID: %s\n\n", bad[i]);
		write_of(buf_str(&message));
		ok(!field_is("In-Reply-To", bad[i]) && !has(str_cut(all(), 0, header_size(all())), "In-Reply-To"),
			"no thread of an id that is none: %zu", i + 1);
		buf_free(&message);
	}
}

/* Whatever the message holds, the boundary is another: also that of a report which was made of the same words before. */
static void test_boundary(void)
{
	struct buf message = { 0 };
	bool apart = true;

	begin();
	copy.envelope.ret = RET_FULL;
	buf_add_str(&message, STR(HEADER));
	for (unsigned i = 0; i < 50; i++) {
		copy.stored = buf_len(&message);
		write_of(buf_str(&message));
		apart &= parts() == 3 && is_of(3, "message", "rfc822") && str_eq(part(3), buf_str(&message));
		buf_printf(&message, "--" STR_FMT "--\n", STR_ARG(content_param(got.root->content.params, "boundary")));
	}
	ok(apart, "a message cannot end the part that it is in");
	buf_free(&message);
}

static void test_many(void)
{
	struct report_recipient many[60];
	unsigned told = 0;

	begin();
	for (size_t i = 0; i < 60; i++)
		many[i] = one;
	report.recipients = many;
	report.count = 60;
	write_report();
	for (struct str left = part(2); left.len; left = str_cut(left, 1, left.len))
		told += str_starts(left, STR("\n\nFinal-Recipient: "));
	ok(told == 60 && has(part(1), "these recipients") && has(part(1), "and to 10 more"),
		"of many recipients all are told to programs, the first ones to people");
}

static unsigned how_many(struct str text, char c)
{
	unsigned count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.p[i] == c;
	return count;
}

/* One that would be too long tells less, the most needful last. */
static void test_sizes(void)
{
	static char words[300];

	begin();
	memset(words, '#', sizeof(words) - 1);
	memcpy(words, "550 5.1.1 ", 10);
	one.outcome.reply = str_of(words);
	copy.envelope.ret = RET_FULL;
	write_of(STR(HEADER "body\n"));
	ok(parts() == 3 && has(part(3), "body") && how_many(part(2), '#') == 289, "all is told");
	report.size = REPORT_HEADER;
	write_of(STR(HEADER "body\n"));
	ok(parts() == 3 && has(part(3), "Subject: ") && !has(part(3), "body") && is_of(3, "text", "rfc822-headers"),
		"or of the message the header alone");
	report.size = REPORT_BARE;
	write_of(STR(HEADER "body\n"));
	ok(parts() == 2 && how_many(part(2), '#') == 289 && has(part(1), "Subject: "),
		"or nothing of it but the subject");
	report.size = REPORT_SHORT;
	write_of(STR(HEADER "body\n"));
	ok(parts() == 2 && how_many(part(2), '#') == 70 && how_many(part(1), '#') == 70,
		"and of the other side's words the beginning");
	report.size = REPORT_FEW;
	report.more = 7;
	write_of(STR(HEADER "body\n"));
	ok(has(part(1), "and to 7 more") && has(part(2), "bob@far.test"), "and not of all recipients, which is said");
}

int main(void)
{
	test_wishes();
	test_sizes();
	test_failed();
	test_kinds();
	test_codes();
	test_dsn();
	test_international();
	test_hostile();
	test_message_id();
	test_boundary();
	test_many();
	buf_free(&got.bytes);
	arena_free(&got.memory);
	return done();
}
