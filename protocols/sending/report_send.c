/* report_send.c - a report on its way: may there be one, to whom does it go, what of the original goes along; then it is
 * written and put into the queue. The steps follow one another below. */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/tally.h"
#include "core/worker.h"
#include "protocols/sending/report_parts.h"
#include "protocols/smtp/smtp.h"
#include "storage/route/route.h"
#include <stdlib.h>

#define HOUR_MS    3600000
#define LEAVES_MAX 100 /* that a sender's address may mean */

COUNTER(reports, "sending.reports", "reports to senders on what became of their mail");
COUNTER(reports_none, "sending.reports_none", "reports that were not made: too many to one sender, or nowhere to go");

struct reporting {
	struct worker *w;
	struct report report; /* of the recipients that want one */
	struct queue_item **ends, **warns;
	size_t end_count, warn_count;
	struct queue_recipient *to;
	size_t to_count;
	struct buf message;  /* of the original, so far */
	struct call *handle; /* the caller's */
	struct call *step;   /* under way; NULL while a piece is read */
	struct chore chore;  /* it is about to be written: one of very many recipients takes a while */
	store_done *done;
	void *user;
	struct arena memory;
};

static void reporting_free(struct reporting *g)
{
	buf_free(&g->message);
	arena_free(&g->memory);
	free(g);
}

static void dropped(void *user)
{
	struct reporting *g = user;

	call_cancel(g->step);
	chore_stop(g->w->chores, &g->chore);
	reporting_free(g);
}

static void end(struct reporting *g, enum err e)
{
	store_done *done = g->done;
	void *user = g->user;

	call_steps_end(g->handle);
	reporting_free(g);
	if (done)
		done(user, e);
}

static struct str sender_of(const struct reporting *g)
{
	return g->report.copy->envelope.sender;
}

/* --- none is made --------------------------------------------------------------------------------------------------- */

static void end_items(struct reporting *g)
{
	static const struct queue_change ended = { .fate = FATE_ENDED };

	for (size_t i = 0; i < g->end_count; i++)
		queue_change(g->w->queue, g->ends[i], &ended);
	g->end_count = 0;
}

static void end_without(struct reporting *g, const char *why)
{
	char id[QUEUE_ID_SIZE];

	counter_add(&reports_none, 1);
	log_info("sending", queue_id_print(id, g->report.copy->id),
		"no report action=%s to=<" STR_FMT "> reason=\"%s\"", report_action_text(g->report.action),
		STR_ARG(sender_of(g)), why);
	end_items(g);
	end(g, OK);
}

static void nobody_asked(void *user, enum err e, struct str answer)
{
	struct reporting *g = user;

	(void)e;
	(void)answer;
	g->step = NULL;
	end_items(g);
	end(g, OK);
}

static void too_many(void *user, enum err e, struct str answer)
{
	struct reporting *g = user;

	(void)e;
	(void)answer;
	g->step = NULL;
	end_without(g, "too many in an hour");
}

/* Whether this sender was told of so much already, by all workers in an hour, that he wants no more of it. */
static bool is_over_limit(struct worker *w, const struct report *r)
{
	const struct sending_conf *conf = conf_section(w->conf, &sending_settings);
	int64_t most = r->per_sender ? r->per_sender : conf->reports_per_sender;
	int64_t now_ms = timers_now_ms(w->timers);
	struct arena memory = { 0 };
	char *name = arena_printf(&memory, STR_FMT "%s%s", STR_ARG(r->copy->envelope.sender), r->per_sender ? " " : "",
		r->per_sender ? r->domain : "");
	struct tally *t;
	uint64_t key;
	bool over;

	for (char *c = name; *c; c++)
		*c = ascii_lower(*c);
	key = tally_key(w->shm, 'r', str_of(name));
	arena_free(&memory);
	over = most && tally_rate(w->shm, key, TALLY_SENT, now_ms, HOUR_MS) >= (uint64_t)most;
	if (!over && (t = tally_of(w->shm, w->slot, key, now_ms)))
		tally_add(t, TALLY_SENT, now_ms, HOUR_MS);
	return over;
}

/* --- to whom -------------------------------------------------------------------------------------------------------- */

static void read_message(void *user);

static void found(void *user, const struct route *route)
{
	struct reporting *g = user;

	g->step = NULL;
	g->to = arena_alloc(&g->memory, LEAVES_MAX * sizeof(*g->to));
	for (size_t i = 0; i < route->count && g->to_count < LEAVES_MAX; i++) {
		const struct route_leaf *leaf = &route->leaves[i];

		if (leaf->kind == ROUTE_AGAIN) {
			end(g, ERR_AGAIN);
			return;
		}
		if (leaf->kind != ROUTE_LOCAL && leaf->kind != ROUTE_REMOTE)
			continue;
		g->to[g->to_count] = (struct queue_recipient){ .number = (uint32_t)g->to_count,
			.address = arena_str(&g->memory, leaf->address),
			.local = leaf->kind == ROUTE_LOCAL,
			.original = sender_of(g),
			.orcpt = STR(""),
			.notify = NOTIFY_NEVER };
		g->to_count++;
	}
	if (g->to_count)
		read_message(g);
	else
		end_without(g, "nobody has the sender's address");
}

