/* The journal while it runs: entries are synced together, applied in order, and make room for the next. */
#include "core/mem.h"
#include "t/journal.h"
#include <sys/wait.h>

static void test_one(void)
{
	struct entry *e = entry_text("domains/a.test/bob/INBOX.mbox", 7, 0, "From x\n");

	synced_ok = applied_count = 0;
	append(e);
	ok(synced_ok == 0, "nobody is told from inside journal_append");
	ok(turn_until(&synced_ok, 1), "an entry is synced");
	ok(turn_until(&applied_count, 1), "and then applied");
	ok(file_is("domains/a.test/bob/INBOX.mbox", "From x\n"), "its bytes are in the file, its directories made");
}

static int order[1000], orders;

static void note_order(void *user, enum err e)
{
	order[orders++] = e ? -1 : (int)(intptr_t)user;
}

static void test_group(void)
{
	uint64_t before = journal->next;
	unsigned batches = 0;
	char text[2] = "a";
	bool in_order = true;

	orders = 0;
	for (int i = 0; i < 500; i++) {
		text[0] = (char)('a' + i % 26);
		journal_append(
			journal, entry_text("group", 0, (uint64_t)i, text), ENTRY_MAIL, note_order, NULL, (void *)(intptr_t)i);
	}
	for (uint64_t synced = journal->synced; orders < 500; synced = journal->synced) {
		turn();
		batches += journal->synced != synced;
	}
	for (int i = 0; i < 500; i++)
		in_order &= order[i] == i;
	ok(in_order, "500 entries are synced in their order");
	ok(batches <= 3, "all that came while the first was being synced is synced at once: %u batches", batches);
	ok(journal->next == before + 500, "sequences count entries");
}

int main(void)
{
	worker_begin();
	store_begin();
	ok(journal_begin(), "a journal is made");
	test_one();
	test_group();
	ok(settle(), "it settles");
	journal_free(journal);
	store_end();
	worker_end();
	return done();
}
