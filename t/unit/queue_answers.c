/* What other hosts said of a queue's recipients is there in the next life until the journal has what follows from it. */
#include "t/queue.h"

#define HAS   0
#define LATER QUEUE_ANSWER_OPEN
#define NEVER (QUEUE_ANSWER_OPEN + 1)

static void note(struct worker *w, uint64_t id, uint32_t number, uint8_t kind, const char *reply)
{
	struct queue_answer a = {
		.kind = kind, .status = STR("4.2.1"), .reply = str_of(reply), .remote = STR("mx [192.0.2.1]")
	};
	struct queue_item *item = item_of(w, id, number);

	queue_note(w->queue, &item, 1, &a);
}

static bool is_noted(struct worker *w, uint64_t id, uint32_t number, uint8_t kind, const char *reply)
{
	struct queue_item *item = item_of(w, id, number);
	struct queue_answer a;

	return item && queue_noted(w->queue, item, &a) && a.kind == kind && str_eq(a.reply, str_of(reply));
}

static bool has_note(struct worker *w, uint64_t id, uint32_t number)
{
	struct queue_item *item = item_of(w, id, number);
	struct queue_answer a;

	return item && queue_noted(w->queue, item, &a);
}

static void test_lives(void)
{
	struct worker *w = &workers[0];
	struct queue_change c = { .fate = FATE_WAITS, .next_s = NOW_S, .tries = 1 };
	struct queue_item *item;
	uint64_t id;

	put_to(w, "a@far.test b@far.test c@far.test", "Subject: one\n\nHello\n");
	id = put_id;
	note(w, id, 0, HAS, "250 taken");
	note(w, id, 1, LATER, "450 later");
	restart(1);
	ok(is_noted(w, id, 0, HAS, "250 taken") && is_noted(w, id, 1, LATER, "450 later") && !has_note(w, id, 2),
		"what was noted and not written is known after a start");
	item = item_of(w, id, 1);
	c.status = STR("4.2.1");
	queue_change(w->queue, item, &c);
	ok(!has_note(w, id, 1), "what is being written is no more to be done");
	TURN_UNTIL(!item->changes);
	change(w, item_of(w, id, 0), FATE_ENDED, 0);
	TURN_UNTIL(!item_of(w, id, 0));
	restart(1);
	ok(!item_of(w, id, 0) && !has_note(w, id, 1) && item_of(w, id, 1)->tries == 1,
		"and once it is written nothing is noted");
}

static void test_reports(void)
{
	struct worker *w = &workers[0];
	struct queue_recipient to = { .address = STR("alice@example.test"), .local = true };
	struct queue_envelope e = { .sender = STR(""), .recipients = &to, .count = 1 };
	struct queue_item *ends[1];
	struct queue_put p = { .envelope = &e, .bytes = STR("Subject: no\n\n"), .ends = ends, .end_count = 1 };
	uint64_t id;

	put_to(w, "a@far.test", "Subject: three\n\nHello\n");
	id = put_id;
	note(w, id, 0, NEVER, "550 no");
	restart(1);
	ok(is_noted(w, id, 0, NEVER, "550 no"), "a refusal whose report was not put is known");
	ends[0] = item_of(w, id, 0);
	put(w, &p);
	restart(1);
	ok(!item_of(w, id, 0), "and ends with the report");
}

/* That a sender was warned is written with the warning, behind what was to be written of the recipient before. */
static void test_warnings(void)
{
	struct worker *w = &workers[0];
	struct queue_recipient to = { .address = STR("alice@example.test"), .local = true };
	struct queue_envelope e = { .sender = STR(""), .recipients = &to, .count = 1 };
	struct queue_item *warns[2];
	struct queue_put p = { .envelope = &e,
		.bytes = STR("Subject: delayed\n\n"),
		.warns = warns,
		.warn_count = 2,
		.warned_s = NOW_S + 60 };
	struct queue_copy *copy;
	struct queue_change c = { .fate = FATE_WAITS, .next_s = NOW_S + 300, .tries = 1, .reply = STR("450 later") };
	uint64_t id;

	put_to(w, "a@far.test b@far.test c@far.test", "Subject: five\n\nHello\n");
	id = put_id;
	queue_change(w->queue, item_of(w, id, 0), &c);
	warns[0] = item_of(w, id, 0);
	warns[1] = item_of(w, id, 1);
	ok(!put(w, &p) && warns[0]->warned_s == NOW_S + 60 && !warns[0]->changes && !item_of(w, id, 2)->warned_s,
		"who was warned shows it when the warning is put");
	restart(1);
	copy = open_message(w, id);
	ok(item_of(w, id, 0)->warned_s == NOW_S + 60 && item_of(w, id, 1)->warned_s == NOW_S + 60 &&
			!item_of(w, id, 2)->warned_s && queue_find(w->queue, put_id),
		"after a start, too");
	ok(item_of(w, id, 0)->next_s == NOW_S + 300 && copy &&
			str_eq(copy->envelope.recipients[0].reply, STR("450 later")),
		"and nothing else of it is other than it was");
	queue_copy_free(copy);
	p.bytes = (struct str){ mem_alloc(queue_put_most(w->queue) * 3), 0 };
	p.bytes.len = queue_put_most(w->queue) * 3;
	memset((char *)p.bytes.p, '\n', p.bytes.len);
	warns[0] = item_of(w, id, 2);
	p.warn_count = 1;
	ok(put(w, &p) == ERR_TOO_BIG && !warns[0]->warned_s && !warns[0]->changes, "what cannot be put marks nobody");
	p.bytes.len = queue_put_most(w->queue);
	ok(!put(w, &p) && warns[0]->warned_s, "what is said to be possible is");
	free((char *)p.bytes.p);
}

/* A worker that is no more: its mail and its notes are another's. */
static void test_takeover(void)
{
	uint64_t id;

	restart(2);
	put_to(&workers[1], "a@far.test b@far.test", "Subject: four\n\nHello\n");
	id = put_id;
	note(&workers[1], id, 0, HAS, "250 taken");
	restart(1);
	ok(is_noted(&workers[0], id, 0, HAS, "250 taken") && !has_note(&workers[0], id, 1),
		"of a worker that is no more another has the mail, and knows what was said of it");
	note(&workers[0], id, 1, HAS, "250 taken by the other");
	restart(2);
	ok(is_noted(&workers[1], id, 0, HAS, "250 taken") &&
			is_noted(&workers[1], id, 1, HAS, "250 taken by the other"),
		"and the other way round");
}

int main(void)
{
	log_to(open("/dev/null", O_WRONLY));
	queue_test_begin(1);
	test_lives();
	test_reports();
	test_warnings();
	test_takeover();
	queue_test_end();
	return done();
}