/* --- what ----------------------------------------------------------------------------------------------------------- */

static void put_report(void *user);

static void read_message(void *user)
{
	struct reporting *g = user;
	size_t most = report_takes(&g->report), before;
	enum err e = OK;

	do {
		before = buf_len(&g->message);
		if (before < most && !queue_copy_read(g->report.copy, before, &g->message, &e, read_message, g))
			return;
	} while (!e && before < most && buf_len(&g->message) > before);
	if (buf_len(&g->message) > most)
		buf_cut(&g->message, most);
	if (e)
		buf_clear(&g->message); /* who cannot have it back is told all the same */
	chore_start(g->w->chores, &g->chore, put_report, g);
}

static void put(void *user, enum err e, uint64_t id)
{
	struct reporting *g = user;
	char about[QUEUE_ID_SIZE], made[QUEUE_ID_SIZE];

	g->step = NULL;
	if (e == ERR_AGAIN) {
		end(g, e);
	} else if (e) {
		end_without(g, err_text(e));
	} else {
		counter_add(&reports, 1);
		log_info("sending", queue_id_print(about, g->report.copy->id),
			"report action=%s to=<" STR_FMT "> recipients=%zu queue=%s",
			report_action_text(g->report.action), STR_ARG(sender_of(g)), g->report.count,
			queue_id_print(made, id));
		end(g, OK);
	}
}

/* As much of it as one entry of the journal takes, with what else is in that. */
static void write_report(struct reporting *g, struct buf *bytes)
{
	uint64_t most = queue_put_most(g->w->queue);
	struct report *r = &g->report;

	for (;;) {
		report_write(
			r, str_of(smtp_own_name(g->w->conf)), worker_wall_ms(g->w) / 1000, buf_str(&g->message), bytes);
		if (buf_len(bytes) <= most || (r->size == REPORT_FEW && r->count == 1))
			return;
		if (r->size == REPORT_FEW) {
			r->more += r->count - r->count / 2;
			r->count /= 2;
		} else {
			r->size++;
		}
		buf_clear(bytes);
	}
}

static void put_report(void *user)
{
	struct reporting *g = user;
	bool international = !report_is_ascii(sender_of(g));
	struct queue_envelope envelope = { .sender = STR(""),
		.id = STR(""),
		.account = STR(""),
		.peer = STR(""),
		.envid = STR(""),
		.utf8 = international,
		.utf8_needed = international,
		.recipients = g->to,
		.count = g->to_count };
	struct queue_put p = { .envelope = &envelope,
		.ends = g->ends,
		.end_count = g->end_count,
		.warns = g->warns,
		.warn_count = g->warn_count,
		.warned_s = g->report.warned_s };
	struct buf bytes = { 0 };

	write_report(g, &bytes);
	envelope.body = report_is_ascii(buf_str(&bytes)) ? BODY_7BIT : BODY_8BITMIME;
	p.bytes = buf_str(&bytes);
	g->step = queue_put(g->w->queue, &p, put, g);
	buf_free(&bytes);
}

/* --- and whether ---------------------------------------------------------------------------------------------------- */

/* Of those who want no report the items end with the others'. */
static void choose(struct reporting *g, const struct report *r)
{
	struct report_recipient *wanted = arena_alloc(&g->memory, r->count * sizeof(*wanted));

	g->report = *r;
	g->report.recipients = wanted;
	g->report.count = 0;
	g->ends = arena_alloc(&g->memory, r->count * sizeof(struct queue_item *));
	g->warns = arena_alloc(&g->memory, r->count * sizeof(struct queue_item *));
	for (size_t i = 0; i < r->count; i++) {
		const struct report_recipient *rr = &r->recipients[i];

		if (report_is_wanted(r->action, &r->copy->envelope, rr->recipient->notify))
			wanted[g->report.count++] = *rr;
		if (r->action == REPORT_FAILED && rr->item)
			g->ends[g->end_count++] = rr->item;
		if (r->action == REPORT_DELAYED && rr->item)
			g->warns[g->warn_count++] = rr->item;
	}
}

struct call *report_send(struct worker *w, const struct report *r, store_done *done, void *user)
{
	struct reporting *g = mem_new(struct reporting);
	struct route_question question = { .address = r->copy->envelope.sender, .sender = STR("") };

	g->w = w;
	g->done = done;
	g->user = user;
	g->handle = call_steps(dropped, g);
	choose(g, r);
	if (!g->report.count)
		g->step = call_later(w, nobody_asked, g);
	else if (is_over_limit(w, r))
		g->step = call_later(w, too_many, g);
	else
		g->step = route_find(w, &question, found, g);
	return g->handle;
}
