/* A copy of a store is known as one, and what its journal holds is put where it fits: nothing is damaged, no holes. */
#include "storage/journal/copied.h"
#include "storage/journal/replay.h"
#include "storage/mailbox/state.h"
#include "t/journal.h"
#include <time.h>

#define STEM  "domains/a.test/anna/INBOX"
#define MBOX  STEM ".mbox"
#define STATE STEM ".state"

static void fresh_store(void)
{
	if (journal)
		journal_crash();
	store_end();
	store_begin();
	mkdirat(worker.directory, "domains", 0700);
	mkdirat(worker.directory, "domains/a.test", 0700);
	mkdirat(worker.directory, "domains/a.test/anna", 0700);
	ok(journal_begin(), "a new store");
}

static const char *message(unsigned uid, const char *text)
{
	static char bytes[8][400];
	static unsigned next;
	char *p = bytes[next++ % 8];

	snprintf(p, sizeof(bytes[0]),
		"From a@b.test Mon Nov 23 15:00:00 2026\n%sX-UID: %u\nX-Postern: clock=1%s\nSubject: x\n\n%s\n\n",
		uid == 1 ? "X-IMAPbase: 7 0000000001\n" : "", uid, uid == 1 ? " id=9 generation=2" : "", text);
	return p;
}

static struct entry *mbox_write(uint32_t generation, uint64_t offset, const char *bytes)
{
	struct entry *e = entry_new();

	entry_write(e, &(struct file_ref){ STR(MBOX), 9, generation }, offset, str_of(bytes));
	return e;
}

static struct entry *state_write(uint32_t generation, uint64_t offset, const char *bytes)
{
	struct entry *e = entry_new();

	entry_write(e, &(struct file_ref){ STR(STATE), 9, generation }, offset, str_of(bytes));
	return e;
}

#define HEAD "postern-state 1 id=9 generation=2 uidvalidity=7 uidnext=1 clock=1\n"

