/* transports.c - the ways in which mail goes, for a worker that sends. */
#include "protocols/sending/sending_inside.h"

enum err sending_start(struct worker *w)
{
	struct sending *s = sending_new(w);

	s->smtp = &smtp_transport;
	s->local = &local_transport;
	s->pipe = &pipe_transport;
	return OK;
}
