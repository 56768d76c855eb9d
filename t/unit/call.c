/* Calls: an owner is asked, here or in another worker, and there is one answer, whatever happens on the way. Two engines in
 * one thread, turned by hand; call_crowd.c has threads and processes. */
#include "core/log.h"
#include "t/call_house.h"
#include "t/tap.h"

static void test_simple(void)
{
	struct heard h = { 0 };

	begin();
	for (unsigned to = 0; to < 2; to++) {
		const char *where = to ? "another worker" : "this worker";

		ask(to, ECHO, STR("hello"), &h);
		ok(h.times == 0, "%s: the answer never comes within call_send", where);
		turn(3);
		ok(heard(&h, OK, STR("hello")), "%s: it comes in a later turn", where);
		ask(to, ECHO, STR_NONE, &h);
		turn(3);
		ok(heard(&h, OK, STR_NONE), "%s: arguments and answer may be empty", where);
		ask(to, REFUSE, STR("x"), &h);
		turn(3);
		ok(heard(&h, ERR_DENIED, STR("no")), "%s: an error comes with its bytes", where);
		ask(to, KEEP, STR("x"), &h);
		turn(3);
		ok(h.times == 0 && kept_count == 1 && request_from(kept[0]) == 0 && calls_waiting(a.calls) == 1,
			"%s: the owner may take its time", where);
		answer_kept();
		turn(2);
		ok(heard(&h, OK, STR("kept")) && !calls_waiting(a.calls), "%s: and answer later", where);
		event_send(&a, to, &types[HEAR], STR("news"));
		ok(events == to, "%s: an event is not heard within event_send", where);
		turn(2);
		ok(events == to + 1 && !strcmp(last_event, "news"), "%s: but soon", where);
	}
	end();
}

static void test_later(void)
{
	struct heard h = { 0 };
	struct call *c;

	begin();
	call_later(&a, on_done, &h);
	ok(h.times == 0 && !calls_sleep(a.calls), "what shall run later keeps the loop awake");
	turn(1);
	ok(heard(&h, OK, STR_NONE), "and runs in the next turn");
	c = call_later(&a, on_done, &h);
	call_cancel(c);
	turn(1);
	ok(h.times == 0, "unless cancelled");
	end();
}

static void test_cancel(void)
{
	struct heard h = { 0 };
	struct call *c;

	begin();
	for (unsigned to = 0; to < 2; to++) {
		const char *where = to ? "another worker" : "this worker";

		c = ask(to, KEEP, STR("x"), &h);
		call_cancel(c);
		turn(3);
		ok(kept_count == 1, "%s: a call cancelled at once still runs", where);
		answer_kept();
		turn(3);
		ok(h.times == 0, "%s: but its answer is dropped", where);
		c = ask(to, KEEP, STR("x"), &h);
		turn(3);
		call_cancel(c);
		answer_kept();
		turn(3);
		ok(h.times == 0, "%s: the same for one cancelled while it runs", where);
	}
	c = ask(1, ECHO, STR("x"), &h);
	calls_turn(b.calls);
	call_cancel(c);
	turn(3);
	ok(h.times == 0 && !calls_waiting(a.calls), "and for one whose answer is on its way");
	end();
}

static void drop(void *user)
{
	(*(int *)user)++;
}

static void test_steps(void)
{
	int dropped = 0;

	call_cancel(call_steps(drop, &dropped));
	ok(dropped == 1, "what takes several steps is given up by cancelling its handle");
	call_steps_end(call_steps(drop, &dropped));
	ok(dropped == 1, "and not when it came to its end");
}

static void test_deadline(void)
{
	struct heard h = { 0 };

	begin();
	for (unsigned to = 0; to < 2; to++) {
		const char *where = to ? "another worker" : "this worker";

		ask(to, KEEP, STR("x"), &h);
		turn(3);
		timers_shift(a.timers, CALL_DEADLINE_MS - 1000);
		turn(1);
		ok(h.times == 0, "%s: before the deadline a call waits", where);
		timers_shift(a.timers, 1000);
		turn(1);
		ok(heard(&h, ERR_AGAIN, STR_NONE), "%s: when it passes the answer is `not now`", where);
		answer_kept();
		turn(3);
		ok(h.times == 0 && !calls_waiting(a.calls), "%s: and one that comes later is dropped", where);
	}
	end();
}

