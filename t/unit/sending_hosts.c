/* How much mail at a time goes to a host, and what its habits do to others: with hosts of every habit. */
#include "t/sending.h"

#define DAY (24 * 3600)

/* --- hosts ------------------------------------------------------------------------------------------------------------------ */

static void test_dead(void)
{
	begin(NULL);
	host_add("dead.test", DEAD, 0);
	see_tries = true;
	for (unsigned i = 0; i < 1000; i++)
		post("a@dead.test");
	run_until(4 * 3600 - 1);
	ok(saw("knock 30, knock 30, knock 360, knock 1290, knock 3120, knock 6750, knock 13980"),
		"a host that nobody reaches is tried by one session, more and more seldom");
	ok(queue.opens == 0, "and no message is read for it");
	see_tries = false;
	run_until(4 * 3600 + 10);
	ok(queue.opens == 1000 && seen_count == 1007 && !strcmp(seen[7].what, "delayed 1 4.4.1") &&
			seen[1006].at_s == 14400,
		"but each sender is warned in time");
	run_until(5 * DAY + 10);
	ok(queue.closed == 1000 && seen[2006].at_s == 5 * DAY, "and told when it is given up");
	ok(!sending_destination_after(&w, NULL), "of the destination nothing is left");
	end();
}

static void test_comes_back(void)
{
	struct host *h;

	begin(NULL);
	h = host_add("dead.test", DEAD, 0);
	for (unsigned i = 0; i < 500; i++)
		post("a@dead.test");
	run_until(1000);
	h->habit = GOOD;
	run_until(1300);
	ok(queue.closed == 500, "once one session is ready all that waited goes");
	end();
}

static void test_gone(void)
{
	begin(NULL);
	host_add("gone.test", GONE, 0);
	for (unsigned i = 0; i < 200; i++)
		post("a@gone.test");
	run_until(10);
	ok(queue.closed == 200 && seen_count == 200 && !strcmp(seen[0].what, "failed 1 5.1.10"),
		"a domain that takes no mail: all of it is refused");
	end();
}

static void test_grows(void)
{
	static const char *const values[] = { "sending", "destination_sessions", "7", NULL };
	struct host *h;

	begin(values);
	h = host_add("mx.test", GOOD, 1000);
	for (unsigned i = 0; i < 20; i++)
		post("a@mx.test");
	run_until(1);
	ok(h->open_max == 2, "a destination begins with two sessions");
	run_until(20);
	ok(h->open_max == 7 && h->recipients == 20, "and has more while they succeed, to its limit");
	ok(h->sessions == 7, "which are used again");
	end();
}

static void test_own_limit(void)
{
	static const char *const values[] = { "sending", "destination_sessions", "7", "destination few.test",
		"sessions", "3", "destination many.test", "sessions", "9", NULL };
	struct host *few, *many;

	begin(values);
	few = host_add("few.test", GOOD, 1000);
	many = host_add("many.test", GOOD, 1000);
	for (unsigned i = 0; i < 40; i++) {
		post("a@few.test");
		post("a@many.test");
	}
	run_until(60);
	ok(few->open_max == 3 && few->recipients == 40, "a domain may have fewer sessions than others (had %u)",
		few->open_max);
	ok(many->open_max == 9 && many->recipients == 40, "or more (had %u)", many->open_max);
	end();
}

static void test_shrinks(void)
{
	struct host *h;

	begin(NULL);
	h = host_add("mx.test", GOOD, 1000);
	h->most_open = 3;
	for (unsigned i = 0; i < 300; i++)
		post("a@mx.test");
	run_until(400);
	ok(queue.closed == 300 && h->open_max == 3, "what a host refuses to bear is not forced on it");
	ok(h->sessions < 50, "nor tried at each message (%u sessions)", h->sessions);
	end();
}

