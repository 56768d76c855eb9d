/* imap_idle.c - IDLE (RFC 2177): the client listens until it says DONE. */
#include "protocols/imap/imap_session.h"

static enum next idle_over(struct imap *s, struct str line)
{
	imap_watch(s, false);
	if (!str_eq_nocase(line, STR("DONE")))
		return imap_bad(s, "IDLE ends with DONE");
	return imap_ok(s, "IDLE done");
}

enum next cmd_idle(struct imap *s, struct args *a)
{
	if (!args_end(a))
		return imap_bad(s, "IDLE takes nothing");
	s->continuation = idle_over;
	conn_printf(s->conn, "+ idling\r\n");
	imap_watch(s, true);
	return DONE;
}
