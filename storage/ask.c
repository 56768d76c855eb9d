/* ask.c - see ask.h.
 * A caller that cancels is rid of it at once; the call still runs at its owner, so its answer is waited for where
 * something must be undone then. Names of changes are forgotten in batches: soon when the answer came, and when it did
 * not, only after any call that bears the name has passed its deadline, so that none is done twice.
 * A change that is durable is made, however long its files cannot be written, so it must not be told to have failed: who
 * asks for one has patience. Mail has not: its acceptor's queue takes it over, under the same name. */
#include "storage/ask.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/owner.h"
#include "storage/shared.h"
#include "storage/task.h"
#include <stdlib.h>

#define FORGET_SOON_MS 1000
#define PATIENCE_MS    3600000
#define FORGET_LATE_MS (2 * PATIENCE_MS) /* at least; twice that at most */
#define FORGET_AT_ONCE 256               /* names in a batch */

/* --- names to be forgotten ------------------------------------------------------------------------------------- */

struct forgotten {
	struct buf soon, late, later; /* packed names */
	struct timer soon_timer, late_timer;
	struct worker *w;
	unsigned to;
};

struct forgets {
	struct worker *w;
	struct forgotten *of; /* by slot */
};

struct forgets *forgets_new(struct worker *w)
{
	struct forgets *as = mem_new(struct forgets);

	as->w = w;
	as->of = mem_alloc(w->workers * sizeof(*as->of));
	for (unsigned i = 0; i < w->workers; i++) {
		as->of[i].w = w;
		as->of[i].to = i;
	}
	return as;
}

void forgets_free(struct forgets *as)
{
	if (!as)
		return;
	for (unsigned i = 0; i < as->w->workers; i++) {
		timer_stop(as->w->timers, &as->of[i].soon_timer);
		timer_stop(as->w->timers, &as->of[i].late_timer);
		buf_free(&as->of[i].soon);
		buf_free(&as->of[i].late);
		buf_free(&as->of[i].later);
	}
	free(as->of);
	free(as);
}

static void forget_now(struct forgotten *f, struct buf *names)
{
	if (buf_len(names))
		event_send(f->w, f->to, &store_calls[EVENT_FORGET], buf_str(names));
	buf_free(names);
}

static void forget_soon(void *user)
{
	struct forgotten *f = user;

	timer_stop(f->w->timers, &f->soon_timer);
	forget_now(f, &f->soon);
}

static void forget_late(void *user)
{
	struct forgotten *f = user;

	forget_now(f, &f->late);
	f->late = f->later;
	f->later = (struct buf){ 0 };
	if (buf_len(&f->late))
		timer_start(f->w->timers, &f->late_timer, FORGET_LATE_MS, forget_late, f);
}

static void forget(struct worker *w, unsigned to, struct name name, bool late)
{
	struct forgotten *f = w->store ? &w->store->forgets->of[to] : NULL;
	struct buf *b;

	if (!f)
		return; /* we stop, and our life's names end with it */
	b = !late ? &f->soon : timer_runs(&f->late_timer) ? &f->later : &f->late;
	pack_u64(b, name.life);
	pack_u64(b, name.number);
	if (late && !timer_runs(&f->late_timer))
		timer_start(w->timers, &f->late_timer, FORGET_LATE_MS, forget_late, f);
	if (!late && buf_len(b) >= FORGET_AT_ONCE * 16)
		forget_soon(f);
	else if (!late && !timer_runs(&f->soon_timer))
		timer_start(w->timers, &f->soon_timer, FORGET_SOON_MS, forget_soon, f);
}

/* Names of a life count up from 1: none of them reaches these bits. */
#define LASTING  (UINT64_C(1) << 63)
#define ARRIVING (UINT64_C(1) << 62)

struct name name_lasting(uint64_t message, uint32_t recipient)
{
	return (struct name){ message, LASTING | recipient };
}

struct name name_arriving(struct worker *w)
{
	struct name name = name_next(w);

	return (struct name){ name.life, LASTING | ARRIVING | name.number };
}

bool name_lasts(struct name name)
{
	return name.number & LASTING;
}

unsigned store_owner_of(const struct worker *w, struct str account)
{
	return store_owner(w->store, account);
}

struct forgetting { /* waits until we shall not ask again, whatever happens */
	struct worker *w;
	unsigned owner;
	struct name name;
};

static void forget_durable(void *user, enum err e)
{
	struct forgetting *g = user;

	(void)e;
	forget(g->w, g->owner, g->name, false);
	free(g);
}

