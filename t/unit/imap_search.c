/* SEARCH: programs compiled from what a client says, and what they find (RFC 3501, 6.4.4). */
#include "protocols/imap/imap_search_key.h"
#include "t/tap.h"

#define DAY  86400
#define NOON (DAY / 2)

/* Five made-up messages, UIDs 10, 20 ... 50; the mailbox knows the keywords work (bit 0) and $Junk (bit 1). */
static const struct message messages[] = {
	{ .uid = 10, .flags = FLAG_SEEN, .date = 9 * DAY + NOON, .wire = 100 },
	{ .uid = 20, .flags = FLAG_SEEN | FLAG_ANSWERED, .keywords = 1, .date = 10 * DAY, .wire = 200 },
	{ .uid = 30, .flags = FLAG_FLAGGED, .keywords = 3, .date = 10 * DAY + NOON, .wire = 300 },
	{ .uid = 40, .flags = FLAG_DELETED | FLAG_DRAFT, .date = 11 * DAY - 1, .wire = 400 },
	{ .uid = 50, .flags = 0, .date = 11 * DAY, .wire = 500 },
};
#define MESSAGES 5
#define RECENT   4 /* from this number on */

static uint64_t bits_of(const void *user, struct str word)
{
	(void)user;
	return str_eq_nocase(word, STR("work")) ? 1 : str_eq_nocase(word, STR("$junk")) ? 2 : 0;
}

/* The numbers of those found, "1 3"; of those not decided without reading them, "2?"; "bad" if it cannot be compiled. */
static void find(const char *text, char out[32])
{
	struct arena arena = { 0 };
	struct args a = { str_of(text), &arena, false };
	struct search_program p;
	size_t len = 0;

	out[0] = '\0';
	if (!search_compile(&a, STR("utf-8"), &p)) {
		snprintf(out, 32, "bad");
		arena_free(&arena);
		return;
	}
	search_bind(&p, MESSAGES, messages[MESSAGES - 1].uid, bits_of, NULL);
	for (uint32_t seq = 1; seq <= MESSAGES; seq++) {
		struct search_subject subject = { .seq = seq, .recent = seq >= RECENT, .message = &messages[seq - 1] };

		enum truth fits = search_fits(&p, &subject);

		if (fits != NO)
			len += (size_t)snprintf(
				out + len, 32 - len, "%s%u%s", len ? " " : "", seq, fits == MAYBE ? "?" : "");
	}
	arena_free(&arena);
}

static const struct {
	const char *what, *program, *found;
} rows[] = {
	{ "all there is", "ALL", "1 2 3 4 5" },
	{ "a flag", "SEEN", "1 2" },
	{ "in any case of letters", "seen", "1 2" },
	{ "a flag that is not set", "UNSEEN", "3 4 5" },
	{ "each other flag", "OR ANSWERED OR FLAGGED OR DELETED DRAFT", "2 3 4" },
	{ "and without them", "UNANSWERED UNFLAGGED UNDELETED UNDRAFT", "1 5" },
	{ "recent ones", "RECENT", "4 5" },
	{ "old ones", "OLD", "1 2 3" },
	{ "new ones are recent and not seen", "NEW", "4 5" },
	{ "a keyword, in any case", "KEYWORD WORK", "2 3" },
	{ "one that nobody knows", "KEYWORD unknown", "" },
	{ "without a keyword", "UNKEYWORD $Junk", "1 2 4 5" },
	{ "without one that nobody knows", "UNKEYWORD unknown", "1 2 3 4 5" },
	{ "numbers", "2:3,5", "2 3 5" },
	{ "numbers the other way round, and twice", "3:2,2", "2 3" },
	{ "the last one", "*", "5" },
	{ "numbers beyond the last mean it too, with *", "9:*", "5" },
	{ "UIDs", "UID 15:35", "2 3" },
	{ "UIDs up to the last", "UID 40:*", "4 5" },
	{ "UIDs beyond the last", "UID 99:*", "5" },
	{ "before a day", "BEFORE 11-Jan-1970", "1" },
	{ "on a day, from its first second to its last", "ON 11-Jan-1970", "2 3 4" },
	{ "since a day", "SINCE \"12-Jan-1970\"", "5" },
	{ "larger", "LARGER 300", "4 5" },
	{ "smaller", "SMALLER 300", "1 2" },
	{ "keys side by side all hold", "UNSEEN LARGER 300 UNDELETED", "5" },
	{ "not", "NOT SEEN", "3 4 5" },
	{ "not not", "NOT NOT SEEN", "1 2" },
	{ "or takes two", "OR SEEN FLAGGED", "1 2 3" },
	{ "and no more", "OR SEEN FLAGGED UNANSWERED", "1 3" },
	{ "or within or", "OR OR 1 2 OR 3 4", "1 2 3 4" },
	{ "not of an or", "NOT OR SEEN FLAGGED", "4 5" },
	{ "or with not on either side", "OR NOT SEEN NOT ANSWERED", "1 3 4 5" },
	{ "parentheses", "(SEEN)", "1 2" },
	{ "not of parentheses", "NOT (SEEN UNANSWERED)", "2 3 4 5" },
	{ "or of parentheses", "OR (SEEN ANSWERED) (UNSEEN FLAGGED)", "2 3" },
	{ "parentheses within parentheses", "((1:4) (2:5 (3:4)))", "3 4" },
	{ "what follows parentheses holds too", "(1:3) NOT 2 (OR 3 4)", "3" },
	{ "what is not read yet is not found", "SUBJECT a", "1? 2? 3? 4? 5?" },
	{ "and not ruled out", "NOT SUBJECT a", "1? 2? 3? 4? 5?" },
	{ "unless flags rule it out", "SUBJECT a SEEN", "1? 2?" },
	{ "or make it irrelevant", "OR TEXT a SEEN", "1 2 3? 4? 5?" },
	{ "not of what is not known", "NOT (BODY a FLAGGED)", "1 2 3? 4 5" },
	{ "a sender's date is read, too", "SENTON 1-Jan-2020 1", "1?" },
	{ "nothing is no program", "", "bad" },
	{ "empty parentheses", "()", "bad" },
	{ "parentheses that do not end", "(SEEN", "bad" },
	{ "or begin", "SEEN)", "bad" },
	{ "or with one operand", "OR SEEN", "bad" },
	{ "or that a parenthesis cuts short", "(OR SEEN) ALL", "bad" },
	{ "not of nothing", "NOT", "bad" },
	{ "not of nothing, with a space", "NOT ", "bad" },
	{ "an unknown key", "SHINY", "bad" },
	{ "no number is zero", "0", "bad" },
	{ "a day that is none", "ON 31-Feb-2020", "bad" },
	{ "no text", "SUBJECT", "bad" },
	{ "a field and no text", "HEADER Subject", "bad" },
	{ "a text that is a list", "BODY (a)", "bad" },
	{ "two spaces", "SEEN  ALL", "bad" },
	{ "a space at the end", "SEEN ", "bad" },
};

