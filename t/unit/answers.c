/* Answers noted in a file that processes share: what one life notes the next one finds, whole or not at all, and only of
 * recipients of whom the queue knows nothing later. */
#include "storage/queue/answers.h"
#include "core/counter.h"
#include "core/house.h"
#include "core/log.h"
#include "core/mem.h"
#include "t/scratch.h"
#include "t/tap.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HAS = 0, PASSED = 2, LATER = QUEUE_ANSWER_OPEN, NEVER = QUEUE_ANSWER_OPEN + 1 };

#define HEAD  4096
#define SLOT  2048
#define ITEMS 200

static const struct settings *const no_settings[] = { NULL };
static const struct call_type *const no_calls[] = { NULL };
const struct house house = { .settings = no_settings, .calls = no_calls };

static int store;
static struct answers *a;

static struct queue_message *message_new(uint64_t id)
{
	struct queue_message *m = mem_alloc(sizeof(*m) + ITEMS * sizeof(m->items[0]));

	m->id = id;
	m->arrived_s = 1795412443;
	m->wire = 812;
	m->count = ITEMS;
	for (uint32_t i = 0; i < ITEMS; i++) {
		m->items[i].message = m;
		m->items[i].number = i;
	}
	return m;
}

static struct queue_answer answer(uint8_t kind, const char *reply)
{
	return (struct queue_answer){ kind, STR("4.2.1"), str_of(reply), STR("mx.far.test [192.0.2.1]") };
}

static void note(struct queue_item *item, uint8_t kind, const char *reply)
{
	struct queue_answer what = answer(kind, reply);

	answers_note(a, &item, 1, &what);
}

static bool says(struct queue_item *item, uint8_t kind, const char *reply)
{
	struct queue_answer got;

	return answers_read(a, item, &got) && got.kind == kind && str_eq(got.reply, str_of(reply)) &&
	       str_eq(got.status, STR("4.2.1")) && str_eq(got.remote, STR("mx.far.test [192.0.2.1]"));
}

/* Another life, as after kill -9: nothing was released. */
static void again(unsigned slot)
{
	answers_free(a);
	a = answers_open(store, slot);
}

static void test_life(void)
{
	struct queue_message *m = message_new(1), *next = message_new(1), *other = message_new(2);

	a = answers_open(store, 0);
	note(&m->items[3], HAS, "250 taken");
	note(&m->items[4], LATER, "450 4.2.1 come\nagain");
	ok(says(&m->items[3], HAS, "250 taken") && !m->items[5].note, "an answer is noted of an item");
	again(0);
	ok(!answers_find(a, &next->items[5]) && !answers_find(a, &other->items[3]),
		"a later life finds nothing of others");
	ok(answers_find(a, &next->items[3]) && says(&next->items[3], HAS, "250 taken"),
		"but what was said of this one");
	next->items[4].tries = 1;
	ok(!answers_find(a, &next->items[4]), "that it was put off is older than the try that the queue knows of");
	next->items[4].tries = 0;
	ok(answers_find(a, &next->items[4]) && says(&next->items[4], LATER, "450 4.2.1 come\nagain"),
		"unless it knows of none");
	answers_all_found(a);
	ok(says(&next->items[3], HAS, "250 taken"), "it is there until it is released");
	answers_release(a, next->items[3].note);
	answers_release(a, next->items[4].note);
	again(0);
	next->items[3].note = next->items[4].note = 0;
	ok(!answers_find(a, &next->items[3]) && !answers_find(a, &next->items[4]), "and then no more");
	m->arrived_s++;
	note(&m->items[0], HAS, "250 of one that has this id in another store");
	again(0);
	ok(!answers_find(a, &next->items[0]), "a message of another arrival is another");
	again(0);
	answers_free(a);
	free(m);
	free(next);
	free(other);
}

