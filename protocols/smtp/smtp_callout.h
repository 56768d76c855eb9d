/* smtp_callout.h - asking another server whether it knows an address: as far as RCPT, by a message that is never sent.
 * What it said is kept: that somebody is there for CALLOUT_KNOWN_MS, that nobody is for CALLOUT_UNKNOWN_MS, that it cannot
 * be asked for CALLOUT_UNCLEAR_MS. Who asks while the same is being asked waits for that answer. Hosts are asked as mail
 * would go to them (smtp_client/ask.h): by TLS where it is offered or wanted, the next one where one cannot tell.
 * So mail is still taken for those that are known while their server is away; for others it is not, since nobody can
 * tell: their senders try again. */
#ifndef PROTOCOLS_SMTP_CALLOUT_H
#define PROTOCOLS_SMTP_CALLOUT_H

#include "storage/store.h"

#define CALLOUT_KNOWN_MS   (7 * 86400 * 1000ll)
#define CALLOUT_UNKNOWN_MS (3600 * 1000ll)
#define CALLOUT_UNCLEAR_MS (30 * 1000ll)
#define CALLOUT_TIME_MS    30000 /* for all of one */
#define CALLOUT_ASKED_MAX  50    /* under way at a time */
#define CALLOUT_KEPT_MAX   100000

/* The servers are those of the address's next hop. done runs in a later turn: OK; ERR_ABSENT: one
 * refuses him; ERR_AGAIN: it cannot be known now. */
struct call *smtp_callout(struct worker *w, const struct conf *conf, struct str address, store_done *done, void *user);

#endif
