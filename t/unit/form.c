/* The stored form of a message: encoded whole and byte by byte, and decoded to exactly what came. */
#include "storage/mail/form.h"
#include "t/tap.h"
#include <stdlib.h>

static const struct {
	const char *what, *wire, *stored;
	const char *shown; /* what a client sees; NULL: what came */
	size_t header;
} strict[] = {
	{ "lines end in LF", "A: b\r\n\r\nc\r\n", "A: b\n\nc\n", NULL, 6 },
	{ "nothing is nothing", "", "", NULL, 0 },
	{ "a message of one empty line has that header", "\r\n", "\n", NULL, 1 },
	{ "a message that is all header has all of it", "A: b\r\n", "A: b\n", NULL, 5 },
	{ "a last line is ended", "A: b\r\n\r\nc", "A: b\n\nc\n", "A: b\r\n\r\nc\r\n", 6 },
	{ "so is one of the header", "A", "A\n", "A\r\n", 2 },
	{ "a From line is quoted", "\r\nFrom x\r\n", "\n>From x\n", NULL, 1 },
	{ "a quoted one once more", "\r\n>From x\r\n>>>From x\r\n", "\n>>From x\n>>>>From x\n", NULL, 1 },
	{ "also in the header, also the first line", "From x\r\nA: b\r\n>From y\r\n\r\n", ">From x\nA: b\n>>From y\n\n",
		NULL, 23 },
	{ "what is not quite From is left alone", "\r\nFrom\r\nfrom x\r\n>Fromx\r\n >From x\r\n>\r\nFrom:x\r\n",
		"\nFrom\nfrom x\n>Fromx\n >From x\n>\nFrom:x\n", NULL, 1 },
	{ "From at the end of a line needs its space only", "\r\nFrom \r\n>From ", "\n>From \n>>From \n",
		"\r\nFrom \r\n>From \r\n", 1 },
	{ "the mailbox's own fields are removed",
		"X-UID: 1\r\nStatus: RO\r\nA: b\r\nX-Status: A\r\nX-Keywords: k\r\n"
		"X-IMAPbase: 1 2\r\nX-IMAP: 1 2\r\nX-Postern: clock=1\r\n\r\nc\r\n",
		"A: b\n\nc\n", "A: b\r\n\r\nc\r\n", 6 },
	{ "in any case, with white space before the colon", "x-uID \t : 1\r\nSTATUS:\r\nA: b\r\n", "A: b\n", "A: b\r\n",
		5 },
	{ "what is folded to them too", "X-Keywords: a\r\n b\r\n\t\r\nA: b\r\n c\r\n", "A: b\n c\n", "A: b\r\n c\r\n",
		8 },
	{ "also at the end of the message", "A: b\r\nX-UID: 1\r\n b", "A: b\n", "A: b\r\n", 5 },
	{ "all of a message may go so", "X-UID: 1", "", "", 0 },
	{ "fields of like names stay", "X-UIDL: 1\r\nX-U: 1\r\nStatus-x: 1\r\nX-Status2: a\r\nX-IMAPbas: 1\r\n",
		"X-UIDL: 1\nX-U: 1\nStatus-x: 1\nX-Status2: a\nX-IMAPbas: 1\n", NULL, 55 },
	{ "what is no field stays", "Status\r\nStatus of it\r\nX-UID\r\n X-UID: 1\r\n",
		"Status\nStatus of it\nX-UID\n X-UID: 1\n", NULL, 36 },
	{ "a colon in the 32nd byte makes a field", "Status                         : x\r\nA: b\r\n", "A: b\n",
		"A: b\r\n", 5 },
	{ "one in the 33rd does not", "Status                          : x\r\n",
		"Status                          : x\n", NULL, 36 },
	{ "behind the header all stays", "\r\nX-UID: 1\r\nStatus: RO\r\n", "\nX-UID: 1\nStatus: RO\n", NULL, 1 },
	{ "a folded line may come first", " a\r\nB: c\r\n", " a\nB: c\n", NULL, 8 },
	{ "a quoted field is none", ">X-UID: 1\r\n b\r\n", ">X-UID: 1\n b\n", NULL, 13 },
};

static const struct {
	const char *what;
	struct str wire;
	const char *stored; /* by the loose rule; NULL: refused */
} loose[] = {
	{ "a bare LF", { "A: b\n\nc\n", 8 }, "A: b\n\nc\n" },
	{ "a bare CR", { "A: b\r\rc\r", 8 }, "A: b\n\nc\n" },
	{ "a bare CR at the end", { "A: b\r", 5 }, "A: b\n" },
	{ "a bare LF behind a whole line end", { "A\r\n\nb", 5 }, "A\n\nb\n" },
	{ "two CRs before an LF", { "A\r\r\nb", 5 }, "A\n\nb\n" },
	{ "a CR, then text", { "A\rFrom b\r\n", 10 }, "A\n>From b\n" },
	{ "a NUL", { "A\0b\r\n", 5 }, NULL },
	{ "a NUL alone", { "\0", 1 }, NULL },
};

/* Encodes in pieces of `piece` bytes, each in memory of its own size so that a sanitizer sees one read too many. */
static enum err encode(struct form *f, struct str wire, size_t piece, struct buf *out)
{
	enum err e = OK;

	for (size_t at = 0; at < wire.len && !e; at += piece) {
		size_t len = wire.len - at < piece ? wire.len - at : piece;
		char *copy = memcpy(malloc(len), wire.p + at, len);

		e = form_feed(f, (struct str){ copy, len }, out);
		free(copy);
	}
	return e ? e : form_end(f, out);
}

