/* The index: what is put is found, whatever is damaged is made anew, and nothing is added to what misses something. */
#include "core/log.h"
#include "core/pack.h"
#include "storage/index/index_shard.h"
#include "t/scratch.h"
#include "t/tap.h"
#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define ALICE STR("alice@example.test")
#define BOB   STR("bob@example.test")
#define INBOX STR("INBOX")
#define MANY  12 /* shards */

static const struct index_limits limits = { .cache_bytes = 1 << 20, .buffer_bytes = 1 << 20, .databases = 2 };

static int directory;

static struct message message(uint32_t uid)
{
	return (struct message){ .uid = uid,
		.flags = uid % 32,
		.keywords = UINT64_MAX - uid,
		.clock = (uint64_t)uid << 33,
		.offset = (uint64_t)uid << 34,
		.prefix = 80,
		.stored = uid,
		.wire = uid + 1,
		.header = uid / 2,
		.date = -5 };
}

static struct mailbox_record record(uint64_t id, uint32_t messages)
{
	return (struct mailbox_record){ .head = { id, 3, 1795412443, UINT32_MAX, UINT64_MAX },
		.mbox_end = 1,
		.state_end = 2,
		.messages = messages,
		.unseen = 4,
		.deleted = 5,
		.recents = 6,
		.bytes = 7,
		.garbage = 8,
		.recent = 9,
		.keywords = { 2, { "$Forwarded", "work" } } };
}

/* Messages told, each as it must be and in the order of UIDs. */
struct told {
	uint32_t count, last;
	bool good;
};

static void each(void *user, const struct message *m)
{
	struct told *t = user;
	struct message want = message(m->uid);

	t->good = t->good && m->uid > t->last && m->flags == want.flags && m->keywords == want.keywords &&
	          m->clock == want.clock && m->offset == want.offset && m->prefix == 80 && m->stored == m->uid &&
	          m->wire == want.wire && m->header == want.header && m->date == -5;
	t->last = m->uid;
	t->count++;
}

/* How many messages the index has of a mailbox; -1: not as they were put, or an error. */
static int count(struct index *x, uint64_t id)
{
	struct told t = { .good = true };
	enum err e = index_messages_work(x, 1, id, each, &t);

	return e || !t.good ? -1 : (int)t.count;
}

/* Puts messages of these UIDs, in one batch. */
static enum err put(struct index *x, struct str address, bool whole, uint64_t id, uint32_t first, uint32_t last)
{
	struct mailbox_record r = record(id, last);
	struct message *m = calloc(last - first + 1, sizeof(*m));
	enum err e;

	for (uint32_t uid = first; uid <= last; uid++)
		m[uid - first] = message(uid);
	e = index_put_work(x, 1, address, INBOX, whole, &r, m, last - first + 1);
	free(m);
	return e;
}

static bool is_record(struct index *x, struct str address, struct str mailbox, uint64_t id, uint32_t messages)
{
	struct mailbox_record r, want = record(id, messages);

	memset(&r, 0xaa, sizeof(r));
	return !index_get_work(x, 1, address, mailbox, &r) && r.head.id == id && r.head.generation == 3 &&
	       r.head.uidvalidity == 1795412443 && r.head.uidnext == UINT32_MAX && r.head.clock == UINT64_MAX &&
	       r.mbox_end == 1 && r.state_end == 2 && r.messages == messages && r.unseen == 4 && r.deleted == 5 &&
	       r.recents == 6 && r.bytes == 7 && r.garbage == 8 && r.recent == 9 &&
	       !memcmp(&r.keywords, &want.keywords, sizeof(want.keywords));
}

static bool absent(struct index *x, struct str address, struct str mailbox)
{
	struct mailbox_record r;

	return index_get_work(x, 1, address, mailbox, &r) == ERR_ABSENT;
}

