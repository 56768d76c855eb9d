/* sending.h - a worker that sends, with a queue and hosts of the test's choice, on a clock that jumps from event to event:
 * five days take no time. The queue is in memory alone and shows what it was told; hosts are what their names say. */
#ifndef T_SENDING_H
#define T_SENDING_H

#include "core/core_settings.h"
#include "core/counter.h"
#include "core/house.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/overload.h"
#include "protocols/sending/sending_inside.h"
#include "t/tap.h"
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const struct settings *const test_settings[] = { &core_settings, &sending_settings, &destination_settings,
	&route_settings, NULL };
static const struct call_type *const test_calls[] = { NULL };
const struct house house = { .settings = test_settings, .calls = test_calls };

/* The clocks, as all that runs here reads them: they stand but for jumps, however slow the machine is, so that times are
 * exact. */
static int64_t still_ms = INT64_C(1795412443000);

int clock_gettime(clockid_t clock, struct timespec *t)
{
	(void)clock;
	*t = (struct timespec){ .tv_sec = still_ms / 1000, .tv_nsec = still_ms % 1000 * 1000000 };
	return 0;
}

static struct worker w;
static unsigned workers = 1; /* that there are; one runs */
static struct conf *conf;

/* --- what is seen ---------------------------------------------------------------------------------------------------- */

struct seen {
	char what[24]; /* "try", "warned", "failed 4.4.7", "closed" ... */
	uint32_t at_s;
};
#define SEEN_MAX 4096
static struct seen seen[SEEN_MAX];
static unsigned seen_count;
static uint32_t start_s; /* times are counted from here */

static uint32_t now_s(void)
{
	return (uint32_t)(worker_wall_ms(&w) / 1000);
}

