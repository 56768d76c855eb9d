/* Views: what the owner writes is what readers see, also in another process, also while he writes. */
#include "storage/mailbox/view.h"
#include "core/log.h"
#include "t/scratch.h"
#include "t/tap.h"
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define ID 0xabcdef

static int directory;

static struct message message(uint32_t place, uint32_t flags)
{
	return (struct message){ .uid = 2 * place + 2,
		.flags = flags,
		.keywords = place,
		.clock = place + 1,
		.offset = 100 * (uint64_t)place,
		.prefix = 10,
		.stored = 80,
		.wire = 85,
		.header = 30,
		.date = 7 };
}

static bool same(const struct message *a, const struct message *b)
{
	return a->uid == b->uid && a->flags == b->flags && a->keywords == b->keywords && a->clock == b->clock &&
	       a->offset == b->offset && a->prefix == b->prefix && a->stored == b->stored && a->wire == b->wire &&
	       a->header == b->header && a->date == b->date;
}

static void test_owner_and_reader(void)
{
	struct view *owner, *reader;
	struct view_head h;
	struct message m, got;
	bool all = true;

	ok(view_map(&reader, directory, "a", ID) == ERR_ABSENT && !reader, "there is no view before it is made");
	ok(!view_create(&owner, directory, "a", ID, 3, 77, 100), "the owner makes one");
	ok(!view_map(&reader, directory, "a", ID), "a reader maps it");
	for (uint32_t i = 0; i < 100; i++) {
		m = message(i, i % 2 ? FLAG_SEEN : FLAG_DELETED);
		view_add(owner, &m);
	}
	view_read_head(reader, &h);
	ok(h.id == ID && h.generation == 3 && h.uidvalidity == 77 && !h.count && !h.unseen && !h.bytes && !h.superseded,
		"what is only added is not seen");
	view_publish(owner, 202, 1000);
	view_read_head(reader, &h);
	ok(h.count == 100 && h.unseen == 50 && h.deleted == 50 && h.bytes == 8500 && h.uidnext == 202 &&
			h.clock == 1000 && !h.expunged && !h.changes,
		"what is published is, and counted");
	for (uint32_t i = 0; i < 100; i++) {
		m = message(i, i % 2 ? FLAG_SEEN : FLAG_DELETED);
		view_message(reader, i, &got);
		all = all && same(&m, &got);
	}
	ok(all, "each message is as it was added");
	ok(view_place(reader, 0) == 0 && view_place(reader, 2) == 0 && view_place(reader, 3) == 1 &&
			view_place(reader, 200) == 99 && view_place(reader, 201) == 100,
		"a UID is found, or the next, or the end");
	m = message(0, FLAG_SEEN | FLAG_EXPUNGED);
	m.clock = 2000;
	view_change(owner, 0, &m);
	view_read_head(reader, &h);
	view_message(reader, 0, &got);
	ok(same(&m, &got) && h.expunged == 1 && h.unseen == 49 && h.deleted == 49 && h.bytes == 8415 &&
			h.count == 100 && h.changes == 1 && h.clock == 2000,
		"an expunged message keeps its place and is counted out");
	m = message(100, 0);
	view_add(owner, &m);
	m.flags = FLAG_SEEN;
	view_change(owner, 100, &m);
	view_read_head(reader, &h);
	ok(h.count == 100 && h.unseen == 49 && h.changes == 1, "a change of what is not published is no news");
	view_publish(owner, 204, 2000);
	view_read_head(reader, &h);
	ok(h.count == 101 && h.unseen == 49 && h.bytes == 8500, "it is published as it is by then");
	view_supersede(owner);
	view_read_head(reader, &h);
	ok(h.superseded, "a reader sees that there is a newer one");
	view_unmap(owner);
	view_message(reader, 100, &got);
	ok(same(&m, &got), "and reads on when the owner is gone");
	view_unmap(reader);
	view_unmap(NULL);
}

