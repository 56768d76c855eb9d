/* The segments of a queue: begun, removed, moved together, shared with who still reads them; directories of workers that are
 * no more. */
#include "storage/queue/parts.h"
#include "t/queue_files.h"

/* Puts until the files are that long. */
static void put_bytes(struct worker *to, size_t bytes)
{
	static char body[10000];

	memset(body, 'x', sizeof(body) - 2);
	body[sizeof(body) - 2] = '\n';
	for (size_t done = 0; done < bytes; done += sizeof(body))
		put_to(to, "a@far.test", body);
}

static void test_segments(void)
{
	uint64_t last;

	put_bytes(w, 300000);
	turn_for(20);
	ok(strlen(names_of(0, ".mbox")) >= 4 * strlen("000000000001.mbox "), "long queues are of several segments");
	last = put_id;
	end_all();
	TURN_UNTIL(strlen(names_of(0, ".mbox")) <= strlen("000000000001.mbox "));
	ok(strlen(names_of(0, ".mbox")) <= strlen("000000000001.mbox "), "those whose messages are gone are removed");
	restart(1);
	TURN_UNTIL(!strlen(names_of(0, ".mbox")));
	ok(!strlen(names_of(0, ".mbox")), "after a restart the last one, too");
	for (unsigned i = 0; i < 3; i++) {
		restart(1);
		turn_for(1200);
	}
	ok(strlen(names_of(0, ".state")) == strlen("000000000001.state "), "and one name is kept, however often");
	put_to(w, "a@far.test", TEXT);
	ok(put_id > last, "no id is given twice");
	end_all();
}

/* A message that is not durable yet comes into a file whose others are all gone when these are looked for. */
static void test_removed_meanwhile(void)
{
	static char body[2 << 20];
	struct queue_copy *c;
	struct timer tidy;

	conf_set_text("queue", "segment", "64M");
	fresh();
	memset(body, 'x', sizeof(body) - 2);
	body[sizeof(body) - 2] = '\n';
	put_to(w, "a@far.test", body);
	end_all();
	tidy = w->queue->tidy_timer;
	put_soon(w, "b@far.test", TEXT);
	tidy.fire(tidy.user);
	ok(!got_end(), "a message is put while a file that is all gone is removed");
	turn_for(100);
	c = open_message(w, put_id);
	ok(c && str_eq(read_copy(c), STR(TEXT)), "and does not go with it");
	queue_copy_free(c);
	restart(1);
	ok(item_of(w, put_id, 0) != NULL, "it is there after a restart, too");
	end_all();
	conf_set_text("queue", "segment", "64K");
	fresh();
}

static void test_moved(void)
{
	uint64_t before = counted("queue.moved"), ids[5], n = 0;
	struct queue_copy *c;
	struct queue_change told = { .fate = FATE_WAITS,
		.next_s = NOW_S + 9,
		.tries = 2,
		.warned_s = 0,
		.status = STR("4.1.1"),
		.reply = STR("450 later"),
		.remote = STR("mx") };

	for (unsigned i = 0; i < 5; i++) {
		put_to(w, "a@far.test b@far.test", TEXT);
		ids[i] = put_id;
		put_bytes(w, 60000);
	}
	for (struct queue_message *m = queue_after(w->queue, 0); m; m = queue_after(w->queue, m->id)) {
		bool kept = n < 5 && m->id == ids[n];

		n += kept;
		if (!kept)
			change(w, &m->items[0], FATE_ENDED, 0);
	}
	change(w, item_of(w, ids[0], 0), FATE_ENDED, 0);
	queue_change(w->queue, item_of(w, ids[0], 1), &told);
	c = open_message(w, ids[1]);
	TURN_UNTIL(counted("queue.moved") >= before + 4);
	ok(counted("queue.moved") >= before + 4, "few that are left in old segments are moved");
	change(w, item_of(w, ids[1], 0), FATE_ENDED, 0);
	TURN_UNTIL(!item_of(w, ids[1], 0));
	ok(!item_of(w, ids[1], 0) && str_eq(read_copy(c), STR(TEXT)), "one that is open for reading goes on");
	queue_copy_free(c);
	TURN_UNTIL(strlen(names_of(0, ".mbox")) <= 2 * strlen("000000000001.mbox "));
	ok(strlen(names_of(0, ".mbox")) <= 2 * strlen("000000000001.mbox "), "and what they leave is removed");
	restart(1);
	ok(queue_totals(w->queue).messages == 5 && queue_totals(w->queue).items == 8, "all of them are there, once");
	c = open_message(w, ids[0]);
	ok(!item_of(w, ids[0], 0) && item_of(w, ids[0], 1)->tries == 2 &&
			str_eq(c->envelope.recipients[1].reply, STR("450 later")) && str_eq(read_copy(c), STR(TEXT)),
		"with what became of them");
	queue_copy_free(c);
	end_all();
}

