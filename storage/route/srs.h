/* srs.h - the sender rewriting scheme: what is forwarded leaves with a sender of our own, whose bounces come back to us and
 * from here to the first sender, for a while.
 *   SRS0=hash=time=domain=local@ours        of a sender elsewhere
 *   SRS1=hash=domain==rest@ours             of one that is SRS0 or SRS1 of another forwarder's already
 * hash is a keyed one (HMAC-SHA-256, cut short) of what follows it, so nobody else can make an address that we turn
 * back; time is a day number of 10 bits. Case of letters may have been changed on the way. */
#ifndef STORAGE_SRS_H
#define STORAGE_SRS_H

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"

#define SRS_DAYS 21 /* that an address can be turned back */

/* Whether a local part, or an address, looks like one. */
bool srs_is(struct str address);

/* sender: local@domain; domain: ours. The result lies in the arena. ERR_TOO_BIG: it would be too long for a mailbox;
 * ERR_MISTAKE: sender is no address, or has nothing before its @. */
enum err srs_forward(
	struct arena *a, struct str key, struct str sender, struct str domain, int64_t now_s, struct str *out);
/* local: of an address at our domain. OK; ERR_MISTAKE: it is none of these; ERR_DENIED: not made by us; ERR_ABSENT: its
 * time is over. */
enum err srs_reverse(struct arena *a, struct str key, struct str local, int64_t now_s, struct str *out);

#endif