static void test_full(void)
{
	struct view *v, *old;
	struct view_head h;
	struct message m;
	uint32_t n = 0;

	view_create(&v, directory, "full", ID, 1, 1, 1000);
	for (; !view_full(v); n++) {
		m = message(n, 0);
		view_add(v, &m);
	}
	ok(n >= 1000 && n < 1064, "a view for 1,000 messages takes them and fills its last page: %u", n);
	view_publish(v, 5000, 1);
	view_map(&old, directory, "full", ID);
	view_unmap(v);
	ok(!view_create(&v, directory, "full", ID, 2, 1, 0), "one may be made where one lies");
	view_read_head(old, &h);
	ok(h.generation == 1 && h.count == n, "who reads the old one keeps it");
	ok(view_full(v), "a view for nothing is full");
	view_unmap(old);
	view_unmap(v);
	ok(view_create(&v, directory, "no/such", ID, 1, 1, 1) == ERR_ABSENT && !v, "none is made in no directory");
	ok(view_create(&v, directory, "big", ID, 1, 1, UINT32_MAX) == ERR_TOO_BIG && !v, "nor one beyond all measure");
}

static void test_changes(void)
{
	struct view *v;
	struct message m;
	uint32_t places[2000];
	size_t count;
	uint64_t now;

	view_create(&v, directory, "changes", ID, 1, 1, 10);
	for (uint32_t i = 0; i < 10; i++) {
		m = message(i, 0);
		view_add(v, &m);
	}
	view_publish(v, 100, 100);
	ok(view_changes(v, 0, places, 2000, &count, &now) && !count && !now, "at first nothing has changed");
	for (uint32_t i = 0; i < 5; i++) {
		m = message(9 - i % 2, FLAG_SEEN);
		view_change(v, 9 - i % 2, &m);
	}
	ok(view_changes(v, 0, places, 2000, &count, &now) && count == 5 && now == 5 && places[0] == 9 &&
			places[1] == 8 && places[4] == 9,
		"places are told in the order of their changes");
	ok(view_changes(v, 3, places, 2000, &count, &now) && count == 2 && now == 5 && places[0] == 8 && places[1] == 9,
		"from where a reader was");
	ok(view_changes(v, 5, places, 0, &count, &now) && !count, "and none when there are none");
	ok(!view_changes(v, 0, places, 4, &count, &now) && !count && now == 5, "not more than there is room for");
	ok(!view_changes(v, 6, places, 2000, &count, &now) && now == 5, "nor to one who has seen what never was");
	for (uint32_t i = 0; i < 1018; i++)
		view_change(v, 9, &m);
	ok(view_changes(v, 0, places, 2000, &count, &now) && count == 1023 && places[0] == 9 && places[1] == 8,
		"1,023 changes are kept");
	view_change(v, 9, &m);
	ok(!view_changes(v, 0, places, 2000, &count, &now) && now == 1024, "more are not");
	ok(view_changes(v, 1, places, 2000, &count, &now) && count == 1023 && places[0] == 8, "but the last ones are");
	view_unmap(v);
}

static void test_keywords(void)
{
	struct keywords k = { 2, { "$Forwarded", "work" } };
	struct view *owner, *reader;

	view_create(&owner, directory, "words", ID, 1, 1, 10);
	view_map(&reader, directory, "words", ID);
	ok(!view_keyword_count(reader) && !view_keyword(reader, 0), "at first there are no keywords");
	view_keywords_set(owner, &k);
	ok(view_keyword_count(reader) == 2 && !strcmp(view_keyword(reader, 1), "work") && !view_keyword(reader, 2),
		"then those the owner has set");
	while (k.count < KEYWORDS_MAX)
		memset(k.word[k.count++], 'x', KEYWORD_BYTES_MAX);
	view_keywords_set(owner, &k);
	ok(view_keyword_count(reader) == 64 && strlen(view_keyword(reader, 63)) == KEYWORD_BYTES_MAX &&
			!strcmp(view_keyword(reader, 0), "$Forwarded"),
		"64 of 100 bytes");
	view_unmap(owner);
	view_unmap(reader);
}

