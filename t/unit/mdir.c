/* Mailboxes with a file for each message: which names are messages', what a folder has in it, and how a scan reads it. */
#include "storage/mailbox/mdir.h"
#include "core/log.h"
#include "storage/mailbox/mailbox.h"
#include "t/scratch.h"
#include "t/tap.h"
#include <errno.h>
#include <sys/stat.h>
#include <time.h>

#define STATE   "postern-state 2 id=9 generation=3 uidvalidity=7 uidnext=20 clock=50 form=mdir\n"
#define MESSAGE "From a@b.test Mon Nov 23 15:00:00 2026\nX-UID: %u\nX-Postern: clock=5\nSubject: x\n\ntext\n\n"

static int directory;

static const struct {
	const char *what, *name;
	uint32_t uid; /* 0: it is none */
} names[] = {
	{ "a UID", "17", 17 },
	{ "the largest UID that a message has", "4294967294", 4294967294 },
	{ "the one that none has", "4294967295", 0 },
	{ "a number too large", "4294967297", 0 },
	{ "no UID is zero", "0", 0 },
	{ "a UID has one name", "017", 0 },
	{ "a sign", "+17", 0 },
	{ "what was set aside", "17.damaged", 0 },
	{ "what somebody writes", ".17", 0 },
	{ "nothing", "", 0 },
};

static const struct {
	const char *what, *path, *folder; /* folder NULL: it is no message's */
} paths[] = {
	{ "a message", "domains/a/b/Big.mdir/17", "domains/a/b/Big.mdir" },
	{ "a file that is none", "domains/a/b/Big.mdir/x", NULL },
	{ "a folder", "domains/a/b/Big.mdir", NULL },
	{ "a number in another folder", "domains/a/b/Big/17", NULL },
	{ "a folder without a name", ".mdir/17", NULL },
	{ "a file of the store itself", "17", NULL },
};

static const struct {
	const char *one, *other;
	bool is;
} forms[] = {
	{ "a/Big.mbox", "a/Big.mdir", true },
	{ "a/Big.mdir", "a/Big.mbox", true },
	{ "a/Big.mbox", "a/Big.mbox", false },
	{ "a/Big.mdir", "a/Bag.mbox", false },
	{ "a/Big.state", "a/Big.mdir", false },
	{ ".mbox", ".mdir", false },
};

static void test_names(void)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		uint32_t uid = 0;

		ok(mdir_uid(str_of(names[i].name), &uid) == (names[i].uid != 0) &&
				(!names[i].uid || uid == names[i].uid),
			"%s", names[i].what);
	}
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct str folder = STR_NONE;
		bool is = mdir_is_file(str_of(paths[i].path), &folder);

		ok(is == (paths[i].folder != NULL) && (!is || str_eq(folder, str_of(paths[i].folder))), "%s",
			paths[i].what);
	}
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		ok(mdir_other_form(str_of(forms[i].one), str_of(forms[i].other)) == forms[i].is,
			"%s is %sthe other form of %s", forms[i].one, forms[i].is ? "" : "not ", forms[i].other);
}

static void put(const char *name, const char *text, uint32_t uid)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || dprintf(fd, text, uid) < 0)
		ok(false, "%s is written", name);
	close(fd);
}

static void age(const char *name, int64_t seconds)
{
	struct timespec times[2] = { { .tv_sec = time(NULL) - seconds }, { .tv_sec = time(NULL) - seconds } };

	if (utimensat(directory, name, times, 0))
		ok(false, "%s gets a time", name);
}

static bool exists(const char *name)
{
	return faccessat(directory, name, F_OK, 0) == 0;
}

static void test_list(void)
{
	struct mdir_list l;

	ok(mdir_list_read(directory, "m", &l) == ERR_ABSENT && !l.count, "no folder has no messages");
	mkdirat(directory, "m.mdir", 0700);
	ok(!mdir_list_read(directory, "m", &l) && !l.count && !buf_len(&l.others), "an empty one neither");
	mdir_list_free(&l);
	for (unsigned i = 200; i > 0; i--) {
		char name[32];

		snprintf(name, sizeof(name), "m.mdir/%u", i);
		put(name, "x", i);
	}
	put("m.mdir/.new", "x", 0);
	put("m.mdir/9.damaged", "x", 0);
	put("m.mdir/other", "x", 0);
	ok(!mdir_list_read(directory, "m", &l) && l.count == 200 && l.uids[0] == 1 && l.uids[199] == 200,
		"messages are listed by their UIDs");
	ok(str_eq(buf_str(&l.others), (struct str){ "other", 6 }), "and what somebody put there whole");
	mdir_list_free(&l);
	ok(!mdir_sync(directory, "m.mdir") && !mdir_sync(directory, "none.mdir"), "a folder is synced, if it is there");
	mdir_drop(directory, "none.mdir");
	mdir_drop(directory, "m.mdir");
	ok(!exists("m.mdir"), "and goes with all that is in it");
}

