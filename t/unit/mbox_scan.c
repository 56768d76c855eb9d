/* Reading mboxes, ours and others': every message is found, with its place, its sizes and what its fields say. */
#include "storage/mailbox/mbox.h"
#include "t/tap.h"
#include <inttypes.h>
#include <stdlib.h>

#define MARK      "From a@b Thu Jan  1 00:00:07 1970\n" /* 34 bytes */
#define LENGTH(n) MARK "Content-Length: " #n "\n\n"
#define LONG      "c\n\n" MARK "\nd\n"             /* 40 bytes */
#define OURS      "X-UID: 1\nX-Postern: clock=a\n" /* 28 bytes */
#define OURS2     "X-UID: 2\nX-Postern: clock=b\n"

/* Told, in one string: "B uidvalidity last_uid id generation" and for each message
 * "offset+prefix+stored uid flags keywords clock date header wire". */
static void on_base(void *user, const struct mbox_base *b, struct keywords *k)
{
	buf_printf(user, "B %" PRIu32 " %" PRIu32 " %" PRIx64 " %" PRIu32 " %u;", b->uidvalidity, b->last_uid, b->id,
		b->generation, k->count);
}

static void on_message(void *user, const struct message *m)
{
	buf_printf(user,
		"%" PRIu64 "+%" PRIu32 "+%" PRIu32 " %" PRIu32 " %" PRIx32 " %" PRIx64 " %" PRIx64 " %" PRId64
		" %" PRIu32 " %" PRIu32 ";",
		m->offset, m->prefix, m->stored, m->uid, m->flags, m->keywords, m->clock, m->date, m->header, m->wire);
}

static struct str whole; /* the file that is read */

static bool may_end(void *user, uint64_t at)
{
	(void)user;
	return at && at <= whole.len && mbox_may_end(str_cut(whole, at - 1, whole.len), true);
}

static const struct mbox_scan_events events = { on_base, on_message, false, may_end };

/* Feeds a file in pieces of one size, each in memory of its own so that a sanitizer sees one read too many. */
static enum err scan(struct str file, uint64_t offset, size_t piece, struct buf *told)
{
	struct keywords k = { 0 };
	struct mbox_scan *s = mbox_scan_new(offset, &k, &events, told);
	enum err e = OK, end;

	whole = file;
	for (size_t at = 0; at < file.len && !e; at += piece) {
		size_t len = file.len - at < piece ? file.len - at : piece;
		char *copy = memcpy(malloc(len), file.p + at, len);

		e = mbox_scan_feed(s, (struct str){ copy, len });
		free(copy);
	}
	end = mbox_scan_end(s);
	mbox_scan_free(s);
	return e ? e : end;
}