/* A file that is not what it should be is refused, and one that says what cannot be leads nobody astray. */
static void test_damage(void)
{
	struct view *v;
	struct view_head h;
	struct message m;
	struct stat st;
	uint32_t places[10];
	char good[12288];
	size_t count, mapped = 0;
	uint64_t now;
	int fd;

	view_create(&v, directory, "damaged", ID, 1, 1, 100);
	m = message(0, 0);
	view_add(v, &m);
	view_publish(v, 3, 1);
	view_change(v, 0, &m);
	view_unmap(v);
	ok(view_map(&v, directory, "damaged", ID + 1) == ERR_NEVER && !v, "another mailbox's view is refused");
	fd = openat(directory, "damaged", O_RDWR);
	fstat(fd, &st);
	for (off_t len = 0; len < st.st_size; len += 4096) {
		char name[20];
		int half;

		snprintf(name, sizeof(name), "half%d", (int)len);
		half = openat(directory, name, O_RDWR | O_CREAT, 0600);
		if (copy_file_range(fd, &(off_t){ 0 }, half, NULL, (size_t)len, 0) != len)
			ok(false, "a piece is copied");
		close(half);
		mapped += !view_map(&v, directory, name, ID);
		view_unmap(v);
	}
	ok(!mapped, "a shortened one is refused");
	ok(pread(fd, good, sizeof(good), 0) == sizeof(good), "its head is put by");
	for (unsigned seed = 1; seed <= 300; seed++) { /* what is not refused can be read without harm */
		char bad[sizeof(good)];

		srand(seed);
		memcpy(bad, good, sizeof(bad));
		for (int i = 0; i < 20; i++) /* 3 among the numbers, now and then in what is checked first */
			bad[i < 3 ? rand() % 160 : 160 + rand() % (12288 - 160)] = (char)rand();
		if (pwrite(fd, bad, sizeof(bad), 0) != sizeof(bad))
			ok(false, "it is damaged");
		if (view_map(&v, directory, "damaged", ID))
			continue;
		mapped++;
		view_read_head(v, &h);
		for (uint32_t i = 0; i < h.count; i += 1 + h.count / 10)
			view_message(v, i, &m);
		view_place(v, 12345);
		if (view_changes(v, h.changes ? h.changes - 1 : 0, places, 10, &count, &now))
			for (size_t i = 0; i < count; i++)
				view_message(v, places[i], &m);
		for (unsigned i = 0; i < 70; i++)
			if (view_keyword(v, i) && strlen(view_keyword(v, i)) > 103)
				ok(false, "a keyword ends");
		view_unmap(v);
	}
	ok(mapped > 10, "damage of every kind did no harm; %zu of 300 were not noticed", mapped);
	close(fd);
}

/* Reads as fast as it can what another process writes. Answers how many times it found what cannot be. */
static int read_along(const char *path, uint32_t all)
{
	struct view_head h, last = { 0 };
	struct view *v;
	uint32_t *flags = calloc(all, sizeof(*flags)), known = 0, places[1024];
	uint64_t seen = 0;
	int wrong = 0;

	if (view_map(&v, directory, path, ID))
		return 99;
	do {
		struct message m;
		size_t count;

		view_read_head(v, &h);
		wrong += h.count < last.count || h.clock < last.clock || h.changes < last.changes;
		wrong += h.uidnext != 2 * h.count + 2 || h.unseen + h.expunged > h.count;
		wrong += h.bytes != 85 * (uint64_t)(h.count - h.expunged) || h.clock != h.count + h.changes;
		if (view_changes(v, seen, places, 1024, &count, &seen)) {
			for (size_t i = 0; i < count; i++) {
				view_message(v, places[i], &m);
				flags[places[i]] = m.flags;
			}
		} else {
			for (uint32_t i = 0; i < known; i++) {
				view_message(v, i, &m);
				flags[i] = m.flags;
			}
		}
		for (uint32_t end = view_place(v, UINT32_MAX); known < end; known++) {
			view_message(v, known, &m);
			wrong += m.uid != 2 * known + 2 || m.offset != 100 * (uint64_t)known || m.wire != 85;
			flags[known] = m.flags;
		}
		last = h;
	} while (!h.superseded);
	for (uint32_t i = 0; i < known; i++) {
		struct message m;

		view_message(v, i, &m);
		wrong += m.flags != flags[i];
	}
	wrong += known != all;
	view_unmap(v);
	free(flags);
	return wrong > 98 ? 98 : wrong;
}

