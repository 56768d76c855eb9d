/* home.h - the store's directory, whose it is, and that only one server is at home in it.
 * Started as root, the server does nothing in there as root: the user the workers become owns it all, and could lead
 * root astray by a symbolic link. So who touches it becomes that user first, for good or for a moment.
 * `why` gets one line, without an end, whenever something fails. */
#ifndef CORE_HOME_H
#define CORE_HOME_H

#include "core/buf.h"
#include "core/err.h"
#include <sys/types.h>

struct owner {
	bool other; /* than who we are: we are root and become him */
	char name[33];
	uid_t uid;
	gid_t gid;
};

/* Who owns the store: `user` if we are root, else ourselves. */
enum err owner_find(struct owner *o, const char *user, struct buf *why);
enum err owner_become(const struct owner *o); /* for good, groups and all */
void owner_act(const struct owner *o);        /* for a moment, until owner_rest; aborts if it cannot */
void owner_rest(const struct owner *o);

/* The directory, made if it is missing (not its parents), open; -1 if it cannot be. */
int home_open(const char *path, const struct owner *o, struct buf *why);

/* Locks it for this process and the children it forks: as long as one of them lives, no other server can. run/pid
 * holds our pid. What is left of a server that was killed is waited for, 10 s at most. Answers the descriptor to keep
 * open; -1 and in *holder who has it, or 0 if something else is wrong. */
int home_lock(int directory, const struct owner *o, pid_t *holder, struct buf *why);

/* What every server needs in there, and nothing left of an earlier run's calls. */
enum err home_furnish(int directory, const struct owner *o, struct buf *why);

#endif