/* head and the key `times`, then tail. */
static bool compiles(const char *head, const char *again, size_t times, const char *tail, size_t closing)
{
	static char text[16384];
	struct arena arena = { 0 };
	struct search_program p;
	struct args a = { .arena = &arena };
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", head);
	bool good;

	while (times--)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", again);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", tail);
	while (closing--)
		text[len++] = ')';
	a.left = (struct str){ text, len };
	if ((good = search_compile(&a, STR("utf-8"), &p))) {
		struct search_subject subject = { .seq = 1, .message = &messages[0] };

		search_bind(&p, MESSAGES, 50, bits_of, NULL);
		search_fits(&p, &subject); /* under a sanitizer: the stack is large enough */
	}
	arena_free(&arena);
	return good;
}

/* Which of the messages, told by their headers, a program finds once it has seen them. */
static void test_headers(void)
{
	static const struct {
		const char *program, *header;
		enum truth fits;
	} seen[] = {
		{ "SUBJECT b", "Subject: abc\r\n\r\n", YES },
		{ "SUBJECT b", "X: abc\r\n\r\n", NO },
		{ "TEXT b", "X: abc\r\n\r\n", YES },
		{ "TEXT b", "X: ac\r\n\r\n", MAYBE },
		{ "BODY b", "X: b\r\n\r\n", MAYBE },
		{ "BODY b SUBJECT c", "Subject: b\r\n\r\n", NO },
		{ "OR BODY b SUBJECT c", "Subject: c\r\n\r\n", YES },
		{ "SENTON 1-Jan-2020", "Date: Wed, 1 Jan 2020 23:59:59 -1200\r\n\r\n", YES },
		{ "SENTON 1-Jan-2020", "Date: never\r\n\r\n", NO },
		{ "SENTBEFORE 2-Jan-2020", "Date: 1 Jan 2020\r\n\r\n", YES },
		{ "SENTSINCE 2-Jan-2020", "Date: 1 Jan 2020\r\n\r\n", NO },
		{ "NOT SENTSINCE 2-Jan-2020", "\r\n", YES },
	};

	for (size_t i = 0; i < sizeof(seen) / sizeof(*seen); i++) {
		struct search_subject subject = { .seq = 1, .message = &messages[0] };
		struct arena arena = { 0 };
		struct args a = { str_of(seen[i].program), &arena, false };
		struct search_program p;

		search_compile(&a, STR("utf-8"), &p);
		search_begin(&p, &subject);
		search_see_header(&p, &subject, str_of(seen[i].header));
		ok(search_fits(&p, &subject) == seen[i].fits, "%s in %.*s", seen[i].program,
			(int)strcspn(seen[i].header, "\r"), seen[i].header);
		arena_free(&arena);
	}
}

static void test_limits(void)
{
	ok(compiles("", "NOT ", SEARCH_DEPTH_MAX, "SEEN", 0), "so many NOTs may stand one before the other");
	ok(!compiles("", "NOT ", SEARCH_DEPTH_MAX + 1, "SEEN", 0), "and no more");
	ok(compiles("", "(", SEARCH_DEPTH_MAX, "SEEN", SEARCH_DEPTH_MAX), "as many parentheses");
	ok(!compiles("", "(", SEARCH_DEPTH_MAX + 1, "SEEN", SEARCH_DEPTH_MAX + 1), "and no more");
	ok(compiles("", "OR SEEN ", SEARCH_DEPTH_MAX, "SEEN", 0), "as many ORs, each the second operand of another");
	ok(!compiles("", "OR SEEN ", SEARCH_DEPTH_MAX + 1, "SEEN", 0), "and no more");
	ok(compiles("", "SEEN (", SEARCH_DEPTH_MAX, "SEEN SEEN", SEARCH_DEPTH_MAX),
		"each level with an operand that waits");
	ok(compiles("ALL", " ALL", SEARCH_KEYS_MAX / 2 - 1, "", 0), "so many keys");
	ok(!compiles("ALL", " ALL", SEARCH_KEYS_MAX / 2, "", 0), "and no more, what joins them included");
}

int main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char found[32];

		find(rows[i].program, found);
		if (!ok(!strcmp(found, rows[i].found), "%s: %s", rows[i].what, rows[i].program))
			printf("# found %s\n", found);
	}
	test_headers();
	test_limits();
	return done();
}
