/* kill -9 while entries are appended: whatever was told to be synced is there after the next start, once, in order,
 * and nothing is there that was never appended. */
#include "t/journal.h"
#include <assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define KILLS      60
#define BOXES      4 /* 0 only grows, 1 and 2 are written anew, 3 is removed and made again */
#define REMOVED    3
#define LINE_BYTES 8   /* "1234567\n": a message is its number */
#define UNDER_WAY  20  /* entries of a box */
#define KEPT       5   /* messages that a new generation keeps */
#define GENERATION 100 /* messages between them */

static struct ledger {                 /* shared with the child that is killed */
	_Atomic unsigned told[BOXES];  /* messages that were told to be synced */
	_Atomic unsigned given[BOXES]; /* that were ever appended */
	_Atomic unsigned removed;      /* appended: messages of that box before this one went with it */
	_Atomic unsigned put;          /* told, of the file that is put */
	_Atomic unsigned rounds, failed;
} * ledger;

static struct box {
	unsigned number; /* the place in boxes */
	char path[16];
	unsigned first, next; /* messages first .. next are in the file */
	unsigned synced, under_way, generation;
	bool renewing;
	uint64_t id;
} boxes[BOXES];

/* What is in the file must be numbers in a row, up to the last that was told at least. */
static bool box_read(struct box *b)
{
	unsigned told = ledger->told[b->number], given = ledger->given[b->number];
	ssize_t len;
	char *bytes = file_bytes(b->path, &len);

	b->first = b->next = 0;
	for (ssize_t at = 0; at < len; at += LINE_BYTES) {
		unsigned number = (unsigned)strtoul(bytes + at, NULL, 10);

		if (at + LINE_BYTES > len || bytes[at + LINE_BYTES - 1] != '\n' || (at && number != b->next)) {
			printf("# %s: at %zd of %zd: %.7s after %u\n", b->path, at, len, bytes + at, b->next);
			free(bytes);
			return false;
		}
		if (!at)
			b->first = number;
		b->next = number + 1;
	}
	free(bytes);
	if (len <= 0 && b->number == REMOVED)
		b->first = b->next = ledger->removed;
	b->synced = b->next;
	if (b->next < told || b->next > given)
		printf("# %s: has %u of %u told, %u given\n", b->path, b->next, told, given);
	return b->next >= told && b->next <= given;
}

static void message_synced(void *user, enum err e)
{
	struct box *b = user;

	if (e)
		ledger->failed++;
	else
		ledger->told[b->number] = ++b->synced;
}

static void message_applied(void *user, enum err e)
{
	struct box *b = user;

	(void)e;
	b->under_way--;
}

static void message_append(struct box *b)
{
	char line[LINE_BYTES + 1];

	snprintf(line, sizeof(line), "%07u\n", b->next);
	ledger->given[b->number] = b->next + 1;
	journal_append(journal, entry_text(b->path, b->id, (uint64_t)(b->next - b->first) * LINE_BYTES, line),
		ENTRY_MAIL, message_synced, message_applied, b);
	b->next++;
	b->under_way++;
}

static void renewed(void *user, enum err e)
{
	struct box *b = user;

	(void)e;
	b->renewing = false;
}

/* A new generation with the last few messages: made beside the old one, synced, renamed. */
static void renew(struct box *b)
{
	struct entry *e = entry_new();
	char path[80], lines[KEPT * LINE_BYTES + 1];
	int fd;

	b->first = b->next - KEPT;
	for (unsigned i = 0; i < KEPT; i++)
		snprintf(lines + i * LINE_BYTES, LINE_BYTES + 1, "%07u\n", b->first + i);
	snprintf(path, sizeof(path), "%s.%d.%u", b->path, (int)getpid(), b->generation++);
	file_make(path, lines);
	fd = openat(worker.directory, path, O_RDONLY | O_CLOEXEC);
	fsync(fd);
	fsync(worker.directory);
	close(fd);
	entry_settled(e, b->id);
	entry_rename(e, str_of(path), str_of(b->path));
	b->renewing = true;
	journal_append(journal, e, ENTRY_SMALL, NULL, renewed, b);
}

/* And at once it is made again, with another id. */
static void remove_box(struct box *b)
{
	struct entry *e = entry_new();

	ledger->removed = b->first = b->next;
	entry_remove(e, str_of(b->path));
	journal_append(journal, e, ENTRY_SMALL, NULL, NULL, NULL);
	b->id += BOXES;
}

static void put_synced(void *user, enum err e)
{
	if (!e)
		ledger->put = (unsigned)(uintptr_t)user;
}

static void put_append(unsigned number)
{
	struct entry *e = entry_new();
	char text[16];

	snprintf(text, sizeof(text), "%07u\n", number);
	entry_put(e, STR("put"), str_of(text));
	journal_append(journal, e, ENTRY_SMALL, put_synced, NULL, (void *)(uintptr_t)number);
}

static bool put_read(unsigned *number)
{
	ssize_t len;
	char *bytes = file_bytes("put", &len);

	*number = bytes ? (unsigned)strtoul(bytes, NULL, 10) : 0;
	free(bytes);
	return *number >= ledger->put;
}

static bool store_is_right(unsigned *put)
{
	bool right = put_read(put);

	for (unsigned i = 0; i < BOXES; i++) {
		boxes[i].number = i;
		boxes[i].id = 1 + i + BOXES * ledger->given[i]; /* never given before */
		snprintf(boxes[i].path, sizeof(boxes[i].path), "box%u", i);
		right &= box_read(&boxes[i]);
	}
	return right;
}

/* Opens, checks, then appends until it is killed. */
static void child(void)
{
	unsigned put;

	worker_begin();
	if (!journal_begin() || !store_is_right(&put))
		_exit(1);
	ledger->rounds++;
	for (unsigned turns = 0;; turns++) {
		for (struct box *b = boxes; b < boxes + BOXES; b++) {
			bool full = b->number && b->next - b->first >= GENERATION;

			while (!full && !b->renewing && b->under_way < UNDER_WAY)
				message_append(b);
			if (full && b->number == REMOVED)
				remove_box(b);
			else if (full && !b->under_way && !b->renewing)
				renew(b);
		}
		if (turns % 10 == 0)
			put_append(++put);
		if (turns % 50 == 0)
			journal_checkpoint(journal);
		turn();
	}
}

int main(void)
{
	unsigned put, messages = 0;
	bool right = true;

	ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(ledger != MAP_FAILED);
	srand(1);
	store_begin();
	log_quietly();
	for (int i = 0; i < KILLS && right; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			child();
		poll(NULL, 0, 1 + rand() % 50);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		right = WIFSIGNALED(status);
	}
	ok(right, "after each of %d kills everything told to be synced is there, once and in order", KILLS);
	worker_begin();
	ok(journal_begin() && store_is_right(&put), "and so it is after the last");
	for (int i = 0; i < BOXES; i++)
		messages += ledger->told[i];
	ok(ledger->rounds >= KILLS / 10 && messages > 100, "%u times it came as far as to append: %u messages",
		ledger->rounds, messages);
	ok(boxes[1].first > 0 && ledger->removed > 0, "mailboxes were written anew and removed meanwhile");
	ok(!ledger->failed, "nothing was refused");
	settle();
	journal_free(journal);
	store_end();
	worker_end();
	return done();
}
