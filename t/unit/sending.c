/* When mail is tried, how much of it at a time, and what becomes of it: with hosts of every habit, over simulated days. */
#include "t/sending.h"

#define DAY (24 * 3600)

static const char *const brief[] = { "sending", "retry", "10m", "sending", "retry", "1h", NULL };

/* --- the schedule -------------------------------------------------------------------------------------------------------- */

static void test_schedule(void)
{
	static const char *const values[] = { "sending", "retry", "5m", "sending", "retry", "15m", "sending", "retry",
		"1h", "sending", "retry", "12h", "sending", "expire", "2d", NULL };
	struct queue_item *item;

	begin(values);
	host_add("full.test", DEFERS, 0);
	see_tries = true;
	item = post("a@full.test");
	run_until(3 * DAY);
	ok(saw("try 0, try 300, try 1200, try 4800, delayed 1 4.2.2 14400, try 48000, try 91200, try 134400, failed 1 "
	       "4.4.7 "
	       "172800"),
		"tries are as far apart as the schedule says; a warning after 4 hours; given up to the second");
	ok(!item->message && queue.closed == 1, "then the item is gone");
	end();
}

static void test_five_days(void)
{
	unsigned tries = 0;

	begin(NULL);
	host_add("full.test", DEFERS, 0);
	see_tries = true;
	post("a@full.test");
	run_until(6 * DAY);
	for (unsigned i = 0; i < seen_count; i++)
		tries += !strcmp(seen[i].what, "try");
	ok(seen[seen_count - 1].at_s == 5 * DAY && !strcmp(seen[seen_count - 1].what, "failed 1 4.4.7"),
		"by the defaults mail is given up after five days");
	ok(tries == 35, "after 35 tries (was %u)", tries);
	end();
}

static void test_null_sender(void)
{
	struct queue_message *m;

	begin(brief);
	host_add("full.test", DEFERS, 0);
	m = message("", 1);
	address(m, 0, "a@full.test");
	put(m);
	run_until(2 * DAY);
	ok(saw("failed 1 4.4.7 86400") && queue.closed == 1, "mail without a sender waits a day, and nobody is warned");
	end();
}

static void test_notify(void)
{
	struct queue_message *m;

	begin(brief);
	host_add("full.test", DEFERS, 0);
	host_add("mx.test", GOOD, 0);
	m = message("you@here.test", 1);
	address(m, 0, "a@full.test");
	m->items[0].notify = NOTIFY_FAILURE;
	put(m);
	run_until(6 * DAY);
	ok(saw("failed 1 4.4.7 432000"), "NOTIFY=FAILURE: no warning (RFC 3461, 4.1)");
	from_now();
	m = message("you@here.test", 2);
	address(m, 0, "a@mx.test");
	address(m, 1, "b@mx.test");
	m->items[0].notify = NOTIFY_SUCCESS;
	put(m);
	run_until(10);
	ok(saw("relayed 1 2.0.0 0") && queue.closed == 3, "NOTIFY=SUCCESS: who asked is told, of him alone");
	end();
}

static void test_refused(void)
{
	struct queue_message *m;

	begin(brief);
	host_add("no.test", REFUSES, 0);
	m = message("you@here.test", 3);
	for (uint32_t i = 0; i < 3; i++)
		address(m, i, "a@no.test");
	put(m);
	run_until(10);
	ok(saw("failed 3 5.1.1 0") && queue.closed == 3,
		"what is refused is told at once, all of one transaction in one report");
	reports_fail = true;
	post("a@no.test");
	run_until(30);
	ok(queue.closed == 3 && queue.messages[1]->items[0].message, "while the report cannot be put the item stays");
	reports_fail = false;
	run_until(200);
	ok(queue.closed == 4, "and ends when it can");
	end();
}

static void test_deliver_by(void)
{
	struct queue_message *m;

	begin(brief);
	host_add("full.test", DEFERS, 0);
	m = message("you@here.test", 1);
	address(m, 0, "a@full.test");
	m->by = BY_RETURN;
	m->by_s = start_s + 1000;
	put(m);
	run_until(2000);
	ok(saw("failed 1 5.4.7 1000"), "by-mode R: returned when its time is over (RFC 2852, 4.1.3)");
	from_now();
	m = message("you@here.test", 1);
	address(m, 0, "a@full.test");
	m->by = BY_NOTIFY;
	m->by_s = start_s + 1000;
	put(m);
	run_until(6 * DAY);
	ok(saw("delayed 1 4.2.2 1000, delayed 1 4.2.2 14400, failed 1 4.4.7 432000"),
		"by-mode N: its sender is told, and it is tried on");
	end();
}

