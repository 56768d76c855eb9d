/* A queue whose worker is killed under load, at any moment: every put that was answered is there, with exactly the
 * items whose end was not told as durable; what was under way may be there or not. The worker runs in a child, which
 * writes a line to a pipe for each thing that it was told. */
#include "t/queue.h"
#include <signal.h>
#include <sys/wait.h>

#define LIVES    6
#define MESSAGES 100000
#define ITEMS    3
#define PENDING  16 /* puts at once */
#define LIVE_MS  150
#define LONG_MS  1300 /* some live until segments are tidied */

enum { OPEN = 1, ENDING = 2, ENDED = 4 }; /* of an item, as the parent knows it */

static unsigned char known[MESSAGES][ITEMS];
static uint64_t ids[MESSAGES];
static unsigned seed;
static uint32_t next_number;
static int told_fd;

static uint32_t below(uint32_t limit)
{
	return (uint32_t)rand_r(&seed) % limit;
}

/* --- the child -------------------------------------------------------------------------------------------------------- */

static void tell(char what, uint64_t id, uint32_t number)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%c %llu %u\n", what, (unsigned long long)id, number);

	if (write(told_fd, line, (size_t)len) != len)
		_exit(2);
}

static struct queue *queue;
static unsigned pending;

static void child_put(void *user, enum err e, uint64_t id)
{
	pending--;
	if (!e)
		tell('p', id, (uint32_t)(uintptr_t)user);
}

static void child_closed(void *user, struct queue_item *item)
{
	(void)user;
	tell('e', item->message->id, item->number);
}

/* What is told before it is asked for, for it may come to pass though nobody hears of it. */
static void child_end(struct queue_item *item)
{
	tell('b', item->message->id, item->number);
	change(&workers[0], item, FATE_ENDED, 0);
}

static struct queue_item *any_item(void)
{
	uint64_t last = ids[0] ? ids[0] : 1;
	struct queue_message *m = queue_after(queue, below((uint32_t)last + 1000));
	struct queue_item *item = m ? &m->items[below(m->count)] : NULL;

	return item && item->message && item->state != ITEM_CLOSING ? item : NULL;
}

static void child_step(void)
{
	struct queue_recipient to[ITEMS] = { { .address = STR("a@far.test") }, { .address = STR("b@far.test") },
		{ .address = STR("c@far.test") } };
	struct queue_envelope e = { .sender = STR("alice@example.test"), .recipients = to, .count = 1 + below(ITEMS) };
	char text[3000];
	struct queue_item *ends[1];
	struct queue_put p = { .envelope = &e, .ends = ends };
	int len = snprintf(text, sizeof(text), "Subject: %u\n\n", next_number);

	if (pending == PENDING || next_number == MESSAGES)
		return;
	memset(text + len, 'x', sizeof(text) - (size_t)len);
	text[sizeof(text) - 1] = '\n';
	p.bytes = (struct str){ text + sizeof(text) - below(2000) - 1, 0 };
	p.bytes.len = (size_t)(text + sizeof(text) - p.bytes.p);
	if (!below(3) && (ends[0] = any_item())) {
		tell('b', ends[0]->message->id, ends[0]->number);
		p.end_count = 1;
	}
	pending++;
	queue_put(queue, &p, child_put, (void *)(uintptr_t)(next_number++ << 2 | e.count));
	for (unsigned i = below(4); i; i--) {
		struct queue_item *item = any_item();

		if (item && below(2))
			child_end(item);
		else if (item)
			change(&workers[0], item, below(2) ? FATE_WAITS : FATE_HELD, NOW_S);
	}
}

static void child_run(void)
{
	static const struct queue_listener listener = { NULL, child_closed };

	start(1);
	queues_begin();
	queue = workers[0].queue;
	queue_listen(queue, &listener, NULL);
	tell('s', 0, 0);
	for (;;) {
		child_step();
		turn();
	}
}

/* --- the parent ------------------------------------------------------------------------------------------------------- */

static size_t highest; /* messages known, by id */

static size_t place_of(uint64_t id)
{
	size_t low = 0, high = highest;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < highest && ids[low] == id ? low : highest;
}

static void hear(char what, uint64_t id, uint32_t number)
{
	size_t at = what == 'p' ? highest : place_of(id);

	if (what == 'p') {
		if (highest && ids[highest - 1] >= id)
			abort();
		ids[highest++] = id;
		for (uint32_t i = 0; i < (number & 3); i++)
			known[at][i] |= OPEN;
		next_number = (number >> 2) + 1;
	} else if (what == 'b' || what == 'e') {
		if (at == highest) /* its put was not told yet */
			return;
		known[at][number] |= what == 'b' ? ENDING : ENDED;
	}
}

static void live_and_die(unsigned least_ms)
{
	int fds[2];
	unsigned number;
	unsigned long long id;
	bool killed = false;
	uint32_t ms = least_ms + below(LIVE_MS);
	struct timespec pause = { ms / 1000, ms % 1000 * 1000000L };
	FILE *told;
	pid_t pid;
	char what;

	if (pipe(fds))
		abort();
	if (!(pid = fork())) {
		close(fds[0]);
		told_fd = fds[1];
		child_run();
	}
	close(fds[1]);
	told = fdopen(fds[0], "r");
	while (told && fscanf(told, "%c %llu %u\n", &what, &id, &number) == 3) {
		hear(what, id, number);
		if (!killed) {
			nanosleep(&pause, NULL);
			kill(pid, SIGKILL);
			killed = true;
		}
	}
	fclose(told);
	waitpid(pid, NULL, 0);
}

static unsigned compare(unsigned *open_count)
{
	unsigned wrong = 0;

	for (size_t n = 0; n < highest; n++)
		for (unsigned i = 0; i < ITEMS; i++) {
			bool there = item_of(&workers[0], ids[n], i) != NULL;
			bool must = known[n][i] == OPEN, may = known[n][i] == (OPEN | ENDING);

			*open_count += must;
			if ((must && !there) || (there && !must && !may)) {
				wrong++;
				printf("# %s.%u is %s known=%u\n", id_text(ids[n]), i, there ? "there" : "lost",
					known[n][i]);
			}
			if (may) /* from now on it is known */
				known[n][i] = there ? OPEN : OPEN | ENDING | ENDED;
		}
	return wrong;
}

int main(void)
{
	unsigned wrong = 0, open_count = 0;

	seed = (unsigned)time(NULL);
	printf("# seed %u\n", seed);
	log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
	queue_test_begin(1);
	queues_end();
	for (unsigned i = 0; i < LIVES; i++) {
		live_and_die(i % 3 == 2 ? LONG_MS : 20);
		start(1);
		queues_begin();
		queues_read();
		wrong += compare(&open_count);
		queues_end();
	}
	ok(!wrong, "what was answered is there, what was ended is not");
	ok(highest > 20 && open_count > 20, "much was put messages=%zu open=%u", highest, open_count);
	conf_unref(conf);
	scratch_close(store_fd);
	return done();
}
