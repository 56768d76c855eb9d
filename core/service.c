/* service.c - see service.h. */
#include "core/service.h"
#include "core/worker.h"

void session_open(struct worker *w, struct session *s)
{
	s->next = w->sessions;
	s->link = &w->sessions;
	if (s->next)
		s->next->link = &s->next;
	w->sessions = s;
}

void session_close(struct worker *w, struct session *s)
{
	(void)w; /* the links lead to the worker's list */
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	s->next = NULL;
	s->link = NULL;
}