static void test_release(void)
{
	struct queue_message *m;

	begin(brief);
	host_add("mx.test", GOOD, 0);
	see_tries = true;
	m = message("you@here.test", 1);
	address(m, 0, "a@mx.test");
	m->items[0].next_s = start_s + 5000;
	put(m);
	run_until(6000);
	ok(saw("try 5000"), "what is to be released later is not tried before (RFC 4865)");
	from_now();
	m = message("you@here.test", 1);
	address(m, 0, "a@mx.test");
	m->items[0].next_s = m->items[0].ready_s = now_s() + 30 * DAY;
	put(m);
	run_until(31 * DAY);
	ok(saw("try 2592000") && !m->items[0].message,
		"nor is it given up before, or its sender warned: its time begins with the release");
	from_now();
	hosts[1].habit = DEFERS;
	see_tries = false;
	m = message("you@here.test", 1);
	address(m, 0, "a@mx.test");
	m->items[0].next_s = m->items[0].ready_s = now_s() + DAY;
	put(m);
	run_until(7 * DAY);
	ok(saw("delayed 1 4.2.2 100800, failed 1 4.4.7 518400"), "a warning 4 hours after it, the end after 5 days");
	end();
}

static void test_after_a_start(void)
{
	struct queue_message *m;

	begin(brief);
	host_add("full.test", DEFERS, 0);
	m = message("you@here.test", 2);
	m->arrived_s = start_s - 3600 * 10;
	address(m, 0, "a@full.test");
	address(m, 1, "b@full.test");
	m->items[0].warned = true;
	m->items[0].next_s = m->items[1].next_s = start_s + 100;
	put(m);
	run_until(50);
	ok(saw("delayed 1 4.0.0 0"), "a warning that came due while the server was down is made up for, once");
	m = message("you@here.test", 1);
	m->arrived_s = start_s - 6 * DAY;
	address(m, 0, "a@full.test");
	put(m);
	run_until(60);
	ok(!strcmp(seen[1].what, "failed 1 4.4.7") && seen_count == 2,
		"what expired meanwhile is given up without a warning");
	end();
}

static void test_domains(void)
{
	static const char *const values[] = { "sending", "retry", "10m", "destination slow.test", "retry", "1h",
		"destination slow.test", "expire", "2h", "destination slow.test", "warn", "never", NULL };

	begin(values);
	host_add("slow.test", DEFERS, 0);
	see_tries = true;
	post("a@slow.test");
	run_until(DAY);
	ok(saw("try 0, try 3600, failed 1 4.4.7 7200"), "a domain may have a schedule of its own");
	end();
}

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

