/* replay_moved.c - messages that found another place than their entries say, and a power cut that took some of them: each is
 * whole again, once, in its order. And new generations that took their place, and what was written to them since. */
#include "storage/journal/operation.h"
#include "t/journal.h"

#define BOX         "domains/a.test/alice/box.mbox"
#define ID          9
#define FIRST       "From a Mon Nov 23 05:40:43 2026\nX-UID: 1\nX-Postern: clock=10\nSubject: 1\n\none\n\n"
#define OTHER       "From b Mon Nov 23 05:40:44 2026\nSubject: other\n\nother\n\n"
#define COUNT       5
#define BYTES       700 /* of each of the messages that follow */
#define STATE       "domains/a.test/alice/box.state"
#define NEW_BOX     "domains/a.test/alice/new.mbox"
#define NEW_STATE   "domains/a.test/alice/new.state"
#define LINE        "postern-state 1 of generation 2\n"
#define LONG        40000 /* of a message that is longer than what of one is compared at once */
#define LARGE       (20 << 20)
#define LOST        100
#define AHEAD_BYTES (UINT64_C(1) << 30) /* replay.c's */

enum late { /* a new generation, of an mbox that nobody has */
	NONE,
	GIVEN_UP, /* by the server */
	STAYS,    /* as in replay */
};

static char messages[COUNT][BYTES + 1]; /* UID 2 and on */
static char all[16384];                 /* what the mbox must be */

static void make_messages(void)
{
	for (unsigned n = 0; n < COUNT; n++) {
		int len = snprintf(messages[n], BYTES + 1,
			"From a Mon Nov 23 05:40:5%u 2026\nX-UID: %u\nX-Postern: clock=2%u\nSubject: %u\n\n", n, n + 2,
			n, n);

		while (len < BYTES - 2)
			len += snprintf(messages[n] + len, (size_t)(BYTES - 1 - len), "line %u of %u\n", len, n);
		messages[n][BYTES - 2] = messages[n][BYTES - 1] = '\n';
	}
}

