/* What the journal holds is put where it fits in a copy of a store that has each file as of another moment. */
#include "storage/journal/fit.h"
#include "core/log.h"
#include "t/scratch.h"
#include "t/tap.h"
#include <string.h>
#include <sys/stat.h>

#define FOLDER "domains/a.test/anna/"
#define MBOX                                                                                                           \
	"From a@b.test Mon Nov 23 15:00:00 2026\nX-IMAPbase: 7 1\nX-UID: 1\nX-Postern: clock=1 id=9 "                  \
	"generation=2\n\nx\n\n"
#define STATE "postern-state 1 id=9 generation=2 uidvalidity=7 uidnext=2 clock=1\n"
#define MDIR  "postern-state 2 id=9 generation=3 uidvalidity=7 uidnext=2 clock=1 form=mdir\n"

static int store;

static void put(const char *path, const char *text)
{
	int fd = openat(store, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		ok(false, "%s is written", path);
	close(fd);
}

/* Whether a write is to be done, and then where; at: where it was. */
static bool writes(struct fits *f, const char *path, uint64_t id, uint32_t generation, uint64_t at, uint64_t *offset)
{
	struct operation op = { .kind = OP_WRITE,
		.path = str_of(path),
		.bytes = STR("text"),
		.id = id,
		.generation = generation,
		.offset = at };
	enum err e;
	bool does;

	fits_begin(f, 5, STR_NONE);
	does = fits_write(f, &op, false, &e);
	*offset = op.offset;
	return does && !e;
}

/* The n-th operation of an entry that converts a mailbox: a new folder or mbox, a state file, the old form goes. */
static bool converts(struct fits *f, const char *from, const char *to, const char *old, unsigned n)
{
	struct operation ops[] = { { .kind = OP_SETTLED, .id = 9 },
		{ .kind = OP_RENAME, .path = str_of(from), .other = str_of(to) },
		{ .kind = OP_REMOVE, .path = str_of(old) } };
	struct buf entry = { 0 };
	bool does;

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		operation_pack(&entry, &ops[i]);
	fits_begin(f, 6, buf_str(&entry));
	does = n == 1 ? fits_rename(f, &ops[1]) : fits_remove(f, &ops[2]);
	buf_free(&entry);
	return does;
}

static void test_mbox(void)
{
	uint64_t at, size = strlen(MBOX);
	struct fits *f = fits_new(store, true);

	put(FOLDER "m.mbox", MBOX);
	put(FOLDER "m.state", STATE);
	ok(writes(f, FOLDER "m.mbox", 9, 2, size, &at) && at == size, "a write at the end stays there");
	ok(writes(f, FOLDER "m.mbox", 9, 2, size + 100, &at) && at == size, "one behind it goes to the end");
	ok(writes(f, FOLDER "m.mbox", 9, 2, size + 100, &at) && at == size, "and what follows behind it");
	ok(!writes(f, FOLDER "m.mbox", 9, 1, 0, &at), "one to an earlier generation is in it");
	ok(writes(f, FOLDER "m.mbox", 9, 3, 17, &at) && at == size, "one to a later generation goes to the end");
	ok(!writes(f, FOLDER "m.mbox", 8, 2, size, &at), "one to another mailbox of that name is left out");
	ok(!writes(f, FOLDER "none.mbox", 9, 2, 0, &at), "so is one to a mailbox that is not there");
	fits_free(f);
	f = fits_new(store, false);
	ok(writes(f, FOLDER "m.mbox", 8, 1, 17, &at) && at == 17, "where nothing was copied a mailbox's write stays");
	fits_free(f);
}

static void test_mdir(void)
{
	struct fits *f = fits_new(store, true);
	uint64_t at;

	put(FOLDER "d.state", MDIR);
	mkdirat(store, FOLDER "d.mdir", 0700);
	ok(writes(f, FOLDER "d.mdir/5", 9, 1, 0, &at) && !at,
		"a message of an mdir is written, whatever the generation");
	ok(!writes(f, FOLDER "d.mdir/5", 8, 3, 0, &at), "one of another mailbox is not");
	ok(!writes(f, FOLDER "m.mdir/5", 9, 2, 0, &at), "nor one of a mailbox that is an mbox");
	ok(!writes(f, FOLDER "none.mdir/5", 9, 2, 0, &at), "nor one of a mailbox that is not there");
	fits_free(f);
}

static void test_conversion(void)
{
	struct fits *f = fits_new(store, true);

	mkdirat(store, FOLDER "m.mdir.3", 0700);
	ok(!converts(f, FOLDER "m.mdir.3", FOLDER "m.mdir", FOLDER "m.mbox", 1) &&
			!converts(f, FOLDER "m.mdir.3", FOLDER "m.mdir", FOLDER "m.mbox", 2),
		"a mailbox that was copied as an mbox stays one");
	put(FOLDER "d.mbox.4", MBOX);
	ok(!converts(f, FOLDER "d.mbox.4", FOLDER "d.mbox", FOLDER "d.mdir", 1) &&
			!converts(f, FOLDER "d.mbox.4", FOLDER "d.mbox", FOLDER "d.mdir", 2),
		"one that was copied as an mdir stays one");
	unlinkat(store, FOLDER "m.mbox", 0);
	ok(converts(f, FOLDER "m.mdir.3", FOLDER "m.mdir", FOLDER "m.mbox", 1),
		"where only the new form was copied it takes its place");
	fits_free(f);
}

int main(void)
{
	log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
	store = scratch_open();
	ok(store >= 0 && !mkdirat(store, "domains", 0700) && !mkdirat(store, "domains/a.test", 0700) &&
			!mkdirat(store, "domains/a.test/anna", 0700),
		"a store");
	test_mbox();
	test_mdir();
	test_conversion();
	scratch_close(store);
	return done();
}
