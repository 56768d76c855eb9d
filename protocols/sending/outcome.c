/* outcome.c - what becomes of the items of a parcel: ended, waiting again, or given up; and who is told.
 * What failed for good in one transaction is told by one report, and its items end with it: until that is in the queue they
 * are open, and if it cannot be put they are tried again later. */
#include "core/counter.h"
#include "core/log.h"
#include "core/log_print.h"
#include "core/mem.h"
#include "protocols/sending/sending_inside.h"
#include <assert.h>
#include <stdlib.h>

#define REPLY_MAX 2000 /* bytes of the other side's words that are kept */
#define AGAIN_S   60   /* after a report could not be put */

COUNTER(sent, "sending.sent", "messages sent or delivered from the queue, counted by recipient");
COUNTER(deferred, "sending.deferred", "tries in vain, to be made again, counted by recipient");
COUNTER(refused, "sending.refused", "refused for good, counted by recipient");
COUNTER(expired, "sending.expired", "given up because its time was over, counted by recipient");

/* --- words -------------------------------------------------------------------------------------------------------- */

static struct str cut(struct str s)
{
	return str_cut(s, 0, s.len < REPLY_MAX ? s.len : REPLY_MAX);
}

bool outcome_is_reply(struct str words)
{
	return words.len >= 3 && words.p[0] >= '2' && words.p[0] <= '5' && words.p[1] >= '0' && words.p[1] <= '9' &&
	       words.p[2] >= '0' && words.p[2] <= '9' && (words.len == 3 || words.p[3] == ' ' || words.p[3] == '-');
}

static struct str type_of(struct str words)
{
	return outcome_is_reply(words) ? STR("smtp") : STR("x-postern");
}

/* A status there always is, of the class that the outcome is of (RFC 3463). */
static struct str status_of(const struct outcome *o)
{
	if (o->status.len)
		return o->status;
	return o->kind == OUTCOME_REFUSED ? STR("5.0.0") : o->kind == OUTCOME_DEFERRED ? STR("4.0.0") : STR("2.0.0");
}

_Static_assert(OUTCOME_DELIVERED < QUEUE_ANSWER_OPEN && OUTCOME_RELAYED < QUEUE_ANSWER_OPEN &&
		       OUTCOME_PASSED < QUEUE_ANSWER_OPEN && OUTCOME_DEFERRED >= QUEUE_ANSWER_OPEN &&
		       OUTCOME_REFUSED > OUTCOME_DEFERRED,
	"the queue knows who has the message");

/* Deliveries here need none: they have names that last (local.c). */
void outcomes_note(const struct parcel *p, const size_t *places, size_t count, const struct outcome *o)
{
	struct queue_answer a = {
		.kind = (uint8_t)o->kind, .status = status_of(o), .reply = o->reply, .remote = o->remote
	};
	struct queue_item *items[PARCEL_MAX];

	assert(count <= PARCEL_MAX);
	if (p->destination->local)
		return;
	for (size_t i = 0; i < count; i++)
		items[i] = p->transaction.recipients[places[i]].item;
	queue_note(p->sending->w->queue, items, count, &a);
}

void outcome_keep(struct arena *a, struct outcome *out, const struct outcome *o)
{
	struct str type = o->diagnostic_type.len ? o->diagnostic_type : type_of(o->reply);

	out->kind = o->kind;
	out->status = arena_str(a, status_of(o));
	out->reply = arena_str(a, cut(o->reply));
	out->remote = arena_str(a, o->remote);
	out->session = arena_str(a, o->session);
	out->diagnostic_type = arena_str(a, type);
}

static struct str keep(char **at, struct str s)
{
	struct str kept = { *at, s.len };

	if (s.len)
		memcpy(*at, s.p, s.len);
	*at += s.len;
	return kept;
}

struct words *words_of(const struct outcome *o)
{
	struct str status = status_of(o), reply = cut(o->reply);
	struct str type = o->diagnostic_type.len ? o->diagnostic_type : type_of(reply);
	struct words *w = mem_alloc(sizeof(*w) + status.len + reply.len + o->remote.len + type.len);
	char *at = w->bytes;

	w->outcome.kind = o->kind;
	w->outcome.status = keep(&at, status);
	w->outcome.reply = keep(&at, reply);
	w->outcome.remote = keep(&at, o->remote);
	w->outcome.diagnostic_type = keep(&at, type);
	return w;
}

/* --- log ----------------------------------------------------------------------------------------------------------- */