/* A note that is found, and released before all are found, leaves its place to one other, not to two. */
static void test_released(void)
{
	enum { MESSAGES = ANSWERS_SLOTS / ITEMS + 1 };
	struct queue_message *m = message_new(1), *next = message_new(1), *others[MESSAGES];
	static bool used[ANSWERS_SLOTS + 1];
	bool twice = false, two_found;

	a = answers_open(store, 0);
	answers_note(a, (struct queue_item *[]){ &m->items[0], &m->items[1] }, 2, &(struct queue_answer){ HAS });
	for (unsigned i = 2; i < 6; i++) /* these stay */
		note(&m->items[i], HAS, "250");
	again(0);
	for (unsigned i = 2; i < 6; i++)
		answers_find(a, &next->items[i]);
	two_found = answers_find(a, &next->items[0]);
	answers_release(a, next->items[0].note);
	two_found &= answers_find(a, &next->items[1]);
	ok(two_found, "a note of two is found by the second, too, when the first is through with it");
	answers_release(a, next->items[1].note);
	answers_all_found(a);
	for (unsigned i = 0; i < MESSAGES; i++) {
		others[i] = message_new(2 + i);
		for (unsigned n = 0; n < ITEMS; n++) {
			note(&others[i]->items[n], HAS, "250");
			twice |= others[i]->items[n].note && used[others[i]->items[n].note];
			used[others[i]->items[n].note] = true;
		}
	}
	ok(!twice, "and its place is one other's then");
	for (unsigned i = 2; i < 6; i++)
		answers_release(a, next->items[i].note);
	for (unsigned i = 0; i < MESSAGES; i++) {
		for (unsigned n = 0; n < ITEMS; n++)
			answers_release(a, others[i]->items[n].note);
		free(others[i]);
	}
	answers_free(a);
	free(m);
	free(next);
}

static void test_several(void)
{
	struct queue_message *m = message_new(7), *next = message_new(7);
	struct queue_answer taken = answer(PASSED, "250 all of you");
	struct queue_item *items[ITEMS];
	unsigned found = 0;
	bool one = true;

	a = answers_open(store, 0);
	for (unsigned i = 0; i < 100; i++)
		items[i] = &m->items[i];
	answers_note(a, items, 100, &taken);
	for (unsigned i = 0; i < 100; i++)
		one &= m->items[i].note == m->items[0].note;
	ok(one, "one answer to many is one note");
	for (unsigned i = 0; i < 99; i++)
		answers_release(a, m->items[i].note);
	again(0);
	ok(answers_find(a, &next->items[50]), "which is there until the last of them is released");
	again(0);
	for (unsigned i = 0; i < 100; i++) {
		m->items[2 * i].note = 0;
		items[i] = &m->items[2 * i];
	}
	answers_note(a, items, 100, &taken);
	ok(m->items[0].note != m->items[198].note, "more of them than one note has room for are in several");
	again(0);
	next->items[50].note = 0;
	for (unsigned i = 100; i < ITEMS; i++)
		found += answers_find(a, &next->items[i]);
	ok(found == 50, "each is found (%u)", found);
	answers_free(a);
	free(m);
	free(next);
}

static void test_which(void)
{
	struct queue_message *m = message_new(9), *same = message_new(9), *next = message_new(9);

	a = answers_open(store, 0);
	note(&m->items[0], NEVER, "550 no");
	note(&same->items[0], HAS, "250 yes");
	same->items[1].tries = 1;
	note(&same->items[1], LATER, "450 the second time");
	note(&m->items[1], LATER, "450 the first time");
	note(&m->items[2], LATER, "450 later");
	note(&same->items[2], NEVER, "550 never");
	again(0);
	answers_find(a, &next->items[0]);
	answers_find(a, &next->items[1]);
	answers_find(a, &next->items[2]);
	ok(says(&next->items[0], HAS, "250 yes"), "of two answers the one that says that he has it");
	ok(says(&next->items[1], LATER, "450 the second time"), "else the later");
	ok(says(&next->items[2], NEVER, "550 never"), "else the one for good");
	next->items[0].note = 0;
	next->items[0].tries = 5;
	ok(answers_find(a, &next->items[0]), "who has it has it, however often he was tried since");
	note(&next->items[2], LATER, "450 after all");
	ok(says(&next->items[2], LATER, "450 after all"), "a new note is instead of the old");
	again(0);
	next->items[2].note = 0;
	answers_find(a, &next->items[2]);
	ok(says(&next->items[2], LATER, "450 after all"), "which is gone");
	answers_free(a);
	free(m);
	free(same);
	free(next);
}

