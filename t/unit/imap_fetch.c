/* FETCH: what is asked for, and how structures and envelopes are told (RFC 3501, 6.4.5 and 7.4.2). */
#include "protocols/imap/imap_fetch.h"
#include "storage/mail/header.h"
#include "t/tap.h"

/* Items as one line: their labels or kinds, with what would be done. "bad" if they cannot be read. */
static void describe(const struct items *items, struct buf *out)
{
	static const char *const kinds[] = { "FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE" };

	for (size_t i = 0; i < items->count; i++) {
		const struct item *item = &items->list[i];

		buf_printf(out, "%s", i ? " " : "");
		if (item->kind < ITEM_STRUCTURE)
			buf_printf(out, "%s", kinds[item->kind]);
		else
			buf_add_str(out, item->label);
	}
	buf_printf(out, "%s%s%s%s", items->needs & NEEDS_HEADER ? " +header" : "",
		items->needs & NEEDS_TREE ? " +tree" : "", items->sets_seen ? " +seen" : "",
		items->tells_flags ? " +flags" : "");
}

static const struct {
	const char *what, *text;
	bool uid;
	const char *items;
} rows[] = {
	{ "one item", "FLAGS", false, "FLAGS +flags" },
	{ "in any case", "(flags Uid)", false, "FLAGS UID +flags" },
	{ "UID FETCH tells UIDs", "FLAGS", true, "FLAGS UID +flags" },
	{ "but once", "(UID FLAGS)", true, "UID FLAGS +flags" },
	{ "ALL", "ALL", false, "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE +header +flags" },
	{ "FAST", "FAST", false, "FLAGS INTERNALDATE RFC822.SIZE +flags" },
	{ "FULL", "FULL", false, "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY +header +tree +flags" },
	{ "a macro is no item of a list", "(ALL)", false, "bad" },
	{ "structures", "(BODY BODYSTRUCTURE)", false, "BODY BODYSTRUCTURE +tree" },
	{ "the message", "BODY[]", false, "BODY[] +seen" },
	{ "the message and no \\Seen", "BODY.PEEK[]", false, "BODY[]" },
	{ "a piece of it", "BODY[]<10.20>", false, "BODY[]<10> +seen" },
	{ "a piece of nothing", "BODY[]<10.0>", false, "bad" },
	{ "a piece without a length", "BODY[]<10>", false, "bad" },
	{ "its header", "BODY[HEADER]", false, "BODY[HEADER] +header +seen" },
	{ "its text", "BODY.PEEK[TEXT]", false, "BODY[TEXT] +header" },
	{ "some fields", "BODY.PEEK[HEADER.FIELDS (Date \"From\")]", false, "BODY[HEADER.FIELDS (Date From)] +header" },
	{ "a field's name that needs its quotes", "BODY.PEEK[HEADER.FIELDS (\"a b\")]", false,
		"BODY[HEADER.FIELDS (\"a b\")] +header" },
	{ "a field's name as a literal", "BODY.PEEK[HEADER.FIELDS ({4}\r\nDate)]", false,
		"BODY[HEADER.FIELDS (Date)] +header" },
	{ "all but some fields", "BODY.PEEK[HEADER.FIELDS.NOT (Date)]", false,
		"BODY[HEADER.FIELDS.NOT (Date)] +header" },
	{ "no fields", "BODY[HEADER.FIELDS ()]", false, "bad" },
	{ "fields without a list", "BODY[HEADER.FIELDS]", false, "bad" },
	{ "a part", "BODY[1]", false, "BODY[1] +tree +seen" },
	{ "a part's part", "BODY[4.2.1]", false, "BODY[4.2.1] +tree +seen" },
	{ "its header", "BODY[4.2.HEADER]", false, "BODY[4.2.HEADER] +tree +seen" },
	{ "its MIME header", "BODY[4.1.MIME]", false, "BODY[4.1.MIME] +tree +seen" },
	{ "some of its fields", "BODY[4.HEADER.FIELDS (Subject)]<0.5>", false,
		"BODY[4.HEADER.FIELDS (Subject)]<0> +tree +seen" },
	{ "MIME needs a part", "BODY[MIME]", false, "bad" },
	{ "no part is zero", "BODY[0]", false, "bad" },
	{ "a dot with nothing behind it", "BODY[1.]", false, "bad" },
	{ "nothing between dots", "BODY[1..2]", false, "bad" },
	{ "nothing between number and word", "BODY[1HEADER]", false, "bad" },
	{ "an unknown word", "BODY[BODY]", false, "bad" },
	{ "a bracket that does not close", "BODY[", false, "bad" },
	{ "old words for sections", "(RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE)", false,
		"RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE +header +seen" },
	{ "RFC822.HEADER sets no \\Seen", "RFC822.HEADER", false, "RFC822.HEADER +header" },
	{ "a part decoded", "BINARY[1.2]", false, "BINARY[1.2] +tree +seen" },
	{ "a piece of it", "BINARY[1]<5.6>", false, "BINARY[1]<5> +tree +seen" },
	{ "decoded and no \\Seen", "BINARY.PEEK[1]", false, "BINARY[1] +tree" },
	{ "the message, which has no encoding", "BINARY[]", false, "BINARY[] +seen" },
	{ "a part's decoded size", "(BINARY.SIZE[1] BINARY.SIZE[])", false, "BINARY.SIZE[1] BINARY.SIZE[] +tree" },
	{ "a size is never a piece's", "BINARY.SIZE[1]<0.1>", false, "bad" },
	{ "of what is decoded there is no header", "BINARY[1.MIME]", false, "bad" },
	{ "nor a text", "BINARY[TEXT]", false, "bad" },
	{ "an empty list", "()", false, "bad" },
	{ "a list that does not end", "(FLAGS", false, "bad" },
	{ "something behind it", "FLAGS UID", false, "bad" },
	{ "an unknown item", "COLOUR", false, "bad" },
	{ "a word that only begins like one", "FLAGSX", false, "bad" },
};