void store_forget(struct worker *w, unsigned owner, struct name name)
{
	struct forgetting *g;

	if (!w->store)
		return;
	g = mem_new(struct forgetting);
	*g = (struct forgetting){ w, owner, name };
	journal_when_durable(w->store->journal, forget_durable, g);
}

void forget_handle(struct worker *w, struct request *rq, struct str args)
{
	struct unpack u = unpack_of(args);

	(void)rq;
	while (w->store && u.left.len && !u.bad) {
		struct name name = unpack_name(&u);

		if (!u.bad)
			journal_name_forget(w->store->journal, name);
	}
}

/* --- asking ---------------------------------------------------------------------------------------------------- */

struct asked *ask_new(struct worker *w, enum asker who, struct str asker, struct str address)
{
	struct asked *k = mem_new(struct asked);

	k->w = w;
	k->to = store_owner(w->store, address);
	k->deadline_ms = CALL_DEADLINE_MS;
	pack_u8(&k->args, (uint8_t)who);
	pack_str(&k->args, asker);
	pack_str(&k->args, address);
	return k;
}

void ask_name(struct asked *k, struct name name)
{
	k->named = true;
	k->name = name;
	if (!name_lasts(name))
		ask_patiently(k);
	pack_u64(&k->args, name.life);
	pack_u64(&k->args, name.number);
}

void ask_patiently(struct asked *k)
{
	k->deadline_ms = PATIENCE_MS;
}

static void asked_free(struct asked *k)
{
	buf_free(&k->args);
	buf_free(&k->answer);
	free(k->address);
	free(k);
}

static void dropped(void *user)
{
	struct asked *k = user;

	k->handle = NULL;
	if (k->call && (k->orphaned || k->named))
		return; /* its answer is still of use */
	if (k->call)
		call_cancel(k->call);
	else
		shared_wait_drop(k);
	asked_free(k);
}

static void tell(struct asked *k, enum err e, struct str answer)
{
	if (k->handle) {
		call_steps_end(k->handle);
		k->tell(k, e, answer);
	} else if (k->orphaned) {
		k->orphaned(k, e, answer);
	}
	asked_free(k);
}

/* Whether somebody will ask for it again: he says when not. */
static bool is_kept(const struct asked *k, enum err e)
{
	if (k->lasts)
		return true;
	if (k->name.number & ARRIVING)
		return e == ERR_AGAIN && k->handle;
	return name_lasts(k->name);
}

static void answered(void *user, enum err e, struct str answer)
{
	struct asked *k = user;
	struct unpack u = unpack_of(answer);

	k->call = NULL;
	if (k->named && !is_kept(k, e))
		forget(k->w, k->to, k->name, e == ERR_AGAIN);
	if (!e && k->fresh && k->handle && shared_wait(k->w, unpack_u64(&u), k))
		buf_add_str(&k->answer, answer);
	else
		tell(k, e, answer);
}

void asked_go_on(struct asked *k)
{
	tell(k, OK, buf_str(&k->answer));
}

struct call *ask_send(struct asked *k, unsigned type, asked_tell *tell, void *user)
{
	return ask_send_until(k, type, k->deadline_ms, tell, user);
}

struct call *ask_send_until(struct asked *k, unsigned type, int64_t deadline_ms, asked_tell *tell, void *user)
{
	struct call *handle = call_steps(dropped, k);

	k->handle = handle;
	k->tell = tell;
	k->user = user;
	k->call = call_send(k->w, k->to, &store_calls[type], buf_str(&k->args), deadline_ms, answered, k);
	buf_free(&k->args);
	return handle;
}

struct call *ask_newer(struct shared *sh, store_done *done, void *user)
{
	struct asked *k = mem_new(struct asked);
	struct call *handle = call_steps(dropped, k);

	k->w = sh->w;
	k->handle = handle;
	k->tell = asked_store;
	k->done.store = done;
	k->user = user;
	shared_refresh(sh);
	shared_wait_add(sh, k);
	return handle;
}

static void refused(void *user, enum err e, struct str answer)
{
	struct asked *k = user;
	struct unpack u = unpack_of(buf_str(&k->answer));

	(void)e;
	k->call = NULL;
	tell(k, (enum err)unpack_u8(&u), answer);
}

struct call *ask_refuse(struct asked *k, enum err e, asked_tell *tell, void *user)
{
	struct call *handle = call_steps(dropped, k);

	k->handle = handle;
	k->tell = tell;
	k->user = user;
	k->named = false;
	pack_u8(&k->answer, (uint8_t)e);
	k->call = call_later(k->w, refused, k);
	return handle;
}

void asked_store(struct asked *k, enum err e, struct str answer)
{
	(void)answer;
	k->done.store(k->user, e);
}