/* The mbox is `text`, or the part of it behind `from` zeroed by the bits of `gone`, one for each message, and cut at `size`. */
static void leave(const char *text, size_t from, unsigned gone, size_t size)
{
	char bytes[sizeof(all)];
	int fd = openat(worker.directory, BOX, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	memcpy(bytes, text, strlen(text));
	for (unsigned n = 0; n < COUNT; n++)
		if (gone & 1u << n)
			memset(bytes + from + n * BYTES, 0, BYTES);
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
	close(fd);
}

static void begin_empty(void)
{
	if (journal)
		journal_crash();
	store_end();
	store_begin();
	if (!journal_begin())
		abort();
}

/* A store with an mbox whose entries say another place than they found; how far from the start the first of them is. */
static size_t begin(enum late late)
{
	static const struct stamp was = { 1, 2, 3 };
	size_t offset = late ? 40 : strlen(FIRST), from = strlen(FIRST OTHER);

	begin_empty();
	append_applied(entry_text(BOX, ID, 0, FIRST));
	settle();
	leave(FIRST OTHER, 0, 0, from);
	if (late) {
		struct entry *e = entry_new();

		file_make(BOX ".2", FIRST);
		entry_expect(e, STR(BOX), &was);
		entry_rename(e, STR(BOX ".2"), STR(BOX));
		entry_settled(e, ID);
		append(e);
	}
	for (unsigned n = 0; n < COUNT; n++)
		append_applied(entry_text(BOX, ID, offset + n * BYTES, messages[n]));
	journal_crash();
	snprintf(all, sizeof(all), "%s%s%s%s%s%s", FIRST OTHER, messages[0], messages[1], messages[2], messages[3],
		messages[4]);
	return from;
}

/* The mbox is what it must be, but for NULs that a power cut left between messages. */
static bool is_whole(void)
{
	ssize_t len;
	char *bytes = file_bytes(BOX, &len);
	size_t kept = 0;
	bool is;

	for (ssize_t i = 0; i < len; i++)
		if (bytes[i])
			bytes[kept++] = bytes[i];
	is = kept == strlen(all) && !memcmp(bytes, all, kept);
	free(bytes);
	return is;
}

static bool is_right(enum late late, unsigned gone, size_t missing)
{
	size_t from = begin(late);

	leave(all, from, gone, strlen(all) - missing);
	if (late == STAYS) /* a replay that died leaves it */
		file_make(BOX ".2", FIRST);
	return journal_begin() && is_whole();
}

static void test_gaps(enum late late, const char *which)
{
	static const size_t missing[] = { 0, 15, 300, 660, BYTES - 20 };
	bool right = true;

	for (unsigned gone = 0; gone < 1u << COUNT; gone++)
		for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
			if (!is_right(late, gone, missing[i])) {
				printf("# gone=%x missing=%zu\n", gone, missing[i]);
				right = false;
			}
	ok(right, "%s", which);
}

/* A journal with a generation of the mbox and its state file that took their places. */
static void begin_renewed(void)
{
	struct entry *e = entry_new();
	struct stamp was;

	begin_empty();
	append_applied(entry_text(BOX, ID, 0, FIRST OTHER));
	append_applied(entry_text(STATE, ID, 0, "postern-state 1 of generation 1\n"));
	settle();
	file_make(BOX ".2", FIRST);
	file_make(STATE ".2", LINE);
	stamp_read(worker.directory, STR(BOX), &was);
	entry_settled(e, ID);
	entry_expect(e, STR(BOX), &was);
	entry_rename(e, STR(BOX ".2"), STR(BOX));
	entry_rename(e, STR(STATE ".2"), STR(STATE));
	append_applied(e);
}

static char *long_message(unsigned uid, size_t bytes)
{
	char *text = mem_alloc(bytes + 1);
	size_t len = (size_t)snprintf(text, bytes,
		"From a Mon Nov 23 05:41:43 2026\nX-UID: %u\nX-Postern: clock=3%u\nSubject: %u\n\n", uid, uid, uid);

	while (len < bytes - 2)
		len += (size_t)snprintf(text + len, bytes - 1 - len, "line %zu of %u\n", len, uid);
	memcpy(text + bytes - 2, "\n\n", 3);
	return text;
}

/* The mbox becomes its first message and a part of the two that follow, with NULs for all else. */
static bool is_whole_with(const char *texts[2], size_t from, size_t until)
{
	size_t first = strlen(FIRST), len = strlen(texts[0]) + strlen(texts[1]);
	char *whole = mem_alloc(first + len + 1), *left = mem_alloc(first + len + 1);
	int fd = openat(worker.directory, BOX, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool is;

	snprintf(whole, first + len + 1, "%s%s%s", FIRST, texts[0], texts[1]);
	memset(left, 0, first + len);
	memcpy(left, FIRST, first);
	memcpy(left + first + from, whole + first + from, until - from);
	if (fd < 0 || write(fd, left, first + len) != (ssize_t)(first + len))
		abort();
	close(fd);
	is = journal_begin() && file_is(BOX, whole);
	free(whole);
	free(left);
	return is;
}

static bool is_whole_beheaded(size_t bytes, bool second)
{
	const char *texts[2] = { long_message(2, bytes), long_message(3, bytes) };
	size_t from = (second ? bytes : 0) + bytes / 2, until = second ? 2 * bytes : bytes;
	bool is;

	begin_renewed();
	append_applied(entry_text(BOX, ID, strlen(FIRST), texts[0]));
	append_applied(entry_text(BOX, ID, strlen(FIRST) + bytes, texts[1]));
	journal_crash();
	is = is_whole_with(texts, from, until) && file_is(STATE, LINE);
	free((char *)texts[0]);
	free((char *)texts[1]);
	return is;
}

/* Of three lines of the state file. */
static void leave_last_line(void)
{
	static const char gone[24];
	int fd = openat(worker.directory, STATE, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, gone, sizeof(gone), (off_t)strlen(LINE)) != (ssize_t)sizeof(gone))
		abort();
	close(fd);
}

static void test_renewed(void)
{
	ok(is_whole_beheaded(BYTES, false), "the end of a message is left alone: the message is put before it");
	ok(is_whole_beheaded(LONG, false), "so it is with a long one");
	ok(is_whole_beheaded(BYTES, true) && is_whole_beheaded(LONG, true), "and when it is the one behind it");

	begin_renewed();
	append_applied(entry_text(STATE, ID, strlen(LINE), "flags 1 F 1\n"));
	append_applied(entry_text(STATE, ID, strlen(LINE) + 12, "flags 1 D 2\n"));
	append_applied(entry_text(STATE, ID, strlen(LINE) + 24, "flags 1 - 3\n"));
	journal_crash();
	leave_last_line();
	ok(journal_begin() && file_is(STATE, LINE "flags 1 F 1\nflags 1 D 2\nflags 1 - 3\n"),
		"lines of a state file stay in their order, though only the last of them is left");
}

/* Of a mailbox's new name and the generation that it was given then a power cut left the second. */
static void test_renamed_and_renewed(void)
{
	struct entry *e = entry_new();
	struct stamp was;

	begin_renewed();
	stamp_read(worker.directory, STR(BOX), &was);
	settle();
	entry_settled(e, ID);
	entry_rename(e, STR(BOX), STR(NEW_BOX));
	entry_rename(e, STR(STATE), STR(NEW_STATE));
	append_applied(e);
	file_make(NEW_BOX ".3", "From a\n\n");
	file_make(NEW_STATE ".3", "generation 3\n");
	e = entry_new();
	entry_settled(e, ID);
	entry_expect(e, STR(NEW_BOX), &was);
	entry_rename(e, STR(NEW_BOX ".3"), STR(NEW_BOX));
	entry_rename(e, STR(NEW_STATE ".3"), STR(NEW_STATE));
	append_applied(e);
	journal_crash();
	file_make(BOX, FIRST);
	file_make(STATE, LINE);
	ok(journal_begin() && !file_exists(BOX) && !file_exists(STATE) && file_is(NEW_BOX, "From a\n\n") &&
			file_is(NEW_STATE, "generation 3\n"),
		"what a renamed mailbox was before its new generation does not take that one's place");
}

static uint64_t bytes_read(void)
{
	char text[200] = "";
	int fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	return n > 0 && !strncmp(text, "rchar: ", 7) ? strtoull(text + 7, NULL, 10) : 0;
}

/* A large mbox, of which a power cut took all that was written last. */
static void test_many_lost(void)
{
	size_t from = begin(NONE);
	char *piece = mem_alloc(LARGE);
	uint64_t before, read;
	int fd;

	if (!journal_begin())
		abort();
	for (unsigned n = 0; n < LOST; n++) {
		char text[200];

		snprintf(text, sizeof(text),
			"From a Mon Nov 23 05:40:43 2026\nX-UID: %u\nX-Postern: clock=7%u\n\none\n\n", 100 + n, n);
		append_applied(entry_text(BOX, ID, LARGE + n * 200, text));
	}
	journal_crash();
	leave(all, 0, 0, from);
	memset(piece, 'x', LARGE);
	fd = openat(worker.directory, BOX, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0 || write(fd, piece, LARGE) != LARGE)
		abort();
	close(fd);
	free(piece);
	before = bytes_read();
	ok(journal_begin(), "a journal of which very much was lost is replayed");
	read = bytes_read() - before;
	printf("# %llu MiB\n", (unsigned long long)read >> 20);
	ok(before && read < (uint64_t)LOST * (LARGE + 4096) + (AHEAD_BYTES + AHEAD_BYTES / 2),
		"and no more than so much of files is read to know where it belongs");
}

int main(void)
{
	log_quietly();
	worker_begin();
	store_begin();
	make_messages();
	test_gaps(NONE, "behind what another program wrote, whichever of them a power cut left");
	test_gaps(GIVEN_UP, "in an mbox whose new generation was given up");
	test_gaps(STAYS, "in one whose new generation comes too late");
	test_renewed();
	test_renamed_and_renewed();
	test_many_lost();
	if (journal)
		journal_crash();
	store_end();
	worker_end();
	return done();
}