static void test_use(void)
{
	struct index *x = index_new(directory, 2, &limits);
	struct message m = message(7);
	struct mailbox_record r;

	ok(absent(x, ALICE, INBOX) && count(x, 1) == 0, "at first there is nothing");
	ok(put(x, ALICE, false, 1, 1, 10) == ERR_ABSENT && count(x, 1) == 0,
		"nothing can be added to what is not known");
	ok(!put(x, ALICE, true, 1, 1, 10), "a whole mailbox is put");
	ok(is_record(x, ALICE, INBOX, 1, 10) && count(x, 1) == 10, "and found as it was put");
	ok(!put(x, ALICE, false, 1, 11, 300) && is_record(x, ALICE, INBOX, 1, 300) && count(x, 1) == 300,
		"and added to");
	m.flags |= FLAG_EXPUNGED;
	ok(!index_put_work(x, 1, ALICE, INBOX, false, NULL, &m, 1) && count(x, 1) == 299 &&
			is_record(x, ALICE, INBOX, 1, 300),
		"an expunged message goes, and the record stays if none is given");
	r = record(1, 5);
	r.head.generation = 4;
	ok(index_put_work(x, 1, ALICE, INBOX, false, &r, &m, 1) == ERR_ABSENT,
		"of another generation nothing is added");
	ok(put(x, ALICE, false, 2, 1, 1) == ERR_ABSENT, "nor of another mailbox of that name");
	ok(!put(x, ALICE, true, 2, 5, 6) && count(x, 1) == 0 && count(x, 2) == 2, "a whole one takes its place");
	ok(!put(x, ALICE, true, 2, 7, 7) && count(x, 2) == 1, "also of itself");
	ok(!put(x, ALICE, true, 3, 1, 25000) && !put(x, BOB, true, 4, 1, 2) && !put(x, ALICE, true, 3, 9, 9) &&
			count(x, 3) == 1 && count(x, 4) == 2,
		"25,000 messages are forgotten, and no others");
	ok(!index_rename_work(x, 1, ALICE, INBOX, STR("Old")) && absent(x, ALICE, INBOX) &&
			is_record(x, ALICE, STR("Old"), 3, 9) && count(x, 3) == 1,
		"a mailbox is renamed");
	ok(!index_rename_work(x, 1, ALICE, INBOX, STR("Old")) && is_record(x, ALICE, STR("Old"), 3, 9),
		"one that is not there is not");
	index_free(x);
	x = index_new(directory, 2, &limits);
	ok(is_record(x, ALICE, STR("Old"), 3, 9) && count(x, 3) == 1, "all is there after a restart");
	ok(index_get_work(x, 0, ALICE, STR("Old"), &r) == ERR_ABSENT, "but not in another shard");
	ok(!index_remove_work(x, 1, ALICE, STR("Old"), 3) && absent(x, ALICE, STR("Old")) && count(x, 3) == 0,
		"a mailbox is removed");
	ok(!index_remove_work(x, 1, ALICE, STR("Old"), 3), "twice does no harm");
	index_free(x);
	index_free(NULL);
}

static void test_account(void)
{
	struct index *x = index_new(directory, 2, &limits);

	put(x, STR("a@b"), true, 10, 1, 5);
	index_rename_work(x, 1, STR("a@b"), INBOX, STR("x"));
	put(x, STR("a@b"), true, 11, 1, 5);
	put(x, STR("a@bc"), true, 12, 1, 5);
	ok(!index_remove_account_work(x, 1, STR("a@b")) && absent(x, STR("a@b"), INBOX) &&
			absent(x, STR("a@b"), STR("x")) && count(x, 10) == 0 && count(x, 11) == 0,
		"an account goes with all its mailboxes");
	ok(is_record(x, STR("a@bc"), INBOX, 12, 5) && count(x, 12) == 5, "one of a longer name stays");
	index_free(x);
}

