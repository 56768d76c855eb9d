/* The state file: what is printed is read, what is not ours costs itself, a torn end is left. */
#include "storage/mailbox/state.h"
#include "t/tap.h"
#include <inttypes.h>
#include <stdlib.h>

static struct keywords words;

/* Writes down what was told, so that a row of the table can say it in one string. */
static void tell_uids(struct buf *told, const struct uid_range *uids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(told, "%s%" PRIu32 "-%" PRIu32, i ? "," : "", uids[i].first, uids[i].last);
}

static void on_flags(
	void *user, const struct uid_range *uids, size_t count, uint32_t flags, uint64_t keywords, uint64_t clock)
{
	struct buf *told = user;

	buf_printf(told, "F ");
	tell_uids(told, uids, count);
	buf_printf(told, " %" PRIx32 " %" PRIx64 " %" PRIu64 ";", flags, keywords, clock);
}

static void on_expunge(void *user, const struct uid_range *uids, size_t count, uint64_t clock)
{
	struct buf *told = user;

	buf_printf(told, "E ");
	tell_uids(told, uids, count);
	buf_printf(told, " %" PRIu64 ";", clock);
}

static void on_set(void *user, struct str name, struct str value, uint64_t clock)
{
	buf_printf(user, "S [" STR_FMT "]=[" STR_FMT "] %" PRIu64 ";", STR_ARG(name), STR_ARG(value), clock);
}

static const struct state_events events = { on_flags, on_expunge, on_set, NULL };

static const struct {
	const char *what, *lines, *told;
} rows[] = {
	{ "flags of one message", "flags 7 S - 5\n", "F 7-7 1 0 5;" },
	{ "all flags, two keywords", "flags 1 SAFDT a,b 5\n", "F 1-1 1f 3 5;" },
	{ "no flags at all", "flags 1 - - 5\n", "F 1-1 0 0 5;" },
	{ "flags in another order", "flags 1 AS b 5\n", "F 1-1 3 2 5;" },
	{ "ranges", "flags 1:3,7,9:10 S - 5\n", "F 1-3,7-7,9-10 1 0 5;" },
	{ "ranges out of order are put in order", "expunge 7,1:3 5\n", "E 1-3,7-7 5;" },
	{ "ranges that touch or overlap are one", "expunge 1:3,4,4:6,2,8 5\n", "E 1-6,8-8 5;" },
	{ "a range told backwards is turned", "expunge 9:7 5\n", "E 7-9 5;" },
	{ "the largest UID", "expunge 4294967294:4294967295,4294967295 5\n", "E 4294967294-4294967295 5;" },
	{ "a setting", "set uidnext=12 5\n", "S [uidnext]=[12] 5;" },
	{ "a setting of nothing", "set a= 5\n", "S [a]=[] 5;" },
	{ "a setting with spaces and line ends in it", "set a=b%20c%0A%25 5\n", "S [a]=[b c\n%] 5;" },
	{ "a keyword with a comma is one keyword", "flags 1 - a%2Cb 5\n", "F 1-1 0 4 5;" },
	{ "a keyword of a hyphen is not none", "flags 1 - %2D 5\n", "F 1-1 0 4 5;" },
	{ "a keyword that can be none is left out", "flags 1 S a,\\Seen,,b 5\n", "F 1-1 1 3 5;" },
	{ "several lines in their order", "flags 1 S - 5\nexpunge 1 6\n", "F 1-1 1 0 5;E 1-1 6;" },
	{ "an empty line says nothing", "\n\nexpunge 1 6\n", "E 1-1 6;" },
	{ "CR before LF does not matter", "expunge 1 6\r\n", "E 1-1 6;" },
	{ "a torn last line is left", "expunge 1 6\nexpunge 2 7", "E 1-1 6;" },
	{ "a first line amid the others is not understood", "expunge 1 6\npostern-state 1 id=1\n", "E 1-1 6;" },
	{ "a word not known costs its line", "flogs 1 S - 5\nexpunge 1 6\n", "E 1-1 6;" },
	{ "so does a letter not known", "flags 1 SX - 5\nexpunge 1 6\n", "E 1-1 6;" },
	{ "and UID 0", "flags 0:3 S - 5\nexpunge 1 6\n", "E 1-1 6;" },
	{ "and a UID too large", "flags 4294967296 S - 5\nexpunge 1 6\n", "E 1-1 6;" },
	{ "and an empty place among UIDs", "flags 1,,2 S - 5\nexpunge 1 6\n", "E 1-1 6;" },
	{ "and a missing clock", "flags 1 S -\nexpunge 1\nset a=b\nexpunge 1 6\n", "E 1-1 6;" },
	{ "and one word too many", "flags 1 S - 5 x\nexpunge 1 6 x\nset a=b 5 x\nexpunge 1 6\n", "E 1-1 6;" },
	{ "and a setting without a name", "set =1 5\nset a 5\nexpunge 1 6\n", "E 1-1 6;" },
};