static void replay_as_copy(void)
{
	struct names *names = names_new(NAMES_BYTES_MAX);
	int dir = openat(worker.directory, "journal/0", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct base b;

	ok(replay_copy(worker.directory, dir, &b, names) == OK, "a copy's journal is replayed");
	close(dir);
	names_free(names);
}

/* Two messages, the second larger than what the copy has of it or there not at all; and flags. */
static void begin_mailbox(void)
{
	const char *first = message(1, "one");

	fresh_store();
	append_applied(state_write(2, 0, HEAD));
	append_applied(mbox_write(2, 0, first));
	append_applied(mbox_write(2, strlen(first), message(2, "two")));
	append_applied(mbox_write(2, strlen(first) + strlen(message(2, "two")), message(3, "three")));
	append_applied(state_write(2, strlen(HEAD), "flags 1 S - 5\n"));
}

static bool mbox_is(const char *a, const char *b, const char *c)
{
	char whole[1300];

	snprintf(whole, sizeof(whole), "%s%s%s", a, b, c);
	return file_is(MBOX, whole);
}

static void test_short(void)
{
	char torn[400];

	begin_mailbox();
	ok(mbox_is(message(1, "one"), message(2, "two"), message(3, "three")), "as the original has it");
	journal_crash();
	file_make(MBOX, message(1, "one"));
	file_make(STATE, HEAD);
	replay_as_copy();
	ok(mbox_is(message(1, "one"), message(2, "two"), message(3, "three")) && file_is(STATE, HEAD "flags 1 S - 5\n"),
		"files that were copied early get what came later");

	begin_mailbox();
	journal_crash();
	snprintf(torn, sizeof(torn), "%s%.40s", message(1, "one"), message(2, "two"));
	file_make(MBOX, torn);
	replay_as_copy();
	ok(mbox_is(message(1, "one"), message(2, "two"), message(3, "three")), "one that ends anywhere is completed");
}

/* What is in the mbox is one of ours, then this: is it cut off there? */
static bool is_cut(const char *tail)
{
	char whole[1000];
	uint64_t cut = 0;

	snprintf(whole, sizeof(whole), "%s%s", message(1, "one"), tail);
	unlinkat(worker.directory, MBOX ".damaged.1", 0);
	file_make(MBOX, whole);
	ok(copied_mbox_mend(worker.directory, STEM, &cut) == OK && file_is(MBOX, cut ? message(1, "one") : whole) &&
			cut == (cut ? strlen(tail) : 0) && (!cut || file_is(MBOX ".damaged.1", tail)) &&
			file_exists(MBOX ".damaged.1") == (cut > 0),
		"what is cut off is kept beside the file, and nothing else is touched");
	return cut;
}

static void test_tails(void)
{
	char two[400];

	fresh_store();
	ok(!is_cut("From a@b.test Mon Nov 23 15:00:00 2026\nSubject: x\n\nimportant\n"),
		"a message of another program that lacks its empty line is whole");
	ok(!is_cut("From a@b.test Mon Nov 23 15:00:00 2026\nSubject: x\n\nimportant"), "and without its last line end");
	ok(!is_cut("From a@b.test Mon Nov 23 15:00:00 2026\nX-UID: 2\nStatus: RO\nSubject: x\n\nFrom him\n\nFrom me"),
		"whatever stands in it");
	ok(!is_cut("From a@b.test Mon Nov 23 15:00:00 2026\nSubject: x\n\nyours\n\nFr"), "and at its end");
	ok(!is_cut(""), "one of ours that is whole stays");
	for (size_t n = strlen(message(2, "two")) - 1; n; n--) {
		snprintf(two, sizeof(two), "%.*s", (int)n, message(2, "two"));
		if (n >= 5 && two[n - 1] == '\n' && two[n - 2] == '\n')
			continue; /* what is cut behind an empty line cannot be told */
		ok(is_cut(two), "one of ours that is not goes, wherever it is cut");
	}
}

static void test_gap(void)
{
	char torn[400];

	fresh_store();
	append_applied(state_write(2, 0, HEAD));
	append_applied(mbox_write(2, 0, message(1, "one")));
	append_applied(mbox_write(2, 5000, message(8, "eight")));
	append_applied(mbox_write(2, 5000 + strlen(message(8, "eight")), message(9, "nine")));
	append_applied(state_write(2, 700, "flags 8 S - 5\n"));
	journal_crash();
	snprintf(torn, sizeof(torn), "%s%.40s", message(1, "one"), message(2, "two"));
	file_make(MBOX, torn);
	file_make(STATE, HEAD "flags 1 ");
	replay_as_copy();
	ok(mbox_is(message(1, "one"), message(8, "eight"), message(9, "nine")),
		"behind what nobody has the next goes to the end, and a torn message goes");
	ok(file_is(STATE, HEAD "flags 8 S - 5\n"), "so do lines of state");
}

static void test_generations(void)
{
	const char *newer = "From a@b.test Mon Nov 23 15:00:00 2026\nX-IMAPbase: 7 0000000004\nX-UID: 2\n"
			    "X-Postern: clock=1 id=9 generation=3\nSubject: x\n\ntwo\n\n";
	char whole[1300];

	begin_mailbox();
	journal_crash();
	file_make(MBOX, newer);
	file_make(STATE, "postern-state 1 id=9 generation=3 uidvalidity=7 uidnext=5 clock=9\n");
	replay_as_copy();
	ok(file_is(MBOX, newer), "a later generation holds what was written to an earlier one");
	ok(file_is(STATE, "postern-state 1 id=9 generation=3 uidvalidity=7 uidnext=5 clock=9\n"), "its state, too");

	begin_mailbox();
	append_applied(mbox_write(3, 40, message(4, "four")));
	append_applied(state_write(3, 66, "expunge 4 9\n"));
	journal_crash();
	file_make(MBOX, message(1, "one"));
	file_make(STATE, HEAD);
	replay_as_copy();
	snprintf(whole, sizeof(whole), "%s%s%s%s", message(1, "one"), message(2, "two"), message(3, "three"),
		message(4, "four"));
	ok(file_is(MBOX, whole), "an earlier one gets at its end what was written to a later one");
	ok(file_is(STATE, HEAD "flags 1 S - 5\nexpunge 4 9\n"), "and its lines");

	begin_mailbox();
	journal_crash();
	file_make(STATE, "postern-state 1 id=8 generation=2 uidvalidity=9 uidnext=1 clock=1\n");
	file_make(MBOX, "");
	replay_as_copy();
	ok(file_is(MBOX, ""), "another mailbox of that name gets nothing");
}

static void test_moves(void)
{
	struct entry *e;

	begin_mailbox();
	file_make(MBOX ".3", "half of a new gener");
	e = entry_new();
	entry_settled(e, 9);
	entry_rename(e, STR(MBOX ".3"), STR(MBOX));
	append_applied(e);
	journal_crash();
	file_make(MBOX, message(1, "one"));
	file_make(MBOX ".3", "half of a new gener");
	replay_as_copy();
	ok(!file_is(MBOX, "half of a new gener") && !file_exists(MBOX ".3"),
		"a generation that may be half copied does not replace what is there");

	begin_mailbox();
	e = entry_new();
	entry_settled(e, 9);
	entry_rename(e, STR(MBOX), STR("domains/a.test/anna/Old.mbox"));
	entry_rename(e, STR(STATE), STR("domains/a.test/anna/Old.state"));
	append_applied(e);
	journal_crash();
	file_make(MBOX, message(1, "one")); /* copied under the old name, and under the new one */
	file_make(STATE, HEAD);
	replay_as_copy();
	ok(!file_exists(MBOX) && !file_exists(STATE) && file_exists("domains/a.test/anna/Old.mbox"),
		"a mailbox that was renamed meanwhile is there once");

	begin_mailbox();
	journal_crash(); /* the journal was copied first: it knows the old name alone */
	renameat(worker.directory, MBOX, worker.directory, "domains/a.test/anna/Old.mbox");
	renameat(worker.directory, STATE, worker.directory, "domains/a.test/anna/Old.state");
	replay_as_copy();
	ok(!file_exists(MBOX) && !file_exists(STATE), "whichever was copied first");
}

static void test_spool(void)
{
	struct entry *e;

	begin_mailbox();
	file_make("spooled", "text\n");
	e = entry_new();
	entry_write(e, &(struct file_ref){ STR(MBOX), 9, 2 }, 1000, STR("From x"));
	entry_write_spool(e, &(struct file_ref){ STR(MBOX), 9, 2 }, 1006, STR("spooled"), 5);
	entry_write(e, &(struct file_ref){ STR(MBOX), 9, 2 }, 1011, STR("\n"));
	append_applied(e);
	journal_crash();
	unlinkat(worker.directory, "spooled", 0);
	file_make(MBOX, message(1, "one"));
	replay_as_copy();
	ok(mbox_is(message(1, "one"), message(2, "two"), message(3, "three")),
		"a message whose bytes were not copied is left out, all of it");
}

static void test_place(void)
{
	enum place_is place;
	uint64_t clock;
	int fd;

	fresh_store();
	ok(place_look(worker.directory, 1, &place) == OK && place == PLACE_UNNOTED, "a store is taken for what it is");
	ok(place_note(worker.directory, 1) == OK && place_look(worker.directory, 1, &place) == OK &&
			place == PLACE_OURS,
		"and is ours when that is noted");
	ok(place_look(worker.directory, 2, &place) == OK && place == PLACE_UNNOTED, "more journals are to be noted");
	ok(place_look(worker.directory, 0, &place) == OK && place == PLACE_OTHER, "fewer: one is missing");
	fd = openat(worker.directory, "journal/place", O_RDONLY | O_CLOEXEC);
	renameat(worker.directory, "journal/place", worker.directory, "journal/was");
	{
		char line[200];
		ssize_t n = read(fd, line, sizeof(line) - 1);

		line[n > 0 ? n : 0] = '\0';
		file_make("journal/place", line);
	}
	close(fd);
	ok(place_look(worker.directory, 1, &place) == OK && place == PLACE_OTHER,
		"the same text in another file: a copy");
	file_make("journal/place", "postern-place 9 of later days\n");
	ok(place_look(worker.directory, 1, &place) == OK && place == PLACE_OTHER, "a later version: a copy");
	ok(skip_read(worker.directory, &clock) == OK && !clock, "nobody skips");
	ok(skip_ask(worker.directory) == OK && skip_read(worker.directory, &clock) == OK &&
			clock >> 16 > (uint64_t)time(NULL),
		"all do that changed before now");
	file_make("journal/skip", "postern-skip 2 clock=1\n");
	ok(skip_read(worker.directory, &clock) == ERR_NEVER, "a later version is refused");
	unlinkat(worker.directory, "journal/skip", 0);
}

static void test_mailboxes(void)
{
	fresh_store();
	ok(!store_has_mailboxes(worker.directory), "accounts without mail have no mailboxes");
	file_make("domains/a.test/anna/account.settings", "x");
	ok(!store_has_mailboxes(worker.directory), "settings are none");
	file_make(STATE, HEAD);
	ok(store_has_mailboxes(worker.directory), "a state file is one");
}

int main(void)
{
	log_quietly();
	worker_begin();
	store_begin();
	test_short();
	test_tails();
	test_gap();
	test_generations();
	test_moves();
	test_spool();
	test_place();
	test_mailboxes();
	if (journal)
		journal_crash();
	store_end();
	worker_end();
	return done();
}