static void test_busy(void)
{
	struct host *h;

	begin(NULL);
	h = host_add("busy.test", BUSY, 0);
	for (unsigned i = 0; i < 1000; i++)
		post("a@busy.test");
	run_until(60);
	ok(h->transactions <= 6, "a host that says 421 to each message is not asked a thousand times (%u)",
		h->transactions);
	h = host_add("drops.test", DROPS, 0);
	for (unsigned i = 0; i < 1000; i++)
		post("a@drops.test");
	run_until(120);
	ok(h->transactions <= 6, "nor one that drops each connection (%u)", h->transactions);
	run_until(5 * DAY + 100);
	ok(queue.closed == 2000, "in the end each has its report");
	end();
}

/* Dead ones are many, and slow ones: the good one gets its mail all the same. */
static void test_others(void)
{
	static const char *const values[] = { "sending", "sessions", "20", NULL };
	static char names[50][24];
	struct host *h;
	char to[32] = "a@";

	begin(values);
	for (unsigned i = 0; i < 50; i++) {
		snprintf(names[i], sizeof(names[i]), "h%u.test", i);
		host_add(names[i], i % 2 ? DEAD : GOOD, 600000); /* or a tarpit */
		memcpy(to + 2, names[i], sizeof(names[i]));
		for (unsigned k = 0; k < 100; k++)
			post(to);
	}
	h = host_add("mx.test", GOOD, 100);
	run_until(5);
	for (unsigned k = 0; k < 100; k++)
		post("a@mx.test");
	run_until(3600);
	ok(h->recipients == 100, "tarpits and dead hosts do not keep others from their mail (%u)", h->recipients);
	from_now();
	for (unsigned k = 0; k < 100; k++)
		post("a@mx.test");
	run_until(10);
	ok(h->recipients == 200, "and who proved good is served at once meanwhile (%u)", h->recipients);
	end();
}

/* With as few sessions as there may be everybody still gets one in the end. */
static void test_few(void)
{
	static const char *const values[] = { "sending", "sessions", "2", NULL };
	struct host *h;

	begin(values);
	h = host_add("dead.test", DEAD, 0);
	host_add("mx.test", GOOD, 100);
	for (unsigned k = 0; k < 50; k++) {
		post("a@dead.test");
		post("a@mx.test");
	}
	run_until(1000);
	ok(queue.closed == 50, "two sessions are enough for one that is dead and one that is not");
	h->habit = GOOD;
	run_until(3000);
	ok(queue.closed == 100, "also when it comes back");
	end();
}

static void test_in_turn(void)
{
	static const char *const values[] = { "sending", "sessions", "4", NULL };
	struct host *a, *b;

	begin(values);
	a = host_add("a.test", GOOD, 100);
	for (unsigned k = 0; k < 2000; k++)
		post("a@a.test");
	run_until(10);
	b = host_add("b.test", GOOD, 100);
	for (unsigned k = 0; k < 10; k++)
		post("a@b.test");
	run_until(20);
	ok(b->recipients == 10 && a->recipients < 2000, "who comes later gets his share before the others are done");
	end();
}

static void test_priority(void)
{
	struct host *h;
	struct queue_message *m;

	begin(NULL);
	h = host_add("mx.test", GOOD, 1000);
	h->most_open = 1;
	for (int i = 0; i < 40; i++) {
		m = message("you@here.test", 1);
		m->priority = (int8_t)(i == 39 ? 9 : i == 0 ? -9 : 0);
		address(m, 0, "a@mx.test");
		put(m);
	}
	run_until(1);
	ok(h->last_priority == 9, "the urgent goes first, though it came last (RFC 6710)");
	run_until(200);
	ok(h->recipients == 40 && h->last_priority == -9, "and what can wait last");
	end();
}

static void test_recipients(void)
{
	static const char *const values[] = { "sending", "recipients_per_message", "30", NULL };
	struct queue_message *m;
	struct host *h;

	begin(values);
	h = host_add("mx.test", GOOD, 0);
	m = message("you@here.test", 100);
	for (uint32_t i = 0; i < 100; i++)
		address(m, i, i % 2 ? "a@mx.test" : "a@other.test");
	put(m);
	run_until(10);
	ok(h->recipients == 50 && h->transactions == 2, "recipients of one next hop go together, up to the limit");
	ok(queue.closed == 100, "the others elsewhere");
	end();
}