static void test_lines(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct keywords k = { 2, { "a", "b" } };
		struct buf told = { 0 };
		struct state_head head = { .id = 99 };
		struct str lines = str_of(rows[i].lines);
		enum err e;
		size_t took = state_read(lines, &head, &k, &events, &told, &e);

		ok(!e && took == (size_t)str_rfind(lines, '\n') + 1 && head.id == 99 &&
				str_eq(buf_str(&told), str_of(rows[i].told)),
			"%s", rows[i].what);
		buf_free(&told);
	}
}

static bool read_head(const char *lines, struct state_head *head, const char *want)
{
	struct buf told = { 0 };
	enum err e;
	bool good;

	state_read(str_of(lines), head, &words, &events, &told, &e);
	good = !e && str_eq(buf_str(&told), str_of(want));
	buf_free(&told);
	return good;
}

static void test_head(void)
{
	struct state_head h = { 0x1234567890abcdef, 3, 1795412443, 4294967295, UINT64_MAX, false }, r = { 0 };
	struct buf out = { 0 };
	enum err e;

	state_print_head(&out, &h);
	ok(str_eq(buf_str(&out), STR("postern-state 1 id=1234567890abcdef generation=3 uidvalidity=1795412443 "
				     "uidnext=4294967295 clock=18446744073709551615\n")),
		"the first line");
	buf_add_char(&out, '\0');
	ok(read_head(buf_data(&out), &r, "") && r.id == h.id && r.generation == 3 && r.uidvalidity == h.uidvalidity &&
			r.uidnext == h.uidnext && r.clock == UINT64_MAX,
		"is read as it was printed");
	h.mdir = true;
	buf_clear(&out);
	state_print_head(&out, &h);
	ok(str_starts(buf_str(&out), STR("postern-state 2 ")), "an mdir's is of the second version");
	buf_add_char(&out, '\0');
	ok(!r.mdir && read_head(buf_data(&out), &r, "") && r.mdir && r.id == h.id, "and says what it is");
	r = (struct state_head){ .generation = 7 };
	ok(read_head("postern-state 1 id=A clock=5 later=x uidnext=2\nexpunge 1 6\n", &r, "E 1-1 6;") && r.id == 10 &&
			r.uidnext == 2 && r.clock == 5 && !r.generation,
		"what it does not say is 0, and words of later times are passed over");
	r = (struct state_head){ .id = 5 };
	ok(read_head("postern-state 1 id=1 uidnext=x\nexpunge 1 6\n", &r, "E 1-1 6;") && r.id == 5,
		"a damaged first line costs itself");
	ok(read_head("postern-state 1 id=12345678901234567\n", &r, "") && r.id == 5, "so does an id too long");
	ok(state_read(STR("postern-state 3 id=1\nexpunge 1 6\n"), &r, &words, &events, &out, &e) == 0 &&
			e == ERR_NEVER && r.id == 5,
		"a higher version is refused");
	buf_free(&out);
}

