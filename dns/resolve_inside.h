/* resolve_inside.h - what resolve.c (who asks) and question.c (how it is answered) share.
 *
 *   ask - ask - ask        who waits, each with a deadline
 *    \     |     /
 *     question             one for a name and type; at most QUESTIONS_MAX on their way, the others wait in line
 *         |
 *       trip               to one server after the other; to the next name where an alias leads away */
#ifndef DNS_RESOLVE_INSIDE_H
#define DNS_RESOLVE_INSIDE_H

#include "core/timers.h"
#include "dns/cache.h"
#include "dns/message.h"
#include "dns/resolve.h"
#include "dns/servers.h"
#include "dns/trip.h"
#include <sys/queue.h>

#define QUESTIONS_MAX   128 /* on their way: each takes 75 KiB of c-ares and up to two sockets */
#define QUESTION_PLACES 1024

struct ask {
	TAILQ_ENTRY(ask) others;   /* of its question; then of those answered */
	struct dns *dns;           /* NULL after dns_stop */
	struct question *question; /* NULL once it is answered */
	struct dns_answer *answer; /* then */
	uint32_t ttl_s;
	enum dns_type type;
	struct timer limit;
	struct call *handle, *later;
	dns_done *done;
	void *user;
};
TAILQ_HEAD(asks, ask);

struct question {
	LIST_ENTRY(question) others; /* of its place in the table */
	TAILQ_ENTRY(question) line;
	struct dns *dns;
	struct dns_name name;
	enum dns_type type;
	struct asks asks;
	struct dns_servers *servers; /* ours; NULL while it waits in line */
	struct dns_name at;          /* the name, or the alias that is asked for now */
	unsigned aliases;            /* followed so far */
	uint32_t ttl_s;              /* of what was learnt so far */
	bool secure;
	unsigned round, asked, failed; /* servers, a bit each: asked in this round; of no use for this question */
	int server;                    /* asked now */
	bool plain, tcp;               /* it is to be asked without EDNS, by TCP */
	struct dns_query query;
	struct dns_trip *trip;
};
LIST_HEAD(questions, question);
TAILQ_HEAD(line, question);

struct dns {
	struct worker *w;
	struct conf *conf; /* in force */
	const struct dns_conf *settings;
	struct dns_servers *servers;
	struct dns_cache *cache;
	struct questions places[QUESTION_PLACES];
	struct line line;
	struct asks answered; /* but not told yet */
	unsigned under_way, ask_count;
};

/* question.c: sets it on its way; question_done is told the end in a later turn. */
void question_start(struct question *q);
void question_free(struct question *q);

/* resolve.c: takes the answer, tells it to all who ask, frees the question. */
void question_done(struct question *q, struct dns_answer *answer);

#endif