static void test_overload(void)
{
	begin(NULL);
	shm_slot(w.shm, 0)->lag_us = 200000;
	post("a@mx.test");
	run_until(10);
	ok(hosts[0].sessions == 0 && queue.closed == 0, "while the worker's loop lags no session is opened");
	shm_slot(w.shm, 0)->lag_us = 100;
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

/* --- orders ------------------------------------------------------------------------------------------------------------------- */

static size_t order(struct queue_item *item, enum sending_order what, const char *to)
{
	return sending_order(&w, item->message, what, str_of(to), NULL, NULL);
}

static struct destination_status status_of(const char *key)
{
	struct destination_status st = { 0 };

	for (struct queue_destination *d = NULL; (d = sending_destination_after(&w, d));) {
		sending_destination_status(&w, d, &st);
		if (str_eq(st.key, str_of(key)))
			return st;
	}
	return (struct destination_status){ 0 };
}

static void test_orders(void)
{
	struct queue_item *a, *b;
	struct host *h;

	begin(brief);
	h = host_add("full.test", DEFERS, 0);
	see_tries = true;
	a = post("a@full.test");
	run_until(10);
	ok(order(a, ORDER_RETRY, "") == 1, "an item may be tried out of turn");
	run_until(20);
	ok(saw("try 0, try 10") && a->tries == 2, "and is");
	ok(order(a, ORDER_HOLD, "") == 1 && order(a, ORDER_HOLD, "") == 0 && status_of("smtp:full.test").held == 1,
		"held, once");
	run_until(10 * DAY);
	ok(seen_count == 2, "what is held is not tried, and not given up");
	ok(order(a, ORDER_RELEASE, "") == 1, "released");
	h->habit = GOOD;
	run_until(10 * DAY + 1);
	ok(saw("try 0, try 10, try 864000") && !a->message, "its time begins anew: it is tried, and nobody is warned");
	from_now();
	h->habit = DEFERS;
	a = post("a@full.test");
	b = post("b@full.test");
	run_until(10);
	ok(order(a, ORDER_DELETE, "") == 1 && order(b, ORDER_BOUNCE, "") == 1, "deleted, and sent back");
	run_until(20);
	ok(!a->message && !b->message && !strcmp(seen[seen_count - 1].what, "failed 1 5.0.0"),
		"both are gone, one is reported");
	a = post("a@full.test");
	host_add("mx.elsewhere.test", GOOD, 0);
	run_until(30);
	ok(order(a, ORDER_MOVE, "no[where") == 0 && order(a, ORDER_MOVE, "mx.elsewhere.test:2525") == 1, "moved");
	run_until(40);
	ok(!a->message, "what is moved is sent there");
	ok(!sending_destination_after(&w, NULL) || status_of("smtp:full.test").items == 0, "and waits nowhere else");
	end();
}

static void test_bounce_of_held(void)
{
	struct queue_item *a;

	begin(brief);
	host_add("mx.test", DEFERS, 0);
	a = post("a@mx.test");
	run_until(10);
	order(a, ORDER_HOLD, "");
	hosts[1].habit = GOOD;
	reports_fail = true;
	see_tries = true;
	order(a, ORDER_BOUNCE, "");
	run_until(7200);
	ok(saw("") && a->message && a->state == ITEM_HELD && status_of("smtp:mx.test").held == 1,
		"what was held is not sent because nobody can be told that it comes back: it is held");
	reports_fail = false;
	if (a->message)
		order(a, ORDER_BOUNCE, "");
	run_until(7300);
	ok(saw("failed 1 5.0.0 7200") && !a->message, "until it can be sent back");
	end();
}

static void test_status(void)
{
	struct destination_status st;
	struct queue_destination *d;
	struct queue_item *first;
	struct host *h;

	begin(NULL);
	h = host_add("dead.test", DEAD, 0);
	first = post("a@dead.test");
	run_until(10);
	post("b@dead.test");
	run_until(40);
	st = status_of("smtp:dead.test");
	ok(st.items == 2 && st.oldest_s == start_s && str_eq(st.reply, STR("nobody answers")) &&
			st.next_s - (start_s + 330) <= 1,
		"of a destination one sees how much waits, since when, until when, and the last words");
	order(first, ORDER_DELETE, "");
	run_until(100);
	ok(status_of("smtp:dead.test").oldest_s == start_s + 10, "the oldest is looked for again when it is gone");
	h->habit = GOOD;
	for (d = NULL; (d = sending_destination_after(&w, d));)
		sending_destination_retry(&w, d);
	run_until(110);
	ok(queue.closed == 2, "a destination may be tried before its time");
	h->habit = DEFERS;
	post("a@dead.test");
	post("b@dead.test");
	run_until(120);
	h->habit = GOOD;
	d = sending_destination_after(&w, NULL);
	st = status_of("smtp:dead.test");
	ok(st.deferred == 2 && st.next_s - (start_s + 110 + 300) <= 1, "when the next is due is known");
	sending_destination_retry(&w, d);
	run_until(130);
	ok(queue.closed == 4, "and what waits there, each for itself, is tried as well (ETRN)");
	end();
}

static void conf_with_route(const char *to)
{
	struct buf why = { 0 };
	struct conf *new = conf_new(test_settings);

	conf_add_title(new, "route", "all", &why);
	conf_set(new, "route", "all", "recipients", "*", &why);
	conf_set(new, "route", "all", "to", to, &why);
	if (buf_len(&why))
		printf("# " STR_FMT "\n", STR_ARG(buf_str(&why)));
	buf_free(&why);
	conf_unref(conf);
	w.conf = conf = new;
	sending_reload(&w);
}

static void test_reload_meanwhile(enum habit habit)
{
	struct queue_item *item;

	begin(NULL);
	host_add("full.test", habit, 20000);
	host_add("smart.test", GOOD, 0);
	item = post("a@full.test");
	run_until(10);
	ok(item->state == ITEM_TRYING, "while an item is being tried");
	conf_with_route("smtp:[smart.test]:25");
	run_until(1000);
	ok(!item->message, "a new route is read: it goes there the next time");
	ok(status_of("smtp:full.test").key.len == 0, "and nothing is left of where it was tried");
	end();
}

static void test_reload(void)
{
	begin(NULL);
	host_add("dead.test", DEAD, 0);
	host_add("smart.test", GOOD, 0);
	for (unsigned i = 0; i < 3000; i++)
		post("a@dead.test");
	run_until(100);
	conf_with_route("smtp:[smart.test]:25");
	run_until(200);
	ok(queue.closed == 3000, "a route that is new moves what waits");
	conf_with_route("reject:550 5.7.1 not from here");
	post("a@dead.test");
	run_until(210);
	ok(seen_count == 1 && !strcmp(seen[0].what, "failed 1 5.7.1"),
		"and one that rejects sends it back in its own words");
	end();
}

/* --- random histories ------------------------------------------------------------------------------------------------------- */

static uint64_t dice_state = 88172645463325252u;

static unsigned dice(unsigned sides)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 7;
	dice_state ^= dice_state << 17;
	return (unsigned)(dice_state >> 33) % sides;
}