static const struct {
	const char *what, *file;
	const char *told; /* NULL: no mbox */
} rows[] = {
	{ "an empty file has no messages", "", "" },
	{ "one message", MARK OURS "A: b\n\nc\n\n", "0+62+8 1 0 0 a 7 6 11;" },
	{ "one of nothing", MARK OURS "\n", "0+62+0 1 0 0 a 7 0 0;" },
	{ "one that is all header", MARK OURS "A: b\n\n", "0+62+5 1 0 0 a 7 5 6;" },
	{ "one that ends with its header's empty line", MARK OURS "A: b\n\n\n", "0+62+6 1 0 0 a 7 6 8;" },
	{ "one that ends with empty lines", MARK OURS "\n\n\n\n", "0+62+3 1 0 0 a 7 1 6;" },
	{ "two messages", MARK OURS "A: b\n\nc\n\n" MARK OURS2 "\nd\n\n",
		"0+62+8 1 0 0 a 7 6 11;71+62+3 2 0 0 b 7 1 5;" },
	{ "two of nothing", MARK OURS "\n" MARK OURS2 "\n", "0+62+0 1 0 0 a 7 0 0;63+62+0 2 0 0 b 7 0 0;" },
	{ "quoted lines are one byte less on the wire", MARK OURS "\n>From a\n>>>From b\n>Fromage\n>>\n\n",
		"0+62+31 1 0 0 a 7 1 34;" },
	{ "also in the header", MARK OURS ">From a\n\n\n", "0+62+9 1 0 0 a 7 9 10;" },
	{ "a From line that is no postmark is text", MARK OURS "\nFrom afar\n\nFrom near\n\n",
		"0+62+22 1 0 0 a 7 1 26;" },
	{ "a postmark without an empty line before it is text", MARK OURS "\nc\n" MARK "\n",
		"0+62+37 1 0 0 a 7 1 40;" },
	{ "every flag", MARK "X-UID: 9\nStatus: RO\nX-Status: AFTD\nX-Postern: clock=a\n\n", "0+88+0 9 1f 0 a 7 0 0;" },
	{ "keywords", MARK "X-Keywords: x y\nX-Postern: clock=1\n\n\n" MARK "X-Keywords: y z\nX-Postern: clock=1\n\n",
		"0+69+1 0 0 3 1 7 1 2;71+69+0 0 0 6 1 7 0 0;" },
	{ "the base",
		MARK "X-IMAPbase: 5 0000000009 x y\nX-UID: 1\nX-Keywords: y\nX-Postern: clock=a id=ff generation=3\n\n",
		"B 5 9 ff 3 2;0+124+0 1 0 2 a 7 0 0;" },
	{ "a base of a later message is none", MARK OURS "\n" MARK "X-IMAPbase: 5 9 x\n" OURS2 "\n",
		"0+62+0 1 0 0 a 7 0 0;63+80+0 2 0 0 b 7 0 0;" },
	{ "where it stands in a place of its own, that is no message",
		MARK "Subject: no message\nX-IMAP: 5 0000000009 x y\nStatus: RO\n\nb\n\n" MARK "X-UID: 8\n\nc\n\n",
		"B 5 9 0 0 2;94+43+3 8 0 0 0 7 1 5;" },
	{ "nor has an mbox of nothing else any", MARK "X-IMAP: 5 9\n\nb\n\n", "B 5 9 0 0 0;" },
	{ "a base without numbers is none", MARK "X-IMAPbase: x 5\n" OURS "\n", "0+78+0 1 0 0 a 7 0 0;" },
	{ "the prefix ends with X-Postern, whatever follows", MARK OURS " folded\nStatus: R\n\n\n",
		"0+62+19 1 1 0 a 7 19 22;" },
	{ "a message may begin with what looks folded", MARK OURS "\t\n\n\n", "0+62+3 1 0 0 a 7 3 5;" },
	{ "a foreign message has its postmark for prefix", MARK "A: b\n\nc\n\n", "0+34+8 0 0 0 0 7 6 11;" },
	{ "its fields are read wherever they stand in the header",
		MARK "A: b\nX-UID: 3\nStatus: O\nX-Status: F\n\nc\n\n", "0+34+39 3 4 0 0 7 37 45;" },
	{ "but not behind it", MARK "\nStatus: R\n\n", "0+34+11 0 0 0 0 7 1 13;" },
	{ "those right behind the postmark are prefix, folded lines too",
		MARK "X-Keywords: x\n y\nStatus: RO\nA: b\n\n\n", "0+62+6 0 1 3 0 7 6 8;" },
	{ "UIDs grow, or are none, and their fields no prefix",
		MARK OURS2 "\n" MARK OURS "\n" MARK OURS2 "\n" MARK "X-UID: 3\n\n",
		"0+62+0 2 0 0 b 7 0 0;63+34+28 0 0 0 a 7 28 30;126+34+28 0 0 0 b 7 28 30;189+43+0 3 0 0 0 7 0 0;" },
	{ "an X-UID that is no number is no prefix either", MARK "X-UID: x\nX-Postern: clock=a\n>From b\n\nc\n\n",
		"0+34+39 0 0 0 a 7 37 43;" },
	{ "a second X-UID likewise", MARK "X-UID: 1\nX-UID: 1\nA: b\n\n", "0+34+23 1 0 0 0 7 23 26;" },
	{ "a field that is cut off is no prefix", MARK "X-UID: 1\nX-Postern: clock=a", "0+43+18 1 0 0 a 7 18 18;" },
	{ "nonsense in fields is passed over",
		MARK "Status: zzz\nX-Keywords: \\a (b)\nX-Postern: clock=x id generation=\n\n",
		"0+99+0 0 0 0 0 7 0 0;" },
	{ "a Content-Length that ends before a postmark is believed", LENGTH(40) LONG "\n" MARK "\nx\n\n",
		"0+34+60 0 0 0 0 7 20 67;95+34+3 0 0 0 0 7 1 5;" },
	{ "also without an empty line there", LENGTH(40) LONG MARK "\nx\n\n",
		"0+34+60 0 0 0 0 7 20 67;94+34+3 0 0 0 0 7 1 5;" },
	{ "or before the end", LENGTH(40) LONG "\n", "0+34+60 0 0 0 0 7 20 67;" },
	{ "with or without an empty line", LENGTH(40) LONG, "0+34+60 0 0 0 0 7 20 67;" },
	{ "one that ends elsewhere is not", LENGTH(39) LONG "\n" MARK "\nx\n\n",
		"0+34+22 0 0 0 0 7 20 25;57+34+3 0 0 0 0 7 1 5;95+34+3 0 0 0 0 7 1 5;" },
	{ "nor one that is too large", LENGTH(99999999999999999999) LONG,
		"0+34+40 0 0 0 0 7 38 43;75+34+3 0 0 0 0 7 1 5;" },
	{ "nor one behind the file's end", LENGTH(4000) LONG, "0+34+24 0 0 0 0 7 22 27;59+34+3 0 0 0 0 7 1 5;" },
	{ "its text may have a header in it", LENGTH(45) "c\n\n" MARK "A: b\n\nd\n\n" MARK "\nx\n\n",
		"0+34+65 0 0 0 0 7 20 73;100+34+3 0 0 0 0 7 1 5;" },
	{ "but not a message of ours", LENGTH(69) "c\n\n" MARK OURS2 "\nd\n\n" MARK "\nx\n\n",
		"0+34+22 0 0 0 0 7 20 25;57+62+3 2 0 0 b 7 1 5;123+34+3 0 0 0 0 7 1 5;" },
	{ "nor several", LENGTH(135) "c\n\n" MARK OURS "\nd\n\n" MARK OURS2 "\ne\n\n",
		"0+34+23 0 0 0 0 7 21 26;58+62+3 1 0 0 a 7 1 5;124+62+3 2 0 0 b 7 1 5;" },
	{ "nor one before which another program put a field",
		LENGTH(92) "c\n\n" MARK "X-Mozilla-Status: 0001\n" OURS2 "\nd\n\n" MARK "\nx\n\n",
		"0+34+22 0 0 0 0 7 20 25;57+34+54 2 0 0 b 7 52 59;146+34+3 0 0 0 0 7 1 5;" },
	{ "nor one without an empty line before it", LENGTH(68) "c\n" MARK OURS2 "\nd\n\n" MARK "\nx\n\n",
		"0+34+22 0 0 0 0 7 20 25;56+62+3 2 0 0 b 7 1 5;122+34+3 0 0 0 0 7 1 5;" },
	{ "nor one behind another postmark", LENGTH(103) "c\n\n" MARK MARK OURS2 "\nd\n\n" MARK "\nx\n\n",
		"0+34+58 0 0 0 0 7 21 63;92+62+3 2 0 0 b 7 1 5;158+34+3 0 0 0 0 7 1 5;" },
	{ "nor one in CRLF",
		LENGTH(75) "c\n\nFrom a@b Thu Jan  1 00:00:07 1970\r\nX-UID: 2\r\nX-Postern: clock=b\r\n\r\nd\r\n\r\n",
		"0+34+22 0 0 0 0 7 20 25;57+65+5 2 0 0 b 7 2 5;" },
	{ "nor one behind a hole", LENGTH(73) "c\n\nHHHH" MARK OURS2 "\nd\n\n" MARK "\nx\n\n",
		"0+34+22 0 0 0 0 7 20 25;61+62+3 2 0 0 b 7 1 5;127+34+3 0 0 0 0 7 1 5;" },
	{ "an X-Postern behind the header says nothing", LENGTH(66) "c\n\n" MARK "\n" OURS "\n" MARK "\nx\n\n",
		"0+34+86 0 0 0 0 7 20 94;121+34+3 0 0 0 0 7 1 5;" },
	{ "a message of ours does not believe its own, with a field of another program before X-UID",
		MARK "X-Mozilla-Status: 0001\n" OURS "Content-Length: 40\n\n" LONG,
		"0+34+73 1 0 0 a 7 71 79;108+34+3 0 0 0 0 7 1 5;" },
	{ "nor what a message of ours says", MARK OURS "Content-Length: 40\n\n" LONG,
		"0+62+22 1 0 0 a 7 20 25;85+34+3 0 0 0 0 7 1 5;" },
	{ "the last may lack its empty line", MARK OURS "\nc\n", "0+62+3 1 0 0 a 7 1 5;" },
	{ "and its line end", MARK OURS "\nc", "0+62+2 1 0 0 a 7 1 3;" },
	{ "even a quoted one's", MARK OURS "\n>From c", "0+62+8 1 0 0 a 7 1 8;" },
	{ "a postmark that is cut off is text", MARK OURS "\nc\n\nFrom a@b Thu Jan  1 00:00:07 1970",
		"0+62+37 1 0 0 a 7 1 40;" },
	{ "what is before the first postmark is passed over", "A: b\n\n" MARK "\n", "6+34+0 0 0 0 0 7 0 0;" },
	{ "an empty line too", "\n" MARK "\n", "1+34+0 0 0 0 0 7 0 0;" },
	{ "a first postmark that is damaged costs its message",
		"Xrom a@b Thu Jan  1 00:00:07 1970\n" OURS "\nc\n\n" MARK OURS2 "\nd\n\n", "66+62+3 2 0 0 b 7 1 5;" },
	{ "a hole between two messages is of neither", MARK OURS "\nc\n\nHHHH" MARK OURS2 "\nd\n\n",
		"0+62+3 1 0 0 a 7 1 5;70+62+3 2 0 0 b 7 1 5;" },
	{ "NULs elsewhere are text", MARK OURS "\nHH\n\nHHc\n\n", "0+62+9 1 0 0 a 7 1 13;" },
	{ "lines may end in CRLF, which is not told twice",
		"From a@b Thu Jan  1 00:00:07 1970\r\nA: b\r\n\r\nc\r\n\r\n"
		"From a@b Thu Jan  1 00:00:07 1970\r\nStatus: R\r\n\r\n>From d\r\n\r\n",
		"0+35+11 0 0 0 0 7 8 11;48+46+11 0 1 0 0 7 2 10;" },
	{ "some of them, too", MARK "A: b\r\n\nc\r\nd\n\r\n" MARK "\r\n\n",
		"0+34+12 0 0 0 0 7 7 14;48+34+2 0 0 0 0 7 2 2;" },
	{ "and the last may lack its LF", MARK "\nc\r", "0+34+3 0 0 0 0 7 1 4;" },
	{ "others' messages may lack the empty line behind them", MARK "\nc\n" MARK "A: b\n\nd\n\n" MARK "\n",
		"0+34+3 0 0 0 0 7 1 5;37+34+8 0 0 0 0 7 6 11;80+34+0 0 0 0 0 7 0 0;" },
	{ "also with CRLF", MARK "\r\nc\r\nFrom a@b Thu Jan  1 00:00:07 1970\r\nA: b\r\n\r\n",
		"0+34+5 0 0 0 0 7 2 5;39+35+6 0 0 0 0 7 6 6;" },
	{ "but only before a field", MARK "\nc\n" MARK "d\n\n", "0+34+39 0 0 0 0 7 1 43;" },
	{ "and behind a postmark with a plain sender", MARK "\nc\nFrom a b Thu Jan  1 00:00:07 1970\nA: b\n\n",
		"0+34+42 0 0 0 0 7 1 46;" },
	{ "in ours it would be quoted", MARK OURS "\nc\n" MARK "A: b\n\n", "0+62+42 1 0 0 a 7 1 46;" },
	{ "a file without a message is no mbox", "A: b\n\nc\n", NULL },
	{ "nor one of half a postmark", "From a@b Thu Jan", NULL },
};