static unsigned set_aside(void)
{
	int fd = openat(directory, "index", O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned n = 0;

	for (struct dirent *e; d && (e = readdir(d));)
		n += !strncmp(e->d_name, "1.bad.", 6);
	if (d)
		closedir(d);
	return n;
}

enum damage { REMOVE, EMPTY, SCRAMBLE };

/* Does it to each file of shard 1's database whose name has `part` in it; answers how many. */
static unsigned damage(const char *part, enum damage how)
{
	int fd = openat(directory, "index/1/leveldb", O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned n = 0;

	for (struct dirent *e; d && (e = readdir(d));) {
		int file;

		if (!strstr(e->d_name, part) || e->d_name[0] == '.')
			continue;
		n++;
		file = openat(fd, e->d_name, O_WRONLY | (how == EMPTY ? O_TRUNC : 0));
		for (off_t at = 100; how == SCRAMBLE && at < 60000; at += 500)
			n += pwrite(file, "!!!!", 4, at) < 0;
		close(file);
		if (how == REMOVE)
			unlinkat(fd, e->d_name, 0);
	}
	if (d)
		closedir(d);
	return n;
}

static void test_damage(void)
{
	static const struct {
		const char *what, *part;
		enum damage how;
	} kinds[] = {
		{ "its tables are damaged", ".ldb", SCRAMBLE },
		{ "its tables are gone", ".ldb", REMOVE },
		{ "its tables are empty", ".ldb", EMPTY },
		{ "its log is damaged", ".log", SCRAMBLE },
		{ "its manifest is damaged", "MANIFEST", EMPTY },
		{ "its manifest is gone", "MANIFEST", REMOVE },
		{ "CURRENT is empty", "CURRENT", EMPTY },
		{ "CURRENT is gone", "CURRENT", REMOVE },
		{ "all of it is gone", "", REMOVE },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct index *x = index_new(directory, 2, &limits);
		bool well, known = true;

		for (int k = 0; k < 3; k++) /* more than stays in memory */
			put(x, ALICE, true, 20 + (uint64_t)k, 1, 20000);
		index_free(x);
		if (strcmp(kinds[i].part, ".log")) { /* opened again, it has all in tables */
			x = index_new(directory, 2, &limits);
			known = is_record(x, ALICE, INBOX, 22, 20000);
			index_free(x);
		}
		if (!damage(kinds[i].part, kinds[i].how))
			known = false;
		x = index_new(directory, 2, &limits);
		well = absent(x, ALICE, INBOX) || count(x, 22) == -1;
		well = well && absent(x, ALICE, INBOX) && count(x, 22) == 0;
		ok(known && well, "when %s all is unknown", kinds[i].what);
		ok(put(x, ALICE, false, 22, 20001, 20001) == ERR_ABSENT && !put(x, ALICE, true, 22, 1, 5) &&
				count(x, 22) == 5,
			"and put anew");
		index_free(x);
	}
	ok(set_aside() == 1, "the last damaged one is kept to look at");
}

/* A database of another version is set aside, and so is one that is none of ours. */
static void test_version(void)
{
	char path[100], *error = NULL;
	leveldb_options_t *options = leveldb_options_create();
	leveldb_writeoptions_t *write = leveldb_writeoptions_create();
	struct index *x;

	for (int kind = 0; kind < 2; kind++) {
		leveldb_t *db;

		x = index_new(directory, 2, &limits);
		put(x, ALICE, true, 22, 1, 5);
		index_free(x);
		snprintf(path, sizeof(path), "%s/index/1/leveldb", scratch_path);
		db = leveldb_open(options, path, &error);
		if (kind == 0)
			leveldb_put(db, write, "v", 1, "\1\0\0\0", 4, &error);
		else
			leveldb_delete(db, write, "v", 1, &error);
		leveldb_close(db);
		x = index_new(directory, 2, &limits);
		ok(!error && absent(x, ALICE, INBOX) && !put(x, ALICE, true, 22, 1, 5) && count(x, 22) == 5,
			kind == 0 ? "one of another version is made anew" : "so is one without a version");
		index_free(x);
	}
	leveldb_writeoptions_destroy(write);
	leveldb_options_destroy(options);
}

/* While no database can be opened there is none, and what was put elsewhere meanwhile is never added to. */
static void test_shortage(void)
{
	struct index *x = index_new(directory, 2, &limits);
	struct rlimit was, none;
	struct mailbox_record r;
	enum err e, f;

	put(x, ALICE, true, 30, 1, 5);
	index_free(x);
	x = index_new(directory, 2, &limits);
	getrlimit(RLIMIT_NOFILE, &was);
	none = (struct rlimit){ 3, was.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	e = index_get_work(x, 1, ALICE, INBOX, &r);
	f = put(x, ALICE, false, 30, 6, 6);
	setrlimit(RLIMIT_NOFILE, &was);
	ok(e == ERR_AGAIN && f == ERR_AGAIN, "without a descriptor left there is no index for now");
	ok(index_get_work(x, 1, ALICE, INBOX, &r) == ERR_AGAIN, "nor for some seconds");
	x->shard[1].retry_us = 0;
	ok(absent(x, ALICE, INBOX) && count(x, 30) == 0, "then it is made anew, for a change was lost");
	put(x, ALICE, true, 30, 1, 5);
	index_free(x);
	x = index_new(directory, 2, &limits);
	setrlimit(RLIMIT_NOFILE, &none);
	e = index_get_work(x, 1, ALICE, INBOX, &r);
	setrlimit(RLIMIT_NOFILE, &was);
	x->shard[1].retry_us = 0;
	ok(e == ERR_AGAIN && is_record(x, ALICE, INBOX, 30, 5) && count(x, 30) == 5,
		"unless nothing was to be changed");
	index_free(x);
}

/* Descriptors of this process that are open. */
static unsigned descriptors(void)
{
	unsigned open = 0;

	for (int fd = 0; fd < 1000; fd++)
		open += fcntl(fd, F_GETFD) >= 0;
	return open;
}

static bool many_put(struct index *x)
{
	bool good = true;

	for (unsigned shard = 0; shard < MANY; shard++) {
		struct mailbox_record r = record(100 + shard, 1);
		struct message m = message(1);

		good = good && !index_put_work(x, shard, ALICE, STR("Many"), true, &r, &m, 1);
	}
	return good;
}

static bool many_are(struct index *x)
{
	bool good = true;

	for (unsigned shard = MANY; shard-- > 0;) {
		struct told t = { 0, 0, true };
		struct mailbox_record r;

		good = good && !index_get_work(x, shard, ALICE, STR("Many"), &r) && r.head.id == 100 + shard &&
		       !index_messages_work(x, shard, r.head.id, each, &t) && t.good && t.count == 1;
	}
	return good;
}

static void test_many(void)
{
	struct index *x = index_new(directory, MANY, &limits);
	unsigned before = descriptors(), most;

	ok(many_put(x), "more shards than databases may be open: all are put to");
	most = descriptors() - before;
	ok(x->open == 2 && most <= 2 * 5, "two are open, and no more descriptors than those two need (%u)", most);
	ok(many_are(x) && x->open == 2, "and what was put is found in each");
	index_free(x);
}

/* One that nobody asks for is closed, keeps no descriptor and no table mapped, and opens again with all it had. */
static void test_rest(void)
{
	struct index_limits many = limits;
	unsigned before = descriptors(), kept;
	struct mailbox_record r;
	struct rlimit was;
	struct index *x;
	uint64_t uses;

	many.databases = MANY;
	x = index_new(directory, MANY, &many);
	many_put(x);
	ok(index_close_work(x, 0, MANY) == 0 && x->open == MANY, "what was used since stays open");
	uses = index_uses_work(x);
	index_get_work(x, 3, ALICE, STR("Many"), &r);
	ok(index_close_work(x, uses, 4) == 4 && x->open == MANY - 4, "of those nobody asked for some are closed");
	ok(index_close_work(x, uses, MANY) == MANY - 5 && x->open == 1 && x->shard[3].db, "and then the others");
	ok(index_close_work(x, uses, MANY) == 0 && x->open == 1, "but not one that was asked for since");
	ok(index_close_work(x, index_uses_work(x), MANY) == 1 && x->open == 0, "unless nobody asks for it again");
	kept = descriptors();
	ok(kept == before, "they keep no descriptor (%u, before %u)", kept, before);
	ok(many_are(x) && x->open == MANY, "asked again they are open, and have all they had");
	ok(many_put(x) && many_are(x), "and take what is put");
	index_close_work(x, index_uses_work(x), MANY);
	getrlimit(RLIMIT_NOFILE, &was);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 3, was.rlim_max });
	ok(index_get_work(x, 3, ALICE, STR("Many"), &r) == ERR_AGAIN && !x->open,
		"one that cannot open again is not there");
	setrlimit(RLIMIT_NOFILE, &was);
	ok(index_close_work(x, index_uses_work(x), MANY) == 0, "and is not closed");
	x->shard[3].retry_us = 0;
	ok(many_are(x), "it has all it had when it can");
	index_free(x);
}

static void test_few_descriptors(void)
{
	struct index_limits many = limits;
	struct rlimit was, few;
	struct index *x;

	many.databases = MANY;
	getrlimit(RLIMIT_NOFILE, &was);
	few = (struct rlimit){ 100, was.rlim_max };
	setrlimit(RLIMIT_NOFILE, &few);
	x = index_new(directory, MANY, &many);
	ok(x->open_max < MANY && many_put(x) && many_are(x) && x->open <= x->open_max,
		"where few descriptors may be open, few databases are");
	index_free(x);
	setrlimit(RLIMIT_NOFILE, &was);
}

int main(void)
{
	int null = open("/dev/null", O_WRONLY);

	log_to(null);
	directory = scratch_open();
	test_use();
	test_account();
	test_damage();
	test_version();
	test_shortage();
	test_many();
	test_rest();
	test_few_descriptors();
	scratch_close(directory);
	close(null);
	return done();
}