static void decode(struct str stored, size_t piece, struct buf *out)
{
	struct buf kept = { 0 };
	bool at_line_start = true;

	for (size_t at = 0; at < stored.len; at += piece) {
		size_t len = stored.len - at < piece ? stored.len - at : piece;

		buf_add(&kept, stored.p + at, len);
		buf_take(&kept, form_decode(buf_str(&kept), &at_line_start, at + len == stored.len, out));
		if (buf_len(&kept) > 5)
			ok(false, "no more than 5 bytes are kept back");
	}
	if (buf_len(&kept))
		ok(false, "the end is taken");
	buf_free(&kept);
}

static size_t count(struct str s, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.p[i] == c;
	return n;
}

/* One message, cut into pieces of one size: what is stored, what is shown, and their sizes. */
static bool round_trip(struct str wire, size_t piece, struct str stored, struct str shown, size_t header)
{
	struct form f = { .rule = FORM_STRICT };
	struct buf out = { 0 }, back = { 0 }, head = { 0 };
	bool good = !encode(&f, wire, piece, &out) && str_eq(buf_str(&out), stored);

	decode(stored, piece, &back);
	decode(str_cut(stored, 0, header), piece, &head);
	good = good && str_eq(buf_str(&back), shown) && f.size.stored == stored.len && f.size.wire == shown.len &&
	       f.size.header == header && f.size.wire_header == buf_len(&head) && f.size.lines == count(stored, '\n');
	form_free(&f);
	buf_free(&out);
	buf_free(&back);
	buf_free(&head);
	return good;
}

static void test_strict(void)
{
	static const size_t pieces[] = { 100000, 1, 2, 3, 7, 31 };

	for (size_t i = 0; i < sizeof(strict) / sizeof(strict[0]); i++) {
		struct str wire = str_of(strict[i].wire);
		struct str shown = strict[i].shown ? str_of(strict[i].shown) : wire;
		bool good = true;

		for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++)
			good = good && round_trip(wire, pieces[p], str_of(strict[i].stored), shown, strict[i].header);
		ok(good, "%s", strict[i].what);
	}
}

static void test_loose(void)
{
	for (size_t i = 0; i < sizeof(loose) / sizeof(loose[0]); i++)
		for (size_t piece = 1; piece < 12; piece += 10) {
			struct form f = { .rule = FORM_STRICT }, g = { .rule = FORM_NORMALISE };
			struct buf out = { 0 };

			ok(encode(&f, loose[i].wire, piece, &out) == ERR_MISTAKE, "strictly, %s is a mistake",
				loose[i].what);
			buf_clear(&out);
			if (loose[i].stored)
				ok(!encode(&g, loose[i].wire, piece, &out) &&
						str_eq(buf_str(&out), str_of(loose[i].stored)),
					"loosely, %s is a line end", loose[i].what);
			else
				ok(encode(&g, loose[i].wire, piece, &out) == ERR_MISTAKE, "loosely, %s is too",
					loose[i].what);
			form_free(&f);
			form_free(&g);
			buf_free(&out);
		}
}

static void test_mistake_stays(void)
{
	struct form f = { .rule = FORM_STRICT };
	struct buf out = { 0 };

	ok(form_feed(&f, STR("a\nb"), &out) == ERR_MISTAKE && form_feed(&f, STR("c\r\n"), &out) == ERR_MISTAKE &&
			form_end(&f, &out) == ERR_MISTAKE,
		"after a mistake nothing makes it good");
	form_free(&f);
	buf_free(&out);
}

/* A run of '>' may be longer than any piece: it is neither kept nor counted wrong. */
static void test_long_run(void)
{
	struct buf wire = { 0 }, stored = { 0 };

	buf_add(&wire, "\r\n", 2);
	buf_add(&stored, "\n>", 2);
	for (int i = 0; i < 10000; i++) {
		buf_add_char(&wire, '>');
		buf_add_char(&stored, '>');
	}
	buf_add_str(&wire, STR("From x\r\n"));
	buf_add_str(&stored, STR("From x\n"));
	ok(round_trip(buf_str(&wire), 1000, buf_str(&stored), buf_str(&wire), 1),
		"10,000 '>' before From become 10,001");
	buf_free(&wire);
	buf_free(&stored);
}

/* What other programs stored. */
static void test_crlf(void)
{
	static const struct {
		const char *stored, *shown;
	} rows[] = {
		{ "a\r\nb\n\r\n\n", "a\r\nb\r\n\r\n\r\n" },
		{ "\r\r\n\rb\r\n", "\r\r\n\rb\r\n" },
		{ "\r>From a\r\n>From b\r", "\r>From a\r\nFrom b\r" },
		{ ">\r\n>From c\r\n>>\r", ">\r\nFrom c\r\n>>\r" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t piece = 1; piece < 30; piece += piece < 4 ? 1 : 25) {
			struct buf out = { 0 };

			decode(str_of(rows[i].stored), piece, &out);
			ok(str_eq(buf_str(&out), str_of(rows[i].shown)), "CRLF is shown as it is: %zu in pieces of %zu",
				i, piece);
			buf_free(&out);
		}
}

int main(void)
{
	test_crlf();
	test_strict();
	test_loose();
	test_mistake_stays();
	test_long_run();
	return done();
}