static void test_copy_outlives(void)
{
	struct queue_copy *c;

	put_to(w, "a@far.test", TEXT);
	c = open_message(w, put_id);
	end_all();
	ok(c && !c->message && c->id == put_id, "a copy outlives its message");
	put_bytes(w, 150000);
	end_all();
	turn_for(1500);
	ok(str_eq(read_copy(c), STR(TEXT)), "and can be read as long as it is open");
	queue_copy_free(c);
}

static struct queue_copy *early;
static bool early_done;

static void on_early(void *user, enum err e, struct queue_copy *c)
{
	(void)user, (void)e;
	early = c;
	early_done = true;
}

static void open_early(void *user, struct queue_item *item, struct str address, struct str sender)
{
	(void)user, (void)address, (void)sender;
	queue_open(w->queue, item->message, on_early, NULL);
}

static void test_open_early(void)
{
	static const struct queue_listener eager = { open_early, NULL }, usual = { hear_opened, hear_closed };

	queue_listen(w->queue, &eager, NULL);
	put_to(w, "a@far.test", TEXT);
	wait_for(&early_done);
	ok(early && str_eq(read_copy(early), STR(TEXT)), "what just opened can be opened for reading");
	queue_copy_free(early);
	queue_listen(w->queue, &usual, NULL);
	call_cancel(queue_open(w->queue, queue_find(w->queue, put_id), on_early, NULL));
	turn_for(20);
	ok(queue_find(w->queue, put_id)->users == 0, "a cancelled open leaves nothing behind");
	end_all();
}

static void test_shared(void)
{
	struct queue_change told = { .fate = FATE_WAITS,
		.next_s = NOW_S + 9,
		.tries = 2,
		.warned_s = 0,
		.status = STR("4.1.1"),
		.reply = STR("450 later"),
		.remote = STR("mx") };
	struct queue_copy *copies[3] = { 0 };
	struct buf to = { 0 };
	bool same = true;

	for (unsigned i = 0; i < 40; i++)
		buf_printf(&to, "to%u@far.test ", i);
	buf_add_char(&to, '\0');
	put_to(w, buf_data(&to), TEXT);
	turn_for(20);
	call_cancel(queue_open(w->queue, queue_find(w->queue, put_id), on_early, NULL));
	for (unsigned i = 0; i < 2; i++) { /* at the same time */
		early_done = false;
		early = NULL;
		queue_open(w->queue, queue_find(w->queue, put_id), on_early, NULL);
		copies[i] = open_message(w, put_id);
		wait_for(&early_done);
		copies[2] = early;
		same &= copies[i]->envelope.recipients == early->envelope.recipients;
		if (!i)
			queue_copy_free(early);
	}
	ok(same && copies[0]->envelope.count == 40 && str_eq(read_copy(copies[1]), STR(TEXT)),
		"copies of a message of many recipients share an envelope");
	queue_change(w->queue, item_of(w, put_id, 39), &told);
	TURN_UNTIL(copies[0]->envelope.recipients[39].reply.len);
	ok(str_eq(copies[1]->envelope.recipients[39].reply, STR("450 later")) &&
			str_eq(copies[2]->envelope.recipients[39].status, STR("4.1.1")),
		"and are told what becomes of them");
	for (unsigned i = 0; i < 3; i++)
		queue_copy_free(copies[i]);
	copies[0] = open_message(w, put_id);
	ok(str_eq(copies[0]->envelope.recipients[39].reply, STR("450 later")), "as one is that is opened later");
	queue_copy_free(copies[0]);
	buf_free(&to);
	end_all();
}

static void test_taken_over(void)
{
	uint64_t ids[3];

	restart(3);
	for (unsigned i = 0; i < 3; i++) {
		put_to(&workers[i], "a@far.test", TEXT);
		ids[i] = put_id;
	}
	restart(1);
	ok(queue_totals(w->queue).messages == 3 && queue_find(w->queue, ids[2]),
		"queues of workers that are no more are taken over");
	change(w, item_of(w, ids[2], 0), FATE_ENDED, 0);
	TURN_UNTIL(!queue_find(w->queue, ids[2]));
	TURN_UNTIL(!strlen(names_of(2, ".mbox")));
	ok(!strlen(names_of(2, ".mbox")), "and their files go when they are done");
	restart(3);
	ok(!queue_totals(workers[2].queue).messages && queue_find(workers[1].queue, ids[1]),
		"with the workers back each has its own");
	put_to(&workers[2], "a@far.test", TEXT);
	ok(put_id > ids[2], "and gives no id a second time");
	restart(1);
	end_all();
}

int main(void)
{
	log_to_nothing();
	queue_test_begin(1);
	test_segments();
	test_removed_meanwhile();
	test_moved();
	test_copy_outlives();
	test_open_early();
	test_shared();
	test_taken_over();
	queue_test_end();
	return done();
}