static void test_together(void)
{
	enum { ALL = 20000, READERS = 2 };
	struct view *v;
	uint64_t clock = 0;
	uint32_t count = 0;
	int status, wrong = 0;

	view_create(&v, directory, "together", ID, 1, 1, ALL);
	view_publish(v, 2, 0);
	for (int i = 0; i < READERS; i++)
		if (!fork())
			_exit(read_along("together", ALL));
	while (count < ALL) {
		struct message m = message(count, 0);
		uint32_t place = (uint32_t)rand() % (count + 1);

		m.clock = ++clock;
		view_add(v, &m);
		count++;
		view_publish(v, 2 * count + 2, clock);
		for (int i = 0; i < 3; i++) {
			uint32_t was;

			view_message(v, place, &m);
			was = m.flags;
			m.flags = was & FLAG_EXPUNGED
			                  ? was
			                  : (uint32_t)rand() & (FLAG_SYSTEM | (rand() % 8 ? 0 : FLAG_EXPUNGED));
			m.clock = ++clock;
			view_change(v, place, &m);
		}
		if (count % 500 == 0)
			nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
	}
	view_supersede(v);
	for (int i = 0; i < READERS; i++) {
		wait(&status);
		wrong += WIFEXITED(status) ? WEXITSTATUS(status) : 100;
	}
	ok(!wrong, "two processes read along while 20,000 messages come and 60,000 changes, and see nothing that never "
		   "was");
	view_unmap(v);
}

/* The places that one of the walks over bits tells, ended by the count. */
static bool walk(const struct view *v, uint32_t (*next)(const struct view *v, uint32_t place), const uint32_t *wanted)
{
	uint32_t place = 0;

	for (; (place = next(v, place)) == *wanted && *wanted < 200; wanted++)
		place++;
	return place == *wanted;
}

static void test_bits(void)
{
	struct view *v;
	struct message m;

	view_create(&v, directory, "bits", ID, 1, 1, 200);
	for (uint32_t i = 0; i < 200; i++) {
		m = message(i, i == 3 || i == 64 || i == 199 ? 0 : i == 100 ? FLAG_SEEN | FLAG_DELETED : FLAG_SEEN);
		view_add(v, &m);
	}
	view_publish(v, 402, 1000);
	ok(walk(v, view_next_unseen, (uint32_t[]){ 3, 64, 199, 200 }), "those without \\Seen are found one by one");
	ok(walk(v, view_next_deleted, (uint32_t[]){ 100, 200 }), "so are those with \\Deleted");
	ok(walk(v, view_next_expunged, (uint32_t[]){ 200 }), "and that none is expunged");
	m = message(64, FLAG_EXPUNGED);
	view_change(v, 64, &m);
	m = message(100, FLAG_SEEN | FLAG_DELETED | FLAG_EXPUNGED);
	view_change(v, 100, &m);
	m = message(3, FLAG_SEEN | FLAG_DELETED);
	view_change(v, 3, &m);
	m = message(5, 0);
	view_change(v, 5, &m);
	ok(walk(v, view_next_unseen, (uint32_t[]){ 5, 199, 200 }), "a change moves a message from one to another");
	ok(walk(v, view_next_deleted, (uint32_t[]){ 3, 200 }), "what is expunged has no flags that count");
	ok(walk(v, view_next_expunged, (uint32_t[]){ 64, 100, 200 }), "but is found as that");
	view_unmap(v);
}