static void test_items(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena arena = { 0 };
		struct args a = { str_of(rows[i].text), &arena, false };
		struct items items;
		struct buf out = { 0 };

		if (imap_take_items(&a, &items, rows[i].uid) && args_end(&a))
			describe(&items, &out);
		else
			buf_printf(&out, "bad");
		if (!ok(str_eq(buf_str(&out), str_of(rows[i].items)), "%s", rows[i].what))
			printf("# " STR_FMT "\n", STR_ARG(buf_str(&out)));
		buf_free(&out);
		arena_free(&arena);
	}
}

/* "(" and `times` "word " and ")". */
static bool takes(const char *begin, const char *word, size_t times, const char *end)
{
	struct arena arena = { 0 };
	struct buf text = { 0 };
	struct items items;
	struct args a = { .arena = &arena };
	bool good;

	buf_printf(&text, "%s", begin);
	for (size_t i = 0; i < times; i++)
		buf_printf(&text, "%s%s", i ? " " : "", word);
	buf_printf(&text, "%s", end);
	a.left = buf_str(&text);
	good = imap_take_items(&a, &items, true) && args_end(&a);
	buf_free(&text);
	arena_free(&arena);
	return good;
}

static void test_limits(void)
{
	struct arena arena = { 0 };
	struct args a = { .arena = &arena };
	struct buf deep = { 0 };
	struct items items;

	ok(takes("(", "FLAGS", ITEMS_MAX - 1, ")"), "so many items, and the UID");
	ok(!takes("(", "FLAGS", ITEMS_MAX, ")"), "and no more");
	ok(takes("BODY[HEADER.FIELDS (", "x", NAMES_MAX, ")]"), "so many fields");
	ok(!takes("BODY[HEADER.FIELDS (", "x", NAMES_MAX + 1, ")]"), "and no more");
	for (int i = 0; i < SECTION_DEPTH_MAX; i++)
		buf_printf(&deep, "%s1", i ? "." : "BODY[");
	buf_printf(&deep, ".1]");
	a.left = buf_str(&deep);
	ok(!imap_take_items(&a, &items, false), "a part is not deeper than any message");
	buf_free(&deep);
	arena_free(&arena);
}

/* ---- fields ---- */

static void test_fields(void)
{
	static const char block[] = "Received: a\r\n\tb\r\nSubject: s\r\nno field\r\nreceived: c\r\nTo: t\r\n\r\n";
	struct str names[] = { STR("RECEIVED"), STR("to") };
	struct item item = { .fields = FIELDS_THESE, .names = names, .name_count = 2 };
	struct buf out = { 0 };

	imap_filter_fields(&item, STR(block), &out);
	ok(str_eq(buf_str(&out), STR("Received: a\r\n\tb\r\nreceived: c\r\nTo: t\r\n\r\n")),
		"those fields, folded lines and all, in their order, and an empty line");
	buf_clear(&out);
	item.fields = FIELDS_NOT_THESE;
	imap_filter_fields(&item, STR(block), &out);
	ok(str_eq(buf_str(&out), STR("Subject: s\r\nno field\r\n\r\n")), "all but those");
	buf_clear(&out);
	item.fields = FIELDS_THESE;
	imap_filter_fields(&item, STR("Subject: s\r\n"), &out);
	ok(str_eq(buf_str(&out), STR("\r\n")), "none of them: an empty line");
	buf_free(&out);
}

/* ---- structures ---- */

