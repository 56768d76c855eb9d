/* destination.c - the places that mail goes to: what is due there, how many sessions it bears, when it is left alone.
 * A destination begins with SESSIONS_FIRST, gets one more by each transaction that it took and loses half when it fails; what
 * was too much then is tried again after CEILING_SUCCESSES only. One where no session gets ready, or FAILURES_MAX transactions in a row failed, is left alone: longer each time, as the
 * schedule says for a message. Then one session tries, and if it is ready all may go. */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "protocols/sending/sending_inside.h"
#include <assert.h>
#include <stdlib.h>

#define SESSIONS_FIRST 2
#define SESSIONS_LOCAL 16 /* to accounts here: their owners are never far */
#define FAILURES_MAX   4

#define CEILING_SUCCESSES 50
#define CROWD_MS          10000 /* the connections to an address may all be other workers': it is looked at again */
#define PRIORITY_MIN      (-9)

COUNTER(left_alone, "sending.left_alone", "times that a destination could not be reached and was left alone");

/* --- what is due ------------------------------------------------------------------------------------------------- */

static unsigned rank_of(const struct queue_item *item)
{
	int rank = item->message->priority - PRIORITY_MIN;

	return rank < 0 ? 0 : rank >= RANKS ? RANKS - 1 : (unsigned)rank;
}

bool is_due(const struct queue_item *item)
{
	return item->state == ITEM_WAITS && item->next;
}

void due_add(struct queue_destination *d, struct queue_item *item)
{
	unsigned rank = rank_of(item);
	struct queue_item *first = d->due[rank];

	assert(!item->next && item->destination == d);
	if (first) {
		item->next = first;
		item->prev = first->prev;
		first->prev->next = item;
		first->prev = item;
	} else {
		item->next = item->prev = d->due[rank] = item;
		d->ranks |= 1u << rank;
	}
	d->due_count++;
}

void due_remove(struct queue_destination *d, struct queue_item *item)
{
	unsigned rank = rank_of(item);

	if (!item->next)
		return;
	if (item->next == item) {
		d->due[rank] = NULL;
		d->ranks &= ~(1u << rank);
	} else {
		item->next->prev = item->prev;
		item->prev->next = item->next;
		if (d->due[rank] == item)
			d->due[rank] = item->next;
	}
	item->next = item->prev = NULL;
	d->due_count--;
}

struct queue_item *due_first(const struct queue_destination *d)
{
	return d->ranks ? d->due[31 - __builtin_clz(d->ranks)] : NULL;
}

/* Whether more messages are due than so many; items of one message stand together. */
static bool are_more_due(const struct queue_destination *d, uint32_t than)
{
	uint64_t most = (uint64_t)d->sending->conf->recipients_per_message;
	const struct queue_item *first = due_first(d), *item = first;
	uint32_t messages = 0;

	if (d->due_count > than * most)
		return true;
	for (uint64_t items = 0; item && messages <= than && items < d->due_count; items++) {
		messages += items == 0 || item->message != item->prev->message;
		item = item->next;
		if (item == first)
			break; /* others, of another priority, are only seen when these are gone */
	}
	return messages > than;
}

/* --- rounds ------------------------------------------------------------------------------------------------------- */

uint32_t destination_bears(const struct queue_destination *d)
{
	return d->local || d->allowed < d->policy->sessions ? d->allowed : d->policy->sessions;
}

static enum round round_needed(const struct queue_destination *d)
{
	if (!d->due_count || timer_runs(&d->timer) || d->sending->stopping)
		return ROUND_NONE;
	if (d->refusing || !d->transport)
		return ROUND_REFUSING;
	if (!are_more_due(d, d->opening + d->woken))
		return ROUND_NONE;
	if (d->idle)
		return ROUND_IDLE;
	if (d->session_count < destination_bears(d))
		return (enum round)(ROUND_GOOD + d->standing);
	return ROUND_NONE;
}

void destination_consider(struct queue_destination *d)
{
	struct sending *s = d->sending;
	enum round needed = round_needed(d);

	if (needed != d->round) {
		if (d->round)
			TAILQ_REMOVE(&s->rounds[d->round], d, round_link);
		d->round = needed;
		if (d->round)
			TAILQ_INSERT_TAIL(&s->rounds[d->round], d, round_link);
	}
	if (d->round)
		sending_pump(s);
	assert(!d->due_count || timer_runs(&d->timer) || d->session_count || d->round || s->stopping);
}

/* --- finding ----------------------------------------------------------------------------------------------------- */

static struct str keep(char **at, struct str text)
{
	struct str kept = { *at, text.len };

	if (text.len)
		memcpy(*at, text.p, text.len);
	*at += text.len;
	return kept;
}

static struct hop *hop_new(const struct next_hop *from)
{
	size_t len = from->host.len + from->user.len + from->password.len + from->pipe.len + from->text.len +
	             from->rule.len;
	struct hop *h = mem_alloc(sizeof(*h) + len);
	char *at = h->bytes;