static void damage(const char *path, off_t at)
{
	int fd = openat(directory, path, O_RDWR);
	char byte;

	if (pread(fd, &byte, 1, at) != 1)
		abort();
	byte ^= 4;
	if (pwrite(fd, &byte, 1, at) != 1)
		abort();
	close(fd);
}

static void test_seal(void)
{
	struct keywords words = { 0 };
	uint64_t mbox_end = 0, state_end = 0;
	struct view *v;
	struct view_head h;
	struct message m, got;

	keywords_bit(&words, STR("$Junk"));
	ok(view_unseal(&v, directory, "sealed", ID, &mbox_end, &state_end) == ERR_ABSENT && !v, "nothing is kept");
	view_create(&v, directory, "sealed", ID, 3, 77, 100);
	view_keywords_set(v, &words);
	for (uint32_t i = 0; i < 50; i++) {
		m = message(i, 0);
		view_add(v, &m);
	}
	view_publish(v, 102, 1000);
	m = message(7, FLAG_SEEN);
	m.clock = 2000;
	view_change(v, 7, &m);
	view_unmap(v);
	ok(view_unseal(&v, directory, "sealed", ID, &mbox_end, &state_end) == ERR_NEVER && !v,
		"a view whose owner died is not taken up");
	view_create(&v, directory, "sealed", ID, 3, 77, 100);
	view_keywords_set(v, &words);
	view_add(v, &m);
	view_publish(v, 102, 2000);
	view_seal(v, 12345, 678);
	view_unmap(v);
	ok(view_unseal(&v, directory, "sealed", ID + 1, &mbox_end, &state_end) == ERR_NEVER,
		"nor is another mailbox's");
	ok(!view_unseal(&v, directory, "sealed", ID, &mbox_end, &state_end) && mbox_end == 12345 && state_end == 678,
		"one that was sealed is, and says what it covers");
	view_read_head(v, &h);
	view_message(v, 0, &got);
	ok(h.count == 1 && h.clock == 2000 && h.uidnext == 102 && h.generation == 3 && same(&m, &got) &&
			!strcmp(view_keyword(v, 0), "$Junk"),
		"all in it is as it was");
	m = message(8, FLAG_DELETED);
	m.clock = 2001;
	view_add(v, &m);
	view_publish(v, 103, 2001);
	view_read_head(v, &h);
	ok(h.count == 2 && h.unseen == 1 && h.deleted == 1 && view_capacity(v) >= 100, "its new owner goes on with it");
	view_unmap(v);
	ok(view_unseal(&v, directory, "sealed", ID, &mbox_end, &state_end) == ERR_NEVER, "a seal is good for once");
	for (int i = 0; i < 3; i++) {
		off_t places[] = { 40, 12288 + 4, 12288 + 64 * 128 };

		view_create(&v, directory, "sealed", ID, 3, 77, 100);
		m = message(7, 0);
		view_add(v, &m);
		view_publish(v, 102, 2000);
		view_seal(v, 1, 1);
		view_unmap(v);
		damage("sealed", places[i]);
		ok(view_unseal(&v, directory, "sealed", ID, &mbox_end, &state_end) == ERR_NEVER,
			"what was damaged at %lld is not taken up", (long long)places[i]);
	}
}

int main(void)
{
	int null = open("/dev/null", O_WRONLY);

	log_to(null);
	directory = scratch_open();
	test_owner_and_reader();
	test_full();
	test_changes();
	test_keywords();
	test_damage();
	test_bits();
	test_seal();
	test_together();
	scratch_close(directory);
	close(null);
	return done();
}