static void test_credits(void)
{
	enum { MANY = 600 };
	static struct heard many[MANY];
	struct call *cancelled[10];
	unsigned order = 0, heard_in_order = 0;

	begin();
	for (unsigned i = 0; i < MANY; i++) {
		struct call *c = ask(1, KEEP, STR("x"), &many[i]);

		many[i].order = &order;
		if (i >= 300 && i < 310)
			cancelled[i - 300] = c;
	}
	turn(5);
	ok(kept_count == 256 && calls_waiting(a.calls) == MANY, "256 calls are under way to a peer, more wait");
	for (unsigned i = 0; i < 10; i++)
		call_cancel(cancelled[i]);
	answer_kept();
	turn(5);
	ok(kept_count == 256, "answers make way for the next");
	answer_kept();
	turn(5);
	answer_kept();
	turn(5);
	for (unsigned i = 0; i < MANY; i++)
		heard_in_order += many[i].times == 1 && many[i].place == (i < 300 ? i + 1 : i - 9);
	ok(heard_in_order == MANY - 10 && !calls_waiting(a.calls), "all are answered in their order");
	for (unsigned i = 0; i < MANY; i++)
		buf_free(&many[i].answer);
	for (unsigned i = 0; i < 300; i++) {
		many[i] = (struct heard){ 0 };
		ask(1, KEEP, STR("x"), &many[i]);
	}
	turn(2);
	timers_shift(a.timers, CALL_DEADLINE_MS);
	turn(3);
	ok(many[0].times == 1 && many[299].times == 1 && kept_count == 256,
		"a deadline that passes gives no credit back: the owner still has the call");
	answer_kept();
	turn(3);
	ask(1, ECHO, STR("x"), &many[300]);
	memset(&many[300], 0, sizeof(many[300]));
	turn(3);
	ok(heard(&many[300], OK, STR("x")), "the answer does");
	end();
}

static void test_long(void)
{
	static const size_t lengths[] = { 65536, 262142, 262143, 1 << 20, CALL_BYTES_MAX };
	struct heard h = { 0 };
	struct buf bytes = { 0 };
	bool good = true;

	begin();
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		buf_clear(&bytes);
		memset(buf_room(&bytes, lengths[i]), 'a' + (int)i, lengths[i]);
		buf_added(&bytes, lengths[i]);
		for (unsigned to = 0; to < 2; to++) {
			ask(to, ECHO, buf_str(&bytes), &h);
			good &= files_left() == (to && lengths[i] > 262142);
			turn(4);
			good &= heard(&h, OK, buf_str(&bytes));
		}
	}
	ok(good, "bytes of any length up to the limit get there and back; over 256 KiB as a file, with two workers");
	ok(files_left() == 0, "no file is left");
	buf_add_char(&bytes, 'x');
	ask(1, ECHO, buf_str(&bytes), &h);
	turn(2);
	ok(heard(&h, ERR_TOO_BIG, STR_NONE), "more than the limit is refused");
	buf_cut(&bytes, 300000);
	event_send(&a, 1, &types[HEAR], buf_str(&bytes));
	turn(2);
	ok(events == 1 && files_left() == 0, "a long event gets there too");
	close(b.directory);
	b.directory = -1;
	ask(1, ECHO, buf_str(&bytes), &h);
	log_set_levels("error call=error core=error");
	turn(4);
	ok(heard(&h, ERR_AGAIN, STR_NONE), "where a file cannot be read the answer is `not now`");
	b.directory = dup(a.directory);
	unlinkat(a.directory, "run/tmp/0-0-5", 0);
	buf_free(&bytes);
	end();
}

/* Answers of 60,000 bytes: the ring holds about a hundred. */
static void test_room(void)
{
	enum { MANY = 256, LEN = 60000 };
	static struct heard many[MANY];
	static char answer[LEN];
	unsigned good = 0;

	begin();
	for (unsigned i = 0; i < MANY; i++)
		ask(1, KEEP, STR("x"), &many[i]);
	turn(3);
	for (unsigned i = 0; i < MANY; i++) {
		memset(answer, (int)i, LEN);
		request_answer(kept[i], OK, (struct str){ answer, LEN });
		event_send(&b, 0, &types[HEAR], STR("after an answer"));
	}
	for (unsigned i = 0; i < 20; i++)
		turn(1);
	for (unsigned i = 0; i < MANY; i++) {
		memset(answer, (int)i, LEN);
		good += heard(&many[i], OK, (struct str){ answer, LEN });
	}
	ok(good == MANY && events == MANY, "what the ring has no room for waits and arrives");
	for (unsigned i = 0; i < MANY; i++)
		ask(1, ECHO, (struct str){ answer, LEN }, &many[i]);
	for (unsigned i = 0; i < 20; i++)
		turn(1);
	for (unsigned i = good = 0; i < MANY; i++)
		good += heard(&many[i], OK, (struct str){ answer, LEN });
	ok(good == MANY, "also where calls do not fit");
	end();
}