/* Each item is where its state says, and each that waits has a time. */
static bool all_are_owned(void)
{
	const struct sending *s = w.sending;
	size_t waiting = 0, placed = s->calendar.count;

	for (size_t i = 0; i < queue.count; i++)
		for (uint32_t k = 0; k < queue.messages[i]->count; k++) {
			const struct queue_item *item = &queue.messages[i]->items[k];

			if (!item->message)
				continue;
			waiting += item->state == ITEM_WAITS;
			if (item->state == ITEM_WAITS &&
				(!item->place || s->calendar.entries[item->place - 1].item != item))
				return false;
			if (item->state == ITEM_WAITS && item->next_s > now_s() && is_due(item))
				return false;
			if (item->state != ITEM_WAITS && item->place)
				return false;
		}
	return waiting == placed && (!placed || timer_runs(&s->calendar_timer));
}

static void do_something(struct host *any[], unsigned any_count)
{
	struct queue_item *item = NULL;
	struct queue_message *m;
	char to[40] = "a@";

	if (queue.count) {
		m = queue.messages[dice((unsigned)queue.count)];
		item = &m->items[dice(m->count)];
	}
	switch (dice(item && item->message ? 10 : 4)) {
	case 0:
		any[dice(any_count)]->habit = (enum habit)dice(DROPS + 1);
		break;
	case 1:
	case 2:
		m = message(dice(10) ? "you@here.test" : "", 1 + dice(5));
		m->priority = (int8_t)((int)dice(19) - 9);
		for (uint32_t i = 0; i < m->count; i++) {
			memcpy(to + 2, any[dice(any_count)]->name, 16);
			address(m, i, to);
			m->items[i].notify = (uint8_t)dice(16);
			m->items[i].local = !dice(10);
		}
		put(m);
		break;
	case 3:
		reports_fail = !dice(5);
		break;
	case 4:
		order(item, ORDER_HOLD, "");
		break;
	case 5:
		order(item, ORDER_RELEASE, "");
		break;
	case 6:
		order(item, ORDER_MOVE, "h1.test:25");
		break;
	case 7:
		order(item, dice(4) ? ORDER_RETRY : ORDER_BOUNCE, "");
		break;
	default:
		sending_destination_retry(&w, item->destination);
	}
}

static void test_random(void)
{
	static char names[8][16];
	struct host *any[8];
	bool owned = true;
	uint32_t at_s = 0;
	uint64_t items = 0;

	begin(NULL);
	for (unsigned i = 0; i < 8; i++) {
		snprintf(names[i], sizeof(names[i]), "h%u.test", i);
		any[i] = host_add(names[i], GOOD, dice(100) * 1000);
	}
	for (unsigned i = 0; i < 2000 && owned; i++) {
		do_something(any, 8);
		at_s += dice(4) ? dice(60) : dice(20000);
		run_until(at_s);
		owned = all_are_owned();
	}
	ok(owned, "after any history each item that waits is in the calendar, and a timer runs for the first");
	reports_fail = false;
	for (size_t i = 0; i < queue.count; i++) {
		items += queue.messages[i]->count;
		sending_order(&w, queue.messages[i], ORDER_RELEASE, STR(""), NULL, NULL);
	}
	run_until(at_s + 7 * DAY);
	ok(queue.closed == items && !queue_after(&queue, 0), "and a week later all are gone (%llu of %llu)",
		(unsigned long long)queue.closed, (unsigned long long)items);
	ok(w.sending->session_count == 0 && !sending_destination_after(&w, NULL),
		"with them sessions and destinations");
	end();
}

int main(void)
{
	log_to(open("/dev/null", O_WRONLY));
	test_schedule();
	test_five_days();
	test_null_sender();
	test_notify();
	test_refused();
	test_deliver_by();
	test_release();
	test_after_a_start();
	test_domains();
	test_dead();
	test_comes_back();
	test_gone();
	test_grows();
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
	test_overload();
	test_stop();
	test_orders();
	test_bounce_of_held();
	test_status();
	test_reload();
	test_reload_meanwhile(DEFERS);
	test_reload_meanwhile(DROPS);
	test_random();
	return done();
}