static void test_workers(void)
{
	struct queue_message *m = message_new((UINT64_C(1) << 48) | 77), *next = message_new(m->id);

	a = answers_open(store, 1);
	note(&m->items[0], HAS, "250 taken");
	again(0);
	ok(answers_find(a, &next->items[0]) && says(&next->items[0], HAS, "250 taken"),
		"what another worker noted is found by whoever has his mail now");
	answers_all_found(a);
	again(0);
	unlinkat(store, "queue/1/answers", 0);
	again(0);
	next->items[0].note = 0;
	ok(answers_find(a, &next->items[0]), "and is his own from then on");
	answers_free(a);
	free(m);
	free(next);
}

static void test_full(void)
{
	struct queue_message *m = message_new(11);
	unsigned noted = 0;

	a = answers_open(store, 2);
	for (unsigned i = 0; i < ANSWERS_SLOTS; i++) {
		m->items[0].note = 0;
		note(&m->items[0], HAS, "250 taken");
		noted += m->items[0].note != 0;
	}
	ok(noted == ANSWERS_SLOTS, "so many may be noted at a time");
	note(&m->items[1], HAS, "250 taken");
	ok(!m->items[1].note, "one more is not");
	note(&m->items[0], LATER, "450 instead");
	ok(!m->items[0].note, "nor does the old note stay of whom something newer cannot be noted");
	note(&m->items[1], HAS, "250 taken");
	ok(m->items[1].note, "what is released makes room");
	answers_free(a);
	free(m);
}

/* The bytes of the slot of a note, as they are in the file. */
static size_t slot_at(unsigned note)
{
	return HEAD + (size_t)(note - 1) * SLOT;
}

static void test_torn(void)
{
	struct queue_message *m = message_new(21), *next = message_new(21);
	unsigned whole = 0, wrong = 0, len;
	unsigned char bytes[SLOT], zeros[SLOT] = { 0 };
	unsigned place;
	int fd;

	a = answers_open(store, 3);
	note(&m->items[0], HAS, "250 taken");
	place = m->items[0].note;
	fd = openat(store, "queue/3/answers", O_RDWR);
	pread(fd, bytes, SLOT, (off_t)slot_at(place));
	len = bytes[4] | bytes[5] << 8;
	for (unsigned cut = 0; cut <= len; cut++) {
		pwrite(fd, zeros, SLOT, (off_t)slot_at(place));
		pwrite(fd, bytes, cut, (off_t)slot_at(place));
		again(3);
		next->items[0].note = 0;
		whole += answers_find(a, &next->items[0]);
	}
	ok(whole == 1, "a note is there when its last byte is, not before (%u of %u)", whole, len + 1);
	for (unsigned at = 0; at < len; at++) {
		bytes[at] ^= 1;
		pwrite(fd, bytes, SLOT, (off_t)slot_at(place));
		bytes[at] ^= 1;
		again(3);
		next->items[0].note = 0;
		wrong += answers_find(a, &next->items[0]);
	}
	ok(!wrong, "one that has a wrong bit is none (%u)", wrong);
	srand(1);
	for (unsigned i = 0; i < 200; i++) {
		for (unsigned at = 0; at < SLOT; at++)
			bytes[at] = (unsigned char)rand();
		pwrite(fd, bytes, SLOT, (off_t)slot_at(1 + i));
	}
	again(3);
	next->items[0].note = 0;
	ok(!answers_find(a, &next->items[0]), "nor is anything that just lies there");
	note(&m->items[1], HAS, "250 taken");
	ok(says(&m->items[1], HAS, "250 taken"), "which is written over");
	close(fd);
	answers_free(a);
	free(m);
	free(next);
}

