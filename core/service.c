/* service.c - see service.h. */
#include "core/service.h"
#include "core/conn.h"
#include "core/limit.h"
#include "core/log.h"
#include "core/worker.h"

#define END_MS 30000 /* for the answer under way and the farewell */

/* The lines of a session have a beginning and an end; those of administrators' commands are not logged. */
static bool is_logged(const struct session *s)
{
	return s->service && !s->service->local;
}

void session_open(struct worker *w, struct session *s)
{
	s->next = w->sessions;
	s->link = &w->sessions;
	if (s->next)
		s->next->link = &s->next;
	w->sessions = s;
	limit_begin(w, s);
	if (is_logged(s))
		log_info(s->service->component, conn_id(s->conn), "open role=%s peer=%s", s->service->role,
			conn_peer(s->conn));
}

void session_close(struct worker *w, struct session *s)
{
	if (is_logged(s))
		log_info(s->service->component, conn_id(s->conn), "gone peer=%s account=%s lasted_s=%lld reason=\"%s\"",
			conn_peer(s->conn), s->account, (long long)(worker_wall_ms(w) - s->started_ms) / 1000,
			conn_reason(s->conn));
	limit_end(w, s);
	timer_stop(w->timers, &s->timer);
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	s->next = NULL;
	s->link = NULL;
}

static void cut_off(void *user)
{
	struct session *s = user;

	conn_close(s->conn);
}

void session_end(struct worker *w, struct session *s, const char *why)
{
	if (s->ending)
		return;
	s->ending = true;
	timer_start(w->timers, &s->timer, END_MS, cut_off, s);
	s->farewell(s, why);
}