	h->users = 1;
	h->hop = *from;
	h->hop.host = keep(&at, from->host);
	h->hop.user = keep(&at, from->user);
	h->hop.password = keep(&at, from->password);
	h->hop.pipe = keep(&at, from->pipe);
	h->hop.text = keep(&at, from->text);
	h->hop.rule = keep(&at, from->rule);
	return h;
}

void hop_leave(struct hop *h)
{
	if (h && --h->users == 0)
		free(h);
}

static struct str domain_of_address(struct str address)
{
	ptrdiff_t at = str_rfind(address, '@');

	return at < 0 ? STR_NONE : str_cut(address, (size_t)at + 1, address.len);
}

static const struct transport *transport_for(const struct sending *s, const struct next_hop *hop, bool local)
{
	if (local)
		return s->local;
	switch (hop->way) {
	case HOP_SMTP:
	case HOP_LMTP:
		return s->smtp;
	case HOP_PIPE:
		return s->pipe;
	case HOP_REJECT:
		break;
	}
	return NULL;
}

static struct queue_destination *find(const struct sending *s, struct str key, uint64_t hash)
{
	for (struct table_node *n = table_first(&s->destinations, hash); n; n = table_next(n)) {
		struct queue_destination *d = container_of(n, struct queue_destination, node);

		if (str_eq(d->key, key))
			return d;
	}
	return NULL;
}

struct queue_destination *sending_destination_named(struct worker *w, struct str key)
{
	return w->sending ? find(w->sending, key, str_hash(key)) : NULL;
}

static struct queue_destination *make(struct sending *s, struct str key, uint64_t hash, bool local)
{
	struct queue_destination *d = mem_alloc(sizeof(*d) + key.len);

	d->sending = s;
	memcpy(d + 1, key.p, key.len);
	d->key = (struct str){ (char *)(d + 1), key.len };
	d->allowed = local ? SESSIONS_LOCAL : SESSIONS_FIRST;
	d->local = local;
	d->standing = local ? STANDING_GOOD : STANDING_NEW;
	d->tally_key = tally_key(s->w->shm, 'd', key);
	TAILQ_INIT(&d->sessions);
	TAILQ_INSERT_TAIL(&s->all, d, all);
	table_add(&s->destinations, &d->node, hash);
	return d;
}

static bool is_same(const struct next_hop *a, const struct next_hop *b)
{
	return a->way == b->way && a->direct == b->direct && a->port == b->port && a->tls == b->tls &&
	       a->tls_at_once == b->tls_at_once && str_eq(a->host, b->host) && str_eq(a->user, b->user) &&
	       str_eq(a->password, b->password) && str_eq(a->pipe, b->pipe) && str_eq(a->text, b->text);
}

/* A configuration read anew may say other things of the same place: its password, say. */
static void take_hop(struct queue_destination *d, const struct next_hop *hop, bool local)
{
	if (d->hop && is_same(&d->hop->hop, hop))
		return;
	hop_leave(d->hop);
	d->hop = hop_new(hop);
	d->transport = transport_for(d->sending, hop, local);
}

static struct queue_destination *find_or_make(
	struct sending *s, struct str key, const struct next_hop *hop, bool local, const struct policy *p)
{
	uint64_t hash = str_hash(key);
	struct queue_destination *d = find(s, key, hash);
	bool old = d != NULL;

	if (!old)
		d = make(s, key, hash, local);
	if (!old || d->generation != s->generation)
		take_hop(d, hop, local);
	d->generation = s->generation;
	d->policy = p;
	return d;
}

struct queue_destination *destination_of(struct sending *s, struct str address, bool local, struct str sender)
{
	struct next_hop hop = { 0 };
	struct queue_destination *d;
	const struct policy *p;
	struct buf key = { 0 };

	if (local) {
		buf_add_str(&key, STR("local"));
	} else {
		next_hop_find(s->snapshot, &s->scratch, address, sender, &hop);
		next_hop_key(&hop, &key);
	}
	if (!local && hop.way == HOP_REJECT) /* each refuses in its own words */
		buf_printf(&key, " " STR_FMT, STR_ARG(hop.text));
	if (s->policy_count > 1) {
		p = sending_policy(s, domain_of_address(address));
		if (!p && hop.host.len)
			p = sending_policy(s, hop.host);
		if (!p)
			p = sending_policy(s, domain_of_address(sender));
		if (p && !str_eq_nocase(str_of(p->title), hop.host))
			buf_printf(&key, " %s", p->title);
	} else {
		p = NULL;
	}
	d = find_or_make(s, buf_str(&key), &hop, local, p ? p : &s->policies[0]);
	buf_free(&key);
	arena_reset(&s->scratch);
	return d;
}

struct queue_destination *destination_of_item(
	struct sending *s, const struct queue_item *item, struct str address, struct str sender)
{
	struct str to = queue_item_to(s->w->queue, item);
	struct next_hop hop;

	if (to.len && hop_read(to, &hop))
		return destination_of_hop(s, &hop);
	return destination_of(s, address, item->local, sender);
}

struct queue_destination *destination_of_hop(struct sending *s, const struct next_hop *hop)
{
	const struct policy *p = sending_policy(s, hop->host);
	struct queue_destination *d;
	struct buf key = { 0 };