static void put_head(const char *path, const void *bytes, size_t len)
{
	int fd = openat(store, path, O_RDWR | O_CREAT, 0600);

	pwrite(fd, bytes, len, 0);
	close(fd);
}

static void test_files(void)
{
	static const uint32_t later[7] = { 0x74736f70, 0x2d6e7265, 0x77736e61, 0x00737265, 2, SLOT, ANSWERS_SLOTS };
	struct queue_message *m = message_new(31);
	struct queue_answer taken = answer(HAS, "250 taken");
	struct queue_item *item = &m->items[0];
	struct rlimit limit = { 1 << 20, RLIM_INFINITY }, old;
	struct stat st;

	put_head("queue/4/answers", later, sizeof(later));
	a = answers_open(store, 4);
	answers_note(a, &item, 1, &taken);
	fstatat(store, "queue/4/answers", &st, 0);
	ok(!item->note && st.st_size == sizeof(later), "a file of a later version is left alone, and nothing noted");
	again(0);
	ok(!answers_find(a, item), "nor is it read by others");
	answers_free(a);
	put_head("queue/5/answers", "this is no file of ours, is it?", 31);
	a = answers_open(store, 5);
	answers_note(a, &item, 1, &taken);
	ok(item->note, "what is none of ours is written over");
	item->note = 0;
	answers_free(a);
	symlinkat("5/answers", store, "queue/6/answers");
	a = answers_open(store, 6);
	answers_note(a, &item, 1, &taken);
	ok(!item->note, "no link is followed: without a file nothing is noted, and nothing fails");
	answers_release(a, 0);
	answers_all_found(a);
	answers_free(a);
	getrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	a = answers_open(store, 7);
	setrlimit(RLIMIT_FSIZE, &old);
	answers_note(a, &item, 1, &taken);
	ok(!item->note, "nor where there is no room for all of it");
	again(7);
	answers_note(a, &item, 1, &taken);
	ok(item->note, "until there is");
	answers_free(a);
	answers_free(NULL);
	free(m);
}

/* A child notes for ever and tells of each note when it is made; whatever it told is found, whenever it dies. */
static void test_kills(void)
{
	struct queue_message *m = message_new(41), *next = message_new(41);
	unsigned missing = 0;

	for (unsigned life = 0; life < 20; life++) {
		uint32_t told = 0, last = 0;
		int ends[2];
		pid_t child;

		unlinkat(store, "queue/8/answers", 0);
		if (pipe(ends) || (child = fork()) < 0)
			abort();
		if (!child) {
			a = answers_open(store, 8);
			for (uint32_t i = 0; i < ITEMS; i++) {
				note(&m->items[i], HAS, "250 taken");
				if (write(ends[1], &i, sizeof(i)) != sizeof(i))
					_exit(1);
			}
			pause();
		}
		close(ends[1]);
		for (unsigned i = 0; i < 5 + 9 * life && read(ends[0], &last, sizeof(last)) == sizeof(last); i++)
			told = last + 1;
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		while (read(ends[0], &last, sizeof(last)) == sizeof(last))
			told = last + 1;
		close(ends[0]);
		a = answers_open(store, 8);
		for (uint32_t i = 0; i < told; i++) {
			next->items[i].note = 0;
			missing += !answers_find(a, &next->items[i]);
		}
		answers_free(a);
	}
	ok(!missing, "kill -9 forgets nothing that was noted (%u)", missing);
	free(m);
	free(next);
}

int main(void)
{
	char path[32];

	log_to(open("/dev/null", O_WRONLY));
	store = scratch_open();
	mkdirat(store, "queue", 0700);
	for (unsigned i = 0; i < 9; i++) {
		snprintf(path, sizeof(path), "queue/%u", i);
		mkdirat(store, path, 0700);
	}
	test_life();
	test_released();
	test_several();
	test_which();
	test_workers();
	test_full();
	test_torn();
	test_files();
	test_kills();
	scratch_close(store);
	return done();
}