/* --- rates --------------------------------------------------------------------------------------------------------------------- */

static void test_rates(void)
{
	static const char *const values[] = { "sending", "account_rate", "10", "destination slow.test", "rate", "6",
		NULL };
	struct queue_message *m;
	struct host *h;

	begin(values);
	h = host_add("slow.test", GOOD, 0);
	for (unsigned i = 0; i < 30; i++)
		post("a@slow.test");
	run_until(300);
	ok(h->recipients >= 20 && h->recipients <= 32, "so many a minute to a destination, no more (%u in 5 minutes)",
		h->recipients);
	run_until(600);
	ok(queue.closed == 30, "until all are sent");
	h = host_add("mx.test", GOOD, 0);
	for (unsigned i = 0; i < 1000; i++) {
		m = message("you@here.test", 1);
		snprintf(texts_of(m)->account, 64, "you@here.test");
		address(m, 0, "a@mx.test");
		put(m);
	}
	queue.opens = 0;
	run_until(600 + 600);
	ok(h->recipients >= 80 && h->recipients <= 115, "so many a minute of an account (%u in 10 minutes)",
		h->recipients);
	ok(queue.opens < 1500, "without looking at the others again and again (%llu looks)",
		(unsigned long long)queue.opens);
	run_until(600 + 7200);
	ok(h->recipients == 1000, "until all are sent");
	end();
}

static void test_addresses(void)
{
	static const char *const values[] = { "sending", "address_sessions", "2", NULL };

	begin(values);
	ok(sending_may_connect(&w, STR("192.0.2.1")) && sending_may_connect(&w, STR("192.0.2.1")) &&
			!sending_may_connect(&w, STR("192.0.2.1")) && sending_may_connect(&w, STR("192.0.2.2")),
		"so many connections to an address");
	sending_left(&w, STR("192.0.2.1"));
	ok(sending_may_connect(&w, STR("::ffff:192.0.2.1")), "one that is over makes room, however it is written");
	sending_left(&w, STR("192.0.2.9"));
	ok(true, "what was not counted is not given back");
	end();
}

/* A hundred domains have one host, which gets no more connections than it may: all are served, one after the other. */
static void test_crowd(void)
{
	static const char *const values[] = { "sending", "address_sessions", "3", NULL };
	static char names[100][16];
	char to[24] = "a@";
	unsigned served = 0;

	begin(values);
	for (unsigned i = 0; i < HOSTS_MAX - 1; i++) {
		struct host *h;

		snprintf(names[i], sizeof(names[i]), "d%u.test", i);
		h = host_add(names[i], GOOD, 100);
		h->address = "192.0.2.1";
		h->remote = "mx.test [192.0.2.1]";
		memcpy(to + 2, names[i], sizeof(names[i]));
		for (unsigned k = 0; k < 30; k++)
			post(to);
	}
	connected_max = 0;
	run_until(120);
	for (unsigned i = 1; i < host_count; i++)
		served += hosts[i].recipients == 30;
	ok(served == host_count - 1, "domains that share a host take turns at it (%u of %u)", served, host_count - 1);
	ok(connected_max == 3, "which never has more connections than it may (%u)", connected_max);
	end();
}

