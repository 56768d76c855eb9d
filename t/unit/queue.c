/* The queue: messages put, changed, read and found again after a restart. */
#include "t/queue.h"

#define TEXT "Subject: hello\n\nbody\n"

static struct worker *w = &workers[0];

static void test_put(void)
{
	struct queue_copy *c;
	uint64_t id;

	ok(!put_to(w, "bob@far.test carol@far.test", TEXT), "a message is put");
	id = put_id;
	ok(heard_is("+q0-1.0 bob@far.test<alice@example.test +q0-1.1 carol@far.test<alice@example.test "),
		"and its items open before the put is done");
	ok(queue_find(w->queue, id) && queue_totals(w->queue).items == 2, "it is there");
	c = open_message(w, id);
	ok(c && str_eq(c->envelope.sender, STR("alice@example.test")) && c->envelope.count == 2 &&
			str_eq(c->envelope.recipients[1].address, STR("carol@far.test")),
		"opened it has its envelope");
	ok(c && str_eq(read_copy(c), STR(TEXT)) && c->header == 16, "and its bytes");
	queue_copy_free(c);
}

/* The first item of the message was told of a try: it is held, and released. */
static void test_kept(uint64_t id)
{
	struct queue_change held = { .fate = FATE_HELD, .tries = 3, .warned_s = NOW_S + 7, .keeps = true };
	struct queue_change released = { .next_s = NOW_S + 900, .ready_s = NOW_S + 900, .tries = 3, .keeps = true };
	struct queue_copy *copy;

	queue_change(w->queue, item_of(w, id, 0), &held);
	restart(1);
	copy = open_message(w, id);
	ok(copy && item_of(w, id, 0)->state == ITEM_HELD &&
			str_eq(copy->envelope.recipients[0].reply, STR("452 4.2.2 full\nreally")),
		"what is held has the last reply yet");
	queue_copy_free(copy);
	queue_change(w->queue, item_of(w, id, 0), &released);
	TURN_UNTIL(!item_of(w, id, 0)->changes);
	turn_for(20);
	copy = open_message(w, id);
	ok(copy && str_eq(copy->envelope.recipients[0].remote, STR("mx.far.test [192.0.2.1]")),
		"as has what is released");
	queue_copy_free(copy);
	restart(1);
	copy = open_message(w, id);
	ok(copy && item_of(w, id, 0)->ready_s == NOW_S + 900 && !item_of(w, id, 0)->warned_s &&
			str_eq(copy->envelope.recipients[0].status, STR("4.2.2")),
		"and it is known since when, after a restart, too");
	queue_copy_free(copy);
	buf_clear(&heard);
}

static void test_restart(void)
{
	uint64_t id = put_id;
	struct queue_item *item = item_of(w, id, 0);
	struct queue_change c = { .fate = FATE_WAITS,
		.next_s = NOW_S + 300,
		.tries = 3,
		.warned_s = NOW_S + 7,
		.status = STR("4.2.2"),
		.reply = STR("452 4.2.2 full\nreally"),
		.remote = STR("mx.far.test [192.0.2.1]") };
	struct queue_copy *copy;

	queue_change(w->queue, item, &c);
	change(w, item_of(w, id, 1), FATE_ENDED, 0);
	ok(item_of(w, id, 1)->state == ITEM_CLOSING, "what ends is closing at once");
	TURN_UNTIL(!item_of(w, id, 1));
	ok(heard_is("-q0-1.1 "), "and closed when that is written");
	restart(1);
	ok(heard_is("+q0-1.0 bob@far.test<alice@example.test "), "after a restart what is open is told");
	item = item_of(w, id, 0);
	ok(item && item->next_s == NOW_S + 300 && item->tries == 3 && item->warned_s == NOW_S + 7 &&
			item->state == ITEM_WAITS,
		"with what became of it");
	copy = open_message(w, id);
	ok(copy && str_eq(copy->envelope.recipients[0].reply, STR("452 4.2.2 full\nreally")) &&
			str_eq(copy->envelope.recipients[0].status, STR("4.2.2")) &&
			str_eq(copy->envelope.recipients[0].remote, STR("mx.far.test [192.0.2.1]")),
		"and the last reply");
	ok(copy && str_eq(read_copy(copy), STR(TEXT)), "its bytes are the same");
	queue_copy_free(copy);
	test_kept(id);
	ok(!put_to(w, "dave@far.test", TEXT) && put_id > id, "a new message has a new id");
	change(w, item_of(w, id, 0), FATE_ENDED, 0);
	TURN_UNTIL(!queue_find(w->queue, id));
	ok(!queue_find(w->queue, id) && queue_totals(w->queue).messages == 1, "a message is gone with its last item");
}

int main(void)
{
	if (!getenv("VERBOSE"))
		log_set_levels("error");
	queue_test_begin(1);
	test_put();
	test_restart();
	queue_test_end();
	return done();
}