__attribute__((format(printf, 1, 2))) static void see(const char *fmt, ...)
{
	va_list ap;

	if (seen_count == SEEN_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(seen[seen_count].what, sizeof(seen[0].what), fmt, ap);
	va_end(ap);
	seen[seen_count++].at_s = now_s() - start_s;
}

/* Whether exactly that was seen, in order: "try 0, try 300, failed 4.4.7 432000". */
__attribute__((unused)) static bool saw(const char *text)
{
	struct buf all = { 0 };
	bool same;

	for (unsigned i = 0; i < seen_count; i++)
		buf_printf(&all, "%s%s %u", i ? ", " : "", seen[i].what, seen[i].at_s);
	same = str_eq(buf_str(&all), str_of(text));
	if (!same)
		printf("# saw " STR_FMT "\n", STR_ARG(buf_str(&all)));
	buf_free(&all);
	return same;
}

/* --- hosts -------------------------------------------------------------------------------------------------------------- */

enum habit {
	GOOD,
	DEAD,    /* nobody answers, which takes half a minute to find out */
	SILENT,  /* it is there, and never greets */
	GONE,    /* its domain takes no mail */
	DEFERS,  /* each recipient, with 450 */
	BUSY,    /* the same with 421 */
	REFUSES, /* each recipient, with 550 */
	DROPS,   /* the connection in each transaction */
};

struct host { /* as the test wants it, then what it saw */
	const char *name;
	enum habit habit;
	int64_t takes_ms;             /* for a transaction */
	unsigned most_open;           /* more sessions get 421 instead of a greeting; 0: any number */
	const char *address, *remote; /* that it shares with others, and as transports tell it; NULL: nobody counts */
	unsigned open, open_max, sessions, transactions, recipients;
	int last_priority;
};
#define HOSTS_MAX 64
static struct host hosts[HOSTS_MAX];
static unsigned host_count;
static unsigned connected, connected_max; /* to hosts with an address */
static bool see_tries;

static struct host *host_named(struct str name)
{
	for (unsigned i = 0; i < host_count; i++)
		if (str_eq(str_of(hosts[i].name), name))
			return &hosts[i];
	return NULL;
}

static struct host *host_add(const char *name, enum habit habit, int64_t takes_ms)
{
	hosts[host_count] = (struct host){ .name = name, .habit = habit, .takes_ms = takes_ms };
	return &hosts[host_count++];
}

struct transport_session {
	struct sending_session *ss;
	struct host *host;
	struct transaction *transaction;
	struct timer timer;
	bool idle, connected;
};

#define CONNECT_MS 20
#define DEAD_MS    30000
#define SILENT_MS  300000
#define IDLE_MS    60000

static void fake_end(struct transport_session *t)
{
	timer_stop(w.timers, &t->timer);
	t->host->open--;
	connected -= t->connected;
	if (t->connected)
		sending_left(&w, str_of(t->host->address));
	free(t);
}

static void session_over(struct transport_session *t)
{
	struct sending_session *ss = t->ss;

	fake_end(t);
	sending_over(ss);
}

static void session_idles(void *user)
{
	session_over(user);
}

static void session_ready(void *user);

static void session_sent(void *user)
{
	struct transport_session *t = user;
	struct transaction *done = t->transaction;
	static const struct outcome outcomes[] = {
		[GOOD] = { .kind = OUTCOME_RELAYED,
			.status = { "2.0.0", 5 },
			.reply = { "250 taken", 9 },
			.remote = { "mx", 2 } },
		[DEFERS] = { .kind = OUTCOME_DEFERRED,
			.status = { "4.2.2", 5 },
			.reply = { "450 full", 8 },
			.remote = { "mx", 2 } },
		[BUSY] = { .kind = OUTCOME_DEFERRED,
			.status = { "", 0 },
			.reply = { "421 busy", 8 },
			.remote = { "mx", 2 } },
		[REFUSES] = { .kind = OUTCOME_REFUSED,
			.status = { "5.1.1", 5 },
			.reply = { "550 no", 6 },
			.remote = { "mx", 2 } },
		[DROPS] = { .kind = OUTCOME_DEFERRED,
			.status = { "4.4.2", 5 },
			.reply = { "lost", 4 },
			.remote = { "mx", 2 } },
	};

	t->transaction = NULL;
	t->host->transactions++;
	t->host->recipients += done->count;
	for (size_t i = 0; i < done->count; i++)
		sending_tell(t->ss, done, i, &outcomes[t->host->habit]);
	sending_done(t->ss, done);
	if (t->host->habit == DROPS)
		session_over(t);
	else
		timer_start(w.timers, &t->timer, 0, session_ready, t);
}

static void session_ready(void *user)
{
	struct transport_session *t = user;

	t->transaction = sending_take(t->ss);
	t->idle = !t->transaction;
	if (t->transaction) {
		t->host->last_priority = t->transaction->copy->envelope.priority;
		if (see_tries)
			see("try");
		timer_start(w.timers, &t->timer, t->host->takes_ms, session_sent, t);
	} else {
		timer_start(w.timers, &t->timer, IDLE_MS, session_idles, t);
	}
}

static void session_fails(void *user)
{
	struct transport_session *t = user;
	struct outcome o = { .kind = OUTCOME_DEFERRED, .status = STR("4.4.1"), .reply = STR("nobody answers") };

	if (see_tries)
		see("knock");
	if (t->host->habit == GONE)
		o = (struct outcome){ .kind = OUTCOME_REFUSED, .status = STR("5.1.10"), .reply = STR("takes no mail") };
	if (t->host->address && !t->connected)
		o = (struct outcome){ .kind = OUTCOME_DEFERRED,
			.status = STR("4.4.5"),
			.reply = STR("as many connections as may be"),
			.crowded = str_of(t->host->address) };
	sending_unreachable(t->ss, &o);
	session_over(t);
}

static struct transport_session *fake_open(
	struct worker *worker, struct sending_session *ss, const struct next_hop *hop)
{
	struct transport_session *t = mem_new(struct transport_session);
	struct host *h = host_named(hop->host);
	bool bad;

	(void)worker;
	t->ss = ss;
	t->host = h ? h : &hosts[0];
	h = t->host;
	h->sessions++;
	h->open++;
	t->connected = h->address && sending_may_connect(&w, str_of(h->address));
	connected += t->connected;
	if (connected > connected_max)
		connected_max = connected;
	bad = (h->address && !t->connected) || h->habit == DEAD || h->habit == SILENT || h->habit == GONE ||
	      (h->most_open && h->open > h->most_open);
	if (!bad && h->open > h->open_max)
		h->open_max = h->open;
	timer_start(w.timers, &t->timer,
		h->habit == SILENT ? SILENT_MS
		: h->habit == DEAD ? DEAD_MS
				   : CONNECT_MS,
		bad ? session_fails : session_ready, t);
	return t;
}

static void fake_more(struct transport_session *t)
{
	if (t->idle)
		timer_start(w.timers, &t->timer, 0, session_ready, t);
	t->idle = false;
}

static const struct transport fake_transport = { fake_open, fake_more, fake_end };

/* --- the queue ------------------------------------------------------------------------------------------------------------ */

struct queue {
	const struct queue_listener *listener;
	void *user;
	struct queue_message **messages;
	size_t count, cap;
	uint64_t serial, opens, closed;
	struct queue_item **closing;
	size_t closing_count, closing_cap;
};

struct texts { /* of a message, before it in memory */
	char sender[64], account[64], *addresses;
	int open;
	struct queue_message m;
};
#define ADDRESS_MAX 64

static struct queue queue;

static struct texts *texts_of(struct queue_message *m)
{
	return container_of(m, struct texts, m);
}

void queue_listen(struct queue *q, const struct queue_listener *l, void *user)
{
	q->listener = l;
	q->user = user;
}

struct opening {
	struct call *handle, *later;
	struct queue_message *m;
	queue_open_done *done;
	void *user;
};

static void opening_dropped(void *user)
{
	struct opening *o = user;

	call_cancel(o->later);
	free(o);
}

static void opening_done(void *user, enum err e, struct str answer)
{
	struct opening *o = user;
	struct texts *texts = texts_of(o->m);
	struct queue_copy *copy = mem_new(struct queue_copy);
	struct queue_recipient *r = mem_alloc(o->m->count * sizeof(*r));

	(void)e, (void)answer;
	copy->message = o->m;
	copy->id = o->m->id;
	copy->envelope = (struct queue_envelope){ .sender = str_of(texts->sender),
		.account = str_of(texts->account),
		.priority = o->m->priority,
		.arrived_s = o->m->arrived_s,
		.recipients = r,
		.count = o->m->count };
	for (uint32_t i = 0; i < o->m->count; i++) {
		r[i].number = i;
		r[i].address = str_of(texts->addresses + i * ADDRESS_MAX);
		r[i].notify = o->m->items[i].notify;
	}
	queue.opens++;
	call_steps_end(o->handle);
	o->done(o->user, OK, copy);
	free(o);
}

struct call *queue_open(struct queue *q, struct queue_message *m, queue_open_done *done, void *user)
{
	struct opening *o = mem_new(struct opening);

	(void)q;
	*o = (struct opening){ NULL, NULL, m, done, user };
	o->later = call_later(&w, opening_done, o);
	o->handle = call_steps(opening_dropped, o);
	return o->handle;
}

void queue_copy_free(struct queue_copy *c)
{
	if (c)
		free((void *)c->envelope.recipients);
	free(c);
}

bool queue_copy_read(
	struct queue_copy *c, uint64_t at, struct buf *out, enum err *e, void (*on_piece)(void *user), void *user)
{
	(void)c, (void)at, (void)out, (void)e, (void)on_piece, (void)user;
	return true; /* hosts here look at no message */
}

static void close_later(struct queue_item *item)
{
	item->state = ITEM_CLOSING;
	if (queue.closing_count == queue.closing_cap) {
		queue.closing_cap = 2 * queue.closing_cap + 64;
		queue.closing = mem_resize(queue.closing, queue.closing_cap * sizeof(*queue.closing));
	}
	queue.closing[queue.closing_count++] = item;
}

static void close_now(void)
{
	for (size_t i = 0; i < queue.closing_count; i++) {
		queue.listener->closed(queue.user, queue.closing[i]);
		queue.closing[i]->message = NULL;
		queue.closed++;
	}
	queue.closing_count = 0;
}

/* What is noted of an item is what the test says. */
static struct queue_item *noted_item;
static struct queue_answer noted_answer;
static unsigned notes;

static char item_to[300]; /* where items were sent last: one place is enough */

void queue_change(struct queue *q, struct queue_item *item, const struct queue_change *c)
{
	(void)q;
	if (item == noted_item)
		noted_item = NULL; /* what follows from it is written */
	if (c->fate == FATE_ENDED) {
		close_later(item);
		return;
	}
	item->state = c->fate == FATE_HELD ? ITEM_HELD : ITEM_WAITS;
	item->next_s = c->next_s;
	item->tries = c->tries;
	item->warned_s = c->warned_s;
	item->ready_s = c->ready_s ? c->ready_s : item->ready_s;
	if (!c->to.len)
		return;
	snprintf(item_to, sizeof(item_to), STR_FMT, STR_ARG(c->to));
	item->to = 1;
}

void queue_note(struct queue *q, struct queue_item *const *items, size_t count, const struct queue_answer *a)
{
	(void)q, (void)items, (void)a;
	notes += count;
}

bool queue_noted(const struct queue *q, const struct queue_item *item, struct queue_answer *a)
{
	(void)q;
	*a = noted_answer;
	return item == noted_item;
}

struct str queue_item_to(const struct queue *q, const struct queue_item *item)
{
	(void)q;
	return item->to ? str_of(item_to) : STR("");
}

bool queue_takes_to(struct queue *q, struct str to)
{
	(void)q, (void)to;
	return true;
}

void queue_unhold(struct queue *q, struct queue_item *item)
{
	(void)q;
	item->state = ITEM_TRYING;
}

/* Of the real queue, which the table of the store's calls would bring along. */
void backup_worker_handle(struct worker *worker, struct request *rq, struct str args)
{
	(void)worker, (void)args;
	request_answer(rq, ERR_DENIED, STR_NONE);
}

struct queue_message *queue_find(struct queue *q, uint64_t id)
{
	return id && id <= q->count ? q->messages[id - 1] : NULL;
}

struct queue_message *queue_after(struct queue *q, uint64_t id)
{
	for (; id < q->count; id++) /* ids count from 1 */
		for (uint32_t i = 0; i < q->messages[id]->count; i++)
			if (q->messages[id]->items[i].message)
				return q->messages[id];
	return NULL;
}

/* What a message begins with; change it before it is put by post_now. */
static struct queue_message *message(const char *sender, uint32_t count)
{
	struct texts *texts = mem_alloc(sizeof(*texts) + count * sizeof(struct queue_item));
	struct queue_message *m = &texts->m;

	snprintf(texts->sender, sizeof(texts->sender), "%s", sender);
	texts->addresses = mem_alloc(count * ADDRESS_MAX);
	m->id = ++queue.serial;
	m->arrived_s = now_s();
	m->null_sender = !*sender;
	m->count = count;
	for (uint32_t i = 0; i < count; i++)
		m->items[i] = (struct queue_item){ .message = m, .number = i, .next_s = m->arrived_s };
	if (queue.count == queue.cap) {
		queue.cap = 2 * queue.cap + 64;
		queue.messages = mem_resize(queue.messages, queue.cap * sizeof(*queue.messages));
	}
	queue.messages[queue.count++] = m;
	return m;
}

static void address(struct queue_message *m, uint32_t number, const char *text)
{
	snprintf(texts_of(m)->addresses + number * ADDRESS_MAX, ADDRESS_MAX, "%s", text);
}

static void put(struct queue_message *m)
{
	for (uint32_t i = 0; i < m->count; i++)
		queue.listener->opened(queue.user, &m->items[i], str_of(texts_of(m)->addresses + i * ADDRESS_MAX),
			str_of(texts_of(m)->sender));
}

/* One message for one recipient, there at once. */
__attribute__((unused)) static struct queue_item *post(const char *to)
{
	struct queue_message *m = message("you@here.test", 1);

	address(m, 0, to);
	put(m);
	return &m->items[0];
}

/* --- reports ---------------------------------------------------------------------------------------------------------------- */

static bool reports_fail;

bool report_is_wanted(enum report_action action, const struct queue_envelope *e, unsigned notify)
{
	unsigned asked = action == REPORT_FAILED    ? NOTIFY_FAILURE
	                 : action == REPORT_DELAYED ? NOTIFY_DELAY
	                                            : NOTIFY_SUCCESS;

	return e->sender.len && (notify ? notify & asked : action == REPORT_FAILED || action == REPORT_DELAYED);
}

struct reporting {
	const struct report *r;
	store_done *done;
	void *user;
	struct call *handle, *later;
};

static void reporting_dropped(void *user)
{
	struct reporting *k = user;

	call_cancel(k->later);
	free(k);
}

static void reported(void *user, enum err e, struct str answer)
{
	static const char *const actions[] = { "failed", "delayed", "delivered", "relayed", "expanded" };
	struct reporting *k = user;
	const struct report *r = k->r;

	(void)e, (void)answer;
	call_steps_end(k->handle);
	if (reports_fail) {
		k->done(k->user, ERR_AGAIN);
		free(k);
		return;
	}
	see("%s %zu " STR_FMT, actions[r->action], r->count, STR_ARG(r->recipients[0].outcome.status));
	for (size_t i = 0; r->action == REPORT_FAILED && i < r->count; i++)
		close_later(r->recipients[i].item);
	for (size_t i = 0; r->action == REPORT_DELAYED && i < r->count; i++)
		r->recipients[i].item->warned_s = r->warned_s;
	k->done(k->user, OK);
	free(k);
}

struct call *report_send(struct worker *worker, const struct report *r, store_done *done, void *user)
{
	struct reporting *k = mem_new(struct reporting);

	*k = (struct reporting){ r, done, user, NULL, NULL };
	k->later = call_later(worker, reported, k);
	k->handle = call_steps(reporting_dropped, k);
	return k->handle;
}

/* --- time -------------------------------------------------------------------------------------------------------------------- */

static void turn(void)
{
	timers_turn(w.timers);
	timers_run(w.timers);
	calls_turn(w.calls);
	chores_run(w.chores, 0);
	close_now();
	timers_turn(w.timers);
}

static void settle(void)
{
	do
		turn();
	while (timers_next_ms(w.timers) == 0 || chores_wait(w.chores) || !calls_sleep(w.calls));
}

/* From event to event until so many seconds after the start. */
__attribute__((unused)) static void run_until(uint32_t at_s)
{
	int64_t end_ms = (int64_t)(start_s + at_s) * 1000;

	for (settle(); still_ms < end_ms; settle()) {
		int64_t next_ms = timers_next_ms(w.timers);

		still_ms += next_ms < 0 || still_ms + next_ms > end_ms ? end_ms - still_ms : next_ms > 0 ? next_ms : 1;
	}
}

/* What is seen is counted from here. */
static void from_now(void)
{
	still_ms += 1000 - still_ms % 1000;
	timers_turn(w.timers);
	start_s = now_s();
	seen_count = 0;
}

/* Settings come by threes: section, name, value; section "destination far.test" has a title. */
static void begin(const char *const *values)
{
	struct buf why = { 0 };

	conf = conf_new(test_settings);
	for (; values && *values; values += 3) {
		struct str section = str_of(values[0]), word = str_word(&section);
		char *name = str_dup(word), *title = section.len ? str_dup(section) : NULL;

		if ((title && !conf_add_title(conf, name, title, &why)) ||
			!conf_set(conf, name, title, values[1], values[2], &why)) {
			printf("Bail out! " STR_FMT "\n", STR_ARG(buf_str(&why)));
			exit(1);
		}
		free(name);
		free(title);
	}
	buf_free(&why);
	w = (struct worker){
		.shm = shm_new(workers, counter_count()), .workers = workers, .conf = conf, .queue = &queue
	};
	counter_use(shm_counters(w.shm, 0));
	w.timers = timers_new();
	w.chores = chores_new();
	w.calls = calls_new(&w);
	host_count = 0;
	see_tries = reports_fail = false;
	queue = (struct queue){ 0 };
	sending_new(&w);
	w.sending->smtp = w.sending->local = w.sending->pipe = &fake_transport;
	host_add("unknown", GOOD, 10);
	from_now();
}

static bool has_stopped;

static void on_stopped(struct worker *worker)
{
	(void)worker;
	has_stopped = true;
}

static void end(void)
{
	if (!w.sending)
		sending_new(&w);
	still_ms += 3600000; /* longer than any stop waits */
	w.stopping = true;
	has_stopped = false;
	sending_stop(&w, on_stopped);
	while (!has_stopped) {
		still_ms += 1000;
		turn();
	}
	close_now();
	for (size_t i = 0; i < queue.count; i++) {
		free(texts_of(queue.messages[i])->addresses);
		free(texts_of(queue.messages[i]));
	}
	free(queue.messages);
	free(queue.closing);
	calls_free(w.calls);
	chores_free(w.chores);
	timers_free(w.timers);
	counter_use(NULL);
	conf_unref(conf);
}

#endif
