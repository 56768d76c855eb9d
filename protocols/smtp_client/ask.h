/* ask.h - asking another host whether it takes mail for an address: a session as any other (session.h), with its hosts one
 * after the other, TLS and login, that ends behind RCPT, so that nothing is ever sent.
 * A host that says yes, or that there is nobody, is the last one asked; one that is dead, slow, or says anything else, as
 * 4xx, is passed over. No session takes more than ASK_STEP_MS for a step, so that a host in a black hole leaves time for
 * the next. */
#ifndef PROTOCOLS_SMTP_CLIENT_ASK_H
#define PROTOCOLS_SMTP_CLIENT_ASK_H

#include "core/worker.h"
#include "storage/route/next_hop.h"

#define ASK_STEP_MS 8000 /* for one address: to connect, and for each reply */

struct client;

/* e: OK; ERR_ABSENT: it knows nobody of that name; ERR_AGAIN: none could tell. words: what was said last, valid until it
 * returns. */
typedef void client_asked(void *user, enum err e, struct str words);
/* hop: SMTP or LMTP; it lives until done, which runs in a later turn and is the last of it, or ask_no_more. */
struct client *ask_host(
	struct worker *w, const struct next_hop *hop, struct str address, client_asked *done, void *user);
void ask_no_more(struct client *c); /* nobody is told; NULL is fine */

#endif
