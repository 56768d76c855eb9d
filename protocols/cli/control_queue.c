/* control_queue.c - requests about the queue: queue-list, queue-show, queue-order, queue-stats. Each worker's queue is
 * looked through in slices (queue_slice.h), one worker after the other. A slice is asked for when there is room for its
 * lines, so a list may be as long as it likes: an asker that does not read it stops the search. */
#include "core/mem.h"
#include "protocols/cli/queue_slice.h"
#include <stdlib.h>

#define SLICE_DEADLINE_MS 30000

struct control_queue {
	struct slice_ask ask; /* its texts are the request's */
	unsigned worker;      /* who is asked */
	uint64_t left;        /* messages that may be listed still */
	uint64_t count;       /* listed, or items concerned */
	struct buf key;       /* ask.key */
	struct call *call;
};

static void ask_next(struct control *c);

void control_queue_free(struct control_queue *q)
{
	if (!q)
		return;
	call_cancel(q->call);
	buf_free(&q->key);
	free(q);
}

static void finish(struct control *c)
{
	enum slice_task task = c->queue->ask.task;
	uint64_t count = c->queue->count;

	control_queue_free(c->queue);
	c->queue = NULL;
	if (task == SLICE_SHOW && !count) {
		control_error(c, ERR_ABSENT, STR("there is no message of that id in the queue"));
		return;
	}
	if (task == SLICE_ORDER)
		control_item(c, json_pack("{s:I}", "items", (json_int_t)count));
	control_done(c);
}

static void next_worker(struct control_queue *q)
{
	q->worker++;
	q->ask.id = 0;
	q->ask.item = 0;
	buf_clear(&q->key);
}

static void answered(void *user, enum err e, struct str answer)
{
	struct control *c = user;
	struct control_queue *q = c->queue;
	struct unpack u = unpack_of(answer);
	struct slice_answer a;

	q->call = NULL;
	slice_answer_unpack(&u, &a);
	if (e || !unpack_end(&u)) { /* a worker that is just being started */
		control_item(c,
			json_pack("{s:I, s:s}", "worker", (json_int_t)q->worker, "error", err_text(e ? e : ERR_AGAIN)));
		next_worker(q);
	} else {
		conn_write_str(c->conn, a.lines);
		q->count += a.count;
		q->left -= q->ask.task == SLICE_LIST ? a.count : 0;
		q->ask.id = a.id;
		q->ask.item = a.item;
		buf_clear(&q->key);
		buf_add_str(&q->key, a.key);
		if (a.last)
			next_worker(q);
	}
	ask_next(c);
}

static void ask_next(struct control *c)
{
	struct control_queue *q = c->queue;
	struct buf args = { 0 };

	if (q->worker == c->worker->workers || !q->left || (q->ask.task == SLICE_SHOW && q->count && !q->ask.id)) {
		finish(c);
		return;
	}
	if (!conn_has_room(c->conn)) {
		c->on_room = ask_next;
		return;
	}
	q->ask.key = buf_str(&q->key);
	q->ask.most = q->left < UINT32_MAX ? (uint32_t)q->left : UINT32_MAX;
	slice_ask_pack(&q->ask, &args);
	q->call = call_send(c->worker, q->worker, &slice_calls[0], buf_str(&args), SLICE_DEADLINE_MS, answered, c);
	buf_free(&args);
}

static void begin(struct control *c, const struct slice_ask *ask, uint64_t most)
{
	c->queue = mem_new(struct control_queue);
	c->queue->ask = *ask;
	c->queue->left = most;
	ask_next(c);
}

/* --- requests ------------------------------------------------------------------------------------------------------- */

/* False: the filter is wrong; that was answered. */
static bool ask_for(struct control *c, enum slice_task task, struct slice_ask *ask)
{
	const char *wrong;

	*ask = (struct slice_ask){ .task = task };
	wrong = filter_read(c, &ask->filter);
	if (wrong)
		control_error(c, ERR_MISTAKE, str_of(wrong));
	return !wrong;
}

static void handle_list(struct control *c)
{
	json_int_t limit = json_integer_value(json_object_get(c->request, "limit"));
	struct slice_ask ask;

	if (ask_for(c, SLICE_LIST, &ask))
		begin(c, &ask, limit > 0 ? (uint64_t)limit : UINT64_MAX);
}

static void handle_show(struct control *c)
{
	struct slice_ask ask;

	if (!ask_for(c, SLICE_SHOW, &ask))
		return;
	if (ask.filter.id)
		begin(c, &ask, UINT64_MAX);
	else
		control_error(c, ERR_MISTAKE, STR("an id is wanted"));
}

static void handle_stats(struct control *c)
{
	struct slice_ask ask;

	if (ask_for(c, SLICE_STATS, &ask))
		begin(c, &ask, UINT64_MAX);
}

/* "host:port", "[address]:port" */
static bool is_host_and_port(struct str via)
{
	ptrdiff_t colon = str_rfind(via, ':');
	uint32_t port;

	return colon > 0 && str_u32(str_cut(via, (size_t)colon + 1, via.len), &port) && port && port < 65536;
}

/* Nobody deletes everything by forgetting a word. */
static void handle_order(struct control *c)
{
	struct slice_ask ask;

	if (!ask_for(c, SLICE_ORDER, &ask))
		return;
	ask.via = control_text(c, "via");
	if (!slice_order_read(control_text(c, "order"), &ask.order))
		control_error(c, ERR_MISTAKE, STR("there is no such order"));
	else if ((ask.order == ORDER_MOVE) != is_host_and_port(ask.via))
		control_error(c, ERR_MISTAKE, STR("where to move is told as host:port"));
	else if (ask.order != ORDER_RETRY && filter_is_all(&ask.filter) &&
		 !json_is_true(json_object_get(c->request, "all")))
		control_error(c, ERR_MISTAKE, STR("that would be all that waits: say which, or --all"));
	else
		begin(c, &ask, UINT64_MAX);
}

const struct control_request control_queue_requests[] = {
	{ "queue-list", handle_list },
	{ "queue-show", handle_show },
	{ "queue-order", handle_order },
	{ "queue-stats", handle_stats },
	{ 0 },
};
