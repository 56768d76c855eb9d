/* Deliveries whose names outlive who asked for them: each is done once, whoever asks, until it is said to be forgotten. */
#include "t/store.h"

#define MESSAGE 0x1f3a

static uint32_t messages(void)
{
	struct account *a = log_in("alice@example.test", "secret");
	uint32_t count;

	if (status(a, "INBOX"))
		got.status.messages = 0;
	count = got.status.messages;
	account_free(a);
	return count;
}

static enum err ask(unsigned slot, uint32_t recipient)
{
	asker = &workers[slot];
	return deliver_named(
		"alice@example.test", STR("Subject: once\r\n\r\nHello\r\n"), name_lasting(MESSAGE, recipient));
}

/* Again, by the name of a try that a session made, for the queue. */
static enum err ask_tried(struct name name)
{
	struct delivery d = { .account = STR("alice@example.test"),
		.sender = STR("bob@example.test"),
		.trace = STR("Return-Path: <bob@example.test>\n"),
		.draft = draft_of(STR("Subject: once\r\n\r\nHello\r\n")),
		.name = name,
		.kept = true };

	got_begin();
	store_deliver(asker, &d, on_delivered, NULL);
	got_end();
	draft_free(d.draft);
	return got.e;
}

static void again(void)
{
	stop();
	start(2);
	asker = workers;
}

int main(void)
{
	struct name name = name_lasting(MESSAGE, 0);

	log_to(open("/dev/null", O_WRONLY));
	test_begin(2);
	ok(name_lasts(name) && !name_lasts(name_next(workers)), "names that last are told from those of a life");
	ok(!ask(0, 0) && !ask(0, 0) && messages() == 1, "what is asked for twice is done once");
	ok(!ask(1, 0) && messages() == 1, "also when another worker asks");
	ok(!ask(1, 1) && messages() == 2, "another recipient's is another");
	ok(!deliver("alice@example.test", "Subject: other\r\n\r\n") && !ask(0, 0) && messages() == 3,
		"a life that is new does away with the names of another, not with these");
	again();
	ok(!ask(1, 0) && !ask(0, 1) && messages() == 3, "nor does a restart");
	store_forget(&workers[1], store_owner_of(&workers[1], STR("alice@example.test")), name);
	turn_for(1500);
	ok(!ask(1, 1) && messages() == 3 && !ask(1, 0) && messages() == 4,
		"what is forgotten would be done again, and that alone");
	asker = &workers[1];
	name = name_arriving(asker);
	ok(!ask_tried(name) && messages() == 5, "what the queue tries by a session's name");
	turn_for(1500);
	ok(!ask_tried(name) && messages() == 5, "is known while it may be asked for again");
	again();
	asker = &workers[1];
	ok(!deliver("alice@example.test", "Subject: other\r\n\r\n") && !ask_tried(name) && messages() == 6,
		"whatever lives that worker had since");
	store_forget(&workers[1], store_owner_of(&workers[1], STR("alice@example.test")), name);
	turn_for(1500);
	ok(!ask_tried(name) && messages() == 7, "and no longer");
	test_end();
	return done();
}
