/* The journal and another program's lock: what waits for that is in a file of its own before a checkpoint passes it,
 * whatever is done to it at the moment; and it goes to its mailbox before all that came later. */
#include "storage/journal/marks.h"
#include "t/journal.h"
#include <stdio.h>

#define MBOX "domains/a.test/bob/INBOX.mbox"
#define ID   7

/* Another program's. Locks are the open file's, so one of ours can hold it. */
static int lock_begin(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = openat(worker.directory, MBOX, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) < 0)
		abort();
	return fd;
}

static bool turn_until_parked(void)
{
	for (int i = 0; i < 1000 && (!journal->parked.first || journal->application.running); i++)
		turn();
	return journal->parked.first != NULL;
}

/* A write at the end of the mailbox, that another program has locked; *sequence is its entry's. */
static int park(uint64_t offset, const char *text, uint64_t *sequence)
{
	int lock = lock_begin();
	struct entry *e = entry_text(MBOX, ID, offset, text);

	entry_write(e, &(struct file_ref){ STR("wall/mbox"), 0, 1 }, 0, STR("x"));
	append(e);
	ok(turn_until_parked(), "an entry waits for another program's lock");
	*sequence = journal->parked.first->sequence;
	return lock;
}

/* Whether a crash now would not forget it. */
static bool is_kept(uint64_t sequence)
{
	char path[64];

	snprintf(path, sizeof(path), "journal/0/" PARKED "%llu", (unsigned long long)sequence);
	return journal->checkpoint <= sequence || file_exists(path);
}

static void checkpoint_now(void)
{
	journal_checkpoint(journal);
	for (int i = 0; i < 30; i++)
		turn();
}

static void test_while_tried(void)
{
	uint64_t sequence;
	int lock = park(7, "From a\n", &sequence), applied = applied_count;

	timers_shift(worker.timers, PARKED_MS);
	timers_turn(worker.timers);
	timers_run(worker.timers);
	ok(journal->application.running && journal->application.retry, "it is tried again just now");
	checkpoint_now();
	ok(is_kept(sequence), "a checkpoint asked for then does not pass it before it is filed");
	close(lock);
	timers_shift(worker.timers, PARKED_MS);
	ok(turn_until(&applied_count, applied + 1) && file_is(MBOX, "From x\nFrom a\n"), "unlocked, it is written");
}

static void test_not_applied(void)
{
	uint64_t sequence;
	int lock = park(14, "From b\n", &sequence), applied;

	ok(append_applied(entry_text("others", 0, 0, "x")), "others go on");
	applied = applied_count;
	unlinkat(worker.directory, "wall/mbox", 0);
	unlinkat(worker.directory, "wall", AT_REMOVEDIR);
	file_make("wall", "");
	close(lock);
	append(entry_text(MBOX, ID, 21, "From c\n"));
	for (int i = 0; i < 10; i++) {
		timers_shift(worker.timers, PARKED_MS);
		turn();
		turn();
	}
	checkpoint_now();
	ok(journal->checkpoint > sequence && is_kept(sequence),
		"one that is unlocked and cannot be written all the same is filed before a checkpoint passes it");
	ok(applied_count == applied, "what came later for the same mailbox waits behind it");
	unlinkat(worker.directory, "wall", 0);
	timers_shift(worker.timers, AGAIN_MS);
	ok(turn_until(&applied_count, applied + 2) && file_is(MBOX, "From x\nFrom a\nFrom b\nFrom c\n"),
		"when it can be, they follow in their order");
}

int main(void)
{
	log_quietly();
	worker_begin();
	store_begin();
	ok(journal_begin(), "a journal is made");
	files_lock_mailboxes(journal_files(journal), true, false);
	ok(append_applied(entry_text(MBOX, ID, 0, "From x\n")), "there is a mailbox");
	test_while_tried();
	test_not_applied();
	ok(settle(), "it settles");
	journal_free(journal);
	store_end();
	worker_end();
	return done();
}
