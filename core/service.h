/* service.h - what listens: one row per role (smtp, submission, imaps ...), listed by the house.
 * The configuration's `listen "role" { address = {...} }` says where; the master binds, the workers accept, and
 * each accepted connection opens a session of its service. */
#ifndef CORE_SERVICE_H
#define CORE_SERVICE_H

#include "core/buf.h"
#include "core/settings.h"

struct conn;
struct session;
struct worker;

struct service {
	const char *role;      /* "imaps": the title of its listen section */
	const char *component; /* "imap": for logs and `postern who` */
	bool tls;              /* TLS from the first byte */
	bool local;            /* a UNIX socket in the run directory, not an address */
	unsigned port;         /* the usual one; 0 for local ones */
	/* Starts a session on an accepted socket; it is in charge of fd from now on. */
	void (*open)(struct worker *w, const struct service *service, int fd);
};

/* What every session begins with, so that the worker can list, tell and end them all. */
struct session {
	struct session *next, **link; /* the worker's list */
	const struct service *service;
	struct conn *conn;   /* the session's */
	int64_t started_ms;  /* wall clock */
	const char *account; /* "" before login; the session's memory */
	const char *doing;   /* the state or last command, a literal: for `postern who` */
	/* The server stops or the administrator ends it: says good-bye in its protocol and closes, when it may;
	 * called once. Never frees the session in it. */
	void (*farewell)(struct session *s, const char *why);
};

void session_open(struct worker *w, struct session *s);  /* joins the list; the fields above are set */
void session_close(struct worker *w, struct session *s); /* leaves it */

#endif
