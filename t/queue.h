/* queue.h - a store with a queue and a listener, for tests of the queue. */
#ifndef T_QUEUE_H
#define T_QUEUE_H

#include "storage/queue/queue.h"
#include "t/store.h"

#define NOW_S 1795412443

static unsigned opened_count, closed_count;
static struct buf
	heard; /* "+q0-1.0 bob@far.test<alice@example.test " for each that opened, "-q0-1.0 " for each that closed */

static const char *id_text(uint64_t id)
{
	static char text[QUEUE_ID_SIZE];

	return queue_id_print(text, id);
}

static void hear_opened(void *user, struct queue_item *item, struct str address, struct str sender)
{
	(void)user;
	opened_count++;
	buf_printf(&heard, "+%s.%u " STR_FMT "<" STR_FMT " ", id_text(item->message->id), item->number,
		STR_ARG(address), STR_ARG(sender));
}

static void hear_closed(void *user, struct queue_item *item)
{
	(void)user;
	closed_count++;
	buf_printf(&heard, "-%s.%u ", id_text(item->message->id), item->number);
}

__attribute__((unused)) static bool heard_is(const char *text)
{
	bool is = str_eq(buf_str(&heard), str_of(text));

	if (!is)
		printf("# heard \"" STR_FMT "\"\n", STR_ARG(buf_str(&heard)));
	buf_clear(&heard);
	return is;
}

/* Begins the queues of all workers; those of a listener's are heard. */
static void conf_set_text(const char *section, const char *name, const char *value)
{
	struct buf why = { 0 };

	if (!conf_set(conf, section, NULL, name, value, &why))
		printf("# " STR_FMT "\n", STR_ARG(buf_str(&why)));
	buf_free(&why);
}

static void queues_begin(void)
{
	static const struct queue_listener listener = { hear_opened, hear_closed };

	for (unsigned i = 0; i < worker_count; i++) {
		if (queue_start(&workers[i])) {
			printf("Bail out! a queue does not start\n");
			abort();
		}
		queue_listen(workers[i].queue, &listener, NULL);
	}
}

__attribute__((unused)) static void queues_read(void)
{
	for (unsigned i = 0; i < worker_count; i++)
		TURN_UNTIL(!queue_totals(workers[i].queue).reading);
}

static void queues_end(void)
{
	struct queue *queues[4];

	for (unsigned i = 0; i < worker_count; i++)
		queue_stop(&workers[i]);
	for (unsigned i = 0; i < worker_count; i++)
		queues[i] = workers[i].queue;
	for (unsigned i = 0; i < worker_count; i++) {
		stopped[i] = false;
		store_stop(&workers[i], on_stopped);
		wait_for(&stopped[i]);
		queue_free(queues[i]);
	}
	for (unsigned i = 0; i < worker_count; i++)
		worker_end(&workers[i]);
	counter_use(NULL);
}

/* Ends and begins again, with so many workers. */
__attribute__((unused)) static void restart(unsigned count)
{
	queues_end();
	start(count);
	queues_begin();
	queues_read();
}

__attribute__((unused)) static void queue_test_begin(unsigned count)
{
	shm = shm_new(sizeof(workers) / sizeof(workers[0]), counter_count()); /* for a restart with more */
	test_begin(count);
	conf_set_text("queue", "segment", "64K");
	queues_begin();
	queues_read();
}

__attribute__((unused)) static void queue_test_end(void)
{
	queues_end();
	conf_unref(conf);
	scratch_close(store_fd);
	buf_free(&heard);
	buf_free(&got.text);
}

static uint64_t put_id;

static void on_put(void *user, enum err e, uint64_t id)
{
	(void)user;
	put_id = id;
	got.e = e;
	got.done = true;
}

__attribute__((unused)) static enum err put(struct worker *w, const struct queue_put *p)
{
	got_begin();
	queue_put(w->queue, p, on_put, NULL);
	return got_end();
}

/* A short message from alice to each of the addresses, separated by spaces. */
__attribute__((unused)) static void put_soon(struct worker *w, const char *addresses, const char *text)
{
	struct queue_recipient to[64] = { 0 };
	struct queue_envelope e = { .sender = STR("alice@example.test"), .recipients = to, .arrived_s = NOW_S };
	struct queue_put p = { .envelope = &e, .bytes = str_of(text) };
	struct str left = str_of(addresses);

	while (left.len && e.count < 64)
		to[e.count++].address = str_word(&left);
	got_begin();
	queue_put(w->queue, &p, on_put, NULL);
}

__attribute__((unused)) static enum err put_to(struct worker *w, const char *addresses, const char *text)
{
	put_soon(w, addresses, text);
	return got_end();
}

static struct queue_copy *copy_got;

static void on_open(void *user, enum err e, struct queue_copy *c)
{
	(void)user;
	copy_got = c;
	got.e = e;
	got.done = true;
}

__attribute__((unused)) static struct queue_copy *open_message(struct worker *w, uint64_t id)
{
	copy_got = NULL;
	got_begin();
	queue_open(w->queue, queue_find(w->queue, id), on_open, NULL);
	if (got_end())
		printf("# cannot open: %s\n", err_text(got.e));
	return copy_got;
}

static void on_piece(void *user)
{
	*(bool *)user = true;
}

/* All of its bytes; valid until the next. */
__attribute__((unused)) static struct str read_copy(struct queue_copy *c)
{
	static struct buf b;
	enum err e = OK;

	buf_clear(&b);
	while (buf_len(&b) < c->stored && !e) {
		bool there = false;

		if (!queue_copy_read(c, buf_len(&b), &b, &e, on_piece, &there))
			wait_for(&there);
	}
	if (e)
		printf("# cannot read: %s\n", err_text(e));
	return buf_str(&b);
}

/* The item of that message and number; NULL: it is no more. */
__attribute__((unused)) static struct queue_item *item_of(struct worker *w, uint64_t id, uint32_t number)
{
	struct queue_message *m = queue_find(w->queue, id);

	return m && number < m->count && m->items[number].message ? &m->items[number] : NULL;
}

__attribute__((unused)) static void change(
	struct worker *w, struct queue_item *item, enum queue_fate fate, uint32_t next_s)
{
	struct queue_change c = { .fate = fate, .next_s = next_s, .tries = (uint16_t)(item->tries + 1) };

	queue_change(w->queue, item, &c);
}

/* What the first worker has counted, over restarts. */
__attribute__((unused)) static uint64_t counted(const char *name)
{
	const uint64_t *row = shm_counters(shm, 0);

	for (size_t i = 0; i < counter_count(); i++)
		if (!strcmp(counter_at(i)->name, name))
			return row[i];
	return 0;
}

#endif