/* Another worker has sessions to the same place. */
static void test_workers(void)
{
	static const char *const values[] = { "sending", "destination_sessions", "5", NULL };
	struct tally *others;
	struct host *h;
	uint64_t key;

	workers = 2;
	begin(values);
	h = host_add("mx.test", GOOD, 1000);
	key = tally_key(w.shm, 'd', STR("smtp:mx.test"));
	others = tally_of(w.shm, 1, key, timers_now_ms(w.timers));
	for (unsigned i = 0; i < 3; i++)
		tally_hold(w.shm, 1, others, TALLY_SENDINGS, 1);
	for (unsigned i = 0; i < 40; i++)
		post("a@mx.test");
	run_until(10);
	ok(h->open_max == 2 && h->recipients > 10,
		"what other workers have counts: sessions to a destination are five in all");
	for (unsigned i = 0; i < 3; i++)
		tally_hold(w.shm, 1, others, TALLY_SENDINGS, -1);
	run_until(20);
	ok(h->open_max > 2 && queue.closed == 40, "once theirs are over more are ours");
	for (unsigned i = 0; i < 5; i++)
		tally_hold(w.shm, 1, others, TALLY_SENDINGS, 1);
	run_until(100);
	post("a@mx.test");
	run_until(110);
	ok(queue.closed == 40, "while they have all we wait");
	tally_hold(w.shm, 1, others, TALLY_SENDINGS, -1);
	run_until(120);
	ok(queue.closed == 41, "and go on when there is one for us");
	end();
	workers = 1;
}

static void test_one_session(void)
{
	static const char *const values[] = { "sending", "destination_sessions", "1", NULL };
	struct host *h;

	begin(values);
	h = host_add("mx.test", GOOD, 1000);
	for (unsigned i = 0; i < 5; i++)
		post("a@mx.test");
	run_until(20);
	ok(h->open_max == 1 && queue.closed == 5, "where one session is allowed there is one from the start");
	h->habit = DEAD;
	run_until(200);
	for (unsigned i = 0; i < 5; i++)
		post("a@mx.test");
	run_until(400);
	h->habit = GOOD;
	run_until(1000);
	ok(h->open_max == 1 && queue.closed == 10, "and after the host was left alone");
	end();
}

/* Hosts that accept and never greet have all the sessions that they may have when one comes that was never tried. */
static void test_silent(void)
{
	static const char *const values[] = { "sending", "sessions", "40", NULL };
	static char names[60][16];
	char to[24] = "a@";
	struct host *h;

	begin(values);
	for (unsigned i = 0; i < 60; i++) {
		snprintf(names[i], sizeof(names[i]), "s%u.test", i);
		host_add(names[i], SILENT, 0);
		memcpy(to + 2, names[i], sizeof(names[i]));
		post(to);
	}
	h = host_add("mx.test", GOOD, 100);
	run_until(1);
	post("a@mx.test");
	run_until(15);
	ok(h->recipients == 1, "who was never tried gets a session within seconds, however many are silent");
	run_until(3600);
	for (unsigned i = 1; i <= 60; i++)
		hosts[i].habit = GOOD;
	run_until(12 * 3600);
	ok(queue.closed == 61, "and those are not forgotten");
	end();
}

static void test_overload(void)
{
	begin(NULL);
	shm_slot(w.shm, 0)->overload = 1u << OVERLOAD_OUTBOUND;
	post("a@mx.test");
	run_until(10);
	ok(hosts[0].sessions == 0 && queue.closed == 0, "while the worker is overloaded no session is opened");
	shm_slot(w.shm, 0)->overload = 0;
	run_until(12);
	ok(queue.closed == 1, "and mail leaves when it does no more");
	end();
}

static void test_stop(void)
{
	struct host *h;

	begin(NULL);
	h = host_add("mx.test", GOOD, 5000);
	for (unsigned i = 0; i < 10; i++)
		post("a@mx.test");
	run_until(2);
	w.stopping = true;
	sending_stop(&w, on_stopped);
	ok(w.sending && h->open == 2, "at a stop messages being sent go to their end");
	run_until(9);
	ok(!w.sending && queue.closed == 2 && h->transactions == 2 && !h->open,
		"then it is over, and no other was begun");
	end();
}

int main(void)
{
	log_to(open("/dev/null", O_WRONLY));
	test_dead();
	test_comes_back();
	test_gone();
	test_grows();
	test_own_limit();
	test_shrinks();
	test_busy();
	test_others();
	test_few();
	test_in_turn();
	test_priority();
	test_recipients();
	test_rates();
	test_addresses();
	test_crowd();
	test_workers();
	test_one_session();
	test_silent();
	test_overload();
	test_stop();
	return done();
}