static void log_fate(const struct parcel *p, size_t i, const char *fate, uint32_t next_s)
{
	const struct transaction_recipient *r = &p->transaction.recipients[i];
	const struct outcome *o = &p->outcomes[i];
	char id[QUEUE_ID_SIZE];
	struct buf line = { 0 };

	if (!log_wants(LEVEL_INFO, "sending"))
		return;
	log_print(&line, "%s to=<" STR_FMT "> from=<" STR_FMT "> destination=" STR_FMT, fate,
		STR_ARG(r->recipient->address), STR_ARG(p->copy->envelope.sender), STR_ARG(p->destination->key));
	if (o->remote.len)
		log_print(&line, " remote=\"" STR_FMT "\"", STR_ARG(o->remote));
	if (o->session.len)
		log_print(&line, " session=" STR_FMT, STR_ARG(o->session));
	log_print(&line, " tries=%u delay_s=%u",
		p->purpose == PURPOSE_SEND || p->purpose == PURPOSE_ANSWERED ? r->item->tries + 1u : r->item->tries,
		sending_now_s(p->sending) - r->item->message->arrived_s);
	if (next_s)
		log_print(&line, " next_s=%u", next_s);
	log_print(&line, " status=" STR_FMT " reply=\"" STR_FMT "\"", STR_ARG(o->status), STR_ARG(o->reply));
	log_info("sending", queue_id_print(id, p->copy->id), STR_FMT, STR_ARG(buf_str(&line)));
	buf_free(&line);
}

/* --- reports -------------------------------------------------------------------------------------------------------- */

struct telling {
	struct telling *next; /* of its parcel's */
	struct parcel *parcel;
	struct report report;
	struct call *call; /* NULL: not asked for yet, or answered */
};

static struct telling *telling_new(struct parcel *p, enum report_action action)
{
	struct telling *t = arena_new(&p->memory, struct telling);

	t->parcel = p;
	t->next = p->tellings;
	p->tellings = t;
	t->report.action = action;
	t->report.copy = p->copy;
	t->report.per_sender = p->destination->policy->reports_per_sender;
	t->report.domain = p->destination->policy->title;
	return t;
}

static void telling_add(struct telling *t, size_t i, bool ends)
{
	struct parcel *p = t->parcel;
	struct report_recipient *all = (struct report_recipient *)t->report.recipients;

	if (!all)
		all = arena_alloc(&p->memory, p->transaction.count * sizeof(*all));
	all[t->report.count] = (struct report_recipient){ p->transaction.recipients[i].recipient, p->outcomes[i],
		ends ? p->transaction.recipients[i].item : NULL };
	if (t->report.action == REPORT_DELIVERED && p->destination->local)
		all[t->report.count].outcome.reply = STR(""); /* that is for our log alone */
	t->report.count++;
	t->report.recipients = all;
}

void tellings_cancel(struct parcel *p)
{
	for (struct telling *t = p->tellings; t; t = t->next)
		call_cancel(t->call);
}

static void parcel_told(struct parcel *p)
{
	if (--p->reports == 0)
		parcel_free(p);
}

static void change(struct sending *s, struct queue_item *item, enum queue_fate fate, const struct outcome *o)
{
	struct queue_change c = { .fate = fate,
		.next_s = item->next_s,
		.tries = item->tries,
		.warned_s = item->warned_s,
		.status = o->status,
		.reply = o->reply,
		.remote = o->remote };

	queue_change(s->w->queue, item, &c);
}

/* The items are closed with the report; if it could not be put they are as they were. */
static void failed_told(void *user, enum err e)
{
	struct telling *t = user;
	struct parcel *p = t->parcel;

	t->call = NULL;
	for (size_t i = 0; e && i < t->report.count; i++)
		parcel_again(p, t->report.recipients[i].item, sending_now_s(p->sending) + AGAIN_S);
	parcel_told(p);
}

static void told(void *user, enum err e)
{
	struct telling *t = user;

	(void)e; /* a report of success that cannot be put is none */
	t->call = NULL;
	parcel_told(t->parcel);
}

/* Only once a warning is in the queue does the item show it: by the same entry, or here if none was to be made. */
static void warned(void *user, enum err e)
{
	struct telling *t = user;
	struct parcel *p = t->parcel;
	struct sending *s = p->sending;

	t->call = NULL;
	for (size_t i = 0; i < t->report.count; i++) {
		struct queue_item *item = t->report.recipients[i].item;

		if (e) {
			item_wait_again(s, item, sending_now_s(s) + AGAIN_S);
			continue;
		}
		if (item->warned_s < p->since_s) {
			item->warned_s = p->since_s;
			change(s, item, FATE_WAITS, &t->report.recipients[i].outcome);
		}
		item_wait(s, item, 0);
	}
	parcel_told(p);
}