static void test_rows(void)
{
	static const size_t pieces[] = { 100000, 1, 2, 3, 5, 17 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool good = true;

		for (size_t p = 0; good && p < sizeof(pieces) / sizeof(pieces[0]); p++) {
			struct buf told = { 0 }, file = { 0 };
			enum err e;

			buf_add_str(&file, str_of(rows[i].file)); /* H stands for NUL */
			for (size_t n = 0; n < buf_len(&file); n++)
				if (buf_data(&file)[n] == 'H')
					buf_data(&file)[n] = '\0';
			e = scan(buf_str(&file), 0, pieces[p], &told);
			buf_free(&file);

			good = rows[i].told ? !e && str_eq(buf_str(&told), str_of(rows[i].told)) : e == ERR_NEVER;
			if (!good)
				printf("# in pieces of %zu: " STR_FMT "\n", pieces[p], STR_ARG(buf_str(&told)));
			buf_free(&told);
		}
		ok(good, "%s", rows[i].what);
	}
}

static void test_offset(void)
{
	struct buf told = { 0 };

	ok(!scan(STR(MARK "X-IMAPbase: 5 9 x\n" OURS2 "\n"), 1000, 7, &told) &&
			str_eq(buf_str(&told), STR("1000+80+0 2 0 0 b 7 0 0;")),
		"reading may begin at any message; only the first of the file has a base");
	buf_free(&told);
}

