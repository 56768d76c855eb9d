/* An entry in a file of its own: what is written is read, damage and later versions are seen, the earlier form is read. */
#include "storage/journal/saved.h"
#include "core/log.h"
#include "core/pack.h"
#include "storage/journal/journal_parts.h"
#include "t/scratch.h"
#include "t/tap.h"
#include <fcntl.h>

#define OPERATIONS STR("\004\003\000\000\000abc")

static int dir;
static unsigned told;
static bool as_written;

static enum err each(void *user, uint64_t sequence, struct str entry)
{
	(void)user;
	told++;
	as_written = sequence == 7 && str_eq(entry, OPERATIONS);
	return OK;
}

/* Reads what is parked; answers how many were told. */
static unsigned parked(enum err *e, bool *damaged)
{
	told = 0;
	*damaged = as_written = false;
	*e = parked_each(dir, each, NULL, damaged);
	return told;
}

/* So many bytes of the file parked.7, from there on, are others. */
static void put(const char *bytes, size_t len, off_t at, bool anew)
{
	int fd = openat(dir, "parked.7", O_WRONLY | O_CREAT | (anew ? O_TRUNC : 0) | O_CLOEXEC, 0600);

	ok(pwrite(fd, bytes, len, at) == (ssize_t)len, "parked.7 is changed");
	close(fd);
}

int main(void)
{
	struct str operations;
	bool damaged;
	enum err e;

	log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
	dir = scratch_open();
	ok(!parked_write(dir, 7, OPERATIONS), "an entry is parked");
	ok(parked(&e, &damaged) == 1 && !e && as_written && !damaged, "and read");
	put("x", 1, 25, false);
	ok(parked(&e, &damaged) == 0 && !e && damaged, "one with another byte in it is not told");
	ok(faccessat(dir, "parked.7", F_OK, 0) < 0 && !faccessat(dir, "parked.7.damaged", F_OK, 0), "it is set aside");
	ok(parked(&e, &damaged) == 0 && !e && !damaged, "and not met again");
	ok(!parked_write(dir, 7, OPERATIONS) && !ftruncate(openat(dir, "parked.7", O_RDWR | O_CLOEXEC), 15),
		"it is cut");
	ok(parked(&e, &damaged) == 0 && !e && damaged, "one that is cut within its head is damaged");
	ok(!parked_write(dir, 7, OPERATIONS), "an entry is parked");
	put("\002", 1, 13, false);
	ok(parked(&e, &damaged) == 0 && e == ERR_NEVER && !damaged, "one of a later version stops who reads it");
	ok(!faccessat(dir, "parked.7", F_OK, 0), "and stays");
	put(OPERATIONS.p, OPERATIONS.len, 0, true);
	ok(parked(&e, &damaged) == 1 && !e && as_written && !damaged, "the earlier form, without a head, is read");
	ok(saved_parse(STR_NONE, &operations) == SAVED_WELL && !operations.len, "an empty file has no operations");
	scratch_close(dir);
	return done();
}