static void telling_send(struct telling *t, store_done *done)
{
	if (!t->report.count)
		return;
	t->parcel->reports++;
	t->call = report_send(t->parcel->sending->w, &t->report, done, t);
}

/* --- opened to tell of ------------------------------------------------------------------------------------------- */

/* What the last try brought: the item's own, or what its destination said when nobody could try. */
static void last_words(struct parcel *p, size_t i)
{
	const struct queue_recipient *r = p->transaction.recipients[i].recipient;
	const struct words *d = p->transaction.recipients[i].item->destination->last;
	struct outcome *o = &p->outcomes[i];

	*o = (struct outcome){ .kind = OUTCOME_DEFERRED, .status = r->status, .reply = r->reply, .remote = r->remote };
	if (!r->reply.len && d)
		outcome_keep(&p->memory, o, &d->outcome);
	o->status = status_of(o);
	o->diagnostic_type = type_of(o->reply);
}

static void fail_with(struct parcel *p, size_t i, const char *status, const char *words)
{
	struct outcome *o = &p->outcomes[i];

	last_words(p, i);
	o->kind = OUTCOME_REFUSED;
	o->status = str_of(status);
	if (o->reply.len)
		return;
	o->reply = str_of(words);
	o->diagnostic_type = STR("x-postern");
}

static void refuse_with(struct parcel *p, size_t i)
{
	const struct queue_destination *d = p->transaction.recipients[i].item->destination;
	struct outcome *o = &p->outcomes[i];
	struct str text = d->hop->hop.text, code;

	if (!d->transport) { /* "550 5.1.2 text" */
		code = str_word(&text);
		o->reply = arena_str(&p->memory, d->hop->hop.text);
		o->status = arena_str(&p->memory, str_word(&text));
		if (!code.len || !o->status.len || o->status.p[0] != '5')
			o->status = STR("5.0.0");
		o->diagnostic_type = STR("x-postern");
	} else if (d->last) {
		outcome_keep(&p->memory, o, &d->last->outcome);
	}
	o->kind = OUTCOME_REFUSED;
	o->status = status_of(o);
}

/* After the last try that there will be. */
static const char *give_up(struct parcel *p, size_t i)
{
	switch (p->purpose) {
	case PURPOSE_REFUSE:
		refuse_with(p, i);
		counter_add(&refused, 1);
		return "refused";
	case PURPOSE_BOUNCE:
	case PURPOSE_BOUNCE_HELD:
		fail_with(p, i, "5.0.0", "the postmaster sent it back");
		return "bounced";
	case PURPOSE_RETURN:
		fail_with(p, i, "5.4.7", "it was not delivered in the time that its sender set");
		break;
	default:
		fail_with(p, i, "4.4.7", "its time in the queue is over");
	}
	counter_add(&expired, 1);
	return "expired";
}

/* By-mode N: the time that the sender set is over, and he was not told of that (RFC 2852, 4). */
static bool is_late(const struct parcel *p, const struct queue_item *item)
{
	const struct queue_message *m = item->message;

	return m->by == BY_NOTIFY && m->by_s <= p->since_s && item->warned_s < m->by_s;
}

static void tell_warning(struct parcel *p)
{
	struct telling *t = telling_new(p, REPORT_DELAYED);
	const struct policy *policy = p->destination->policy;

	t->report.warned_s = p->since_s;
	t->report.until_s = schedule_expires_s(policy, p->transaction.recipients[0].item);
	for (size_t i = 0; i < p->transaction.count; i++) {
		last_words(p, i);
		if (is_late(p, p->transaction.recipients[i].item))
			p->outcomes[i].status = STR("4.4.7");
		telling_add(t, i, true);
	}
	telling_send(t, warned);
}

/* As if they had been told just now. */
static void recall(struct parcel *p)
{
	for (size_t i = 0; i < p->transaction.count; i++) {
		struct transaction_recipient *r = &p->transaction.recipients[i];
		struct queue_answer a;

		r->told = queue_noted(p->sending->w->queue, r->item, &a);
		if (r->told)
			outcome_keep(&p->memory, &p->outcomes[i],
				&(struct outcome){ .kind = (enum outcome_kind)a.kind,
					.status = a.status,
					.reply = a.reply,
					.remote = a.remote });
	}
}

