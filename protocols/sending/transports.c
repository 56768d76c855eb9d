/* transports.c - the transports that there are; one that is not leaves its mail waiting. */
#include "core/mem.h"
#include "protocols/sending/sending_inside.h"
#include <stdlib.h>

struct transport_session {
	struct worker *w;
	struct sending_session *ours;
	struct timer timer;
};

static void say_so(void *user)
{
	struct transport_session *t = user;
	struct sending_session *ours = t->ours;
	struct outcome o = { .kind = OUTCOME_DEFERRED, .status = STR("4.3.5"), .reply = STR("this way of sending is not there") };

	free(t);
	sending_unreachable(ours, &o);
	sending_over(ours);
}

static struct transport_session *absent_open(struct worker *w, struct sending_session *s, const struct next_hop *hop)
{
	struct transport_session *t = mem_new(struct transport_session);

	(void)hop;
	t->w = w;
	t->ours = s;
	timer_start(w->timers, &t->timer, 0, say_so, t);
	return t;
}

static void absent_more(struct transport_session *t)
{
	(void)t;
}

static void absent_end(struct transport_session *t)
{
	timer_stop(t->w->timers, &t->timer);
	free(t);
}

static const struct transport absent_transport = { absent_open, absent_more, absent_end };

enum err sending_start(struct worker *w)
{
	struct sending *s = sending_new(w);

	s->smtp = &smtp_transport;
	s->local = &local_transport;
	s->pipe = &absent_transport;
	return OK;
}
