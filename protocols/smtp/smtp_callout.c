/* smtp_callout.c - see smtp_callout.h. */
#include "protocols/smtp/smtp_callout.h"
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "protocols/smtp_client/ask.h"
#include "storage/route/next_hop.h"
#include "storage/table.h"
#include <stdlib.h>

COUNTER(callouts, "smtp.callouts", "other servers asked whether they know an address");

struct asker { /* one who waits */
	struct asker *next;
	struct call *handle;
	struct answer *answer; /* that is waited for; NULL: it is known, and told in a later turn */
	struct call *later;
	enum err e;
	store_done *done;
	void *user;
};

struct answer { /* what is known of an address, or being asked */
	struct table_node node;
	char *address;
	enum err e;
	int64_t until_ms;
	struct callout *callout; /* NULL: nobody is being asked */
	struct asker *askers;
};

struct callout { /* one under way */
	struct worker *worker;
	struct answer *answer;
	struct conf *conf; /* ours */
	struct arena memory;
	struct next_hop hop;
	struct call *waiting;  /* for a turn of the loop */
	struct client *client; /* ours while it asks */
	struct timer limit;
};

static struct { /* this process's, which is a worker */
	struct table answers;
	size_t under_way;
} state;

/* --- what is known ----------------------------------------------------------------------------------------------- */

static struct answer *answer_find(struct str address)
{
	struct table_node *n = table_first(&state.answers, str_hash(address));

	while (n && !str_eq(str_of(container_of(n, struct answer, node)->address), address))
		n = table_next(n);
	return n ? container_of(n, struct answer, node) : NULL;
}

static void answer_free(struct answer *a)
{
	table_remove(&state.answers, &a->node);
	free(a->address);
	free(a);
}

/* All that nobody waits for: it is asked again when it is wanted. */
static void forget_all(void)
{
	struct answer **all = mem_alloc(state.answers.count * sizeof(struct answer *));
	size_t count = 0;

	for (size_t i = 0; i < state.answers.chain_count; i++)
		for (struct table_node *n = state.answers.chains[i]; n; n = n->next)
			all[count++] = container_of(n, struct answer, node);
	for (size_t i = 0; i < count; i++)
		if (!all[i]->callout)
			answer_free(all[i]);
	free(all);
}

static struct answer *answer_new(struct str address)
{
	struct answer *a;

	if (state.answers.count >= CALLOUT_KEPT_MAX)
		forget_all();
	a = mem_new(struct answer);
	a->address = str_dup(address);
	table_add(&state.answers, &a->node, str_hash(address));
	return a;
}

/* --- the end of one ---------------------------------------------------------------------------------------------- */

static void asker_tell(struct asker *k, enum err e)
{
	store_done *done = k->done;
	void *user = k->user;

	call_steps_end(k->handle);
	free(k);
	done(user, e);
}

static void callout_free(struct callout *c)
{
	timer_stop(c->worker->timers, &c->limit);
	call_cancel(c->waiting);
	ask_no_more(c->client);
	conf_unref(c->conf);
	arena_free(&c->memory);
	free(c);
	state.under_way--;
}

static int64_t kept_ms(enum err e)
{
	return e == OK ? CALLOUT_KNOWN_MS : e == ERR_ABSENT ? CALLOUT_UNKNOWN_MS : CALLOUT_UNCLEAR_MS;
}

static void finish(struct callout *c, enum err e, struct str why)
{
	struct answer *a = c->answer;
	struct asker *k;

	log_info("smtp", NULL, "callout to=<%s> known=%s reason=\"" STR_FMT "\"", a->address,
		e == OK           ? "yes"
		: e == ERR_ABSENT ? "no"
				  : "unclear",
		STR_ARG(why));
	a->e = e;
	a->until_ms = worker_wall_ms(c->worker) + kept_ms(e);
	a->callout = NULL;
	callout_free(c);
	while ((k = a->askers)) {
		a->askers = k->next;
		asker_tell(k, e);
	}
}

/* --- asking the server ------------------------------------------------------------------------------------------- */

static void on_limit(void *user)
{
	finish(user, ERR_AGAIN, STR("no answer in time"));
}

static void answered(void *user, enum err e, struct str words)
{
	struct callout *c = user;

	c->client = NULL;
	finish(c, e, words);
}

static void begin(void *user, enum err e, struct str text)
{
	struct callout *c = user;
	struct str address = str_of(c->answer->address);

	(void)e, (void)text;
	c->waiting = NULL;
	next_hop_find(c->conf, &c->memory, address, STR(""), &c->hop);
	if (c->hop.way == HOP_REJECT)
		finish(c, ERR_ABSENT, STR("a route refuses him"));
	else if (c->hop.way == HOP_SMTP || c->hop.way == HOP_LMTP)
		c->client = ask_host(c->worker, &c->hop, address, answered, c);
	else
		finish(c, ERR_AGAIN, STR("his route leads to nobody who can be asked"));
}

static void callout_new(struct worker *w, const struct conf *conf, struct answer *a)
{
	struct callout *c = mem_new(struct callout);

	counter_add(&callouts, 1);
	state.under_way++;
	a->callout = c;
	c->worker = w;
	c->answer = a;
	c->conf = conf_ref((struct conf *)conf);
	timer_start(w->timers, &c->limit, CALLOUT_TIME_MS, on_limit, c);
	c->waiting = call_later(w, begin, c);
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

static void asker_dropped(void *user)
{
	struct asker *k = user;
	struct answer *a = k->answer;

	call_cancel(k->later);
	if (a) {
		struct asker **at = &a->askers;

		while (*at != k)
			at = &(*at)->next;
		*at = k->next;
		if (!a->askers && a->callout) {
			callout_free(a->callout);
			answer_free(a);
		}
	}
	free(k);
}

static void tell_known(void *user, enum err e, struct str text)
{
	struct asker *k = user;

	(void)e, (void)text;
	k->later = NULL;
	asker_tell(k, k->e);
}

struct call *smtp_callout(struct worker *w, const struct conf *conf, struct str address, store_done *done, void *user)
{
	struct asker *k = mem_new(struct asker);
	struct answer *a = answer_find(address);
	bool known = a && !a->callout && a->until_ms > worker_wall_ms(w);

	*k = (struct asker){ .done = done, .user = user, .handle = call_steps(asker_dropped, k) };
	if (known || (!(a && a->callout) && state.under_way >= CALLOUT_ASKED_MAX)) {
		k->e = known ? a->e : ERR_AGAIN;
		k->later = call_later(w, tell_known, k);
		return k->handle;
	}
	if (!a)
		a = answer_new(address);
	if (!a->callout)
		callout_new(w, conf, a);
	k->answer = a;
	k->next = a->askers;
	a->askers = k;
	return k->handle;
}
