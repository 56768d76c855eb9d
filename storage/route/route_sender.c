/* route_sender.c - may an account write as an address? It may as what leads to it as a login name does. */
#include "core/mem.h"
#include "storage/route/domain.h"
#include "storage/route/idn.h"
#include "storage/route/route.h"
#include <stdlib.h>

struct writing {
	struct worker *w;
	struct conf *conf; /* a reference */
	struct arena memory;
	struct str account, sender; /* canonical */
	struct call *handle, *call;
	store_done *done;
	void *user;
};

static void writing_free(struct writing *g)
{
	call_cancel(g->call);
	conf_unref(g->conf);
	arena_free(&g->memory);
	free(g);
}

static void dropped(void *user)
{
	writing_free(user);
}

static void tell(struct writing *g, enum err e)
{
	g->call = NULL;
	call_steps_end(g->handle);
	g->done(g->user, e);
	writing_free(g);
}

static void found(void *user, const struct route *route)
{
	const struct route_leaf *l = &route->leaves[0];
	struct writing *g = user;

	if (l->kind == ROUTE_LOCAL && str_eq(l->address, g->account))
		tell(g, OK);
	else if (domain_may_send(g->conf, g->account, g->sender))
		tell(g, OK);
	else
		tell(g, l->kind == ROUTE_AGAIN ? ERR_AGAIN : ERR_DENIED);
}

static void told_already(void *user, enum err e, struct str answer)
{
	(void)e, (void)answer;
	tell(user, OK);
}

struct call *route_may_send(struct worker *w, struct str account, struct str sender, store_done *done, void *user)
{
	struct route_question q = { .address = sender, .login = true };
	struct writing *g = mem_new(struct writing);

	g->w = w;
	g->conf = conf_ref(w->conf);
	g->account = arena_str(&g->memory, account);
	if (idn_address(&g->memory, sender, &g->sender))
		g->sender = sender; /* nobody's */
	g->sender = arena_str(&g->memory, g->sender);
	g->done = done;
	g->user = user;
	g->handle = call_steps(dropped, g);
	if (!sender.len || str_eq(g->account, g->sender)) /* the usual: nobody need be asked */
		g->call = call_later(w, told_already, g);
	else
		g->call = route_find(w, &q, found, g);
	return g->handle;
}
