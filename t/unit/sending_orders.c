/* What operators and a new configuration do to mail that waits. */
#include "t/sending.h"

#define DAY (24 * 3600)

static const char *const brief[] = { "sending", "retry", "10m", "sending", "retry", "1h", NULL };

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
			st.next_s == start_s + 330,
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
	ok(st.deferred == 2 && st.next_s == start_s + 110 + 300, "when the next is due is known");
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

/* A new route is read while an item is in line for a warning, and while one is being opened to be sent. */
static void test_reload_in_line(void)
{
	struct queue_item *item;
	struct host *old;

	begin(brief);
	old = host_add("full.test", DEFERS, 0);
	host_add("smart.test", GOOD, 0);
	item = post("a@full.test");
	run_until(10);
	item_take(w.sending, item);
	item_tell(w.sending, item, PURPOSE_WARN);
	conf_with_route("smtp:[smart.test]:25");
	settle();
	ok(seen_count == 1 && !strcmp(seen[0].what, "delayed 1 4.2.2") && !status_of("smtp:full.test").items,
		"who is in line is told of, and goes by the new route");
	run_until(1000);
	ok(!item->message && old->transactions == 1, "and not to the old host");
	end();
	begin(brief);
	old = host_add("full.test", DEFERS, 0);
	host_add("smart.test", GOOD, 0);
	item = post("a@full.test");
	while (item->state != ITEM_TRYING) {
		still_ms++;
		turn();
	}
	ok(!old->transactions, "while a message is being opened for a session");
	conf_with_route("smtp:[smart.test]:25");
	run_until(1000);
	ok(!item->message && !old->transactions, "a new route is read: it goes there");
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

int main(void)
{
	log_to(open("/dev/null", O_WRONLY));
	test_orders();
	test_bounce_of_held();
	test_status();
	test_reload();
	test_reload_in_line();
	test_reload_meanwhile(DEFERS);
	test_reload_meanwhile(DROPS);
	return done();
}
