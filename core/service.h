/* service.h - what listens: one row per role (smtp, submission, imaps ...), listed by the house.
 * The configuration's `listen "role" { address = {...} }` says where; the master binds, the workers accept, and
 * each accepted connection opens a session of its service. */
#ifndef CORE_SERVICE_H
#define CORE_SERVICE_H

#include "core/buf.h"
#include "core/settings.h"
#include "core/timers.h"

struct conn;
struct ip;
struct session;
struct tally;
struct worker;

struct service {
	const char *role;      /* "imaps": the title of its listen section */
	const char *component; /* "imap": for logs and `postern who` */
	bool tls;              /* TLS from the first byte */
	bool local;            /* a UNIX socket in the run directory, not an address */
	bool members;          /* one must log in to do anything */
	unsigned port;         /* the usual one; 0 for local ones */
	/* Starts a session on an accepted socket; it is in charge of fd from now on. */
	void (*open)(struct worker *w, const struct service *service, int fd);
	/* Writes what a client is told instead that is not let in. NULL: nothing; also where TLS comes first. */
	void (*refuse)(struct worker *w, const char *why, struct buf *out);
	/* Whether who comes from there is to come again later, since the worker is overloaded: why, for refuse; NULL: no.
	 * NULL: nobody is. */
	const char *(*put_off)(struct worker *w, const struct ip *peer);
};

struct session_limit { /* what limit.c counts the session in; all 0: nowhere */
	struct worker *worker;
	struct tally *address, *account; /* where it counts as open; NULL: there was no room, or no login */
	uint64_t address_key, account_key;
	bool known; /* logged in */
};

/* What every session begins with, so that the worker can list, tell and end them all. */
struct session {
	struct session *next, **link; /* the worker's list */
	const struct service *service;
	struct conn *conn;   /* the session's */
	int64_t started_ms;  /* wall clock */
	const char *account; /* "" before login; the session's memory */
	const char *doing;   /* the state or last command, a literal: for `postern who` */
	/* The server stops, the administrator ends it or a limit: says good-bye in its protocol and closes, when it
	 * may. May be called again before that. Never frees the session in it. */
	void (*farewell)(struct session *s, const char *why);
	struct session_limit limit;
	struct timer timer; /* when it must have logged in, or be done; once it is told to end, when it is cut off */
	bool ending;        /* session_end */
};

void session_open(struct worker *w, struct session *s);  /* joins the list; the fields down to farewell are set */
void session_close(struct worker *w, struct session *s); /* leaves it, before conn and account are freed */
/* Its farewell, now; whoever is not gone 30 s later, since it does not read what it asked for, is cut off. why: lasts. */
void session_end(struct worker *w, struct session *s, const char *why);

#endif
