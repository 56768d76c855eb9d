/* Many waiting messages, and one of many recipients: found again after a start in slices, in little memory.
 * MANY=1000000 and LIST=100000 for figures; without them there are few, and only what does not depend on the machine
 * is judged. */
#include "t/queue.h"
#include <malloc.h>

#define FEW    5000
#define LIST   2000 /* recipients of one message */
#define PUTS   500  /* at once */
#define MEMORY 262  /* bytes of the queue's memory for a message of one recipient: a million take 250 MiB */

static struct worker *w = &workers[0];
static unsigned many, begun, put_done;

static void on_many_put(void *user, enum err e, uint64_t id)
{
	(void)user;
	(void)id;
	*(e ? &begun : &put_done) += e ? -1u : 1; /* refused while the journal is full: again */
}

static void put_many(void)
{
	static char body[1500];

	memset(body, 'x', sizeof(body));
	for (size_t i = 79; i < sizeof(body); i += 80)
		body[i] = '\n';
	memcpy(body, "Subject: many\n\n", 15);
	body[sizeof(body) - 1] = '\n';
	while (put_done < many) {
		while (begun < many && begun - put_done < PUTS) {
			char address[64];
			struct queue_recipient to = { .address = { address, 0 } };
			struct queue_envelope e = { .sender = STR("newsletter@example.test"),
				.id = STR("0-13a4b5c6d7.1"),
				.account = STR("newsletter@example.test"),
				.peer = STR("192.0.2.1"),
				.arrived_s = NOW_S,
				.recipients = &to,
				.count = 1 };
			struct queue_put p = { .envelope = &e, .bytes = { body, sizeof(body) } };

			to.address.len = (size_t)snprintf(
				address, sizeof(address), "recipient%u@far%u.test", begun, begun % 1000);
			queue_put(w->queue, &p, on_many_put, NULL);
			begun++;
		}
		turn();
	}
}

/* CLOCK_THREAD_CPUTIME_ID: what the loop itself took, however busy the machine is. */
static int64_t now_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static uint64_t opened_many;

static void many_opened(void *user, struct queue_item *item, struct str address, struct str sender)
{
	(void)user, (void)item, (void)sender;
	opened_many += address.len > 10;
}

static void on_list_put(void *user, enum err e, uint64_t id)
{
	(void)user;
	put_id = e ? 0 : id;
	got.done = true;
}

/* Turns until it is so; answers the longest turn. */
static int64_t turn_until(const bool *flag)
{
	int64_t longest_us = 0;

	while (!*flag) {
		int64_t turn_us = now_us(CLOCK_THREAD_CPUTIME_ID);

		turn_worker(w);
		turn_us = now_us(CLOCK_THREAD_CPUTIME_ID) - turn_us;
		longest_us = turn_us > longest_us ? turn_us : longest_us;
	}
	return longest_us;
}

static void test_list(void)
{
	uint32_t count = getenv("LIST") ? (uint32_t)atoi(getenv("LIST")) : LIST;
	struct queue_recipient *to = mem_alloc(count * sizeof(*to));
	struct queue_envelope e = { .sender = STR("list-bounces@example.test"), .recipients = to, .count = count };
	struct queue_put p = { .envelope = &e, .bytes = STR("Subject: list\n\nx\n") };
	int64_t begun_us = now_us(CLOCK_MONOTONIC), turn_us;
	struct queue_message *m;

	for (uint32_t i = 0; i < count; i++) {
		char *address = mem_alloc(64);

		to[i].address = (struct str){ address, 0 };
		to[i].address.len = (size_t)snprintf(address, 64, "recipient%u@far%u.test", i, i % 1000);
	}
	opened_many = 0;
	got.done = false;
	turn_us = now_us(CLOCK_THREAD_CPUTIME_ID);
	queue_put(w->queue, &p, on_list_put, NULL);
	turn_us = now_us(CLOCK_THREAD_CPUTIME_ID) - turn_us;
	printf("# list recipients=%u put_us=%lld", count, (long long)turn_us);
	turn_us = turn_until(&got.done);
	printf(" ms=%lld longest_turn_us=%lld\n", (long long)(now_us(CLOCK_MONOTONIC) - begun_us) / 1000,
		(long long)turn_us);
	ok(put_id && opened_many == count, "all recipients of a list open before the put is done");
	m = queue_find(w->queue, put_id);
	begun_us = now_us(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < 10; i++) {
		got.done = false;
		queue_open(w->queue, m, on_open, NULL);
		turn_us = turn_until(&got.done);
		if (i < 9)
			queue_copy_free(copy_got);
	}
	printf("# list opened us=%lld longest_turn_us=%lld\n", (long long)(now_us(CLOCK_MONOTONIC) - begun_us) / 10,
		(long long)turn_us);
	ok(copy_got && copy_got->envelope.count == count, "it is opened with all of them");
	queue_copy_free(copy_got);
	begun_us = now_us(CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < count; i++)
		change(w, &m->items[i], FATE_ENDED, 0);
	while (queue_find(w->queue, put_id))
		turn();
	printf("# list ended ms=%lld\n", (long long)(now_us(CLOCK_MONOTONIC) - begun_us) / 1000);
	for (uint32_t i = 0; i < count; i++)
		free((char *)to[i].address.p);
	free(to);
}

int main(void)
{
	static const struct queue_listener listener = { many_opened, NULL };
	int64_t begun_us, longest_us = 0;
	size_t before;

	many = getenv("MANY") ? (unsigned)atoi(getenv("MANY")) : FEW;
	log_set_levels("error");
	test_begin(1);
	stop();
	conf_set_text("journal", "segment", "64M");
	conf_set_text("journal", "size", "256M");
	conf_set_text("queue", "segment", "64M");
	start(1);
	queues_begin();
	queues_read();
	queue_listen(w->queue, &listener, NULL);
	test_list();
	opened_many = 0;
	begun_us = now_us(CLOCK_MONOTONIC);
	put_many();
	printf("# put messages=%u ms=%lld\n", many, (long long)(now_us(CLOCK_MONOTONIC) - begun_us) / 1000);
	ok(queue_totals(w->queue).messages == many, "many messages are put");
	queues_end();
	malloc_trim(0);
	opened_many = 0;
	start(1);
	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	begun_us = now_us(CLOCK_MONOTONIC);
	queue_start(w);
	queue_listen(w->queue, &listener, NULL);
	while (queue_totals(w->queue).reading) {
		int64_t turn_us = now_us(CLOCK_THREAD_CPUTIME_ID);

		turn_worker(w);
		turn_us = now_us(CLOCK_THREAD_CPUTIME_ID) - turn_us;
		longest_us = turn_us > longest_us ? turn_us : longest_us;
	}
	printf("# read messages=%u ms=%lld longest_turn_us=%lld\n", many,
		(long long)(now_us(CLOCK_MONOTONIC) - begun_us) / 1000, (long long)longest_us);
	ok(opened_many == many, "all are found after a start");
	before = mallinfo2().uordblks + mallinfo2().hblkhd - before;
	ok(before / many < MEMORY, "a message takes little memory bytes=%zu", before / many);
	queues_end();
	conf_unref(conf);
	scratch_close(store_fd);
	return done();
}