/* Lines longer than is looked at give the same in one piece and in many. */
static void test_long_lines(void)
{
	static const size_t pieces[] = { 1 << 20, 4096, 999 };

	for (int kind = 0; kind < 4; kind++) {
		static const char *const what[] = { "a field with 40 KB before its colon is none",
			"a keyword of 40 KB is none", "40,000 '>' before From are a quote",
			"a postmark behind 40 KB of name is text" };
		static const char *const wants[] = { "0+62+40008 1 0 0 a 7 40008 40009;", "0+40049+0 0 0 1 0 7 0 0;",
			"0+62+40008 1 0 0 a 7 1 40009;", "0+62+40033 1 0 0 a 7 1 40036;" };
		struct buf file = { 0 }, run = { 0 };
		bool good = true;

		for (int i = 0; i < 40000; i++)
			buf_add_char(&run, " a>a"[kind]);
		buf_add_str(&file, STR(MARK));
		if (kind == 0)
			buf_printf(&file, OURS "Status" STR_FMT ":\n\n", STR_ARG(buf_str(&run)));
		else if (kind == 1)
			buf_printf(&file, "X-Keywords: x " STR_FMT "\n\n", STR_ARG(buf_str(&run)));
		else if (kind == 2)
			buf_printf(&file, OURS "\n" STR_FMT "From x\n\n", STR_ARG(buf_str(&run)));
		else
			buf_printf(&file, OURS "\n\nFrom " STR_FMT " Thu Jan  1 00:00:07 1970\n\n",
				STR_ARG(buf_str(&run)));
		for (size_t p = 0; good && p < sizeof(pieces) / sizeof(pieces[0]); p++) {
			struct buf told = { 0 };

			good = !scan(buf_str(&file), 0, pieces[p], &told) &&
			       str_eq(buf_str(&told), str_of(wants[kind]));
			if (!good)
				printf("# in pieces of %zu: " STR_FMT "\n", pieces[p], STR_ARG(buf_str(&told)));
			buf_free(&told);
		}
		ok(good, "%s", what[kind]);
		buf_free(&run);
		buf_free(&file);
	}
}

/* A foreign prefix may be as long as anybody likes; what is kept of it is not. */
static void test_long_prefix(void)
{
	struct buf file = { 0 }, told = { 0 };

	buf_add_str(&file, STR(MARK));
	for (int i = 0; i < 10000; i++)
		buf_add_str(&file, STR("Status: R\n"));
	buf_add_str(&file, STR("\n\n"));
	ok(!scan(buf_str(&file), 0, 4096, &told) && str_eq(buf_str(&told), STR("0+65534+34501 0 1 0 0 7 34501 37952;")),
		"a prefix ends within 64 KiB");
	buf_free(&file);
	buf_free(&told);
}

int main(void)
{
	test_rows();
	test_offset();
	test_long_lines();
	test_long_prefix();
	return done();
}
