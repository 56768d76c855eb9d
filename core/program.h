/* program.h - a program of the configuration, run as a child process: what it reads lies ready in a file, what it says is
 * read to a limit, and its end is told. It is started without a shell, with an environment that holds nothing of ours, no
 * descriptor but its three, and as the user that we are. It leads a process group of its own, which is ended as a whole if
 * it takes too long. The loop waits for none of this. */
#ifndef CORE_PROGRAM_H
#define CORE_PROGRAM_H

#include "core/str.h"

#define PROGRAM_OUTPUT_MAX 4000 /* bytes of its output that are kept: the first */

struct program;
struct worker;

struct program_end {
	enum {
		PROGRAM_EXITED,
		PROGRAM_SIGNALLED, /* ended by a signal that was not ours */
		PROGRAM_LATE,      /* ended for it took too long */
		PROGRAM_FAILED,    /* it could not be started */
	} how;
	int number;        /* exit status, signal, or errno */
	struct str output; /* of standard output and error; valid until on_end returns */
};
typedef void program_ended(void *user, const struct program_end *end);

/* argv: its name with its whole path, then its arguments, then NULL; copied. environment: NAME=value beside PATH and LANG,
 * then NULL; copied; NULL: nothing. input: a descriptor that it reads from, from where
 * that stands; ours again when this returns. on_end runs in a later turn, and p is gone by then. */
struct program *program_start(struct worker *w, const char *const *argv, const char *const *environment, int input,
	int64_t limit_ms, program_ended *on_end, void *user);
void program_free(struct program *p); /* ends it, nobody is told; NULL is fine */

#endif
