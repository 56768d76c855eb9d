/* task.c - see task.h. Here, and nowhere else, it is decided who may ask for what. */
#include "storage/task.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/holding.h"
#include "storage/mailbox/mailbox.h"
#include "storage/path.h"
#include <assert.h>
#include <stdlib.h>

/* The one authorisation point. Mailboxes are their account's alone; what the system does for strangers (mail coming in,
 * logins) and what administrators do is for those askers alone. */
static bool may(enum asker needed, enum asker who, struct str asker, struct str address)
{
	if (who != needed)
		return false;
	return who != ASKER_ACCOUNT || str_eq(asker, address);
}

static struct task *task_make(struct store *st, struct request *rq)
{
	struct task *t = mem_new(struct task);

	t->st = st;
	t->rq = rq;
	st->task_count++;
	return t;
}

struct task *task_new(struct worker *w, struct request *rq, struct str args, enum asker needed)
{
	struct str asker;
	struct task *t;
	uint8_t who;

	if (!w->store) { /* it was stopped */
		request_answer(rq, ERR_AGAIN, STR_NONE);
		return NULL;
	}
	t = task_make(w->store, rq);
	t->from = request_from(rq);
	t->args = unpack_of(arena_str(&t->memory, args));
	who = unpack_u8(&t->args);
	asker = unpack_str(&t->args);
	t->address = unpack_str(&t->args);
	if (t->args.bad || store_owner(t->st, t->address) != w->slot) {
		log_error("store", NULL, "a call for another owner from=%u address=" STR_FMT, t->from,
			STR_ARG(t->address));
		task_end(t, ERR_NEVER, STR_NONE);
	} else if (t->st->stop) {
		task_end(t, ERR_AGAIN, STR_NONE);
	} else if (!may(needed, who, asker, t->address)) {
		log_warn("store", NULL, "refused asker=" STR_FMT " address=" STR_FMT, STR_ARG(asker),
			STR_ARG(t->address));
		task_end(t, ERR_DENIED, STR_NONE);
	} else {
		return t;
	}
	return NULL;
}

struct task *task_own(struct store *st, struct str address, void (*end)(struct task *t, enum err e, struct str answer))
{
	struct task *t = task_make(st, NULL);

	t->address = arena_str(&t->memory, address);
	t->end = end;
	return t;
}

struct name unpack_name(struct unpack *u)
{
	struct name name = { unpack_u64(u), 0 };

	name.number = unpack_u64(u);
	return name;
}

bool task_args_end(struct task *t)
{
	if (unpack_end(&t->args))
		return true;
	log_error("store", NULL, "a call that cannot be read from=%u address=" STR_FMT, t->from, STR_ARG(t->address));
	task_end(t, ERR_NEVER, STR_NONE);
	return false;
}

/* --- changes with names ------------------------------------------------------------------------------------------ */

/* A slot's names bear the life of the worker in it; once a new life is seen nobody asks for those of the old. */
static void life_seen(struct store *st, unsigned slot, uint64_t life)
{
	if (st->lives[slot] && st->lives[slot] != life)
		journal_names_of_life_forget(st->journal, st->lives[slot]);
	st->lives[slot] = life;
}

bool task_name(struct task *t, struct name name)
{
	struct store *st = t->st;
	struct str answer;

	if (!name_lasts(name))
		life_seen(st, t->from, name.life);
	if (journal_name_known(st->journal, name, &answer)) {
		log_debug("store", NULL, "asked again, done before address=" STR_FMT, STR_ARG(t->address));
		task_end(t, OK, answer);
		return false;
	}
	for (struct task *twin = st->named; twin; twin = twin->named_next)
		if (twin->name.life == name.life && twin->name.number == name.number) {
			t->twins = twin->twins;
			twin->twins = t;
			return false;
		}
	t->name = name;
	t->named_next = st->named;
	if (t->named_next)
		t->named_next->named_link = &t->named_next;
	t->named_link = &st->named;
	st->named = t;
	return true;
}

static void name_end(struct task *t)
{
	if (!t->named_link)
		return;
	*t->named_link = t->named_next;
	if (t->named_next)
		t->named_next->named_link = t->named_link;
}

/* --- steps ------------------------------------------------------------------------------------------------------- */

void task_account(struct task *t, task_step *step)
{
	assert(!t->h);
	t->h = holding_pin(t->st, t->address);
	holding_ask(t->h, t, step);
}

struct errand {
	struct job job;
	struct task *t;
	enum err (*what)(struct task *t);
	enum err e;
	task_step *step;
};

static void errand_work(struct job *job)
{
	struct errand *errand = container_of(job, struct errand, job);

	errand->e = errand->what(errand->t);
}

static void errand_done(struct job *job)
{
	struct errand *errand = container_of(job, struct errand, job);

	errand->step(errand->t, errand->e);
}

void task_in_lane(struct task *t, struct lane *lane, enum err (*what)(struct task *t), task_step *step)
{
	struct errand *errand = arena_new(&t->memory, struct errand);

	*errand = (struct errand){ { .work = errand_work, .done = errand_done }, t, what, OK, step };
	lane_add(lane, &errand->job);
}

static void is_durable(void *user, enum err e)
{
	struct task *t = user;

	task_end(t, e, t->answer);
}

void task_end(struct task *t, enum err e, struct str answer)
{
	struct task *twins = t->twins;

	while (t->holds)
		mailbox_release(t->holds);
	if (t->keeps && !e) {
		t->keeps = false;
		t->answer = arena_str(&t->memory, answer);
		journal_when_durable(t->st->journal, is_durable, t);
		return;
	}
	t->st->task_count--;
	name_end(t);
	if (t->leads)
		holding_led(t);
	if (t->rq)
		request_answer(t->rq, e, answer);
	else if (t->end)
		t->end(t, e, answer);
	while (twins) {
		struct task *twin = twins;

		twins = twin->twins;
		twin->twins = NULL;
		task_end(twin, e, answer);
	}
	if (t->h)
		holding_unpin(t->h);
	arena_free(&t->memory);
	free(t);
}