static void test_print(void)
{
	static const struct uid_range uids[] = { { 1, 2 }, { 3, 3 }, { 5, 5 }, { 7, UINT32_MAX } };
	struct keywords k = { 4, { "$Forwarded", "a,b", "-", "work" } }, fresh = { 0 };
	struct buf out = { 0 }, told = { 0 };
	struct state_head head;
	enum err e;

	state_print_flags(&out, uids, 4, FLAG_SEEN | FLAG_DRAFT | FLAG_EXPUNGED, 0xf, &k, 8);
	state_print_flags(&out, uids, 1, 0, 0, &k, 9);
	state_print_expunge(&out, uids + 1, 2, 10);
	state_print_set(&out, STR("a=b"), STR("c d\n\xc3\xbc"), 11);
	ok(str_eq(buf_str(&out), STR("flags 1:3,5,7:4294967295 ST $Forwarded,a%2Cb,%2D,work 8\nflags 1:2 - - 9\n"
				     "expunge 3,5 10\nset a%3Db=c%20d%0A\xc3\xbc 11\n")),
		"lines as they are printed, UIDs that are neighbours merged");
	ok(state_read(buf_str(&out), &head, &fresh, &events, &told, &e) == buf_len(&out) && !e &&
			str_eq(buf_str(&told), STR("F 1-3,5-5,7-4294967295 11 f 8;F 1-2 0 0 9;E 3-3,5-5 10;"
						   "S [a=b]=[c d\n\xc3\xbc] 11;")),
		"and as they are read");
	ok(fresh.count == 4 && !strcmp(fresh.word[1], "a,b") && !strcmp(fresh.word[2], "-"),
		"keywords come back as they were");
	buf_free(&out);
	buf_free(&told);
}

static void test_keywords(void)
{
	struct keywords k = { 0 };
	char word[KEYWORD_BYTES_MAX + 2];

	ok(keywords_bit(&k, STR("$Junk")) == 0 && keywords_bit(&k, STR("work")) == 1,
		"a new keyword gets the next place");
	ok(keywords_bit(&k, STR("WORK")) == 1 && keywords_find(&k, STR("$junk")) == 0, "case does not make another");
	ok(keywords_find(&k, STR("play")) == -1 && k.count == 2, "looking for one does not make it");
	ok(keywords_bit(&k, STR("")) == -1 && keywords_bit(&k, STR("a b")) == -1 &&
			keywords_bit(&k, STR("\\x")) == -1 && keywords_bit(&k, STR("a]")) == -1 &&
			keywords_bit(&k, STR("\xc3\xbc")) == -1,
		"what is no atom gets none");
	memset(word, 'a', sizeof(word));
	ok(keywords_bit(&k, (struct str){ word, KEYWORD_BYTES_MAX + 1 }) == -1, "nor does one of 101 bytes");
	ok(keywords_bit(&k, (struct str){ word, KEYWORD_BYTES_MAX }) == 2 && strlen(k.word[2]) == KEYWORD_BYTES_MAX,
		"one of 100 does");
	for (unsigned i = k.count; i < KEYWORDS_MAX; i++) {
		snprintf(word, sizeof(word), "k%u", i);
		keywords_bit(&k, str_of(word));
	}
	ok(keywords_bit(&k, STR("k63")) == 63 && keywords_bit(&k, STR("k64")) == -1 && k.count == 64,
		"there are 64 places and no more");
}

static void on_amiss(void *user, size_t at, struct str line)
{
	buf_printf(user, "%zu " STR_FMT ";", at, STR_ARG(line));
}

static void test_amiss(void)
{
	static const struct state_events telling = { on_flags, on_expunge, on_set, on_amiss };
	struct buf told = { 0 };
	struct state_head head;
	enum err e;

	state_read(STR("nonsense\nexpunge 1 6\nflags x\n"), &head, &words, &telling, &told, &e);
	ok(!e && str_eq(buf_str(&told), STR("0 nonsense;E 1-1 6;21 flags x;")),
		"a line not understood is told, with its place");
	ok(state_read(STR("flags 1 S - 5\nexpunge 1 6\nset a=b 7\nnonsense\n"), &head, &words,
		   &(struct state_events){ 0 }, NULL, &e) == 45 &&
			!e,
		"who asks for nothing is told nothing");
	buf_free(&told);
}

int main(void)
{
	test_lines();
	test_head();
	test_print();
	test_keywords();
	test_amiss();
	return done();
}