static const struct {
	const char *what, *message;
	bool extended;
	const char *structure;
} trees[] = {
	{ "a text (RFC 3501, 7.4.2)", "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\none\r\ntwo\r\n", false,
		"(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 10 2)" },
	{ "a message that says nothing of itself", "\r\nhello", false,
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 5 0)" },
	{ "the same with extension data", "\r\nhello", true,
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 5 0 NIL NIL NIL NIL)" },
	{ "what is no text has no lines",
		"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=\r\n", false,
		"(\"image\" \"png\" NIL NIL NIL \"base64\" 6)" },
	{ "a text and an attachment",
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
		"--b\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\none\r\n"
		"--b\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=cc.diff\r\n"
		"Content-ID: <960723163407.20117h@cac.washington.edu>\r\nContent-Description: Compiler diff\r\n"
		"Content-Transfer-Encoding: BASE64\r\n\r\naGVs\r\nbG8=\r\n--b--\r\n",
		false,
		"((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3 0)"
		"(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") "
		"\"<960723163407.20117h@cac.washington.edu>\" \"Compiler diff\" \"BASE64\" 10 1) \"mixed\")" },
	{ "all that extension data may be",
		"Content-Type: multipart/alternative; boundary=b\r\nContent-Language: en, de\r\n\r\n"
		"--b\r\nContent-Disposition: attachment; filename=\"a \\\"b\"\r\nContent-MD5: Q2hlY2s=\r\n"
		"Content-Location: http://a.test/\r\n\r\nx\r\n--b--",
		true,
		"((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 1 0 \"Q2hlY2s=\" "
		"(\"attachment\" (\"filename\" \"a \\\"b\")) NIL \"http://a.test/\") "
		"\"alternative\" (\"boundary\" \"b\") NIL (\"en\" \"de\") NIL)" },
	{ "a message within a message",
		"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\nFrom: a@b.test\r\n\r\nhello\r\n", false,
		"(\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" 41 (NIL \"inner\" ((NIL NIL \"a\" \"b.test\")) "
		"((NIL NIL \"a\" \"b.test\")) ((NIL NIL \"a\" \"b.test\")) NIL NIL NIL NIL NIL) "
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 7 1) 4)" },
	{ "a multipart within a multipart",
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/related; "
		"boundary=c\r\n\r\n"
		"--c\r\n\r\nx\r\n--c\r\n\r\ny\r\n--c--\r\n--b--",
		false,
		"(((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 1 0)"
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 1 0) \"related\") \"mixed\")" },
	{ "what is not ASCII goes as a literal", "Content-Type: text/plain; name=\"\xc3\xa4\"\r\n\r\n", false,
		"(\"text\" \"plain\" (\"name\" {2}\r\n\xc3\xa4) NIL NIL \"7BIT\" 0 0)" },
};

static void test_structures(void)
{
	for (size_t i = 0; i < sizeof(trees) / sizeof(*trees); i++) {
		struct arena arena = { 0 };
		struct mime *m = mime_new(&arena, &mime_limits);
		struct buf out = { 0 };

		mime_feed(m, trees[i].message, strlen(trees[i].message));
		imap_write_structure(&out, mime_end(m), trees[i].extended);
		if (!ok(str_eq(buf_str(&out), str_of(trees[i].structure)), "%s", trees[i].what))
			printf("# " STR_FMT "\n", STR_ARG(buf_str(&out)));
		buf_free(&out);
		arena_free(&arena);
	}
}

/* ---- envelopes ---- */

static const struct {
	const char *what, *header, *envelope;
} envelopes[] = {
	{ "the example of RFC 3501, 8",
		"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n"
		"Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n"
		"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
		"Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n",
		"(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" "
		"((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
		"((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
		"((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) "
		"((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL "
		"\"<B27397-0100000@cac.washington.edu>\")" },
	{ "nothing at all", "\r\n", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "a group", "To: friends: a@b.test, c@d.test;\r\n\r\n",
		"(NIL NIL NIL NIL NIL ((NIL NIL \"friends\" NIL)(NIL NIL \"a\" \"b.test\")"
		"(NIL NIL \"c\" \"d.test\")(NIL NIL NIL NIL)) NIL NIL NIL NIL)" },
	{ "a source route", "To: <@r.test:a@b.test>\r\n\r\n",
		"(NIL NIL NIL NIL NIL ((NIL \"@r.test\" \"a\" \"b.test\")) NIL NIL NIL NIL)" },
	{ "an empty subject is one", "Subject:\r\n\r\n", "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
};

static void test_envelopes(void)
{
	for (size_t i = 0; i < sizeof(envelopes) / sizeof(*envelopes); i++) {
		struct arena arena = { 0 };
		struct envelope e;
		struct buf out = { 0 };

		envelope_read(&arena, str_of(envelopes[i].header), 100, &e);
		imap_write_envelope(&out, &e);
		if (!ok(str_eq(buf_str(&out), str_of(envelopes[i].envelope)), "an envelope: %s", envelopes[i].what))
			printf("# " STR_FMT "\n", STR_ARG(buf_str(&out)));
		buf_free(&out);
		arena_free(&arena);
	}
}

int main(void)
{
	test_items();
	test_limits();
	test_fields();
	test_structures();
	test_envelopes();
	return done();
}