/* What the master does: waitpid, raise the generation, start anew. */
static void b_dies(void)
{
	struct shm *shm = b.shm;

	worker_end(&b);
	for (unsigned i = 0; i < kept_count; i++)
		free(kept[i]);
	kept_count = 0;
	atomic_fetch_add(&shm_slot(shm, 1)->generation, 1);
	worker_begin(&b, shm, 1);
}

static void test_death(void)
{
	enum { MANY = 300 };
	static struct heard many[MANY];
	static char large[100000];
	struct heard h = { 0 }, g = { 0 };
	unsigned order = 0, in_order = 0;

	begin();
	ask(1, KEEP, STR("x"), &h);
	turn(2);
	b_dies();
	turn(3);
	ok(h.times == 0 && kept_count == 1, "a call whose owner died is sent to its next life");
	answer_kept();
	turn(2);
	ok(heard(&h, OK, STR("kept")), "and answered by it");
	ask(1, KEEP, STR("x"), &h);
	turn(2);
	b_dies();
	turn(2);
	b_dies();
	turn(2);
	ok(heard(&h, ERR_AGAIN, STR_NONE) && kept_count == 0, "when that dies too the answer is `not now`");
	ask(1, KEEP, STR("x"), &h);
	ask(1, KEEP, STR("x"), &g);
	turn(1);
	request_answer(kept[0], OK, STR("last words"));
	kept[0] = kept[--kept_count];
	b_dies();
	turn(2);
	ok(heard(&h, OK, STR("last words")) && g.times == 0, "what it answered before it died counts");
	ok(kept_count == 1, "and is not asked again");
	answer_kept();
	turn(2);
	heard(&g, OK, STR("kept"));
	for (unsigned i = 0; i < MANY; i++) {
		ask(1, ECHO, STR("x"), &many[i]);
		many[i].order = &order;
	}
	b_dies();
	turn(8);
	for (unsigned i = 0; i < MANY; i++) {
		in_order += many[i].times == 1 && many[i].e == OK && many[i].place == i + 1;
		buf_free(&many[i].answer);
	}
	ok(in_order == MANY, "calls in its ring and calls that waited keep their order");
	ask(1, ECHO, (struct str){ large, sizeof(large) }, &h);
	b_dies();
	turn(4);
	ok(heard(&h, OK, (struct str){ large, sizeof(large) }) && files_left() == 0,
		"a long call goes again as a file");
	call_send(&b, 0, &types[KEEP], STR("x"), CALL_DEADLINE_MS, on_done, &h);
	turn(2);
	b_dies();
	call_send(&b, 0, &types[ECHO], STR("new"), CALL_DEADLINE_MS, on_done, &g);
	answer_kept();
	turn(3);
	ok(h.times == 0 && heard(&g, OK, STR("new")), "an answer to a life that ended does not reach the next");
	event_send(&b, 0, &types[HEAR], STR("from the dead"));
	call_send(&b, 0, &types[KEEP], STR("x"), CALL_DEADLINE_MS, on_done, &h);
	events = 0;
	b_dies();
	turn(2);
	ok(kept_count == 0 && events == 1, "what a dead worker asked is not run, what it told is heard");
	end();
}

/* Records are looked at before they are believed. */
static void test_broken(void)
{
	struct heard h = { 0 };
	char bytes[200];
	bool good = true;

	log_set_levels("error call=error");
	begin();
	dup2(open("/dev/null", O_WRONLY), 2);
	srand(2);
	for (unsigned i = 0; i < 2000; i++) {
		size_t len = (size_t)rand() % sizeof(bytes);

		for (size_t k = 0; k < len; k++)
			bytes[k] = (char)(rand() % (i % 3 ? 4 : 256));
		if (i % 5 == 0)
			memset((char *)shm_ring(a.shm, 1, 0) + 192, rand(), 64);
		ring_put(shm_ring(a.shm, 1, 0), (struct str){ bytes, len }, STR_NONE);
		turn(1);
		for (unsigned k = 0; k < kept_count; k++)
			request_answer(kept[k], OK, STR_NONE);
		kept_count = 0;
	}
	ask(1, ECHO, STR("still"), &h);
	turn(3);
	good &= heard(&h, OK, STR("still"));
	ok(good, "records of any bytes do no harm");
	end();
}

static void test_names(void)
{
	struct name first, second, other;

	begin();
	first = name_next(&a);
	second = name_next(&a);
	other = name_next(&b);
	ok(first.life == second.life && second.number == first.number + 1 && other.life != first.life,
		"names count within a life, and each life has its own");
	end();
}

int main(void)
{
	if (!house_open())
		return 1;
	test_simple();
	test_later();
	test_cancel();
	test_steps();
	test_deadline();
	test_credits();
	test_long();
	test_room();
	test_death();
	test_names();
	test_broken();
	house_close();
	return done();
}