static void tell(void *user)
{
	struct parcel *p = user;
	struct telling *t;

	if (p->purpose == PURPOSE_REFUSE && parcel_is_old(p)) {
		parcel_put_back(p, 0); /* the new configuration may not refuse it */
		return;
	}
	if (p->purpose == PURPOSE_WARN) {
		tell_warning(p);
		return;
	}
	if (p->purpose == PURPOSE_ANSWERED) {
		recall(p);
		parcel_finish(p);
		return;
	}
	t = telling_new(p, REPORT_FAILED);
	for (size_t i = 0; i < p->transaction.count; i++) {
		const char *fate = give_up(p, i);

		log_fate(p, i, fate, 0);
		p->transaction.recipients[i].item->destination->refused++;
		telling_add(t, i, true);
	}
	telling_send(t, failed_told);
}

void parcel_tell(void *user, enum err e, struct queue_copy *copy)
{
	struct parcel *p = user;

	if (parcel_readable(p, e, copy))
		chore_start(p->sending->w->chores, &p->chore, tell, p);
}

/* --- after a transaction ----------------------------------------------------------------------------------------- */

/* Whose fault it was: of the host as a whole, not of the recipient or the message. */
static bool is_hosts_fault(const struct outcome *o)
{
	return o->kind == OUTCOME_DEFERRED && (str_starts(o->reply, STR("421")) || str_starts(o->status, STR("4.4.")) ||
						      str_starts(o->status, STR("4.3.")));
}

static void defer(struct parcel *p, size_t i)
{
	struct queue_item *item = p->transaction.recipients[i].item;
	struct sending *s = p->sending;
	const struct outcome *o = &p->outcomes[i];

	item->next_s = sending_now_s(s) + schedule_retry_s(item->destination->policy, item->tries + 1u);
	log_fate(p, i, "deferred", item->next_s);
	if (item->tries < UINT16_MAX)
		item->tries++;
	counter_add(&deferred, 1);
	item->destination->deferred++;
	change(s, item, FATE_WAITS, o);
	item_wait(s, item, 0);
}

static void end_well(struct parcel *p, size_t i, struct telling *delivered, struct telling *relayed)
{
	struct queue_item *item = p->transaction.recipients[i].item;
	const struct queue_recipient *r = p->transaction.recipients[i].recipient;
	const struct queue_envelope *e = &p->copy->envelope;
	enum outcome_kind kind = p->outcomes[i].kind;
	struct telling *t = kind == OUTCOME_DELIVERED ? delivered : relayed;

	log_fate(p, i, kind == OUTCOME_DELIVERED ? "delivered" : kind == OUTCOME_RELAYED ? "relayed" : "passed", 0);
	counter_add(&sent, 1);
	item->destination->sent++;
	if ((kind != OUTCOME_PASSED || e->by_trace) && report_is_wanted(t->report.action, e, r->notify))
		telling_add(t, i, false);
	change(p->sending, item, FATE_ENDED, &p->outcomes[i]);
}

/* A session that ends between two messages has done what it could: nothing is learned of the host. Nor is it of what was
 * said before a crash. */
static void learn(struct parcel *p, bool alive, bool untold, const struct outcome *fault)
{
	if (p->purpose == PURPOSE_ANSWERED)
		return;
	if (alive)
		destination_succeeded(p->destination, p->slow);
	else if (fault || (untold && p->first))
		destination_failed(p->destination, fault);
}

void parcel_finish(struct parcel *p)
{
	struct telling *failed = telling_new(p, REPORT_FAILED);
	struct telling *delivered = telling_new(p, REPORT_DELIVERED), *relayed = telling_new(p, REPORT_RELAYED);
	const struct outcome *fault = NULL;
	bool alive = false, untold = false;

	rate_sender_done(p);
	p->reports++; /* ours, until all are under way */
	for (size_t i = 0; i < p->transaction.count; i++) {
		struct transaction_recipient *r = &p->transaction.recipients[i];
		struct outcome *o = &p->outcomes[i];

		if (!r->told) {
			untold = true;
			item_wait(p->sending, r->item, 0);
			continue;
		}
		if (is_hosts_fault(o))
			fault = o;
		else
			alive |= o->kind != OUTCOME_DEFERRED;
		switch (o->kind) {
		case OUTCOME_DEFERRED:
			destination_remember(r->item->destination, o);
			defer(p, i);
			break;
		case OUTCOME_REFUSED:
			log_fate(p, i, "refused", 0);
			counter_add(&refused, 1);
			r->item->destination->refused++;
			destination_remember(r->item->destination, o);
			telling_add(failed, i, true);
			break;
		default:
			end_well(p, i, delivered, relayed);
		}
	}
	learn(p, alive, untold, fault);
	telling_send(failed, failed_told);
	telling_send(delivered, told);
	telling_send(relayed, told);
	parcel_told(p);
}
