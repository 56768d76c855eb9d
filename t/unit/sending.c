/* When mail is tried, and when its sender is told: over simulated days. */
#include "t/sending.h"

#define DAY (24 * 3600)

static const char *const brief[] = { "sending", "retry", "10m", "sending", "retry", "1h", NULL };

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
	ok(saw("delayed 1 4.4.7 1000, delayed 1 4.2.2 14400, failed 1 4.4.7 432000"),
		"by-mode N: its sender is told that its time is over, and it is tried on");
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
	m->items[0].warned_s = start_s - 3600;
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

static void test_second_warning(void)
{
	static const char *const values[] = { "sending", "retry", "1h", "sending", "warn", "4h", "sending", "warn",
		"1d", NULL };

	begin(values);
	host_add("full.test", DEFERS, 0);
	post("a@full.test");
	run_until(DAY - 10);
	reports_fail = true;
	run_until(DAY + 100);
	reports_fail = false;
	run_until(2 * DAY);
	ok(saw("delayed 1 4.2.2 14400, delayed 1 4.2.2 86520"),
		"a second warning that cannot be put is put a minute later, or two");
	end();
}

static struct queue_item *post_noted(uint8_t notify, enum outcome_kind kind, const char *status)
{
	struct queue_message *m = message("you@here.test", 1);

	address(m, 0, "a@mx.test");
	m->items[0].notify = notify;
	noted_item = &m->items[0];
	noted_answer = (struct queue_answer){ (uint8_t)kind, str_of(status), STR("words"), STR("mx") };
	put(m);
	return &m->items[0];
}

static void test_answered(void)
{
	struct queue_item *item;
	struct host *h;

	begin(brief);
	h = host_add("mx.test", GOOD, 0);
	see_tries = true;
	notes = 0;
	post("a@mx.test");
	run_until(1);
	ok(notes == 1 && saw("try 0"), "what a host says is noted");
	from_now();
	item = post_noted(0, OUTCOME_PASSED, "2.0.0");
	run_until(10);
	ok(!item->message && saw(""), "who has it by a note of an earlier life is not tried again");
	from_now();
	item = post_noted(NOTIFY_SUCCESS, OUTCOME_RELAYED, "2.0.0");
	run_until(10);
	ok(!item->message && saw("relayed 1 2.0.0 0"), "and his sender is told as he wishes");
	from_now();
	reports_fail = true;
	item = post_noted(0, OUTCOME_REFUSED, "5.1.1");
	run_until(100);
	ok(item->message && saw(""), "who was refused is not asked again, though his report cannot be put");
	reports_fail = false;
	run_until(200);
	ok(!item->message && saw("failed 1 5.1.1 120"), "until it can");
	from_now();
	item = post_noted(0, OUTCOME_DEFERRED, "4.2.2");
	run_until(599);
	ok(item->tries == 1 && saw(""), "who was put off waits");
	run_until(601);
	ok(!item->message && saw("try 600"), "as long as if nothing had happened");
	ok(h->recipients == 2, "nobody was tried besides");
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

static void test_warnings_of_domains(void)
{
	static const char *const values[] = { "sending", "retry", "1h", "sending", "warn", "4h", "sending", "expire",
		"1d", "destination quiet.test", "warn", "never", "destination early.test", "warn", "1h",
		"destination early.test", "warn", "6h", NULL };

	begin(values);
	host_add("quiet.test", DEFERS, 0);
	host_add("early.test", DEFERS, 0);
	host_add("other.test", DEFERS, 0);
	post("a@quiet.test");
	run_until(2 * DAY);
	ok(saw("failed 1 4.4.7 86400"), "warn = never: nobody is warned of mail to that domain");
	from_now();
	post("a@early.test");
	run_until(2 * DAY);
	ok(saw("delayed 1 4.2.2 3600, delayed 1 4.2.2 21600, failed 1 4.4.7 86400"),
		"another domain has times of its own for warnings");
	from_now();
	post("a@other.test");
	run_until(2 * DAY);
	ok(saw("delayed 1 4.2.2 14400, failed 1 4.4.7 86400"), "all others have those of sending");
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
	test_second_warning();
	test_answered();
	test_domains();
	test_warnings_of_domains();
	return done();
}