static void test_settling(void)
{
	mkdirat(directory, "m.mdir", 0700);
	put("m.mdir/1", "x", 0);
	put("m.mdir/.new", "x", 0);
	ok(!mdir_is_settling(directory, "m"), "our own files are whole, and others' that have no name yet are none");
	put("m.mdir/other", "x", 0);
	ok(mdir_is_settling(directory, "m"), "one that was just written may not be whole");
	age("m.mdir/other", 10);
	ok(!mdir_is_settling(directory, "m"), "later it is");
	age("m.mdir/other", -1000000);
	ok(!mdir_is_settling(directory, "m"), "one of another time is not waited for");
	ok(!mdir_is_settling(directory, "none"), "nor is one that is not there");
	mdir_drop(directory, "m.mdir");
}

static enum err scan(struct mailbox_scan *s, bool adopts)
{
	*s = (struct mailbox_scan){
		.directory = directory, .stem = "m", .mbox_max = UINT64_MAX, .state_max = UINT64_MAX, .adopts = adopts
	};
	return mailbox_scan_files(s);
}

static void test_scan(void)
{
	struct mailbox_scan s;

	mkdirat(directory, "m.mdir", 0700);
	put("m.state", STATE "expunge 4 40\nflags 9 SF - 45\n", 0);
	put("m.mdir/4", MESSAGE, 4);
	put("m.mdir/9", MESSAGE, 9);
	put("m.mdir/11", MESSAGE, 12);
	put("m.mdir/13", "no message", 0);
	put("m.mdir/14", MESSAGE MESSAGE, 14);
	put("m.mdir/other", MESSAGE, 3);
	age("m.mdir/other", 10);
	ok(!scan(&s, false) && s.r.head.mdir && s.count == 3 && s.r.messages == 2, "a scan finds the messages");
	ok(s.messages[0].uid == 4 && s.messages[0].flags & FLAG_EXPUNGED && s.r.garbage == s.r.mbox_end - 2,
		"what is expunged waits to be unlinked");
	ok(s.messages[1].uid == 9 && (s.messages[1].flags & FLAG_SYSTEM) == (FLAG_SEEN | FLAG_FLAGGED),
		"the state file says their flags");
	ok(s.messages[2].uid == 11, "the name is the UID, whatever the file says");
	mailbox_scan_free(&s);
	ok(exists("m.mdir/13") && exists("m.mdir/14") && exists("m.mdir/other"), "one who only looks changes nothing");
	ok(!scan(&s, true) && s.count == 4 && s.messages[3].uid == 20 && s.r.head.uidnext == 21,
		"the owner gives a UID to what somebody put there");
	ok(exists("m.mdir/20") && !exists("m.mdir/other"), "and its name");
	ok(exists("m.mdir/13.damaged") && exists("m.mdir/14.damaged") && !exists("m.mdir/13") && s.r.mbox_end == 4,
		"what is no message, or several, is set aside");
	mailbox_scan_free(&s);
	put("m.mdir/other", MESSAGE, 3);
	ok(!scan(&s, true) && s.count == 4 && exists("m.mdir/other"), "a file that may not be whole waits");
	mailbox_scan_free(&s);
	age("m.mdir/other", 10);
	s = (struct mailbox_scan){ .directory = directory,
		.stem = "m",
		.mbox_max = UINT64_MAX,
		.state_max = UINT64_MAX,
		.known = &(struct mailbox_known){ .uidnext = 30 },
		.adopts = true };
	ok(!mailbox_scan_files(&s) && s.messages[4].uid == 30 && s.r.head.uidnext == 31 && exists("m.mdir/30"),
		"a UID that was given is not given again, though the files do not tell of it");
	mailbox_scan_free(&s);
	mdir_drop(directory, "m.mdir");
	ok(!scan(&s, true) && !s.count && s.r.head.uidnext == 20, "without its folder it has no message, and its UIDs");
	mailbox_scan_free(&s);
}

int main(void)
{
	log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
	directory = scratch_open();
	ok(directory >= 0, "a directory");
	test_names();
	test_list();
	test_settling();
	test_scan();
	scratch_close(directory);
	return done();
}