	next_hop_key(hop, &key);
	d = find_or_make(s, buf_str(&key), hop, false, p ? p : &s->policies[0]);
	buf_free(&key);
	return d;
}

void destination_free(struct queue_destination *d)
{
	struct sending *s = d->sending;

	assert(TAILQ_EMPTY(&d->sessions));
	rate_wait_no_more(d);
	timer_stop(s->w->timers, &d->timer);
	if (d->round)
		TAILQ_REMOVE(&s->rounds[d->round], d, round_link);
	TAILQ_REMOVE(&s->all, d, all);
	table_remove(&s->destinations, &d->node);
	hop_leave(d->hop);
	free(d->last);
	free(d);
}

void destination_settle(struct queue_destination *d)
{
	if (d->sending->stopping)
		return;
	if (d->items || d->session_count || d->parcels)
		destination_consider(d);
	else
		destination_free(d);
}

/* --- what it bears ----------------------------------------------------------------------------------------------- */

void destination_stands(struct queue_destination *d, enum standing standing)
{
	struct sending *s = d->sending;

	s->standing_count[d->standing] -= d->session_count;
	s->standing_count[standing] += d->session_count;
	d->standing = standing;
	destination_consider(d);
}

void destination_remember(struct queue_destination *d, const struct outcome *o)
{
	struct words *last = words_of(o);

	free(d->last);
	d->last = last;
}

void destination_wake(struct queue_destination *d)
{
	timer_stop(d->sending->w->timers, &d->timer);
	rate_wait_no_more(d);
	d->until_s = 0;
	destination_settle(d);
}

static void wakes(void *user)
{
	destination_wake(user);
}

void destination_leave(struct queue_destination *d, int64_t ms)
{
	d->until_s = (uint32_t)((worker_wall_ms(d->sending->w) + ms + 999) / 1000);
	timer_start(d->sending->w->timers, &d->timer, ms, wakes, d);
	destination_consider(d);
}

/* What was under way when it was found out is no further failure. */
static void leave_alone(struct queue_destination *d)
{
	uint32_t wait_s;

	if (d->down && timer_runs(&d->timer))
		return;
	wait_s = schedule_retry_s(d->policy, ++d->vain);
	d->down = true;
	d->failures = 0;
	d->ceiling = 0;
	d->allowed = 1;
	destination_stands(d, STANDING_DOUBTFUL);
	counter_add(&left_alone, 1);
	log_info("sending", NULL,
		"left alone destination=" STR_FMT " times=%u next_s=%u items=%llu reply=\"" STR_FMT "\"",
		STR_ARG(d->key), d->vain, sending_now_s(d->sending) + wait_s, (unsigned long long)d->items,
		STR_ARG(d->last ? d->last->outcome.reply : STR_NONE));
	destination_leave(d, (int64_t)wait_s * 1000);
}

void destination_ready(struct queue_destination *d)
{
	if (!d->down)
		return;
	d->down = false;
	if (d->allowed < SESSIONS_FIRST)
		d->allowed = SESSIONS_FIRST;
}

void destination_succeeded(struct queue_destination *d, bool slow)
{
	uint32_t most = d->local ? SESSIONS_LOCAL : d->policy->sessions;

	d->failures = d->vain = 0;
	d->down = false;
	if (d->allowed < most && (!d->ceiling || d->allowed < d->ceiling || ++d->successes >= CEILING_SUCCESSES)) {
		d->allowed++;
		d->successes = 0;
		if (d->ceiling && d->ceiling < d->allowed)
			d->ceiling = d->allowed;
	}
	destination_stands(d, slow ? STANDING_DOUBTFUL : STANDING_GOOD);
}

/* So many sessions were too many: half as many from now on, and soon again all but one. */
static void shrink(struct queue_destination *d)
{
	d->allowed = d->allowed > 1 ? d->allowed / 2 : 1;
	d->ceiling = d->session_count > 2 ? d->session_count - 1 : 1;
	d->successes = 0;
}

void destination_failed(struct queue_destination *d, const struct outcome *o)
{
	if (o)
		destination_remember(d, o);
	shrink(d);
	if (++d->failures >= FAILURES_MAX)
		leave_alone(d);
}

/* Our own limit of an address was in the way: that is nobody's fault, and it goes on when a connection to there is over. */
static void wait_in_crowd(struct queue_destination *d, struct str address)
{
	if (d->allowed > 1 && d->session_count > 1)
		d->allowed = d->session_count - 1;
	if (d->session_count > d->opening || timer_runs(&d->timer))
		return; /* others of it are there */
	rate_wait_for_address(d, address);
	destination_leave(d, CROWD_MS);
	sending_pump(d->sending); /* sessions that idle make room */
}

/* Another session that did get ready speaks for it. */
void destination_unreachable(struct queue_destination *d, const struct outcome *o)
{
	if (o->crowded.len) {
		wait_in_crowd(d, o->crowded);
		return;
	}
	destination_remember(d, o);
	shrink(d);
	if (d->session_count > d->opening)
		return;
	if (o->kind == OUTCOME_REFUSED)
		d->refusing = true;
	else
		leave_alone(d);
	destination_consider(d);
}
