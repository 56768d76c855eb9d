/* The list of a worker's sessions: newest first, any of them may leave. */
#include "core/service.h"
#include "core/worker.h"
#include "t/tap.h"

int main(void)
{
	struct worker w = { 0 };
	struct session a = { 0 }, b = { 0 }, c = { 0 };

	session_open(&w, &a);
	session_open(&w, &b);
	session_open(&w, &c);
	ok(w.sessions == &c && c.next == &b && b.next == &a && !a.next, "sessions are listed newest first");
	session_close(&w, &b);
	ok(w.sessions == &c && c.next == &a, "one in the middle may leave");
	session_close(&w, &c);
	ok(w.sessions == &a && !a.next, "so may the newest");
	session_close(&w, &a);
	ok(!w.sessions, "and the last");
	return done();
}
